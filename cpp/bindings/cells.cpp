// pearlite._core: volumes, centroids and contacts of the cells of labelled images.
#include <vector>

#include "arrays.hpp"
#include "families.hpp"
#include "laguerre/cells.hpp"
#include "shared/contacts.hpp"

namespace {

// labels: (batch, *shape), each in [0, count)
template <class Label>
pearlite::LabelImages<Label> label_images(const Array<Label>& labels, int64_t count, bool periodic) {
  if (labels.ndim() != 3 && labels.ndim() != 4) throw py::value_error("labels: wrong number of axes");
  pearlite::LabelImages<Label> images;
  images.labels = labels.data();
  images.batch = labels.shape(0);
  images.count = count;
  images.dimension = static_cast<int>(labels.ndim()) - 1;
  for (int a = 0; a < images.dimension; ++a) images.shape[a] = labels.shape(a + 1);
  images.periodic = periodic;
  return images;
}

pearlite::CallOptions call_options(int threads) {
  pearlite::CallOptions options;
  options.threads = threads;
  options.interrupted = interruption();
  return options;
}

// -> (batch, count)
template <class Label>
Array<int64_t> cell_volumes(const Array<Label>& labels, int64_t count, int threads) {
  const auto images = label_images(labels, count, true);
  Array<int64_t> volumes({images.batch, count});
  int64_t* to = volumes.mutable_data();
  const auto options = call_options(threads);
  run_without_gil([&] { return pearlite::cell_volumes(images, options, to); });
  return volumes;
}

// -> volumes (batch, count), centroids and inertias (batch, count, d)
template <class Label>
py::tuple cell_moments(const Array<Label>& labels, int64_t count, bool periodic, int threads) {
  const auto images = label_images(labels, count, periodic);
  const int64_t d = images.dimension;
  Array<int64_t> volumes({images.batch, count});
  Array<double> centroids({images.batch, count, d}), inertias({images.batch, count, d});
  const pearlite::CellMoments to{volumes.mutable_data(), centroids.mutable_data(), inertias.mutable_data()};
  const auto options = call_options(threads);
  run_without_gil([&] { return pearlite::cell_moments(images, options, to); });
  return py::make_tuple(volumes, centroids, inertias);
}

// All contacts, image after image. -> starts (batch + 1,), pairs (M, 2), offsets, faces, balance (M, d)
py::tuple contact_arrays(const std::vector<std::vector<pearlite::Contact>>& contacts, int64_t d) {
  Array<int64_t> starts(static_cast<int64_t>(contacts.size()) + 1);
  starts.mutable_data()[0] = 0;
  for (std::size_t b = 0; b < contacts.size(); ++b)
    starts.mutable_data()[b + 1] = starts.data()[b] + static_cast<int64_t>(contacts[b].size());
  const int64_t total = starts.data()[contacts.size()];
  Array<int32_t> pairs({total, int64_t{2}});
  Array<int64_t> offsets({total, d}), faces({total, d}), balance({total, d});
  int64_t m = 0;
  for (const auto& image : contacts)
    for (const pearlite::Contact& c : image) {
      pairs.mutable_data()[2 * m] = static_cast<int32_t>(pearlite::contact_first(c.key));
      pairs.mutable_data()[2 * m + 1] = static_cast<int32_t>(pearlite::contact_second(c.key));
      int64_t offset[3];
      pearlite::contact_offset(c.key, static_cast<int>(d), offset);
      for (int64_t a = 0; a < d; ++a) {
        offsets.mutable_data()[m * d + a] = offset[a];
        faces.mutable_data()[m * d + a] = c.faces[a];
        balance.mutable_data()[m * d + a] = c.balance[a];
      }
      ++m;
    }
  return py::make_tuple(starts, pairs, offsets, faces, balance);
}

// centres: (batch, count, d), in pixels
template <class Label>
py::tuple cell_contacts(const Array<Label>& labels, const Array<double>& centres, bool periodic, int threads) {
  if (centres.ndim() != 3) throw py::value_error("centres: wrong number of axes");
  const auto images = label_images(labels, centres.shape(1), periodic);
  expect_size(centres, images.batch * images.count * images.dimension, "centres");
  const double* from = centres.data();
  const auto options = call_options(threads);
  std::vector<std::vector<pearlite::Contact>> contacts;
  run_without_gil([&] { return pearlite::cell_contacts(images, options, from, contacts); });
  return contact_arrays(contacts, images.dimension);
}

template <class Label>
void bind_for(py::module_& module) {
  using namespace py::literals;
  module.def("cell_volumes", &cell_volumes<Label>, "labels"_a.noconvert(), "count"_a, "threads"_a);
  module.def("cell_moments", &cell_moments<Label>, "labels"_a.noconvert(), "count"_a, "periodic"_a, "threads"_a);
  module.def("cell_contacts", &cell_contacts<Label>, "labels"_a.noconvert(), "centres"_a.noconvert(), "periodic"_a,
             "threads"_a);
}

}  // namespace

void bind_cells(py::module_& module) {
  bind_for<uint8_t>(module);
  bind_for<uint16_t>(module);
  bind_for<int32_t>(module);
}
