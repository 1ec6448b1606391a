// Many standard normal numbers at once, in the registers of the instruction set that a kernel file is
// compiled for. `normal.hpp` tells which numbers they are.
//
//   NormalKey key; key.seed = ...; key.sample = ...; key.step = ...;
//   fill_normals(NormalStream(key), first, count, out);   // out[i] = number first + i of the sample
//
// Floats and doubles are the same numbers for any instruction set but for their last bits; with fused
// multiplication (x86-64-v3 and -v4) they are the same to the last bit.
#pragma once
#include <cstddef>
#include <cstdint>

#include "shared/normal_registers.hpp"

namespace pearlite {
namespace PEARLITE_ISA {

// What a key makes of Philox: round keys, and what is left to do of the first three rounds. They mix
// what depends on the tile alone, see `NormalTile`, with what depends on the block alone.
struct NormalStream {
  uint64_t round_key[10][2];
  uint64_t sample;
  // Of each block in the order of the lanes of doubles, and of its continuation; then in the order of
  // floats, which are made from even and odd blocks.
  alignas(64) uint64_t block[3][3][normal_blocks];

  explicit NormalStream(const NormalKey& key) : sample(uint32_t(key.sample)) {
    uint32_t k0 = uint32_t(key.seed), k1 = uint32_t(key.seed >> 32);
    for (int round = 0; round < 10; ++round) {
      round_key[round][0] = k0;
      round_key[round][1] = k1;
      k0 += 0x9E3779B9u;
      k1 += 0xBB67AE85u;
    }
    constexpr int lanes = PEARLITE_REGISTER_BYTES / 4;
    for (int kind = 0; kind < 3; ++kind)
      for (int i = 0; i < normal_blocks; ++i) {
        const int within = i % lanes, odd = within >= lanes / 2;
        const int number = kind < 2 ? i : i - within + 2 * (within - odd * lanes / 2) + odd;
        const uint64_t b = 0xCD9E8D57u * uint64_t(block_word(key, unsigned(number), kind == 1));
        const uint64_t a = 0xD2511F53u * uint64_t(uint32_t(b >> 32) ^ key.step ^ uint32_t(round_key[0][0]));
        block[kind][0][i] = uint32_t(b) ^ round_key[1][0];
        block[kind][1][i] = a >> 32 ^ round_key[1][1];
        block[kind][2][i] = uint32_t(a) ^ round_key[2][1];
      }
  }
};

struct NormalTile {
  uint64_t word[3];

