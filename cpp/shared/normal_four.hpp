// The four normal numbers of a block of Philox, one after the other: on a card one thread's share.
#pragma once
#include "shared/normal.hpp"

namespace pearlite {

// What `box_muller` asks for, of one number at a time, with every product that is added to fused.
struct OneSingle {
  using Real = float;
  using Number = float;
  using Integer = unsigned int;
  static constexpr double octave_step = 1.1920928955078125e-7;  // 2^-23
#if defined(__CUDACC__)
  static PEARLITE_MEMBER float fused(float a, float b, float c) { return __fmaf_rn(a, b, c); }
  static PEARLITE_MEMBER float root(float a) { return __fsqrt_rn(a); }
  static PEARLITE_MEMBER unsigned int pattern(float a) { return __float_as_uint(a); }
  static PEARLITE_MEMBER float of_pattern(unsigned int i) { return __uint_as_float(i); }
#else
  static PEARLITE_MEMBER float fused(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
  static PEARLITE_MEMBER float root(float a) { return __builtin_sqrtf(a); }
  static PEARLITE_MEMBER unsigned int pattern(float a) {
    unsigned int i;
    __builtin_memcpy(&i, &a, sizeof i);
    return i;
  }
  static PEARLITE_MEMBER float of_pattern(unsigned int i) {
    float a;
    __builtin_memcpy(&a, &i, sizeof a);
    return a;
  }
#endif
  static PEARLITE_MEMBER float all(float x) { return x; }
  static PEARLITE_MEMBER unsigned int bits(int i) { return (unsigned int)i; }
  static PEARLITE_MEMBER float number(unsigned int i) { return float(int(i)); }
  template <int bits>
  static PEARLITE_MEMBER float octave(float f, float, float& t) {
    const unsigned int e = (pattern(f) - (0x3f3504f3u + (unsigned(bits) << 23))) & ~0x7fffffu;
    t = fused(of_pattern(pattern(f) - e), 1.0f / float(1u << bits), -1.0f);
    return float(int(e));
  }
  static PEARLITE_MEMBER float either(unsigned int i, float a, float b) { return i != 0 ? a : b; }
  static PEARLITE_MEMBER float flipped(float a, unsigned int i) {
    return of_pattern(pattern(a) ^ (i & 0x80000000u));
  }
};

struct OneDouble {
  using Real = double;
  using Number = double;
  using Integer = unsigned int;
  using Pattern = unsigned long long;
  static constexpr double octave_step = 1;
#if defined(__CUDACC__)
  static PEARLITE_MEMBER double fused(double a, double b, double c) { return __fma_rn(a, b, c); }
  static PEARLITE_MEMBER double root(double a) { return __dsqrt_rn(a); }
  static PEARLITE_MEMBER Pattern pattern(double a) { return Pattern(__double_as_longlong(a)); }
  static PEARLITE_MEMBER double of_pattern(Pattern i) { return __longlong_as_double((long long)i); }
#else
  static PEARLITE_MEMBER double fused(double a, double b, double c) { return __builtin_fma(a, b, c); }
  static PEARLITE_MEMBER double root(double a) { return __builtin_sqrt(a); }
  static PEARLITE_MEMBER Pattern pattern(double a) {
    Pattern i;
    __builtin_memcpy(&i, &a, sizeof i);
    return i;
  }
  static PEARLITE_MEMBER double of_pattern(Pattern i) {
    double a;
    __builtin_memcpy(&a, &i, sizeof a);
    return a;
  }
#endif
  static PEARLITE_MEMBER double all(double x) { return x; }
  static PEARLITE_MEMBER unsigned int bits(int i) { return (unsigned int)i; }
  static PEARLITE_MEMBER double number(unsigned int i) { return double(i); }
  template <int bits>
  static PEARLITE_MEMBER double octave(double f, double more, double& t) {
    const Pattern e = (pattern(f + more) - 0x3fd6a09e667f3bcdull) >> 52;
    const double scale = of_pattern(0x4000000000000000ull - (e << 52));
    t = fused(more, scale, fused(f, scale, -1.0));
    return double(int(e)) - double(bits + 1);
  }
  static PEARLITE_MEMBER double either(unsigned int i, double a, double b) { return i != 0 ? a : b; }
  static PEARLITE_MEMBER double flipped(double a, unsigned int i) {
    return of_pattern(pattern(a) ^ (Pattern(i & 0x80000000u) << 32));
  }
};

template <class T>
struct OneNumber {
  using Type = OneSingle;
};
template <>
struct OneNumber<double> {
  using Type = OneDouble;
};

// z[j] = number 64 tile + 16 j + block of a sample.
template <class T>
PEARLITE_FORMULA void four_normals(const NormalKey& key, unsigned int tile, unsigned int block, T* z) {
  using V = typename OneNumber<T>::Type;
  const unsigned int k0 = (unsigned int)key.seed, k1 = (unsigned int)(key.seed >> 32);
  const unsigned int low = (unsigned int)key.sample;
  const Philox first = philox(tile, key.step, block_word(key, block, 0), low, k0, k1);
  Philox more = {};
  if (sizeof(T) == 8) more = philox(tile, key.step, block_word(key, block, 1), low, k0, k1);
  box_muller<V>(first.word[0], first.word[1], more.word[0], more.word[1], z[0], z[1]);
  box_muller<V>(first.word[2], first.word[3], more.word[2], more.word[3], z[2], z[3]);
}

}  // namespace pearlite
