#include "arrays.hpp"
#include "families.hpp"

void bind_transport(py::module_&) {}
