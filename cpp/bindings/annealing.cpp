// pearlite._core.Annealer
#include "correlation/annealing.hpp"

#include "arrays.hpp"
#include "families.hpp"

namespace {

// labels: (n0, m, n); target: (phases, n0, m, n)
pearlite::Annealer make(const Array<int32_t>& labels, const Array<int64_t>& target, int first) {
  if (labels.ndim() != 3 || target.ndim() != 4 || target.shape(0) < 1 || target.shape(0) > 256)
    throw py::value_error("labels, target: wrong shape");
  expect_size(target, target.shape(0) * labels.size(), "target");
  return {labels.data(), target.data(), labels.shape(0), labels.shape(1), labels.shape(2), first,
          int(target.shape(0))};
}

// → proposals made, accepted, lowest energy met
py::tuple run(pearlite::Annealer& chain, int64_t proposals, double temperature, double cooling, uint64_t seed,
              uint64_t sample, int64_t first) {
  pearlite::AnnealingRun order;
  order.proposals = proposals;
  order.temperature = temperature;
  order.cooling = cooling;
  order.seed = seed;
  order.sample = sample;
  order.first = first;
  int64_t made;
  {
    py::gil_scoped_release no_gil;
    made = chain.run(order);
  }
  return py::make_tuple(made, order.accepted, order.best);
}

Array<int32_t> labels(const pearlite::Annealer& chain) {
  const pearlite::AnnealingState& s = chain.state();
  Array<int32_t> out({s.n0, s.m, s.n});
  std::copy(s.labels, s.labels + s.n0 * s.m * s.n, out.mutable_data());
  return out;
}

}  // namespace

void bind_annealing(py::module_& module) {
  py::class_<pearlite::Annealer>(module, "Annealer")
      .def(py::init(&make), py::arg("labels").noconvert(), py::arg("target").noconvert(), py::arg("first"))
      .def("run", &run, py::arg("proposals"), py::arg("temperature"), py::arg("cooling"), py::arg("seed"),
           py::arg("sample"), py::arg("first"))
      .def("labels", &labels)
      .def_property_readonly("energy", [](const pearlite::Annealer& chain) { return chain.state().energy; })
      .def_property_readonly("wrong", &pearlite::Annealer::wrong);
}
