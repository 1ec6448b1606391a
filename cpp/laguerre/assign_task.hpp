// What the driver hands to the compiled kernels: a region of one cell to label.
#pragma once
#include <cstdint>

#include "dispatch.hpp"
#include "laguerre/exact.hpp"

namespace pearlite {

// Seeds of one cell, axis by axis, in double; arrays are padded to a multiple of 8.
struct SeedArrays {
  const double* x[3] = {};   // (count,) sites; padding 0
  const double* w = nullptr; // (count,) weights; padding −infinity
  int64_t count = 0;
  double reach = 0;          // bounds distances between a site (or an image in use) and a point
  double heaviest = 0;       // bounds |w|
};

struct AssignTask {
  static constexpr int most_levels = 32;

  SeedArrays seeds;
  ExactCell exact{};
  LabelType type = LabelType::int32;
  void* labels = nullptr;    // (*shape) of the cell
  int64_t begin[3] = {}, count[3] = {};  // pixels of the region
  // Sides of the tiles of each level, in pixels; the region is cut into those of level 0. Those of
  // the last level are the leaves: at most 16 pixels along the last axis.
  int64_t extent[most_levels][3] = {};
  int levels = 0;
};

struct AssignKernels {
  // Labels the region. memory: of `capacity` bytes, aligned to 64. Returns 0, or how many bytes it
  // would take where those were too few.
  int64_t (*assign)(const AssignTask&, char* memory, int64_t capacity);
};

PEARLITE_DECLARE_KERNELS(AssignKernels, assign_kernels)

}  // namespace pearlite
