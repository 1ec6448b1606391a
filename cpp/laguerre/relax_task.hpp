// What the driver hands to the compiled kernels of `relax`: a block of pixels of one cell.
#pragma once
#include <cstdint>

#include "dispatch.hpp"

namespace pearlite {

struct RelaxTask {
  int dim = 2;
  int64_t shape[3] = {};            // of the cell
  int64_t lower[3] = {}, upper[3] = {};  // the block's pixels, by axis
  int64_t seeds = 0;
  bool additive = false, periodic = true;
  const double* sites = nullptr;    // (seeds, dim)
  const double* weights = nullptr;  // (seeds,)
  const double* values = nullptr;   // (seeds,)
  double epsilon = 1;
  void* field = nullptr;            // (*shape), float or double, or null
  const void* cotangent = nullptr;  // (*shape) or null

  // With a cotangent: the seeds that the block meets, and for each the sums over its pixels, with
  // u_k = -s_k/ε + const and q_k = g p_k (v_k - A), of
  //   g p_k,  q_k,  and along each axis q_k δ (power) or q_k δ / |δ| (additive), δ = x - c_k;
  // and the sum of q_k u_k over all of them.
  int32_t* met = nullptr;           // (seeds,)
  double* sums = nullptr;           // (seeds, 2 + dim)
  int64_t met_count = 0;
  double spread = 0;
};

struct RelaxKernels {
  int64_t (*workspace)(int dim, int64_t seeds);  // bytes
  void (*relax32)(RelaxTask&, void* workspace);  // workspace: 64-byte aligned
  void (*relax64)(RelaxTask&, void* workspace);
};

PEARLITE_DECLARE_KERNELS(RelaxKernels, relax_kernels)

}  // namespace pearlite
