// Means of the pixels of a cell on a circle, on host and device.
#pragma once
#if !defined(__CUDACC__)
#include <math.h>
#endif

#include "shared/formula.hpp"

namespace pearlite {

// profile: (n,), a cell's pixels in each slice. -> its mean on the circle and the sum of squares about
// it: the least variance of all ways to cut the circle open. Ties go to the first cut. `Wide` is an
// integer of 128 bits, which products of sums over an image take.
struct CircleMean {
  double mean, square;
};
template <class Wide, class Count>
PEARLITE_FORMULA CircleMean circle_mean(const Count* profile, long long n) {
  Wide mass = 0, sum = 0, square = 0;
  for (long long i = 0; i < n; ++i) {
    const Wide pixels = (long long)profile[i];
    mass = mass + pixels;
    sum = sum + Wide(i) * pixels;
    square = square + Wide(i * i) * pixels;
  }
  Wide best = mass * square - sum * sum, best_sum = sum;
  for (long long i = 0; i + 1 < n; ++i) {  // slice i goes from below the cut to above
    const Wide pixels = (long long)profile[i];
    sum = sum + Wide(n) * pixels;
    square = square + Wide((2 * i + n) * n) * pixels;
    const Wide spread = mass * square - sum * sum;
    if (spread < best) {
      best = spread;
      best_sum = sum;
    }
  }
  const double whole = double(mass);
  return {double(best_sum) / whole, double(best) / whole};
}

// A position on a circle of n, in [0, n).
PEARLITE_FORMULA double wrapped(double position, double n) {
  position -= floor(position / n) * n;
  return position >= n ? 0 : position;
}

}  // namespace pearlite
