// pearlite._core: labels of tessellations.
#include <vector>

#include "arrays.hpp"
#include "families.hpp"
#include "laguerre.hpp"

namespace {

// sites: (batch, K, d); weights: (batch, K); shape: (d,); -> labels (batch, *shape)
template <class Label>
Array<Label> assign(const Array<double>& sites, const Array<double>& weights, const std::vector<int64_t>& shape,
                    bool additive, bool periodic, int threads, pearlite::LabelType type) {
  if (sites.ndim() != 3 || sites.shape(2) != int64_t(shape.size()) || (shape.size() != 2 && shape.size() != 3))
    throw py::value_error("sites: wrong shape");
  pearlite::Tessellations cells;
  cells.sites = sites.data();
  cells.weights = weights.data();
  cells.batch = sites.shape(0);
  cells.count = sites.shape(1);
  cells.dimension = static_cast<int>(shape.size());
  cells.metric = additive ? pearlite::Metric::additive : pearlite::Metric::power;
  cells.periodic = periodic;
  expect_size(weights, cells.batch * cells.count, "weights");
  std::vector<int64_t> axes{cells.batch};
  for (std::size_t a = 0; a < shape.size(); ++a) axes.push_back(cells.shape[a] = shape[a]);
  Array<Label> labels(axes);
  pearlite::CallOptions options;
  options.threads = threads;
  options.interrupted = interruption();
  Label* out = labels.mutable_data();
  run_without_gil([&] { return pearlite::assign(cells, options, type, out); });
  return labels;
}

}  // namespace

void bind_assign(py::module_& module) {
  using namespace py::literals;
  module.def(
      "assign",
      [](const Array<double>& sites, const Array<double>& weights, const std::vector<int64_t>& shape,
         bool additive, bool periodic, int label_bytes, int threads) -> py::array {
        using pearlite::LabelType;
        if (label_bytes == 1)
          return assign<uint8_t>(sites, weights, shape, additive, periodic, threads, LabelType::uint8);
        if (label_bytes == 2)
          return assign<uint16_t>(sites, weights, shape, additive, periodic, threads, LabelType::uint16);
        return assign<int32_t>(sites, weights, shape, additive, periodic, threads, LabelType::int32);
      },
      "sites"_a.noconvert(), "weights"_a.noconvert(), "shape"_a, "additive"_a, "periodic"_a, "label_bytes"_a,
      "threads"_a);
}
