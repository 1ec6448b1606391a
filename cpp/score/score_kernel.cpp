// The layers of a score network, compiled once for each instruction set. No STL templates here.
#include "score/moments.hpp"
#include "score/stage.hpp"
#include "score/winograd.hpp"

namespace pearlite {
namespace PEARLITE_ISA {

constexpr int64_t group = 4;  // registers of tiles in a piece of a 3×3 convolution

inline int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

// How many of the tiles of register v have a pixel in column p.
inline int64_t valid(const ScoreGrid& grid, int64_t v, int p) {
  return smaller((grid.n1 - p + tile - 1) / tile - v * lanes, lanes);
}

// ---- 3×3 convolutions

// Writes 4×4 pixels of the tiles of register v in a row of tiles.
PEARLITE_INLINE void put_tiles(const ScoreTask& task, int64_t o, int64_t row, int64_t v, const V* y,
                               Moments& moments) {
  const ScoreGrid& grid = task.out;
  float* to = task.to + o * grid.channel + tile * row * grid.row + v * lanes;
#pragma GCC unroll 16
  for (int k = 0; k < 16; ++k) y[k].store(to + k / tile * grid.row + k % tile * (grid.row / tile));
  if (tile * (row + 1) <= grid.n0 && valid(grid, v, tile - 1) == lanes) return moments.add<16>(y);
  for (int k = 0; k < 16; ++k)
    if (tile * row + k / tile < grid.n0) moments.add_some(y[k], valid(grid, v, k % tile));
}

// The same of the last layer, to an image.
void put_image(const ScoreTask& task, int64_t o, int64_t row, int64_t v, const V* y) {
  const ScoreGrid& grid = task.out;
  alignas(64) float values[lanes];
  for (int k = 0; k < 16; ++k) {
    const int64_t line = tile * row + k / tile, count = valid(grid, v, k % tile);
    if (line >= grid.n0) break;
    ((y[k] + V::all(task.bias[o])) / V::all(task.sigma)).store(values);
    float* to = task.to + (o * grid.n0 + line) * grid.n1 + k % tile + tile * v * lanes;
    for (int64_t t = 0; t < count; ++t) to[tile * t] = values[t];
  }
}

// Transforms the tiles of `count` registers from `first` of all channels: panel (36, inputs, group).
void transform_inputs(const ScoreTask& task, int64_t first, int64_t count, float* panel, float* staged) {
  Strip strip;
  for (int64_t v = 0; v < count; v += strip.count) {
    strip.row = (first + v) / task.in.vectors;
    strip.first = (first + v) % task.in.vectors;
    strip.count = smaller(count - v, task.in.vectors - strip.first);
    for (int64_t c = 0; c < task.inputs; ++c) {
      stage(task, c, strip, staged);
      for (int64_t k = 0; k < strip.count; ++k)
        tiles_in(staged + (1 + k) * lanes, strip.pitch(), panel + (c * group + v + k) * lanes,
                 task.inputs * group * lanes);
    }
  }
}

void convolve(const ScoreTask& task, int64_t piece, float* work) {
  const int64_t first = piece * group, all = task.out.tile_rows * task.out.vectors;
  const int64_t count = smaller(group, all - first), size = score_block(task.outputs, block);
  float *const panel = work, *const products = panel + positions * task.inputs * group * lanes;
  transform_inputs(task, first, count, panel, products);
  for (int64_t o = 0; o < task.outputs; o += size) {
    const int64_t outputs = smaller(size, task.outputs - o);
    const float* weights = task.weights + o * positions * task.inputs;
    for (int k = 0; k < positions; ++k)
      multiply(outputs, count, weights + k * task.inputs * outputs, panel + k * task.inputs * group * lanes,
               task.inputs, group * lanes, products + k * outputs * group * lanes, group * lanes);
    for (int64_t i = 0; i < outputs; ++i) {
      Moments moments;
      for (int64_t v = 0; v < count; ++v) {
        V y[16];
        tiles_out(products + (i * group + v) * lanes, outputs * group * lanes, y);
        const int64_t row = (first + v) / task.out.vectors, column = (first + v) % task.out.vectors;
        if (task.sums) put_tiles(task, o + i, row, column, y, moments);
        else put_image(task, o + i, row, column, y);
      }
      if (task.sums) moments.store(task.sums + (piece * task.outputs + o + i) * 2);
    }
  }
}

// ---- The others, whose pieces are rows of pixels; a row is (4 columns mod 4, vectors) registers.

// Writes register v of a row, and sums it up.
PEARLITE_INLINE void put_row(const ScoreGrid& grid, float* to, int64_t v, const V* y, Moments& moments) {
#pragma GCC unroll 4
  for (int p = 0; p < tile; ++p) y[p].store(to + p * (grid.row / tile) + v * lanes);
  if (valid(grid, v, tile - 1) == lanes) return moments.add<4>(y);
  for (int p = 0; p < tile; ++p) moments.add_some(y[p], valid(grid, v, p));
}

// Rows of products (outputs, row of registers) to row y of channels o, …
void put_rows(const ScoreTask& task, int64_t o, int64_t outputs, int64_t row, const float* products,
              int64_t piece) {
  const ScoreGrid& grid = task.out;
  for (int64_t i = 0; i < outputs; ++i) {
    Moments moments;
    for (int64_t v = 0; v < grid.vectors; ++v) {
      V y[tile];
      for (int p = 0; p < tile; ++p) y[p] = V::load(products + i * grid.row + (p * grid.vectors + v) * lanes);
      put_row(grid, task.to + (o + i) * grid.channel + row * grid.row, v, y, moments);
    }
    moments.store(task.sums + (piece * task.outputs + o + i) * 2);
  }
}

// panel (channels, row of registers) = row y of a source.
void load_row(const ScoreTask& task, const ScoreSource& source, int64_t y, float* panel) {
  for (int64_t c = 0; c < task.inputs; ++c, panel += task.in.row) {
    const Activation activation(source, c);
    const float* from = source.values + c * task.in.channel + y * task.in.row;
    for (int64_t k = 0; k < task.in.row; k += lanes) activation(V::load(from + k)).store(panel + k);
  }
}

void merge(const ScoreTask& task, int64_t y, float* work) {
  const int64_t depth = 2 * task.inputs, row = task.in.row, size = score_block(task.outputs, block);
  float* const products = work + depth * row;
  load_row(task, task.source[0], y, work);
  load_row(task, task.source[1], y, work + task.inputs * row);
  for (int64_t o = 0; o < task.outputs; o += size) {
    const int64_t outputs = smaller(size, task.outputs - o);
    multiply(outputs, row / lanes, task.weights + o * depth, work, depth, row, products, row);
    put_rows(task, o, outputs, y, products, y);
  }
}

// The even and the odd ones of the lanes of a and b, and the way back: a's and b's in turns.
struct Pair {
  V first, second;
};
#if defined(__AVX512F__)
#define PEARLITE_EVENS 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30
#define PEARLITE_ODDS 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31
#define PEARLITE_LOW 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define PEARLITE_HIGH 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#elif defined(__AVX__)
#define PEARLITE_EVENS 0, 2, 4, 6, 8, 10, 12, 14
#define PEARLITE_ODDS 1, 3, 5, 7, 9, 11, 13, 15
#define PEARLITE_LOW 0, 8, 1, 9, 2, 10, 3, 11
#define PEARLITE_HIGH 4, 12, 5, 13, 6, 14, 7, 15
#else
#define PEARLITE_EVENS 0, 2, 4, 6
#define PEARLITE_ODDS 1, 3, 5, 7
#define PEARLITE_LOW 0, 4, 1, 5
#define PEARLITE_HIGH 2, 6, 3, 7
#endif
PEARLITE_INLINE Pair parted(const V& a, const V& b) {
  Pair pair;
  pair.first.r[0] = __builtin_shufflevector(a.r[0], b.r[0], PEARLITE_EVENS);
  pair.second.r[0] = __builtin_shufflevector(a.r[0], b.r[0], PEARLITE_ODDS);
  return pair;
}
PEARLITE_INLINE V zipped(const V& a, const V& b, bool upper) {
  V v;
  if (upper) v.r[0] = __builtin_shufflevector(a.r[0], b.r[0], PEARLITE_HIGH);
  else v.r[0] = __builtin_shufflevector(a.r[0], b.r[0], PEARLITE_LOW);
  return v;
}

// panel (channels, 2×2, row of registers of the result) = two rows of the source.
void load_halved(const ScoreTask& task, int64_t y, float* panel) {
  const int64_t vectors = task.in.vectors, row = task.out.row;
  for (int64_t c = 0; c < task.inputs; ++c) {
    const Activation activation(task.source[0], c);
    for (int k = 0; k < 2 * tile; ++k) {
      const int i = k / tile, p = k % tile;  // row, and column mod 4
      const float* from = task.source[0].values + c * task.in.channel + (2 * y + i) * task.in.row +
                          p * vectors * lanes;
      float* to = panel + (4 * c + 2 * i + p % 2) * row + p / 2 * task.out.vectors * lanes;
      for (int64_t v = 0; v < task.out.vectors; ++v) {
        const V a = activation(V::load(from + 2 * v * lanes));
        const V b = 2 * v + 1 < vectors ? activation(V::load(from + (2 * v + 1) * lanes)) : V::all(0);
        const Pair tiles = parted(a, b);
        tiles.first.store(to + v * lanes);
        tiles.second.store(to + (2 * task.out.vectors + v) * lanes);
      }
    }
  }
}

void down(const ScoreTask& task, int64_t y, float* work) {
  const int64_t depth = 4 * task.inputs, row = task.out.row, size = score_block(task.outputs, block);
  float* const products = work + depth * row;
  load_halved(task, y, work);
  for (int64_t o = 0; o < task.outputs; o += size) {
    const int64_t outputs = smaller(size, task.outputs - o);
    multiply(outputs, row / lanes, task.weights + o * depth, work, depth, row, products, row);
    put_rows(task, o, outputs, y, products, y);
  }
}

// One channel of two rows: products are (2×2, pitch), each a row of registers of the source.
void put_doubled(const ScoreTask& task, int64_t o, int64_t y, const float* products, int64_t pitch) {
  const int64_t half = task.in.vectors * lanes;
  Moments moments;
  for (int i = 0; i < 2; ++i)
    for (int64_t v = 0; v < task.out.vectors; ++v) {
      V out[tile];
      for (int p = 0; p < tile; ++p) {
        const float* from = products + (2 * i + p % 2) * pitch + p / 2 * half + v / 2 * lanes;
        out[p] = zipped(V::load(from), V::load(from + 2 * half), v % 2 == 1);
      }
      put_row(task.out, task.to + o * task.out.channel + (2 * y + i) * task.out.row, v, out, moments);
    }
  moments.store(task.sums + (y * task.outputs + o) * 2);
}

void up(const ScoreTask& task, int64_t y, float* work) {
  const int64_t row = task.in.row, size = score_block(task.outputs, block);
  float* const products = work + task.inputs * row;
  load_row(task, task.source[0], y, work);
  for (int64_t o = 0; o < task.outputs; o += size) {
    const int64_t outputs = smaller(size, task.outputs - o);
    for (int k = 0; k < 4; ++k)
      multiply(outputs, row / lanes, task.weights + (4 * o + k * outputs) * task.inputs, work, task.inputs, row,
               products + k * outputs * row, row);
    for (int64_t i = 0; i < outputs; ++i) put_doubled(task, o + i, y, products + i * row, outputs * row);
  }
}

// ---- The table

int64_t work_size(const ScoreTask& task) {
  const int64_t size = score_block(task.outputs, block);
  switch (task.kind) {
    case ScoreKind::conv: {
      const int64_t products = positions * size * group, staged = 6 * tile * (group + 2);
      return (positions * task.inputs * group + (products > staged ? products : staged)) * lanes;
    }
    case ScoreKind::merge: return (2 * task.inputs + size) * task.in.row;
    case ScoreKind::down: return (4 * task.inputs + size) * task.out.row;
    default: return (task.inputs + 4 * size) * task.in.row;
  }
}

int64_t pieces(const ScoreTask& task) {
  switch (task.kind) {
    case ScoreKind::conv: return (task.out.tile_rows * task.out.vectors + group - 1) / group;
    case ScoreKind::up: return task.in.n0;
    default: return task.out.n0;
  }
}

void run(const ScoreTask& task, int64_t piece, float* work) {
  switch (task.kind) {
    case ScoreKind::conv: return convolve(task, piece, work);
    case ScoreKind::merge: return merge(task, piece, work);
    case ScoreKind::down: return down(task, piece, work);
    case ScoreKind::up: return up(task, piece, work);
  }
}

extern const ScoreKernels score_kernels_table = {lanes, block, work_size, pieces, run};

}  // namespace PEARLITE_ISA
}  // namespace pearlite
