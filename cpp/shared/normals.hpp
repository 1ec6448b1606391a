// Many standard normal numbers at once, in the registers of the instruction set that a kernel file is
// compiled for. `normal.hpp` tells which numbers they are.
//
//   NormalKey key; key.seed = ...; key.sample = ...; key.step = ...;
//   fill_normals(NormalStream(key), first, count, out);   // out[i] = number first + i of the sample
//
// Floats and doubles are the same numbers for any instruction set but for their last bits; with fused
// multiplication (x86-64-v3 and -v4) they are the same to the last bit.
#pragma once
#include <cstdint>

#include "shared/normal.hpp"
#include "shared/simd.hpp"

namespace pearlite {
namespace PEARLITE_ISA {

typedef float NormalFloats __attribute__((vector_size(PEARLITE_REGISTER_BYTES)));
typedef int32_t NormalInts __attribute__((vector_size(PEARLITE_REGISTER_BYTES)));
typedef double NormalDoubles __attribute__((vector_size(PEARLITE_REGISTER_BYTES)));
typedef uint64_t NormalWords __attribute__((vector_size(PEARLITE_REGISTER_BYTES)));

// What Philox does with the words that are the same in all lanes: all but those of the counter's first.
// It has worked out here what its first three rounds make of them.
struct NormalStream {
  uint64_t key[10][2];
  uint64_t hidden[2][4];  // of the blocks, and of their continuations

  explicit NormalStream(const NormalKey& of) {
    uint32_t k0 = uint32_t(of.seed), k1 = uint32_t(of.seed >> 32);
    for (int round = 0; round < 10; ++round) {
      key[round][0] = k0;
      key[round][1] = k1;
      k0 += 0x9E3779B9u;
      k1 += 0xBB67AE85u;
    }
    for (int more = 0; more < 2; ++more) {
      const uint64_t c1 = word1(of), c2 = word2(of), c3 = word3(of) + more * normal_continuation;
      const uint64_t b = 0xCD9E8D57u * c2;
      const uint64_t a = 0xD2511F53u * uint64_t(uint32_t(b >> 32) ^ uint32_t(c1) ^ uint32_t(key[0][0]));
      hidden[more][0] = c3 ^ key[0][1];
      hidden[more][1] = uint32_t(b) ^ key[1][0];
      hidden[more][2] = a >> 32 ^ key[1][1];
      hidden[more][3] = uint32_t(a) ^ key[2][1];
    }
  }
};

// a[i] b[i], of the lower halves of 64 bits
PEARLITE_INLINE NormalWords multiplied(NormalWords a, NormalWords b) {
#if defined(__AVX512F__)
  return (NormalWords)_mm512_maskz_mul_epu32(0xff, (__m512i)a, (__m512i)b);
#elif defined(__AVX2__)
  return (NormalWords)_mm256_mul_epu32((__m256i)a, (__m256i)b);
#elif defined(__SSE2__)
  return (NormalWords)_mm_mul_epu32((__m128i)a, (__m128i)b);
#else
  return (a & 0xffffffffu) * (b & 0xffffffffu);
#endif
}

// A counter's first word in the lower half of each lane -> the four words of its block; what the upper
// halves hold matters to none of the operations.
struct NormalLanes {
  NormalWords c0, c1, c2, c3;

