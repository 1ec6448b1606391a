#include "arrays.hpp"
#include "families.hpp"

void bind_langevin(py::module_&) {}
