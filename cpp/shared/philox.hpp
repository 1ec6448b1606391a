// Philox 4x32-10: four random words from a counter and a key (J. K. Salmon, M. A. Moraes, R. O. Dror
// and D. E. Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011). No state: a number depends
// on its place alone, on every backend.
#pragma once
#include "shared/formula.hpp"

namespace pearlite {

struct Philox {
  unsigned int word[4];
};

PEARLITE_HOST_DEVICE static inline Philox philox(unsigned int c0, unsigned int c1, unsigned int c2,
                                                 unsigned int c3, unsigned int k0, unsigned int k1) {
  for (int round = 0; round < 10; ++round) {
    const unsigned long long a = 0xD2511F53ull * c0, b = 0xCD9E8D57ull * c2;
    const unsigned int n0 = (unsigned int)(b >> 32) ^ c1 ^ k0, n2 = (unsigned int)(a >> 32) ^ c3 ^ k1;
    c1 = (unsigned int)b;
    c3 = (unsigned int)a;
    c0 = n0;
    c2 = n2;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return {{c0, c1, c2, c3}};
}

}  // namespace pearlite
