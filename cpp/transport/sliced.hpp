// Sliced Wasserstein distances of weighted samples,
//
//   S_p^p = 1/L Σ_l W_p^p(θ_l·x, θ_l·y),   W_p^p(u, v) = ∫_0^1 |Q_u(s) − Q_v(s)|^p ds,   p = 1 or 2,
//
// Q the quantile functions, which are steps. For p = 2, with x_i at the levels I_i of direction l, of
// length w_i, and t_li the mean of Q_(θ_l·y) over I_i, its target,
//
//   W_2^2 = Σ_i w_i (θ_l·x_i − t_li)² + Σ_i ∫_{I_i} (Q_y − t_li)²,
//   ∂S_2^2/∂x_i = 2 w_i / L Σ_l θ_l (θ_l·x_i − t_li).
//
// If x has no weights, I_i is given by the rank of x_i alone: targets by rank and the last sum (the
// spread) are made once for all x.
#pragma once
#include <cstdint>

#include "dispatch.hpp"

namespace pearlite {

// The projections of y. Weights are sums, which end in 1.
struct TransportTarget {
  int64_t atoms = 0;
  const double* sorted = nullptr;   // (directions, atoms), ascending
  const double* levels = nullptr;   // (directions, atoms), summed weights in that order; null if equal
  const double* ranked = nullptr;   // (directions, samples), targets by rank, or null
};

struct TransportProblem {
  int64_t samples = 0, directions = 0;
  int dim = 1, order = 2, threads = 1;
  const double* x = nullptr;        // (dim, samples)
  const double* weights = nullptr;  // (samples), of sum 1, or null if equal
  const double* theta = nullptr;    // (directions, dim)
  TransportTarget y;
  const double* jacobian = nullptr; // (samples, dim, parameters) of x, or null
  int64_t parameters = 0, bins = 0; // bins of ranks over which the Jacobian is averaged
  bool (*interrupted)(void*) = nullptr;
};

struct TransportOutcome {
  double* values = nullptr;         // (directions), W_p^p without the spread
  double* gradient = nullptr;       // (dim, samples) of S_p^p, or null
  double* normal = nullptr;         // (directions, parameters, parameters), see `normal_matrix`, or null
};

// All return false if they were interrupted.
bool sliced_distance(const TransportProblem&, const TransportOutcome&);
// Sorts θ_l·x into sorted (directions, samples), with summed weights in levels unless that is null.
bool sort_projections(const TransportProblem&, double* sorted, double* levels);
// Targets by rank (directions, samples) of `samples` equal weights, and the spread (directions).
bool rank_targets(const TransportProblem&, double* ranked, double* spread);

// A projection with its sample, as the radix sort moves it.
struct SortItem {
  uint32_t key, index;
};

// Memory of a thread, of `samples` entries each.
struct SortWork {
  double *projected, *ordered, *residual;
  uint32_t* order;
  SortItem *items, *others;
};

struct TransportKernels {
  // Sorts θ_l·x: work.ordered ascending, work.order their samples; work.projected as they come.
  void (*sort)(const TransportProblem&, int64_t direction, const SortWork&);
  // -> W_p^p of the sorted projections, without the spread if targets are by rank. residual: (samples),
  // the derivative w_i (θ_l·x_i − t_li) for p = 2, w_i-weighted signs / 2 for p = 1, or null.
  double (*compare)(const TransportProblem&, int64_t direction, const SortWork&, double* residual);
  // J̄ᵀJ̄ (parameters, parameters) of one direction, J̄ the means over bins of ranks of θ_l·∂x_i;
  // scratch: (dim + 1) parameters.
  void (*normal_matrix)(const TransportProblem&, int64_t direction, const SortWork&, double* scratch, double* out);
  // Adds θ_l residual_l to the gradient for directions [first, last) and samples [begin, end).
  void (*gather)(const TransportProblem&, int64_t first, int64_t last, int64_t begin, int64_t end, double scale,
                 const double* residual, double* gradient);
  // Targets by rank and the spread of one direction.
  double (*targets)(const TransportTarget&, int64_t samples, int64_t direction, double* ranked);
};
PEARLITE_DECLARE_KERNELS(TransportKernels, transport_kernels)

}  // namespace pearlite
