// pearlite._core: chords, pairs of pixels, connected components and percolation.
#include <algorithm>
#include <array>
#include <vector>

#include "arrays.hpp"
#include "correlation/chords.hpp"
#include "families.hpp"
#include "parallel.hpp"
#include "shared/components.hpp"

namespace {

// (batch, n0, n1[, n2]) as (n0, n1, n2) with n0 = 1 in 2D.
std::array<int64_t, 3> image_shape(const py::array& images) {
  if (images.ndim() == 3) return {1, images.shape(1), images.shape(2)};
  if (images.ndim() == 4) return {images.shape(1), images.shape(2), images.shape(3)};
  throw py::value_error("images: wrong number of axes");
}

// places: (256), less than phases + 1
pearlite::LabelImages label_images(const Array<uint8_t>& labels, const Array<uint8_t>& places, int phases) {
  expect_size(places, 256, "places");
  for (int k = 0; k < 256; ++k)
    if (places.data()[k] > phases) throw py::value_error("places: beyond the phases");
  return {labels.data(), places.data(), labels.shape(0), image_shape(labels), phases};
}

// vectors: (count, dim), dim that of the images
std::vector<pearlite::Vector> vectors_of(const Array<int64_t>& vectors, const py::array& images) {
  const py::ssize_t dim = images.ndim() - 1;
  if (vectors.ndim() != 2 || vectors.shape(1) != dim) throw py::value_error("vectors: wrong shape");
  std::vector<pearlite::Vector> all(static_cast<std::size_t>(vectors.shape(0)), pearlite::Vector{});
  for (py::ssize_t k = 0; k < vectors.shape(0); ++k)
    std::copy_n(vectors.data() + k * dim, dim, all[k].begin() + (3 - dim));
  return all;
}

pearlite::CountOptions count_options(bool periodic, int threads) { return {periodic, threads, interruption()}; }

// Histograms as one array (batch, directions, phases, longest + 1).
Array<int64_t> histograms(const std::vector<std::vector<pearlite::ChordCounts>>& counts, int64_t directions,
                          int64_t phases, std::vector<std::vector<int64_t>> pearlite::ChordCounts::*kind) {
  std::size_t bins = 1;
  for (const auto& image : counts)
    for (const auto& found : image)
      for (const auto& histogram : found.*kind) bins = std::max(bins, histogram.size());
  Array<int64_t> out({static_cast<int64_t>(counts.size()), directions, phases, static_cast<int64_t>(bins)});
  int64_t* to = out.mutable_data();
  std::fill_n(to, out.size(), 0);
  for (const auto& image : counts)
    for (const auto& found : image)
      for (const auto& histogram : found.*kind) {
        std::copy(histogram.begin(), histogram.end(), to);
        to += bins;
      }
  return out;
}

// -> whole and cut chords (batch, directions, phases, bins), pixels of closed lines (batch, directions, phases)
py::tuple chords(const Array<uint8_t>& labels, const Array<uint8_t>& places, int phases,
                 const Array<int64_t>& directions, bool periodic, int threads) {
  const auto images = label_images(labels, places, phases);
  const auto steps = vectors_of(directions, labels);
  const auto options = count_options(periodic, threads);
  std::vector<std::vector<pearlite::ChordCounts>> counts;
  run_without_gil([&] { return pearlite::count_chords(images, steps, options, counts); });
  Array<int64_t> around({images.batch, static_cast<int64_t>(steps.size()), static_cast<int64_t>(phases)});
  int64_t* to = around.mutable_data();
  for (const auto& image : counts)
    for (const auto& found : image) to = std::copy(found.around.begin(), found.around.end(), to);
  const auto count = static_cast<int64_t>(steps.size());
  return py::make_tuple(histograms(counts, count, phases, &pearlite::ChordCounts::whole),
                        histograms(counts, count, phases, &pearlite::ChordCounts::cut), around);
}

// -> (batch, vectors, phases + 1, phases + 1)
Array<int64_t> interface_counts(const Array<uint8_t>& labels, const Array<uint8_t>& places, int phases,
                                const Array<int64_t>& vectors, bool periodic, int threads) {
  const auto images = label_images(labels, places, phases);
  const auto all = vectors_of(vectors, labels);
  const auto options = count_options(periodic, threads);
  const int64_t side = phases + 1;
  Array<int64_t> out({images.batch, static_cast<int64_t>(all.size()), side, side});
  int64_t* to = out.mutable_data();
  std::fill_n(to, out.size(), 0);
  run_without_gil([&] { return pearlite::count_interfaces(images, all, options, to); });
  return out;
}

// -> (batch, *map)
Array<int64_t> cluster_pairs(const Array<int32_t>& clusters, int32_t most, int64_t largest, bool periodic,
                             int threads) {
  const auto shape = image_shape(clusters);
  const auto options = count_options(periodic, threads);
  std::vector<py::ssize_t> map(clusters.shape(), clusters.shape() + clusters.ndim());
  if (!periodic)
    for (std::size_t k = 1; k < map.size(); ++k) map[k] = 2 * map[k] - 1;
  Array<int64_t> out(map);
  int64_t* to = out.mutable_data();
  std::fill_n(to, out.size(), 0);
  const int32_t* from = clusters.data();
  const int64_t batch = clusters.shape(0);
  run_without_gil(
      [&] { return pearlite::count_cluster_pairs(from, batch, shape, most, largest, options, to); });
  return out;
}

// Calls each(components, index, mask) for every image. mask: (batch, *shape), Dim axes each
template <int Dim, class Each>
void for_each_image(const Array<uint8_t>& mask, int reach, bool periodic, int threads, const Each& each) {
  std::array<int64_t, Dim> shape;
  std::copy_n(mask.shape() + 1, Dim, shape.begin());
  const int64_t batch = mask.shape(0), size = batch ? mask.size() / batch : 0;
  const uint8_t* pixels = mask.data();
  const Interrupted interrupted = interruption();
  const std::thread::id caller = std::this_thread::get_id();
  run_without_gil([&] {
    const auto work = [&](int, int64_t image) {
      pearlite::Components<Dim> components(shape, reach, periodic);
      each(components, image, [from = pixels + image * size](int64_t x) { return from[x] != 0; });
    };
    const auto stop = [&] { return interrupted && std::this_thread::get_id() == caller && interrupted(nullptr); };
    return pearlite::parallel_for(batch, threads, work, stop);
  });
}

// Whether some component winds around each axis: (batch, dim).
template <int Dim>
Array<bool> windings(const Array<uint8_t>& mask, int reach, int threads) {
  Array<bool> out({mask.shape(0), py::ssize_t{Dim}});
  bool* to = out.mutable_data();
  for_each_image<Dim>(mask, reach, true, threads, [&](auto& components, int64_t image, const auto& member) {
    const auto found = components.windings(member);
    for (int axis = 0; axis < Dim; ++axis) to[image * Dim + axis] = found.along(axis);
  });
  return out;
}

// -> labels of components (batch, *shape), how many (batch,)
template <int Dim>
py::tuple components(const Array<uint8_t>& mask, int reach, bool periodic, int threads) {
  Array<int32_t> labels(std::vector<py::ssize_t>(mask.shape(), mask.shape() + mask.ndim()));
  Array<int64_t> counts(mask.shape(0));
  int32_t* to = labels.mutable_data();
  int64_t* found = counts.mutable_data();
  const int64_t size = mask.shape(0) ? mask.size() / mask.shape(0) : 0;
  for_each_image<Dim>(mask, reach, periodic, threads, [&](auto& components, int64_t image, const auto& member) {
    components.windings(member);
    found[image] = components.label(to + image * size);
  });
  return py::make_tuple(labels, counts);
}

void expect_image_axes(const Array<uint8_t>& mask) {
  if (mask.ndim() != 3 && mask.ndim() != 4) throw py::value_error("mask: wrong number of axes");
}

Array<bool> windings_of(const Array<uint8_t>& mask, int reach, int threads) {
  expect_image_axes(mask);
  return mask.ndim() == 3 ? windings<2>(mask, reach, threads) : windings<3>(mask, reach, threads);
}

py::tuple components_of(const Array<uint8_t>& mask, int reach, bool periodic, int threads) {
  expect_image_axes(mask);
  return mask.ndim() == 3 ? components<2>(mask, reach, periodic, threads)
                          : components<3>(mask, reach, periodic, threads);
}

}  // namespace

void bind_chords(py::module_& module) {
  module.def("chords", &chords, py::arg("labels").noconvert(), py::arg("places").noconvert(), py::arg("phases"),
             py::arg("directions").noconvert(), py::arg("periodic"), py::arg("threads"));
  module.def("interface_counts", &interface_counts, py::arg("labels").noconvert(), py::arg("places").noconvert(),
             py::arg("phases"), py::arg("vectors").noconvert(), py::arg("periodic"), py::arg("threads"));
  module.def("cluster_pairs", &cluster_pairs, py::arg("clusters").noconvert(), py::arg("most"), py::arg("largest"),
             py::arg("periodic"), py::arg("threads"));
  module.def("windings", &windings_of, py::arg("mask").noconvert(), py::arg("reach"), py::arg("threads"));
  module.def("components", &components_of, py::arg("mask").noconvert(), py::arg("reach"), py::arg("periodic"),
             py::arg("threads"));
}
