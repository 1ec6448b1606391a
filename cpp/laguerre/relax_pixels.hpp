// A tile of pixels in either metric, row by row: the best logit of each pixel, the seeds that come near
// it anywhere in the row, and their powers.
//
// Logits are -s_k/ε in base 2, relative to the best one in the middle of the tile. In the metric `power`
// they are sums of a part of the lane (a pixel along the last axis) and a part of the row; in `additive`
// so are squared distances.
#pragma once
#include "laguerre/relax_tile.hpp"

namespace pearlite {
namespace PEARLITE_ISA {

template <class T, int D, Metric M>
class Pixels {
 public:
  static constexpr bool additive = M == Metric::additive;
  using Size = TileSize<T, D>;
  static constexpr int W = Size::W, R1 = Size::R1, R0 = Size::R0, ROWS = R0 * R1;
  static constexpr int BLOCK = 4;  // rows, along one axis or two
  static constexpr int SUMS = D + (additive ? 2 : 1);
  using V = Vec<T, W>;
  using Doubles = Vec<double, 8>;

  static int64_t bytes(int64_t seeds) {
    const int64_t each = (4 + SUMS) * W + ROWS + 16 + R1 + 2;
    const int64_t fixed = (17 + 2 * ROWS) * 64;
    return fixed + seeds * (each * int64_t(sizeof(T)) + (D + 1) * int64_t(sizeof(double)) + (ROWS + 2) * 4);
  }

  Pixels(RelaxTask& task, void* memory)
      : task(task), memory(static_cast<char*>(memory)), c(LOG2_E / task.epsilon), scale(T(c)),
        gradient(task.cotangent != nullptr) {}

  // The field in a tile where the seeds `list` matter, and with a cotangent their sums.
  void run(const Tile& tile, const int32_t* list, int n) {
    count = n;
    place();
    prepare(tile, list);
    if (gradient) __builtin_memset(sums, 0, sizeof(T) * std::size_t(n) * W * SUMS);
    spread = V::all(0);
    survey(tile);
    for (int64_t i = 0; i < tile.size[0]; ++i)
      for (int64_t j = 0; j < tile.size[1]; ++j) pixels(int(i), int(j), row_position(task, tile, i, j), tile.size[2]);
    if (gradient) collect(list);
  }

 private:
  // Below it, distances are those of a seed to itself.
  static constexpr double least_square = sizeof(T) == 4 ? 1e-30 : 1e-290;
  // The lowest logit of a power, and that power, which stands for 0.
  static constexpr double lowest = sizeof(T) == 4 ? -125 : -1000, nothing = sizeof(T) == 4 ? 0x1p-125 : 0x1p-1000;
  static constexpr double most = sizeof(T) == 4 ? 1e37 : 1e300;  // of what a table holds

  RelaxTask& task;
  char* const memory;
  const double c;   // log2(e)/ε
  const T scale;
  const bool gradient;
  int count = 0;
  T *lane, *lane_step;      // (count, W): the lane's part, and δ along the last axis
  T *row, *row_step;        // (count, ROWS): the row's part, and (count, 8 + R1): δ along the others
  T *level, *value;         // (count,): the additive logit at distance 0, and v_k
  T *power, *near;          // (count, W), of the seeds that matter in a row: powers and logits
  T* sums;                  // (count, SUMS, W)
  double *best, *middle;    // (count,), and (count, D): δ in the middle of the tile
  T* tops;                  // (ROWS, W): the best logit
  int32_t *active, *chosen;  // (ROWS, count): the seeds that matter in a row, and (ROWS,): how many
  int32_t *everyone, *nearby;  // (count,): all seeds, and those near a block of rows
  double farthest = 0;      // bounds distances in the tile, over ε in base 2
  V spread;

  void place() {
    Tables tables{memory};
    tables.take(&lane, count * W);
    tables.take(&lane_step, count * W);
    tables.take(&power, count * W);
    tables.take(&near, count * W);
    tables.take(&sums, count * W * SUMS);
    tables.take(&row, count * ROWS);
    tables.take(&row_step, count * (8 + R1));
    tables.take(&level, count);
    tables.take(&value, count);
    tables.take(&best, count);
    tables.take(&middle, count * D);
    tables.take(&tops, ROWS * W);
    tables.take(&active, ROWS * count);
    tables.take(&chosen, ROWS);
    tables.take(&everyone, count);
    tables.take(&nearby, count);
  }

