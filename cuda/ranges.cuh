// The range of a cell's conductivities, found by many threads. DIM is 2 or 3.
#pragma once
#include "windings.cuh"

namespace pearlite {

// A cell is far if its percolation takes more turns than a word holds.
enum { flag_voids = 1, flag_conductors = 2, flag_defect = 4, flag_far = 8 };

// Positive numbers are ordered as their bit patterns are.
struct Range {
  Word low = ~Word(0), high = 0;
  unsigned int flags = 0;

  __device__ __forceinline__ void widen(double lowest, double highest) {
    if (lowest == 0) flags |= flag_voids;
    if (highest > 1.7976931348623157e308) flags |= flag_conductors;
    if (lowest == 0 || highest > 1.7976931348623157e308) return;
    const Word a = Word(__double_as_longlong(lowest)), b = Word(__double_as_longlong(highest));
    low = a < low ? a : low;
    high = b > high ? b : high;
  }
  // Adds what a warp has found to a cell's.
  __device__ __forceinline__ void store(Word* range, unsigned int* cell_flags) {
    for (int k = warp_threads / 2; k > 0; k /= 2) {
      const Word least = __shfl_xor_sync(whole_warp, low, k), most = __shfl_xor_sync(whole_warp, high, k);
      low = least < low ? least : low;
      high = most > high ? most : high;
      flags |= __shfl_xor_sync(whole_warp, flags, k);
    }
    if (threadIdx.x % warp_threads != 0) return;
    atomicMin(range, low);
    atomicMax(range + 1, high);
    if (flags) atomicOr(cell_flags, flags);
  }
};

}  // namespace pearlite
