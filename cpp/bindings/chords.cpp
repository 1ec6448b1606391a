#include "arrays.hpp"
#include "families.hpp"

void bind_chords(py::module_&) {}
