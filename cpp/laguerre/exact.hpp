// The definition itself, in double: what decides where the fast kernel cannot tell.
#pragma once
#include <cstdint>

#include "laguerre.hpp"

namespace pearlite {

// Of the seeds `candidates` (count,), or of all where it is null, the one of least score at a pixel;
// of several the first. sites (K, d), weights (K,), pixel (d,), shape (d,).
struct ExactCell {
  const double* sites;
  const double* weights;
  const int64_t* shape;
  int dimension;
  Metric metric;
  bool periodic;
};
int32_t exact_label(const ExactCell&, const int64_t* pixel, const int32_t* candidates, int64_t count);

}  // namespace pearlite
