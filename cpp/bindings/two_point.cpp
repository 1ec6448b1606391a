// pearlite._core.two_point
#include "correlation/two_point.hpp"

#include <array>
#include <vector>

#include "arrays.hpp"
#include "families.hpp"

namespace {

using Shape = std::array<int64_t, 3>;

pearlite::FieldType type_of(const py::array& field) {
  if (py::isinstance<Array<float>>(field)) return pearlite::FieldType::float32;
  if (py::isinstance<Array<double>>(field)) return pearlite::FieldType::float64;
  if (py::isinstance<Array<uint8_t>>(field)) return pearlite::FieldType::uint8;
  if (py::isinstance<Array<uint16_t>>(field)) return pearlite::FieldType::uint16;
  if (py::isinstance<Array<int32_t>>(field)) return pearlite::FieldType::int32;
  throw py::type_error("field: expected a contiguous array of a type that kernels know");
}

template <class T>
py::array correlate(pearlite::TwoPointProblem& problem, const std::vector<int64_t>& out_shape) {
  Array<T> out(out_shape);
  T* to = out.mutable_data();
  run_without_gil([&] { return pearlite::two_point(problem, to); });
  return std::move(out);
}

// fields: arrays (batch, n0, m, n) of one type; phases: the label of each, for integer types. pairs:
// which fields are correlated. shape: of the transforms, at least that of the fields.
py::array two_point(const std::vector<py::array>& fields, const std::vector<int64_t>& phases,
                    const std::vector<std::array<int, 2>>& pairs, const Shape& shape, bool means, double scale,
                    bool float64, int threads) {
  if (fields.empty() || fields.size() > std::size_t(pearlite::most_fields) || fields[0].ndim() != 4)
    throw py::value_error("fields: wrong shape");
  pearlite::TwoPointProblem problem;
  problem.type = type_of(fields[0]);
  problem.batch = fields[0].shape(0);
  std::vector<const void*> data;
  for (const py::array& field : fields) {
    if (type_of(field) != problem.type) throw py::type_error("fields: expected one type");
    expect_size(field, fields[0].size(), "fields");
    data.push_back(field.data());
  }
  const bool labels = problem.type > pearlite::FieldType::float64;
  if (phases.size() != (labels ? fields.size() : 0)) throw py::value_error("phases: wrong length");
  bool padded = false;
  for (int k = 0; k < 3; ++k) {
    problem.field_shape[k] = fields[0].shape(k + 1);
    problem.shape[k] = shape[std::size_t(k)];
    padded = padded || problem.shape[k] != problem.field_shape[k];
  }
  std::vector<int> left, right;
  for (const auto& pair : pairs) left.push_back(pair[0]), right.push_back(pair[1]);
  for (int k : left) if (k < 0 || k >= int(fields.size())) throw py::value_error("pairs: no such field");
  for (int k : right) if (k < 0 || k >= int(fields.size())) throw py::value_error("pairs: no such field");
  problem.fields = int(fields.size());
  problem.field = data.data();
  problem.phase = phases.data();
  problem.pairs = int(pairs.size());
  problem.left = left.data();
  problem.right = right.data();
  problem.overlap_means = means;
  problem.scale = scale;
  problem.threads = threads;
  problem.interrupted = interruption();
  std::vector<int64_t> out{problem.batch, problem.pairs};
  for (const int64_t n : problem.field_shape) out.push_back(padded ? 2 * n - 1 : n);
  return float64 ? correlate<double>(problem, out) : correlate<float>(problem, out);
}

}  // namespace

void bind_two_point(py::module_& module) {
  module.def("two_point", &two_point, py::arg("fields"), py::arg("phases"), py::arg("pairs"), py::arg("shape"),
             py::arg("means"), py::arg("scale"), py::arg("float64"), py::arg("threads"));
  module.def("good_size", &pearlite::good_size, py::arg("n"));
}
