#include "arrays.hpp"
#include "families.hpp"

void bind_fourier(py::module_&) {}
