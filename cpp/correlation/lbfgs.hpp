// What an iteration of projected L-BFGS does with long vectors, in two passes over its memory:
//
//   products  the new step s and change y of the gradient, kept; the inner products of all pairs
//             with y, with s, and with the free gradient: zero where a bound holds an unknown
//   step      the direction, a combination of all pairs and the free gradient, and the point it
//             leads to within the bounds
#pragma once
#include <cstdint>

#include "dispatch.hpp"

namespace pearlite {

constexpr int most_pairs = 64;

// Vectors of n numbers.
template <class T>
struct LbfgsTask {
  int64_t n = 0;
  double lower = 0, upper = 1;
  const T* lowers = nullptr;     // bounds of each unknown, or null: then those above hold for all
  const T* uppers = nullptr;
  const T* x = nullptr;          // the point, and its gradient
  const T* gradient = nullptr;
  const T* old_x = nullptr;      // products: those before the step, or null if there was none
  const T* old_gradient = nullptr;
  T* step = nullptr;             // products: where s and y go
  T* change = nullptr;
  int pairs = 0;
  const T* steps[most_pairs] = {};
  const T* changes[most_pairs] = {};
  double of_step[most_pairs] = {}, of_change[most_pairs] = {};  // step: their factors
  double of_gradient = 0, length = 1;
  T* direction = nullptr;        // step: out
  T* point = nullptr;            // x + length · direction, within the bounds
};

// What products gives, sums over a piece.
struct LbfgsProducts {
  double step_change = 0, change_change = 0;  // s · y, y · y
  double largest = 0;                         // of the free gradient, in magnitude
  double step_gradient[most_pairs] = {}, change_gradient[most_pairs] = {};  // of each pair with g
  double step_new_change[most_pairs] = {}, change_new_change[most_pairs] = {}, change_new_step[most_pairs] = {};
};
// And step: the free gradient times the direction, and the gradient times the move within bounds.
struct LbfgsSlopes {
  double slope = 0, promised = 0;
};

template <class T>
LbfgsProducts lbfgs_products(const LbfgsTask<T>&, int threads);
template <class T>
LbfgsSlopes lbfgs_step(const LbfgsTask<T>&, int threads);

// Kernels work on [begin, end).
template <class T>
struct LbfgsKernels {
  void (*products)(const LbfgsTask<T>&, int64_t begin, int64_t end, LbfgsProducts& sum);
  void (*step)(const LbfgsTask<T>&, int64_t begin, int64_t end, LbfgsSlopes& sum);
};
PEARLITE_DECLARE_KERNELS(LbfgsKernels<float>, lbfgs32)
PEARLITE_DECLARE_KERNELS(LbfgsKernels<double>, lbfgs64)

}  // namespace pearlite
