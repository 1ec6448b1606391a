// pearlite._core: the passes of the sampler.
#include "correlation/sampler.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include "arrays.hpp"
#include "families.hpp"

namespace {

// field, velocity: (channels, n0, n1, n2), in place. exemplars: for each axis the images (channels,
// m0, m1) of planes normal to it. axes: (steps). weights: (steps, filters, channels, side, side).
// -> errors (steps)
Array<double> descend_sliced(Array<float> field, Array<float> velocity,
                             const std::array<std::vector<Array<float>>, 3>& exemplars,
                             const std::vector<int>& axes, const Array<float>& weights, double rate,
                             double momentum, int threads) {
  pearlite::SlicedProblem problem;
  if (field.ndim() != 4 || weights.ndim() != 5) throw py::value_error("field or weights: wrong shape");
  expect_size(velocity, field.size(), "velocity");
  problem.channels = int(field.shape(0));
  for (int k = 0; k < 3; ++k) problem.shape[k] = field.shape(k + 1);
  problem.field = field.mutable_data();
  problem.velocity = velocity.mutable_data();
  problem.steps = int(axes.size());
  problem.filters = int(weights.shape(1));
  problem.side = int(weights.shape(4));
  if (weights.shape(0) != problem.steps || weights.shape(2) != problem.channels ||
      weights.shape(3) != problem.side || problem.side > pearlite::most_side ||
      problem.filters > pearlite::most_filters)
    throw py::value_error("weights: wrong shape");
  for (std::size_t k = 0; k < 3; ++k)
    for (const Array<float>& image : exemplars[k]) {
      if (image.ndim() != 3 || image.shape(0) != problem.channels ||
          std::min(image.shape(1), image.shape(2)) < problem.side)
        throw py::value_error("exemplars: wrong shape");
      problem.exemplars[k].push_back({image.data(), image.shape(1), image.shape(2)});
    }
  for (const int axis : axes)
    if (axis < 0 || axis > 2 || problem.exemplars[axis].empty()) throw py::value_error("axes: no exemplar");
  problem.axis = axes.data();
  problem.weights = weights.data();
  problem.rate = rate;
  problem.momentum = momentum;
  problem.threads = threads;
  problem.interrupted = interruption();
  Array<double> errors(problem.steps);
  double* to = errors.mutable_data();
  std::fill_n(to, problem.steps, 0.0);
  run_without_gil([&] { return pearlite::descend_sliced(problem, to); });
  return errors;
}

}  // namespace

void bind_sampler(py::module_& module) {
  module.def("descend_sliced", &descend_sliced, py::arg("field").noconvert(), py::arg("velocity").noconvert(),
             py::arg("exemplars"), py::arg("axes"), py::arg("weights").noconvert(), py::arg("rate"),
             py::arg("momentum"), py::arg("threads"));
}
