// The passes of projected L-BFGS, compiled once for each instruction set.
#include "correlation/lbfgs.hpp"
#include "shared/simd.hpp"

namespace pearlite {
namespace PEARLITE_ISA {

constexpr int chunk = 2048;  // of each vector, so that what all pairs meet with stays in the cache
constexpr int lanes = 32;    // independent sums, so that the compiler may use whole registers

template <class T>
struct Sum {
  T lane[lanes] = {};
  double total() const {
    double sum = 0;
    for (int k = 0; k < lanes; ++k) sum += double(lane[k]);
    return sum;
  }
};

// Calls body(i, k) for i < count, k = i modulo lanes, such that it becomes vector code.
template <class Body>
PEARLITE_INLINE void sweep(int64_t count, const Body& body) {
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes)
    for (int k = 0; k < lanes; ++k) body(i + k, k);
  for (int k = 0; i < count; ++i, ++k) body(i, k);
}

// The bounds of a chunk.
template <class T>
struct Bounds {
  alignas(64) T lower_of_all[chunk], upper_of_all[chunk];
  const LbfgsTask<T>& task;
  const T *lower = lower_of_all, *upper = upper_of_all;

  explicit Bounds(const LbfgsTask<T>& t) : task(t) {
    for (int i = 0; i < chunk; ++i) lower_of_all[i] = T(t.lower), upper_of_all[i] = T(t.upper);
  }
  void go_to(int64_t from) {
    if (task.lowers) lower = task.lowers + from;
    if (task.uppers) upper = task.uppers + from;
  }
};

// The gradient, or 0 where a bound holds the unknown.
template <class T>
PEARLITE_INLINE T freed(T x, T gradient, T lower, T upper) {
  const bool held = (x <= lower && gradient > 0) || (x >= upper && gradient < 0);
  return held ? T(0) : gradient;
}

template <class T>
void new_pair(const LbfgsTask<T>& task, int64_t begin, int64_t count, const Bounds<T>& bounds, T* free, LbfgsProducts& out) {
  const T *x = task.x + begin, *g = task.gradient + begin, *lower = bounds.lower, *upper = bounds.upper;
  Sum<T> largest;
  sweep(count, [&](int64_t i, int k) {
    free[i] = freed(x[i], g[i], lower[i], upper[i]);
    const T size = free[i] < 0 ? -free[i] : free[i];
    largest.lane[k] = size > largest.lane[k] ? size : largest.lane[k];
  });
  for (int k = 0; k < lanes; ++k)
    if (double(largest.lane[k]) > out.largest) out.largest = double(largest.lane[k]);
  if (!task.old_x) return;
  const T *old_x = task.old_x + begin, *old_g = task.old_gradient + begin;
  T *s = task.step + begin, *y = task.change + begin;
  Sum<T> sy, yy;
  sweep(count, [&](int64_t i, int k) {
    s[i] = x[i] - old_x[i];
    y[i] = g[i] - old_g[i];
    sy.lane[k] += s[i] * y[i];
    yy.lane[k] += y[i] * y[i];
  });
  out.step_change += sy.total();
  out.change_change += yy.total();
}

template <class T>
void products(const LbfgsTask<T>& task, int64_t begin, int64_t end, LbfgsProducts& out) {
  alignas(64) T free[chunk];
  Bounds<T> bounds(task);
  for (int64_t from = begin; from < end; from += chunk) {
    const int64_t count = end - from < chunk ? end - from : chunk;
    bounds.go_to(from);
    new_pair(task, from, count, bounds, free, out);
    for (int p = 0; p < task.pairs; ++p) {
      const T *steps = task.steps[p] + from, *changes = task.changes[p] + from;
      Sum<T> sg, yg;
      sweep(count, [&](int64_t i, int k) {
        sg.lane[k] += steps[i] * free[i];
        yg.lane[k] += changes[i] * free[i];
      });
      out.step_gradient[p] += sg.total();
      out.change_gradient[p] += yg.total();
      if (!task.old_x) continue;
      const T *s = task.step + from, *y = task.change + from;
      Sum<T> sy, yy, ys;
      sweep(count, [&](int64_t i, int k) {
        sy.lane[k] += steps[i] * y[i];
        yy.lane[k] += changes[i] * y[i];
        ys.lane[k] += changes[i] * s[i];
      });
      out.step_new_change[p] += sy.total();
      out.change_new_change[p] += yy.total();
      out.change_new_step[p] += ys.total();
    }
  }
}

template <class T>
void step(const LbfgsTask<T>& task, int64_t begin, int64_t end, LbfgsSlopes& out) {
  const T length = T(task.length), own = T(task.of_gradient);
  Bounds<T> bounds(task);
  for (int64_t from = begin; from < end; from += chunk) {
    const int64_t count = end - from < chunk ? end - from : chunk;
    bounds.go_to(from);
    const T *x = task.x + from, *g = task.gradient + from, *lower = bounds.lower, *upper = bounds.upper;
    T *d = task.direction + from, *point = task.point + from;
    for (int64_t i = 0; i < count; ++i) d[i] = own * g[i];
    for (int p = 0; p < task.pairs; ++p) {
      const T *steps = task.steps[p] + from, *changes = task.changes[p] + from;
      const T a = T(task.of_step[p]), b = T(task.of_change[p]);
      for (int64_t i = 0; i < count; ++i) d[i] += a * steps[i] + b * changes[i];
    }
    Sum<T> slope, promised;
    sweep(count, [&](int64_t i, int k) {
      const bool held = (x[i] <= lower[i] && g[i] > 0) || (x[i] >= upper[i] && g[i] < 0);
      d[i] = held ? T(0) : d[i];
      slope.lane[k] += g[i] * d[i];
      const T there = x[i] + length * d[i];
      point[i] = there < lower[i] ? lower[i] : there > upper[i] ? upper[i] : there;
      promised.lane[k] += g[i] * (point[i] - x[i]);
    });
    out.slope += slope.total();
    out.promised += promised.total();
  }
}

extern const LbfgsKernels<float> lbfgs32_table = {products<float>, step<float>};
extern const LbfgsKernels<double> lbfgs64_table = {products<double>, step<double>};

}  // namespace PEARLITE_ISA
}  // namespace pearlite
