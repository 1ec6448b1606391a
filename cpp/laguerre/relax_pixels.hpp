// A tile of pixels in either metric, row by row: the best logit of each pixel, the seeds that come near
// it anywhere in the row, and their powers.
//
// Logits are -s_k/ε in base 2, relative to the best one in the middle of the tile. In the metric `power`
// they are sums of a part of the lane (a pixel along the last axis) and a part of the row; in both
// metrics so are squared distances.
#pragma once
#include "laguerre/relax_tile.hpp"

namespace pearlite {
namespace PEARLITE_ISA {

template <class T>
static inline T narrow(double x) {
  constexpr double most = sizeof(T) == 4 ? 1e37 : 1e300;
  return T(x > most ? most : x < -most ? -most : x);
}

template <class T, int D, Metric M>
class Pixels {
 public:
  static constexpr bool additive = M == Metric::additive;
  using Size = TileSize<T, D, M>;
  static constexpr int W = Size::W, R1 = Size::R1, R0 = Size::R0;
  static constexpr int SUMS = D + (additive ? 2 : 1);
  using V = Vec<T, W>;

  static int64_t bytes(int64_t seeds) {
    const int64_t each = (4 + SUMS) * W + R0 * R1 + 8 + R1 + 2;
    return 11 * 64 + seeds * (each * int64_t(sizeof(T)) + int64_t(sizeof(double) + sizeof(int32_t)));
  }

  Pixels(RelaxTask& task, void* memory)
      : task(task), memory(static_cast<char*>(memory)), c(LOG2_E / task.epsilon), scale(T(c)) {}

  // The field in a tile of at most (R0, R1, W) pixels, where the seeds `list` matter.
  void run(const Tile& tile, const int32_t* list, int n) {
    count = n;
    place();
    prepare(tile, list);
    const bool gradient = task.cotangent != nullptr;
    if (gradient) __builtin_memset(sums, 0, sizeof(T) * std::size_t(n) * W * SUMS);
    V spread = V::all(0);
    for (int64_t i = 0; i < tile.size[0]; ++i)
      for (int64_t j = 0; j < tile.size[1]; ++j)
        pixels(int(i), int(j), row_position(task, tile, i, j), tile.size[2], gradient, spread);
    if (gradient) collect(list, spread);
  }

 private:
  RelaxTask& task;
  char* const memory;
  const double c;   // log2(e)/ε
  const T scale;
  int count = 0;
  T *lane, *lane_step;   // (count, W): the lane's part, and δ along the last axis
  T *row, *row_step;     // (count, R0 * R1): the row's part, and (count, 8 + R1): δ along the others
  T *level, *value;      // (count,): the additive logit at distance 0, and v_k
  T *logit, *power;      // (count, W)
  T *sums;               // (count, SUMS, W)
  double* best;          // (count,)
  int32_t* active;       // (count,): the seeds that matter in a row

  void place() {
    Tables tables{memory};
    tables.take(&lane, count * W);
    tables.take(&lane_step, count * W);
    tables.take(&logit, count * W);
    tables.take(&power, count * W);
    tables.take(&sums, count * W * SUMS);
    tables.take(&row, count * R0 * R1);
    tables.take(&row_step, count * (8 + R1));
    tables.take(&level, count);
    tables.take(&value, count);
    tables.take(&best, count);
    tables.take(&active, count);
  }

  void prepare(const Tile& tile, const int32_t* list) {
    const int64_t stride = padded_seeds(task.seeds);
    constexpr int length[3] = {R0, R1, W};
    double top = 0;
    for (int pass = 0; pass < 2; ++pass)  // first the best logit in the middle, then the tables
      for (int k = 0; k < count; ++k) {
        const double* site = task.sites + list[k];
        alignas(64) double along[3][R1 > W ? R1 : W], middle[3] = {}, square = 0;
        for (int a = 3 - D; a < 3; ++a) {
          const Displacements d(site[(a - 3 + D) * stride], tile.lower[a], length[a], task.shape[a], task.periodic);
          middle[a] = d.middle;
          square += d.middle * d.middle;
          if (pass)
            for (int i = 0; i < length[a]; i += 8) d.at(i, length[a]).store(along[a] + i);
        }
        const double distance = additive ? __builtin_sqrt(square) : square;
        if (pass == 0) {
          best[k] = (task.weights[list[k]] - distance) * c;
          if (k == 0 || best[k] > top) top = best[k];
        } else {
          if (D == 2) along[0][0] = 0;
          value[k] = T(task.values[list[k]]);
          level[k] = narrow<T>(best[k] - top + (additive ? distance * c : 0));
          tabulate(k, along[0], along[1], along[2], middle, best[k] - top);
        }
      }
  }

