// The blocked products of ensembles, compiled once for each instruction set. No STL templates here.
#include "correlation/descriptor_panels.hpp"

namespace pearlite {
namespace PEARLITE_ISA {

constexpr int64_t depth = 256;  // pixels of a panel: the sum over them stays in registers

// A tile (rows, columns) of a product: Σ_k left[k * rows + i] right[k * columns + j].
template <class T>
struct Tile {
  Columns<T> sum[rows];

  PEARLITE_INLINE void multiply(const T* left, const T* right, int64_t length) {
#pragma GCC unroll 12
    for (int i = 0; i < rows; ++i) sum[i] = Columns<T>::all(0);
    for (int64_t k = 0; k < length; ++k, left += rows, right += columns<T>) {
      const auto b = Columns<T>::load(right);
#pragma GCC unroll 12
      for (int i = 0; i < rows; ++i) sum[i] = sum[i] + left[i] * b;
    }
  }
  PEARLITE_INLINE void add(const T* p) {
    for (int i = 0; i < rows; ++i) sum[i] = sum[i] + Columns<T>::load(p + i * columns<T>);
  }
  PEARLITE_INLINE void store(T* p) const {
    for (int i = 0; i < rows; ++i) sum[i].store(p + i * columns<T>);
  }
};

// Adds a tile at row i, column j to gram (count, count); of one at the edge, what lies inside.
template <class T>
void add_tile(const Tile<T>& tile, int64_t i, int64_t j, int64_t count, T* gram) {
  T* to = gram + i * count + j;
  if (i + rows <= count && j + columns<T> <= count) {
    for (int k = 0; k < rows; ++k, to += count) write(read<T, columns<T>>(to) + tile.sum[k], to);
    return;
  }
  alignas(64) T values[columns<T>];
  for (int k = 0; k < rows && i + k < count; ++k, to += count) {
    tile.sum[k].store(values);
    for (int l = 0; l < columns<T> && j + l < count; ++l) to[l] += values[l];
  }
}

template <class T>
int64_t gram_workspace() {
  return depth * (DescriptorKernels::columns + columns<T> + rows) + 4 * DescriptorKernels::slack;
}

template <class T, Form form>
void gram_block(const Ensembles<T>& task, int64_t first, int64_t end, T* gram, T* workspace) {
  constexpr int64_t panel = depth * columns<T>;
  T* const right = workspace;
  // Behind the last panel is room for what `form_panel` overwrites.
  T* const left = right + panel * ((DescriptorKernels::columns + columns<T> - 1) / columns<T>) + 2 * DescriptorKernels::slack / 16 * 16;
  const int64_t pixels = task.line_count * task.line_length;
  for (int64_t x = 0; x < pixels; x += depth) {
    const int64_t length = pixels - x < depth ? pixels - x : depth;
    for (int64_t j = first; j < end; j += columns<T>)
      form_panel<T, form, false, columns<T>, columns<T>>(task, x, length, j, right + (j - first) * depth);
    for (int64_t i = 0; i < end; i += rows) {
      form_panel<T, form, true, rows, row_lanes>(task, x, length, i, left);
      for (int64_t j = first; j < end; j += columns<T>) {
        if (j + columns<T> <= i) continue;  // below the diagonal
        Tile<T> tile;
        tile.multiply(left, right + (j - first) * depth, length);
        add_tile(tile, i, j, task.count, gram);
      }
    }
  }
}

template <class T, Form form>
void mean_values(const Ensembles<T>& task, T* means) {
  const Ensemble<T, form> ensemble{task.logistic};
  for (int64_t r = 0; r < task.count; ++r) {
    double sum = 0;
    for (int64_t line = 0; line < task.line_count; ++line) {
      const T* here = task.values + task.lines[line];
      T part = 0;
      int64_t x = 0;
      auto lanes = Columns<T>::all(0);
      for (; x + columns<T> <= task.line_length; x += columns<T>) {
        const auto v = read<T, columns<T>>(here + x);
        const bool own = form == Form::product && r == 0;
        lanes = lanes + (own ? v : ensemble.left(v, read<T, columns<T>>(here + x + task.offsets[r])));
      }
      alignas(64) T values[columns<T>];
      lanes.store(values);
      for (int k = 0; k < columns<T>; ++k) part += values[k];
      for (; x < task.line_length; ++x) {
        const auto v = Vec<T, columns<T>>::all(here[x]);
        const auto e = ensemble.left(v, Columns<T>::all(here[x + task.offsets[r]]));
        e.store(values);
        part += form == Form::product && r == 0 ? here[x] : values[0];
      }
      sum += part;
    }
    means[r] = T(sum);
  }
}

// The gradient takes so many tiles of pixels at once, and so many vectors in a part of its sums over them:
// what is formed for these stays in the second cache.
constexpr int64_t tiles_at_once = 8;
inline int64_t sum_length(int64_t count) {
  const int64_t parts = (count + 383) / 384;
  return (count + parts - 1) / parts;
}
inline int64_t strips(int64_t count) { return (count + rows - 1) / rows; }

template <class T>
int64_t gradient_workspace(int64_t count) {
  const int64_t length = sum_length(count), tile = int64_t{rows} * columns<T>;
  return length * (columns<T> * tiles_at_once + rows) + DescriptorKernels::slack +
         (length < count ? strips(count) * tiles_at_once * tile : 0);
}

// Adds `value` to the first `lanes` entries at p.
template <class T>
PEARLITE_INLINE void accumulate(T* p, const Columns<T>& value, int64_t lanes) {
  if (lanes == columns<T>) return write(read<T, columns<T>>(p) + value, p);
  alignas(64) T values[columns<T>];
  value.store(values);
  for (int64_t k = 0; k < lanes; ++k) p[k] += values[k];
}

// What the sums Σ_s cotangent_rs e_s(x), in a tile (vectors from `vector`, pixels from `here`), add to the
// gradient of the pixels x + r, and of x. `lanes`: pixels that are there.
template <class T, Form form>
PEARLITE_INLINE void pull_tile(const Ensembles<T>& task, const Tile<T>& tile, const T* linear, int64_t vector,
                               const T* here, int64_t lanes, T* out) {
  const Ensemble<T, form> ensemble{task.logistic};
  const auto v = read<T, columns<T>>(here);
  auto own = Columns<T>::all(0);
  for (int i = 0; i < rows && vector + i < task.count; ++i) {
    const int64_t offset = task.offsets[vector + i];
    const auto there = read<T, columns<T>>(here + offset);
    const T c = linear[vector + i];
    if (form == Form::product && vector + i == 0) {
      own = own + (c + (tile.sum[i] + tile.sum[i]));
      continue;
    }
    Columns<T> here_too, other;
    ensemble.pull(v, there, tile.sum[i], c, here_too, other);
    accumulate(out + offset, other, lanes);
    own = own + here_too;
  }
  accumulate(out, own, lanes);
}

// A tile of pixels: the first one, and how many are there.
struct PixelTile {
  int64_t at, lanes;
};

// The tiles `from`, `from` + 1, ... of the lines [first, end): at most tiles_at_once; returns their number.
template <class T>
int64_t next_tiles(const Ensembles<T>& task, int64_t first, int64_t end, int64_t from, PixelTile* tiles) {
  const int64_t each = (task.line_length + columns<T> - 1) / columns<T>;
  int64_t found = 0;
  for (int64_t k = from; found < tiles_at_once && k < (end - first) * each; ++k) {
    const int64_t x = k % each * columns<T>, rest = task.line_length - x;
    tiles[found++] = {task.lines[first + k / each] + x, rest < columns<T> ? rest : columns<T>};
  }
  return found;
}

// right[s][x] = e_s of vectors s in [first, first + length) at the pixels of a tile.
template <class T, Form form>
void form_pixels(const Ensembles<T>& task, const T* here, int64_t first, int64_t length, T* right) {
  const Ensemble<T, form> ensemble{task.logistic};
  const auto v = read<T, columns<T>>(here);
  for (int64_t s = first; s < first + length; ++s, right += columns<T>) {
    const bool own = form == Form::product && s == 0;
    const auto e = own ? v : ensemble.right(v, read<T, columns<T>>(here + task.offsets[s]));
    e.store(right);
  }
}

// left[s][i] = cotangent of vectors first + s and r + i. Rows of the symmetric cotangent are its columns,
// which lie side by side.
template <class T>
void pack_cotangent(const T* cotangent, int64_t count, int64_t r, int64_t first, int64_t length, T* left) {
  const int64_t there = count - r < rows ? count - r : rows;
  const T* from = cotangent + first * count + r;
  if (there == rows) {
    for (int64_t s = 0; s < length; ++s, from += count, left += rows)
      for (int i = 0; i < rows; ++i) left[i] = from[i];
    return;
  }
  for (int64_t s = 0; s < length; ++s, from += count, left += rows)
    for (int i = 0; i < rows; ++i) left[i] = i < there ? from[i] : T(0);
}

template <class T, Form form>
void gradient_lines(const Ensembles<T>& task, const T* gram_cotangent, const T* means_cotangent, int64_t first,
                    int64_t end, T* out, T* workspace) {
  const int64_t count = task.count, most = sum_length(count);
  T *const right = workspace, *const sums = right + most * columns<T> * tiles_at_once;
  T* const left = sums + (most < count ? strips(count) * tiles_at_once * rows * columns<T> : 0);
  PixelTile tiles[tiles_at_once];
  for (int64_t from = 0, there; (there = next_tiles(task, first, end, from, tiles)) > 0; from += there) {
    for (int64_t s = 0; s < count; s += most) {
      const int64_t length = count - s < most ? count - s : most;
      for (int64_t t = 0; t < there; ++t)
        form_pixels<T, form>(task, task.values + tiles[t].at, s, length, right + t * most * columns<T>);
      for (int64_t r = 0; r < count; r += rows) {
        pack_cotangent(gram_cotangent, count, r, s, length, left);
        for (int64_t t = 0; t < there; ++t) {
          Tile<T> tile;
          tile.multiply(left, right + t * most * columns<T>, length);
          T* const sum = sums + (r / rows * tiles_at_once + t) * rows * columns<T>;
          if (s > 0) tile.add(sum);
          if (s + length < count) tile.store(sum);
          else pull_tile<T, form>(task, tile, means_cotangent, r, task.values + tiles[t].at, tiles[t].lanes,
                                  out + tiles[t].at);
        }
      }
    }
  }
}

// One of three instances, as the form says.
#define PEARLITE_BY_FORM(function, ...)                                                      \
  if (task.form == Form::product) return function<T, Form::product>(__VA_ARGS__);            \
  if (task.form == Form::logistic) return function<T, Form::logistic>(__VA_ARGS__);          \
  return function<T, Form::centred>(__VA_ARGS__)

template <class T>
void gram(const Ensembles<T>& task, int64_t first, int64_t end, T* gram, T* workspace) {
  PEARLITE_BY_FORM(gram_block, task, first, end, gram, workspace);
}
template <class T>
void means(const Ensembles<T>& task, T* means) {
  PEARLITE_BY_FORM(mean_values, task, means);
}
template <class T>
void gradient(const Ensembles<T>& task, const T* gram_cotangent, const T* means_cotangent, int64_t first, int64_t end,
              T* out, T* workspace) {
  PEARLITE_BY_FORM(gradient_lines, task, gram_cotangent, means_cotangent, first, end, out, workspace);
}

template <class T>
constexpr DescriptorKernelsOf<T> kernels_of = {gram_workspace<T>, gradient_workspace<T>, gram<T>, means<T>, gradient<T>};

extern const DescriptorKernels descriptor_kernels_table = {kernels_of<float>, kernels_of<double>};

}  // namespace PEARLITE_ISA
}  // namespace pearlite
