// Correctors of cells: conjugate gradients on both loads at once, preconditioned by one multigrid V-cycle,
// a block a cell, from the pixels to the effective tensor. REAL is float or double: the precision of
// conjugate gradients; the V-cycle is always in float. TENSOR: 0 for square scalar pixels, 1 for others.
#include "finest.cuh"

using namespace pearlite;

constexpr int most_threads = 512;

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

struct Solver {
  const Pixels& pixels;
  const Wanted& wanted;
  const Results& results;
  const Hierarchy h;
  const Memory memory;
  Head& head;
  const Known& known;
  const Size cell;
  const int n0, n1;

  __device__ __forceinline__ Finest finest() const { return {n0, n1, memory.couplings, memory.dinv}; }
  template <class Use>
  __device__ __forceinline__ void each_node(const Use& use) const { each(block_team(), n0, n1, use); }

  __device__ __forceinline__ double given(int at) const {
    const Size from = cell * 2 * n0 * n1 + at;
    if (results.wide) return static_cast<const double*>(results.loads)[from];
    return static_cast<const float*>(results.loads)[from];
  }

  // A power of two that brings the given loads to about one.
  __device__ __forceinline__ double normalization() const {
    double largest = 0;
#pragma unroll 1
    for (int k = threadIdx.x; k < 2 * n0 * n1; k += blockDim.x) largest = fmax(largest, fabs(given(k)));
    for (int k = warp_threads / 2; k > 0; k /= 2) largest = fmax(largest, __shfl_xor_sync(whole_warp, largest, k));
    if (threadIdx.x % warp_threads == 0) head.sums[threadIdx.x / warp_threads][0] = largest;
    __syncthreads();
    for (int w = 0; w < int(blockDim.x) / warp_threads; ++w) largest = fmax(largest, head.sums[w][0]);
    __syncthreads();
    return largest > 0 && largest < 1e300 ? exp2(-floor(log2(largest))) : 1;
  }

  __device__ __forceinline__ void prepare(double scale) const {
    each_node([&](int i, int j) { take_pixel(pixels, known, cell, i * n1 + j, memory); });
    __syncthreads();
    const Finest a = finest();
    double sums[4] = {};  // of e·A e and of squared loads
    each_node([&](int i, int j) {
      const Node x = node_at(i, j, n0, n1);
      const int at = x.at();
      Pair<REAL> r = take_node(x, n0 * n1, memory, sums);
      if (results.loads) r = {REAL(scale * given(at)), REAL(scale * given(n0 * n1 + at))};
      sums[2] += double(r.x) * double(r.x);
      sums[3] += double(r.y) * double(r.y);
      memory.r[at] = r;
    });
    __syncthreads();
    each_node([&](int i, int j) {
      take_diagonal(i, j, n0, n1, memory);
      memory.u[i * n1 + j] = memory.p[i * n1 + j] = pair(REAL(0));
    });
    double mean[2] = {sums[0], sums[1]}, square[2] = {sums[2], sums[3]};
    block_sum(mean, head);
    __syncthreads();
    block_sum(square, head);
    if (threadIdx.x < warp_threads)
      begin(head.control, double(n0) * n1, mean, square, known.weight, known.spectrum);
    __syncthreads();
    coarsen(h, 0, a);
#pragma unroll 1
    for (int l = 1; l + 1 < h.count; ++l) coarsen(h, l, h.coarse(h.levels[l]));
    invert_bottom(h, head);
  }

  // r −= α q, z = V r, and what follows from (r, z).
  __device__ __forceinline__ void precondition(bool first) const {
    const Finest a = finest();
    const Level next = h.levels[1];
    const Interpolation p = h.interpolation(0);
    const Pair<REAL> alpha = {REAL(head.control.alpha[0]), REAL(head.control.alpha[1])};
    each_colour<false>(p.axis0, p.axis1, [&](const Node& x, int rank0, int rank1) {
      Pair<REAL> r = memory.r[x.at()];
      if (!first) memory.r[x.at()] = r = r - times(alpha, memory.q[x.at()]);
      memory.z[x.at()] = forward(a, x, rank0, rank1, rounded<float>(r), memory.z);
    });
    Pair<float>* below = h.field(next.r);
    each(block_team(), next.rows, next.cols, [&](int i, int j) {
      below[i * next.cols + j] = restricted(a, p, i, j, memory.z);
    });
    __syncthreads();
    cycle_coarse(h, 1, head);
    const Pair<float>* correction = h.field(next.z);
    each(block_team(), next.rows, next.cols, [&](int i, int j) { prolong(p, i, j, correction, memory.z); });
    __syncthreads();
    double rz[2] = {};
    each_colour<true>(p.axis0, p.axis1, [&](const Node& x, int, int) {
      const Pair<REAL> r = memory.r[x.at()];
      const Pair<float> z = backward(a, x, rounded<float>(r), memory.z);
      memory.z[x.at()] = z;
      rz[0] += double(r.x * REAL(z.x));
      rz[1] += double(r.y * REAL(z.y));
    });
    block_sum(rz, head);
    if (threadIdx.x < warp_threads) take_rz(head.control, rz, wanted);
    __syncthreads();
  }

