// Powers of two and inverse roots of vectors; rows of pixels in and out of them.
#pragma once
#include <cstdint>

#include "laguerre/lanes.hpp"

namespace pearlite {
namespace PEARLITE_ISA {

template <class T>
struct Powers;

// 2^f on [-1/2, 1/2]: the polynomial of smallest relative error, 1.9e-9, by Remez's algorithm.
template <>
struct Powers<float> {
  using Bits = int32_t;
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

template <class T>
PEARLITE_INLINE Vec<T, 8> rounded_to(const Vec<double, 8>& x) {
  if constexpr (sizeof(T) == 8) {
    return x;
  } else {
    typedef double Wide __attribute__((vector_size(64)));
    typedef float Narrow __attribute__((vector_size(32)));
    Wide wide;
    __builtin_memcpy(&wide, &x, sizeof wide);
    const Narrow narrow = __builtin_convertvector(wide, Narrow);
    Vec<T, 8> y;
    __builtin_memcpy(&y, &narrow, sizeof y);
    return y;
  }
}

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

// 2^x for |x| <= 1000 as accurate as T needs it.
template <class T>
PEARLITE_INLINE Vec<T, 8> exp2_as(const Vec<double, 8>& x) {
  using P = Powers<T>;
  using V = Vec<double, 8>;
  typedef int64_t Bits __attribute__((vector_size(V::bytes)));
  V y;
  for (int i = 0; i < V::registers; ++i) {
    const V::Register rounded = x.r[i] + Powers<double>::shift;
    const V::Register f = x.r[i] - (rounded - Powers<double>::shift);
    V::Register p = V::Register{} + double(P::coefficient[P::degree]);
    for (int k = P::degree - 1; k >= 0; --k) p = p * f + double(P::coefficient[k]);
    y.r[i] = (V::Register)((Bits)p + ((Bits)rounded << Powers<double>::mantissa));
  }
  return rounded_to<T>(y);
}

// 1 / √a of a normal a > 0, to two units in the last place, or without steps to 14 bits.
template <int steps = 1, class T, int N>
PEARLITE_INLINE Vec<T, N> inverse_root(const Vec<T, N>& a) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4 && Vec<T, N>::bytes == 64) {
    Vec<T, N> y;
    for (int i = 0; i < Vec<T, N>::registers; ++i) {
      y.r[i] = (typename Vec<T, N>::Register)_mm512_maskz_rsqrt14_ps(0xffff, (__m512)a.r[i]);
      // Newton's step
      if constexpr (steps > 0) y.r[i] = y.r[i] * (1.5f - 0.5f * a.r[i] * y.r[i] * y.r[i]);
    }
    return y;
  }
#endif
  return T(1) / sqrt(a);
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
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4 && N == 16) return double(_mm512_reduce_add_ps((__m512)v.r[0]));
#endif
  alignas(64) T lane[N];
  v.store(lane);
  for (int width = N / 2; width > 0; width /= 2)
    for (int i = 0; i < width; ++i) lane[i] += lane[i + width];
  return double(lane[0]);
}

}  // namespace PEARLITE_ISA
}  // namespace pearlite
