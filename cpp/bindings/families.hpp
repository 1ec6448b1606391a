// What each file of this folder adds to the module.
#pragma once
#include <pybind11/pybind11.h>

void bind_corrector(pybind11::module_& module);
void bind_assign(pybind11::module_& module);
void bind_relax(pybind11::module_& module);
void bind_cells(pybind11::module_& module);
void bind_fourier(pybind11::module_& module);
void bind_two_point(pybind11::module_& module);
void bind_identity(pybind11::module_& module);
void bind_lbfgs(pybind11::module_& module);
void bind_descriptor(pybind11::module_& module);
void bind_annealing(pybind11::module_& module);
void bind_bispectrum(pybind11::module_& module);
void bind_chords(pybind11::module_& module);
void bind_sampler(pybind11::module_& module);
void bind_transport(pybind11::module_& module);
void bind_langevin(pybind11::module_& module);
void bind_score(pybind11::module_& module);
void bind_training(pybind11::module_& module);
