// Sums over pairs, compiled once for each instruction set.
#include "laguerre/exponential.hpp"
#include "transport/pairs.hpp"

namespace pearlite {
namespace PEARLITE_ISA {
namespace {

constexpr int block = 256;  // others at a time: all that is known of them stays in the first cache
constexpr int lanes = 8;
constexpr double log2e = 1.4426950408889634074;
using V = Vec<double, lanes>;

struct alignas(64) Block {
  double squares[block], values[block], slopes[block];
};

// |x_i − y_j|² of a block; what lies behind `count` is 1, of weight 0 later.
void squares(const PairsProblem& problem, int64_t i, int64_t first, int count, double* out) {
  for (int k = 0; k < block; ++k) out[k] = k < count ? 0 : 1;
  for (int c = 0; c < problem.dim; ++c) {
    const double x = problem.x[c * problem.samples + i];
    const double* y = problem.y + c * problem.others + first;
    for (int k = 0; k < count; ++k) out[k] += (x - y[k]) * (x - y[k]);
  }
}

// k(r), and k'(r)/r, which times x_i − y_j is the derivative; at r = 0 that is 0.
void evaluate(const PairsProblem& problem, bool slopes, Block& b) {
  if (problem.bandwidth > 0) {
    const double inverse = 1 / (problem.bandwidth * problem.bandwidth);
    const double lowest = -1000;
    for (int k = 0; k < block; k += lanes) {
      V power = (-0.5 * inverse * log2e) * V::load(b.squares + k);
      power = max(power, V::all(lowest));
      exp2(power).store(b.values + k);
    }
    for (int k = 0; slopes && k < block; ++k) b.slopes[k] = -inverse * b.values[k];
    return;
  }
  for (int k = 0; k < block; ++k) b.values[k] = __builtin_sqrt(b.squares[k]);
  for (int k = 0; slopes && k < block; ++k) b.slopes[k] = b.values[k] > 0 ? 1 / b.values[k] : 0;
}

double total(const double (&sums)[lanes]) {
  double sum = 0;
  for (int k = 0; k < lanes; ++k) sum += sums[k];
  return sum;
}

// Adds the pairs of sample i with a block of others.
void add(const PairsProblem& problem, int64_t i, int64_t first, int count, Block& b, double* sums, double* gradient) {
  squares(problem, i, first, count, b.squares);
  evaluate(problem, gradient != nullptr, b);
  double weights[block];
  for (int k = 0; k < block; ++k) weights[k] = k < count ? problem.weights[first + k] : 0;
  double part[lanes] = {};
  for (int k = 0; k < block; k += lanes)
    for (int l = 0; l < lanes; ++l) part[l] += weights[k + l] * b.values[k + l];
  sums[i] += total(part);
  if (!gradient) return;
  for (int k = 0; k < block; ++k) b.slopes[k] *= weights[k];
  for (int c = 0; c < problem.dim; ++c) {
    const double x = problem.x[c * problem.samples + i];
    const double* y = problem.y + c * problem.others + first;
    double slope[lanes] = {};
    int k = 0;
    for (; k + lanes <= count; k += lanes)
      for (int l = 0; l < lanes; ++l) slope[l] += b.slopes[k + l] * (x - y[k + l]);
    for (; k < count; ++k) slope[0] += b.slopes[k] * (x - y[k]);
    gradient[c * problem.samples + i] += total(slope);
  }
}

void sums(const PairsProblem& problem, int64_t begin, int64_t end, double* out, double* gradient) {
  for (int64_t i = begin; i < end; ++i) {
    out[i] = 0;
    for (int c = 0; gradient && c < problem.dim; ++c) gradient[c * problem.samples + i] = 0;
  }
  Block b;
  for (int64_t i = begin; i < end; ++i)
    for (int64_t first = problem.later ? i + 1 : 0; first < problem.others; first += block) {
      const int64_t left = problem.others - first;
      add(problem, i, first, int(left < block ? left : block), b, out, gradient);
    }
}

}  // namespace

extern const PairsKernels pairs_kernels_table;
const PairsKernels pairs_kernels_table = {sums};

}  // namespace PEARLITE_ISA
}  // namespace pearlite
