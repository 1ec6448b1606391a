// Tessellations of pixels by weighted seeds: the interface that the bindings call. Everything here
// is plain pointers and sizes; arrays are C-contiguous.
#pragma once
#include <cstdint>

#include "shared/distances.hpp"

namespace pearlite {

// Cells, each of K seeds in the unit cube. Pixel i along an axis of n has its centre at (i + ½) / n.
struct Tessellations {
  const double* sites = nullptr;    // (batch, count, dimension), finite; in [0, 1) if periodic
  const double* weights = nullptr;  // (batch, count), finite
  int64_t batch = 0, count = 0;
  int dimension = 2;                // 2 or 3
  int64_t shape[3] = {1, 1, 1};     // pixels along each axis; of two axes the first entries count
  Metric metric = Metric::power;
  bool periodic = true;             // distances are to the nearest image
};

enum class LabelType { uint8, uint16, int32 };

struct CallOptions {
  int threads = 1;
  bool (*interrupted)(void*) = nullptr;  // polled on the calling thread; true stops the call
  void* context = nullptr;
};

// labels: (batch, *shape), for each pixel the index of the seed of least score, of several the first.
// False if it was interrupted; labels are incomplete then.
bool assign(const Tessellations&, const CallOptions&, LabelType, void* labels);

}  // namespace pearlite