  void prepare(const Tile& tile, const int32_t* list) {
    const Frame<T, D> frame(task, tile);
    const int64_t stride = padded_seeds(task.seeds);
    double top = 0;
    farthest = 0;
    for (int k = 0; k < count; ++k) {
      const double* site = task.sites + list[k];
      double square = 0;
      for (int a = 0; a < D; ++a) {
        const double d = frame.middle(site[a * stride], a + 3 - D);
        middle[k * D + a] = d;
        square += d * d;
      }
      best[k] = (task.weights[list[k]] - (additive ? __builtin_sqrt(square) : square)) * c;
      if (k == 0 || best[k] > top) top = best[k];
      if (square > farthest) farthest = square;
    }
    farthest = c * (__builtin_sqrt(farthest) + tile_radius(tile));
    for (int k = 0; k < count; ++k) {
      value[k] = T(task.values[list[k]]);
      tabulate(frame, k, additive ? task.weights[list[k]] * c - top : best[k] - top);
    }
  }

  double tile_radius(const Tile& tile) const {
    double sum = 0;
    for (int a = 3 - D; a < 3; ++a) {
      const double half = 0.5 * double(tile.size[a]) / double(task.shape[a]);
      sum += half * half;
    }
    return 2 * __builtin_sqrt(sum);  // the middle may be that of a whole tile
  }

  static PEARLITE_INLINE Vec<T, 8> narrow(const Doubles& x) {
    return rounded_to<T>(max(min(x, Doubles::all(most)), Doubles::all(-most)));
  }

  // The tables of seed k; `own` is its logit in the middle of the tile (power) or at its site (additive).
  void tabulate(const Frame<T, D>& frame, int k, double own) {
    Vec<T, 8> last[R1 / 8];
    alignas(64) T first[8] = {};
    level[k] = T(own > most ? most : own < -most ? -most : own);
    T* const steps[] = {row_step + k * (8 + R1), row_step + k * (8 + R1) + 8, lane_step + k * W};
    for (int a = 3 - D; a < 3; ++a) {
      const double d = middle[k * D + a - 3 + D];
      const double factor = additive ? 1 : -c, shift = additive ? 0 : c * d * d + (a == 2 ? own : 0);
      for (int i = 0; i < frame.length(a); i += 8) {
        const Doubles x = frame.at(d, a, i);
        const Vec<T, 8> part = narrow(factor * (x * x) + Doubles::all(shift));
        rounded_to<T>(x).store(steps[a] + i);
        if (a == 2) part.store(lane + k * W + i);
        else if (a == 1) last[i / 8] = part;
        else part.store(first);
      }
    }
    for (int i = 0; i < R0; ++i)
      for (int j = 0; j < R1; j += 8) (Vec<T, 8>::all(first[i]) + last[j / 8]).store(row + k * ROWS + i * R1 + j);
  }

  PEARLITE_INLINE V square(int k, int r) const {
    return max(V::load(lane + k * W) + V::all(row[k * ROWS + r]), V::all(T(least_square)));
  }
  template <int steps>
  PEARLITE_INLINE V logits(int k, int r) const {
    if constexpr (additive) {
      const V s = square(k, r);
      return V::all(level[k]) - scale * (s * inverse_root<steps>(s));
    }
    return V::load(lane + k * W) + V::all(row[k * ROWS + r]);
  }

  // For each row the best logits, and the seeds that matter. All rows first: how many these are is hard
  // to foresee for the processor, and known early that way. Where distances are less than 2^10 faces long
  // their roots may be off by 2^-14 of them, which moves nothing but the truncation.
  void survey(const Tile& tile) {
    const int64_t rows = D == 3 ? BLOCK : 1;
    for (int64_t i = 0; i < tile.size[0]; i += rows)
      for (int64_t j = 0; j < tile.size[1]; j += BLOCK) {
        const int i1 = int(i + rows < tile.size[0] ? i + rows : tile.size[0]);
        const int j1 = int(j + BLOCK < tile.size[1] ? j + BLOCK : tile.size[1]);
        if (farthest < 1024) survey_block<0>(int(i), i1, int(j), j1);
        else survey_block<1>(int(i), i1, int(j), j1);
      }
  }

