// What a solve takes of one cell of a batch but its pixels, and what it leaves.
#pragma once
#include "finest.cuh"

namespace pearlite {

// Where results go. Members of 8 bytes, as the launch packs them; the first axis of arrays is the batch.
struct Results {
  double* effective;           // (batch, 4)
  double* residual;            // (batch): estimated relative error
  int* iterations;             // (batch)
  unsigned char* converged;    // (batch)
  void* correctors;            // (batch, 2, n0, n1) or null
  const void* loads;           // like correctors, or null for unit mean gradients
  Size wide;                   // whether correctors and loads are float64
  double spacing[2];
};

// A power of two that brings loads, the largest of which is given, to about one.
__device__ static __forceinline__ double normalization(double largest) {
  return largest > 0 && largest < 1e300 ? exp2(-floor(log2(largest))) : 1;
}

struct Work {
  const Pixels& pixels;
  const Wanted& wanted;
  const Results& results;
  const Known& known;
  const Size cell;
  const int n0, n1;

  __device__ __forceinline__ int size() const { return n0 * n1; }

  // Loads that are given.
  __device__ __forceinline__ double given(int at) const {
    const Size from = cell * 2 * size() + at;
    if (results.wide) return static_cast<const double*>(results.loads)[from];
    return static_cast<const float*>(results.loads)[from];
  }
  // Their largest, of those that are the team's.
  __device__ __forceinline__ double largest_given(const Team& team) const {
    double largest = 0;
#pragma unroll 1
    for (int k = team.rank; k < 2 * size(); k += team.size) largest = fmax(largest, fabs(given(k)));
    for (int k = warp_threads / 2; k > 0; k /= 2) largest = fmax(largest, __shfl_xor_sync(whole_warp, largest, k));
    return largest;
  }

  // The couplings and the first residual of a node, with `sums` of e·A e and of squared loads.
  __device__ __forceinline__ void begin_node(const Memory& memory, int i, int j, double scale, double* sums) const {
    const Node x = node_at(i, j, n0, n1);
    const int at = x.at();
    Pair<REAL> r = take_node(x, size(), memory, sums);
    if (results.loads) r = {REAL(scale * given(at)), REAL(scale * given(size() + at))};
    add_products(rounded<double>(r), rounded<double>(r), sums + 2);
    memory.r[at] = r;
  }

  // The last step, without a product, added to the sums of the solution.
  __device__ __forceinline__ void end_node(const Memory& memory, const Control& c, int at, double* total) const {
    const Pair<REAL> alpha = pair_of(c.alpha), beta = pair_of(c.beta), last = pair_of(c.last), old = memory.p[at];
    const Pair<REAL> u = memory.u[at] + times(alpha, old) + times(last, direction(memory.z[at], beta, old));
    memory.u[at] = u;
    total[0] += double(u.x);
    total[1] += double(u.y);
  }

  __device__ __forceinline__ void add_energy(const Memory& memory, const Finest& a, int i, int j, double* sums) const {
    // A* grows with the conductivity σ of a conductor towards its limit by σ times its derivative in σ,
    // to first order in 1/σ, and that is the energy inside: it counts twice.
    const double threshold = known.cap > 0 ? .5 * known.cap / known.unit : 0;
    energy(pixels, known, cell, a, node_at(i, j, n0, n1), memory.u, threshold, sums);
  }

  __device__ __forceinline__ void report(const Control& c, const double* sums) const {
    const double s0 = pixels.stretch[0], s1 = pixels.stretch[1], unit = known.unit / c.pixels;
    results.iterations[cell] = c.count;
    const double error = wanted.loads ? sqrt(c.error) : c.error;
    const bool lost = known.rounding > wanted.asked;  // to rounding
    results.residual[cell] = lost ? fmax(error, known.rounding) : error;
    results.converged[cell] = c.converged && !lost ? 1 : 0;
    if (results.loads) return;
    double* a = results.effective + 4 * cell;
    a[0] = unit * s0 * s0 * sums[0];
    a[3] = unit * s1 * s1 * sums[1];
    a[1] = a[2] = unit * s0 * s1 * sums[2];
  }

  // Of the sums over the nodes of a solution of loads that were scaled.
  __device__ __forceinline__ Physical physical(const double* total, double scale) const {
    const double largest = fmax(results.spacing[0], results.spacing[1]);
    const double factor = largest * largest / (known.unit * scale);
    Physical to;
    for (int l = 0; l < 2; ++l) {
      to.mean[l] = total[l] / (double(n0) * n1);
      to.factor[l] = results.loads ? factor : results.spacing[l];
    }
    return to;
  }
  __device__ __forceinline__ void write(const Physical& to, int at, const Pair<REAL>& u) const {
    const Size first = cell * 2 * size() + at;
    put(first, to.factor[0] * (double(u.x) - to.mean[0]));
    put(first + size(), to.factor[1] * (double(u.y) - to.mean[1]));
  }

 private:
  __device__ __forceinline__ void put(Size at, double value) const {
    if (results.wide) static_cast<double*>(results.correctors)[at] = value;
    else static_cast<float*>(results.correctors)[at] = float(value);
  }
};

}  // namespace pearlite
