// Exchanges of two pixels that simulated annealing proposes and accepts, on host and device: the draws of a
// chain depend on its seed, its sample and the proposal's number alone.
#pragma once
#include "shared/philox.hpp"

namespace pearlite {

struct Exchange {
  long long p, q;
  double uniform;  // in (0, 1)
};

// Two pixels of different labels, of which there are some.
template <class Label>
PEARLITE_FORMULA Exchange proposed(const Label* labels, unsigned long long pixels, unsigned long long number,
                                   unsigned long long seed, unsigned int sample) {
  Exchange e = {};
  for (unsigned int attempt = 0;; ++attempt) {
    const Philox draw = philox((unsigned int)number, (unsigned int)(number >> 32), attempt, sample,
                               (unsigned int)seed, (unsigned int)(seed >> 32));
    e.p = (long long)(draw.word[0] * pixels >> 32);
    e.q = (long long)(draw.word[1] * pixels >> 32);
    e.uniform = (draw.word[2] + .5) * 0x1p-32;
    if (labels[e.p] != labels[e.q]) return e;
  }
}

// Metropolis: a rise of the energy with probability e^(−rise / temperature).
PEARLITE_FORMULA bool accepted(long long rise, double temperature, double uniform) {
#if defined(__CUDACC__)
  return rise <= 0 || double(rise) < -temperature * log(uniform);
#else
  return rise <= 0 || double(rise) < -temperature * __builtin_log(uniform);
#endif
}

// How often a plane of shifts occurs among all, if the first half of the planes stands for the others too.
PEARLITE_FORMULA int multiplicity(long long plane, long long planes) {
  return plane == 0 || 2 * plane == planes ? 1 : 2;
}

}  // namespace pearlite
