// Derivatives of effective tensors, from the correctors: see cpp/corrector/sensitivity.hpp. REAL is float or
// double.
#include "common.cuh"
#include "shared/slopes.hpp"

using namespace pearlite;

constexpr int block_threads = 256;

// Members of 8 bytes, as the launch packs them.
struct Shape {
  Size batch, n0, n1;
  Size tensor;  // pixels are (batch, n0, n1, 2, 2), else (batch, n0, n1)
  double spacing[2];

  __device__ __forceinline__ Size size() const { return n0 * n1; }
};

// The slopes on pixel (i, j) of a field (n0, n1); of a corrector with the unit gradient of its load.
__device__ static __forceinline__ Slope<REAL> slope_at(const Shape& s, const PixelScales<REAL>& scales,
                                                       const REAL* field, Size i, Size j, REAL e0, REAL e1) {
  const REAL* south = field + i * s.n1;
  const REAL* north = field + (i + 1 == s.n0 ? 0 : i + 1) * s.n1;
  const Size east = j + 1 == s.n1 ? 0 : j + 1;
  return slope_of(scales, south[j], south[east], north[j], north[east], e0, e1);
}

// out (pixels) = Σ_ij G_ij ∂A*_ij/∂pixel, of correctors (batch, 2, n0, n1) and cotangent (batch, 2, 2); or, if
// change (batch, 2, n0, n1) is not null, the derivative of that along a change of the correctors.
template <bool TENSOR>
__device__ static __forceinline__ void pull(const REAL* correctors, const REAL* change, const double* cotangent,
                                            REAL* out, const Shape& s) {
  const PixelScales<REAL> scales = pixel_scales<REAL>(s.spacing);
  const Size all = s.batch * s.size(), stride = Size(gridDim.x) * blockDim.x;
  constexpr int width = TENSOR ? 4 : 1;
  for (Size k = Size(blockIdx.x) * blockDim.x + threadIdx.x; k < all; k += stride) {
    Size at, j;
    const Size cell = divided(k, s.size(), at), i = divided(at, s.n1, j);
    REAL g[4], sum[width] = {};
#pragma unroll
    for (int e = 0; e < 4; ++e) g[e] = REAL(cotangent[4 * cell + e] / double(s.size()));
    const REAL* chi = correctors + 2 * cell * s.size();
    const Slope<REAL> p0 = slope_at(s, scales, chi, i, j, REAL(1), REAL(0)),
                      p1 = slope_at(s, scales, chi + s.size(), i, j, REAL(0), REAL(1));
    if (!change) {
      contract_slopes<TENSOR>(scales, g, p0, p1, p0, p1, sum);
    } else {
      const REAL* w = change + 2 * cell * s.size();
      const Slope<REAL> q0 = slope_at(s, scales, w, i, j, REAL(0), REAL(0)),
                        q1 = slope_at(s, scales, w + s.size(), i, j, REAL(0), REAL(0));
      contract_slopes<TENSOR>(scales, g, p0, p1, q0, q1, sum);
      contract_slopes<TENSOR>(scales, g, q0, q1, p0, p1, sum);
    }
#pragma unroll
    for (int e = 0; e < width; ++e) out[k * width + e] = sum[e];
  }
}

extern "C" __global__ void __launch_bounds__(block_threads)
    pull_back(const REAL* correctors, const REAL* change, const double* cotangent, REAL* out, Shape s) {
  if (s.tensor) pull<true>(correctors, change, cotangent, out, s);
  else pull<false>(correctors, change, cotangent, out, s);
}

// Sums of four numbers over the block, for its first thread. Deterministic.
__device__ static __forceinline__ void block_sum(double (&value)[4], double* room) {
  const int lane = threadIdx.x % warp_threads, warp = threadIdx.x / warp_threads;
#pragma unroll
  for (int e = 0; e < 4; ++e) {
#pragma unroll
    for (int k = warp_threads / 2; k > 0; k /= 2) value[e] += __shfl_xor_sync(whole_warp, value[e], k);
    if (lane == 0) room[4 * warp + e] = value[e];
  }
  __syncthreads();
#pragma unroll
  for (int e = 0; e < 4; ++e)
    for (int w = 1; threadIdx.x == 0 && w < int(blockDim.x) / warp_threads; ++w) value[e] += room[4 * w + e];
  __syncthreads();
}

// The four pixels' directions: `direction` (pixels).
__device__ static __forceinline__ Flux<REAL> flux_at(const Shape& s, const REAL* direction, Size cell, Size at,
                                                     const Slope<REAL>& slope) {
  const REAL* v = direction + (cell * s.size() + at) * (s.tensor ? 4 : 1);
  return flux_of(v, s.tensor != 0, slope);
}

