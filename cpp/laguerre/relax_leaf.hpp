// A leaf of `relax`: a tile of pixels and the few seeds that matter there, in registers and L1.
//
// Logits are -s_k/ε in base 2, relative to the best one at the centre of the leaf. In the power metric
// they are sums of a part of the lane (a pixel along the last axis) and a part of the row; in both
// metrics so are squared distances.
#pragma once
#include "laguerre/exponential.hpp"
#include "laguerre/lanes.hpp"
#include "laguerre/relax_task.hpp"
#include "shared/distances.hpp"

namespace pearlite {
namespace PEARLITE_ISA {

// What is left out: weights that lie so far below the largest one, in base 2 and in nats.
template <class T>
struct Truncation;
template <>
struct Truncation<float> {  // 1e-12
  static constexpr double logit = -39.863137, nats = 27.631021;
};
template <>
struct Truncation<double> {  // 1e-17
  static constexpr double logit = -56.472778, nats = 39.143947;
};

constexpr double LOG2_E = 1.4426950408889634;

// Pixels [lower, lower + size) along each axis.
struct Tile {
  int64_t lower[3], size[3];
};

// x - c along one axis, to the nearest image of c, from a seed to `count` pixels. Returns that of the
// middle of the pixels.
static inline double displacements(double site, int64_t first, int64_t size, int64_t pixels, bool periodic, int count,
                                   double* out) {
  const double step = 1.0 / double(pixels);
  const double half = 0.5 * double(size - 1);
  double middle = (double(first) + half + 0.5) * step - site;
  if (periodic) middle -= __builtin_floor(middle + 0.5);
  for (int i = 0; i < count; ++i) {
    const double d = middle + (double(i) - half) * step;
    out[i] = !periodic ? d : d > 0.5 ? d - 1 : d < -0.5 ? d + 1 : d;
  }
  return middle;
}

template <class T>
static inline T narrow(double x) {
  constexpr double most = sizeof(T) == 4 ? 1e37 : 1e300;
  return T(x > most ? most : x < -most ? -most : x);
}

template <class T, int D, Metric M>
class Leaf {
 public:
  static constexpr bool additive = M == Metric::additive;
  static constexpr int W = 64 / int(sizeof(T));  // pixels of a row, along the last axis
  static constexpr int R1 = 8;                   // rows along the axis before it
  static constexpr int R0 = D == 3 ? 8 : 1;      // and along the first one of three
  static constexpr int SUMS = D + (additive ? 2 : 1);
  using V = Vec<T, W>;

  static int64_t bytes(int64_t seeds) {
    const int64_t each = (4 + SUMS) * W + R0 * R1 + R0 + R1 + 2;
    return 11 * 64 + seeds * (each * int64_t(sizeof(T)) + int64_t(sizeof(double) + sizeof(int32_t)));
  }

  Leaf(RelaxTask& task, void* memory)
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
        pixels(int(i), int(j), position(tile, i, j), tile.size[2], gradient, spread);
    if (gradient) collect(list, spread);
  }

  // The same in a tile of any size that lies inside of one cell, where nothing depends on anything but
  // the value of its seed.
  void fill(const Tile& tile, int32_t seed) {
    const V field = V::all(T(task.values[seed]));
    double total = 0;
    for (int64_t i = 0; i < tile.size[0]; ++i)
      for (int64_t j = 0; j < tile.size[1]; ++j) {
        const int64_t at = position(tile, i, j);
        V sums = V::all(0);
        for (int64_t k = 0; k < tile.size[2]; k += W) {
          const int64_t width = tile.size[2] - k;
          if (task.cotangent) sums = sums + load_pixels<T, W>(static_cast<const T*>(task.cotangent) + at + k, width);
          if (task.field) store_pixels(field, static_cast<T*>(task.field) + at + k, width);
        }
        if (task.cotangent) total += sum(sums);
      }
    if (task.cotangent) task.sums[task.slot[seed] * (D + 2)] += total;
  }

