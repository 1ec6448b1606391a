// Sums of values and of their squares, whose difference is to be a variance.
#pragma once
#include "score/panel.hpp"

namespace pearlite {
namespace PEARLITE_ISA {

typedef double DoubleRegister __attribute__((vector_size(PEARLITE_REGISTER_BYTES)));

// The lower and the upper half of a register in double precision.
struct Halves {
  DoubleRegister low, high;
  explicit PEARLITE_INLINE Halves(const V& v) {
#if defined(__AVX512DQ__)  // (zeroing forms, since GCC 12 warns of the plain ones)
    low = (DoubleRegister)_mm512_maskz_cvtps_pd(
        0xff, _mm512_maskz_extractf32x8_ps(0xff, (__m512)v.r[0], 0));
    high = (DoubleRegister)_mm512_maskz_cvtps_pd(
        0xff, _mm512_maskz_extractf32x8_ps(0xff, (__m512)v.r[0], 1));
#else
    for (int k = 0; k < lanes / 2; ++k) {
      low[k] = double(v.r[0][k]);
      high[k] = double(v.r[0][k + lanes / 2]);
    }
#endif
  }
};

class Moments {
 public:
  // N registers. The squares are about the mean of each lane's N values, which keeps their digits.
  template <int N>
  PEARLITE_INLINE void add(const V* x) {
    // In four sums, or each addition would wait for the one before.
    V sums[4] = {x[0], x[1], x[2], x[3]}, squares[4];
#pragma GCC unroll 16
    for (int i = 4; i < N; ++i) sums[i % 4] = sums[i % 4] + x[i];
    const V total = (sums[0] + sums[1]) + (sums[2] + sums[3]), mean = (1.0f / N) * total;
#pragma GCC unroll 16
    for (int i = 0; i < N; ++i) {
      const V d = x[i] - mean;
      squares[i % 4] = i < 4 ? d * d : squares[i % 4] + d * d;
    }
    deviations_ = deviations_ + ((squares[0] + squares[1]) + (squares[2] + squares[3]));
    const Halves t(total);
    sum_ += t.low + t.high;
    squares_ += (1.0 / N) * (t.low * t.low + t.high * t.high);
  }

  // The first `count` lanes of one register.
  PEARLITE_INLINE void add_some(const V& x, int64_t count) {
    alignas(64) float values[lanes];
    x.store(values);
    for (int64_t k = count < 0 ? 0 : count; k < lanes; ++k) values[k] = 0;
    const Halves t(V::load(values));
    sum_ += t.low + t.high;
    squares_ += t.low * t.low + t.high * t.high;
  }

  // to: sum, and sum of squares.
  PEARLITE_INLINE void add_to(double* to) const {
    const Halves d(deviations_);
    to[0] += total(sum_);
    to[1] += total(squares_ + d.low + d.high);
  }

 private:
  static PEARLITE_INLINE double total(const DoubleRegister& lane) {
    double sums[lanes / 2];
    for (int k = 0; k < lanes / 2; ++k) sums[k] = lane[k];
    for (int half = lanes / 4; half > 0; half /= 2)
      for (int k = 0; k < half; ++k) sums[k] += sums[k + half];
    return sums[0];
  }

  V deviations_ = V::all(0);
  DoubleRegister sum_ = {}, squares_ = {};
};

}  // namespace PEARLITE_ISA
}  // namespace pearlite