// out (batch, slices, 4): Σ ∂A*/∂pixel : direction over the pixels of a slice. A block for each slice of a cell.
extern "C" __global__ void __launch_bounds__(block_threads)
    push_forward(const REAL* correctors, const REAL* direction, double* out, Shape s) {
  PEARLITE_SHARED(double, room);
  const PixelScales<REAL> scales = pixel_scales<REAL>(s.spacing);
  const Size stride = Size(gridDim.x) * blockDim.x;
  for (Size cell = blockIdx.y; cell < s.batch; cell += gridDim.y) {
    const REAL* chi = correctors + 2 * cell * s.size();
    double sum[4] = {};
    for (Size at = Size(blockIdx.x) * blockDim.x + threadIdx.x; at < s.size(); at += stride) {
      Size j;
      const Size i = divided(at, s.n1, j);
      const Slope<REAL> p0 = slope_at(s, scales, chi, i, j, REAL(1), REAL(0)),
                        p1 = slope_at(s, scales, chi + s.size(), i, j, REAL(0), REAL(1));
      const Flux<REAL> f0 = flux_at(s, direction, cell, at, p0), f1 = flux_at(s, direction, cell, at, p1);
      sum[0] += double(energy_of(scales, p0, f0));
      sum[1] += double(energy_of(scales, p0, f1));
      sum[2] += double(energy_of(scales, p1, f0));
      sum[3] += double(energy_of(scales, p1, f1));
    }
    block_sum(sum, room);
    if (threadIdx.x == 0)
      for (int e = 0; e < 4; ++e) out[4 * (cell * gridDim.x + blockIdx.x) + e] = sum[e] / double(s.size());
  }
}

// out (batch, 2, n0, n1): the loads −Σ ∫ ∇φ·V S_j in pixel coordinates, gathered from the pixels around a node.
extern "C" __global__ void __launch_bounds__(block_threads)
    direction_loads(const REAL* correctors, const REAL* direction, REAL* out, Shape s) {
  const PixelScales<REAL> scales = pixel_scales<REAL>(s.spacing);
  const Size all = 2 * s.batch * s.size(), stride = Size(gridDim.x) * blockDim.x;
  for (Size k = Size(blockIdx.x) * blockDim.x + threadIdx.x; k < all; k += stride) {
    Size at, j, load;
    const Size field = divided(k, s.size(), at), i = divided(at, s.n1, j), cell = divided(field, 2, load);
    const REAL* chi = correctors + field * s.size();
    REAL sum = 0;
#pragma unroll
    for (int corner = 0; corner < 4; ++corner) {  // of a pixel, which this node is
      const Size x = (corner & 2) == 0 ? i : i == 0 ? s.n0 - 1 : i - 1;
      const Size y = (corner & 1) == 0 ? j : j == 0 ? s.n1 - 1 : j - 1;
      const Slope<REAL> slope = slope_at(s, scales, chi, x, y, REAL(load == 0), REAL(load == 1));
      REAL loads[4];
      corner_loads(scales, flux_at(s, direction, cell, x * s.n1 + y, slope), loads);
      sum += loads[corner];
    }
    out[k] = sum;
  }
}

// sums (batch, slices, phases, width) of a gradient in the pixels (batch, n0, n1, width) over those of each label
// in a slice: of the first `count` entries, four at most. A block for each label and slice of a cell.
extern "C" __global__ void __launch_bounds__(block_threads)
    phase_sums(const REAL* gradient, const void* labels, int bytes, Size phases, double* sums, Shape s, int width,
               int count) {
  PEARLITE_SHARED(double, room);
  const unsigned int labelled = (unsigned int)phases, phase = blockIdx.x % labelled;
  const Size slices = gridDim.x / labelled, slice = blockIdx.x / labelled;
  for (Size cell = blockIdx.y; cell < s.batch; cell += gridDim.y) {
    double sum[4] = {};
    for (Size k = slice * blockDim.x + threadIdx.x; k < s.size(); k += slices * blockDim.x) {
      const Size at = cell * s.size() + k;
      const int label = bytes == 1   ? static_cast<const unsigned char*>(labels)[at]
                        : bytes == 2 ? static_cast<const unsigned short*>(labels)[at]
                                     : static_cast<const int*>(labels)[at];
      if (label != int(phase)) continue;
#pragma unroll
      for (int e = 0; e < 4; ++e)
        if (e < count) sum[e] += double(gradient[at * width + e]);
    }
    block_sum(sum, room);
    if (threadIdx.x == 0)
#pragma unroll
      for (int e = 0; e < 4; ++e)
        if (e < count) sums[((cell * slices + slice) * phases + phase) * width + e] = sum[e];
  }
}
