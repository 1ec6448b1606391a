// Exact zeros and infinities of effective tensors, on host and device.
#pragma once
#if !defined(__CUDACC__)
#include <math.h>
#endif

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

// In three dimensions: the orthogonal projector (3, 3) on the span of so many directions, which are made
// orthonormal.
PEARLITE_FORMULA void projector(int rank, double (*direction)[3], double* out) {
  for (int k = 0; k < 9; ++k) out[k] = rank == 3 && k % 4 == 0 ? 1 : 0;
  for (int k = 0; k < 2; ++k) {
    if (rank == 3 || k >= rank) continue;
    double* own = direction[k];
    if (k == 1) {
      const double* other = direction[0];
      const double dot = own[0] * other[0] + own[1] * other[1] + own[2] * other[2];
      for (int d = 0; d < 3; ++d) own[d] -= dot * other[d];
    }
    const double length = sqrt(own[0] * own[0] + own[1] * own[1] + own[2] * own[2]);
    for (int d = 0; d < 3; ++d) own[d] /= length;
    for (int d = 0; d < 9; ++d) out[d] += own[d / 3] * own[d % 3];
  }
}

// a = p a p of tensors (3, 3).
PEARLITE_FORMULA void project_between(const double* p, double* a) {
  double half[9];
  for (int k = 0; k < 9; ++k) {
    const int e = k % 3;
    const double* row = p + (k - e);
    half[k] = row[0] * a[e] + row[1] * a[3 + e] + row[2] * a[6 + e];
  }
  for (int k = 0; k < 9; ++k) {
    const int e = k % 3;
    const double* row = half + (k - e);
    a[k] = row[0] * p[e] + row[1] * p[3 + e] + row[2] * p[6 + e];
  }
}

// As apply_limits, of a tensor (3, 3); the first `rank` rows are the physical directions, and are changed.
PEARLITE_FORMULA void apply_limits(int conducting, double (*conducting_w)[3], int perfect, double (*perfect_w)[3],
                                   double infinity, double* a) {
  double span[9], rest[9];
  if (conducting < 3) {
    projector(conducting, conducting_w, span);
    project_between(span, a);
  }
  if (perfect == 0) return;
  projector(perfect, perfect_w, span);
  for (int k = 0; k < 9; ++k) rest[k] = (k % 4 == 0 ? 1 : 0) - span[k];
  project_between(rest, a);
  for (int k = 0; k < 9; ++k)
    if (fabs(span[k]) > 1e-12) a[k] = span[k] * infinity;
}

}  // namespace pearlite