  void of(const NormalStream& stream, uint64_t tile) {
    const uint64_t a = 0xD2511F53u * uint64_t(uint32_t(tile));
    const uint64_t b = 0xCD9E8D57u * uint64_t(uint32_t(a >> 32 ^ stream.sample ^ stream.round_key[0][1]));
    word[0] = b >> 32;
    word[1] = uint32_t(a);
    word[2] = uint32_t(b) ^ stream.round_key[2][0];
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

// The four words of a block in each lane, in the lower halves of 64 bits; what the upper halves hold
// matters to none of the operations.
struct NormalLanes {
  NormalWords c0, c1, c2, c3;

  // `first`: of what blocks in the stream's order `kind`
  PEARLITE_INLINE void begin(const NormalStream& stream, const NormalTile& tile, int kind, int first) {
    NormalWords of[3];
    for (int i = 0; i < 3; ++i) of[i] = *reinterpret_cast<const NormalWords*>(stream.block[kind][i] + first);
    const NormalWords a = multiplied(NormalWords{} + 0xD2511F53u, of[0] ^ tile.word[0]);
    const NormalWords b = multiplied(NormalWords{} + 0xCD9E8D57u, of[1] ^ tile.word[1]);
    c0 = b >> 32 ^ tile.word[2];
    c1 = b;
    c2 = a >> 32 ^ of[2];
    c3 = a;
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

// The lower halves of even and odd lanes, side by side.
PEARLITE_INLINE NormalInts joined(NormalWords even, NormalWords odd) {
#if defined(__AVX512F__)
  return (NormalInts)_mm512_mask_shuffle_epi32((__m512i)even, 0xaaaa, (__m512i)odd, _MM_PERM_CCAA);
#else
  return (NormalInts)((even & 0xffffffffu) | odd << 32);
#endif
}

// Numbers are made in two passes over memory in the first cache: their words, then the transform in
// place. Each pass alone has room in registers for as much at a time as keeps the processor busy.
#if defined(__AVX512F__)
constexpr int normal_ways = 4, normal_tiles = 2;
#else
constexpr int normal_ways = 2, normal_tiles = 1;
#endif

// The words of some tiles, each where its number will be.
PEARLITE_INLINE void make_words(const NormalStream& stream, const NormalTile* tiles, float* out) {
  constexpr int lanes = PEARLITE_REGISTER_BYTES / 4;
  for (int part = 0; part < normal_blocks; part += lanes) {
    NormalLanes even[normal_tiles], odd[normal_tiles];
    for (int i = 0; i < normal_tiles; ++i) {
      even[i].begin(stream, tiles[i], 2, part);
      odd[i].begin(stream, tiles[i], 2, part + lanes / 2);
    }
#pragma GCC unroll 8
    for (int round = 3; round < 10; ++round)
      for (int i = 0; i < normal_tiles; ++i) {
        even[i].round(stream.round_key[round]);
        odd[i].round(stream.round_key[round]);
      }
    for (int i = 0; i < normal_tiles; ++i) {
      const NormalInts word[] = {joined(even[i].c0, odd[i].c0), joined(even[i].c1, odd[i].c1),
                                 joined(even[i].c2, odd[i].c2), joined(even[i].c3, odd[i].c3)};
      for (int j = 0; j < 4; ++j)
        NormalSingle::store((NormalFloats)word[j], out + normal_tile * i + normal_blocks * j + part);
    }
  }
}

// Those of doubles have what continues them in their upper halves.
PEARLITE_INLINE void make_words(const NormalStream& stream, const NormalTile* tiles, double* out) {
  constexpr int lanes = PEARLITE_REGISTER_BYTES / 8;
  for (int part = 0; part < normal_blocks; part += lanes) {
    NormalLanes high[normal_tiles], low[normal_tiles];
    for (int i = 0; i < normal_tiles; ++i) {
      high[i].begin(stream, tiles[i], 0, part);
      low[i].begin(stream, tiles[i], 1, part);
    }
#pragma GCC unroll 8
    for (int round = 3; round < 10; ++round)
      for (int i = 0; i < normal_tiles; ++i) {
        high[i].round(stream.round_key[round]);
        low[i].round(stream.round_key[round]);
      }
    for (int i = 0; i < normal_tiles; ++i) {
      const NormalInts word[] = {joined(high[i].c0, low[i].c0), joined(high[i].c1, low[i].c1),
                                 joined(high[i].c2, low[i].c2), joined(high[i].c3, low[i].c3)};
      for (int j = 0; j < 4; ++j)
        NormalDouble::store((NormalDoubles)word[j], out + normal_tile * i + normal_blocks * j + part);
    }
  }
}

// Words -> numbers, of two tiles.
template <class T>
PEARLITE_INLINE void transform_words(T* data) {
  using One = NormalOf<T>;
  using V = NormalTogether<One, normal_ways>;
  constexpr int lanes = PEARLITE_REGISTER_BYTES / int(sizeof(T)), pairs = 4 * normal_blocks / lanes;
  for (int pair = 0; pair < pairs; pair += normal_ways) {
    T* at[normal_ways];  // of the first number of each pair, the second of which is 16 further on
    typename V::Integer first, second, more_first, more_second;
    for (int i = 0; i < normal_ways; ++i) {
      const int k = (pair + i) * lanes;
      at[i] = data + k / normal_blocks * 2 * normal_blocks + k % normal_blocks;
      first.r[i] = (typename One::Integer)One::load(at[i]);
      second.r[i] = (typename One::Integer)One::load(at[i] + normal_blocks);
      more_first.r[i] = first.r[i] >> (sizeof(T) == 8 ? 32 : 0);
      more_second.r[i] = second.r[i] >> (sizeof(T) == 8 ? 32 : 0);
    }
    typename V::Number x, y;
    box_muller<V>(first, second, more_first, more_second, x, y);
    for (int i = 0; i < normal_ways; ++i) {
      One::store(x.r[i], at[i]);
      One::store(y.r[i], at[i] + normal_blocks);
    }
  }
}

// out[i] = number first + i of the sample, i < count. Whole pairs of tiles cost least: `first` and
// `count` multiples of 128. Before each pair, between(i) is called, i the place in `out` that comes next.
template <class T, class Between>
PEARLITE_INLINE void fill_normals(const NormalStream& stream, uint64_t first, int64_t count, T* out,
                                  const Between& between) {
  constexpr int64_t pair = 2 * normal_tile, together = 8;
  NormalTile tiles[2 * together];  // worked out beforehand, so that they come from memory then
  alignas(64) T cut[pair];
  while (count > 0) {
    const int64_t skipped = int64_t(first % pair);
    const int64_t whole = skipped || count < pair ? 1 : count / pair < together ? count / pair : together;
    const int64_t left = whole * pair - skipped, taken = left < count ? left : count;
    T* to = taken < whole * pair ? cut : out;
    for (int64_t i = 0; i < 2 * whole; ++i) tiles[i].of(stream, 2 * (first / pair) + uint64_t(i));
    for (int64_t i = 0; i < whole; ++i) {
      between(i * pair);
      for (int k = 0; k < 2; k += normal_tiles)
        make_words(stream, tiles + 2 * i + k, to + i * pair + k * normal_tile);
    }
    for (int64_t i = 0; i < whole; ++i) {
      between(i * pair + pair / 2);
      transform_words(to + i * pair);
    }
    if (to == cut) __builtin_memcpy(out, cut + skipped, std::size_t(taken) * sizeof(T));
    first += uint64_t(taken);
    out += taken;
    count -= taken;
  }
}

template <class T>
void fill_normals(const NormalStream& stream, uint64_t first, int64_t count, T* out) {
  fill_normals(stream, first, count, out, [](int64_t) {});
}

}  // namespace PEARLITE_ISA
}  // namespace pearlite
