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

// A block of outputs × 2 registers of pixels, their weights and pixels fill the registers that
// there are.
#if defined(__AVX512F__)
constexpr int block = 14;
#else
constexpr int block = 6;
#endif

// A product: to[i][n] = Σ_k weights[k][i] from[k][n]; pitches in floats.
struct Panel {
  const float* weights;
  const float* from;
  int64_t depth, from_pitch;
  float* to;
  int64_t to_pitch, to_step;  // from an output, and from a register, to the next
  const float* soon;  // memory to ask for on the way, a line for each k, unless soon_step is 0
  int64_t soon_step;
};

// M outputs × N registers; with few outputs, S sums of each hide the latency of an addition.
template <int M, int N, int S>
void multiply(const Panel& panel) {
  V sum[S][M][N];
  const float *weights = panel.weights, *from = panel.from, *soon = panel.soon;
  const auto step = [&](int s, bool first) __attribute__((always_inline)) {
    V x[N];
#pragma GCC unroll 2
    for (int n = 0; n < N; ++n) x[n] = V::load(from + n * lanes);
#pragma GCC unroll 16
    for (int i = 0; i < M; ++i) {
      const V w = V::all(weights[i]);
#pragma GCC unroll 2
      for (int n = 0; n < N; ++n) sum[s][i][n] = first ? w * x[n] : sum[s][i][n] + w * x[n];
    }
    __builtin_prefetch(soon, 0, 2);
    soon += panel.soon_step;
    from += panel.from_pitch;
    weights += M;
  };
  step(0, true);
#pragma GCC unroll 32
  for (int i = M * N; i < S * M * N; ++i) (&sum[0][0][0])[i] = V::all(0);
  int64_t k = 1;
  for (; k + S <= panel.depth; k += S)
#pragma GCC unroll 4
    for (int s = 0; s < S; ++s) step(s, false);
  for (; S > 1 && k < panel.depth; ++k) step(0, false);
#pragma GCC unroll 16
  for (int i = 0; i < M; ++i)
#pragma GCC unroll 2
    for (int n = 0; n < N; ++n) {
#pragma GCC unroll 4
      for (int s = 1; s < S; ++s) sum[0][i][n] = sum[0][i][n] + sum[s][i][n];
      sum[0][i][n].store(panel.to + i * panel.to_pitch + n * panel.to_step);
    }
}

using Multiply = void (*)(const Panel&);
struct MultiplyTable {
  Multiply of[15][2];
};
#define PEARLITE_ROW(M) \
  {multiply<M, 1, (M < 2 ? 4 : M < 4 ? 2 : 1)>, multiply<M, 2, (M < 2 ? 4 : M < 4 ? 2 : 1)>}
constexpr MultiplyTable multiplications = {{
    {nullptr, nullptr}, PEARLITE_ROW(1), PEARLITE_ROW(2), PEARLITE_ROW(3), PEARLITE_ROW(4),
    PEARLITE_ROW(5), PEARLITE_ROW(6),
#if defined(__AVX512F__)
    PEARLITE_ROW(7), PEARLITE_ROW(8), PEARLITE_ROW(9), PEARLITE_ROW(10), PEARLITE_ROW(11),
    PEARLITE_ROW(12), PEARLITE_ROW(13), PEARLITE_ROW(14),
#endif
}};
#undef PEARLITE_ROW

// Memory that is soon needed. It is asked for while registers are multiplied, which leaves it time.
class Soon {
 public:
  Soon() = default;
  Soon(const float* first, int64_t floats) : at_(first), end_(first + floats) {}
  bool empty() const { return at_ >= end_; }
  // The next `lines` of it.
  const float* next(int64_t lines) {
    const float* now = at_;
    at_ += lines * line;
    return now;
  }
  static constexpr int line = 16;

 private:
  const float *at_ = nullptr, *end_ = nullptr;
};

// multiply for any number of registers, asking for what is soon needed from one of two places in
// turns.
inline void multiply(int64_t outputs, int64_t registers, Panel panel, Soon& first, Soon& second) {
  for (; registers > 0; registers -= 2, panel.from += 2 * lanes, panel.to += 2 * panel.to_step) {
    Soon& soon = first.empty() ? second : first;
    panel.soon_step = soon.empty() ? 0 : Soon::line;
    panel.soon = soon.empty() ? panel.from : soon.next(panel.depth);
    multiplications.of[outputs][registers > 1](panel);
    const Soon last = first;
    first = second;
    second = last;
  }
}

}  // namespace PEARLITE_ISA
}  // namespace pearlite
