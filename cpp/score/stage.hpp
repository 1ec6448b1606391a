// Loads the values of a channel through the norm and the PReLU of the layer that left them, and for
// 3×3 convolutions transforms their columns.
#pragma once
#include "score/winograd.hpp"

namespace pearlite {
namespace PEARLITE_ISA {

// Floats before row y of pixels, and before register v of tiles in it.
PEARLITE_INLINE int64_t row_place(const ScoreGrid& grid, int64_t y) {
  const int64_t row = y / tile, inner = grid.down == 1 ? 0 : row & 1,
                outer = grid.down == 1 ? row : row / 2;
  return outer * grid.pieces_across * grid.piece + (inner * tile + y % tile) * tile * grid.line;
}
PEARLITE_INLINE int64_t register_place(const ScoreGrid& grid, int64_t v) {
  return grid.across == 1 ? v * grid.piece : v / 2 * grid.piece + v % 2 * lanes;
}

// min(y, 0). GCC 12 does not find the instruction for it; (zeroing forms, since it warns of the
// plain ones)
PEARLITE_INLINE V negative(const V& y) {
#if defined(__AVX512F__)
  V out;
  out.r[0] = (V::Register)_mm512_maskz_min_ps(0xffff, (__m512)y.r[0], _mm512_setzero_ps());
  return out;
#else
  return min(y, V::all(0));
#endif
}

struct Activation {
  float scale, shift, bend;  // the PReLU of y is y + bend · min(y, 0)

  PEARLITE_INLINE Activation(const ScoreSource& source, int64_t c)
      : scale(source.scale[c]), shift(source.shift[c]), bend(source.slope[c] - 1) {}

  PEARLITE_INLINE V operator()(const V& value) const {
    const V y = value * V::all(scale) + V::all(shift);
    return y + V::all(bend) * negative(y);
  }
  PEARLITE_INLINE float operator()(float value) const {
    const float y = value * scale + shift;
    return y + bend * (y < 0 ? y : 0.0f);
  }
};

// Part of a row of tiles: six rows of pixels, with the columns left and right of it.
struct Strip {
  struct Edge {
    int64_t to, from;  // −1: from nowhere
  };
  int64_t row, first, count;  // of tiles, and registers
  int64_t here;               // tiles
  int64_t rows[6];            // where they are; −1: nowhere
  Edge edges[tile + 2];       // pixels that are not in these tiles
  int edge_count = 0;
  bool whole = true;  // all six rows are there

  // `image`: the pixels lie row by row.
  Strip(const ScoreGrid& grid, bool image, bool periodic, int64_t row_, int64_t first_,
        int64_t count_)
      : row(row_), first(first_), count(count_) {
    for (int r = 0; r < 6; ++r) {
      const int64_t y = wrapped(tile * row + r - 1, grid.n0, periodic);
      rows[r] = y < 0 ? -1 : image ? y * grid.n1 : row_place(grid, y);
      whole = whole && y >= 0;
    }
    const int64_t start = tile * lanes * first;
    here = grid.tiles - lanes * first < lanes * count ? grid.tiles - lanes * first : lanes * count;
    const auto add = [&](int64_t x) {
      const int64_t from = wrapped(x, grid.n1, periodic), v = from / tile / lanes;
      edges[edge_count++] = {
          (x & 3) * staged_pitch + lanes + ((x - start) >> 2),
          from < 0 ? -1
          : image  ? from
                   : register_place(grid, v) + from % tile * grid.line + from / tile - v * lanes};
    };
    add(start - 1);
    const int64_t end = start + tile * here;
    for (int64_t x = grid.n1 < end ? grid.n1 : end; x <= end; ++x) add(x);
  }

 private:
  static int64_t wrapped(int64_t x, int64_t n, bool periodic) {
    if (x >= 0 && x < n) return x;
    return periodic ? (x % n + n) % n : -1;
  }
};

// Columns of pixels outside of the tiles: six values each, transformed.
template <class Value>
PEARLITE_INLINE void stage_edges(const Strip& strip, float* to, const Value& value) {
  for (int e = 0; e < strip.edge_count; ++e) {
    const Strip::Edge& edge = strip.edges[e];
    float d[6], t[6];
#pragma GCC unroll 6
    for (int r = 0; r < 6; ++r)
      d[r] = edge.from < 0 || strip.rows[r] < 0 ? 0.0f : value(strip.rows[r] + edge.from);
    transform_in(d, t);
#pragma GCC unroll 6
    for (int i = 0; i < 6; ++i) to[i * tile * staged_pitch + edge.to] = t[i];
  }
}

// Channel c of a strip, its columns transformed: (6, 4, staged_pitch), the first tile at `lanes`.
// `whole`: all six rows are there.
template <bool whole>
void stage(const ScoreTask& task, int64_t c, const Strip& strip, float* to) {
  const ScoreGrid& grid = task.in;
  const Activation activation(task.source[0], c);
  const float* channel = task.source[0].values + c * grid.channel;
  const float* inside = channel + register_place(grid, strip.first);
  for (int64_t v = 0; v < strip.count; ++v)
#pragma GCC unroll 1
    for (int p = 0; p < tile; ++p) {
      const float* from = inside + p * grid.line + v * lanes;
      V d[6], t[6];
#pragma GCC unroll 6
      for (int r = 0; r < 6; ++r)
        d[r] = whole || strip.rows[r] >= 0 ? activation(V::load(from + strip.rows[r])) : V::all(0);
      transform_in(d, t);
      float* line = to + p * staged_pitch + (1 + v) * lanes;
#pragma GCC unroll 6
      for (int i = 0; i < 6; ++i) t[i].store(line + i * tile * staged_pitch);
    }
  stage_edges(strip, to, [&](int64_t at) { return activation(channel[at]); });
}

// The same of an image, as it is.
inline void stage_image(const ScoreTask& task, int64_t c, const Strip& strip, float* to) {
  const ScoreGrid& grid = task.in;
  const float* channel = task.source[0].values + c * grid.n0 * grid.n1;
  const int64_t start = tile * lanes * strip.first, left = grid.n1 - start;
  const int64_t count = left < tile * strip.here ? left : tile * strip.here;
  for (int64_t x = 0; x < count; ++x) {
    float d[6], t[6];
    for (int r = 0; r < 6; ++r)
      d[r] = strip.rows[r] < 0 ? 0.0f : channel[strip.rows[r] + start + x];
    transform_in(d, t);
    for (int i = 0; i < 6; ++i) to[(i * tile + x % tile) * staged_pitch + lanes + x / tile] = t[i];
  }
  stage_edges(strip, to, [&](int64_t at) { return channel[at]; });
}

}  // namespace PEARLITE_ISA
}  // namespace pearlite