  // Rows i0 to i1 - 1, j0 to j1 - 1. Distances change by no more than a row is away: seeds that are far
  // behind in the middle row matter in none.
  template <int steps>
  void survey_block(int i0, int i1, int j0, int j1) {
    const T slack = T(Truncation<T>::logit - (steps ? 0 : 0.125));
    for (int k = 0; k < count; ++k) everyone[k] = k;
    const int32_t* from = everyone;
    int size = count;
    if (additive && (i1 - i0) * (j1 - j0) > 2) {
      const int i = (i0 + i1) / 2, j = (j0 + j1) / 2;
      const double away0 = double(i - i0) / double(task.shape[0]), away1 = double(j - j0) / double(task.shape[1]);
      const double reach = 2 * c * __builtin_sqrt(D == 3 ? away0 * away0 + away1 * away1 : away1 * away1);
      size = survey_row<steps>(i * R1 + j, slack - T(1.0001 * reach), from, size, nearby);
      from = nearby;
    }
    for (int i = i0; i < i1; ++i)
      for (int j = j0; j < j1; ++j) {
        const int r = i * R1 + j;
        chosen[r] = survey_row<steps>(r, slack, from, size, active + r * count);
      }
  }

  // Which of the seeds `from` come within the slack of the best one somewhere in row r.
  template <int steps>
  PEARLITE_INLINE int survey_row(int r, T slack, const int32_t* from, int size, int32_t* to) {
    V top = V::all(T(-most));
    for (int m = 0; m < size; ++m) {
      const V t = logits<steps>(from[m], r);
      t.store(near + m * W);
      top = max(top, t);
    }
    top.store(tops + r * W);
    const V least = top + V::all(slack);
    int found = 0;
    for (int m = 0; m < size; ++m) {
      to[found] = from[m];
      found += bits_below(least, V::load(near + m * W)) != 0;
    }
    return found;
  }

  // One row: (i, j) in the tile, at `at` in the cell, of `width` pixels.
  PEARLITE_INLINE void pixels(int i, int j, int64_t at, int64_t width) {
    const int r = i * R1 + j, n = chosen[r];
    const int32_t* const list = active + r * count;
    V field = V::all(value[list[0]]), cotangent = V::all(0);
    if (gradient) cotangent = load_pixels<T, W>(static_cast<const T*>(task.cotangent) + at, width);
    if (n == 1) {  // inside of a cell: nothing depends on anything but the value
      T* sum = sums + list[0] * SUMS * W;
      if (gradient) (V::load(sum) + cotangent).store(sum);
    } else {
      const V floor = V::all(T(lowest)), top = V::load(tops + r * W);
      V total = V::all(0), moment = V::all(0);
      for (int m = 0; m < n; ++m) {
        const int k = list[m];
        const V u = max(logits<1>(k, r) - top, floor), e = exp2(u) - V::all(T(nothing));
        if (gradient) {
          e.store(power + m * W);
          u.store(near + m * W);
        }
        total = total + e;
        moment = moment + value[k] * e;
      }
      const V inverse = T(1) / total;
      field = moment * inverse;
      if (gradient) differentiate(i, j, n, field, cotangent * inverse);
    }
    if (task.field) store_pixels(field, static_cast<T*>(task.field) + at, width);
  }

  // With A in `field` and g over the sum of the powers in `cotangent`.
  PEARLITE_INLINE void differentiate(int i, int j, int n, const V& field, const V& cotangent) {
    const int32_t* const list = active + (i * R1 + j) * count;
    for (int m = 0; m < n; ++m) {
      const int k = list[m];
      T* sum = sums + k * SUMS * W;
      const auto add = [&](const V& x) {
        (V::load(sum) + x).store(sum);
        sum += W;
      };
      const V p = cotangent * V::load(power + m * W);
      V q = p * (V::all(value[k]) - field);
      add(p);
      add(q);
      spread = spread + q * V::load(near + m * W);
      if constexpr (additive) {  // away from the seed at unit speed, and nowhere at the seed itself
        q = q * inverse_root(square(k, i * R1 + j));
        add(q);
      }
      const T* step = row_step + k * (8 + R1);
      if constexpr (D == 3) add(step[i] * q);
      add(step[8 + j] * q);
    }
  }

  void collect(const int32_t* list) {
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
