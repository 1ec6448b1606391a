// pearlite._core: the relaxed Laguerre field and its gradient.
#include "laguerre/relax.hpp"

#include <optional>
#include <type_traits>
#include <vector>

#include "arrays.hpp"
#include "families.hpp"

namespace {

// sites: (batch, seeds, dim); weights, values: (batch, seeds); epsilon: (batch,)
pearlite::RelaxedCells relaxed_cells(const Array<double>& sites, const Array<double>& weights,
                                     const Array<double>& values, const Array<double>& epsilon,
                                     const std::vector<int64_t>& shape, bool additive, bool periodic, bool float64,
                                     int threads) {
  if (sites.ndim() != 3 || (sites.shape(2) != 2 && sites.shape(2) != 3)) throw py::value_error("sites: wrong shape");
  pearlite::RelaxedCells cells;
  cells.batch = sites.shape(0);
  cells.seeds = sites.shape(1);
  cells.dim = int(sites.shape(2));
  if (int(shape.size()) != cells.dim) throw py::value_error("shape: wrong length");
  for (int a = 0; a < cells.dim; ++a) cells.shape[3 - cells.dim + a] = shape[std::size_t(a)];
  expect_size(weights, cells.batch * cells.seeds, "weights");
  expect_size(values, cells.batch * cells.seeds, "values");
  expect_size(epsilon, cells.batch, "epsilon");
  cells.float64 = float64;
  cells.additive = additive;
  cells.periodic = periodic;
  cells.sites = sites.data();
  cells.weights = weights.data();
  cells.values = values.data();
  cells.epsilon = epsilon.data();
  cells.threads = threads;
  cells.interrupted = interruption();
  return cells;
}

std::vector<int64_t> field_shape(const pearlite::RelaxedCells& cells) {
  std::vector<int64_t> shape = {cells.batch};
  for (int a = 3 - cells.dim; a < 3; ++a) shape.push_back(cells.shape[a]);
  return shape;
}

// The field (batch, *shape), float64 or float32.
py::array relax(const Array<double>& sites, const Array<double>& weights, const Array<double>& values,
                const Array<double>& epsilon, const std::vector<int64_t>& shape, bool additive, bool periodic,
                bool float64, int threads) {
  const auto cells = relaxed_cells(sites, weights, values, epsilon, shape, additive, periodic, float64, threads);
  py::array field(float64 ? py::dtype::of<double>() : py::dtype::of<float>(), field_shape(cells));
  void* to = field.mutable_data();
  run_without_gil([&] { return pearlite::relax(cells, to, {}); });
  return field;
}

// The field, or none unless it is wanted, and the gradients of the sum over pixels of cotangent times
// field, each in double: (batch, seeds, dim), (batch, seeds), (batch, seeds), (batch,).
template <class T>
py::tuple relax_gradient(const Array<double>& sites, const Array<double>& weights, const Array<double>& values,
                         const Array<double>& epsilon, const Array<T>& cotangent, const std::vector<int64_t>& shape,
                         bool additive, bool periodic, bool with_field, int threads) {
  const auto cells = relaxed_cells(sites, weights, values, epsilon, shape, additive, periodic,
                                   std::is_same_v<T, double>, threads);
  const int64_t pixels = cells.shape[0] * cells.shape[1] * cells.shape[2];
  expect_size(cotangent, cells.batch * pixels, "cotangent");
  py::object field = py::none();
  T* to = nullptr;
  if (with_field) {
    Array<T> filled(field_shape(cells));
    to = filled.mutable_data();
    field = filled;
  }
  Array<double> of_sites({cells.batch, cells.seeds, int64_t(cells.dim)});
  Array<double> of_weights({cells.batch, cells.seeds}), of_values({cells.batch, cells.seeds}), of_epsilon(cells.batch);
  const pearlite::RelaxGradient gradient = {cotangent.data(), of_sites.mutable_data(), of_weights.mutable_data(),
                                            of_values.mutable_data(), of_epsilon.mutable_data()};
  run_without_gil([&] { return pearlite::relax(cells, to, gradient); });
  return py::make_tuple(field, of_sites, of_weights, of_values, of_epsilon);
}

template <class T>
void bind_gradient(py::module_& module) {
  module.def("relax_gradient", &relax_gradient<T>, py::arg("sites").noconvert(), py::arg("weights").noconvert(),
             py::arg("values").noconvert(), py::arg("epsilon").noconvert(), py::arg("cotangent").noconvert(),
             py::arg("shape"), py::arg("additive"), py::arg("periodic"), py::arg("with_field"), py::arg("threads"));
}

}  // namespace

void bind_relax(py::module_& module) {
  module.def("relax", &relax, py::arg("sites").noconvert(), py::arg("weights").noconvert(),
             py::arg("values").noconvert(), py::arg("epsilon").noconvert(), py::arg("shape"), py::arg("additive"),
             py::arg("periodic"), py::arg("float64"), py::arg("threads"));
  bind_gradient<float>(module);
  bind_gradient<double>(module);
}
