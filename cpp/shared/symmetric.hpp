// Symmetric tensors of three dimensions, row major, on host and device.
#pragma once
#include "shared/survey.hpp"

namespace pearlite {

struct Symmetric3 {
  double a00, a11, a22, a01, a02, a12;

  // t: (3, 3), divided by `scale`
  template <class T>
  static PEARLITE_MEMBER Symmetric3 of(const T* t, double scale) {
    const auto mean = [&](int i, int j) { return .5 * (double(t[3 * i + j]) / scale + double(t[3 * j + i]) / scale); };
    return {mean(0, 0), mean(1, 1), mean(2, 2), mean(0, 1), mean(0, 2), mean(1, 2)};
  }

  PEARLITE_MEMBER Symmetric3 adjugate() const {
    return {a11 * a22 - a12 * a12, a00 * a22 - a02 * a02, a00 * a11 - a01 * a01,
            a02 * a12 - a01 * a22, a01 * a12 - a02 * a11, a01 * a02 - a00 * a12};
  }
  PEARLITE_MEMBER double determinant() const {
    return a00 * (a11 * a22 - a12 * a12) + a01 * (a02 * a12 - a01 * a22) + a02 * (a01 * a12 - a02 * a11);
  }
  PEARLITE_MEMBER bool definite() const { return a00 > 0 && a00 * a11 - a01 * a01 > 0 && determinant() > 0; }

  // At least the largest eigenvalue, and no more than some percent above it. With the mean q of the three
  // and the deviator s it is q + x for the largest root of x³ − 3p² x − det s, 6p² = tr s². That is at most
  // 2p, from where Newton's steps come down towards it.
  PEARLITE_MEMBER double largest() const {
    const double q = (a00 + a11 + a22) / 3;
    const Symmetric3 s = {a00 - q, a11 - q, a22 - q, a01, a02, a12};
    const double off = a01 * a01 + a02 * a02 + a12 * a12;
    const double pp = (s.a00 * s.a00 + s.a11 * s.a11 + s.a22 * s.a22 + 2 * off) / 6, det = s.determinant();
    double x = 2 * sqrt(pp);
    for (int step = 0; step < 4; ++step) {
      const double slope = 3 * (x * x - pp);
      if (slope > 0) x -= (x * (x * x - 3 * pp) - det) / slope;
    }
    return x > 0 ? q + x : q;
  }
  // At most the smallest eigenvalue, of a positive definite tensor: that of the adjugate is det over it.
  PEARLITE_MEMBER double smallest() const { return determinant() / adjugate().largest(); }
};

// The largest of the sizes of a finite tensor's entries.
PEARLITE_FORMULA double largest_entry(const double* t /* (3, 3) */) {
  double largest = 0;
  for (int k = 0; k < 9; ++k) largest = fabs(t[k]) > largest ? fabs(t[k]) : largest;
  return largest;
}

// t: (3, 3). Entries are divided by the largest one, so that the determinant cannot overflow.
PEARLITE_FORMULA Defect defect_of_volume_tensor(const double* t, bool single) {
  for (int k = 0; k < 9; ++k)
    if (!(fabs(t[k]) <= 1.7976931348623157e308)) return Defect::not_finite;
  const double largest = largest_entry(t);
  if (largest == 0) return Defect::none;  // a void
  const double tolerance = single ? 1e-6 : 1e-12;
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j < i; ++j)
      if (fabs(t[3 * i + j] / largest - t[3 * j + i] / largest) > tolerance) return Defect::not_symmetric;
  return Symmetric3::of(t, largest).definite() ? Defect::none : Defect::not_definite;
}

}  // namespace pearlite
