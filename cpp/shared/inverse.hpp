// What a node without couplings, in a void, takes, on host and device (of vectors see simd.hpp).
#pragma once
#include "shared/formula.hpp"

namespace pearlite {

PEARLITE_FORMULA float inverse_or_zero(float a) { return a > 0 ? 1 / a : 0; }
PEARLITE_FORMULA double inverse_or_zero(double a) { return a > 0 ? 1 / a : 0; }

}  // namespace pearlite
