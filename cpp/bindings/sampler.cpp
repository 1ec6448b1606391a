// pearlite._core: the passes of the sampler.
#include "correlation/sampler.hpp"
#include "correlation/sampler_swaps.hpp"

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

pearlite::WantedCounts wanted(const Array<float>& target, const Array<float>& weight, const char* name) {
  if (target.ndim() != 2) throw py::value_error(std::string(name) + ": wrong shape");
  expect_size(weight, target.size(), name);
  return {target.shape(0), target.shape(1), target.data(), weight.data()};
}

// labels: (n0, n1, n2), in place. gradient: (phases, n0, n1, n2). Chords: (3 * phases, bins). Patterns:
// (patterns, phases^cells), offsets (patterns, cells, 3). Energies are Σ weight (count − target)².
// -> accepted, change of Σ gradient, energies of chords and of patterns
py::tuple swap_labels(Array<uint8_t> labels, const Array<float>& gradient, const Array<float>& chord_target,
                      const Array<float>& chord_weight, const Array<float>& pattern_target,
                      const Array<float>& pattern_weight, const Array<int>& offsets, int64_t proposals,
                      double enough, double temperature, uint64_t seed, uint32_t round) {
  pearlite::SwapProblem problem;
  if (labels.ndim() != 3 || gradient.ndim() != 4 || offsets.ndim() != 3)
    throw py::value_error("labels, gradient or offsets: wrong shape");
  for (int k = 0; k < 3; ++k) problem.shape[k] = labels.shape(k);
  if (labels.size() >= int64_t(1) << 32) throw py::value_error("labels: too many");
  problem.phases = int(gradient.shape(0));
  expect_size(gradient, labels.size() * problem.phases, "gradient");
  problem.labels = labels.mutable_data();
  problem.gradient = gradient.data();
  problem.chords = wanted(chord_target, chord_weight, "chords");
  problem.patterns = wanted(pattern_target, pattern_weight, "patterns");
  problem.cells = int(offsets.shape(1));
  int64_t codes = 1;
  for (int j = 0; j < problem.cells; ++j) codes *= problem.phases;
  if (problem.chords.rows != 3 * problem.phases || problem.patterns.bins != codes ||
      offsets.shape(0) != problem.patterns.rows || offsets.shape(2) != 3)
    throw py::value_error("targets: wrong shape");
  problem.offsets = offsets.data();
  problem.proposals = proposals;
  problem.enough = enough;
  problem.temperature = temperature;
  problem.seed = seed;
  problem.round = round;
  problem.interrupted = interruption();
  pearlite::SwapOutcome outcome;
  run_without_gil([&] { outcome = pearlite::swap_labels(problem); return !outcome.interrupted; });
  return py::make_tuple(outcome.accepted, outcome.gradient_change, outcome.chords, outcome.patterns);
}

}  // namespace

void bind_sampler(py::module_& module) {
  module.def("descend_sliced", &descend_sliced, py::arg("field").noconvert(), py::arg("velocity").noconvert(),
             py::arg("exemplars"), py::arg("axes"), py::arg("weights").noconvert(), py::arg("rate"),
             py::arg("momentum"), py::arg("threads"));
  module.def("swap_labels", &swap_labels, py::arg("labels").noconvert(), py::arg("gradient").noconvert(),
             py::arg("chord_target").noconvert(), py::arg("chord_weight").noconvert(),
             py::arg("pattern_target").noconvert(), py::arg("pattern_weight").noconvert(),
             py::arg("offsets").noconvert(), py::arg("proposals"), py::arg("enough"), py::arg("temperature"),
             py::arg("seed"), py::arg("round"));
}
