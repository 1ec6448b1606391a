#include "laguerre/exact.hpp"

#include <cmath>

namespace pearlite {

// Compiled without fused multiplications (see CMakeLists.txt), so that scores are those of the same
// formula anywhere else, to the last bit, and ties are the same ties.
int32_t exact_label(const ExactCell& cell, const int64_t* pixel, const int32_t* candidates, int64_t count) {
  const int dimension = cell.dimension;
  double x[3];
  for (int a = 0; a < dimension; ++a) x[a] = pixel_centre(pixel[a], cell.shape[a]);
  double best = INFINITY;
  int32_t label = 0;
  for (int64_t n = 0; n < count; ++n) {
    const int32_t k = candidates ? candidates[n] : static_cast<int32_t>(n);
    double sum = 0;
    for (int a = 0; a < dimension; ++a) {
      const double d = axis_distance(x[a], cell.sites[k * int64_t{dimension} + a], cell.periodic);
      sum += d * d;
    }
    const double score = (cell.metric == Metric::power ? sum : std::sqrt(sum)) - cell.weights[k];
    if (score < best || (score == best && k < label)) {
      best = score;
      label = k;
    }
  }
  return label;
}

}  // namespace pearlite
