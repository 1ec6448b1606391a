// What is found out of voxels with tensors before they are solved: as `survey` of cells.cu.
#define DIM 3
#include "ranges.cuh"
#include "shared/symmetric.hpp"

using namespace pearlite;

constexpr int block_threads = 256;

// ranges (batch, 3) and flags (batch,) as there; diagonals (batch, 3, blocks): sums of the diagonal entries, of each
// block.
extern "C" __global__ void __launch_bounds__(block_threads)
    survey_tensors(Pixels pixels, Size batch, Word* ranges, unsigned int* flags, double* diagonals) {
  PEARLITE_SHARED(double, room);
  for (Size cell = blockIdx.y; cell < batch; cell += gridDim.y) {
    Range found;
    double sums[3] = {}, ratio = 1;
    for (Size k = Size(blockIdx.x) * blockDim.x + threadIdx.x; k < pixels.size(); k += Size(gridDim.x) * blockDim.x) {
      const int label = pixels.phases ? pixels.label(cell * pixels.size() + k) : 0;
      if (pixels.phases && (label < 0 || label >= pixels.phase_count)) {
        found.flags |= flag_defect;
        continue;
      }
      double t[9];
#pragma unroll
      for (int e = 0; e < 9; ++e) t[e] = pixels.entry(cell, k, e);
      if (defect_of_volume_tensor(t, pixels.type == of_float) != Defect::none) {
        found.flags |= flag_defect;
        continue;
      }
      const double largest = largest_entry(t);
      if (largest == 0) {
        found.widen(0, 0);
        continue;
      }
      const Symmetric3 own = Symmetric3::of(t, largest);
      const double low = own.smallest(), high = own.largest();
      found.widen(low * largest, high * largest);
      ratio = high > ratio * low ? high / low : ratio;
      sums[0] += t[0];
      sums[1] += t[4];
      sums[2] += t[8];
    }
    found.store(ranges + 3 * cell, flags + cell);
    for (int k = warp_threads / 2; k > 0; k /= 2) ratio = fmax(ratio, __shfl_xor_sync(whole_warp, ratio, k));
    if (threadIdx.x % warp_threads == 0) atomicMax(ranges + 3 * cell + 2, Word(__double_as_longlong(ratio)));
#pragma unroll
    for (int d = 0; d < 3; ++d) {
      const double total = block_sum(sums[d], room);
      if (threadIdx.x == 0) diagonals[(3 * cell + d) * gridDim.x + blockIdx.x] = total;
    }
  }
}
