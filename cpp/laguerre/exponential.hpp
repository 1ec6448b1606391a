// Powers of two of vectors, and the comparisons that go with them.
#pragma once
#include <cstdint>

#include "shared/simd.hpp"

namespace pearlite {
namespace PEARLITE_ISA {

template <class T>
struct Powers;

// 2^f on [-1/2, 1/2]: the polynomial of smallest relative error, 1.9e-9, by Remez's algorithm.
template <>
struct Powers<float> {
  using Bits = int32_t;
  using Word = int64_t;
  static constexpr int mantissa = 23;
  static constexpr float shift = 12582912.0f;  // 1.5 · 2^23: adding it rounds to an integer
  static constexpr int degree = 6;
  static constexpr float coefficient[degree + 1] = {1.0f,           0.693147206f,   0.240226469f,  0.0555032878f,
                                                    0.00961848894f, 0.00133999312f, 0.000153458172f};
};

// The same, of relative error 3.1e-18.
template <>
struct Powers<double> {
  using Bits = int64_t;
  using Word = int64_t;
  static constexpr int mantissa = 52;
  static constexpr double shift = 6755399441055744.0;  // 1.5 · 2^52
  static constexpr int degree = 11;
  static constexpr double coefficient[degree + 1] = {
      1.0,
      0.69314718055994533,
      0.240226506959101562,
      0.0555041086648199216,
      0.00961812910758833534,
      0.0013333558146789925,
      0.000154035304625143175,
      0.0000152527334899844576,
      1.3215433089731072e-6,
      1.01781980236048852e-7,
      7.07410560482893094e-9,
      4.43528239851589376e-10};
};

// 2^x for -126 <= x <= 127 (double: ±1000), to about one unit in the last place; 2^0 is 1.
template <class T, int N>
PEARLITE_INLINE Vec<T, N> exp2(const Vec<T, N>& x) {
  using P = Powers<T>;
  using V = Vec<T, N>;
  using Register = typename V::Register;
  typedef typename P::Bits Bits __attribute__((vector_size(V::bytes)));
  V y;
  for (int i = 0; i < V::registers; ++i) {
    const Register rounded = x.r[i] + P::shift;
    const Register f = x.r[i] - (rounded - P::shift);
    Register p = Register{} + P::coefficient[P::degree];
    for (int k = P::degree - 1; k >= 0; --k) p = p * f + P::coefficient[k];
    y.r[i] = (Register)((Bits)p + ((Bits)rounded << P::mantissa));  // the integer goes to the exponent
  }
  return y;
}

template <class T, int N>
PEARLITE_INLINE Vec<T, N> square_root(const Vec<T, N>& a) {
  Vec<T, N> c;
  for (int i = 0; i < Vec<T, N>::registers; ++i) {
#if defined(__AVX512F__)
    if constexpr (sizeof(T) == 4 && Vec<T, N>::bytes == 64) {
      c.r[i] = (typename Vec<T, N>::Register)_mm512_maskz_sqrt_ps(0xffff, (__m512)a.r[i]);
      continue;
    } else if constexpr (sizeof(T) == 8 && Vec<T, N>::bytes == 64) {
      c.r[i] = (typename Vec<T, N>::Register)_mm512_maskz_sqrt_pd(0xff, (__m512d)a.r[i]);
      continue;
    }
#endif
    for (int k = 0; k < Vec<T, N>::per_register; ++k)
      c.r[i][k] = sizeof(T) == 4 ? T(__builtin_sqrtf(float(a.r[i][k]))) : T(__builtin_sqrt(double(a.r[i][k])));
  }
  return c;
}

// Whether a lane of a lies above the threshold.
template <class T, int N>
PEARLITE_INLINE bool any_above(const Vec<T, N>& a, const Vec<T, N>& threshold) {
  using V = Vec<T, N>;
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4 && V::registers == 1)
    return _mm512_cmp_ps_mask((__m512)a.r[0], (__m512)threshold.r[0], _CMP_GT_OQ) != 0;
  else if constexpr (sizeof(T) == 8 && V::registers == 1)
    return _mm512_cmp_pd_mask((__m512d)a.r[0], (__m512d)threshold.r[0], _CMP_GT_OQ) != 0;
#endif
  typedef typename Powers<T>::Bits Bits __attribute__((vector_size(V::bytes)));
  typedef typename Powers<T>::Word Words __attribute__((vector_size(V::bytes)));
  Bits found = a.r[0] > threshold.r[0];
  for (int i = 1; i < V::registers; ++i) found |= a.r[i] > threshold.r[i];
  const Words words = (Words)found;
  int64_t any = 0;
  for (int i = 0; i < V::bytes / 8; ++i) any |= words[i];
  return any != 0;
}

// Rows of pixels begin anywhere: without alignment, and only the first `count` lanes.
template <class T, int N>
PEARLITE_INLINE Vec<T, N> load_pixels(const T* p, int64_t count) {
  Vec<T, N> v;
  if (count >= N) {
    __builtin_memcpy(&v, p, sizeof v);
  } else {
    alignas(64) T padded[N] = {};
    for (int64_t i = 0; i < count; ++i) padded[i] = p[i];
    v = Vec<T, N>::load(padded);
  }
  return v;
}

template <class T, int N>
PEARLITE_INLINE void store_pixels(const Vec<T, N>& v, T* p, int64_t count) {
  if (count >= N) {
    __builtin_memcpy(p, &v, sizeof v);
  } else {
    alignas(64) T padded[N];
    v.store(padded);
    for (int64_t i = 0; i < count; ++i) p[i] = padded[i];
  }
}

template <class T, int N>
PEARLITE_INLINE double sum(const Vec<T, N>& v) {
  alignas(64) T lane[N];
  v.store(lane);
  for (int width = N / 2; width > 0; width /= 2)
    for (int i = 0; i < width; ++i) lane[i] += lane[i + width];
  return double(lane[0]);
}

}  // namespace PEARLITE_ISA
}  // namespace pearlite