  // u += αp, p = z + βp, q = A p, and what follows from (p, q).
  __device__ __forceinline__ void advance() const {
    const Control& c = head.control;
    const Finest a = finest();
    const Pair<REAL> alpha = {REAL(c.alpha[0]), REAL(c.alpha[1])}, beta = {REAL(c.beta[0]), REAL(c.beta[1])};
    each_node([&](int i, int j) {
      const int at = i * n1 + j;
      const Pair<REAL> old = memory.p[at];
      memory.u[at] = memory.u[at] + times(alpha, old);
      memory.p[at] = rounded<REAL>(memory.z[at]) + times(beta, old);
    });
    __syncthreads();
    double pq[2] = {};
    each_node([&](int i, int j) {
      const Node x = node_at(i, j, n0, n1);
      const Pair<REAL> q = product(a, x, memory.p), own = memory.p[x.at()];
      memory.q[x.at()] = q;
      pq[0] += double(own.x * q.x);
      pq[1] += double(own.y * q.y);
    });
    block_sum(pq, head);
    if (threadIdx.x < warp_threads) take_pq(head.control, pq);
    __syncthreads();
  }

  // The last step, without a product, and the energies of the result.
  __device__ __forceinline__ void finish(double scale) const {
    const Control& c = head.control;
    const Finest a = finest();
    const Pair<REAL> alpha = {REAL(c.alpha[0]), REAL(c.alpha[1])}, beta = {REAL(c.beta[0]), REAL(c.beta[1])},
                     last = {REAL(c.last[0]), REAL(c.last[1])};
    double total[2] = {};
    each_node([&](int i, int j) {
      const int at = i * n1 + j;
      const Pair<REAL> old = memory.p[at];
      const Pair<REAL> u = memory.u[at] + times(alpha, old) +
                           times(last, rounded<REAL>(memory.z[at]) + times(beta, old));
      memory.u[at] = u;
      total[0] += double(u.x);
      total[1] += double(u.y);
    });
    __syncthreads();
    double sums[3] = {};
    if (!results.loads) {
      // A* grows with the conductivity σ of a conductor towards its limit by σ times its derivative in σ,
      // to first order in 1/σ, and that is the energy inside: it counts twice.
      const double threshold = known.cap > 0 ? .5 * known.cap / known.unit : 0;
      each_node([&](int i, int j) {
        const Node x = node_at(i, j, n0, n1);
        energy(pixels, known, cell, a, x, memory.u, threshold, sums);
      });
    }
    block_sum(sums, head);
    if (threadIdx.x == 0) report(sums);
    __syncthreads();
    if (results.correctors) write(total, scale);
  }

  __device__ __forceinline__ void report(const double* sums) const {
    const Control& c = head.control;
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

  // Correctors of zero mean, in physical units.
  __device__ __forceinline__ void write(double (&total)[2], double scale) const {
    block_sum(total, head);
    if (threadIdx.x == 0) {
      const double largest = fmax(results.spacing[0], results.spacing[1]);
      const double factor = largest * largest / (known.unit * scale);
      for (int l = 0; l < 2; ++l) {
        head.sums[0][l] = total[l] / (double(n0) * n1);
        head.sums[1][l] = results.loads ? factor : results.spacing[l];
      }
    }
    __syncthreads();
    const Size first = cell * 2 * n0 * n1;
#pragma unroll 1
    for (int at = threadIdx.x; at < n0 * n1; at += blockDim.x) {
      const double x = head.sums[1][0] * (double(memory.u[at].x) - head.sums[0][0]);
      const double y = head.sums[1][1] * (double(memory.u[at].y) - head.sums[0][1]);
      if (results.wide) {
        static_cast<double*>(results.correctors)[first + at] = x;
        // NOLINTNEXTLINE(bugprone-implicit-widening-of-multiplication-result): 32 bits hold a cell
        static_cast<double*>(results.correctors)[first + n0 * n1 + at] = y;
      } else {
        static_cast<float*>(results.correctors)[first + at] = float(x);
        // NOLINTNEXTLINE(bugprone-implicit-widening-of-multiplication-result): 32 bits hold a cell
        static_cast<float*>(results.correctors)[first + n0 * n1 + at] = float(y);
      }
    }
    __syncthreads();
  }

  __device__ __forceinline__ void solve() const {
    const double scale = results.loads ? normalization() : 1;
    prepare(scale);
    precondition(true);
#pragma unroll 1
    while (head.control.running) {
      advance();
      precondition(false);
    }
    finish(scale);
  }
};

// Cells `members`, which blocks take one after the other: `next` (1,) counts them. A cell's memory is in
// shared memory, or it is the block's part of `workspace`, of so many bytes.
extern "C" __global__ void __launch_bounds__(most_threads, 1)
    solve(Pixels pixels, Wanted wanted, Results results, const Level* levels, int level_count,
          const Known* known, const Size* members, int count, int* next, unsigned char* workspace, Size bytes) {
  PEARLITE_SHARED(unsigned char, shared);
  Head& head = *reinterpret_cast<Head*>(shared);
  unsigned char* base = workspace ? workspace + blockIdx.x * bytes : shared + (sizeof(Head) + 15) / 16 * 16;
  for (;;) {
    if (threadIdx.x == 0) head.member = atomicAdd(next, 1);
    __syncthreads();
    const int member = head.member;
    if (member >= count) return;
    const Size cell = members[member];
    const Memory memory(base, int(pixels.size()));
    const Solver solver = {pixels, wanted, results, {levels, level_count, memory.coarse}, memory, head,
                           known[cell], cell, int(pixels.n0), int(pixels.n1)};
    solver.solve();
    __syncthreads();
  }
}
