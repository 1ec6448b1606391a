// pearlite._core: two- and three-point correlations on a window of vectors, and their gradient.
#include "correlation/descriptor.hpp"

#include "arrays.hpp"
#include "families.hpp"

namespace {

pearlite::Form form_of(const std::string& name) {
  if (name == "product") return pearlite::Form::product;
  if (name == "logistic") return pearlite::Form::logistic;
  if (name == "centred") return pearlite::Form::centred;
  throw py::value_error("form: unknown");
}

// field: (n0, n1, n2); vectors: (count, 3)
template <class T>
pearlite::Window window(const Array<T>& field, const Array<int64_t>& vectors, const std::string& form,
                        double steepness, int threads) {
  if (field.ndim() != 3 || field.size() == 0) throw py::value_error("field: wrong shape");
  if (vectors.ndim() != 2 || vectors.shape(1) != 3 || vectors.shape(0) == 0)
    throw py::value_error("vectors: wrong shape");
  pearlite::Window out;
  for (int a = 0; a < 3; ++a) out.size[a] = field.shape(a);
  out.vectors = vectors.data();
  out.count = vectors.shape(0);
  out.form = form_of(form);
  out.steepness = steepness;
  out.threads = threads;
  out.interrupted = interruption();
  return out;
}

// Writes gram (count, count); -> means (count,)
template <class T>
Array<T> descriptor(const Array<T>& field, const Array<int64_t>& vectors, const std::string& form, double steepness,
                    Array<T> gram, int threads) {
  const auto task = window(field, vectors, form, steepness, threads);
  expect_size(gram, task.count * task.count, "gram");
  Array<T> means(task.count);
  const T* values = field.data();
  T *to_gram = gram.mutable_data(), *to_means = means.mutable_data();
  run_without_gil([&] { return pearlite::descriptor(task, values, to_gram, to_means); });
  return means;
}

// -> (n0, n1, n2)
template <class T>
Array<T> descriptor_gradient(const Array<T>& field, const Array<int64_t>& vectors, const std::string& form,
                             double steepness, const Array<T>& gram_cotangent, const Array<T>& means_cotangent,
                             int threads) {
  const auto task = window(field, vectors, form, steepness, threads);
  expect_size(gram_cotangent, task.count * task.count, "gram_cotangent");
  expect_size(means_cotangent, task.count, "means_cotangent");
  Array<T> gradient({task.size[0], task.size[1], task.size[2]});
  const T *values = field.data(), *of_gram = gram_cotangent.data(), *of_means = means_cotangent.data();
  T* to = gradient.mutable_data();
  run_without_gil([&] { return pearlite::descriptor_gradient(task, values, of_gram, of_means, to); });
  return gradient;
}

template <class T>
void bind(py::module_& module) {
  module.def("descriptor", &descriptor<T>, py::arg("field").noconvert(), py::arg("vectors").noconvert(),
             py::arg("form"), py::arg("steepness"), py::arg("gram").noconvert(), py::arg("threads"));
  module.def("descriptor_gradient", &descriptor_gradient<T>, py::arg("field").noconvert(),
             py::arg("vectors").noconvert(), py::arg("form"), py::arg("steepness"),
             py::arg("gram_cotangent").noconvert(), py::arg("means_cotangent").noconvert(), py::arg("threads"));
}

}  // namespace

void bind_descriptor(py::module_& module) {
  bind<float>(module);
  bind<double>(module);
  module.def("descriptor_threshold", [](double steepness) {
    const auto f = pearlite::threshold(steepness);
    return py::make_tuple(f.scale, f.shift);
  }, py::arg("steepness"));
}
