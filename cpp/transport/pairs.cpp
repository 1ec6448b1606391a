#include "transport/pairs.hpp"

#include <algorithm>

#include "parallel.hpp"

namespace pearlite {

// A sample's sums are taken in the order of the others, by whichever thread.
bool pair_sums(const PairsProblem& problem, double* sums, double* gradient) {
  constexpr int64_t tile = 16, group = 512;
  const int64_t tiles = (problem.samples + tile - 1) / tile;
  const int64_t worth = 1 + problem.samples * problem.others / (1 << 18);
  const int threads = static_cast<int>(std::min<int64_t>(problem.threads, worth));
  for (int64_t first = 0; first < tiles; first += group) {
    phased_for({std::min(group, tiles - first)}, threads, [&](int, int, int64_t piece) {
      const int64_t begin = (first + piece) * tile;
      pairs_kernels().sums(problem, begin, std::min(begin + tile, problem.samples), sums, gradient);
    });
    if (problem.interrupted && problem.interrupted(nullptr)) return false;
  }
  return true;
}

}  // namespace pearlite
