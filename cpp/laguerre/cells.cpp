// Volumes, centroids and moments of inertia. A thread adds up its part of an image by itself.
#include "laguerre/cells.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "laguerre/cells_runs.hpp"
#include "parallel.hpp"
#include "shared/circle_mean.hpp"

namespace pearlite {
namespace {

__extension__ typedef __int128 Wide;  // products of sums over an image

bool wants_stop(const CallOptions& options) { return options.interrupted && options.interrupted(options.context); }

// Sums over the pixels of one cell, of displacements from its first pixel.
struct Sums {
  int64_t sum[3], square[3];
  int64_t low[3], high[3];

  void clear() {
    for (int a = 0; a < 3; ++a) sum[a] = square[a] = low[a] = high[a] = 0;
  }

  // Adds `times` pixels at displacement x.
  void add_at(int a, int64_t x, int64_t times) {
    sum[a] += times * x;
    square[a] += times * x * x;
    low[a] = std::min(low[a], x);
    high[a] = std::max(high[a], x);
  }

  // Adds a pixel at each displacement from x to y.
  void add(int a, int64_t x, int64_t y) {
    sum[a] += (x + y) * (y - x + 1) / 2;
    const auto squares = [](int64_t n) { return n * (n + 1) * (2 * n + 1) / 6; };  // of 1 … n
    square[a] += squares(y) - squares(x - 1);
    low[a] = std::min(low[a], x);
    high[a] = std::max(high[a], y);
  }

  void merge(const Sums& other) {
    for (int a = 0; a < 3; ++a) {
      sum[a] += other.sum[a];
      square[a] += other.square[a];
      low[a] = std::min(low[a], other.low[a]);
      high[a] = std::max(high[a], other.high[a]);
    }
  }
};

// The coordinates of the first pixel of a row.
template <class Label>
void row_position(const LabelImages<Label>& images, int64_t row, int64_t position[3]) {
  position[0] = position[1] = position[2] = 0;
  for (int a = images.dimension - 2; a >= 0; --a) {
    position[a] = row % images.shape[a];
    row /= images.shape[a];
  }
}

// The displacement by the shorter way round, in [−n/2, n/2).
int64_t shorter(int64_t displacement, int64_t n) {
  if (2 * displacement < -n) return displacement + n;
  return 2 * displacement >= n ? displacement - n : displacement;
}

template <class Label>
void count_rows(const LabelImages<Label>& images, int64_t image, int64_t begin, int64_t end, int64_t* volumes) {
  const int64_t length = images.row_length();
  const Label* row = images.labels + image * images.pixels() + begin * length;
  for (int64_t r = begin; r < end; ++r, row += length)
    for_each_run(row, length, [&](int64_t k, int64_t from, int64_t to) { volumes[k] += to - from; });
}

// first: (count,), the first pixel of each cell among these rows, or -1.
template <class Label>
void find_first(const LabelImages<Label>& images, int64_t image, int64_t begin, int64_t end, int64_t* first) {
  const int64_t length = images.row_length();
  const Label* labels = images.labels + image * images.pixels();
  for (int64_t r = begin; r < end; ++r)
    for_each_run(labels + r * length, length, [&](int64_t k, int64_t from, int64_t) {
      if (first[k] < 0) first[k] = r * length + from;
    });
}

// Adds the pixels from..to-1 of an axis to a cell whose first pixel is at `origin`.
template <class Label>
void add_span(const LabelImages<Label>& images, Sums& sums, int axis, int64_t origin, int64_t from, int64_t to) {
  const int64_t n = images.shape[axis];
  while (from < to) {
    int64_t x = from - origin, stop = to;
    if (images.periodic) {
      x = shorter(x, n);
      const int64_t turn = from + (n + 1) / 2 - x;  // where the shorter way changes sides
      stop = std::min(to, turn);
    }
    sums.add(axis, x, x + stop - from - 1);
    from = stop;
  }
}

// origins: (count, 3), the coordinates of each cell's first pixel
template <class Label>
void sum_rows(const LabelImages<Label>& images, int64_t image, int64_t begin, int64_t end, const int64_t* origins,
              int64_t* volumes, Sums* sums) {
  const int64_t length = images.row_length();
  const int last = images.dimension - 1;
  const Label* labels = images.labels + image * images.pixels();
  int64_t position[3];
  for (int64_t r = begin; r < end; ++r) {
    row_position(images, r, position);
    for_each_run(labels + r * length, length, [&](int64_t k, int64_t from, int64_t to) {
      const int64_t* origin = origins + 3 * k;
      volumes[k] += to - from;
      for (int a = 0; a < last; ++a) {
        const int64_t x = position[a] - origin[a];
        sums[k].add_at(a, images.periodic ? shorter(x, images.shape[a]) : x, to - from);
      }
      add_span(images, sums[k], last, origin[last], from, to);
    });
  }
}

// Does the cells anew that reach around half the torus along some axis, some at a time.
template <class Label>
class WideCells {
 public:
  WideCells(const LabelImages<Label>& images, int64_t image)
      : images_(images), labels_(images.labels + image * images.pixels()), slot_(images.count, -1) {
    for (int a = 0; a < images.dimension; ++a) {
      start_[a] = slices_;
      slices_ += images.shape[a];
    }
  }

