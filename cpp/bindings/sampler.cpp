#include "arrays.hpp"
#include "families.hpp"

void bind_sampler(py::module_&) {}
