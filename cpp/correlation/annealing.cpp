#include "correlation/annealing.hpp"

#include <algorithm>

#include "correlation/two_point.hpp"
#include "shared/exchange.hpp"

namespace pearlite {
Annealer::Annealer(const int32_t* labels, const int64_t* target, int64_t n0, int64_t m, int64_t n, int first,
                   int phases)
    : labels_(labels, labels + n0 * m * n) {
  state_.n0 = n0, state_.m = m, state_.n = n;
  state_.first = first;
  state_.phases = phases;
  state_.labels = labels_.data();
  const int64_t pixels = n0 * m * n, half = (n0 / 2 + 1) * m * n;
  state_.wide = true;  // the kernel narrows it where it can
  images_.assign(std::size_t(phases * 4 * pixels), 0);
  differences_.assign(std::size_t(phases * half * 2), 0);
  for (int i = 0; i < phases; ++i) {
    AnnealingPhase& phase = state_.phase[i];
    phase.indicator = images_.data() + 4 * pixels * i;
    phase.reversed = phase.indicator + 2 * pixels;
    phase.low = differences_.data() + half * i;
    phase.high = differences_.data() + half * (phases + i);
    mark(i);
    count(i, target + i * pixels);
  }
}

void Annealer::mark(int i) {
  const AnnealingState& s = state_;
  for (int64_t x0 = 0; x0 < s.n0; ++x0)
    for (int64_t x1 = 0; x1 < s.m; ++x1)
      for (int64_t x2 = 0; x2 < s.n; ++x2) {
        if (labels_[std::size_t(pixel(x0, x1, x2))] != s.first + i) continue;
        const int64_t b0 = (s.n0 - x0) % s.n0, b1 = (s.m - x1) % s.m, b2 = (s.n - x2) % s.n;
        int8_t* row = s.phase[i].indicator + (x0 * s.m + x1) * 2 * s.n + x2;
        int8_t* back = s.phase[i].reversed + (b0 * s.m + b1) * 2 * s.n + b2;
        row[0] = row[s.n] = back[0] = back[s.n] = 1;
      }
}

void Annealer::count(int i, const int64_t* target) {
  AnnealingState& s = state_;
  const int64_t half = (s.n0 / 2 + 1) * s.m * s.n;
  std::vector<double> counts(std::size_t(s.n0 * s.m * s.n));
  const void* field = labels_.data();
  const int64_t label = s.first + i;
  const int zero = 0;
  TwoPointProblem problem;
  const int64_t shape[3] = {s.n0, s.m, s.n};
  std::copy(shape, shape + 3, problem.field_shape);
  std::copy(shape, shape + 3, problem.shape);
  problem.type = FieldType::int32;
  problem.field = &field;
  problem.phase = &label;
  problem.left = problem.right = &zero;
  two_point(problem, counts.data());
  for (int64_t k = 0; k < half; ++k) {
    const int64_t d = int64_t(counts[std::size_t(k)] + .5) - target[k];
    const int64_t plane = k / (s.m * s.n);
    s.energy += d * d * multiplicity(plane, s.n0);
    const int64_t high = (d + 1024) >> 11;
    s.phase[i].high[k] = int16_t(high);
    s.phase[i].low[k] = int16_t(d - 2048 * high);
  }
}

int64_t Annealer::wrong() const {
  const AnnealingState& s = state_;
  const int64_t plane = s.m * s.n;
  int64_t total = 0;
  for (int i = 0; i < s.phases; ++i)
    for (int64_t k = 0; k < (s.n0 / 2 + 1) * plane; ++k) {
      const bool off = s.phase[i].low[k] != 0 || (s.wide && s.phase[i].high[k] != 0);
      total += off * multiplicity(k / plane, s.n0);
    }
  return total;
}

}  // namespace pearlite
