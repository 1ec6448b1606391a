// Sums over all pairs of two weighted samples, of which energy distances and maximum mean
// discrepancies are made:
//
//   f_i = Σ_j v_j k(|x_i − y_j|),   g_i = Σ_j v_j ∂k(|x_i − y_j|)/∂x_i,
//
// with k(r) = r, or k(r) = exp(−r²/2h²).
#pragma once
#include <cstdint>

#include "dispatch.hpp"

namespace pearlite {

struct PairsProblem {
  int64_t samples = 0, others = 0;
  int dim = 1, threads = 1;
  const double* x = nullptr;        // (dim, samples)
  const double* y = nullptr;        // (dim, others)
  const double* weights = nullptr;  // v, (others)
  double bandwidth = 0;             // h, or 0 for k(r) = r
  bool later = false;               // only j > i: half of the pairs, where y is x
  bool (*interrupted)(void*) = nullptr;
};

// sums: (samples), f; gradient: (dim, samples), g, or null. Returns false if it was interrupted.
bool pair_sums(const PairsProblem&, double* sums, double* gradient);

struct PairsKernels {
  // Samples [begin, end).
  void (*sums)(const PairsProblem&, int64_t begin, int64_t end, double* sums, double* gradient);
};
PEARLITE_DECLARE_KERNELS(PairsKernels, pairs_kernels)

}  // namespace pearlite
