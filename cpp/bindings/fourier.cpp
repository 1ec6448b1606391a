// pearlite._core.gaussian_fields and pearlite._core.largest
#include "fields/gaussian.hpp"
#include "fields/largest.hpp"

#include <array>
#include <vector>

#include "arrays.hpp"
#include "families.hpp"

namespace {

// amplitudes (rows, channels, parts, n0, m, n), means (channels): fields (count, channels [+ 1], n0, m, n)
Array<float> gaussian_fields(const Array<float>& amplitudes, const Array<float>& means, bool complement,
                             uint64_t seed, uint64_t first, int64_t count, int threads) {
  if (amplitudes.ndim() != 6) throw py::value_error("amplitudes: wrong shape");
  pearlite::GaussianProblem problem;
  problem.seed = seed;
  problem.first = first;
  problem.count = count;
  problem.rows = int(amplitudes.shape(0));
  problem.channels = int(amplitudes.shape(1));
  problem.parts = int(amplitudes.shape(2));
  if (problem.parts != 1 && problem.parts != 2) throw py::value_error("amplitudes: wrong shape");
  expect_size(means, problem.channels, "means");
  std::vector<int64_t> shape{count, problem.channels + complement};
  for (int k = 0; k < 3; ++k) shape.push_back(problem.shape[k] = amplitudes.shape(k + 3));
  problem.amplitudes = amplitudes.data();
  problem.means = means.data();
  problem.complement = complement;
  problem.threads = threads;
  problem.interrupted = interruption();
  Array<float> out(shape);
  float* to = out.mutable_data();
  run_without_gil([&] { return pearlite::gaussian_fields(problem, to); });
  return out;
}

// fields (count, turns, size), phases (turns + 1), numbers (turns): labels (count, size)
Array<uint8_t> largest(const Array<float>& fields, const Array<uint8_t>& phases, const Array<int64_t>& numbers,
                       int threads) {
  if (fields.ndim() != 3) throw py::value_error("fields: wrong shape");
  pearlite::LargestProblem problem;
  problem.count = fields.shape(0);
  problem.turns = int(fields.shape(1));
  problem.size = fields.shape(2);
  expect_size(phases, problem.turns + 1, "phases");
  expect_size(numbers, problem.turns, "numbers");
  problem.fields = fields.data();
  problem.phases = phases.data();
  problem.numbers = numbers.data();
  problem.threads = threads;
  problem.interrupted = interruption();
  Array<uint8_t> labels({problem.count, problem.size});
  uint8_t* to = labels.mutable_data();
  run_without_gil([&] { return pearlite::largest(problem, to); });
  return labels;
}

}  // namespace

void bind_fourier(py::module_& module) {
  module.def("gaussian_fields", &gaussian_fields, py::arg("amplitudes").noconvert(), py::arg("means").noconvert(),
             py::arg("complement"), py::arg("seed"), py::arg("first"), py::arg("count"), py::arg("threads"));
  module.def("largest", &largest, py::arg("fields").noconvert(), py::arg("phases").noconvert(),
             py::arg("numbers").noconvert(), py::arg("threads"));
}
