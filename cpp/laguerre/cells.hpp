// Measures of the cells of labelled images: the interface that the bindings call. All counts are
// integers, so that results depend neither on the batch nor on the threads.
#pragma once
#include <algorithm>
#include <cstdint>
#include <vector>

#include "laguerre.hpp"

namespace pearlite {

// Images whose labels lie in [0, count).
template <class Label>
struct LabelImages {
  const Label* labels = nullptr;  // (batch, *shape)
  int64_t batch = 0, count = 0;
  int dimension = 2;              // 2 or 3
  int64_t shape[3] = {1, 1, 1};   // of two axes the first entries count
  bool periodic = true;

  int64_t pixels() const { return shape[0] * shape[1] * shape[2]; }
  int64_t row_length() const { return shape[dimension - 1]; }
  int64_t rows() const { return pixels() / row_length(); }
};

// How images are shared among threads: an image is one task, or if there are fewer images than threads
// some tasks for each thread, as some threads may be slower than others. Each has arrays of its own
// for all cells, which shall not outgrow the image.
struct Tasks {
  int64_t rows, parts = 1;

  template <class Label>
  Tasks(const LabelImages<Label>& images, int64_t batch, int threads) : rows(images.rows()) {
    if (batch >= threads) return;
    const int64_t most = threads * std::max<int64_t>(1, images.pixels() / (32 * images.count * threads));
    parts = std::min<int64_t>({4 * threads, most, rows});
  }
  int64_t begin(int64_t part) const { return rows * part / parts; }
};

// volumes: (batch, count), in pixels.
template <class Label>
bool cell_volumes(const LabelImages<Label>&, const CallOptions&, int64_t* volumes);

// What `cell_moments` writes. Positions are in pixels, pixel i having its centre at i.
struct CellMoments {
  int64_t* volumes = nullptr;  // (batch, count), in pixels
  double* centroids = nullptr; // (batch, count, dimension), in [0, n) if periodic; of an empty cell NaN
  double* inertias = nullptr;  // (batch, count, dimension): Σ (x − centroid)² over the pixels of a cell
};

// The centroid of a cell on the torus is, along each axis, the point of least mean squared distance
// to its pixels, each by its shorter way round: where the cell lies within half the torus, its mean.
template <class Label>
bool cell_moments(const LabelImages<Label>&, const CallOptions&, const CellMoments&);

// Faces between pixels of two cells, added up. On the torus two cells may meet in several places,
// through different images: there is one entry for each.
struct Contact {
  uint64_t key;          // image, first < second, and the offset: see shared/contacts.hpp
  int64_t faces[3];      // number of pixel faces normal to each axis
  int64_t balance[3];    // those passed upwards from first to second, less those passed downwards
};

// contacts: of each image of the batch, in the order of (first, second, offset).
// centres: (batch, count, dimension), in pixels, in [0, n): what tells the images of a cell apart.
template <class Label>
bool cell_contacts(const LabelImages<Label>&, const CallOptions&, const double* centres,
                   std::vector<std::vector<Contact>>& contacts);

}  // namespace pearlite
