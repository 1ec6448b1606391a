// The gradient of effective tensors in voxels, from the correctors: see cpp/voxels/pull.hpp. REAL is float or
// double; voxels are tensors where TENSOR is 1.
#include "voxel_modes.cuh"
#include "voxel_tensors.cuh"

using namespace pearlite;

constexpr int block_threads = 256;

// Members of 8 bytes, as the launch packs them.
struct Shape {
  Size batch, n[3];
  double spacing[3];

  __device__ __forceinline__ Size size() const { return n[0] * n[1] * n[2]; }
};

// Of a scalar: Σ_de G_de Σ_m w_m m_d m_e, with G_de of symmetric ones.
__device__ static __forceinline__ REAL pulled_scalar(const REAL (*mode)[8], const REAL* g, const REAL* weight) {
  REAL sum = 0;
#pragma unroll
  for (int d = 0; d < 3; ++d)
#pragma unroll
    for (int e = 0; e <= d; ++e) {
      REAL product = 0;
#pragma unroll
      for (int m = 1; m < 8; ++m) product += weight[m] * mode[d][m] * mode[e][m];
      sum += g[entry_of(d, e)] * REAL(d == e ? 1 : 2) * product;
    }
  return sum;
}

// out (3, 3): of a tensor.
__device__ static __forceinline__ void pull_to_tensor(const REAL (*mode)[8], const REAL* g, const double* factor,
                                                      REAL* out) {
  const auto product = [&](int m, int n) {
    REAL sum = 0;
#pragma unroll
    for (int d = 0; d < 3; ++d)
      sum += mode[d][m] * (g[entry_of(d, 0)] * mode[0][n] + g[entry_of(d, 1)] * mode[1][n] +
                           g[entry_of(d, 2)] * mode[2][n]);
    return sum;
  };
  pull_tensor<REAL>(product, [&](int k, int l, REAL value) {
    out[3 * k + l] = out[3 * l + k] = REAL(factor[k] * factor[l]) * value;
  });
}

// out (batch, n0, n1, n2[, 3, 3]) = Σ_de G_de ∂A*_de/∂voxel, of correctors (batch, 3, n0, n1, n2) and cotangent
// (batch, 3, 3).
extern "C" __global__ void __launch_bounds__(block_threads)
    pull_back(const REAL* correctors, const double* cotangent, REAL* out, Shape s) {
  const int n[3] = {int(s.n[0]), int(s.n[1]), int(s.n[2])};
  const Size size = s.size(), all = s.batch * size, stride = Size(gridDim.x) * blockDim.x;
  double g[3], factor[3], largest = 0;
  REAL weight[8], shrink[3];
#pragma unroll
  for (int d = 0; d < 3; ++d) largest = s.spacing[d] > largest ? s.spacing[d] : largest;
#pragma unroll
  for (int d = 0; d < 3; ++d) {
    g[d] = largest * largest / (s.spacing[d] * s.spacing[d]);
    shrink[d] = REAL(1 / s.spacing[d]);
    factor[d] = .25 * largest / s.spacing[d];
  }
  mode_weights(g, weight);
  const double unit = 1 / (largest * largest * double(size));
  for (Size k = Size(blockIdx.x) * blockDim.x + threadIdx.x; k < all; k += stride) {
    Size at;
    const Size cell = divided(k, size, at);
    const Place p = place_of(int(at), n);
    REAL mode[3][8], weights[tensor_entries];
#pragma unroll
    for (int d = 0; d < 3; ++d) {
      modes_of(n, p, correctors + (3 * cell + d) * size, shrink[d], mode[d]);
      mode[d][4 >> d] += 4;  // of the coordinate itself
    }
#pragma unroll
    for (int d = 0; d < 3; ++d)
#pragma unroll
      for (int e = 0; e <= d; ++e) {
        const double* own = cotangent + 9 * cell;
        const double both = .5 * (own[3 * d + e] + own[3 * e + d]) * unit;
        weights[entry_of(d, e)] = REAL(both * s.spacing[d] * s.spacing[e]);
      }
    if constexpr (tensors) pull_to_tensor(mode, weights, factor, out + 9 * k);
    else out[k] = pulled_scalar(mode, weights, weight);
  }
}
