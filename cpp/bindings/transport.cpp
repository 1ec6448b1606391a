// pearlite._core: sliced Wasserstein distances, and sums over pairs of samples.
#include <optional>

#include "arrays.hpp"
#include "families.hpp"
#include "transport/pairs.hpp"
#include "transport/sliced.hpp"

namespace {

using Doubles = Array<double>;
using MaybeDoubles = std::optional<Doubles>;

const double* data(const MaybeDoubles& array) { return array ? array->data() : nullptr; }

// x: (dim, samples), weights: (samples), theta: (directions, dim)
pearlite::TransportProblem sliced_problem(const Doubles& x, const MaybeDoubles& weights, const Doubles& theta,
                                       int threads) {
  if (x.ndim() != 2 || theta.ndim() != 2 || x.shape(0) != theta.shape(1))
    throw py::value_error("x, theta: wrong shape");
  pearlite::TransportProblem problem;
  problem.dim = static_cast<int>(x.shape(0));
  problem.samples = x.shape(1);
  problem.directions = theta.shape(0);
  if (problem.samples < 1 || problem.samples > INT32_MAX) throw py::value_error("x: wrong shape");
  if (weights) expect_size(*weights, problem.samples, "weights");
  problem.x = x.data();
  problem.weights = data(weights);
  problem.theta = theta.data();
  problem.threads = threads;
  problem.interrupted = interruption();
  return problem;
}

// -> sorted (directions, samples), levels like it or None
py::tuple sort_projections(const Doubles& x, const MaybeDoubles& weights, const Doubles& theta, int threads) {
  const auto problem = sliced_problem(x, weights, theta, threads);
  Doubles sorted({problem.directions, problem.samples});
  MaybeDoubles levels;
  if (weights) levels = Doubles({problem.directions, problem.samples});
  double *to = sorted.mutable_data(), *levels_to = levels ? levels->mutable_data() : nullptr;
  run_without_gil([&] { return pearlite::sort_projections(problem, to, levels_to); });
  return py::make_tuple(sorted, levels);
}

pearlite::TransportTarget sliced_target(const Doubles& sorted, const MaybeDoubles& levels) {
  if (sorted.ndim() != 2 || sorted.shape(1) < 1) throw py::value_error("sorted: wrong shape");
  if (levels) expect_size(*levels, sorted.size(), "levels");
  pearlite::TransportTarget y;
  y.atoms = sorted.shape(1);
  y.sorted = sorted.data();
  y.levels = data(levels);
  return y;
}

// -> ranked (directions, samples), spread (directions)
py::tuple rank_targets(const Doubles& sorted, const MaybeDoubles& levels, int64_t samples, int threads) {
  pearlite::TransportProblem problem;
  problem.y = sliced_target(sorted, levels);
  problem.samples = samples;
  problem.directions = sorted.shape(0);
  problem.threads = threads;
  problem.interrupted = interruption();
  Doubles ranked({problem.directions, samples}), spread(problem.directions);
  double *to = ranked.mutable_data(), *spread_to = spread.mutable_data();
  run_without_gil([&] { return pearlite::rank_targets(problem, to, spread_to); });
  return py::make_tuple(ranked, spread);
}

// jacobian: (samples, dim, parameters)
// -> W_p^p (directions), gradient (dim, samples) or None, normal (directions, parameters, parameters) or None
py::tuple sliced_distance(const Doubles& x, const MaybeDoubles& weights, const Doubles& theta, const Doubles& sorted,
                          const MaybeDoubles& levels, const MaybeDoubles& ranked, int order, bool gradient,
                          const MaybeDoubles& jacobian, int64_t bins, int threads) {
  auto problem = sliced_problem(x, weights, theta, threads);
  problem.y = sliced_target(sorted, levels);
  if (sorted.shape(0) != problem.directions) throw py::value_error("sorted: wrong shape");
  if (ranked) {
    expect_size(*ranked, problem.directions * problem.samples, "ranked");
    if (weights || order != 2) throw py::value_error("ranked: for equal weights and order 2");
  }
  problem.y.ranked = data(ranked);
  problem.order = order;
  Doubles values(problem.directions);
  MaybeDoubles slope, normal;
  pearlite::TransportOutcome out;
  if (gradient) slope = Doubles({int64_t{problem.dim}, problem.samples});
  if (jacobian) {
    if (jacobian->ndim() != 3 || bins < 1) throw py::value_error("jacobian: wrong shape");
    problem.parameters = jacobian->shape(2);
    problem.bins = bins;
    expect_size(*jacobian, problem.samples * problem.dim * problem.parameters, "jacobian");
    problem.jacobian = jacobian->data();
    normal = Doubles({problem.directions, problem.parameters, problem.parameters});
    out.normal = normal->mutable_data();
  }
  out.values = values.mutable_data();
  out.gradient = slope ? slope->mutable_data() : nullptr;
  run_without_gil([&] { return pearlite::sliced_distance(problem, out); });
  return py::make_tuple(values, slope, normal);
}

// x: (dim, samples), y: (dim, others), weights: (others) -> sums (samples), gradient (dim, samples) or None
py::tuple pair_sums(const Doubles& x, const Doubles& y, const Doubles& weights, double bandwidth, bool later,
                    bool gradient, int threads) {
  if (x.ndim() != 2 || y.ndim() != 2 || x.shape(0) != y.shape(0)) throw py::value_error("x, y: wrong shape");
  pearlite::PairsProblem problem;
  problem.dim = static_cast<int>(x.shape(0));
  problem.samples = x.shape(1);
  problem.others = y.shape(1);
  expect_size(weights, problem.others, "weights");
  problem.x = x.data();
  problem.y = y.data();
  problem.weights = weights.data();
  problem.bandwidth = bandwidth;
  problem.later = later;
  problem.threads = threads;
  problem.interrupted = interruption();
  Doubles sums(problem.samples);
  MaybeDoubles slope;
  if (gradient) slope = Doubles({int64_t{problem.dim}, problem.samples});
  double *to = sums.mutable_data(), *slope_to = slope ? slope->mutable_data() : nullptr;
  run_without_gil([&] { return pearlite::pair_sums(problem, to, slope_to); });
  return py::make_tuple(sums, slope);
}

}  // namespace

void bind_transport(py::module_& module) {
  module.def("sort_projections", &sort_projections, py::arg("x").noconvert(), py::arg("weights").noconvert(),
             py::arg("theta").noconvert(), py::arg("threads"));
  module.def("rank_targets", &rank_targets, py::arg("sorted").noconvert(), py::arg("levels").noconvert(),
             py::arg("samples"), py::arg("threads"));
  module.def("sliced_distance", &sliced_distance, py::arg("x").noconvert(), py::arg("weights").noconvert(),
             py::arg("theta").noconvert(), py::arg("sorted").noconvert(), py::arg("levels").noconvert(),
             py::arg("ranked").noconvert(), py::arg("order"), py::arg("gradient"), py::arg("jacobian").noconvert(),
             py::arg("bins"), py::arg("threads"));
  module.def("pair_sums", &pair_sums, py::arg("x").noconvert(), py::arg("y").noconvert(),
             py::arg("weights").noconvert(), py::arg("bandwidth"), py::arg("later"), py::arg("gradient"),
             py::arg("threads"));
}
