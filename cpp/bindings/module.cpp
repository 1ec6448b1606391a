// The Python module pearlite._core.
#include <pybind11/pybind11.h>

#include "corrector.hpp"
#include "families.hpp"

PYBIND11_MODULE(_core, module, pybind11::mod_gil_not_used()) {
  module.doc() = "Compiled kernels of pearlite.";
  bind_corrector(module);
  bind_assign(module);
  bind_relax(module);
  bind_cells(module);
  bind_fourier(module);
  bind_two_point(module);
  bind_identity(module);
  bind_lbfgs(module);
  bind_descriptor(module);
  bind_annealing(module);
  bind_bispectrum(module);
  bind_chords(module);
  bind_sampler(module);
  bind_transport(module);
  bind_langevin(module);
  bind_score(module);
  bind_training(module);
  module.def("instruction_set", &pearlite::instruction_set);
}
