// A tile of the metric `power`, in which the powers themselves are products over the axes.
//
// With j the best seed at the middle of the tile, s_k - s_j is a sum of functions of one coordinate
// each, and so exp(-(s_k - s_j)/ε) a product: a table for each axis, and no powers for single pixels.
// That of j is 1 everywhere, so that no pixel is left without a large one. It works where the products
// stay within the range of float: in nearly all tiles unless ε is far below a pixel.
#pragma once
#include "laguerre/relax_tile.hpp"

namespace pearlite {
namespace PEARLITE_ISA {

template <class T, int D>
class Products {
 public:
  using Size = TileSize<T, D>;
  static constexpr int W = Size::W, R1 = Size::R1, R0 = Size::R0;
  static constexpr int SUMS = D + 1;
  using V = Vec<T, W>;
  using Doubles = Vec<double, 8>;

  static int64_t bytes(int64_t seeds) {
    const int64_t each = (3 + SUMS) * W + 3 * (8 + R1) + 1;
    return 13 * 64 + seeds * (each * int64_t(sizeof(T)) + int64_t(sizeof(double)) * (D + 1));
  }

  Products(RelaxTask& task, void* memory)
      : task(task), memory(static_cast<char*>(memory)), c(LOG2_E / task.epsilon), gradient(task.cotangent != nullptr) {}

  // The field in a tile where the seeds `list` matter, and with a cotangent their sums. False, and
  // nothing is done, where the products could leave the range of float.
  bool run(const Tile& tile, const int32_t* list, int n) {
    count = n;
    place();
    if (!prepare(tile, list)) return false;
    if (gradient) __builtin_memset(sums, 0, sizeof(T) * std::size_t(n) * W * SUMS);
    spread = V::all(0);
    for (int64_t i = 0; i < tile.size[0]; ++i)
      for (int64_t j = 0; j < tile.size[1]; j += ROWS) rows(tile, int(i), int(j));
    if (gradient) collect(list);
    return true;
  }

 private:
  static constexpr int ROWS = 8;  // that are in registers at a time
  static constexpr int LONGEST = R1 > W ? R1 : W;
  // The largest exponent of a product, in the range of float, and small enough for the rounding of
  // exponents in double. Its factors have an equal share in it, so that of what falls below 2^-126 on the
  // way to a product, the product is below 2^-46.
  static constexpr double most = 120;

  RelaxTask& task;
  char* const memory;
  const double c;  // log2(e)/ε
  const bool gradient;
  int count = 0;
  T *lane, *lane_logit, *lane_step;  // (count, W): 2^t, t and δ along the last axis
  T *last, *last_logit, *last_step;  // (count, R1): along the axis before
  T *first, *first_logit, *first_step;  // (count, 8): along the first one of three
  T* value;                          // (count,) v_k - v_j
  T* sums;                           // (count, SUMS, W)
  double *best, *middle;             // (count,), and (count, D): δ in the middle of the tile
  T base = 0;                        // v_j
  V spread;

  void place() {
    Tables tables{memory};
    tables.take(&lane, count * W);
    tables.take(&lane_logit, count * W);
    tables.take(&lane_step, count * W);
    tables.take(&sums, count * W * SUMS);
    tables.take(&last, count * R1);
    tables.take(&last_logit, count * R1);
    tables.take(&last_step, count * R1);
    tables.take(&first, count * 8);
    tables.take(&first_logit, count * 8);
    tables.take(&first_step, count * 8);
    tables.take(&value, count);
    tables.take(&best, count);
    tables.take(&middle, count * D);
  }

  bool prepare(const Tile& tile, const int32_t* list) {
    const Frame<T, D> frame(task, tile);
    const int64_t stride = padded_seeds(task.seeds);
    int leader = 0;
    for (int k = 0; k < count; ++k) {
      const double* site = task.sites + list[k];
      best[k] = task.weights[list[k]];
      for (int a = 0; a < D; ++a) {
        const double d = frame.middle(site[a * stride], a + 3 - D);
        middle[k * D + a] = d;
        best[k] -= d * d;
      }
      if (best[k] > best[leader]) leader = k;
    }
    alignas(64) double squares[D][LONGEST];  // δ² of the leader
    for (int a = 0; a < D; ++a)
      for (int i = 0; i < frame.length(a + 3 - D); i += 8) {
        const Doubles x = frame.at(middle[leader * D + a], a + 3 - D, i);
        (x * x).store(squares[a] + i);
      }
    const double top = best[leader], reference = task.values[list[leader]];
    base = T(reference);
    for (int k = 0; k < count; ++k) {
      value[k] = T(task.values[list[k]] - reference);
      if (!tabulate(frame, k, leader, c * (best[k] - top), squares)) return false;
    }
    return true;
  }

