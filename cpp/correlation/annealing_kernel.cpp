// The proposals of simulated annealing, compiled once for each instruction set.
#include "correlation/annealing.hpp"
#include "shared/exchange.hpp"
#include "shared/simd.hpp"

namespace pearlite {
namespace PEARLITE_ISA {
namespace {

struct Place {
  int64_t x0, x1, x2;
};

Place place(const AnnealingState& s, int64_t pixel) {
  return {pixel / (s.m * s.n), pixel / s.n % s.m, pixel % s.n};
}

// n values M(x + r) and M(x − r), r = (d0, d1, 0 …), and those about two places of the four.
struct Rows {
  const int8_t *ahead, *behind;
};

Rows rows_about(const AnnealingState& s, const AnnealingPhase& phase, const Place& x, int64_t d0, int64_t d1) {
  const auto wrap = [](int64_t i, int64_t size) { return i >= size ? i - size : i; };
  const auto minus = [](int64_t i, int64_t size) { return i ? size - i : 0; };
  const int64_t r0 = wrap(x.x0 + d0, s.n0), r1 = wrap(x.x1 + d1, s.m);
  const int64_t b0 = wrap(minus(x.x0, s.n0) + d0, s.n0), b1 = wrap(minus(x.x1, s.m) + d1, s.m);
  return {phase.indicator + (r0 * s.m + r1) * 2 * s.n + x.x2,
          phase.reversed + (b0 * s.m + b1) * 2 * s.n + minus(x.x2, s.n)};
}

// Whole numbers in registers: W of 16 bits, and sums of W/2 products.
#if defined(__AVX512BW__)
constexpr int W = 32;
#elif defined(__AVX2__)
constexpr int W = 16;
#else
constexpr int W = 8;
#endif
typedef int8_t Bytes __attribute__((vector_size(W), aligned(1)));
typedef int16_t Words __attribute__((vector_size(2 * W), aligned(2)));
typedef int32_t Sums __attribute__((vector_size(2 * W)));

PEARLITE_INLINE Sums products(Words a, Words b) {
#if defined(__AVX512BW__)
  return (Sums)_mm512_madd_epi16((__m512i)a, (__m512i)b);
#elif defined(__AVX2__)
  return (Sums)_mm256_madd_epi16((__m256i)a, (__m256i)b);
#elif defined(__SSE2__)
  return (Sums)_mm_madd_epi16((__m128i)a, (__m128i)b);
#else
  Sums sum{};
  for (int k = 0; k < W; ++k) sum[k / 2] += int32_t(a[k]) * b[k];
  return sum;
#endif
}

PEARLITE_INLINE int64_t total_of(const Sums& sums) {
  int64_t total = 0;
  for (int k = 0; k < W / 2; ++k) total += sums[k];
  return total;
}

PEARLITE_INLINE Bytes bytes_at(const int8_t* p) { return *reinterpret_cast<const Bytes*>(p); }
PEARLITE_INLINE Words words_at(const int16_t* p) { return *reinterpret_cast<const Words*>(p); }

// Σ c (2 d + c) over the planes d0 from `begin` to `end` of the half, c the change that moving the
// phase from p to q makes.
template <bool wide>
int64_t planes_change(const AnnealingState& s, const AnnealingPhase& phase, const Place& p, const Place& q,
                      int64_t begin, int64_t end) {
  int64_t total = 0, above = 0, since = 0;
  Sums low{}, high{};
  const auto flush = [&] {
    total += total_of(low);
    above += total_of(high);
    low = high = Sums{};
    since = 0;
  };
  for (int64_t d0 = begin; d0 < end; ++d0)
    for (int64_t d1 = 0; d1 < s.m; ++d1) {
      const Rows a = rows_about(s, phase, p, d0, d1), b = rows_about(s, phase, q, d0, d1);
      const int64_t at = (d0 * s.m + d1) * s.n;
      const int16_t *l = phase.low + at, *h = wide ? phase.high + at : nullptr;
      int64_t k = 0;
      for (; k + W <= s.n; k += W) {
        const Bytes change =
            (bytes_at(b.ahead + k) + bytes_at(b.behind + k)) - (bytes_at(a.ahead + k) + bytes_at(a.behind + k));
        const Words c = __builtin_convertvector(change, Words), d = words_at(l + k);
        low += products(c, d + d + c);
        if (wide) high += products(c, words_at(h + k));
      }
      for (; k < s.n; ++k) {
        const int c = b.ahead[k] + b.behind[k] - a.ahead[k] - a.behind[k];
        total += c * (2 * l[k] + c);
        if (wide) above += c * h[k];
      }
      since += s.n;
      if (since >= 1 << 16) flush();  // a sum of so many products may fill 31 bits
    }
  flush();
  return total + 4096 * above;
}

int64_t difference(const AnnealingState& s, const AnnealingPhase& phase, int64_t at) {
  return phase.low[at] + (s.wide ? 2048 * int64_t(phase.high[at]) : 0);
}

// Where the two pixels meet each other or themselves, the rows alone do not tell the change: at
// r = 0, and at r = ±(q − p). Calls use(index among the half, multiplicity, extra change).
template <class Use>
void exceptions(const AnnealingState& s, const Place& p, const Place& q, const Use& use) {
  const auto visit = [&](int64_t d0, int64_t d1, int64_t d2, int extra) {
    d0 = (d0 + s.n0) % s.n0, d1 = (d1 + s.m) % s.m, d2 = (d2 + s.n) % s.n;
    // Of r and −r one lies in the half, or both where the plane is its own mirror image.
    if (2 * d0 > s.n0) return;
    use((d0 * s.m + d1) * s.n + d2, multiplicity(d0, s.n0), extra, d0, d1, d2);
  };
  visit(0, 0, 0, 2);
  const int64_t e0 = q.x0 - p.x0, e1 = q.x1 - p.x1, e2 = q.x2 - p.x2;
  const bool same = (2 * e0) % s.n0 == 0 && (2 * e1) % s.m == 0 && (2 * e2) % s.n == 0;
  visit(e0, e1, e2, same ? -2 : -1);
  if (!same) visit(-e0, -e1, -e2, -1);
}

int row_value(const AnnealingState& s, const AnnealingPhase& phase, const Place& p, const Place& q, int64_t d0,
              int64_t d1, int64_t d2) {
  const Rows a = rows_about(s, phase, p, d0, d1), b = rows_about(s, phase, q, d0, d1);
  return b.ahead[d2] + b.behind[d2] - a.ahead[d2] - a.behind[d2];
}

// The change of E if the phase leaves p and comes to q.
template <bool wide>
int64_t energy_change(const AnnealingState& s, const AnnealingPhase& phase, const Place& p, const Place& q) {
  int64_t total = 0;
  const int64_t middle = (s.n0 + 1) / 2;  // planes below it but the first stand for two
  total += planes_change<wide>(s, phase, p, q, 0, 1) + 2 * planes_change<wide>(s, phase, p, q, 1, middle);
  if (s.n0 % 2 == 0) total += planes_change<wide>(s, phase, p, q, middle, middle + 1);
  exceptions(s, p, q, [&](int64_t at, int64_t times, int extra, int64_t d0, int64_t d1, int64_t d2) {
    const int64_t c = row_value(s, phase, p, q, d0, d1, d2), d = difference(s, phase, at);
    total += times * extra * (2 * d + 2 * c + extra);
  });
  return total;
}

void change(const AnnealingState& s, const AnnealingPhase& phase, int64_t at, int by) {
  const int64_t d = difference(s, phase, at) + by;
  if (!s.wide) {
    phase.low[at] = int16_t(d);
    return;
  }
  const int64_t high = (d + 1024) >> 11;
  phase.high[at] = int16_t(high);
  phase.low[at] = int16_t(d - 2048 * high);
}

void mark(const AnnealingState& s, const AnnealingPhase& phase, const Place& x, int8_t value) {
  const auto minus = [](int64_t i, int64_t size) { return i ? size - i : 0; };
  int8_t* row = phase.indicator + (x.x0 * s.m + x.x1) * 2 * s.n + x.x2;
  int8_t* back = phase.reversed + (minus(x.x0, s.n0) * s.m + minus(x.x1, s.m)) * 2 * s.n + minus(x.x2, s.n);
  row[0] = row[s.n] = back[0] = back[s.n] = value;
}

void apply(const AnnealingState& s, const AnnealingPhase& phase, const Place& p, const Place& q) {
  for (int64_t d0 = 0; 2 * d0 <= s.n0; ++d0)
    for (int64_t d1 = 0; d1 < s.m; ++d1) {
      const Rows a = rows_about(s, phase, p, d0, d1), b = rows_about(s, phase, q, d0, d1);
      const int64_t at = (d0 * s.m + d1) * s.n;
      int16_t *low = phase.low + at, *high = s.wide ? phase.high + at : nullptr;
      int64_t k = 0;
      for (; k + W <= s.n; k += W) {
        const Bytes difference =
            (bytes_at(b.ahead + k) + bytes_at(b.behind + k)) - (bytes_at(a.ahead + k) + bytes_at(a.behind + k));
        Words l = words_at(low + k) + __builtin_convertvector(difference, Words);
        if (s.wide) {
          const Words carry = (l + 1024) >> 11;
          *reinterpret_cast<Words*>(high + k) += carry;
          l -= carry << 11;
        }
        *reinterpret_cast<Words*>(low + k) = l;
      }
      for (; k < s.n; ++k) change(s, phase, at + k, b.ahead[k] + b.behind[k] - a.ahead[k] - a.behind[k]);
    }
  exceptions(s, p, q, [&](int64_t at, int64_t, int extra, int64_t, int64_t, int64_t) { change(s, phase, at, extra); });
  mark(s, phase, p, 0);
  mark(s, phase, q, 1);
}

template <bool wide>
int64_t exchange_change(const AnnealingState& s, int a, int b, const Place& p, const Place& q) {
  int64_t total = 0;
  if (a >= 0 && a < s.phases) total += energy_change<wide>(s, s.phase[a], p, q);
  if (b >= 0 && b < s.phases) total += energy_change<wide>(s, s.phase[b], q, p);
  return total;
}

void exchange(AnnealingState& s, int64_t p, int64_t q) {
  const int a = s.labels[p] - s.first, b = s.labels[q] - s.first;
  if (a >= 0 && a < s.phases) apply(s, s.phase[a], place(s, p), place(s, q));
  if (b >= 0 && b < s.phases) apply(s, s.phase[b], place(s, q), place(s, p));
  const int32_t label = s.labels[p];
  s.labels[p] = s.labels[q];
  s.labels[q] = label;
}

// The largest |C − T|.
int64_t largest_difference(const AnnealingState& s) {
  int64_t largest = 0;
  for (int i = 0; i < s.phases; ++i)
    for (int64_t k = 0; k < (s.n0 / 2 + 1) * s.m * s.n; ++k) {
      const int64_t d = difference(s, s.phase[i], k);
      largest = d > largest ? d : -d > largest ? -d : largest;
    }
  return largest;
}

// One number or two for each difference; those in one have 14 bits and a sign.
void represent(AnnealingState& s, bool wide) {
  if (s.wide == wide) return;
  for (int i = 0; i < s.phases; ++i)
    for (int64_t k = 0; k < (s.n0 / 2 + 1) * s.m * s.n; ++k) {
      const int64_t d = difference(s, s.phase[i], k), high = wide ? (d + 1024) >> 11 : 0;
      s.phase[i].high[k] = int16_t(high);
      s.phase[i].low[k] = int16_t(d - 2048 * high);
    }
  s.wide = wide;
}

// Makes proposals from number i on until all are made, E = 0, or `moves` were accepted.
template <bool wide>
int64_t run_chain(AnnealingState& s, AnnealingRun& run, int64_t i, int64_t moves, double* temperature) {
  for (; i < run.proposals && s.energy > 0 && moves > 0; ++i, *temperature *= run.cooling) {
    const Exchange e = proposed(s.labels, uint64_t(s.n0 * s.m * s.n), uint64_t(run.first + i), run.seed,
                                unsigned(run.sample));
    const int64_t d =
        exchange_change<wide>(s, s.labels[e.p] - s.first, s.labels[e.q] - s.first, place(s, e.p), place(s, e.q));
    if (!accepted(d, *temperature, e.uniform)) continue;
    exchange(s, e.p, e.q);
    s.energy += d;
    ++run.accepted;
    --moves;
    if (s.energy < run.best) run.best = s.energy;
  }
  return i;
}

int64_t run(AnnealingState& s, AnnealingRun& run) {
  constexpr int64_t limit = 16383;
  double temperature = run.temperature;
  run.best = s.energy;
  int64_t i = 0;
  while (i < run.proposals && s.energy > 0) {
    const int64_t largest = largest_difference(s);
    represent(s, largest > limit - 1024);
    // A move changes a count by 4 at most.
    i = s.wide ? run_chain<true>(s, run, i, 4096, &temperature)
               : run_chain<false>(s, run, i, (limit - largest) / 4, &temperature);
  }
  return i;
}

}  // namespace

extern const AnnealingKernels annealing_kernels_table = {run};

}  // namespace PEARLITE_ISA
}  // namespace pearlite
