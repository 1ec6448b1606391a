// One direction of a sliced Wasserstein distance, compiled once for each instruction set.
#include "shared/simd.hpp"
#include "transport/sliced.hpp"

namespace pearlite {
namespace PEARLITE_ISA {
namespace {

constexpr int lanes = 16;            // independent extremes, so that the compiler may use whole registers
constexpr int most_bits = 11;        // of a digit: its counters stay in the first cache
constexpr int64_t few = 2048;        // samples, for which counters of eight bits are cheaper
constexpr int64_t patience = 32;     // moves a sample that the last sort may take

struct Range {
  double low, high;
};

// θ·x (samples), and its range.
Range project(const TransportProblem& problem, const double* theta, double* out) {
  const int64_t n = problem.samples;
  for (int64_t i = 0; i < n; ++i) out[i] = theta[0] * problem.x[i];
  for (int c = 1; c < problem.dim; ++c) {
    const double* x = problem.x + c * n;
    const double t = theta[c];
    for (int64_t i = 0; i < n; ++i) out[i] += t * x[i];
  }
  double low[lanes], high[lanes];
  for (int k = 0; k < lanes; ++k) low[k] = high[k] = out[0];
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes)
    for (int k = 0; k < lanes; ++k) {
      low[k] = out[i + k] < low[k] ? out[i + k] : low[k];
      high[k] = out[i + k] > high[k] ? out[i + k] : high[k];
    }
  for (; i < n; ++i) {
    low[0] = out[i] < low[0] ? out[i] : low[0];
    high[0] = out[i] > high[0] ? out[i] : high[0];
  }
  for (int k = 1; k < lanes; ++k) {
    low[0] = low[k] < low[0] ? low[k] : low[0];
    high[0] = high[k] > high[0] ? high[k] : high[0];
  }
  return {low[0], high[0]};
}

// Sorts by two digits of `bits` bits each of the place within the range; equal keys keep their order.
void radix_sort(const double* values, int64_t n, Range range, const SortWork& work) {
  const int bits = n <= few ? 8 : most_bits;
  const uint32_t mask = (1u << bits) - 1;
  uint32_t counts[2][1 << most_bits];
  for (uint32_t k = 0; k <= mask; ++k) counts[0][k] = counts[1][k] = 0;
  // Halves: the difference of two finite numbers need not be finite.
  const double half = range.high / 2 - range.low / 2;
  const double scale = half > 0 ? ((1u << (2 * bits)) - 1) / half / 2 : 0;
  const double last = (1u << (2 * bits)) - 1;
  const bool spread = scale > 0 && scale < 1e300;
  for (int64_t i = 0; i < n; ++i) {
    const double place = spread ? (values[i] - range.low) * scale : 0;
    work.items[i] = {uint32_t(int32_t(place < last ? place : last)), uint32_t(i)};
  }
  for (int64_t i = 0; i < n; ++i) {
    ++counts[0][work.items[i].key & mask];
    ++counts[1][work.items[i].key >> bits];
  }
  uint32_t sums[2] = {0, 0};
  for (uint32_t k = 0; k <= mask; ++k)
    for (int digit = 0; digit < 2; ++digit) {
      const uint32_t count = counts[digit][k];
      counts[digit][k] = sums[digit];
      sums[digit] += count;
    }
  for (int64_t i = 0; i < n; ++i) work.others[counts[0][work.items[i].key & mask]++] = work.items[i];
  for (int64_t i = 0; i < n; ++i) {
    const SortItem item = work.others[i];
    work.order[counts[1][item.key >> bits]++] = item.index;
  }
  for (int64_t k = 0; k < n; ++k) work.ordered[k] = values[work.order[k]];
}

// Sorts what is nearly sorted; false, with all still there, if that takes too many moves.
bool insertion_sort(double* values, uint32_t* order, int64_t n) {
  int64_t moves = patience * n + 64;
  for (int64_t i = 1; i < n; ++i) {
    const double value = values[i];
    if (!(value < values[i - 1])) continue;
    const uint32_t index = order[i];
    int64_t k = i;
    for (; k > 0 && value < values[k - 1]; --k) {
      values[k] = values[k - 1];
      order[k] = order[k - 1];
    }
    values[k] = value;
    order[k] = index;
    if ((moves -= i - k) < 0) return false;
  }
  return true;
}

// Merges runs of doubling length: for values that the digits do not tell apart, as beside far outliers.
void merge_sort(const SortWork& work, int64_t n) {
  double *values = work.ordered, *to = work.residual;
  uint32_t *order = work.order, *order_to = reinterpret_cast<uint32_t*>(work.items);
  for (int64_t width = 1; width < n; width *= 2) {
    for (int64_t begin = 0; begin < n; begin += 2 * width) {
      const int64_t middle = begin + width < n ? begin + width : n;
      const int64_t end = begin + 2 * width < n ? begin + 2 * width : n;
      int64_t a = begin, b = middle;
      for (int64_t k = begin; k < end; ++k) {
        const int64_t from = a < middle && (b >= end || !(values[b] < values[a])) ? a++ : b++;
        to[k] = values[from];
        order_to[k] = order[from];
      }
    }
    for (int64_t k = 0; k < n; ++k) values[k] = to[k], order[k] = order_to[k];
  }
}

void sort(const TransportProblem& problem, int64_t direction, const SortWork& work) {
  const int64_t n = problem.samples;
  const Range range = project(problem, problem.theta + direction * problem.dim, work.projected);
  radix_sort(work.projected, n, range, work);
  if (!insertion_sort(work.ordered, work.order, n)) merge_sort(work, n);
}

// Walks up the atoms of y by their levels.
struct Walk {
  const double *sorted, *levels;  // levels may be null
  int64_t atoms, at = 0;
  double level = 0;

