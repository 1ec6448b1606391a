// The layers of a score network, compiled once for each instruction set. No STL templates here.
#include "score/moments.hpp"
#include "score/stage.hpp"

namespace pearlite {
namespace PEARLITE_ISA {

inline int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

// How many of the tiles of register v have a pixel in column p.
inline int64_t valid(const ScoreGrid& grid, int64_t v, int p) {
  return smaller((grid.n1 - p + tile - 1) / tile - v * lanes, lanes);
}

// Where in the image a piece is.
struct Place {
  int64_t row, v;        // the first of its rows of tiles, and of their registers
  int64_t down, across;  // how many of both there are

  Place(const ScoreGrid& grid, int64_t piece)
      : row(piece / grid.pieces_across * grid.down),
        v(piece % grid.pieces_across * grid.across),
        down(smaller(grid.down, grid.tile_rows - row)),
        across(smaller(grid.across, grid.vectors - v)) {}
};

// What the same thread probably reads next, the rows below included.
inline Soon next_source(const ScoreTask& task, const ScoreSource& source, int64_t piece) {
  const ScoreGrid& grid = task.in;
  const int64_t next = piece + task.ahead + grid.pieces_across;
  if (!source.scale || next >= grid.pieces_across * grid.pieces_down) return {};
  return {source.values + next * grid.piece, task.inputs * grid.channel};
}

// ---- 3×3 convolutions

// Writes 4×4 pixels of the tiles of register v in a row of tiles, and sums them up.
PEARLITE_INLINE void put_tiles(const ScoreGrid& grid, float* to, int64_t row, int64_t v, const V* y,
                               Moments& moments) {
#pragma GCC unroll 16
  for (int k = 0; k < 16; ++k) y[k].store(to + k * grid.line);
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

// Transforms the tiles of a piece, of all channels: panel (36, inputs, group).
void transform_inputs(const ScoreTask& task, const Place& place, float* panel) {
  alignas(64) float staged[6 * tile * staged_pitch] = {};  // what no tile fills shall be numbers
  const bool image = !task.source[0].scale;
  for (int64_t i = 0; i < place.down; ++i) {
    const Strip strip(task.in, image, task.periodic, place.row + i, place.v, place.across);
    for (int64_t c = 0; c < task.inputs; ++c) {
      if (image) stage_image(task, c, strip, staged);
      else if (strip.whole) stage<true>(task, c, strip, staged);
      else stage<false>(task, c, strip, staged);
      for (int64_t v = 0; v < place.across; ++v)
        transform_rows(staged + (1 + v) * lanes, panel + (c * group + i + v) * lanes,
                       task.inputs * group * lanes);
    }
  }
}

// Channels o, … of a piece from their products (outputs, group, 37 registers).
void put_piece(const ScoreTask& task, const Place& place, int64_t piece, int64_t o, int64_t outputs,
               const float* products) {
  const ScoreGrid& grid = task.out;
  const bool beside = grid.down == 1;  // else registers lie one above the other
  float* to = task.to + (task.sums ? piece * grid.piece + o * grid.channel : 0);
  for (int64_t i = 0; i < outputs; ++i, to += grid.channel) {
    Moments moments;
    for (int64_t v = 0; v < place.down * place.across; ++v) {
      V y[16];
      tiles_out(products + (i * group + v) * products_pitch, y);
      const int64_t row = place.row + (beside ? 0 : v), column = place.v + (beside ? v : 0);
      if (task.sums)
        put_tiles(grid, to + (beside ? lanes : 16 * grid.line) * v, row, column, y, moments);
      else put_image(task, o + i, row, column, y);
    }
    if (task.sums) moments.add_to(task.sums + (piece * task.outputs + o + i) * 2);
  }
}

void convolve(const ScoreTask& task, int64_t piece, float* work) {
  const Place place(task.out, piece);
  const int64_t depth = task.inputs, size = score_block(task.outputs, block);
  float *const panel = work, *const products = panel + positions * depth * group * lanes;
  transform_inputs(task, place, panel);
  Soon source = next_source(task, task.source[0], piece), result;
  if (task.sums) result = Soon(task.to + piece * task.out.piece, task.out.piece);
  for (int64_t o = 0; o < task.outputs; o += size) {
    const int64_t outputs = smaller(size, task.outputs - o);
    for (int k = 0; k < positions; ++k) {
      const Panel own = {task.weights + (o * positions + k * outputs) * depth,
                         panel + k * depth * group * lanes, depth, group * lanes,
                         products + k * lanes, group * products_pitch, products_pitch, nullptr, 0};
      multiply(outputs, place.down * place.across, own, result, source);
    }
    put_piece(task, place, piece, o, outputs, products);
  }
}

// ---- The others, which take the rows of pixels of a piece one by one. Such a row is (4 columns
// mod 4, `across`) registers, and lies together.

inline int64_t row_size(const ScoreGrid& grid) { return tile * grid.line; }

// Writes register v of a row, and sums it up.
PEARLITE_INLINE void put_row(const ScoreGrid& grid, float* to, int64_t v, const V* y,
                             Moments& moments) {
#pragma GCC unroll 4
  for (int p = 0; p < tile; ++p) y[p].store(to + p * grid.line);
  if (valid(grid, v, tile - 1) == lanes) return moments.add<4>(y);
  for (int p = 0; p < tile; ++p) moments.add_some(y[p], valid(grid, v, p));
}

// Rows of products (outputs, row) to channels o, …
void put_rows(const ScoreTask& task, int64_t piece, int64_t y, int64_t o, int64_t outputs,
              const float* products) {
  const ScoreGrid& grid = task.out;
  const Place place(grid, piece);
  float* to = task.to + row_place(grid, y) + register_place(grid, place.v) + o * grid.channel;
  for (int64_t i = 0; i < outputs; ++i, to += grid.channel, products += row_size(grid)) {
    Moments moments;
    for (int64_t k = 0; k < place.across; ++k) {
      V values[tile];
      for (int p = 0; p < tile; ++p) values[p] = V::load(products + p * grid.line + k * lanes);
      put_row(grid, to + k * lanes, place.v + k, values, moments);
    }
    moments.add_to(task.sums + (piece * task.outputs + o + i) * 2);
  }
}

// Calls body(y) for the rows of pixels of a piece.
template <class Body>
PEARLITE_INLINE void each_row(const ScoreGrid& grid, int64_t piece, const Body& body) {
  const Place place(grid, piece);
  const int64_t end = smaller(tile * (place.row + place.down), grid.n0);
  for (int64_t y = tile * place.row; y < end; ++y) body(y);
}

// panel (channels, row) = row y of a piece of a source.
void load_row(const ScoreTask& task, const ScoreSource& source, int64_t piece, int64_t y,
              float* panel) {
  const ScoreGrid& grid = task.in;
  const float* from = source.values + row_place(grid, y) + piece % grid.pieces_across * grid.piece;
  for (int64_t c = 0; c < task.inputs; ++c, panel += row_size(grid), from += grid.channel) {
    const Activation activation(source, c);
    for (int64_t k = 0; k < row_size(grid); k += lanes)
      activation(V::load(from + k)).store(panel + k);
  }
}

// products (outputs, row) = weights · panel (depth, row).
PEARLITE_INLINE void multiply_row(int64_t outputs, const float* weights, const float* panel,
                                  int64_t depth, int64_t row, float* products, Soon& first,
                                  Soon& second) {
  multiply(outputs, row / lanes, {weights, panel, depth, row, products, row, lanes, nullptr, 0},
           first, second);
}

void merge(const ScoreTask& task, int64_t piece, float* work) {
  const int64_t depth = 2 * task.inputs, row = row_size(task.in),
                size = score_block(task.outputs, block);
  float* const products = work + depth * row;
  Soon sources[2] = {next_source(task, task.source[0], piece),
                     next_source(task, task.source[1], piece)};
  each_row(task.out, piece, [&](int64_t y) {
    load_row(task, task.source[0], piece, y, work);
    load_row(task, task.source[1], piece, y, work + task.inputs * row);
    for (int64_t o = 0; o < task.outputs; o += size) {
      const int64_t outputs = smaller(size, task.outputs - o);
      multiply_row(outputs, task.weights + o * depth, work, depth, row, products, sources[0],
                   sources[1]);
      put_rows(task, piece, y, o, outputs, products);
    }
  });
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

// panel (channels, 2×2, row of the result) = two rows of the source.
void load_halved(const ScoreTask& task, int64_t piece, int64_t y, float* panel) {
  const ScoreGrid &in = task.in, &out = task.out;
  const Place place(out, piece);
  const ScoreSource& source = task.source[0];
  for (int64_t c = 0; c < task.inputs; ++c) {
    const Activation activation(source, c);
    for (int k = 0; k < 2 * tile; ++k) {
      const int i = k / tile, p = k % tile;  // row, and column mod 4
      const float* from = source.values + c * in.channel + row_place(in, 2 * y + i) + p * in.line;
      float* to = panel + (4 * c + 2 * i + p % 2) * row_size(out) + p / 2 * out.line;
      for (int64_t v = 0; v < place.across; ++v) {
        const int64_t first = 2 * (place.v + v);
        const V a = activation(V::load(from + register_place(in, first)));
        const V b = first + 1 < in.vectors
                        ? activation(V::load(from + register_place(in, first + 1)))
                        : V::all(0);
        const Pair tiles = parted(a, b);
        tiles.first.store(to + v * lanes);
        tiles.second.store(to + 2 * out.line + v * lanes);
      }
    }
  }
}

void down(const ScoreTask& task, int64_t piece, float* work) {
  const int64_t depth = 4 * task.inputs, row = row_size(task.out),
                size = score_block(task.outputs, block);
  float* const products = work + depth * row;
  Soon none, result(task.to + piece * task.out.piece, task.out.piece);
  each_row(task.out, piece, [&](int64_t y) {
    load_halved(task, piece, y, work);
    for (int64_t o = 0; o < task.outputs; o += size) {
      const int64_t outputs = smaller(size, task.outputs - o);
      multiply_row(outputs, task.weights + o * depth, work, depth, row, products, none, result);
      put_rows(task, piece, y, o, outputs, products);
    }
  });
}

// One channel of two rows: products are (2×2, pitch), each a row of the source.
void put_doubled(const ScoreTask& task, int64_t piece, int64_t y, int64_t o, const float* products,
                 int64_t pitch) {
  const ScoreGrid &in = task.in, &out = task.out;
  const Place place(in, piece);
  Moments moments;
  for (int i = 0; i < 2; ++i) {
    float* to = task.to + o * out.channel + row_place(out, 2 * y + i);
    for (int64_t k = 0; k < 2 * place.across && 2 * place.v + k < out.vectors; ++k) {
      V values[tile];
      for (int p = 0; p < tile; ++p) {
        const float* from = products + (2 * i + p % 2) * pitch + p / 2 * in.line + k / 2 * lanes;
        values[p] = zipped(V::load(from), V::load(from + 2 * in.line), k % 2 == 1);
      }
      put_row(out, to + register_place(out, 2 * place.v + k), 2 * place.v + k, values, moments);
    }
  }
  moments.add_to(task.sums + (piece * task.outputs + o) * 2);
}

void up(const ScoreTask& task, int64_t piece, float* work) {
  const int64_t row = row_size(task.in), size = score_block(task.outputs, block);
  float* const products = work + task.inputs * row;
  Soon none, source = next_source(task, task.source[0], piece);
  each_row(task.in, piece, [&](int64_t y) {
    load_row(task, task.source[0], piece, y, work);
    for (int64_t o = 0; o < task.outputs; o += size) {
      const int64_t outputs = smaller(size, task.outputs - o);
      for (int k = 0; k < 4; ++k)
        multiply_row(outputs, task.weights + (4 * o + k * outputs) * task.inputs, work, task.inputs,
                     row, products + k * outputs * row, none, source);
      for (int64_t i = 0; i < outputs; ++i)
        put_doubled(task, piece, y, o + i, products + i * row, outputs * row);
    }
  });
}

// ---- The table

int64_t work_size(const ScoreTask& task) {
  const int64_t size = score_block(task.outputs, block);
  switch (task.kind) {
    case ScoreKind::conv:
      return positions * task.inputs * group * lanes + size * group * products_pitch;
    case ScoreKind::merge: return (2 * task.inputs + size) * row_size(task.in);
    case ScoreKind::down: return (4 * task.inputs + size) * row_size(task.out);
    default: return (task.inputs + 4 * size) * row_size(task.in);
  }
}

void run(const ScoreTask& task, int64_t piece, float* work) {
  if (task.sums)
    for (int64_t k = 0; k < 2 * task.outputs; ++k) task.sums[piece * 2 * task.outputs + k] = 0;
  switch (task.kind) {
    case ScoreKind::conv: return convolve(task, piece, work);
    case ScoreKind::merge: return merge(task, piece, work);
    case ScoreKind::down: return down(task, piece, work);
    case ScoreKind::up: return up(task, piece, work);
  }
}

extern const ScoreKernels score_kernels_table = {lanes, block, work_size, run};

}  // namespace PEARLITE_ISA
}  // namespace pearlite