 private:
  RelaxTask& task;
  char* const memory;
  const double c;   // log2(e)/ε
  const T scale;
  int count = 0;
  T *lane, *lane_step;   // (count, W): the lane's part, and δ along the last axis
  T *row, *row_step;     // (count, R0 * R1): the row's part, and (count, R0 + R1): δ along the others
  T *level, *value;      // (count,): the additive logit at distance 0, and v_k
  T *logit, *power;      // (count, W)
  T *sums;               // (count, SUMS, W)
  double* best;          // (count,)
  int32_t* active;       // (count,): the seeds that matter in a row

  // Close together: far apart at equal distances they would compete for the same lines of the cache.
  void place() {
    char* at = memory;
    const auto take = [&](auto** p, int64_t size) {
      *p = reinterpret_cast<decltype(*p + 0)>(at);
      at += (size * int64_t(sizeof **p) + 63) / 64 * 64;
    };
    take(&lane, count * W);
    take(&lane_step, count * W);
    take(&logit, count * W);
    take(&power, count * W);
    take(&sums, count * W * SUMS);
    take(&row, count * R0 * R1);
    take(&row_step, count * (R0 + R1));
    take(&level, count);
    take(&value, count);
    take(&best, count);
    take(&active, count);
  }

  int64_t position(const Tile& tile, int64_t i, int64_t j) const {
    return ((tile.lower[0] + i) * task.shape[1] + tile.lower[1] + j) * task.shape[2] + tile.lower[2];
  }

  void prepare(const Tile& tile, const int32_t* list) {
    const int64_t stride = padded_seeds(task.seeds);
    double top = 0;
    double along[3][R0 + R1 + W];  // more than each axis takes
    for (int pass = 0; pass < 2; ++pass)  // first the best logit at the centre, then the tables
      for (int k = 0; k < count; ++k) {
        const double* site = task.sites + list[k];
        const int counts[3] = {pass ? R0 : 0, pass ? R1 : 0, pass ? W : 0};
        double middle[3] = {}, square = 0;
        for (int a = 3 - D; a < 3; ++a) {
          middle[a] = displacements(site[(a - 3 + D) * stride], tile.lower[a], tile.size[a], task.shape[a], task.periodic,
                                    counts[a], along[a]);
          square += middle[a] * middle[a];
        }
        const double distance = additive ? __builtin_sqrt(square) : square;
        if (pass == 0) {
          best[k] = (task.weights[list[k]] - distance) * c;
          if (k == 0 || best[k] > top) top = best[k];
        } else {
          value[k] = T(task.values[list[k]]);
          level[k] = narrow<T>(best[k] - top + (additive ? distance * c : 0));
          tabulate(k, along, middle, best[k] - top);
        }
      }
  }

  void tabulate(int k, double (*along)[R0 + R1 + W], const double* middle, double at_centre) {
    for (int i = 0; i < W; ++i) {
      const double d = along[2][i];
      lane_step[k * W + i] = T(d);
      lane[k * W + i] = additive ? T(d * d) : narrow<T>(at_centre - c * (d * d - middle[2] * middle[2]));
    }
    double* first = along[0];
    if (D == 2) first[0] = 0;
    for (int i = 0; i < R0; ++i) row_step[k * (R0 + R1) + i] = T(first[i]);
    for (int j = 0; j < R1; ++j) row_step[k * (R0 + R1) + R0 + j] = T(along[1][j]);
    const double centre = middle[0] * middle[0] + middle[1] * middle[1];
    for (int i = 0; i < R0; ++i)
      for (int j = 0; j < R1; ++j) {
        const double square = first[i] * first[i] + along[1][j] * along[1][j];
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
      const T* step = row_step + k * (R0 + R1);
      if constexpr (D == 3) add(step[i] * q);
      add(step[R0 + j] * q);
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
