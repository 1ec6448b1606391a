// Integers that are added up by key, in hash tables with open addressing: of a block in shared memory, or
// of all blocks in global memory. Sums of integers do not depend on who adds first.
#pragma once
#include "common.cuh"

namespace pearlite {

constexpr int tally_tries = 32;  // of a block's table, after which a number goes to global memory

// The place of a key in a table of `slots`, a power of two, where a key of zero marks a free one; it is
// taken if `key` is not there yet. -> -1 if as many places as may be tried are taken by others
__device__ static __forceinline__ Size place_of(unsigned long long* keys, Size slots, unsigned long long key, int tries,
                                                bool& fresh) {
  Size at = Size(key * 0x9E3779B97F4A7C15ull >> 24) & (slots - 1);
  fresh = false;
  for (int k = 0; k < tries; ++k, at = (at + 1) & (slots - 1)) {
    const unsigned long long old = atomicCAS(keys + at, 0ull, key);
    fresh = old == 0;
    if (fresh || old == key) return at;
  }
  return -1;
}

// A block's table: numbers (slots, width) by key.
struct Tally {
  unsigned long long* keys;  // (slots,)
  int* numbers;              // (slots, width)
  int slots, width;

  __device__ Tally(void* memory, int slot_count, int numbers_each)
      : keys(static_cast<unsigned long long*>(memory)), numbers(reinterpret_cast<int*>(keys + slot_count)),
        slots(slot_count), width(numbers_each) {}

  // Empties it; initial(v) is number v of a new key. All threads do, and meet.
  template <class Initial>
  __device__ __forceinline__ void clear(const Initial& initial) const {
    for (int s = threadIdx.x; s < slots; s += blockDim.x) {
      keys[s] = 0;
      for (int v = 0; v < width; ++v) numbers[s * width + v] = initial(v);
    }
    __syncthreads();
  }
  // The numbers of a key, or null where the table is crowded.
  __device__ __forceinline__ int* of(unsigned long long key) const {
    bool fresh;
    const Size at = place_of(keys, slots, key, tally_tries, fresh);
    return at < 0 ? nullptr : numbers + at * width;
  }
  // Calls use(key, numbers) for each key, when all threads are done adding.
  template <class Use>
  __device__ __forceinline__ void each(const Use& use) const {
    __syncthreads();
    for (int s = threadIdx.x; s < slots; s += blockDim.x)
      if (keys[s] != 0) use(keys[s], numbers + Size(s) * width);
  }
};

}  // namespace pearlite
