// The scalars of conjugate gradients on a cell of voxels, all loads at once, and the rule that stops them: that
// of cpp/voxels/conjugate.hpp, which has one load after the other. A warp computes those of a load; its lanes
// are Radau bounds (shared/radau.hpp).
#pragma once
#include "shared/radau.hpp"
#include "voxels.cuh"

namespace pearlite {

// What a solve is asked for. Members of 8 bytes, as the launch packs them.
struct Wanted {
  double rtol, corrector_rtol;
  Size most;     // iterations
  double asked;  // rtol as the caller has it

  __device__ double tolerance() const {
    const double squared = corrector_rtol * corrector_rtol;
    return squared < rtol ? squared : rtol;
  }
};

// Of a load. One that ends takes α p and z with the next turn, and rests then.
enum { resting = 0, going = 1, ending = 2 };

struct Control {
  double rz[load_count], alpha[load_count], beta[load_count];
  double estimate[load_count];  // upper bounds of the diagonal of the effective tensor
  double error[load_count];     // of these, after a last step
  double bound[load_count][radau_bounds];
  double residual;              // of the cell
  int first[load_count];        // of the bounds, that still holds
  int state[load_count];
  int iteration, running, converged;

  __device__ bool any() const { return state[0] != resting || state[1] != resting || state[2] != resting; }
};

// mean: of the conductivities; called by the warp of each load
__device__ static __forceinline__ void begin(Control& c, int load, double mean, const Known& known, double shrink) {
  const int lane = threadIdx.x % warp_threads;
  if (lane < radau_bounds) c.bound[load][lane] = exp2(double(lane)) / (radau_guard * known.spectrum);
  if (lane != 0) return;
  c.estimate[load] = shrink * shrink * mean;
  c.rz[load] = c.alpha[load] = c.beta[load] = c.error[load] = 0;
  c.first[load] = 0;
  c.state[load] = known.weight[load] > 0 ? going : resting;
  if (load != 0) return;
  c.residual = 0;
  c.iteration = c.converged = 0;
  c.running = 1;
}

// With (r, z) of a load that is going: β, the bounds and its error.
__device__ static __forceinline__ void take_rz(Control& c, int load, double rz, const Known& known, double nodes) {
  const int lane = threadIdx.x % warp_threads, first = c.first[load];
  const double beta = c.rz[load] > 0 ? rz / c.rz[load] : 0, alpha = c.alpha[load];
  double g = lane < radau_bounds ? c.bound[load][lane] : 0;
  int now = first;
  if (c.iteration > 0) {
    bool failed = false;
    const double mu = radau_guard * known.spectrum * exp2(-double(lane));
    if (lane >= first && lane < radau_bounds) failed = !radau_step(g, mu, alpha, beta);
    const unsigned int votes = __ballot_sync(whole_warp, failed);
    const int behind = warp_threads - __clz((int)votes);  // the last that failed
    if (votes) now = behind < radau_bounds ? behind : radau_bounds - 1;
  }
  const double factor = __shfl_sync(whole_warp, g, radau_used(now));
  if (lane < radau_bounds) c.bound[load][lane] = g;
  if (lane != 0) return;
  c.first[load] = now;
  c.beta[load] = beta;
  c.rz[load] = rz;
  const double remainder = radau_remainder(now, known.spectrum);
  c.error[load] = rz <= 0 ? 0 : remainder * factor * rz / nodes;  // NaN stays: no convergence
}

// Whether the cell goes on, and which of its loads. Errors of the loads add up, |E| ≤ tr E, and
// tr A ≤ √3 |A|.
__device__ static __forceinline__ void decide(Control& c, const Known& known, const Wanted& wanted) {
  const double tolerance = .577 * wanted.tolerance();
  double error = 0, total = 0;
  bool left = false;
  for (int l = 0; l < load_count; ++l) {
    if (!(known.weight[l] > 0)) continue;
    error += known.weight[l] * c.error[l];
    total += known.weight[l] * c.estimate[l];
    left = left || (c.state[l] == going && !(c.error[l] <= tolerance * c.estimate[l]));
  }
  c.residual = 1.733 * error / total;
  c.converged = error <= tolerance * total || !left;
  c.running = !c.converged && error < 1e300 && c.iteration < int(wanted.most);
  // What is left of a load that is good enough is rounding soon, on which conjugate gradients drift away.
  for (int l = 0; l < load_count; ++l)
    if (c.state[l] == going && (!c.running || c.error[l] <= tolerance * c.estimate[l])) c.state[l] = ending;
}

// With (p, A p): α.
__device__ static __forceinline__ void take_pq(Control& c, int load, double pq, double nodes) {
  if (c.state[load] != going) {
    c.state[load] = resting;
    return;
  }
  c.alpha[load] = pq > 0 ? c.rz[load] / pq : 0;
  c.estimate[load] -= c.alpha[load] * c.rz[load] / nodes;
}

}  // namespace pearlite
