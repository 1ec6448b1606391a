// The phase of a pixel while its indicators are still any numbers, on host and device, after section 5 of
// A. E. Robertson et al., "Local–global decompositions for conditional microstructure generation", Acta
// Materialia. V says what a number is, a scalar or a register of several: see `normal.hpp`.
#pragma once
#include "shared/normal.hpp"

namespace pearlite {

// Of several phases the one with the largest indicator, of several such the first; or none, while
// 1 − Σ m is larger than each: the pixel is uncertain. `add` takes the indicators in their order.
template <class V>
struct Segmentation {
  typename V::Number largest, sum;
  typename V::Integer phase;

  PEARLITE_MEMBER void begin(typename V::Number m) {
    largest = m;
    sum = m;
    phase = V::bits(0);
  }
  PEARLITE_MEMBER void add(typename V::Number m, int number) {
    phase = m > largest ? V::bits(number) : phase;
    largest = m > largest ? m : largest;
    sum = sum + m;
  }
  // The phase, or `uncertain`.
  PEARLITE_MEMBER typename V::Integer found(int uncertain) const {
    return V::all(1) - sum > largest ? V::bits(uncertain) : phase;
  }
};

}  // namespace pearlite
