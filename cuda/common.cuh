// What the kernels of all families share. They are compiled by NVRTC, which has no standard library.
#pragma once

#if !defined(PEARLITE_SHARED)
// Dynamic shared memory of a block. It is the only kind used here: its size is the launch's to state.
#define PEARLITE_SHARED(T, name)                                   \
  extern __shared__ __align__(16) unsigned char pearlite_shared[]; \
  T* const name = reinterpret_cast<T*>(pearlite_shared)
#endif

namespace pearlite {

typedef long long Size;  // sizes, strides and offsets, in elements

constexpr int warp_threads = 32;
constexpr unsigned int whole_warp = 0xffffffffu;

// n / d and what is left, of 0 <= n: in 32 bits where they do, since a card has no division of 64.
__device__ static __forceinline__ Size divided(Size n, Size d, Size& rest) {
  if (((n | d) >> 32) == 0) {
    const unsigned int q = (unsigned int)n / (unsigned int)d;
    rest = Size((unsigned int)n - q * (unsigned int)d);
    return Size(q);
  }
  const Size q = n / d;
  rest = n - q * d;
  return q;
}

// Neighbours of index i around a torus.
__device__ static __forceinline__ int after(int i, int n) { return i + 1 == n ? 0 : i + 1; }
__device__ static __forceinline__ int before(int i, int n) { return i == 0 ? n - 1 : i - 1; }

template <class T>
__device__ static __forceinline__ T power_of_two(T x) {
  if constexpr (sizeof(T) == 4) return exp2f(x);
  else return exp2(x);
}
template <class T>
__device__ static __forceinline__ T root(T x) {
  if constexpr (sizeof(T) == 4) return sqrtf(x);
  else return sqrt(x);
}

// Σ over all threads of a block, whole warps; parts (warps,): shared memory that nobody is using. Every
// thread gets it, rounded in one order.
__device__ static __forceinline__ double block_sum(double x, double* parts) {
  for (int k = warp_threads / 2; k > 0; k /= 2) x += __shfl_xor_sync(whole_warp, x, k);
  if (threadIdx.x % warp_threads == 0) parts[threadIdx.x / warp_threads] = x;
  __syncthreads();
  double total = 0;
  for (int w = 0; w < int(blockDim.x) / warp_threads; ++w) total += parts[w];
  __syncthreads();
  return total;
}

}  // namespace pearlite