  void tabulate(int k, const double* first, const double* last, const double* across, const double* middle,
                double at_middle) {
    for (int i = 0; i < W; ++i) {
      const double d = across[i];
      lane_step[k * W + i] = T(d);
      lane[k * W + i] = additive ? T(d * d) : narrow<T>(at_middle - c * (d * d - middle[2] * middle[2]));
    }
    for (int i = 0; i < R0; ++i) row_step[k * (8 + R1) + i] = T(first[i]);
    for (int j = 0; j < R1; ++j) row_step[k * (8 + R1) + 8 + j] = T(last[j]);
    const double centre = middle[0] * middle[0] + middle[1] * middle[1];
    for (int i = 0; i < R0; ++i)
      for (int j = 0; j < R1; ++j) {
        const double square = first[i] * first[i] + last[j] * last[j];
        row[(k * R0 + i) * R1 + j] = additive ? T(square) : narrow<T>(-c * (square - centre));
      }
  }

  PEARLITE_INLINE V logits(int k, int r) const {
    const V sum = V::load(lane + k * W) + V::all(row[k * R0 * R1 + r]);
    if constexpr (additive) return V::all(level[k]) - scale * sqrt(sum);
    else return sum;
  }

  // The seeds that matter in row r of the leaf, and the best logits there.
  PEARLITE_INLINE int choose(int r, V& top) {
    top = logits(0, r);
    top.store(logit);
    for (int k = 1; k < count; ++k) {
      const V t = logits(k, r);
      t.store(logit + k * W);
      top = max(top, t);
    }
    const V least = top + V::all(T(Truncation<T>::logit));
    int chosen = 0;
    for (int k = 0; k < count; ++k) {
      active[chosen] = k;
      chosen += bits_below(least, V::load(logit + k * W)) != 0;
    }
    return chosen;
  }

  // One row: (i, j) in the leaf, at `at` in the cell, of `width` pixels.
  PEARLITE_INLINE void pixels(int i, int j, int64_t at, int64_t width, bool gradient, V& spread) {
    V top;
    const int chosen = choose(i * R1 + j, top);
    V field = V::all(value[active[0]]), cotangent = V::all(0);
    if (gradient) cotangent = load_pixels<T, W>(static_cast<const T*>(task.cotangent) + at, width);
    if (chosen == 1) {  // inside of a cell: nothing depends on anything but the value
      T* sum = sums + active[0] * SUMS * W;
      if (gradient) (V::load(sum) + cotangent).store(sum);
    } else {
      const V floor = V::all(T(Truncation<T>::logit)), least = exp2(floor);
      V total = V::all(0), moment = V::all(0);
      for (int m = 0; m < chosen; ++m) {
        const int k = active[m];
        const V e = select_above(exp2(max(V::load(logit + k * W) - top, floor)), least);
        if (gradient) e.store(power + m * W);
        total = total + e;
        moment = moment + value[k] * e;
      }
      const V inverse = T(1) / total;
      field = moment * inverse;
      if (gradient) differentiate(i, j, chosen, top, field, cotangent * inverse, spread);
    }
    if (task.field) store_pixels(field, static_cast<T*>(task.field) + at, width);
  }

  // `cotangent` is g over the sum of the powers.
  PEARLITE_INLINE void differentiate(int i, int j, int chosen, const V& top, const V& field, const V& cotangent,
                                     V& spread) {
    for (int m = 0; m < chosen; ++m) {
      const int k = active[m];
      T* sum = sums + k * SUMS * W;
      const auto add = [&](const V& x) {
        (V::load(sum) + x).store(sum);
        sum += W;
      };
      const V p = cotangent * V::load(power + m * W);
      V q = p * (V::all(value[k]) - field);
      add(p);
      add(q);
      spread = spread + q * (V::load(logit + k * W) - top);
      if constexpr (additive) {  // towards the seed at unit speed, and nowhere at the seed itself
        const V square = V::load(lane + k * W) + V::all(row[(k * R0 + i) * R1 + j]);
        q = q * inverse_or_zero(sqrt(square));
        add(q);
      }
      const T* step = row_step + k * (8 + R1);
      if constexpr (D == 3) add(step[i] * q);
      add(step[8 + j] * q);
    }
  }

  void collect(const int32_t* list, const V& spread) {
    for (int k = 0; k < count; ++k) {
      double* out = task.sums + task.slot[list[k]] * (D + 2);
      const T* at = sums + k * SUMS * W;
      const auto next = [&] {
        at += W;
        return V::load(at - W);
      };
      out[0] += sum(next());
      V q = next();
      out[1] += sum(q);
      if constexpr (additive) q = next();
      for (int a = 0; a < D - 1; ++a) out[2 + a] += sum(next());
      out[1 + D] += sum(q * V::load(lane_step + k * W));
    }
    task.spread += sum(spread);
  }
};

}  // namespace PEARLITE_ISA
}  // namespace pearlite
