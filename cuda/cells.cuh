// Pixels of cells as the caller has them, or voxels where DIM is 3, and what is known of each cell before it
// is solved.
#pragma once
#include "common.cuh"
#include "shared/survey.hpp"

#if !defined(DIM)
#define DIM 2
#endif

namespace pearlite {

enum { of_float = 0, of_double = 1, of_uint8 = 2, of_uint16 = 3, of_int32 = 4 };

// Members of 8 bytes, as the launch packs them.
struct Pixels {
  const void* values;    // (batch, *n[, DIM, DIM]), or labels
  const double* phases;  // ([batch,] phase_count[, DIM, DIM]) or null
  Size type, tensor, phase_count, per_cell;
  Size n[DIM];
  double stretch[DIM];   // pixel sizes over the largest one
  double shrink[DIM];    // their inverses

  __device__ __forceinline__ Size size() const {
    Size all = 1;
    for (int d = 0; d < DIM; ++d) all *= n[d];
    return all;
  }
  __device__ __forceinline__ double anisotropy() const {
    double product = 1;
    for (int d = 0; d < DIM; ++d) product *= stretch[d];
    return 1 / (product * product);
  }

  __device__ __forceinline__ int label(Size at) const {
    if (type == of_uint8) return static_cast<const unsigned char*>(values)[at];
    if (type == of_uint16) return static_cast<const unsigned short*>(values)[at];
    return static_cast<const int*>(values)[at];
  }
  // Entry `entry` of a pixel's conductivity, of 1 or DIM². Labels must be sound.
  __device__ __forceinline__ double entry(Size cell, Size pixel, int entry) const {
    const Size at = cell * size() + pixel, width = tensor ? DIM * DIM : 1;
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
  double weight[DIM];  // of the diagonal entries of A* in its norm: squared loads, or 0
  double highest;
  double kind;         // one of the following
  double steps;        // of the smoother, of tensors in three dimensions
};
enum { kind_defective = 0, kind_uniform = 1, kind_irregular = 2, kind_float32 = 3, kind_float64 = 4 };

// A conductivity in the kernels' units.
__device__ static __forceinline__ double scaled(double value, const Known& known) {
  return (known.cap > 0 && value > known.cap ? known.cap : value) * known.scale;
}

}  // namespace pearlite
