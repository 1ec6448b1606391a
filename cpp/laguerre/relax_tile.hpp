// What the two ways to relax a tile of pixels share: its geometry and its sums.
#pragma once
#include "laguerre/exponential.hpp"
#include "laguerre/lanes.hpp"
#include "laguerre/relax_task.hpp"
#include "shared/distances.hpp"

namespace pearlite {
namespace PEARLITE_ISA {

constexpr double LOG2_E = 1.4426950408889634;

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

// Pixels [lower, lower + size) along each axis.
struct Tile {
  int64_t lower[3], size[3];
};

// Tiles at the bottom of the hierarchy, of (R0, R1, W) pixels; W fill a vector. Smaller ones have fewer
// seeds; larger ones pay less for the tables of each.
template <class T, int D>
struct TileSize {
  static constexpr int W = 64 / int(sizeof(T));
  static constexpr int R1 = D == 3 ? 8 : 16;
  static constexpr int R0 = D == 3 ? 8 : 1;
};

// x - c along each axis, from a site to the pixels of a tile as if it were whole.
template <class T, int D>
struct Frame {
  using Size = TileSize<T, D>;
  double origin[3], step[3];  // the middle of the tile, and the size of a pixel
  bool periodic;

  Frame(const RelaxTask& task, const Tile& tile) : periodic(task.periodic) {
    for (int a = 0; a < 3; ++a) {
      step[a] = 1.0 / double(task.shape[a]);
      origin[a] = (double(tile.lower[a]) + 0.5 * length(a)) / double(task.shape[a]);
    }
  }
  static constexpr int length(int axis) { return axis == 2 ? Size::W : axis == 1 ? Size::R1 : Size::R0; }

  // Of the middle, to the nearest image.
  PEARLITE_INLINE double middle(double site, int a) const {
    const double d = origin[a] - site, shift = Powers<double>::shift;
    return periodic ? d - ((d + shift) - shift) : d;
  }
  // Of the pixels i to i + 7 along axis a, each to its nearest image.
  PEARLITE_INLINE Vec<double, 8> at(double middle, int a, int i) const {
    using V = Vec<double, 8>;
    alignas(64) static constexpr double lanes[8] = {0, 1, 2, 3, 4, 5, 6, 7};
    V d = V::all(middle + (i - 0.5 * (length(a) - 1)) * step[a]) + step[a] * V::load(lanes);
    if (periodic) {
      const V shift = V::all(Powers<double>::shift);
      d = d - ((d + shift) - shift);
    }
    return d;
  }
  // Whether all pixels have the same nearest image.
  PEARLITE_INLINE bool whole(double middle, int a) const {
    return !periodic || __builtin_fabs(middle) + 0.5 * (length(a) - 1) * step[a] < 0.5;
  }
};

// The position in the cell of row (i, j) of a tile.
static inline int64_t row_position(const RelaxTask& task, const Tile& tile, int64_t i, int64_t j) {
  return ((tile.lower[0] + i) * task.shape[1] + tile.lower[1] + j) * task.shape[2] + tile.lower[2];
}

// A tile of any size that lies inside of one cell, where nothing depends on anything but the value of
// its seed.
template <class T, int D>
void fill(RelaxTask& task, const Tile& tile, int32_t seed) {
  constexpr int W = 64 / int(sizeof(T));
  using V = Vec<T, W>;
  const V field = V::all(T(task.values[seed]));
  double total = 0;
  for (int64_t i = 0; i < tile.size[0]; ++i)
    for (int64_t j = 0; j < tile.size[1]; ++j) {
      const int64_t at = row_position(task, tile, i, j);
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

// Tables that lie close together: far apart at equal distances they would compete for the same lines
// of the cache.
struct Tables {
  char* at;

  template <class E>
  void take(E** p, int64_t size) {
    *p = reinterpret_cast<E*>(at);
    at += (size * int64_t(sizeof(E)) + 63) / 64 * 64;
  }
};

}  // namespace PEARLITE_ISA
}  // namespace pearlite
