#include "arrays.hpp"
#include "families.hpp"

void bind_bispectrum(py::module_&) {}
