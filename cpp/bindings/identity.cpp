// pearlite._core: the kernel identity.
#include <array>
#include <cstring>
#include <memory>
#include <new>
#include <optional>
#include <vector>

#include "arrays.hpp"
#include "correlation/identity.hpp"
#include "families.hpp"

namespace {

using Shape = std::array<int64_t, 3>;
constexpr std::size_t line = 64;  // kernels load whole registers from spectra

struct Free {
  void operator()(void* memory) const { ::operator delete(memory, std::align_val_t(line)); }
};
using Memory = std::unique_ptr<void, Free>;
Memory aligned(std::size_t bytes) { return Memory(::operator new(bytes, std::align_val_t(line))); }

// fields: (references, channels, n0, m, n), less the mean -> (references, channels, full)
template <class T>
py::array kernel_spectra(const Array<T>& fields, const std::vector<double>& mean) {
  if (fields.ndim() != 5 || fields.shape(1) != py::ssize_t(mean.size())) throw py::value_error("fields: wrong shape");
  pearlite::IdentityProblem problem;
  for (int k = 0; k < 3; ++k) problem.shape[k] = fields.shape(k + 2);
  problem.channels = int(fields.shape(1));
  problem.references = 0;
  problem.mean = mean.data();
  const int64_t full = problem.channels * pearlite::identity_spectrum_size<T>(problem.shape);
  const int64_t pixels = fields.size() / std::max<int64_t>(fields.shape(0), 1);
  Memory memory = aligned(std::size_t(fields.shape(0) * full) * sizeof(T));
  std::vector<char> workspace(static_cast<std::size_t>(pearlite::identity_workspace<T>(problem)));
  T* const to = static_cast<T*>(memory.get());
  const T* const from = fields.data();
  const int64_t count = fields.shape(0);
  {
    py::gil_scoped_release no_gil;
    for (int64_t r = 0; r < count; ++r)
      pearlite::identity_spectra<T>(problem, from + r * pixels, to + r * full, workspace.data());
  }
  py::capsule owner(memory.release(), [](void* held) { Free()(held); });
  return Array<T>({count, int64_t(problem.channels), full / problem.channels}, to, owner);
}

template <class T>
pearlite::IdentityProblem identity_problem(const Shape& shape, int channels, int references, int threads) {
  pearlite::IdentityProblem problem;
  std::copy(shape.begin(), shape.end(), problem.shape);
  problem.channels = channels;
  problem.references = references;
  problem.threads = threads;
  return problem;
}

int64_t kernel_workspace(const Shape& shape, int channels, int references, int threads, bool float64) {
  const auto problem = identity_problem<double>(shape, channels, references, threads);
  return float64 ? pearlite::identity_workspace<double>(problem) : pearlite::identity_workspace<float>(problem);
}

// Data that kernels can load registers from: where it is, or a copy in `held`.
template <class T>
const T* on_line(const Array<T>& array, Memory& held) {
  if (reinterpret_cast<std::uintptr_t>(array.data()) % line == 0) return array.data();
  held = aligned(std::size_t(array.nbytes()));
  std::memcpy(held.get(), array.data(), std::size_t(array.nbytes()));
  return static_cast<const T*>(held.get());
}

// field: (channels, n0, m, n); spectra: (references, channels, full); weights: (full), the filter, or none -> Σ f of the field's own
// correlations and of those with references, the place of the largest one of the first reference, gradient
template <class T>
py::tuple kernel_loss(const Array<T>& field, const Array<T>& spectra, const std::optional<Array<T>>& weights,
                      const std::vector<double>& mean, const std::array<double, 3>& power, double scale,
                      bool gradient, int threads, Array<uint8_t>& workspace) {
  if (field.ndim() != 4 || spectra.ndim() != 3) throw py::value_error("field, spectra: wrong shape");
  auto problem = identity_problem<T>({field.shape(1), field.shape(2), field.shape(3)}, int(field.shape(0)),
                                     int(spectra.shape(0)), threads);
  if (mean.size() != std::size_t(problem.channels)) throw py::value_error("mean: wrong shape");
  const int64_t full = pearlite::identity_spectrum_size<T>(problem.shape);
  expect_size(spectra, problem.references * problem.channels * full, "spectra");
  if (weights) expect_size(*weights, full, "weights");
  if (workspace.size() < pearlite::identity_workspace<T>(problem)) throw py::value_error("workspace: too small");
  std::copy(power.begin(), power.end(), problem.power);
  problem.mean = mean.data();
  problem.scale = scale;
  problem.gradient = gradient;
  Memory held_spectra, held_weights;
  problem.spectra = on_line(spectra, held_spectra);
  if (weights) problem.filter = on_line(*weights, held_weights);
  std::optional<Array<T>> slope;
  if (gradient) slope = Array<T>(std::vector<py::ssize_t>(field.shape(), field.shape() + 4));
  T* const to = gradient ? slope->mutable_data() : nullptr;
  const T* const from = field.data();
  void* const work = workspace.mutable_data();
  pearlite::IdentityOutcome out;
  {
    py::gil_scoped_release no_gil;
    out = pearlite::identity_loss<T>(problem, from, to, work);
  }
  return py::make_tuple(out.own, out.cross, out.peak_at, slope);
}

template <class T>
void bind(py::module_& module) {
  module.def("kernel_spectra", &kernel_spectra<T>, py::arg("fields").noconvert(), py::arg("mean"));
  module.def("kernel_loss", &kernel_loss<T>, py::arg("field").noconvert(), py::arg("spectra").noconvert(),
             py::arg("weights").noconvert().none(true), py::arg("mean"), py::arg("power"), py::arg("scale"), py::arg("gradient"), py::arg("threads"),
             py::arg("workspace").noconvert());
}

}  // namespace

void bind_identity(py::module_& module) {
  bind<float>(module);
  bind<double>(module);
  module.def("kernel_workspace", &kernel_workspace, py::arg("shape"), py::arg("channels"), py::arg("references"),
             py::arg("threads"), py::arg("float64"));
}
