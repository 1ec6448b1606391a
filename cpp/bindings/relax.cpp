#include "arrays.hpp"
#include "families.hpp"

void bind_relax(py::module_&) {}
