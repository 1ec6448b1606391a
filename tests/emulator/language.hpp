// The CUDA language for a C++ compiler: included before a kernel's source, which stays as it is.
//
// What is here is what pearlite's kernels use; anything else fails to compile. Static shared memory is
// left out on purpose: only dynamic shared memory can be poisoned, and cut off where the launch ends it.
#pragma once
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "machine.hpp"

#define __CUDACC__ 1
#define PEARLITE_EMULATED 1
#define __global__
#define __device__
#define __host__
#define __constant__ const
#define __forceinline__ inline
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(...)
#define __align__(n) alignas(n)
#define PEARLITE_SHARED(T, name) T* const name = reinterpret_cast<T*>(emulator::shared_memory())

using emulator::dim3;
#define threadIdx (emulator::thread().index)
#define blockIdx (emulator::thread().block_index)
#define blockDim (emulator::thread().block_size)
#define gridDim (emulator::thread().grid_size)
constexpr int warpSize = 32;

// Barriers and what a warp does together carry their line, which all threads have to agree on.
#define __syncthreads() emulator::barrier(__LINE__)
#define __syncthreads_or(p) emulator::barrier_or(__LINE__, (p) != 0)
#define __syncwarp(...) emulator::sync_warp(__LINE__, emulator::mask_of(__VA_ARGS__))
#define __shfl_sync(mask, value, from) emulator::shuffle(__LINE__, mask, value, (from) & 31)
#define __shfl_xor_sync(mask, value, bits) \
  emulator::shuffle(__LINE__, mask, value, emulator::lane() ^ int(bits))
#define __shfl_down_sync(mask, value, by) \
  emulator::shuffle(__LINE__, mask, value, emulator::below_32(emulator::lane() + int(by)))
#define __shfl_up_sync(mask, value, by) \
  emulator::shuffle(__LINE__, mask, value, emulator::not_negative(emulator::lane() - int(by)))
#define __ballot_sync(mask, p) emulator::ballot(__LINE__, mask, (p) != 0)
#define __any_sync(mask, p) (emulator::ballot(__LINE__, mask, (p) != 0) != 0)
#define __all_sync(mask, p) (emulator::ballot(__LINE__, mask, (p) != 0) == (mask))

static inline void __threadfence() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
static inline void __threadfence_block() { __threadfence(); }

// Atomic, and no more: what else they order on a card is nothing, so that a race shows.
template <class T>
static inline T atomicAdd(T* at, T value) {
  if constexpr (T(0.5) == T(0)) return __atomic_fetch_add(at, value, __ATOMIC_RELAXED);
  else {
    T old, sum;
    __atomic_load(at, &old, __ATOMIC_RELAXED);
    do sum = old + value;
    while (!__atomic_compare_exchange(at, &old, &sum, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    return old;
  }
}
template <class T>
static inline T atomicOr(T* at, T value) { return __atomic_fetch_or(at, value, __ATOMIC_RELAXED); }
template <class T>
static inline T atomicExch(T* at, T value) { return __atomic_exchange_n(at, value, __ATOMIC_RELAXED); }
template <class T>
static inline T atomicCAS(T* at, T expected, T value) {
  __atomic_compare_exchange_n(at, &expected, value, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
  return expected;
}
template <class T>
static inline T atomicMax(T* at, T value) {
  T old = __atomic_load_n(at, __ATOMIC_RELAXED);
  while (old < value && !__atomic_compare_exchange_n(at, &old, value, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {}
  return old;
}
template <class T>
static inline T atomicMin(T* at, T value) {
  T old = __atomic_load_n(at, __ATOMIC_RELAXED);
  while (value < old && !__atomic_compare_exchange_n(at, &old, value, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {}
  return old;
}

template <class T>
static inline T __ldg(const T* at) { return *at; }

static inline int __popc(unsigned int a) { return __builtin_popcount(a); }
static inline int __ffs(int a) { return __builtin_ffs(a); }
static inline int __clz(int a) { return a == 0 ? 32 : __builtin_clz((unsigned int)a); }
static inline unsigned int __umulhi(unsigned int a, unsigned int b) { return (unsigned int)((uint64_t)a * b >> 32); }

static inline int __clzll(long long a) { return a == 0 ? 64 : __builtin_clzll((unsigned long long)a); }
static inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
  __extension__ typedef unsigned __int128 Product;
  return (unsigned long long)((Product)a * b >> 64);
}

template <class To, class From>
static inline To emulated_bits(From from) {
  static_assert(sizeof(To) == sizeof(From), "");
  To to;
  memcpy(&to, &from, sizeof to);
  return to;
}
static inline int __float_as_int(float a) { return emulated_bits<int>(a); }
static inline unsigned int __float_as_uint(float a) { return emulated_bits<unsigned int>(a); }
static inline float __int_as_float(int a) { return emulated_bits<float>(a); }
static inline float __uint_as_float(unsigned int a) { return emulated_bits<float>(a); }
static inline long long __double_as_longlong(double a) { return emulated_bits<long long>(a); }
static inline double __longlong_as_double(long long a) { return emulated_bits<double>(a); }

// Rounded as named, whatever the compiler may contract elsewhere.
static inline float __fmaf_rn(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
static inline double __fma_rn(double a, double b, double c) { return __builtin_fma(a, b, c); }
static inline float __fsqrt_rn(float a) { return __builtin_sqrtf(a); }
static inline double __dsqrt_rn(double a) { return __builtin_sqrt(a); }
static inline float __fmul_rn(float a, float b) { return a * b; }
static inline double __dmul_rn(double a, double b) { return a * b; }
static inline float __fadd_rn(float a, float b) { return a + b; }
static inline double __dadd_rn(double a, double b) { return a + b; }
static inline float __fdiv_rn(float a, float b) { return a / b; }
static inline double __ddiv_rn(double a, double b) { return a / b; }
static inline float rsqrtf(float a) { return 1 / __builtin_sqrtf(a); }
static inline double rsqrt(double a) { return 1 / __builtin_sqrt(a); }
static inline void sincospif(float a, float* s, float* c) {
  *s = float(__builtin_sin(3.14159265358979323846 * double(a)));
  *c = float(__builtin_cos(3.14159265358979323846 * double(a)));
}
