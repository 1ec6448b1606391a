// Exact zeros and infinities of effective tensors, on host and device.
#pragma once
#include "shared/formula.hpp"

namespace pearlite {

// Leaves of a tensor (2, 2) what conducts along w only, a multiple of wwᵀ.
PEARLITE_FORMULA void project(const double* w, double* a) {
  const double square = w[0] * w[0] + w[1] * w[1];
  const double along = (w[0] * (a[0] * w[0] + a[1] * w[1]) + w[1] * (a[2] * w[0] + a[3] * w[1])) / (square * square);
  for (int i = 0; i < 2; ++i)
    for (int j = 0; j < 2; ++j) a[2 * i + j] = along * w[i] * w[j];
}

// What conducts at all goes around the torus in directions that span a space of some rank, and so does
// what conducts perfectly; of rank 1 the physical direction is w.
PEARLITE_FORMULA void apply_limits(int conducting, const double* conducting_w, int perfect, const double* perfect_w,
                                   double infinity, double* a) {
  if (conducting == 0) a[0] = a[1] = a[2] = a[3] = 0;
  if (conducting == 1) project(conducting_w, a);
  if (perfect == 2) {
    a[0] = a[3] = infinity;
    a[1] = a[2] = 0;
  }
  if (perfect != 1) return;
  for (int i = 0; i < 2; ++i)
    for (int j = 0; j < 2; ++j) {
      const double sign = perfect_w[i] * perfect_w[j];
      if (sign != 0) a[2 * i + j] = sign * infinity;
      else if (i != j) a[2 * i + j] = 0;
    }
}

}  // namespace pearlite
