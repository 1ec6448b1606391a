// Derivatives of the effective tensor with respect to the pixels, from the correctors.
//
// With S_i = e_i + ∇χ_i (physical slopes; bilinear, so a mean m and a twist c in each pixel),
//   ∂A*_ij/∂A_kl = 1/N (S_ik S_jl + δ_kl c_i c_j / (12 h_k²))        for each of the N pixels:
// no adjoint solve, since the energy is stationary in χ. The Hessian takes the derivative w of χ
// along a direction V of the pixels, K w_j = −Σ ∫ ∇φ·V S_j, in place of one of the two S.
// All arrays are contiguous; T is float or double.
#pragma once
#include <cstdint>

namespace pearlite {

struct CellShape {
  int64_t batch = 0, n0 = 0, n1 = 0;
  bool tensor = false;          // pixels (and their derivatives) are (n0, n1, 2, 2), else (n0, n1)
  double spacing[2] = {1, 1};
  int threads = 1;
};

// out (pixels) = Σ_ij G_ij ∂A*_ij/∂pixel, symmetric for tensors.
template <class T>
void pull_back(const CellShape&, const T* correctors /* (batch, 2, n0, n1) */,
               const double* cotangent /* (batch, 2, 2) */, T* out);

// The derivative of pull_back's result along a change w of the correctors.
template <class T>
void pull_back_change(const CellShape&, const T* correctors, const T* change /* (batch, 2, n0, n1) */,
                      const double* cotangent, T* out);

// out (batch, 2, 2) = Σ_pixels ∂A*/∂pixel : direction.
template <class T>
void push_forward(const CellShape&, const T* correctors, const T* direction /* pixels */, double* out);

// out (batch, 2, n0, n1): the loads −Σ ∫ ∇φ·V S_j in pixel coordinates.
template <class T>
void direction_loads(const CellShape&, const T* correctors, const T* direction /* pixels */, T* out);

}  // namespace pearlite
