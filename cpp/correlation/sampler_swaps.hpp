// Exchanges of labels at interfaces that lower an energy of integer statistics, at constant fractions.
//
//   E = Σ_x G_label(x)(x) + Σ w (n − t)², over chord lengths and over small patterns of labels,
//
// n the counts of the periodic labels, t those wanted and w their weights. G is the gradient of
// whatever else is wanted, such as two-point correlations, and is held fixed for a round.
#pragma once
#include <cstdint>
#include <vector>

namespace pearlite {

// Counts of one kind that are wanted: (rows, bins) with weights; the last bin of chords takes all longer.
struct WantedCounts {
  int64_t rows = 0, bins = 0;
  const float* target = nullptr;
  const float* weight = nullptr;
};

struct SwapProblem {
  int phases = 2;
  int64_t shape[3] = {1, 1, 1};        // n0 = 1 in two dimensions
  uint8_t* labels = nullptr;           // (n0, n1, n2), in place
  const float* gradient = nullptr;     // (phases, n0, n1, n2)
  WantedCounts chords;                 // rows: axis, phase
  WantedCounts patterns;               // rows: patterns; bins: phases^cells
  int cells = 0;                       // of a pattern
  const int* offsets = nullptr;        // (patterns, cells, 3)
  int64_t proposals = 0;
  double enough = 1e300;               // of the decrease of Σ G: then the round ends
  double temperature = 0;
  uint64_t seed = 0;
  uint32_t round = 0;
  bool (*interrupted)(void*) = nullptr;
};

struct SwapOutcome {
  int64_t proposed = 0, accepted = 0;
  double gradient_change = 0;          // of Σ G
  double chords = 0, patterns = 0;     // Σ w (n − t)² at the end
  bool interrupted = false;
};

SwapOutcome swap_labels(const SwapProblem& problem);

// The counts of labels, as `swap_labels` keeps them: (3 * phases, bins) and (patterns, bins).
void count_statistics(const SwapProblem& problem, int32_t* chords, int32_t* patterns);

}  // namespace pearlite
