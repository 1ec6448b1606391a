// The products of weights and pixels, in registers.
#pragma once
#include <cstring>

#include "score/score.hpp"
#include "shared/simd.hpp"

namespace pearlite {
namespace PEARLITE_ISA {

constexpr int lanes = PEARLITE_REGISTER_BYTES / int(sizeof(float));
using V = Vec<float, lanes>;

PEARLITE_INLINE V load_anywhere(const float* p) {
  V v;
  std::memcpy(&v, p, sizeof v);
  return v;
}

// A block of outputs × 2 registers of pixels, their weights and pixels fill the registers that there are.
#if defined(__AVX512F__)
constexpr int block = 14;
#else
constexpr int block = 6;
#endif

// to[i][n] = Σ_k weights[k][i] from[k][n] for i < M and n < N; pitches in floats.
template <int M, int N>
void multiply(const float* weights, const float* from, int64_t depth, int64_t from_pitch, float* to,
              int64_t to_pitch) {
  V sum[M][N];
#pragma GCC unroll 14
  for (int i = 0; i < M; ++i)
#pragma GCC unroll 2
    for (int n = 0; n < N; ++n) sum[i][n] = V::all(0);
  for (int64_t k = 0; k < depth; ++k, from += from_pitch, weights += M) {
    V x[N];
#pragma GCC unroll 2
    for (int n = 0; n < N; ++n) x[n] = V::load(from + n * lanes);
#pragma GCC unroll 14
    for (int i = 0; i < M; ++i) {
      const V w = V::all(weights[i]);
#pragma GCC unroll 2
      for (int n = 0; n < N; ++n) sum[i][n] = sum[i][n] + w * x[n];
    }
  }
#pragma GCC unroll 14
  for (int i = 0; i < M; ++i)
#pragma GCC unroll 2
    for (int n = 0; n < N; ++n) sum[i][n].store(to + i * to_pitch + n * lanes);
}

using Multiply = void (*)(const float*, const float*, int64_t, int64_t, float*, int64_t);
struct MultiplyTable {
  Multiply of[15][2];
};
#define PEARLITE_ROW(M) {multiply<M, 1>, multiply<M, 2>}
constexpr MultiplyTable multiplications = {{
    {nullptr, nullptr}, PEARLITE_ROW(1), PEARLITE_ROW(2), PEARLITE_ROW(3), PEARLITE_ROW(4), PEARLITE_ROW(5),
    PEARLITE_ROW(6),
#if defined(__AVX512F__)
    PEARLITE_ROW(7), PEARLITE_ROW(8), PEARLITE_ROW(9), PEARLITE_ROW(10), PEARLITE_ROW(11), PEARLITE_ROW(12),
    PEARLITE_ROW(13), PEARLITE_ROW(14),
#endif
}};
#undef PEARLITE_ROW

// The same for any number of registers.
inline void multiply(int64_t outputs, int64_t registers, const float* weights, const float* from, int64_t depth,
                     int64_t from_pitch, float* to, int64_t to_pitch) {
  int64_t n = 0;
  for (; n + 2 <= registers; n += 2)
    multiplications.of[outputs][1](weights, from + n * lanes, depth, from_pitch, to + n * lanes, to_pitch);
  if (n < registers)
    multiplications.of[outputs][0](weights, from + n * lanes, depth, from_pitch, to + n * lanes, to_pitch);
}

}  // namespace PEARLITE_ISA
}  // namespace pearlite
