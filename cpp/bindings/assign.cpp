#include "arrays.hpp"
#include "families.hpp"

void bind_assign(py::module_&) {}
