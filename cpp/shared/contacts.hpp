// Which images of two cells on the torus meet at a pixel face, on host and device.
#pragma once
#if !defined(__CUDACC__)
#include <math.h>
#endif

#include "shared/formula.hpp"

namespace pearlite {

// Between which pixels along an axis a cell's own centre is the nearest of its images: below the first
// and from the last on it is the one a period lower or higher.
struct Territory {
  int first, last;

  PEARLITE_MEMBER int period(int pixel) const { return int(pixel >= last) - int(pixel < first); }
};

// centre: in pixels, on an axis of n
PEARLITE_FORMULA Territory territory(double centre, double n) {
  return {int(ceil(centre - 0.5 * n)), int(ceil(centre + 0.5 * n))};
}

// The code of an offset of periods has a digit in base 5 for each axis, of which the last has the last.
constexpr int contact_base = 5, contact_nowhere = 62, contact_bits = 8;

// Cells k and `other`, which lies beyond k's face up an axis, at an offset. -> the key of the contact,
// in which the first cell has the lower index.
PEARLITE_FORMULA unsigned long long contact_key(long long k, long long other, int code) {
  const bool upwards = k < other;
  const long long low = upwards ? k : other, high = upwards ? other : k;
  const int digits = upwards ? code : 2 * contact_nowhere - code;  // all offsets negated
  return (unsigned long long)low << 36 | (unsigned long long)high << contact_bits | (unsigned long long)digits;
}
PEARLITE_FORMULA long long contact_first(unsigned long long key) { return (long long)(key >> 36); }
PEARLITE_FORMULA long long contact_second(unsigned long long key) { return (long long)(key >> contact_bits & 0xfffffff); }

// The image of the second cell's centre that is meant, relative to the first's, in periods: what is to be
// added to centre_second − centre_first.
template <class Number>
PEARLITE_FORMULA void contact_offset(unsigned long long key, int dimension, Number offset[3]) {
  int code = int(key & ((1u << contact_bits) - 1));
  for (int a = dimension - 1; a >= 0; --a, code /= contact_base) offset[a] = Number(code % contact_base - 2);
}

}  // namespace pearlite