  Walk(const TransportTarget& y, int64_t direction)
      : sorted(y.sorted + direction * y.atoms), levels(y.levels ? y.levels + direction * y.atoms : nullptr),
        atoms(y.atoms) {}

  PEARLITE_INLINE double top() const { return levels ? levels[at] : double(at + 1) / double(atoms); }

  // Calls piece(y, length) for the pieces of (level, to], on which the quantile is y.
  template <class Piece>
  PEARLITE_INLINE void climb(double to, const Piece& piece) {
    for (; at + 1 < atoms && top() <= to; ++at) {
      if (top() > level) piece(sorted[at], top() - level), level = top();
    }
    if (to > level) piece(sorted[at], to - level), level = to;
  }
};

// Against targets by rank: for p = 2 and equal weights of x.
double compare_ranked(const TransportProblem& problem, int64_t direction, const SortWork& work, double* residual) {
  const int64_t n = problem.samples;
  const double* targets = problem.y.ranked + direction * n;
  double* difference = work.ordered;
  double sums[lanes] = {};
  int64_t i = 0;
  for (int64_t k = 0; k < n; ++k) difference[k] -= targets[k];
  for (; i + lanes <= n; i += lanes)
    for (int k = 0; k < lanes; ++k) sums[k] += difference[i + k] * difference[i + k];
  for (; i < n; ++i) sums[0] += difference[i] * difference[i];
  if (residual) {
    const double weight = 1 / double(n);
    for (int64_t k = 0; k < n; ++k) residual[work.order[k]] = weight * difference[k];
  }
  double sum = 0;
  for (int k = 0; k < lanes; ++k) sum += sums[k];
  return sum / double(n);
}

double compare(const TransportProblem& problem, int64_t direction, const SortWork& work, double* residual) {
  if (problem.y.ranked) return compare_ranked(problem, direction, work, residual);
  const int64_t n = problem.samples;
  Walk walk(problem.y, direction);
  double sum = 0, level = 0;
  for (int64_t k = 0; k < n; ++k) {
    const uint32_t i = work.order[k];
    level = problem.weights ? level + problem.weights[i] : double(k + 1) / double(n);
    const double x = work.ordered[k];
    double slope = 0;
    walk.climb(k + 1 == n ? 1.0 : level, [&](double y, double length) {
      const double difference = x - y;
      if (problem.order == 2) {
        sum += length * difference * difference;
        slope += length * difference;
      } else {
        sum += length * (difference < 0 ? -difference : difference);
        slope += difference > 0 ? length / 2 : difference < 0 ? -length / 2 : 0;
      }
    });
    if (residual) residual[i] = slope;
  }
  return sum;
}

double targets(const TransportTarget& y, int64_t samples, int64_t direction, double* ranked) {
  Walk walk(y, direction), again(y, direction);
  double spread = 0;
  for (int64_t k = 0; k < samples; ++k) {
    const double to = double(k + 1) / double(samples);
    double sum = 0, length = 0;
    const double first = walk.sorted[walk.at];  // summed from here, for digits
    walk.climb(to, [&](double value, double piece) {
      sum += piece * (value - first);
      length += piece;
    });
    ranked[k] = length > 0 ? first + sum / length : first;
    again.climb(to, [&](double value, double piece) { spread += piece * (value - ranked[k]) * (value - ranked[k]); });
  }
  return spread;
}

// Adds weight × meanᵀmean to out (parameters, parameters), mean = θ·sums / total.
void add_bin(const TransportProblem& problem, const double* theta, double* sums, double total, double* out) {
  const int64_t P = problem.parameters;
  double* mean = sums + problem.dim * P;
  for (int64_t p = 0; p < P; ++p) {
    mean[p] = 0;
    for (int c = 0; c < problem.dim; ++c) mean[p] += theta[c] * sums[c * P + p];
  }
  for (int64_t p = 0; p < P; ++p)
    for (int64_t q = 0; q < P; ++q) out[p * P + q] += mean[p] * mean[q] / total;
  for (int64_t k = 0; k < problem.dim * P; ++k) sums[k] = 0;
}

void normal_matrix(const TransportProblem& problem, int64_t direction, const SortWork& work, double* sums,
                   double* out) {
  const int64_t n = problem.samples, size = problem.dim * problem.parameters;
  const double* theta = problem.theta + direction * problem.dim;
  for (int64_t k = 0; k < problem.parameters * problem.parameters; ++k) out[k] = 0;
  for (int64_t k = 0; k < size; ++k) sums[k] = 0;
  int64_t begin = 0;
  for (int64_t bin = 0; bin < problem.bins; ++bin) {
    const int64_t end = n * (bin + 1) / problem.bins;
    double total = 0;
    for (int64_t k = begin; k < end; ++k) {
      const uint32_t i = work.order[k];
      const double weight = problem.weights ? problem.weights[i] : 1 / double(n);
      const double* jacobian = problem.jacobian + i * size;
      for (int64_t e = 0; e < size; ++e) sums[e] += weight * jacobian[e];
      total += weight;
    }
    if (total > 0) add_bin(problem, theta, sums, total, out);
    begin = end;
  }
}

void gather(const TransportProblem& problem, int64_t first, int64_t last, int64_t begin, int64_t end, double scale,
            const double* residual, double* gradient) {
  const int64_t n = problem.samples;
  for (int64_t l = first; l < last; ++l)
    for (int c = 0; c < problem.dim; ++c) {
      const double factor = scale * problem.theta[l * problem.dim + c];
      const double* from = residual + (l - first) * n;
      double* to = gradient + c * n;
      for (int64_t i = begin; i < end; ++i) to[i] += factor * from[i];
    }
}

}  // namespace

extern const TransportKernels transport_kernels_table;
const TransportKernels transport_kernels_table = {sort, compare, normal_matrix, gather, targets};

}  // namespace PEARLITE_ISA
}  // namespace pearlite
