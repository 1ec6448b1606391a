// pearlite._core: what lies between the convolutions of the score network, for its training.
#include "arrays.hpp"
#include "families.hpp"
#include "training/norm.hpp"

namespace {

// x: (batch, pixels, channels); parameters: α, γ, β and slope, (4, channels).
pearlite::NormTask norm_task(const Array<float>& x, const Array<float>& parameters, Array<float>& moments,
                             int threads) {
  if (x.ndim() != 3 || x.shape(2) < 2) throw py::value_error("x: wrong shape");
  pearlite::NormTask task;
  task.batch = x.shape(0);
  task.pixels = x.shape(1);
  task.channels = x.shape(2);
  task.threads = threads;
  expect_size(parameters, 4 * task.channels, "parameters");
  expect_size(moments, 2 * task.batch * task.channels, "moments");
  task.x = x.data();
  task.alpha = parameters.data();
  task.gamma = task.alpha + task.channels;
  task.beta = task.alpha + 2 * task.channels;
  task.slope = task.alpha + 3 * task.channels;
  task.moments = moments.mutable_data();
  return task;
}

// Writes y (batch, pixels, channels) and moments (batch, 2, channels).
void norm_forward(const Array<float>& x, const Array<float>& parameters, Array<float>& y, Array<float>& moments,
                  int threads) {
  auto task = norm_task(x, parameters, moments, threads);
  expect_size(y, x.size(), "y");
  task.y = y.mutable_data();
  py::gil_scoped_release no_gil;
  pearlite::norm_forward(task);
}

// Writes dx (batch, pixels, channels) and the parameters' gradients (batch, 4, channels).
void norm_backward(const Array<float>& x, const Array<float>& parameters, Array<float>& moments,
                   const Array<float>& dy, Array<float>& dx, Array<float>& gradients, int threads) {
  auto task = norm_task(x, parameters, moments, threads);
  expect_size(dy, x.size(), "dy");
  expect_size(dx, x.size(), "dx");
  expect_size(gradients, 4 * task.batch * task.channels, "gradients");
  task.dy = dy.data();
  task.dx = dx.mutable_data();
  task.parameters = gradients.mutable_data();
  py::gil_scoped_release no_gil;
  pearlite::norm_backward(task);
}

}  // namespace

void bind_training(py::module_& module) {
  module.def("norm_forward", &norm_forward, py::arg("x").noconvert(), py::arg("parameters").noconvert(),
             py::arg("y").noconvert(), py::arg("moments").noconvert(), py::arg("threads"));
  module.def("norm_backward", &norm_backward, py::arg("x").noconvert(), py::arg("parameters").noconvert(),
             py::arg("moments").noconvert(), py::arg("dy").noconvert(), py::arg("dx").noconvert(),
             py::arg("gradients").noconvert(), py::arg("threads"));
}
