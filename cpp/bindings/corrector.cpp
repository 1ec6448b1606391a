// pearlite._core: the corrector solve and its derivatives.
#include <algorithm>
#include <array>
#include <optional>
#include <type_traits>
#include <vector>

#include "arrays.hpp"
#include "corrector.hpp"
#include "corrector/sensitivity.hpp"
#include "families.hpp"
#include "shared/coarsening.hpp"
#include "shared/couplings.hpp"
#include "shared/voxel_grids.hpp"
#include "voxels/voxels.hpp"

namespace {

using Phases = std::optional<Array<double>>;

template <class T>
constexpr pearlite::Dtype dtype_of() {
  if constexpr (std::is_same_v<T, float>) return pearlite::Dtype::float32;
  else if constexpr (std::is_same_v<T, double>) return pearlite::Dtype::float64;
  else if constexpr (std::is_same_v<T, uint8_t>) return pearlite::Dtype::uint8;
  else if constexpr (std::is_same_v<T, uint16_t>) return pearlite::Dtype::uint16;
  else return pearlite::Dtype::int32;
}

// pixels: (batch, n0, n1[, n2][, d, d]); phases: ([batch,] phase_count[, d, d]) or none.
template <class T>
pearlite::Microstructures microstructures(const Array<T>& pixels, const Phases& phases,
                                          bool tensor) {
  const py::ssize_t tensor_axes = tensor ? 2 : 0, axes = pixels.ndim() - (phases ? 0 : tensor_axes);
  const bool voxels = axes == 4;
  if (axes != 3 && axes != 4) throw py::value_error("pixels: wrong number of axes");
  pearlite::Microstructures cells;
  cells.pixels = pixels.data();
  cells.dtype = dtype_of<T>();
  cells.tensor = tensor;
  cells.batch = pixels.shape(0);
  cells.n0 = pixels.shape(1);
  cells.n1 = pixels.shape(2);
  if (voxels) {
    cells.dim = 3;
    cells.n2 = pixels.shape(3);
  }
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

// Where the results of one call go: numpy arrays, and their addresses for the kernel.
struct Results {
  Array<double> effective, residual;
  Array<int32_t> iterations;
  Array<bool> converged;
  py::object correctors = py::none();
  pearlite::Solution solution;

  Results(const pearlite::Microstructures& cells, const std::optional<py::dtype>& correctors_dtype)
      : effective({cells.batch, int64_t{cells.dim}, int64_t{cells.dim}}), residual(cells.batch), iterations(cells.batch),
        converged(cells.batch) {
    solution.effective = effective.mutable_data();
    solution.iterations = iterations.mutable_data();
    solution.residual = residual.mutable_data();
    solution.converged = reinterpret_cast<uint8_t*>(converged.mutable_data());
    if (!correctors_dtype) return;
    std::vector<int64_t> shape = {cells.batch, cells.dim, cells.n0, cells.n1};
    if (cells.dim == 3) shape.push_back(cells.n2);
    py::array field(*correctors_dtype, shape);
    solution.correctors = field.mutable_data();
    solution.correctors_float64 = field.itemsize() == sizeof(double);
    correctors = field;
  }
};

pearlite::SolveOptions solve_options(double rtol, double corrector_rtol, int threads, int max_iterations) {
  pearlite::SolveOptions options;
  options.rtol = rtol;
  options.corrector_rtol = corrector_rtol;
  options.threads = threads;
  options.max_iterations = max_iterations;
  options.interrupted = interruption();
  return options;
}

// Runs a solve without the GIL; false if the input is defective.
template <class Solve>
bool finished(const Solve& solve) {
  pearlite::Outcome outcome;
  {
    py::gil_scoped_release no_gil;
    outcome = solve();
  }
  // A signal may have come in while a defect was found.
  if (outcome == pearlite::Outcome::interrupted || PyErr_Occurred()) throw py::error_already_set();
  return outcome == pearlite::Outcome::finished;
}

template <class T>
std::optional<py::tuple> solve_correctors(const Array<T>& pixels, const Phases& phases, bool tensor,
                                          const std::vector<double>& spacing, double rtol, int threads,
                                          int max_iterations, const std::optional<py::dtype>& correctors_dtype,
                                          double corrector_rtol) {
  pearlite::Microstructures cells = microstructures(pixels, phases, tensor);
  if (spacing.size() != static_cast<std::size_t>(cells.dim)) throw py::value_error("spacing: wrong size");
  std::copy(spacing.begin(), spacing.end(), cells.spacing);
  const Results out(cells, correctors_dtype);
  const auto options = solve_options(rtol, corrector_rtol, threads, max_iterations);
  if (!finished([&] { return pearlite::solve_correctors(cells, options, out.solution); })) return std::nullopt;
  return py::make_tuple(out.effective, out.correctors, out.iterations, out.residual, out.converged);
}

// loads: (batch, 2, n0, n1), of the dtype of the pixels and of the result.
template <class T>
std::optional<py::tuple> solve_loads(const Array<T>& pixels, bool tensor, std::array<double, 2> spacing,
                                     const Array<T>& loads, double corrector_rtol, int threads,
                                     int max_iterations) {
  pearlite::Microstructures cells = microstructures(pixels, std::nullopt, tensor);
  std::copy(spacing.begin(), spacing.end(), cells.spacing);
  if (loads.size() != 2 * cells.batch * cells.n0 * cells.n1) throw py::value_error("loads: wrong shape");
  const Results out(cells, py::dtype::of<T>());
  const auto options = solve_options(1, corrector_rtol, threads, max_iterations);
  const T* f = loads.data();
  if (!finished([&] { return pearlite::solve_loads(cells, f, options, out.solution); })) return std::nullopt;
  return py::make_tuple(out.correctors, out.iterations, out.residual, out.converged);
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

// correctors: (batch, 2, n0, n1)
template <class T>
pearlite::CellShape cell_shape(const Array<T>& correctors, bool tensor, std::array<double, 2> spacing, int threads) {
  if (correctors.ndim() != 4 || correctors.shape(1) != 2) throw py::value_error("correctors: wrong shape");
  return {correctors.shape(0), correctors.shape(2), correctors.shape(3), tensor, {spacing[0], spacing[1]}, threads};
}

template <class T>
Array<T> empty_pixels(const pearlite::CellShape& s) {
  if (s.tensor) return Array<T>({s.batch, s.n0, s.n1, int64_t{2}, int64_t{2}});
  return Array<T>({s.batch, s.n0, s.n1});
}

int64_t pixel_entries(const pearlite::CellShape& s) { return s.batch * s.n0 * s.n1 * (s.tensor ? 4 : 1); }

// The gradient of Σ G_ij A*_ij in the pixels, or its change with a change of the correctors.
template <class T>
Array<T> pull_back(const Array<T>& correctors, const std::optional<Array<T>>& change, const Array<double>& cotangent,
                   bool tensor, std::array<double, 2> spacing, int threads) {
  const auto shape = cell_shape(correctors, tensor, spacing, threads);
  expect_size(cotangent, 4 * shape.batch, "cotangent");
  if (change) expect_size(*change, correctors.size(), "change");
  Array<T> out = empty_pixels<T>(shape);
  const T *chi = correctors.data(), *w = change ? change->data() : nullptr;
  const double* g = cotangent.data();
  T* to = out.mutable_data();
  py::gil_scoped_release no_gil;
  if (w) pearlite::pull_back_change(shape, chi, w, g, to);
  else pearlite::pull_back(shape, chi, g, to);
  return out;
}

// The change (batch, 2, 2) of A* with a change of the pixels.
template <class T>
Array<double> push_forward(const Array<T>& correctors, const Array<T>& direction, bool tensor,
                           std::array<double, 2> spacing, int threads) {
  const auto shape = cell_shape(correctors, tensor, spacing, threads);
  expect_size(direction, pixel_entries(shape), "direction");
  Array<double> out({shape.batch, int64_t{2}, int64_t{2}});
  const T *chi = correctors.data(), *v = direction.data();
  double* to = out.mutable_data();
  py::gil_scoped_release no_gil;
  pearlite::push_forward(shape, chi, v, to);
  return out;
}

// The loads (batch, 2, n0, n1) whose solution is the change of the correctors with the pixels.
template <class T>
Array<T> direction_loads(const Array<T>& correctors, const Array<T>& direction, bool tensor,
                         std::array<double, 2> spacing, int threads) {
  const auto shape = cell_shape(correctors, tensor, spacing, threads);
  expect_size(direction, pixel_entries(shape), "direction");
  Array<T> out({shape.batch, int64_t{2}, shape.n0, shape.n1});
  const T *chi = correctors.data(), *v = direction.data();
  T* to = out.mutable_data();
  py::gil_scoped_release no_gil;
  pearlite::direction_loads(shape, chi, v, to);
  return out;
}

// The gradient of Σ G_de A*_de in voxels. correctors: (batch, 3, n0, n1, n2)
template <class T>
Array<T> pull_back_voxels(const Array<T>& correctors, const Array<double>& cotangent, bool tensor,
                          std::array<double, 3> spacing, int threads) {
  if (correctors.ndim() != 5 || correctors.shape(1) != 3) throw py::value_error("correctors: wrong shape");
  pearlite::VoxelShape shape;
  shape.batch = correctors.shape(0);
  for (int d = 0; d < 3; ++d) shape.n[d] = correctors.shape(d + 2), shape.spacing[d] = spacing[static_cast<std::size_t>(d)];
  shape.tensor = tensor;
  shape.threads = threads;
  expect_size(cotangent, 9 * shape.batch, "cotangent");
  std::vector<int64_t> axes = {shape.batch, shape.n[0], shape.n[1], shape.n[2]};
  if (tensor) axes.insert(axes.end(), {3, 3});
  Array<T> out(axes);
  const T* chi = correctors.data();
  const double* g = cotangent.data();
  T* to = out.mutable_data();
  py::gil_scoped_release no_gil;
  pearlite::pull_back_voxels(shape, chi, g, to);
  return out;
}

// The grids of one cell, from the finest on: rows, columns, and the gaps of the points that the next has.
std::vector<std::array<int, 4>> coarse_grids(int rows, int cols) {
  std::vector<std::array<int, 4>> grids;
  for (int odd_rows = 0, odd_cols = 0;;) {
    const auto next_rows = pearlite::coarsen(rows, odd_rows), next_cols = pearlite::coarsen(cols, odd_cols);
    grids.push_back({rows, cols, next_rows.gap, next_cols.gap});
    if (grids.size() > 1 && rows <= pearlite::widest_bottom && cols <= pearlite::widest_bottom) return grids;
    odd_rows += rows % 2;
    odd_cols += cols % 2;
    rows = next_rows.count;
    cols = next_cols.count;
  }
}

double smoother_step(int steps, int step) { return pearlite::smoother_step(steps, step); }

// The grids of one cell of voxels, from the finest on: their sides, and of a voxel's element at conductivity 1
// the largest eigenvalue and the couplings c001, c010, c100, c011, c101, c110, c111.
std::vector<std::pair<std::array<int, 3>, std::array<double, 8>>> voxel_grids(const std::array<int, 3>& sides,
                                                                             const std::array<double, 3>& g) {
  std::vector<std::pair<std::array<int, 3>, std::array<double, 8>>> grids;
  std::array<int, 3> n = sides, next = sides;
  for (bool more = true; more; n = next) {
    double own[3];
    pearlite::voxels_of_grid(sides.data(), g.data(), n.data(), own);
    const auto c = pearlite::Couplings::of(own);
    grids.push_back({n, {pearlite::largest_of_element(own), c.c001, c.c010, c.c100, c.c011, c.c101, c.c110, c.c111}});
    more = pearlite::coarser_grid(sides.data(), g.data(), n.data(), next.data());
  }
  return grids;
}

template <class T>
void bind_sensitivity(py::module_& module) {
  module.def("solve_loads", &solve_loads<T>, py::arg("pixels").noconvert(), py::arg("tensor"), py::arg("spacing"),
             py::arg("loads").noconvert(), py::arg("corrector_rtol"), py::arg("threads"), py::arg("max_iterations"));
  module.def("pull_back", &pull_back<T>, py::arg("correctors").noconvert(),
             py::arg("change").noconvert().none(true), py::arg("cotangent").noconvert(), py::arg("tensor"),
             py::arg("spacing"), py::arg("threads"));
  module.def("pull_back_voxels", &pull_back_voxels<T>, py::arg("correctors").noconvert(),
             py::arg("cotangent").noconvert(), py::arg("tensor"), py::arg("spacing"), py::arg("threads"));
  module.def("push_forward", &push_forward<T>, py::arg("correctors").noconvert(), py::arg("direction").noconvert(),
             py::arg("tensor"), py::arg("spacing"), py::arg("threads"));
  module.def("direction_loads", &direction_loads<T>, py::arg("correctors").noconvert(),
             py::arg("direction").noconvert(), py::arg("tensor"), py::arg("spacing"), py::arg("threads"));
}

template <class T>
void bind_solves(py::module_& module) {
  module.def("solve_correctors", &solve_correctors<T>, py::arg("pixels").noconvert(),
             py::arg("phases").noconvert().none(true), py::arg("tensor"), py::arg("spacing"),
             py::arg("rtol"), py::arg("threads"), py::arg("max_iterations"),
             py::arg("correctors_dtype").none(true), py::arg("corrector_rtol") = 1.0);
  module.def("inspect", &inspect<T>, py::arg("pixels").noconvert(),
             py::arg("phases").noconvert().none(true), py::arg("tensor"), py::arg("threads"));
}

}  // namespace

void bind_corrector(py::module_& module) {
  bind_solves<float>(module);
  bind_solves<double>(module);
  bind_sensitivity<float>(module);
  bind_sensitivity<double>(module);
  bind_solves<uint8_t>(module);
  bind_solves<uint16_t>(module);
  bind_solves<int32_t>(module);
  module.def("coarse_grids", &coarse_grids, py::arg("rows"), py::arg("cols"));
  module.def("voxel_grids", &voxel_grids, py::arg("sides"), py::arg("g"));
  module.def("smoother_step", &smoother_step, py::arg("steps"), py::arg("step"));
}
