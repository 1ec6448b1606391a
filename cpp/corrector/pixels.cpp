#include "pixels.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>
#include <vector>

#include "shared/symmetric.hpp"

namespace pearlite {
namespace {

// Calls use(pointer to the pixels in their own type).
template <class Use>
void with_pixels(const Microstructures& cells, Use&& use) {
  switch (cells.dtype) {
    case Dtype::float32: return use(static_cast<const float*>(cells.pixels));
    case Dtype::float64: return use(static_cast<const double*>(cells.pixels));
    case Dtype::uint8: return use(static_cast<const uint8_t*>(cells.pixels));
    case Dtype::uint16: return use(static_cast<const uint16_t*>(cells.pixels));
    case Dtype::int32: return use(static_cast<const int32_t*>(cells.pixels));
  }
}

const double* phases_of(const Microstructures& cells, int64_t cell) {
  return cells.phases + (cells.phases_per_cell ? cell * cells.phase_count * cells.width() : 0);
}

template <class T>
void widen(Survey& s, T low, T high) {
  if (low == 0) s.voids = true;
  if (double(high) == INFINITY) s.conductors = true;
  if (low == 0 || double(high) == INFINITY) return;
  s.lowest = std::min(s.lowest, double(low));
  s.highest = std::max(s.highest, double(high));
}

// The eigenvalues of a symmetric 2×2 tensor, row major.
template <class T>
void widen_by_tensor(Survey& s, const T* tensor) {
  const double entries[4] = {tensor[0], tensor[1], tensor[2], tensor[3]};
  if (entries[0] == 0 && entries[1] == 0 && entries[2] == 0 && entries[3] == 0) {
    s.voids = true;
    return;
  }
  double low, high;
  eigenvalues(entries, low, high);
  widen(s, low, high);
}

template <class T>
void widen_by_tensor_3d(Survey& s, const T* tensor, double share) {
  double entries[9];
  for (int k = 0; k < 9; ++k) entries[k] = tensor[k];
  const double largest = largest_entry(entries);
  if (largest == 0) {
    s.voids = true;
    return;
  }
  for (int d = 0; d < 3; ++d) s.diagonal[d] += share * entries[4 * d];
  const auto t = Symmetric3::of(entries, largest);
  const double low = t.smallest(), high = t.largest();
  s.anisotropy = std::max(s.anisotropy, high / low);
  widen(s, low * largest, high * largest);
}

// Positive finite numbers are ordered as their bit patterns are, zero and negative numbers lie below
// them and infinities and NaNs above: one pass over integers finds the range and every defect.
template <class T>
bool range_of_values(Survey& s, const T* values, int64_t count) {
  using Bits = std::conditional_t<sizeof(T) == 4, int32_t, int64_t>;
  const auto bits = [](T value) {
    Bits b;
    std::memcpy(&b, &value, sizeof b);
    return b;
  };
  Bits low = bits(values[0]), high = low;
  for (int64_t k = 0; k < count; ++k) {
    const Bits b = bits(values[k]);
    low = b < low ? b : low;
    high = b > high ? b : high;
  }
  const Bits infinity = bits(std::numeric_limits<T>::infinity());
  if (low < bits(std::numeric_limits<T>::min()) || high >= infinity) {
    for (int64_t k = 0; k < count; ++k) {
      if (defect_of_scalar(values[k]) != Defect::none) return false;
      widen(s, values[k], values[k]);
    }
    return true;
  }
  const auto value = [](Bits b) {
    T v;
    std::memcpy(&v, &b, sizeof v);
    return double(v);
  };
  s.lowest = value(low);
  s.highest = value(high);
  return true;
}

template <class T>
bool range_of_tensors(Survey& s, const T* values, int64_t count, int dim) {
  for (int64_t k = 0; k < count; ++k) {
    const T* tensor = values + dim * dim * k;
    if (defect_of_tensor(tensor, dim) != Defect::none) return false;
    if (dim == 2) widen_by_tensor(s, tensor);
    else widen_by_tensor_3d(s, tensor, 1. / double(count));
  }
  return true;
}

template <class T>
void add_diagonals(Survey& s, const double* phases, const T* labels, int64_t count) {
  for (int d = 0; d < 3; ++d) {
    double sum = 0;
    for (int64_t k = 0; k < count; ++k) sum += phases[9 * int64_t(labels[k]) + 4 * d];
    s.diagonal[d] = sum / double(count);
  }
}

// The phases themselves have been checked.
template <class T>
bool range_of_labels(Survey& s, const Microstructures& cells, int64_t cell, const T* labels) {
  const int64_t count = cells.size();
  T low = labels[0], high = labels[0];
  for (int64_t k = 0; k < count; ++k) {
    low = labels[k] < low ? labels[k] : low;
    high = labels[k] > high ? labels[k] : high;
  }
  if (int64_t(low) < 0 || int64_t(high) >= cells.phase_count) return false;
  std::vector<char> present(std::size_t(high) - low + 1, 0);
  char* flag = present.data();
  for (int64_t k = 0; k < count; ++k) flag[labels[k] - low] = 1;
  const double* phases = phases_of(cells, cell);
  for (int64_t label = low; label <= int64_t(high); ++label) {
    if (!flag[label - low]) continue;
    if (cells.tensor && cells.dim == 3) widen_by_tensor_3d(s, phases + 9 * label, 0);
    else if (cells.tensor) widen_by_tensor(s, phases + 4 * label);
    else widen(s, phases[label], phases[label]);
  }
  if (cells.tensor && cells.dim == 3) add_diagonals(s, phases, labels, count);
  return true;
}

}  // namespace

Survey survey(const Microstructures& cells, int64_t cell) {
  Survey s;
  s.lowest = INFINITY;
  s.highest = 0;
  const int64_t count = cells.size();
  with_pixels(cells, [&](const auto* pixels) {
    using T = std::decay_t<decltype(*pixels)>;
    if constexpr (std::is_integral_v<T>) s.sound = range_of_labels(s, cells, cell, pixels + cell * count);
    else if (cells.tensor) s.sound = range_of_tensors(s, pixels + cells.width() * cell * count, count, cells.dim);
    else s.sound = range_of_values(s, pixels + cell * count, count);
  });
  if (!s.sound) return s;
  s.finish();
  return s;
}

namespace {

// The axes of one cell, as Components takes them.
template <int Dim>
std::array<int64_t, Dim> axes_of(const Microstructures& cells) {
  if constexpr (Dim == 2) return {cells.n0, cells.n1};
  else return {cells.n0, cells.n1, cells.n2};
}

}  // namespace

template <int Dim>
Percolation<Dim> percolation(const Microstructures& cells, int64_t cell, const Survey& s) {
  Percolation<Dim> found;
  found.conducting.rank = Dim;
  // Nodes conduct across a corner where two pixels touch, in these elements.
  Components<Dim> components(axes_of<Dim>(cells), Dim, true);
  const int64_t width = cells.width(), first = cell * cells.size();
  const auto classify = [&](const auto& value) {
    if (s.voids) found.conducting = components.windings([&](int64_t k) { return value(k) > 0; });
    if (s.conductors) found.perfect = components.windings([&](int64_t k) { return double(value(k)) == INFINITY; });
  };
  with_pixels(cells, [&](const auto* pixels) {
    using T = std::decay_t<decltype(*pixels)>;
    if constexpr (std::is_integral_v<T>) {
      const double* phases = phases_of(cells, cell);
      classify([&](int64_t k) { return phases[width * int64_t(pixels[first + k])]; });
    } else {
      classify([&](int64_t k) { return pixels[width * (first + k)]; });
    }
  });
  return found;
}

template Percolation<2> percolation(const Microstructures&, int64_t, const Survey&);
template Percolation<3> percolation(const Microstructures&, int64_t, const Survey&);

Reader::Reader(const Microstructures& cells, const int64_t* members, const Survey* surveys, bool float64)
    : cells_(cells), members_(members), surveys_(surveys), float64_(float64) {
  for (int i = 0; i < cells.dim; ++i) stretch_[i] = cells.spacing[i] / cells.largest_spacing();
  tensor_ = cells.tensor || (cells.dim == 2 && cells.spacing[0] != cells.spacing[1]);
}

namespace {

// One row of scalars; `at(j)` is the address of pixel j's conductivity.
template <class To, class At>
void read_scalars(int64_t n, const Survey& s, To* out, const At& at) {
  const To factor = static_cast<To>(1 / s.unit);
  if (s.conductors)
    for (int64_t j = 0; j < n; ++j) out[j] = static_cast<To>(std::min<double>(*at(j), s.cap()) / s.unit);
  else
    for (int64_t j = 0; j < n; ++j) out[j] = static_cast<To>(*at(j)) * factor;
}

// One row of tensors, as A00, A11, A01.
template <class To, class At>
void read_tensors(int64_t n, bool tensor, const Survey& s, const double* stretch, To* out, const At& at) {
  const double scale = 1 / s.unit, cap = s.conductors ? s.cap() : INFINITY;
  const double s00 = scale / (stretch[0] * stretch[0]), s11 = scale / (stretch[1] * stretch[1]),
               s01 = scale / (stretch[0] * stretch[1]);
  for (int64_t j = 0; j < n; ++j) {
    const auto* a = at(j);
    out[3 * j] = static_cast<To>(std::min<double>(a[0], cap) * s00);
    out[3 * j + 1] = static_cast<To>(std::min<double>(a[tensor ? 3 : 0], cap) * s11);
    out[3 * j + 2] = tensor ? static_cast<To>(.5 * (double(a[1]) + a[2]) * s01) : To(0);
  }
}

// One row of voxels' tensors, (6, n): A00, A11, A22, A01, A02, A12.
template <class To, class At>
void read_voxel_tensors(int64_t n, const Survey& s, const double* stretch, To* out, const At& at) {
  constexpr int rows[6] = {0, 1, 2, 0, 0, 1}, columns[6] = {0, 1, 2, 1, 2, 2};
  for (int64_t k = 0; k < n; ++k) {
    const auto* a = at(k);
    for (int c = 0; c < 6; ++c) {
      const int i = rows[c], j = columns[c];
      const double factor = .5 / (s.unit * stretch[i] * stretch[j]);
      out[c * n + k] = static_cast<To>((double(a[3 * i + j]) + a[3 * j + i]) * factor);
    }
  }
}

}  // namespace

void Reader::read(const void* self, int cell, int row, void* values) {
  static_cast<const Reader*>(self)->read_row(cell, row, values);
}

void Reader::read_row(int cell, int64_t row, void* values) const {
  const Microstructures& in = cells_;
  const int64_t n = in.row_length(), which = members_[cell], width = in.width();
  const int64_t first = (which * in.rows() + row) * n;
  const Survey& seen = surveys_[which];
  const auto deliver = [&](const auto& at) {
    if (tensor_ && in.dim == 3) {
      if (float64_) read_voxel_tensors(n, seen, stretch_, static_cast<double*>(values), at);
      else read_voxel_tensors(n, seen, stretch_, static_cast<float*>(values), at);
    } else if (tensor_) {
      if (float64_) read_tensors(n, in.tensor, seen, stretch_, static_cast<double*>(values), at);
      else read_tensors(n, in.tensor, seen, stretch_, static_cast<float*>(values), at);
    } else {
      if (float64_) read_scalars(n, seen, static_cast<double*>(values), at);
      else read_scalars(n, seen, static_cast<float*>(values), at);
    }
  };
  with_pixels(in, [&](const auto* pixels) {
    using T = std::decay_t<decltype(*pixels)>;
    if constexpr (std::is_integral_v<T>) {
      const double* phases = phases_of(in, which);
      deliver([&](int64_t j) { return phases + width * int64_t(pixels[first + j]); });
    } else {
      deliver([&](int64_t j) { return pixels + width * (first + j); });
    }
  });
}

}  // namespace pearlite
