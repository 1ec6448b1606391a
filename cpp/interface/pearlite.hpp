// pearlite in C++: the functions of pearlite.h with vectors and exceptions. Needs C++17 and nothing else.
#pragma once
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

#include "pearlite.h"

namespace pearlite::embedded {

// What went wrong, in one line.
class Error : public std::runtime_error {
 public:
  Error(pearlite_status status, const std::string& what) : std::runtime_error(what), status(status) {}
  const pearlite_status status;
};

inline void check(pearlite_status status) {
  if (status != PEARLITE_OK) throw Error(status, pearlite_last_error());
}

template <class T>
constexpr pearlite_type type_of() {
  if constexpr (std::is_same_v<T, float>) return PEARLITE_FLOAT32;
  else if constexpr (std::is_same_v<T, double>) return PEARLITE_FLOAT64;
  else if constexpr (std::is_same_v<T, uint8_t>) return PEARLITE_UINT8;
  else if constexpr (std::is_same_v<T, uint16_t>) return PEARLITE_UINT16;
  else {
    static_assert(std::is_same_v<T, int32_t>, "pixels are float, double, uint8_t, uint16_t or int32_t");
    return PEARLITE_INT32;
  }
}

// A periodic grid of pixels or voxels, and how to compute on it.
class Grid {
 public:
  explicit Grid(const std::vector<int64_t>& shape)
      : grid_(pearlite_grid_new(int32_t(shape.size()), shape.data()), &pearlite_grid_free), shape_(shape) {
    if (!grid_) throw Error(PEARLITE_INVALID, pearlite_last_error());
  }

  Grid& spacing(const std::vector<double>& sizes) {
    if (sizes.size() != shape_.size()) throw Error(PEARLITE_INVALID, "spacing: expected one size for each axis");
    check(pearlite_grid_set_spacing(grid_.get(), sizes.data()));
    return *this;
  }
  Grid& rtol(double value) { return check(pearlite_grid_set_rtol(grid_.get(), value)), *this; }
  Grid& threads(int32_t number) { return check(pearlite_grid_set_threads(grid_.get(), number)), *this; }

  // -> (batch, dim, dim)
  template <class T>
  std::vector<double> homogenize(const std::vector<T>& pixels, const std::vector<double>& phases = {}) const {
    const int64_t batch = cells(pixels.size());
    std::vector<double> effective(std::size_t(batch) * shape_.size() * shape_.size());
    check(pearlite_homogenize(grid_.get(), pixels.data(), type_of<T>(), batch, phases.empty() ? nullptr : phases.data(),
                              int64_t(phases.size()), effective.data(), nullptr));
    return effective;
  }

  // sites: (batch, count, dim) -> labels (batch, shape)
  std::vector<int32_t> assign(const std::vector<double>& sites, int64_t batch, const std::vector<double>& weights = {},
                              pearlite_metric metric = PEARLITE_POWER, bool periodic = true) const {
    const int64_t count = batch > 0 ? int64_t(sites.size() / shape_.size()) / batch : 0;
    if (count < 1 || count * batch * int64_t(shape_.size()) != int64_t(sites.size()))
      throw Error(PEARLITE_INVALID, "sites: expected (batch, count, dim) numbers");
    if (!weights.empty() && int64_t(weights.size()) != batch * count)
      throw Error(PEARLITE_INVALID, "weights: expected (batch, count) numbers");
    std::vector<int32_t> labels(std::size_t(batch * size()));
    check(pearlite_assign(grid_.get(), sites.data(), weights.empty() ? nullptr : weights.data(), batch, count, metric,
                          periodic, labels.data()));
    return labels;
  }

  // -> (batch, phases, phases, shape), or (batch, shape) of numbers
  template <class T>
  std::vector<double> two_point(const std::vector<T>& pixels, const std::vector<int64_t>& phases = {}) const {
    const int64_t batch = cells(pixels.size());
    const std::size_t pairs = phases.empty() ? 1 : phases.size() * phases.size();
    std::vector<double> out(pairs * pixels.size());
    check(pearlite_two_point(grid_.get(), pixels.data(), type_of<T>(), batch, phases.empty() ? nullptr : phases.data(),
                             int64_t(phases.size()), out.data()));
    return out;
  }

 private:
  int64_t size() const {
    int64_t pixels = 1;
    for (const int64_t n : shape_) pixels *= n;
    return pixels;
  }
  int64_t cells(std::size_t pixels) const {
    const int64_t batch = int64_t(pixels) / size();
    if (batch < 1 || batch * size() != int64_t(pixels))
      throw Error(PEARLITE_INVALID, "pixels: expected a whole number of cells");
    return batch;
  }

  std::unique_ptr<pearlite_grid, decltype(&pearlite_grid_free)> grid_;
  std::vector<int64_t> shape_;
};

}  // namespace pearlite::embedded
