// How one axis is transformed: the radices of its passes and their twiddles; for sizes with large
// prime factors, the transforms of a larger size that take its place (Bluestein).
//
// A plan is made in double precision and used by kernels of every instruction set.
#pragma once
#include <cstdint>

namespace pearlite {

template <class T>
struct AxisPlan {
  static constexpr int most_passes = 24;

  int64_t n = 1;
  int passes = 0;
  int radix[most_passes] = {};
  // Of pass i: for each p < m, the powers w^p, w^2p … w^((r−1)p) of w = exp(−2πi / (r m)), where r m
  // is the length that is left, as (m, r − 1, 2).
  const T* twiddles[most_passes] = {};

  // Bluestein: X_k = c_k Σ_j (c_j x_j) conj(c_(k−j)), c_j = exp(−πi j²/n), a cyclic convolution of
  // `padded->n` ≥ 2n − 1 points.
  const AxisPlan* padded = nullptr;
  const T* chirp = nullptr;     // (n, 2): c
  const T* spectrum = nullptr;  // (padded->n, 2): the transform of conj(c), over padded->n

  // Complex elements of each of the two arrays that a transform works in.
  int64_t work() const { return padded ? padded->n : n; }
};

// The plan of one size; it lives until the program ends.
template <class T>
const AxisPlan<T>& axis_plan(int64_t n);

// The next size from n on without prime factors above 5.
int64_t good_size(int64_t n);

}  // namespace pearlite
