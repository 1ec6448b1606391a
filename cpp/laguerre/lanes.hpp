// What the kernels of this folder need of vectors beyond their arithmetic: comparisons, roots.
#pragma once
#include "shared/simd.hpp"

#if defined(__SSE2__)
#include <immintrin.h>
#endif

namespace pearlite {
namespace PEARLITE_ISA {

// Bit i is set where a < b in lane i. T is float, double or uint32_t.
template <class T, int N>
PEARLITE_INLINE uint32_t bits_below(const Vec<T, N>& a, const Vec<T, N>& b) {
  using V = Vec<T, N>;
  uint32_t bits = 0;
  for (int i = 0; i < V::registers; ++i) {
    uint32_t part = 0;
#if defined(__AVX512F__)
    if constexpr (V::bytes == 64 && T(0) - T(1) > T(0))
      part = _mm512_cmplt_epu32_mask((__m512i)a.r[i], (__m512i)b.r[i]);
    else if constexpr (V::bytes == 64 && sizeof(T) == 8)
      part = _mm512_cmp_pd_mask((__m512d)a.r[i], (__m512d)b.r[i], _CMP_LT_OQ);
    else if constexpr (V::bytes == 64)
      part = _mm512_cmp_ps_mask((__m512)a.r[i], (__m512)b.r[i], _CMP_LT_OQ);
    else
#elif defined(__AVX__)
    if constexpr (V::bytes == 32 && sizeof(T) == 8)
      part = uint32_t(_mm256_movemask_pd((__m256d)(a.r[i] < b.r[i])));
    else if constexpr (V::bytes == 32)
      part = uint32_t(_mm256_movemask_ps((__m256)(a.r[i] < b.r[i])));
    else
#elif defined(__SSE2__)
    if constexpr (V::bytes == 16 && sizeof(T) == 8)
      part = uint32_t(_mm_movemask_pd((__m128d)(a.r[i] < b.r[i])));
    else if constexpr (V::bytes == 16)
      part = uint32_t(_mm_movemask_ps((__m128)(a.r[i] < b.r[i])));
    else
#endif
      for (int k = 0; k < V::per_register; ++k) part |= uint32_t(a.r[i][k] < b.r[i][k]) << k;
    bits |= part << (i * V::per_register);
  }
  return bits;
}

// x where a < b, else y.
template <class T, int N>
PEARLITE_INLINE Vec<T, N> where_below(const Vec<T, N>& a, const Vec<T, N>& b, const Vec<T, N>& x, const Vec<T, N>& y) {
  Vec<T, N> c;
  for (int i = 0; i < Vec<T, N>::registers; ++i) c.r[i] = a.r[i] < b.r[i] ? x.r[i] : y.r[i];
  return c;
}

PEARLITE_INLINE Vec<double, 8> abs(const Vec<double, 8>& a) {
  using V = Vec<double, 8>;
  typedef int64_t Bits __attribute__((vector_size(V::bytes)));
  V c;
  for (int i = 0; i < V::registers; ++i) c.r[i] = (V::Register)((Bits)a.r[i] & INT64_MAX);
  return c;
}

template <class T, int N>
PEARLITE_INLINE Vec<T, N> sqrt(const Vec<T, N>& a) {
  Vec<T, N> c;
  for (int i = 0; i < Vec<T, N>::registers; ++i) {
    constexpr bool wide = sizeof(T) == 8;
    using R [[maybe_unused]] = typename Vec<T, N>::Register;
#if defined(__AVX512F__)
    if constexpr (Vec<T, N>::bytes == 64) {
      if constexpr (wide) c.r[i] = (R)_mm512_maskz_sqrt_pd(0xff, (__m512d)a.r[i]);
      else c.r[i] = (R)_mm512_maskz_sqrt_ps(0xffff, (__m512)a.r[i]);
      continue;
    }
#elif defined(__AVX__)
    if constexpr (Vec<T, N>::bytes == 32) {
      if constexpr (wide) c.r[i] = (R)_mm256_sqrt_pd((__m256d)a.r[i]);
      else c.r[i] = (R)_mm256_sqrt_ps((__m256)a.r[i]);
      continue;
    }
#endif
    for (int k = 0; k < Vec<T, N>::per_register; ++k)
      if constexpr (wide) c.r[i][k] = __builtin_sqrt(a.r[i][k]);
      else c.r[i][k] = __builtin_sqrtf(a.r[i][k]);
  }
  return c;
}

// A lane of the least entry.
PEARLITE_INLINE int least_lane(const Vec<double, 8>& a) {
#if defined(__AVX512F__)
  __m512d low = _mm512_min_pd((__m512d)a.r[0], (__m512d)__builtin_shufflevector(a.r[0], a.r[0], 4, 5, 6, 7, 0, 1, 2, 3));
  low = _mm512_min_pd(low, (__m512d)__builtin_shufflevector(low, low, 2, 3, 0, 1, 6, 7, 4, 5));
  low = _mm512_min_pd(low, (__m512d)__builtin_shufflevector(low, low, 1, 0, 3, 2, 5, 4, 7, 6));
  return __builtin_ctz(_mm512_cmp_pd_mask((__m512d)a.r[0], low, _CMP_LE_OQ) | 0x100) & 7;
#else
  alignas(64) double entries[8];
  a.store(entries);
  int lane = 0;
  for (int k = 1; k < 8; ++k) lane = entries[k] < entries[lane] ? k : lane;
  return lane;
#endif
}

// Writes the lanes whose bits are set, side by side; may write 8 entries whatever they are.
PEARLITE_INLINE void compress(const Vec<double, 8>& a, uint32_t bits, double* to) {
#if defined(__AVX512F__)
  // (compressed in a register: on some processors storing so is many times slower)
  _mm512_storeu_pd(to, _mm512_maskz_compress_pd(__mmask8(bits), (__m512d)a.r[0]));
#else
  alignas(64) double entries[8];
  a.store(entries);
  for (; bits; bits &= bits - 1) *to++ = entries[__builtin_ctz(bits)];
#endif
}
PEARLITE_INLINE void compress(const int32_t* a, uint32_t bits, int32_t* to) {
#if defined(__AVX512VL__)
  const __m256i entries = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(a));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), _mm256_maskz_compress_epi32(__mmask8(bits), entries));
#else
  for (; bits; bits &= bits - 1) *to++ = a[__builtin_ctz(bits)];
#endif
}

}  // namespace PEARLITE_ISA
}  // namespace pearlite
