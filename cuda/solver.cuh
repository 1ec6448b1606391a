// The scalars of conjugate gradients on one cell, and the rule that stops them; as cpp/corrector/stopping.hpp
// has them for several cells. A warp computes them: its lanes are Radau bounds (shared/radau.hpp).
#pragma once
#include "common.cuh"
#include "multigrid.cuh"
#include "shared/radau.hpp"

namespace pearlite {

// What a solve is asked for. Members of 8 bytes, as the launch packs them.
struct Wanted {
  double rtol, corrector_rtol;
  Size most;   // iterations
  Size loads;  // whether they are given; then rtol does not count
  double asked;  // rtol as the caller has it

  __device__ double tolerance() const {
    const double squared = corrector_rtol * corrector_rtol;
    return loads || squared < rtol ? squared : rtol;
  }
};

struct Control {
  double pixels;
  double loading[2];   // mean squared load of a node
  double estimate[2];  // upper bounds of the diagonal of the effective tensor
  double rz[2], alpha[2], beta[2], last[2];
  double drop[2];      // of the energy, since the start
  double share[2];     // of each load in the cell's error
  double weight[2];
  double error, spectrum;
  double bound[2][radau_bounds];
  int first[2];        // of the bounds, that still holds
  int resting[2];      // loads whose error no longer counts
  int iteration, running, converged, count;
};

// Of both loads: sums over the pixels of e·A e, and over the nodes of squared loads.
__device__ static void begin(Control& c, double pixels, const double* mean, const double* loading,
                             const double* weight, double spectrum) {
  const int lane = threadIdx.x % warp_threads;
#pragma unroll
  for (int l = 0; l < 2; ++l) {
    if (lane < radau_bounds) c.bound[l][lane] = exp2(double(lane)) / spectrum;
    if (lane != l) continue;
    c.loading[l] = loading[l] / pixels;
    c.estimate[l] = mean[l] / pixels;
    c.weight[l] = weight[l];
    c.rz[l] = c.alpha[l] = c.beta[l] = c.last[l] = c.drop[l] = c.share[l] = 0;
    c.first[l] = c.resting[l] = 0;
  }
  if (lane == 0) {
    c.pixels = pixels;
    c.spectrum = spectrum;
    c.error = 0;
    c.iteration = c.converged = c.count = 0;
    c.running = 1;
  }
  __syncwarp();
}

// The squared energy norm of a load's error after a last step, over the number of pixels.
__device__ static __forceinline__ double energy_error(const Control& c, int l) {
  const double rest = c.bound[l][radau_used(c.first[l])] - 1;
  return c.rz[l] / c.pixels * (rest > radau_least ? rest : radau_least);
}

// The error of A* after a last step, |E| ≤ tr E, over its norm; of given loads the worst error of a
// solution, squared, over its energy.
__device__ static __forceinline__ double relative_error(Control& c, bool loads) {
  double norm = 0;
  for (int l = 0; l < 2; ++l) norm += c.weight[l] * c.estimate[l] * (c.weight[l] * c.estimate[l]);
#pragma unroll
  for (int l = 0; l < 2; ++l) {
    if (c.resting[l]) continue;  // what it is short of does not change any more
    const double energy = energy_error(c, l), error = c.weight[l] * energy;
    if (loads) c.share[l] = c.rz[l] > 0 ? energy / (c.drop[l] + 1e-100) : 0;
    else c.share[l] = error > 0 ? error / sqrt(norm) : 0;
  }
  if (loads) return c.share[0] > c.share[1] ? c.share[0] : c.share[1];
  return c.share[0] + c.share[1];
}

__device__ static __forceinline__ bool vanished(const Control& c) {
#pragma unroll
  for (int l = 0; l < 2; ++l)
    if (c.iteration == 0 && !(c.rz[l] > 0) && c.loading[l] > 1e-20 * c.estimate[l] * c.estimate[l]) return true;
  return false;
}

__device__ static __forceinline__ void decide(Control& c, const Wanted& wanted) {
  const double tolerance = wanted.tolerance();
  c.error = relative_error(c, wanted.loads != 0);
  c.count = c.iteration + 1;
  const bool sound = c.error >= 0 && c.error < 1e300 && !vanished(c);  // else rounding has won
  c.converged = sound && c.error <= tolerance;
  c.running = sound && !c.converged && c.iteration + 1 < int(wanted.most);
#pragma unroll
  for (int l = 0; l < 2; ++l) {
    // A load whose error no longer counts must not go on: all that is left of it is rounding, and
    // conjugate gradients on rounding drift away.
    if (c.resting[l] || (c.running && c.share[l] > 1e-3 * tolerance)) continue;
    c.last[l] = c.rz[l] > 0 ? 1 : 0;
    if (c.running) c.resting[l] = 1;
  }
}

// With (r, z) of this iteration: β, the bounds, and whether to go on.
__device__ static void take_rz(Control& c, const double* rz, const Wanted& wanted) {
  const int lane = threadIdx.x % warp_threads;
  double beta[2];
#pragma unroll
  for (int l = 0; l < 2; ++l) {
    const bool running = c.running && !c.resting[l];
    beta[l] = running && c.rz[l] > 0 ? rz[l] / c.rz[l] : 0;
    if (c.iteration == 0 || !running) continue;
    const int first = c.first[l];
    bool failed = false;
    if (lane >= first && lane < radau_bounds) {
      double g = c.bound[l][lane];
      failed = !radau_step(g, c.spectrum * exp2(-double(lane)), c.alpha[l], beta[l]);
      c.bound[l][lane] = g;
    }
    const unsigned int votes = __ballot_sync(whole_warp, failed);
    const int next = warp_threads - __clz((int)votes);  // behind the last that failed
    if (votes && lane == 0) c.first[l] = next < radau_bounds ? next : radau_bounds - 1;
  }
  __syncwarp();
  if (lane == 0) {
  #pragma unroll
  for (int l = 0; l < 2; ++l) {
      c.beta[l] = beta[l];
      c.rz[l] = rz[l];
    }
    decide(c, wanted);
  }
  __syncwarp();
}

// With (p, A p): α.
__device__ static void take_pq(Control& c, const double* pq) {
  if (threadIdx.x % warp_threads != 0) return;
#pragma unroll
  for (int l = 0; l < 2; ++l) {
    if (c.running && !c.resting[l]) {
      c.alpha[l] = pq[l] > 0 ? c.rz[l] / pq[l] : 0;
      c.estimate[l] -= c.alpha[l] * c.rz[l] / c.pixels;
      c.drop[l] += c.alpha[l] * c.rz[l] / c.pixels;
    } else {
      // A load that has just stopped takes its last step with the other's next product.
      c.alpha[l] = c.last[l];
      c.last[l] = 0;
    }
  }
  ++c.iteration;
}

}  // namespace pearlite
