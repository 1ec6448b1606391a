// What the transform of `normal.hpp` needs, on registers of the instruction set that a kernel file is
// compiled for, and on several of them at once.
#pragma once
#include <cstddef>
#include <cstdint>

#include "shared/normal.hpp"
#include "shared/simd.hpp"

namespace pearlite {
namespace PEARLITE_ISA {

typedef float NormalFloats __attribute__((vector_size(PEARLITE_REGISTER_BYTES)));
typedef int32_t NormalInts __attribute__((vector_size(PEARLITE_REGISTER_BYTES)));
typedef double NormalDoubles __attribute__((vector_size(PEARLITE_REGISTER_BYTES)));
typedef uint64_t NormalWords __attribute__((vector_size(PEARLITE_REGISTER_BYTES)));

// Several registers that the same is done to. Alternating between them hides what an operation takes
// until its result is there, which for one alone would be most of the time.
template <class R, int n>
struct NormalWays {
  R r[n];
};
#define PEARLITE_EACH_WAY(op)                                                                        \
  template <class R, int n>                                                                          \
  PEARLITE_INLINE NormalWays<R, n> operator op(const NormalWays<R, n>& a, const NormalWays<R, n>& b) { \
    NormalWays<R, n> c;                                                                              \
    for (int i = 0; i < n; ++i) c.r[i] = a.r[i] op b.r[i];                                           \
    return c;                                                                                        \
  }
PEARLITE_EACH_WAY(+)
PEARLITE_EACH_WAY(-)
PEARLITE_EACH_WAY(*)
PEARLITE_EACH_WAY(/)
PEARLITE_EACH_WAY(&)
PEARLITE_EACH_WAY(|)
#undef PEARLITE_EACH_WAY
template <class R, int n>
PEARLITE_INLINE NormalWays<R, n> operator-(const NormalWays<R, n>& a) {
  NormalWays<R, n> c;
  for (int i = 0; i < n; ++i) c.r[i] = -a.r[i];
  return c;
}

// Operations on one register of floats.
struct NormalSingle {
  using Real = float;
  using Number = NormalFloats;
  using Integer = NormalInts;
  static constexpr double octave_step = 0x1p-23;
  static PEARLITE_INLINE Number all(float x) { return Number{} + x; }
  static PEARLITE_INLINE Integer bits(int32_t i) { return Integer{} + i; }
  static PEARLITE_INLINE Number load(const float* p) {
    Number a;
    __builtin_memcpy(&a, p, sizeof a);
    return a;
  }
  static PEARLITE_INLINE void store(Number a, float* p) { __builtin_memcpy(p, &a, sizeof a); }
  static PEARLITE_INLINE Number number(Integer i) { return __builtin_convertvector(i, Number); }
  static PEARLITE_INLINE Number fused(Number a, Number b, Number c) {
#if defined(__AVX512F__)
    return (Number)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif defined(__FMA__)
    return (Number)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#else
    return a * b + c;
#endif
  }
  static PEARLITE_INLINE Number root(Number a) {
#if defined(__AVX512F__)
    return (Number)_mm512_maskz_sqrt_ps(0xffff, (__m512)a);
#elif defined(__AVX__)
    return (Number)_mm256_sqrt_ps((__m256)a);
#elif defined(__SSE2__)
    return (Number)_mm_sqrt_ps((__m128)a);
#else
    Number r;
    for (unsigned k = 0; k < sizeof(Number) / 4; ++k) r[k] = __builtin_sqrtf(a[k]);
    return r;
#endif
  }
  // Of f / 2^bits; nothing is added to it.
  template <int bits>
  static PEARLITE_INLINE Number octave(Number f, Number, Number& t) {
    // The pattern of √½ 2^bits, whose exponent begins at bit 23
    const Integer e = ((Integer)f - (0x3f3504f3 + (bits << 23))) & ~0x7fffff;
    t = fused((Number)((Integer)f - e), all(1.0f / (1u << bits)), all(-1.0f));
    return number(e);
  }
  static PEARLITE_INLINE Number either(Integer i, Number a, Number b) { return i != 0 ? a : b; }
  static PEARLITE_INLINE Number flipped(Number a, Integer i) { return (Number)((Integer)a ^ (i & INT32_MIN)); }
};

// The same of doubles. Integers are the words of Philox, in the lower halves of 64 bits.
struct NormalDouble {
  using Real = double;
  using Number = NormalDoubles;
  using Integer = NormalWords;
  static constexpr double octave_step = 1;
  static PEARLITE_INLINE Number all(double x) { return Number{} + x; }
  static PEARLITE_INLINE Integer bits(uint64_t i) { return Integer{} + i; }
  static PEARLITE_INLINE Number load(const double* p) {
    Number a;
    __builtin_memcpy(&a, p, sizeof a);
    return a;
  }
  static PEARLITE_INLINE void store(Number a, double* p) { __builtin_memcpy(p, &a, sizeof a); }
  static PEARLITE_INLINE Number number(Integer i) {
    // 2^52 + i, whose last bits are those of i
    return (Number)((i & 0xffffffffu) | 0x4330000000000000u) - 4503599627370496.0;
  }
  static PEARLITE_INLINE Number fused(Number a, Number b, Number c) {
#if defined(__AVX512F__)
    return (Number)_mm512_fmadd_pd((__m512d)a, (__m512d)b, (__m512d)c);
#elif defined(__FMA__)
    return (Number)_mm256_fmadd_pd((__m256d)a, (__m256d)b, (__m256d)c);
#else
    return a * b + c;
#endif
  }
  static PEARLITE_INLINE Number root(Number a) {
#if defined(__AVX512F__)
    return (Number)_mm512_maskz_sqrt_pd(0xff, (__m512d)a);
#elif defined(__AVX__)
    return (Number)_mm256_sqrt_pd((__m256d)a);
#elif defined(__SSE2__)
    return (Number)_mm_sqrt_pd((__m128d)a);
#else
    Number r;
    for (unsigned k = 0; k < sizeof(Number) / 8; ++k) r[k] = __builtin_sqrt(a[k]);
    return r;
#endif
  }
  // Of (f + more) / 2^bits, f with few digits, and more: so the first digits of t are exact.
  template <int bits>
  static PEARLITE_INLINE Number octave(Number f, Number more, Number& t) {
    // The pattern of √½/2: e + 1 is not negative.
    const Integer e = ((Integer)(f + more) - 0x3fd6a09e667f3bcdu) >> 52;
    const Number scale = (Number)(0x4000000000000000u - (e << 52));
    t = fused(more, scale, fused(f, scale, all(-1.0)));
    return number(e) - double(bits + 1);
  }
  static PEARLITE_INLINE Number either(Integer i, Number a, Number b) { return i != 0 ? a : b; }
  static PEARLITE_INLINE Number flipped(Number a, Integer i) {
    return (Number)((Integer)a ^ (i << 32 & 0x8000000000000000u));
  }
};

template <class T>
struct NormalOperations;
template <>
struct NormalOperations<float> {
  using Type = NormalSingle;
};
template <>
struct NormalOperations<double> {
  using Type = NormalDouble;
};
template <class T>
using NormalOf = typename NormalOperations<T>::Type;

// Those that `box_muller` needs, on n registers.
template <class One, int n>
struct NormalTogether {
  using Real = typename One::Real;
  using Number = NormalWays<typename One::Number, n>;
  using Integer = NormalWays<typename One::Integer, n>;
  static constexpr double octave_step = One::octave_step;

