// pearlite._core: bispectrum and its loss.
#include "correlation/bispectrum.hpp"

#include "arrays.hpp"
#include "families.hpp"

namespace {

// transform: (2, n0, m, 2 n), the last axis twice in a row.
template <class T>
pearlite::BispectrumProblem<T> problem_of(const Array<T>& transform, int threads) {
  if (transform.ndim() != 4 || transform.shape(0) != 2 || transform.shape(3) % 2)
    throw py::value_error("transform: wrong shape");
  pearlite::BispectrumProblem<T> problem;
  problem.n0 = transform.shape(1);
  problem.m = transform.shape(2);
  problem.n = transform.shape(3) / 2;
  problem.transform = transform.data();
  problem.threads = threads;
  problem.interrupted = interruption();
  return problem;
}

template <class T>
Array<T> bispectrum(const Array<T>& transform, int threads) {
  const auto p = problem_of(transform, threads);
  Array<T> out({p.n0, p.m, p.n / 2 + 1, int64_t{2}, p.n0, p.m, p.n});
  T* to = out.mutable_data();
  run_without_gil([&] { return pearlite::bispectrum(p, to); });
  return out;
}

// → loss, gradient (2, n0, m, n)
template <class T>
py::tuple bispectrum_loss(const Array<T>& transform, const Array<T>& target, int threads) {
  auto p = problem_of(transform, threads);
  const int64_t pixels = p.n0 * p.m * p.n;
  expect_size(target, p.n0 * p.m * (p.n / 2 + 1) * 2 * pixels, "target");
  p.target = target.data();
  Array<double> gradient({int64_t{2}, p.n0, p.m, p.n});
  double loss = 0, *to = gradient.mutable_data();
  run_without_gil([&] {
    loss = pearlite::bispectrum_loss(p, to);
    return true;  // a signal is found pending below
  });
  return py::make_tuple(loss, gradient);
}

template <class T>
void bind(py::module_& module) {
  module.def("bispectrum", &bispectrum<T>, py::arg("transform").noconvert(), py::arg("threads"));
  module.def("bispectrum_loss", &bispectrum_loss<T>, py::arg("transform").noconvert(), py::arg("target").noconvert(),
             py::arg("threads"));
}

}  // namespace

void bind_bispectrum(py::module_& module) {
  bind<float>(module);
  bind<double>(module);
}
