// Pixels of cells as the caller has them, and what is known of each cell before it is solved.
#pragma once
#include "common.cuh"
#include "shared/survey.hpp"

namespace pearlite {

enum { of_float = 0, of_double = 1, of_uint8 = 2, of_uint16 = 3, of_int32 = 4 };

// Members of 8 bytes, as the launch packs them.
struct Pixels {
  const void* values;    // (batch, n0, n1[, 2, 2]), or labels
  const double* phases;  // ([batch,] phase_count[, 2, 2]) or null
  Size type, tensor, phase_count, per_cell;
  Size n0, n1;
  double stretch[2];     // pixel sizes over the largest one
  double shrink[2];      // their inverses

  __device__ __forceinline__ Size size() const { return n0 * n1; }
  __device__ __forceinline__ double anisotropy() const {
    const double product = stretch[0] * stretch[1];
    return 1 / (product * product);
  }
  __device__ __forceinline__ bool square() const { return stretch[0] == stretch[1]; }

  __device__ __forceinline__ int label(Size at) const {
    if (type == of_uint8) return static_cast<const unsigned char*>(values)[at];
    if (type == of_uint16) return static_cast<const unsigned short*>(values)[at];
    return static_cast<const int*>(values)[at];
  }
  // Entry `entry` of a pixel's conductivity, of 1 or 4. Labels must be sound.
  __device__ __forceinline__ double entry(Size cell, Size pixel, int entry) const {
    const Size at = cell * size() + pixel, width = tensor ? 4 : 1;
    if (phases) return phases[((per_cell ? cell * phase_count : 0) + label(at)) * width + entry];
    if (type == of_float) return static_cast<const float*>(values)[at * width + entry];
    return static_cast<const double*>(values)[at * width + entry];
  }
};

// Of each cell, as the kernels that prepare it leave it.
struct Known {
  double unit;       // see Survey
  double scale;      // 1 / unit, exactly
  double cap;        // stands for infinity, or 0
  double spectrum;   // a lower bound
  double rounding;
  double weight[2];  // of the diagonal entries of A* in its norm: squared loads, or 0
  double highest;
  double kind;       // one of the following
};
enum { kind_defective = 0, kind_uniform = 1, kind_irregular = 2, kind_float32 = 3, kind_float64 = 4 };

// A conductivity in the kernels' units.
__device__ static __forceinline__ double scaled(double value, const Known& known) {
  return (known.cap > 0 && value > known.cap ? known.cap : value) * known.scale;
}

}  // namespace pearlite
