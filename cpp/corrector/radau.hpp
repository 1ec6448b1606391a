// Upper bounds of the error of conjugate gradients, from its own coefficients.
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
#include "grid.hpp"

namespace pearlite {
namespace PEARLITE_ISA {

class Radau {
 public:
  static constexpr int count = 24;

  void start(int lane, double expected) {
    for (int c = 0; c < count; ++c, expected *= .5) {
      mu_[c][lane] = expected;
      g_[c][lane] = 1 / expected;
    }
    first_[lane] = 0;
  }

  void step(int lane, double alpha, double beta) {
    for (int c = first_[lane]; c < count; ++c) {
      const double rest = g_[c][lane] - alpha;
      if (rest > 0) {
        g_[c][lane] = rest / (mu_[c][lane] * rest + beta);
      } else {
        g_[c][lane] = 1 / mu_[c][lane];
        first_[lane] = c + 1 < count ? c + 1 : c;
      }
    }
  }

  // g_k with the first that still holds, where `expected` has its own reserve.
  double closest(int lane) const { return g_[first_[lane]][lane]; }

  // g_k
  double factor(int lane) const { return g_[first_[lane] + 1 < count ? first_[lane] + 1 : count - 1][lane]; }

 private:
  double mu_[count][LANES], g_[count][LANES];
  int first_[LANES];  // the first that still holds
};

}  // namespace PEARLITE_ISA
}  // namespace pearlite
