// Scores of the metric `power` in a small box, in fixed point.
//
// Less that of the first candidate, a score is linear in the pixel's position: along a row it grows by
// a constant step. In 32-bit integers such sums are exact, and when steps are multiples of the number
// of candidates, rounded up to a power of two, the lowest bits carry the candidate's number along.
#pragma once
#include "laguerre/candidates.hpp"

namespace pearlite {
namespace PEARLITE_ISA {

using Ints = Vec<uint32_t, 16>;

template <int D>
class PowerScores {
 public:
  static constexpr int most = 256;         // candidates
  static constexpr bool has_zero = true;   // scores of the first candidate are all the same

  // Returns the largest gap between two scores that may be none, in their units. `list` is padded;
  // bits: of a candidate's number; count: (D,) pixels of the box, n: (D,) of the cell.
  uint32_t prepare(const Candidates<D>& list, const Box<D>& box, const int64_t* count, const int64_t* n, int bits,
                   double slack) {
    alignas(64) double first[most], step[D][most], sizes[8];
    double range = slack, pixels = 0, pitch[D];
    for (int axis = 0; axis < D; ++axis) {
      pixels += double(count[axis] - 1);
      pitch[axis] = count[axis] > 1 ? 1 / double(n[axis]) : 0;
    }
    for (int64_t k = 0; k < list.count; k += 8) {
      Doubles corner = Doubles::all(list.w[0]) - Doubles::load(list.w + k), size = Doubles::all(0);
      for (int axis = 0; axis < D; ++axis) {
        const Doubles c = Doubles::load(list.x[axis] + k), c0 = Doubles::all(list.x[axis][0]);
        const Doubles slope = -2.0 * (c - c0);
        corner = corner - slope * (0.5 * (c + c0) - Doubles::all(box.centre[axis] - box.half[axis]));
        size = size + 2 * box.half[axis] * abs(slope);
        (slope * Doubles::all(pitch[axis])).store(step[axis] + k);
      }
      corner.store(first + k);
      max(corner + size, size - corner).store(sizes);
      for (int i = 0; i < 8 && k + i < list.count; ++i) range = sizes[i] > range ? sizes[i] : range;
    }
    const double unit = double(1 << bits), scale = 0x1p29 / range / unit;
    for (int64_t k = 0; k < list.count; ++k) {
      base_[k] = offset + (uint32_t(int32_t(first[k] * scale)) << bits) + uint32_t(k);
      for (int axis = 0; axis < D; ++axis) step_[axis][k] = uint32_t(int32_t(step[axis][k] * scale)) << bits;
      lanes_[k] = Ints::load(numbers()) * Ints::all(step_[D - 1][k]);
    }
    // Each of the numbers that make up a score is cut to a multiple of `unit`, and less than one
    // unit is the candidate's number.
    const double doubt = 2 * unit * (pixels + 2) + 1.01 * scale * unit * slack + 1;
    return doubt < 0x1p30 ? uint32_t(doubt) : 1u << 30;
  }

  // The scores of candidate k: 16 pixels of one row each, from row (i, j) on; in two dimensions i is 0.
  struct Rows {
    Ints value, step;

    PEARLITE_INLINE Ints next(int) {
      const Ints now = value;
      value = value + step;
      return now;
    }
  };
  template <int R>
  PEARLITE_INLINE Rows rows(int64_t k, int64_t i, int64_t j) const {
    const uint32_t from = base_[k] + (D == 3 ? uint32_t(i) * step_[0][k] : 0) + uint32_t(j) * step_[D - 2][k];
    return {Ints::all(from) + lanes_[k], Ints::all(step_[D - 2][k])};
  }
  static PEARLITE_INLINE Ints gap(const Ints& less, const Ints& more) { return more - less; }
  static PEARLITE_INLINE Ints zero() { return Ints::all(offset); }

 private:
  static constexpr uint32_t offset = 1u << 30;

  static const uint32_t* numbers() {
    alignas(64) static const uint32_t lanes[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    return lanes;
  }

  alignas(64) uint32_t base_[most], step_[D][most];
  Ints lanes_[most];
};

}  // namespace PEARLITE_ISA
}  // namespace pearlite
