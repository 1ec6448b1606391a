// Checks of conductivities and labels, before any work is done with them.
#include <algorithm>
#include <cmath>
#include <limits>
#include <mutex>

#include "corrector.hpp"
#include "parallel.hpp"
#include "pixels.hpp"

namespace pearlite {
namespace {

bool finite(double value) { return std::fabs(value) <= std::numeric_limits<double>::max(); }

}  // namespace

// t: (2, 2). Entries are divided by the largest one, so that the determinant cannot overflow.
template <class T>
Defect defect_of_tensor(const T* t) {
  double largest = 0;
  for (int k = 0; k < 4; ++k) {
    if (!finite(t[k])) return Defect::not_finite;
    largest = std::max(largest, std::fabs(static_cast<double>(t[k])));
  }
  if (largest == 0) return Defect::none;  // a void
  const double a00 = t[0] / largest, a01 = t[1] / largest, a10 = t[2] / largest, a11 = t[3] / largest;
  const double tolerance = sizeof(T) == 4 ? 1e-6 : 1e-12;
  if (std::fabs(a01 - a10) > tolerance) return Defect::not_symmetric;
  const double cross = (a01 + a10) / 2;
  return a00 > 0 && a00 * a11 - cross * cross > 0 ? Defect::none : Defect::not_definite;
}

// Numbers too small to be normal would be read as 0 by the kernels.
template <class T>
Defect defect_of_scalar(T value) {
  if (value != value) return Defect::not_finite;
  return value == 0 || value >= std::numeric_limits<T>::min() ? Defect::none : Defect::not_positive;
}

template Defect defect_of_scalar(float);
template Defect defect_of_scalar(double);
template Defect defect_of_tensor(const float*);
template Defect defect_of_tensor(const double*);

namespace {

template <class T>
const T* as(const Microstructures& cells) {
  return static_cast<const T*>(cells.pixels);
}

template <class T>
Defect defect_of(const T* value, bool tensor) {
  return tensor ? defect_of_tensor(value) : defect_of_scalar(*value);
}

// values: (count[, 2, 2]) of conductivities.
template <class T>
Finding first_bad_value(const T* values, bool tensor, int64_t count) {
  for (int64_t p = 0; p < count; ++p) {
    const Defect defect = defect_of(values + p * (tensor ? 4 : 1), tensor);
    if (defect != Defect::none) return {defect, 0, p, false};
  }
  return {};
}

// labels: (count,).
template <class T>
Finding first_bad_label(const T* labels, int64_t phase_count, int64_t count) {
  for (int64_t p = 0; p < count; ++p) {
    const int64_t label = labels[p];
    if (label < 0 || label >= phase_count) return {Defect::no_phase, 0, p, false};
  }
  return {};
}

Finding inspect_cell(const Microstructures& cells, int64_t cell) {
  const int64_t size = cells.size(), start = cell * size;
  const int64_t width = cells.tensor && !cells.phases ? 4 : 1;
  Finding finding;
  switch (cells.dtype) {
    case Dtype::float32: finding = first_bad_value(as<float>(cells) + start * width, cells.tensor, size); break;
    case Dtype::float64: finding = first_bad_value(as<double>(cells) + start * width, cells.tensor, size); break;
    case Dtype::uint8: finding = first_bad_label(as<uint8_t>(cells) + start, cells.phase_count, size); break;
    case Dtype::uint16: finding = first_bad_label(as<uint16_t>(cells) + start, cells.phase_count, size); break;
    case Dtype::int32: finding = first_bad_label(as<int32_t>(cells) + start, cells.phase_count, size); break;
  }
  finding.cell = cell;
  return finding;
}

}  // namespace

namespace {

Finding first_bad_phase(const Microstructures& cells) {
  if (!cells.phases) return {};
  const int64_t tables = cells.phases_per_cell ? cells.batch : 1;
  return first_bad_value(cells.phases, cells.tensor, tables * cells.phase_count);
}

}  // namespace

bool phases_sound(const Microstructures& cells) { return first_bad_phase(cells).defect == Defect::none; }

Finding inspect(const Microstructures& cells, int threads) {
  if (cells.phases) {
    Finding finding = first_bad_phase(cells);
    if (finding.defect != Defect::none) {
      finding.in_phases = true;
      finding.cell = finding.pixel / cells.phase_count;
      finding.pixel %= cells.phase_count;
      return finding;
    }
  }
  // Indices are taken in order, so no cell before the first defect is ever left out.
  Finding first;
  std::mutex guard;
  const auto body = [&](int, int64_t cell) {
    if (survey(cells, cell).sound) return;
    const Finding finding = inspect_cell(cells, cell);
    if (finding.defect == Defect::none) return;
    const std::lock_guard<std::mutex> lock(guard);
    if (first.defect == Defect::none || finding.cell < first.cell) first = finding;
  };
  parallel_for(cells.batch, threads, body, [] { return false; });
  return first;
}

}  // namespace pearlite
