#include "arrays.hpp"
#include "families.hpp"

void bind_descriptor(py::module_&) {}