  // centroids, inertias: (count, dimension) of the image
  void measure(const std::vector<int64_t>& cells, double* centroids, double* inertias) {
    const int64_t at_once = std::max<int64_t>(1, (int64_t{1} << 23) / slices_);
    for (int64_t begin = 0; begin < int64_t(cells.size()); begin += at_once) {
      const int64_t number = std::min<int64_t>(at_once, int64_t(cells.size()) - begin);
      profiles_.assign(number * slices_, 0);
      for (int64_t s = 0; s < number; ++s) slot_[cells[begin + s]] = s;
      add_image();
      for (int64_t s = 0; s < number; ++s) {
        const int64_t k = cells[begin + s];
        slot_[k] = -1;
        for (int a = 0; a < images_.dimension; ++a) {
          const auto found = circle_mean<Wide>(&profiles_[s * slices_ + start_[a]], images_.shape[a]);
          centroids[k * images_.dimension + a] = found.mean;
          inertias[k * images_.dimension + a] = found.square;
        }
      }
    }
  }

 private:
  void add_image() {
    const int64_t length = images_.row_length();
    const int last = images_.dimension - 1;
    int64_t position[3];
    for (int64_t r = 0; r < images_.rows(); ++r) {
      row_position(images_, r, position);
      for_each_run(labels_ + r * length, length, [&](int64_t k, int64_t from, int64_t to) {
        if (slot_[k] < 0) return;
        int64_t* profile = &profiles_[slot_[k] * slices_];
        for (int a = 0; a < last; ++a) profile[start_[a] + position[a]] += to - from;
        for (int64_t i = from; i < to; ++i) ++profile[start_[last] + i];
      });
    }
  }

