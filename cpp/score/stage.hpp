// Loads the values of a channel through the norm and the PReLU of the layer that left them.
#pragma once
#include "score/panel.hpp"

namespace pearlite {
namespace PEARLITE_ISA {

struct Activation {
  V scale, shift, slope;

  PEARLITE_INLINE Activation(const ScoreSource& source, int64_t c)
      : scale(V::all(source.scale[c])), shift(V::all(source.shift[c])), slope(V::all(source.slope[c])) {}

  PEARLITE_INLINE V operator()(const V& value) const {
    const V y = value * scale + shift, z = slope * y;
    V out;
    for (int i = 0; i < V::registers; ++i) out.r[i] = y.r[i] > 0 ? y.r[i] : z.r[i];
    return out;
  }
  PEARLITE_INLINE float operator()(float value) const {  // rounded as a register is
    alignas(64) float lane[lanes];
    (*this)(V::all(value)).store(lane);
    return lane[0];
  }
};

inline int64_t wrapped(int64_t x, int64_t n) {
  x %= n;
  return x < 0 ? x + n : x;
}

inline void clear(float* p, int64_t count) {
  for (int64_t i = 0; i < count; ++i) p[i] = 0;
}

// Part of a row of tiles: six rows of pixels, with the columns left and right of it.
struct Strip {
  int64_t row;           // of tiles
  int64_t first, count;  // registers of tiles
  int64_t pitch() const { return (count + 2) * lanes; }
  int64_t size() const { return 6 * tile * pitch(); }
};

// One row of a strip, (4, pitch), of which the first tile is at `lanes`.
template <class Load, class Value>
PEARLITE_INLINE void stage_row(const ScoreGrid& grid, const Strip& strip, bool periodic, float* to,
                               const Load& load, const Value& value) {
  const int64_t pitch = strip.pitch(), first = strip.first * lanes;
  const int64_t end = first + strip.count * lanes < grid.tiles ? first + strip.count * lanes : grid.tiles;
  load(to);
  for (int p = 0; p < tile; ++p)  // no tile is there
    clear(to + p * pitch + lanes + end - first, first + strip.count * lanes - end);
  const auto set = [&](int64_t x) {
    const bool inside = periodic || (x >= 0 && x < grid.n1);
    const int64_t t = x < 0 ? first - 1 : x / tile;
    to[wrapped(x, tile) * pitch + lanes + t - first] = inside ? value(wrapped(x, grid.n1)) : 0.0f;
  };
  set(tile * first - 1);
  for (int64_t x = grid.n1 < tile * end ? grid.n1 : tile * end; x <= tile * end; ++x) set(x);
}

// Channel c of a source in a strip: (6, 4, pitch).
inline void stage(const ScoreTask& task, int64_t c, const Strip& strip, float* to) {
  const ScoreGrid& grid = task.in;
  const ScoreSource& source = task.source[0];
  const int64_t pitch = strip.pitch(), line = grid.row / tile;
  for (int r = 0; r < 6; ++r, to += tile * pitch) {
    int64_t y = tile * strip.row + r - 1;
    if (!task.periodic && (y < 0 || y >= grid.n0)) {
      clear(to, tile * pitch);
      continue;
    }
    y = wrapped(y, grid.n0);
    if (source.scale) {
      const Activation activation(source, c);
      const float* from = source.values + c * grid.channel + y * grid.row;
      stage_row(
          grid, strip, task.periodic, to,
          [&](float* row) {
            for (int p = 0; p < tile; ++p)
              for (int64_t v = 0; v < strip.count; ++v)
                activation(V::load(from + p * line + (strip.first + v) * lanes))
                    .store(row + p * pitch + (1 + v) * lanes);
          },
          [&](int64_t x) { return activation(from[x % tile * line + x / tile]); });
    } else {
      const float* from = source.values + (c * grid.n0 + y) * grid.n1;
      stage_row(
          grid, strip, task.periodic, to,
          [&](float* row) {
            const int64_t first = tile * strip.first * lanes, more = tile * strip.count * lanes;
            const int64_t count = grid.n1 - first < more ? grid.n1 - first : more;
            for (int64_t x = 0; x < count; ++x) row[x % tile * pitch + lanes + x / tile] = from[first + x];
          },
          [&](int64_t x) { return from[x]; });
    }
  }
}

}  // namespace PEARLITE_ISA
}  // namespace pearlite
