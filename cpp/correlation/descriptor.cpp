// Lays out the field with its periodic margins, shares the work among threads and folds results back.
// What is shared out does not depend on the number of threads, nor does any order of summation.
#include "correlation/descriptor.hpp"

#include <algorithm>
#include <cmath>
#include <new>
#include <vector>

#include "parallel.hpp"

namespace pearlite {

Threshold threshold(double steepness) {
  // f''(3/4) = 0 at the middle of the logistic function; the scale from f(1) − f(0) = 1.
  const double low = 1 / (1 + std::exp(0.75 * steepness)), high = 1 / (1 + std::exp(-0.25 * steepness));
  const double scale = 1 / (high - low);
  return {steepness, scale, -scale * low};
}

namespace {

// Beyond it the exponentials of single precision overflow.
constexpr double largest_exponent = 40;
constexpr int64_t stripes = 16;  // parts of the gradient, each with a buffer of its own

template <class T>
const DescriptorKernelsOf<T>& kernels_of();
template <>
const DescriptorKernelsOf<float>& kernels_of<float>() { return descriptor_kernels().of32; }
template <>
const DescriptorKernelsOf<double>& kernels_of<double>() { return descriptor_kernels().of64; }

// Zeroed memory on a 64-byte boundary.
template <class T>
class Aligned {
 public:
  explicit Aligned(int64_t size) : values_(static_cast<T*>(::operator new(sizeof(T) * size, std::align_val_t(64)))) {
    std::fill(values_, values_ + size, T(0));
  }
  Aligned(const Aligned&) = delete;
  Aligned& operator=(const Aligned&) = delete;
  Aligned(Aligned&& other) noexcept : values_(other.values_) { other.values_ = nullptr; }
  ~Aligned() { ::operator delete(values_, std::align_val_t(64)); }
  T* get() const { return values_; }

 private:
  T* values_;
};

int64_t wrapped(int64_t i, int64_t n) {
  i %= n;
  return i < 0 ? i + n : i;
}

// A field with margins as wide as the vectors reach.
struct Layout {
  int64_t size[3], low[3], full[3];  // margin before the first pixel; pixels with both margins
  std::vector<int64_t> lines, offsets;

  explicit Layout(const Window& window) : offsets(window.count) {
    for (int a = 0; a < 3; ++a) {
      int64_t least = 0, most = 0;
      for (int64_t r = 0; r < window.count; ++r) {
        least = std::min(least, window.vectors[3 * r + a]);
        most = std::max(most, window.vectors[3 * r + a]);
      }
      size[a] = window.size[a];
      low[a] = -least;
      full[a] = low[a] + size[a] + most;
    }
    for (int64_t r = 0; r < window.count; ++r) {
      const int64_t* v = window.vectors + 3 * r;
      offsets[r] = (v[0] * full[1] + v[1]) * full[2] + v[2];
    }
    for (int64_t i = 0; i < size[0]; ++i)
      for (int64_t j = 0; j < size[1]; ++j) lines.push_back((i * full[1] + j) * full[2]);
  }

  int64_t pixels() const { return size[0] * size[1] * size[2]; }
  int64_t origin() const { return (low[0] * full[1] + low[1]) * full[2] + low[2]; }
  int64_t values() const { return full[0] * full[1] * full[2] + DescriptorKernels::slack; }