  const LabelImages<Label>& images_;
  const Label* labels_;
  int64_t start_[3] = {}, slices_ = 0;
  std::vector<int64_t> slot_, profiles_;
};

// first: (count,) -> (count, 3), the coordinates of each cell's first pixel
template <class Label>
std::vector<int64_t> origins_of(const LabelImages<Label>& images, const int64_t* first) {
  std::vector<int64_t> origins(3 * images.count);
  for (int64_t k = 0; k < images.count; ++k) {
    const int64_t pixel = std::max<int64_t>(first[k], 0);
    row_position(images, pixel / images.row_length(), &origins[3 * k]);
    origins[3 * k + images.dimension - 1] = pixel % images.row_length();
  }
  return origins;
}

// origins: (count, 3); sums: (count,); writes the image's centroids and inertias.
template <class Label>
void finish_image(const LabelImages<Label>& images, int64_t image, const int64_t* origins, const Sums* sums,
                  const CellMoments& out) {
  const int d = images.dimension;
  const int64_t* volumes = out.volumes + image * images.count;
  double* centroids = out.centroids + image * images.count * d;
  double* inertias = out.inertias + image * images.count * d;
  std::vector<int64_t> wide;
  for (int64_t k = 0; k < images.count; ++k) {
    bool reaches_round = false;
    for (int a = 0; a < d; ++a) {
      const double mass = static_cast<double>(volumes[k]);
      const double mean = volumes[k] ? static_cast<double>(sums[k].sum[a]) / mass : std::nan("");
      const Wide spread = Wide(volumes[k]) * sums[k].square[a] - Wide(sums[k].sum[a]) * sums[k].sum[a];
      centroids[k * d + a] = static_cast<double>(origins[3 * k + a]) + mean;
      inertias[k * d + a] = volumes[k] ? static_cast<double>(spread) / mass : 0;
      reaches_round |= 2 * (sums[k].high[a] - sums[k].low[a]) >= images.shape[a];
    }
    if (images.periodic && reaches_round) wide.push_back(k);
  }
  if (!wide.empty()) WideCells<Label>(images, image).measure(wide, centroids, inertias);
  if (images.periodic)
    for (int64_t i = 0; i < images.count * d; ++i)
      centroids[i] = wrapped(centroids[i], static_cast<double>(images.shape[i % d]));
}

}  // namespace

template <class Label>
bool cell_volumes(const LabelImages<Label>& images, const CallOptions& options, int64_t* volumes) {
  const Tasks tasks(images, images.batch, options.threads);
  const int64_t count = images.count;
  std::vector<int64_t> shares(tasks.parts > 1 ? images.batch * tasks.parts * count : 0);
  std::fill(volumes, volumes + images.batch * count, 0);
  const auto stop = [&] { return wants_stop(options); };
  const auto body = [&](int, int64_t task) {
    const int64_t part = task % tasks.parts;
    int64_t* to = tasks.parts > 1 ? &shares[task * count] : volumes + task * count;
    count_rows(images, task / tasks.parts, tasks.begin(part), tasks.begin(part + 1), to);
  };
  if (!parallel_for(images.batch * tasks.parts, options.threads, body, stop)) return false;
  for (std::size_t i = 0; i < shares.size(); ++i) {
    const int64_t task = static_cast<int64_t>(i) / count, k = static_cast<int64_t>(i) % count;
    volumes[task / tasks.parts * count + k] += shares[i];
  }
  return true;
}

// One image by all threads: in each step every part has its own arrays, added up in order.
template <class Label>
bool moments_of_large(const LabelImages<Label>& images, const CallOptions& options, int64_t image,
                      const CellMoments& out) {
  const Tasks tasks(images, 1, options.threads);
  const int64_t count = images.count;
  const auto stop = [&] { return wants_stop(options); };
  std::vector<int64_t> first(tasks.parts * count, -1), volumes(tasks.parts * count, 0);
  const auto find = [&](int, int64_t p) {
    find_first(images, image, tasks.begin(p), tasks.begin(p + 1), &first[p * count]);
  };
  if (!parallel_for(tasks.parts, options.threads, find, stop)) return false;
  for (int64_t p = tasks.parts - 1; p > 0; --p)
    for (int64_t k = 0; k < count; ++k)
      if (first[(p - 1) * count + k] < 0) first[(p - 1) * count + k] = first[p * count + k];
  const auto origins = origins_of(images, first.data());
  std::vector<Sums> sums(tasks.parts * count);
  const auto add = [&](int, int64_t p) {
    for (int64_t k = 0; k < count; ++k) sums[p * count + k].clear();
    sum_rows(images, image, tasks.begin(p), tasks.begin(p + 1), origins.data(), &volumes[p * count], &sums[p * count]);
  };
  if (!parallel_for(tasks.parts, options.threads, add, stop)) return false;
  std::copy_n(volumes.begin(), count, out.volumes + image * count);
  for (int64_t p = 1; p < tasks.parts; ++p)
    for (int64_t k = 0; k < count; ++k) {
      out.volumes[image * count + k] += volumes[p * count + k];
      sums[k].merge(sums[p * count + k]);
    }
  finish_image(images, image, origins.data(), sums.data(), out);
  return true;
}

template <class Label>
bool cell_moments(const LabelImages<Label>& images, const CallOptions& options, const CellMoments& out) {
  if (images.batch < options.threads) {
    for (int64_t image = 0; image < images.batch; ++image)
      if (!moments_of_large(images, options, image, out)) return false;
    return true;
  }
  CallOptions alone = options;
  alone.threads = 1;
  alone.interrupted = nullptr;  // polled between images
  const auto body = [&](int, int64_t image) { moments_of_large(images, alone, image, out); };
  return parallel_for(images.batch, options.threads, body, [&] { return wants_stop(options); });
}

template bool cell_volumes(const LabelImages<uint8_t>&, const CallOptions&, int64_t*);
template bool cell_volumes(const LabelImages<uint16_t>&, const CallOptions&, int64_t*);
template bool cell_volumes(const LabelImages<int32_t>&, const CallOptions&, int64_t*);
template bool cell_moments(const LabelImages<uint8_t>&, const CallOptions&, const CellMoments&);
template bool cell_moments(const LabelImages<uint16_t>&, const CallOptions&, const CellMoments&);
template bool cell_moments(const LabelImages<int32_t>&, const CallOptions&, const CellMoments&);

}  // namespace pearlite
