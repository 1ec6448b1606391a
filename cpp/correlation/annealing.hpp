// Simulated annealing of labels towards integer two-point counts (C. L. Y. Yeong and S. Torquato,
// Phys. Rev. E 57, 495 (1998)): two pixels of different phases are exchanged, and
//
//   E = Σ_i Σ_r (C_i(r) − T_i(r))²,   C_i(r) = Σ_x M_i(x) M_i(x + r)
//
// over all shifts r of the periodic cell changes by whole numbers, so that nothing ever drifts.
#pragma once
#include <cstdint>
#include <vector>

#include "dispatch.hpp"

namespace pearlite {

// What a kernel knows of one phase. The last axis lies twice in a row, so that n values from any
// place on are contiguous: row (x0, x1) has 2 n entries.
struct AnnealingPhase {
  int8_t* indicator = nullptr;  // (n0 m, 2 n): M(x)
  int8_t* reversed = nullptr;   // (n0 m, 2 n): M(−x)
  // C − T at half the shifts, (n0/2 + 1) m rows of n: 2048 high + low if `wide`, else low alone.
  int16_t* low = nullptr;
  int16_t* high = nullptr;
};

struct AnnealingState {
  int64_t n0 = 1, m = 1, n = 1;
  int phases = 0;  // of which there are counts
  bool wide = false;
  AnnealingPhase phase[256];
  int first = 0;   // the label of phase[0]; the others follow
  int32_t* labels = nullptr;  // (n0, m, n)
  int64_t energy = 0;
};

struct AnnealingRun {
  uint64_t seed = 0;
  uint64_t sample = 0;
  int64_t first = 0;       // the number of the first proposal
  int64_t proposals = 0;
  double temperature = 0;  // of the first proposal; it is multiplied by `cooling` after each
  double cooling = 1;
  int64_t accepted = 0;    // out, as are the energies
  int64_t best = 0;
};

struct AnnealingKernels {
  // Runs until the proposals are made or the energy is zero; returns how many were made.
  int64_t (*run)(AnnealingState&, AnnealingRun&);
};
PEARLITE_DECLARE_KERNELS(AnnealingKernels, annealing_kernels)

// One chain.
class Annealer {
 public:
  // labels (n0, m, n) from `first` on; target: (phases, n0, m, n) counts of labels first … first +
  // phases − 1.
  Annealer(const int32_t* labels, const int64_t* target, int64_t n0, int64_t m, int64_t n, int first, int phases);

  int64_t run(AnnealingRun& run) { return annealing_kernels().run(state_, run); }
  const AnnealingState& state() const { return state_; }
  // Counts that differ from the target's.
  int64_t wrong() const;

 private:
  int64_t pixel(int64_t x0, int64_t x1, int64_t x2) const { return (x0 * state_.m + x1) * state_.n + x2; }
  void mark(int phase);
  void count(int phase, const int64_t* target);

  AnnealingState state_;
  std::vector<int32_t> labels_;
  std::vector<int8_t> images_;
  std::vector<int16_t> differences_;
};

}  // namespace pearlite
