// Sums of values and of their squares, whose difference is to be a variance.
#pragma once
#include "score/panel.hpp"

namespace pearlite {
namespace PEARLITE_ISA {

typedef float HalfRegister __attribute__((vector_size(PEARLITE_REGISTER_BYTES / 2)));
typedef double DoubleRegister __attribute__((vector_size(PEARLITE_REGISTER_BYTES)));

// The lanes of a register in double precision, the upper half added to the lower.
struct Halves {
  DoubleRegister low, high;
  explicit PEARLITE_INLINE Halves(const V& v) {
    HalfRegister part[2];
    std::memcpy(part, &v, sizeof part);
    low = __builtin_convertvector(part[0], DoubleRegister);
    high = __builtin_convertvector(part[1], DoubleRegister);
  }
};

struct Moments {
  DoubleRegister sum = {}, squares = {};

  // N registers. The squares are about the mean of each lane's N values, which keeps their digits.
  template <int N>
  PEARLITE_INLINE void add(const V* x) {
    V total = x[0];
#pragma GCC unroll 16
    for (int i = 1; i < N; ++i) total = total + x[i];
    const V mean = (1.0f / N) * total;
    V deviations = V::all(0);
#pragma GCC unroll 16
    for (int i = 0; i < N; ++i) {
      const V d = x[i] - mean;
      deviations = deviations + d * d;
    }
    const Halves t(total), d(deviations);
    sum += t.low + t.high;
    squares += d.low + d.high + (1.0 / N) * (t.low * t.low + t.high * t.high);
  }

  // The first `count` lanes of one register.
  PEARLITE_INLINE void add_some(const V& x, int64_t count) {
    alignas(64) float values[lanes];
    x.store(values);
    for (int64_t k = count < 0 ? 0 : count; k < lanes; ++k) values[k] = 0;
    const Halves t(V::load(values));
    sum += t.low + t.high;
    squares += t.low * t.low + t.high * t.high;
  }

  void store(double* to) const {
    double a = 0, b = 0;
    for (int k = 0; k < lanes / 2; ++k) {
      a += sum[k];
      b += squares[k];
    }
    to[0] = a;
    to[1] = b;
  }
};

}  // namespace PEARLITE_ISA
}  // namespace pearlite
