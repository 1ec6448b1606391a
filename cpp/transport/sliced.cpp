#include "transport/sliced.hpp"

#include <algorithm>
#include <vector>

#include "parallel.hpp"

namespace pearlite {
namespace {

constexpr int64_t tile = 2048;             // samples of a piece of the gradient
constexpr int64_t buffer = int64_t{1} << 21;  // residuals kept at a time
constexpr int64_t poll = int64_t{1} << 24;    // projections between two looks at signals

class Works {
 public:
  Works(int64_t samples, int threads, int64_t scratch)
      : doubles_(3 * samples + scratch), numbers_(std::size_t(threads * doubles_)),
        order_(std::size_t(threads * samples)), items_(std::size_t(2 * threads * samples)), samples_(samples) {}

  SortWork of(int worker) {
    double* numbers = numbers_.data() + worker * doubles_;
    SortItem* items = items_.data() + 2 * worker * samples_;
    return {numbers, numbers + samples_, numbers + 2 * samples_, order_.data() + worker * samples_, items,
            items + samples_};
  }
  double* scratch(int worker) { return numbers_.data() + worker * doubles_ + 3 * samples_; }

 private:
  int64_t doubles_;
  std::vector<double> numbers_;
  std::vector<uint32_t> order_;
  std::vector<SortItem> items_;
  int64_t samples_;
};

int worthwhile(const TransportProblem& problem) {
  const int64_t pieces = std::min<int64_t>(problem.directions, 1 + problem.samples * problem.directions / (1 << 15));
  return static_cast<int>(std::min<int64_t>(problem.threads, pieces));
}

bool stopped(const TransportProblem& problem) { return problem.interrupted && problem.interrupted(nullptr); }

// Calls body(worker, direction) for all directions.
template <class Body>
bool for_directions(const TransportProblem& problem, int threads, const Body& body) {
  const int64_t block = std::max<int64_t>(4 * threads, poll / std::max<int64_t>(problem.samples, 1));
  for (int64_t first = 0; first < problem.directions; first += block) {
    const int64_t count = std::min(block, problem.directions - first);
    phased_for({count}, threads, [&](int worker, int, int64_t piece) { body(worker, first + piece); });
    if (stopped(problem)) return false;
  }
  return true;
}

}  // namespace

bool sliced_distance(const TransportProblem& problem, const TransportOutcome& out) {
  const auto& kernels = transport_kernels();
  const int64_t n = problem.samples;
  const int threads = worthwhile(problem);
  Works works(n, threads, (problem.dim + 1) * problem.parameters);
  // The gradient is a sum over directions in their order, for tiles of samples: the same for any
  // number of threads.
  const int64_t chunk =
      std::min(problem.directions, std::max<int64_t>(4 * threads, std::min<int64_t>(buffer / n, 64)));
  std::vector<double> residuals(out.gradient ? std::size_t(chunk * n) : 0);
  if (out.gradient) std::fill_n(out.gradient, problem.dim * n, 0.0);
  const int64_t tiles = out.gradient ? (n + tile - 1) / tile : 0;
  const int64_t chunks = (problem.directions + chunk - 1) / chunk;
  const int64_t group = std::max<int64_t>(1, poll / (chunk * n));
  const double scale = 2.0 / double(problem.directions);
  const auto body = [&](int worker, int64_t first, bool gathers, int64_t piece) {
    const int64_t last = std::min(first + chunk, problem.directions);
    if (gathers) {
      kernels.gather(problem, first, last, piece * tile, std::min(n, (piece + 1) * tile), scale, residuals.data(),
                     out.gradient);
      return;
    }
    const SortWork work = works.of(worker);
    const int64_t direction = first + piece;
    kernels.sort(problem, direction, work);
    double* normal = out.normal ? out.normal + direction * problem.parameters * problem.parameters : nullptr;
    if (normal) kernels.normal_matrix(problem, direction, work, works.scratch(worker), normal);
    double* residual = out.gradient ? residuals.data() + piece * n : nullptr;
    out.values[direction] = kernels.compare(problem, direction, work, residual);
  };
  for (int64_t begin = 0; begin < chunks; begin += group) {
    std::vector<int64_t> counts;
    for (int64_t k = begin; k < std::min(begin + group, chunks); ++k) {
      counts.push_back(std::min(chunk, problem.directions - k * chunk));
      counts.push_back(tiles);
    }
    phased_for(counts, threads, [&](int worker, int phase, int64_t piece) {
      body(worker, (begin + phase / 2) * chunk, phase % 2 == 1, piece);
    });
    if (stopped(problem)) return false;
  }
  return true;
}

bool sort_projections(const TransportProblem& problem, double* sorted, double* levels) {
  const auto& kernels = transport_kernels();
  const int64_t n = problem.samples;
  const int threads = worthwhile(problem);
  Works works(n, threads, 0);
  return for_directions(problem, threads, [&](int worker, int64_t direction) {
    const SortWork work = works.of(worker);
    kernels.sort(problem, direction, work);
    std::copy_n(work.ordered, n, sorted + direction * n);
    if (!levels) return;
    double sum = 0;
    for (int64_t k = 0; k < n; ++k) levels[direction * n + k] = sum += problem.weights[work.order[k]];
  });
}

bool rank_targets(const TransportProblem& problem, double* ranked, double* spread) {
  const auto& kernels = transport_kernels();
  return for_directions(problem, worthwhile(problem), [&](int, int64_t direction) {
    spread[direction] = kernels.targets(problem.y, problem.samples, direction, ranked + direction * problem.samples);
  });
}

}  // namespace pearlite
