#include "arrays.hpp"
#include "families.hpp"

void bind_two_point(py::module_&) {}
