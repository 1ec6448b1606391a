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
  const double* sites = nullptr;    // (dim, padded), see `padded_seeds`
  const double* weights = nullptr;  // (padded,), past the seeds −infinity; both aligned
  double heaviest = 0, reach = 0;   // bounds of |w|, and of distances between a site's image and a pixel
  const double* values = nullptr;   // (seeds,)
  double epsilon = 1;
  void* field = nullptr;            // (*shape), float or double, or null
  const void* cotangent = nullptr;  // (*shape) or null

  // With a cotangent: the seeds that the block meets, and for each the sums over its pixels, with
  // u_k = -s_k/ε + const and q_k = g p_k (v_k - A), of
  //   g p_k,  q_k,  and along each axis q_k δ (power) or q_k δ / |δ| (additive), δ = x - c_k;
  // and the sum of q_k u_k over all of them.
  int32_t* met = nullptr;           // (seeds + 1,)
  double* sums = nullptr;           // (seeds, 2 + dim)
  int64_t met_count = 0;
  int32_t* slot = nullptr;          // (seeds,) scratch: of each seed that is met, its place in `met`
  int32_t* stamp = nullptr;         // (seeds + 1,) scratch, zero before the first block of a worker
  // Candidates there is room for in the workspace; where the block has more of them, `needed` says so
  // and nothing is done.
  int64_t capacity = 0, needed = 0;
  double spread = 0;
};

// The length of arrays of seeds that are read in vectors.
constexpr int64_t padded_seeds(int64_t seeds) { return (seeds + 7) / 8 * 8; }

struct RelaxKernels {
  int64_t (*workspace)(int dim, int64_t capacity);  // bytes
  void (*relax32)(RelaxTask&, void* workspace);  // workspace: 64-byte aligned
  void (*relax64)(RelaxTask&, void* workspace);
};

PEARLITE_DECLARE_KERNELS(RelaxKernels, relax_kernels)

}  // namespace pearlite
