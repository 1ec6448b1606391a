// Scores of the metric `additive` in a small box, in float32.
//
// They are made positive, so that they are ordered like the integers that they look like, and the
// lowest bits of those give way to the candidate's number.
#pragma once
#include "laguerre/power_scores.hpp"

namespace pearlite {
namespace PEARLITE_ISA {

using Floats = Vec<float, 16>;

// About √a, by a relative error of at most root_error. a > 0.
#if defined(__AVX512F__)
constexpr double root_error = 0x1.01p-14;
#else
constexpr double root_error = 0x1p-23;
#endif
PEARLITE_INLINE Floats root(const Floats& a) {
#if defined(__AVX512F__)
  Floats c;
  c.r[0] = a.r[0] * (Floats::Register)_mm512_maskz_rsqrt14_ps(0xffff, (__m512)a.r[0]);
  return c;
#else
  return sqrt(a);
#endif
}

template <int D>
class AdditiveScores {
 public:
  static constexpr int most = 256;        // candidates
  static constexpr bool has_zero = false;
  static constexpr int most_rows = 64;    // of a box along an axis

  // As PowerScores::prepare; the units are those of floats, taken for integers. 0 if float32 cannot
  // tell any two scores apart.
  uint32_t prepare(const Candidates<D>& list, const Box<D>& box, const int64_t* count, const int64_t* n, int bits,
                   double slack) {
    const double radius = box.radius();
    double low = __builtin_inf(), high = -low, far = 0, heaviest = 0;
    for (int64_t k = 0; k < list.count; ++k) {
      double q = 0;
      for (int a = 0; a < D; ++a) q += (list.x[a][k] - box.centre[a]) * (list.x[a][k] - box.centre[a]);
      const double d = __builtin_sqrt(q), w = list.w[k] - list.w[0];
      low = d - radius - w < low ? d - radius - w : low;
      high = d + radius - w > high ? d + radius - w : high;
      far = d + radius > far ? d + radius : far;
      heaviest = __builtin_fabs(w) > heaviest ? __builtin_fabs(w) : heaviest;
    }
    if (far + heaviest > 1e15 || slack > far) return 0;
    // Scores start at `floor`, so that with their errors, which are smaller, they are positive.
    const double floor = 0x1p-6 * (high - low) + 0x1p-10 * (far + heaviest) + tiny, top = high - low + floor;
    for (int64_t k = 0; k < list.count; ++k) {
      weight_[k] = float(floor - low - (list.w[k] - list.w[0]));
      square_offsets(list, k, box, count, n);
    }
    keep_ = ~0u << bits;
    // Of one score: its root; offsets, squares and their sum; its weight and the difference; its bits
    // that give way.
    const double error = far * (root_error + 0x1p-20) + tiny + (heaviest + top) * 0x1p-22 + top * 0x1p-23 * double(1 << bits);
    const float limit = float(1.01 * (2 * error + slack));
    return __builtin_bit_cast(uint32_t, limit);
  }

  // The scores of candidate k: 16 pixels of one row each, from row (i, j) on; in two dimensions i is 0.
  template <int R>
  struct RowsOf {
    Floats across;
    alignas(32) float below[R];
    float weight;
    Ints keep, number;

    PEARLITE_INLINE Ints next(int r) {
      const Floats score = root(across + Floats::all(below[r])) + Floats::all(weight);
      Ints bits;
      for (int i = 0; i < Ints::registers; ++i) bits.r[i] = ((Ints::Register)score.r[i] & keep.r[i]) | number.r[i];
      return bits;
    }
  };
  template <int R>
  PEARLITE_INLINE RowsOf<R> rows(int64_t k, int64_t i, int64_t j) const {
    RowsOf<R> rows;
    rows.across = across_[k];
    const float* squares = squares_[D - 2][k] + j;
    const float other = D == 3 ? squares_[0][k][i] : 0;
    for (int r = 0; r < R; ++r) rows.below[r] = squares[r] + other;
    rows.weight = weight_[k];
    rows.keep = Ints::all(keep_);
    rows.number = Ints::all(uint32_t(k));
    return rows;
  }
  static PEARLITE_INLINE Ints gap(const Ints& less, const Ints& more) {
    Ints gap;
    for (int i = 0; i < Ints::registers; ++i)
      gap.r[i] = (Ints::Register)((Floats::Register)more.r[i] - (Floats::Register)less.r[i]);
    return gap;
  }
  static PEARLITE_INLINE Ints zero() { return Ints::all(0); }

 private:
  static constexpr double tiny = 1e-15;  // its square keeps roots from 0

  // Squares of the distances along each axis from the pixels of the box.
  void square_offsets(const Candidates<D>& list, int64_t k, const Box<D>& box, const int64_t* count, const int64_t* n) {
    for (int a = 0; a < D; ++a) {
      const float pitch = float(1 / double(n[a])), first = float(-0.5 * double(count[a] - 1));
      const float site = float(list.x[a][k] - box.centre[a]);
      if (a == D - 1) {
        const Floats x = (Floats::load(numbers()) + Floats::all(first)) * Floats::all(pitch) - Floats::all(site);
        across_[k] = x * x + Floats::all(float(tiny * tiny));
      } else {
        for (int64_t i = 0; i < count[a]; ++i) {
          const float x = (float(i) + first) * pitch - site;
          squares_[a][k][i] = x * x;
        }
      }
    }
  }
  static const float* numbers() {
    alignas(64) static const float lanes[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    return lanes;
  }

  Floats across_[most];
  float weight_[most], squares_[D - 1][most][most_rows + 8];
  uint32_t keep_ = 0;
};

}  // namespace PEARLITE_ISA
}  // namespace pearlite
