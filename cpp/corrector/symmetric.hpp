// Symmetric tensors of three dimensions, row major.
#pragma once
#include <algorithm>
#include <cmath>

namespace pearlite {

struct Symmetric3 {
  double a00, a11, a22, a01, a02, a12;

  // t: (3, 3), divided by `scale`
  template <class T>
  static Symmetric3 of(const T* t, double scale) {
    const auto mean = [&](int i, int j) { return .5 * (double(t[3 * i + j]) / scale + double(t[3 * j + i]) / scale); };
    return {mean(0, 0), mean(1, 1), mean(2, 2), mean(0, 1), mean(0, 2), mean(1, 2)};
  }

  Symmetric3 adjugate() const {
    return {a11 * a22 - a12 * a12, a00 * a22 - a02 * a02, a00 * a11 - a01 * a01,
            a02 * a12 - a01 * a22, a01 * a12 - a02 * a11, a01 * a02 - a00 * a12};
  }
  double determinant() const { return a00 * (a11 * a22 - a12 * a12) + a01 * (a02 * a12 - a01 * a22) + a02 * (a01 * a12 - a02 * a11); }
  bool definite() const { return a00 > 0 && a00 * a11 - a01 * a01 > 0 && determinant() > 0; }

  // At least the largest eigenvalue, and no more than some percent above it. With the mean q of the three
  // and the deviator s it is q + x for the largest root of x³ − 3p² x − det s, 6p² = tr s². That is at most
  // 2p, from where Newton's steps come down towards it.
  double largest() const {
    const double q = (a00 + a11 + a22) / 3;
    const Symmetric3 s = {a00 - q, a11 - q, a22 - q, a01, a02, a12};
    const double off = a01 * a01 + a02 * a02 + a12 * a12;
    const double pp = (s.a00 * s.a00 + s.a11 * s.a11 + s.a22 * s.a22 + 2 * off) / 6, det = s.determinant();
    double x = 2 * std::sqrt(pp);
    for (int step = 0; step < 4; ++step) {
      const double slope = 3 * (x * x - pp);
      if (slope > 0) x -= (x * (x * x - 3 * pp) - det) / slope;
    }
    return q + std::max(x, 0.);
  }
  // At most the smallest eigenvalue, of a positive definite tensor: that of the adjugate is det over it.
  double smallest() const { return determinant() / adjugate().largest(); }
};

}  // namespace pearlite
