// The scores that a tessellation compares, as its definition has them, in double.
#pragma once
#include "shared/formula.hpp"

namespace pearlite {

enum class Metric { power, additive };

// The centre of pixel i of n, in the unit cell.
PEARLITE_HOST_DEVICE static inline double pixel_centre(long long i, long long n) {
  return (double(i) + 0.5) / double(n);
}

// |x − c| along one axis, on the unit torus the smallest of all images'. x and c lie in [0, 1) there.
PEARLITE_HOST_DEVICE static inline double axis_distance(double x, double c, bool periodic) {
  const double difference = x < c ? c - x : x - c;
  return periodic && difference > 0.5 ? 1 - difference : difference;
}

}  // namespace pearlite
