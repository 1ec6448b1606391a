#include "arrays.hpp"
#include "families.hpp"

void bind_cells(py::module_&) {}
