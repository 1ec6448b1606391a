// Periodic homogenization with trilinear finite elements on voxels; see corrector.hpp.
#pragma once
#include "corrector.hpp"

namespace pearlite {

Outcome solve_voxels(const Microstructures&, const SolveOptions&, const Solution&);

struct VoxelShape {
  int64_t batch = 0, n[3] = {0, 0, 0};
  bool tensor = false;  // the gradient is that in tensors
  double spacing[3] = {1, 1, 1};
  int threads = 1;
};

// out (batch, n0, n1, n2[, 3, 3]) = Σ_de G_de ∂A*_de/∂voxel, symmetric for tensors; float or double.
template <class T>
void pull_back_voxels(const VoxelShape&, const T* correctors /* (batch, 3, n0, n1, n2) */,
                      const double* cotangent /* (batch, 3, 3) */, T* out);

}  // namespace pearlite
