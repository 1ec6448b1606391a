// pearlite._core: the long vectors of projected L-BFGS.
#include <optional>
#include <vector>

#include "arrays.hpp"
#include "correlation/lbfgs.hpp"
#include "families.hpp"

namespace {

// steps, changes: (slots, n); order: the slots of the pairs that count.
template <class T>
void set_pairs(pearlite::LbfgsTask<T>& task, const Array<T>& steps, const Array<T>& changes,
               const std::vector<int>& order) {
  expect_size(steps, steps.shape(0) * task.n, "steps");
  expect_size(changes, steps.size(), "changes");
  if (order.size() > pearlite::most_pairs) throw py::value_error("order: too many pairs");
  task.pairs = int(order.size());
  for (int p = 0; p < task.pairs; ++p) {
    const int slot = order[std::size_t(p)];
    if (slot < 0 || slot >= steps.shape(0)) throw py::value_error("order: no such slot");
    task.steps[p] = steps.data() + slot * task.n;
    task.changes[p] = changes.data() + slot * task.n;
  }
}

// A number for all unknowns, or an array with one for each.
template <class T>
void set_bounds(pearlite::LbfgsTask<T>& task, const py::object& lower, const py::object& upper) {
  const auto set = [&task](const py::object& bound, double& all, const T*& each, const char* name) {
    if (!py::isinstance<py::array>(bound)) {
      all = bound.cast<double>();
      return;
    }
    if (!py::isinstance<Array<T>>(bound)) throw py::type_error(std::string(name) + ": wrong dtype");
    const auto array = py::reinterpret_borrow<Array<T>>(bound);
    expect_size(array, task.n, name);
    each = array.data();
  };
  set(lower, task.lower, task.lowers, "lower");
  set(upper, task.upper, task.uppers, "upper");
}

std::vector<double> listed(const double* values, int count) { return {values, values + count}; }

// Takes the pair from (old_x, old_gradient) to (x, gradient) into `slot`, unless these are None.
template <class T>
py::tuple lbfgs_products(const Array<T>& x, const Array<T>& gradient, const std::optional<Array<T>>& old_x,
                         const std::optional<Array<T>>& old_gradient, Array<T>& steps, Array<T>& changes, int slot,
                         const std::vector<int>& order, const py::object& lower, const py::object& upper, int threads) {
  pearlite::LbfgsTask<T> task;
  task.n = x.size();
  set_bounds(task, lower, upper);
  task.x = x.data();
  task.gradient = gradient.data();
  expect_size(gradient, task.n, "gradient");
  set_pairs(task, steps, changes, order);
  if (old_x.has_value() != old_gradient.has_value()) throw py::value_error("old_x: goes with old_gradient");
  if (old_x) {
    expect_size(*old_x, task.n, "old_x");
    expect_size(*old_gradient, task.n, "old_gradient");
    if (slot < 0 || slot >= steps.shape(0)) throw py::value_error("slot: no such slot");
    task.old_x = old_x->data();
    task.old_gradient = old_gradient->data();
    task.step = steps.mutable_data() + slot * task.n;
    task.change = changes.mutable_data() + slot * task.n;
  }
  pearlite::LbfgsProducts out;
  {
    py::gil_scoped_release no_gil;
    out = pearlite::lbfgs_products(task, threads);
  }
  const int n = task.pairs;
  return py::make_tuple(out.largest, out.step_change, out.change_change, listed(out.step_gradient, n),
                        listed(out.change_gradient, n), listed(out.step_new_change, n),
                        listed(out.change_new_change, n), listed(out.change_new_step, n));
}

// -> free gradient · direction, gradient · move; direction and point are written.
template <class T>
std::pair<double, double> lbfgs_step(const Array<T>& x, const Array<T>& gradient, const Array<T>& steps,
                                     const Array<T>& changes, const std::vector<int>& order,
                                     const std::vector<double>& of_step, const std::vector<double>& of_change,
                                     double of_gradient, const py::object& lower, const py::object& upper,
                                     Array<T>& direction, Array<T>& point, int threads) {
  pearlite::LbfgsTask<T> task;
  task.n = x.size();
  set_bounds(task, lower, upper);
  task.x = x.data();
  task.gradient = gradient.data();
  expect_size(gradient, task.n, "gradient");
  expect_size(direction, task.n, "direction");
  expect_size(point, task.n, "point");
  set_pairs(task, steps, changes, order);
  if (of_step.size() != order.size() || of_change.size() != order.size())
    throw py::value_error("of_step, of_change: expected one number for each pair");
  for (std::size_t p = 0; p < order.size(); ++p) task.of_step[p] = of_step[p], task.of_change[p] = of_change[p];
  task.of_gradient = of_gradient;
  task.direction = direction.mutable_data();
  task.point = point.mutable_data();
  py::gil_scoped_release no_gil;
  const pearlite::LbfgsSlopes out = pearlite::lbfgs_step(task, threads);
  return {out.slope, out.promised};
}

template <class T>
void bind(py::module_& module) {
  module.def("lbfgs_products", &lbfgs_products<T>, py::arg("x").noconvert(), py::arg("gradient").noconvert(),
             py::arg("old_x").noconvert().none(true), py::arg("old_gradient").noconvert().none(true),
             py::arg("steps").noconvert(), py::arg("changes").noconvert(), py::arg("slot"), py::arg("order"),
             py::arg("lower"), py::arg("upper"), py::arg("threads"));
  module.def("lbfgs_step", &lbfgs_step<T>, py::arg("x").noconvert(), py::arg("gradient").noconvert(),
             py::arg("steps").noconvert(), py::arg("changes").noconvert(), py::arg("order"), py::arg("of_step"),
             py::arg("of_change"), py::arg("of_gradient"), py::arg("lower"), py::arg("upper"),
             py::arg("direction").noconvert(), py::arg("point").noconvert(), py::arg("threads"));
}

}  // namespace

void bind_lbfgs(py::module_& module) {
  bind<float>(module);
  bind<double>(module);
}
