// pearlite._core: score networks.
#include <memory>
#include <optional>
#include <vector>

#include "arrays.hpp"
#include "families.hpp"
#include "score/network.hpp"

namespace {

using Floats = Array<float>;

// tensors: of each layer weight, bias, alpha, gamma, beta, slope; of the last weight, bias.
std::unique_ptr<pearlite::ScoreNetwork> network(int64_t inputs, int64_t channels, int levels,
                                                const std::vector<std::vector<Floats>>& tensors) {
  const auto steps = pearlite::score_steps(inputs, channels, levels);
  if (tensors.size() != steps.size()) throw py::value_error("tensors: wrong number of layers");
  std::vector<pearlite::ScoreTensors> layers(steps.size());
  for (std::size_t k = 0; k < steps.size(); ++k) {
    const pearlite::ScoreStep& step = steps[k];
    const std::vector<Floats>& own = tensors[k];
    const bool last = k + 1 == steps.size();
    if (own.size() != (last ? 2u : 6u)) throw py::value_error("tensors: wrong number in a layer");
    const int64_t taps = step.kind == pearlite::ScoreKind::conv    ? 9
                         : step.kind == pearlite::ScoreKind::merge ? 2
                                                                   : 4;
    expect_size(own[0], step.inputs * step.outputs * taps, "weight");
    for (std::size_t i = 1; i < own.size(); ++i) expect_size(own[i], step.outputs, "bias and norm");
    layers[k].weight = own[0].data();
    layers[k].bias = own[1].data();
    if (last) continue;
    layers[k].alpha = own[2].data();
    layers[k].gamma = own[3].data();
    layers[k].beta = own[4].data();
    layers[k].slope = own[5].data();
  }
  return std::make_unique<pearlite::ScoreNetwork>(inputs, channels, levels, layers);
}

// image and score: (batch, inputs, n0, n1); sigma: (batch).
void score(const pearlite::ScoreNetwork& network, const Floats& image, const Floats& sigma,
           bool periodic, int threads, Floats& score) {
  if (image.ndim() != 4 || image.shape(1) != network.inputs())
    throw py::value_error("image: wrong shape");
  pearlite::ScoreProblem problem;
  problem.batch = image.shape(0);
  problem.n0 = image.shape(2);
  problem.n1 = image.shape(3);
  const int64_t multiple = int64_t(1) << network.levels();
  if (problem.n0 < 1 || problem.n1 < 1 || problem.n0 % multiple || problem.n1 % multiple)
    throw py::value_error("image: wrong shape");
  expect_size(sigma, problem.batch, "sigma");
  expect_size(score, image.size(), "score");
  problem.image = image.data();
  problem.sigma = sigma.data();
  problem.periodic = periodic;
  problem.threads = threads;
  problem.interrupted = interruption();
  float* const to = score.mutable_data();
  run_without_gil([&] { return network.evaluate(problem, to); });
}

}  // namespace

void bind_score(py::module_& module) {
  py::class_<pearlite::ScoreNetwork>(module, "ScoreNetwork")
      .def(py::init(&network), py::arg("inputs"), py::arg("channels"), py::arg("levels"),
           py::arg("tensors"))
      .def("score", &score, py::arg("image").noconvert(), py::arg("sigma").noconvert(),
           py::arg("periodic"), py::arg("threads"), py::arg("score").noconvert());
}
