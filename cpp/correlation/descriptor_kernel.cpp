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
  const Ensemble<T, form> ensemble{task};
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

// Pixels that the gradient handles at once: as many columns as keep their ensembles in the cache.
template <class T>
int64_t tiles_at_once(int64_t count) {
  const int64_t most = (int64_t{384} << 10) / (count * columns<T> * int64_t(sizeof(T)));
  return most < 2 ? 2 : most > 8 ? 8 : most;
}

template <class T>
int64_t gradient_workspace(int64_t count) {
  return count * (columns<T> * tiles_at_once<T>(count) + rows) + DescriptorKernels::slack;
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
  const Ensemble<T, form> ensemble{task};
  const auto v = read<T, columns<T>>(here);
  auto own = Columns<T>::all(0);
  for (int i = 0; i < rows && vector + i < task.count; ++i) {
    const int64_t offset = task.offsets[vector + i];
    const auto there = read<T, columns<T>>(here + offset);
    const auto c = Columns<T>::all(linear[vector + i]);
    const auto slope = tile.sum[i] + tile.sum[i] + c;
    if (form == Form::product && vector + i == 0) {
      own = own + slope;
    } else if constexpr (form == Form::product) {
      accumulate(out + offset, v * slope, lanes);
      own = own + there * slope;
    } else if constexpr (form == Form::centred) {
      accumulate(out + offset, v * slope, lanes);
      own = own + there * (tile.sum[i] + c);
    } else {
      const auto s = ensemble.sigmoid(v * there);
      // Half of the threshold's slope: a pixel counts half in its argument.
      const auto d = T(0.5) * task.steepness * task.scale * (s * (Columns<T>::all(1) - s) * slope);
      accumulate(out + offset, d, lanes);
      own = own + d;
    }
  }
  accumulate(out, own, lanes);
}

// right[t][s][x] = e_s at pixel x of tile t, here + t * columns.
template <class T, Form form>
void form_pixels(const Ensembles<T>& task, const T* here, int64_t tiles, T* right) {
  const Ensemble<T, form> ensemble{task};
  for (int64_t t = 0; t < tiles; ++t, here += columns<T>) {
    const auto v = read<T, columns<T>>(here);
    for (int64_t s = 0; s < task.count; ++s, right += columns<T>) {
      const bool own = form == Form::product && s == 0;
      const auto e = own ? v : ensemble.right(v, read<T, columns<T>>(here + task.offsets[s]));
      e.store(right);
    }
  }
}

template <class T, Form form>
void gradient_lines(const Ensembles<T>& task, const T* gram_cotangent, const T* means_cotangent, int64_t first,
                    int64_t end, T* out, T* workspace) {
  const int64_t count = task.count, most = tiles_at_once<T>(count);
  T *const right = workspace, *const left = right + count * columns<T> * most;
  for (int64_t line = first; line < end; ++line) {
    for (int64_t x = 0; x < task.line_length; x += most * columns<T>) {
      const int64_t rest = task.line_length - x, at = task.lines[line] + x;
      int64_t tiles = (rest + columns<T> - 1) / columns<T>;
      if (tiles > most) tiles = most;
      form_pixels<T, form>(task, task.values + at, tiles, right);
      for (int64_t r = 0; r < count; r += rows) {
        // Rows of the symmetric cotangent are its columns, which lie side by side.
        const int64_t there = count - r < rows ? count - r : rows;
        for (int64_t s = 0; s < count; ++s)
          for (int64_t i = 0; i < rows; ++i)
            left[s * rows + i] = i < there ? gram_cotangent[s * count + r + i] : T(0);
        for (int64_t t = 0; t < tiles; ++t) {
          const int64_t p = t * columns<T>, lanes = rest - p < columns<T> ? rest - p : columns<T>;
          Tile<T> tile;
          tile.multiply(left, right + t * count * columns<T>, count);
          pull_tile<T, form>(task, tile, means_cotangent, r, task.values + at + p, lanes, out + at + p);
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