  template <class R, class F>
  static PEARLITE_INLINE NormalWays<R, n> each(const F& of) {
    NormalWays<R, n> c;
    for (int i = 0; i < n; ++i) c.r[i] = of(i);
    return c;
  }
#define PEARLITE_EACH(Kind, value) each<typename One::Kind>([&](int i) PEARLITE_ALWAYS { return value; })
#define PEARLITE_ALWAYS __attribute__((always_inline))
  static PEARLITE_INLINE Number all(Real x) { return PEARLITE_EACH(Number, (void(i), One::all(x))); }
  static PEARLITE_INLINE Integer bits(int32_t k) { return PEARLITE_EACH(Integer, (void(i), One::bits(k))); }
  static PEARLITE_INLINE Number number(const Integer& a) { return PEARLITE_EACH(Number, One::number(a.r[i])); }
  static PEARLITE_INLINE Number fused(const Number& a, const Number& b, const Number& c) {
    return PEARLITE_EACH(Number, One::fused(a.r[i], b.r[i], c.r[i]));
  }
  static PEARLITE_INLINE Number root(const Number& a) { return PEARLITE_EACH(Number, One::root(a.r[i])); }
  template <int scaled>
  static PEARLITE_INLINE Number octave(const Number& f, const Number& more, Number& t) {
    return PEARLITE_EACH(Number, One::template octave<scaled>(f.r[i], more.r[i], t.r[i]));
  }
  static PEARLITE_INLINE Number either(const Integer& k, const Number& a, const Number& b) {
    return PEARLITE_EACH(Number, One::either(k.r[i], a.r[i], b.r[i]));
  }
  static PEARLITE_INLINE Number flipped(const Number& a, const Integer& k) {
    return PEARLITE_EACH(Number, One::flipped(a.r[i], k.r[i]));
  }
#undef PEARLITE_EACH
#undef PEARLITE_ALWAYS
};

}  // namespace PEARLITE_ISA
}  // namespace pearlite
