// Checks of conductivities and labels, before any work is done with them.
#include <algorithm>
#include <cmath>
#include <limits>
#include <mutex>

#include "corrector.hpp"
#include "parallel.hpp"
#include "pixels.hpp"
#include "shared/symmetric.hpp"

namespace pearlite {

// t: (dim, dim)
template <class T>
Defect defect_of_tensor(const T* t, int dim) {
  if (dim == 2) {
    const double entries[4] = {t[0], t[1], t[2], t[3]};
    return tensor_defect(entries, sizeof(T) == 4);
  }
  double entries[9];
  for (int k = 0; k < 9; ++k) entries[k] = t[k];
  return defect_of_volume_tensor(entries, sizeof(T) == 4);
}

template <class T>
Defect defect_of_scalar(T value) {
  return scalar_defect(value, std::numeric_limits<T>::min());
}

template Defect defect_of_scalar(float);
template Defect defect_of_scalar(double);
template Defect defect_of_tensor(const float*, int);
template Defect defect_of_tensor(const double*, int);

namespace {

template <class T>
const T* as(const Microstructures& cells) {
  return static_cast<const T*>(cells.pixels);
}

// values: (count[, d, d]) of conductivities.
template <class T>
Finding first_bad_value(const Microstructures& cells, const T* values, int64_t count) {
  for (int64_t p = 0; p < count; ++p) {
    const T* value = values + p * cells.width();
    const Defect defect = cells.tensor ? defect_of_tensor(value, cells.dim) : defect_of_scalar(*value);
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
  const int64_t width = cells.phases ? 1 : cells.width();
  Finding finding;
  switch (cells.dtype) {
    case Dtype::float32: finding = first_bad_value(cells, as<float>(cells) + start * width, size); break;
    case Dtype::float64: finding = first_bad_value(cells, as<double>(cells) + start * width, size); break;
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
  return first_bad_value(cells, cells.phases, tables * cells.phase_count);
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
