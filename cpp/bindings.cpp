// The Python module pearlite._core: each function checks nothing but its array types, releases the
// GIL and calls a kernel. The Python front has checked shapes and options before.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <array>
#include <optional>
#include <type_traits>

#include "corrector.hpp"

namespace py = pybind11;

namespace {

template <class T>
using Array = py::array_t<T, py::array::c_style>;
using Phases = std::optional<Array<double>>;

template <class T>
constexpr pearlite::Dtype dtype_of() {
  if constexpr (std::is_same_v<T, float>) return pearlite::Dtype::float32;
  else if constexpr (std::is_same_v<T, double>) return pearlite::Dtype::float64;
  else if constexpr (std::is_same_v<T, uint8_t>) return pearlite::Dtype::uint8;
  else if constexpr (std::is_same_v<T, uint16_t>) return pearlite::Dtype::uint16;
  else return pearlite::Dtype::int32;
}

// pixels: (batch, n0, n1[, 2, 2]); phases: ([batch,] phase_count[, 2, 2]) or none.
template <class T>
pearlite::Microstructures microstructures(const Array<T>& pixels, const Phases& phases,
                                          bool tensor) {
  const py::ssize_t tensor_axes = tensor ? 2 : 0;
  if (pixels.ndim() != 3 + (phases ? 0 : tensor_axes))
    throw py::value_error("pixels: wrong number of axes");
  pearlite::Microstructures cells;
  cells.pixels = pixels.data();
  cells.dtype = dtype_of<T>();
  cells.tensor = tensor;
  cells.batch = pixels.shape(0);
  cells.n0 = pixels.shape(1);
  cells.n1 = pixels.shape(2);
  if (phases.has_value() != std::is_integral_v<T>)
    throw py::type_error("phases go with integer labels");
  if (phases) {
    const py::ssize_t cell_axes = phases->ndim() - 1 - tensor_axes;
    if (cell_axes < 0 || cell_axes > 1 || (cell_axes == 1 && phases->shape(0) != cells.batch))
      throw py::value_error("phases: wrong shape");
    cells.phases = phases->data();
    cells.phases_per_cell = cell_axes == 1;
    cells.phase_count = phases->shape(cell_axes);
  }
  return cells;
}

// A pending Python signal, such as Ctrl-C. Does nothing outside Python's main thread.
bool signalled(void*) {
  py::gil_scoped_acquire gil;
  return PyErr_CheckSignals() != 0;
}

template <class T>
std::optional<py::tuple> solve_correctors(const Array<T>& pixels, const Phases& phases, bool tensor,
                           std::array<double, 2> spacing, double rtol, int threads,
                           int max_iterations, const std::optional<py::dtype>& correctors_dtype) {
  pearlite::Microstructures cells = microstructures(pixels, phases, tensor);
  cells.spacing[0] = spacing[0];
  cells.spacing[1] = spacing[1];

  Array<double> effective({cells.batch, int64_t{2}, int64_t{2}}), residual(cells.batch);
  Array<int32_t> iterations(cells.batch);
  Array<bool> converged(cells.batch);
  pearlite::Solution solution;
  solution.effective = effective.mutable_data();
  solution.iterations = iterations.mutable_data();
  solution.residual = residual.mutable_data();
  solution.converged = reinterpret_cast<uint8_t*>(converged.mutable_data());
  py::object correctors = py::none();
  if (correctors_dtype) {
    solution.correctors_float64 = correctors_dtype->equal(py::dtype::of<double>());
    if (!solution.correctors_float64 && !correctors_dtype->equal(py::dtype::of<float>()))
      throw py::type_error("correctors_dtype: expected float32 or float64");
    py::array field(*correctors_dtype, {cells.batch, int64_t{2}, cells.n0, cells.n1});
    solution.correctors = field.mutable_data();
    correctors = field;
  }

  pearlite::SolveOptions options;
  options.rtol = rtol;
  options.threads = threads;
  options.max_iterations = max_iterations;
  options.interrupted = signalled;
  pearlite::Outcome outcome;
  {
    py::gil_scoped_release no_gil;
    outcome = pearlite::solve_correctors(cells, options, solution);
  }
  if (outcome == pearlite::Outcome::interrupted) throw py::error_already_set();
  if (outcome == pearlite::Outcome::defective) return std::nullopt;
  return py::make_tuple(effective, correctors, iterations, residual, converged);
}

const char* name_of(pearlite::Defect defect) {
  switch (defect) {
    case pearlite::Defect::none: break;
    case pearlite::Defect::not_finite: return "not_finite";
    case pearlite::Defect::not_positive: return "not_positive";
    case pearlite::Defect::not_symmetric: return "not_symmetric";
    case pearlite::Defect::not_definite: return "not_definite";
    case pearlite::Defect::no_phase: return "no_phase";
  }
  return "none";
}

template <class T>
std::optional<py::tuple> inspect(const Array<T>& pixels, const Phases& phases, bool tensor,
                                 int threads) {
  const pearlite::Microstructures cells = microstructures(pixels, phases, tensor);
  pearlite::Finding finding;
  {
    py::gil_scoped_release no_gil;
    finding = pearlite::inspect(cells, threads);
  }
  if (finding.defect == pearlite::Defect::none) return std::nullopt;
  return py::make_tuple(name_of(finding.defect), finding.in_phases, finding.cell, finding.pixel);
}

template <class T>
void bind_corrector(py::module_& module) {
  module.def("solve_correctors", &solve_correctors<T>, py::arg("pixels").noconvert(),
             py::arg("phases").noconvert().none(true), py::arg("tensor"), py::arg("spacing"),
             py::arg("rtol"), py::arg("threads"), py::arg("max_iterations"),
             py::arg("correctors_dtype").none(true));
  module.def("inspect", &inspect<T>, py::arg("pixels").noconvert(),
             py::arg("phases").noconvert().none(true), py::arg("tensor"), py::arg("threads"));
}

}  // namespace

PYBIND11_MODULE(_core, module, py::mod_gil_not_used()) {
  module.doc() = "Compiled kernels of pearlite.";
  bind_corrector<float>(module);
  bind_corrector<double>(module);
  bind_corrector<uint8_t>(module);
  bind_corrector<uint16_t>(module);
  bind_corrector<int32_t>(module);
  module.def("instruction_set", &pearlite::instruction_set);
}