  // The tables of seed k, whose logit in the middle of the tile is `logit`.
  bool tabulate(const Frame<T, D>& frame, int k, int leader, double logit, const double (*squares)[LONGEST]) {
    const double *own = middle + k * D, *other = middle + leader * D;
    double range[D], share = logit;  // largest logits along the axes; one for each axis, then their mean
    for (int a = 0; a < D; ++a) {
      const int axis = a + 3 - D;
      const bool whole = frame.whole(own[a], axis) && frame.whole(other[a], axis);
      const double slope = whole ? __builtin_fabs(own[a] - other[a]) : 1;  // of (δ_k² - δ_j²) / 2
      range[a] = c * slope * double(frame.length(axis) - 1) * frame.step[axis];
      share += range[a];
    }
    if (share > most) return false;
    share /= D;
    T* const powers[] = {first + k * 8, last + k * R1, lane + k * W};
    T* const logits[] = {first_logit + k * 8, last_logit + k * R1, lane_logit + k * W};
    T* const steps[] = {first_step + k * 8, last_step + k * R1, lane_step + k * W};
    for (int a = 0; a < D; ++a) {
      const int axis = a + 3 - D;
      const double shift = share - range[a] + c * (own[a] * own[a] - other[a] * other[a]);
      for (int i = 0; i < frame.length(axis); i += 8) {
        const Doubles x = frame.at(own[a], axis, i);
        Doubles t = c * (Doubles::load(squares[a] + i) - x * x) + Doubles::all(shift);
        t = max(t, Doubles::all(-1000));
        exp2_as<T>(t).store(powers[axis] + i);
        if (!gradient) continue;
        rounded_to<T>(t).store(logits[axis] + i);
        rounded_to<T>(x).store(steps[axis] + i);
      }
    }
    return true;
  }

  PEARLITE_INLINE V along_lane(int k, int i) const {
    const V factor = V::load(lane + k * W);
    if constexpr (D == 3) return first[k * 8 + i] * factor;
    return factor;
  }

  // Rows (i, j) to (i, j + ROWS - 1).
  void rows(const Tile& tile, int i, int j) {
    V total[ROWS], moment[ROWS];
    for (int r = 0; r < ROWS; ++r) total[r] = moment[r] = V::all(0);
    for (int k = 0; k < count; ++k) {
      const V power = along_lane(k, i), valued = value[k] * power;
      const T* const factor = last + k * R1 + j;
      for (int r = 0; r < ROWS; ++r) {
        total[r] = total[r] + factor[r] * power;
        moment[r] = moment[r] + factor[r] * valued;
      }
    }
    V cotangent[ROWS];
    const int64_t left = tile.size[1] - j;
    for (int r = 0; r < ROWS; ++r) {
      const V inverse = T(1) / total[r];
      moment[r] = moment[r] * inverse;
      cotangent[r] = V::all(0);
      if (r >= left) continue;
      const int64_t at = row_position(task, tile, i, j + r);
      if (task.field) store_pixels(V::all(base) + moment[r], static_cast<T*>(task.field) + at, tile.size[2]);
      if (!gradient) continue;
      cotangent[r] = inverse * load_pixels<T, W>(static_cast<const T*>(task.cotangent) + at, tile.size[2]);
    }
    if (gradient) differentiate(i, j, moment, cotangent);
  }

  // With A - v_j in `field` and g over the sum of the powers in `cotangent`.
  PEARLITE_INLINE void differentiate(int i, int j, const V* field, const V* cotangent) {
    for (int k = 0; k < count; ++k) {
      const V power = along_lane(k, i), own = V::all(value[k]);
      const T *factor = last + k * R1 + j, *step = last_step + k * R1 + j, *logit = last_logit + k * R1 + j;
      V p_sum = V::all(0), q_sum = p_sum, moment = p_sum;
      for (int r = 0; r < ROWS; ++r) {
        const V p = (factor[r] * power) * cotangent[r], q = p * (own - field[r]);
        p_sum = p_sum + p;
        q_sum = q_sum + q;
        moment = moment + step[r] * q;
        spread = spread + logit[r] * q;
      }
      T* sum = sums + k * SUMS * W;
      const auto add = [&](const V& x) {
        (V::load(sum) + x).store(sum);
        sum += W;
      };
      add(p_sum);
      add(q_sum);
      if constexpr (D == 3) {
        add(first_step[k * 8 + i] * q_sum);
        spread = spread + first_logit[k * 8 + i] * q_sum;
      }
      add(moment);
    }
  }

  void collect(const int32_t* list) {
    for (int k = 0; k < count; ++k) {
      double* out = task.sums + task.slot[list[k]] * (D + 2);
      const T* at = sums + k * SUMS * W;
      const V q = V::load(at + W);
      spread = spread + q * V::load(lane_logit + k * W);
      out[0] += sum(V::load(at));
      out[1] += sum(q);
      for (int a = 0; a < D - 1; ++a) out[2 + a] += sum(V::load(at + (2 + a) * W));
      out[1 + D] += sum(q * V::load(lane_step + k * W));
    }
    task.spread += sum(spread);
  }
};

}  // namespace PEARLITE_ISA
}  // namespace pearlite
