// One step of an upper bound of the error of conjugate gradients, on host and device.
//
// With μ a lower bound of the spectrum of the preconditioned operator, the Gauss-Radau rule bounds
// the energy norm of the error at step k without any further work (Meurant, Tichý, Numer. Algorithms
// 62, 163, 2013): |e_k|² ≤ g_k (r_k, z_k) with
//   g_0 = 1/μ,   g_{k+1} = (g_k − α_k) / (μ (g_k − α_k) + β_{k+1}).
// g_k − α_k > 0 holds just as long as the smallest Ritz value lies above μ: the recursion itself
// tells when μ was too large. So several run side by side, each with half the μ of the one before.
// The first is the expected bound of the spectrum; in use is the one after the first that still
// holds, so that μ is at most half the smallest Ritz value too.
#pragma once
#include "shared/formula.hpp"

namespace pearlite {

constexpr int radau_bounds = 24;  // that run side by side

// The recursion notices that μ was too large when it is too late: with μ just below the smallest Ritz value g
// may be far below any bound. Where the bound of the spectrum itself shall be in use, as of voxels, the first
// is this much above it.
constexpr double radau_guard = 2;

// Of the bound's factor g − 1: with a good preconditioner it would promise too much.
constexpr double radau_least = .05;

// g_{k+1}; false if μ was too large, and the recursion begins anew.
PEARLITE_FORMULA bool radau_step(double& g, double mu, double alpha, double beta) {
  const double rest = g - alpha;
  g = rest > 0 ? rest / (mu * rest + beta) : 1 / mu;
  return rest > 0;
}

// Which one is in use, of those before which `first` do not hold any more.
PEARLITE_FORMULA int radau_used(int first) { return first + 1 < radau_bounds ? first + 1 : radau_bounds - 1; }

// What adding the last z leaves of the error's square, where the first bound stands guard over `spectrum`: as
// long as the second one holds, which has that μ, no eigenvalue is seen below it.
PEARLITE_FORMULA double radau_remainder(int first, double spectrum) {
  const double square = first <= 1 ? (1 - spectrum) * (1 - spectrum) : 1;
  return square > .5 ? square : .5;
}

}  // namespace pearlite