  PEARLITE_INLINE void begin(const NormalStream& stream, int more, NormalWords block) {
    const NormalWords m0 = NormalWords{} + 0xD2511F53u, m1 = NormalWords{} + 0xCD9E8D57u;
    const uint64_t* hidden = stream.hidden[more];
    const NormalWords a = multiplied(m0, block);
    const NormalWords b = multiplied(m1, a >> 32 ^ hidden[0]);
    const NormalWords d = multiplied(m0, b >> 32 ^ hidden[1]);
    const NormalWords e = multiplied(m1, a ^ hidden[2]);
    c0 = e >> 32 ^ b ^ stream.key[2][0];
    c1 = e;
    c2 = d >> 32 ^ hidden[3];
    c3 = d;
  }
  PEARLITE_INLINE void round(const uint64_t* key) {
    const NormalWords a = multiplied(NormalWords{} + 0xD2511F53u, c0);
    const NormalWords b = multiplied(NormalWords{} + 0xCD9E8D57u, c2);
    c0 = b >> 32 ^ c1 ^ key[0];
    c2 = a >> 32 ^ c3 ^ key[1];
    c1 = b;
    c3 = a;
  }
};

// Operations of `box_muller` on registers of floats.
struct NormalSingle {
  using Real = float;
  using Number = NormalFloats;
  using Integer = NormalInts;
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
  static PEARLITE_INLINE Number octave(Number f, Number& scale) {
    // 0x3f3504f3 is the pattern of √½, and the exponent begins at bit 23.
    const Integer e = ((Integer)f - 0x3f3504f3) & ~0x7fffff;
    scale = (Number)(0x3f800000 - e);
    return number(e >> 23);
  }
  static PEARLITE_INLINE Number either(Integer i, Number a, Number b) { return i != 0 ? a : b; }
  static PEARLITE_INLINE Number flipped(Number a, Integer i) { return (Number)((Integer)a ^ (i & INT32_MIN)); }
};

// The same of doubles. Integers are the words of Philox, in the lower halves of 64 bits.
struct NormalDouble {
  using Real = double;
  using Number = NormalDoubles;
  using Integer = NormalWords;
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
  static PEARLITE_INLINE Number octave(Number f, Number& scale) {
    // Twice √½ is the pattern's difference from √½/2: e + 1 is not negative.
    const Integer e = ((Integer)f - 0x3fd6a09e667f3bcdu) >> 52;
    scale = (Number)(0x4000000000000000u - (e << 52));
    return number(e) - 1.0;
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

// The lower halves of even and odd lanes, side by side.
PEARLITE_INLINE NormalInts joined(NormalWords even, NormalWords odd) {
#if defined(__AVX512F__)
  return (NormalInts)_mm512_mask_shuffle_epi32((__m512i)even, 0xaaaa, (__m512i)odd, _MM_PERM_CCAA);
#else
  return (NormalInts)((even & 0xffffffffu) | odd << 32);
#endif
}

// out[i] = number 64 tile + i, i < 64
PEARLITE_INLINE void normal_tile_of(const NormalStream& stream, uint64_t tile, float* out) {
  constexpr int lanes = PEARLITE_REGISTER_BYTES / 4;
  NormalWords twice;
  for (int k = 0; k < lanes / 2; ++k) twice[k] = uint64_t(2 * k);
  for (int part = 0; part < normal_blocks; part += lanes) {
    NormalLanes even, odd;
    const NormalWords block = twice + (tile * normal_blocks + part);
    even.begin(stream, 0, block);
    odd.begin(stream, 0, block + 1);
#pragma GCC unroll 8
    for (int round = 3; round < 10; ++round) {
      even.round(stream.key[round]);
      odd.round(stream.key[round]);
    }
    NormalFloats x[4];
    const NormalInts none{};
    box_muller<NormalSingle>(joined(even.c0, odd.c0), joined(even.c1, odd.c1), none, none, x[0], x[1]);
    box_muller<NormalSingle>(joined(even.c2, odd.c2), joined(even.c3, odd.c3), none, none, x[2], x[3]);
    for (int j = 0; j < 4; ++j) __builtin_memcpy(out + normal_blocks * j + part, &x[j], sizeof x[j]);
  }
}

PEARLITE_INLINE void normal_tile_of(const NormalStream& stream, uint64_t tile, double* out) {
  constexpr int lanes = PEARLITE_REGISTER_BYTES / 8;
  NormalWords lane;
  for (int k = 0; k < lanes; ++k) lane[k] = uint64_t(k);
  for (int part = 0; part < normal_blocks; part += lanes) {
    NormalLanes high, low;
    const NormalWords block = lane + (tile * normal_blocks + part);
    high.begin(stream, 0, block);
    low.begin(stream, 1, block);
#pragma GCC unroll 8
    for (int round = 3; round < 10; ++round) {
      high.round(stream.key[round]);
      low.round(stream.key[round]);
    }
    NormalDoubles x[4];
    box_muller<NormalDouble>(high.c0, high.c1, low.c0, low.c1, x[0], x[1]);
    box_muller<NormalDouble>(high.c2, high.c3, low.c2, low.c3, x[2], x[3]);
    for (int j = 0; j < 4; ++j) __builtin_memcpy(out + normal_blocks * j + part, &x[j], sizeof x[j]);
  }
}

// out[i] = number first + i of the sample, i < count. Whole tiles cost least: `first` and `count`
// multiples of 64.
template <class T>
void fill_normals(const NormalStream& stream, uint64_t first, int64_t count, T* out) {
  T tile[normal_tile];
  while (count > 0) {
    const int64_t skipped = int64_t(first % normal_tile), left = normal_tile - skipped;
    const int64_t taken = left < count ? left : count;
    if (taken == normal_tile) {
      normal_tile_of(stream, first / normal_tile, out);
    } else {
      normal_tile_of(stream, first / normal_tile, tile);
      __builtin_memcpy(out, tile + skipped, std::size_t(taken) * sizeof(T));
    }
    first += uint64_t(taken);
    out += taken;
    count -= taken;
  }
}

}  // namespace PEARLITE_ISA
}  // namespace pearlite