  // Calls use(position with margins, position in the field) for each line of positions with margins whose
  // outer coordinates, axis 0 times axis 1, lie in [first, end).
  template <class Use>
  void each_line(int64_t first, int64_t end, const Use& use) const {
    for (int64_t k = first; k < end; ++k) {
      const int64_t i = wrapped(k / full[1] - low[0], size[0]), j = wrapped(k % full[1] - low[1], size[1]);
      use(k * full[2], (i * size[1] + j) * size[2]);
    }
  }
};

template <class T>
T prepared(const Window& window, T value) {
  if (window.form != Form::logistic) return value;
  const double exponent = -0.5 * window.steepness * double(value);
  return T(std::exp(std::min(std::max(exponent, -largest_exponent), largest_exponent)));
}

// The field with its margins; the first pixel is at `origin`.
template <class T>
Aligned<T> laid_out(const Window& window, const Layout& layout, const T* field) {
  std::vector<T> values(field, field + layout.pixels());
  for (T& value : values) value = prepared(window, value);
  Aligned<T> out(layout.values());
  layout.each_line(0, layout.full[0] * layout.full[1], [&](int64_t to, int64_t from) {
    for (int64_t k = 0; k < layout.full[2]; ++k)
      out.get()[to + k] = values[from + wrapped(k - layout.low[2], layout.size[2])];
  });
  return out;
}

template <class T>
Ensembles<T> ensembles(const Window& window, const Layout& layout, const T* values) {
  Ensembles<T> task{};
  task.form = window.form;
  task.values = values + layout.origin();
  task.lines = layout.lines.data();
  task.line_count = int64_t(layout.lines.size());
  task.line_length = layout.size[2];
  task.offsets = layout.offsets.data();
  task.count = window.count;
  const Threshold f = threshold(window.steepness);
  task.logistic = {T(f.steepness), T(f.scale), T(f.shift), T(std::exp(0.75 * f.steepness))};
  return task;
}

// Threads that pay for their start.
int useful_threads(const Window& window, const Layout& layout) {
  const double work = double(window.count) * double(window.count) * double(layout.pixels());
  return work < 1e7 ? 1 : window.threads;
}

template <class T>
void finish(int64_t count, int64_t pixels, T* gram, T* means) {
  const T each = T(1) / T(pixels);
  constexpr int64_t block = 64;  // of the transposition
  for (int64_t i = 0; i < count; i += block)
    for (int64_t j = i; j < count; j += block)
      for (int64_t k = i; k < std::min(i + block, count); ++k)
        for (int64_t l = std::max(j, k); l < std::min(j + block, count); ++l)
          gram[l * count + k] = gram[k * count + l] *= each;
  for (int64_t r = 0; r < count; ++r) means[r] *= each;
}

}  // namespace

template <class T>
bool descriptor(const Window& window, const T* field, T* gram, T* means) {
  const Layout layout(window);
  const Aligned<T> values = laid_out(window, layout, field);
  const Ensembles<T> task = ensembles(window, layout, values.get());
  const auto& kernels = kernels_of<T>();
  const int64_t count = window.count, most = DescriptorKernels::columns;
  const int64_t blocks = (count + most - 1) / most, even = (count + blocks - 1) / blocks;
  const int64_t width = (even + 31) / 32 * 32;  // whole tiles of any kernel
  const int threads = useful_threads(window, layout);
  std::vector<Aligned<T>> workspaces;
  for (int64_t k = 0; k < std::min<int64_t>(threads, blocks); ++k) workspaces.emplace_back(kernels.gram_workspace());
  std::fill(gram, gram + count * count, T(0));
  kernels.means(task, means);
  const bool done = parallel_for(
      blocks, threads,
      [&](int worker, int64_t index) {
        const int64_t first = (blocks - 1 - index) * width;  // the longest columns first
        if (first < count) kernels.gram(task, first, std::min(first + width, count), gram,
                                       workspaces[worker].get());
      },
      [&] { return window.interrupted && window.interrupted(nullptr); });
  if (done) finish(count, layout.pixels(), gram, means);
  return done;
}

template <class T>
bool descriptor_gradient(const Window& window, const T* field, const T* gram_cotangent, const T* means_cotangent,
                         T* gradient) {
  const Layout layout(window);
  const Aligned<T> values = laid_out(window, layout, field);
  const Ensembles<T> task = ensembles(window, layout, values.get());
  const auto& kernels = kernels_of<T>();
  // Stripes along the first axis that any vector or pixel extends along; each reaches as far as its pixels' vectors.
  const int axis = layout.full[0] > 1 ? 0 : 1;
  const int64_t inner = axis == 0 ? layout.size[1] : 1;  // lines of one step along it
  const int64_t positions = axis == 0 ? layout.full[1] : 1;
  const int64_t steps = layout.size[axis], each = (steps + stripes - 1) / stripes;
  const int64_t parts = (steps + each - 1) / each;
  const int64_t reach = layout.full[axis] - layout.size[axis];  // over both margins
  const int64_t part_lines = (std::min(each, steps) + reach) * positions;
  std::vector<Aligned<T>> buffers, workspaces;
  for (int64_t k = 0; k < parts; ++k)
    buffers.emplace_back(part_lines * layout.full[2] + DescriptorKernels::slack);
  const int threads = useful_threads(window, layout);
  for (int64_t k = 0; k < std::min<int64_t>(threads, parts); ++k)
    workspaces.emplace_back(kernels.gradient_workspace(window.count));
  const auto begin_of = [&](int64_t part) { return part * each * positions * layout.full[2]; };
  const bool done = parallel_for(
      parts, threads,
      [&](int worker, int64_t part) {
        T* const out = buffers[part].get() + layout.origin() - begin_of(part);
        kernels.gradient(task, gram_cotangent, means_cotangent, part * each * inner,
                         std::min((part + 1) * each, steps) * inner, out, workspaces[worker].get());
      },
      [&] { return window.interrupted && window.interrupted(nullptr); });
  if (!done) return false;
  std::fill(gradient, gradient + layout.pixels(), T(0));
  const T scale = T(1) / T(layout.pixels());
  for (int64_t part = 0; part < parts; ++part) {
    const int64_t first = part * each * positions;
    const int64_t end = std::min(first + part_lines, layout.full[0] * layout.full[1]);
    layout.each_line(first, end, [&](int64_t from, int64_t to) {
      const T* buffer = buffers[part].get() + from - begin_of(part);
      for (int64_t k = 0; k < layout.full[2]; ++k)
        gradient[to + wrapped(k - layout.low[2], layout.size[2])] += scale * buffer[k];
    });
  }
  return true;
}

template bool descriptor(const Window&, const float*, float*, float*);
template bool descriptor(const Window&, const double*, double*, double*);
template bool descriptor_gradient(const Window&, const float*, const float*, const float*, float*);
template bool descriptor_gradient(const Window&, const double*, const double*, const double*, double*);

}  // namespace pearlite
