// The gradient of effective tensors in voxels, from the correctors: see cpp/voxels/pull.hpp. REAL is float or
// double.
#include "voxel_modes.cuh"

using namespace pearlite;

constexpr int block_threads = 256;

// Members of 8 bytes, as the launch packs them.
struct Shape {
  Size batch, n[3];
  double spacing[3];

  __device__ __forceinline__ Size size() const { return n[0] * n[1] * n[2]; }
};

// out (batch, n0, n1, n2) = Σ_de G_de ∂A*_de/∂voxel, of correctors (batch, 3, n0, n1, n2) and cotangent
// (batch, 3, 3).
extern "C" __global__ void __launch_bounds__(block_threads)
    pull_back(const REAL* correctors, const double* cotangent, REAL* out, Shape s) {
  const int n[3] = {int(s.n[0]), int(s.n[1]), int(s.n[2])};
  const Size size = s.size(), all = s.batch * size, stride = Size(gridDim.x) * blockDim.x;
  double g[3], largest = 0;
  REAL weight[8], shrink[3];
#pragma unroll
  for (int d = 0; d < 3; ++d) largest = s.spacing[d] > largest ? s.spacing[d] : largest;
#pragma unroll
  for (int d = 0; d < 3; ++d) {
    g[d] = largest * largest / (s.spacing[d] * s.spacing[d]);
    shrink[d] = REAL(1 / s.spacing[d]);
  }
  mode_weights(g, weight);
  const double unit = 1 / (largest * largest * double(size));
  for (Size k = Size(blockIdx.x) * blockDim.x + threadIdx.x; k < all; k += stride) {
    Size at;
    const Size cell = divided(k, size, at);
    const Place p = place_of(int(at), n);
    REAL mode[3][8], sum = 0;
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
        const double both = (d == e ? .5 : 1) * (own[3 * d + e] + own[3 * e + d]) * unit;
        REAL product = 0;
#pragma unroll
        for (int m = 1; m < 8; ++m) product += weight[m] * mode[d][m] * mode[e][m];
        sum += REAL(both * s.spacing[d] * s.spacing[e]) * product;
      }
    out[k] = sum;
  }
}
