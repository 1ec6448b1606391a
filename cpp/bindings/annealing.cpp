#include "arrays.hpp"
#include "families.hpp"

void bind_annealing(py::module_&) {}
