// Upper bounds of the error of conjugate gradients, lane by lane; see shared/radau.hpp.
#pragma once
#include "grid.hpp"
#include "shared/radau.hpp"

namespace pearlite {
namespace PEARLITE_ISA {

class Radau {
 public:
  static constexpr int count = radau_bounds;

  void start(int lane, double expected) {
    for (int c = 0; c < count; ++c, expected *= .5) {
      mu_[c][lane] = expected;
      g_[c][lane] = 1 / expected;
    }
    first_[lane] = 0;
  }

  void step(int lane, double alpha, double beta) {
    for (int c = first_[lane]; c < count; ++c)
      if (!radau_step(g_[c][lane], mu_[c][lane], alpha, beta)) first_[lane] = c + 1 < count ? c + 1 : c;
  }

  // The first that still holds.
  int first(int lane) const { return first_[lane]; }

  // g_k
  double factor(int lane) const { return g_[radau_used(first_[lane])][lane]; }

 private:
  double mu_[count][LANES], g_[count][LANES];
  int first_[LANES];  // the first that still holds
};

}  // namespace PEARLITE_ISA
}  // namespace pearlite
