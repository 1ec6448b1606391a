// Correctors of cells: conjugate gradients on both loads at once, preconditioned by one multigrid V-cycle,
// a block a cell, from the pixels to the effective tensor. REAL is float or double: the precision of
// conjugate gradients; the V-cycle is always in float. TENSOR: 0 for square scalar pixels, 1 for others.
#include "results.cuh"

using namespace pearlite;

constexpr int most_threads = 512;

struct Solver {
  const Work work;
  const Hierarchy h;
  const Memory memory;
  Head& head;

  __device__ __forceinline__ Finest finest() const { return {work.n0, work.n1, memory.couplings, memory.dinv}; }
  template <class Use>
  __device__ __forceinline__ void each_node(const Use& use) const { each(block_team(), work.n0, work.n1, use); }

  __device__ __forceinline__ double scale_of_loads() const {
    if (!work.results.loads) return 1;
    double largest = work.largest_given(block_team());
    if (threadIdx.x % warp_threads == 0) head.sums[threadIdx.x / warp_threads][0] = largest;
    __syncthreads();
    for (int w = 0; w < int(blockDim.x) / warp_threads; ++w) largest = fmax(largest, head.sums[w][0]);
    __syncthreads();
    return normalization(largest);
  }

  __device__ __forceinline__ void prepare(double scale) const {
    const int n0 = work.n0, n1 = work.n1;
    each_node([&](int i, int j) { take_pixel(work.pixels, work.known, work.cell, i * n1 + j, memory); });
    __syncthreads();
    const Finest a = finest();
    double sums[4] = {};
    each_node([&](int i, int j) { work.begin_node(memory, i, j, scale, sums); });
    __syncthreads();
    each_node([&](int i, int j) {
      take_diagonal(i, j, n0, n1, memory);
      memory.u[i * n1 + j] = memory.p[i * n1 + j] = pair(REAL(0));
    });
    double mean[2] = {sums[0], sums[1]}, square[2] = {sums[2], sums[3]};
    block_sum(mean, head.sums);
    __syncthreads();
    block_sum(square, head.sums);
    if (threadIdx.x < warp_threads)
      begin(head.control, double(n0) * n1, mean, square, work.known.weight, work.known.spectrum);
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
    const Pair<REAL> alpha = pair_of(head.control.alpha);
    each_colour<false>(p.axis0, p.axis1, [&](const Node& x, int rank0, int rank1) {
      Pair<REAL> r = memory.r[x.at()];
      if (!first) memory.r[x.at()] = r = r - times(alpha, memory.q[x.at()]);
      memory.z[x.at()] = forward(a, x, x, rank0, rank1, rounded<float>(r), memory.z);
    });
    Pair<float>* below = h.field(next.r);
    each(block_team(), next.rows, next.cols, [&](int i, int j) {
      below[i * next.cols + j] = restricted(a, p, i, j, Whole{memory.z});
    });
    __syncthreads();
    cycle_coarse(h, 1, head.inverse);
    const Pair<float>* correction = h.field(next.z);
    each(block_team(), next.rows, next.cols, [&](int i, int j) {
      prolong(p, i, j, correction, memory.z, p.fine(i, j), work.n1);
    });
    __syncthreads();
    double rz[2] = {};
    each_colour<true>(p.axis0, p.axis1, [&](const Node& x, int, int) {
      const Pair<REAL> r = memory.r[x.at()];
      const Pair<float> z = backward(a, x, x, rounded<float>(r), memory.z);
      memory.z[x.at()] = z;
      add_products(r, rounded<REAL>(z), rz);
    });
    block_sum(rz, head.sums);
    if (threadIdx.x < warp_threads) take_rz(head.control, rz, work.wanted);
    __syncthreads();
  }

  // u += αp, p = z + βp, q = A p, and what follows from (p, q).
  __device__ __forceinline__ void advance() const {
    const Control& c = head.control;
    const Finest a = finest();
    const Pair<REAL> alpha = pair_of(c.alpha), beta = pair_of(c.beta);
    each_node([&](int i, int j) {
      const int at = i * work.n1 + j;
      const Pair<REAL> old = memory.p[at];
      memory.u[at] = memory.u[at] + times(alpha, old);
      memory.p[at] = direction(memory.z[at], beta, old);
    });
    __syncthreads();
    double pq[2] = {};
    each_node([&](int i, int j) {
      const Node x = node_at(i, j, work.n0, work.n1);
      const Pair<REAL> q = product(a, x, x, memory.p);
      memory.q[x.at()] = q;
      add_products(memory.p[x.at()], q, pq);
    });
    block_sum(pq, head.sums);
    if (threadIdx.x < warp_threads) take_pq(head.control, pq);
    __syncthreads();
  }

  // The last step, and the energies of the result.
  __device__ __forceinline__ void finish(double scale) const {
    const Finest a = finest();
    double total[2] = {}, sums[3] = {};
    each_node([&](int i, int j) { work.end_node(memory, head.control, i * work.n1 + j, total); });
    __syncthreads();
    if (!work.results.loads) each_node([&](int i, int j) { work.add_energy(memory, a, i, j, sums); });
    block_sum(sums, head.sums);
    if (threadIdx.x == 0) work.report(head.control, sums);
    __syncthreads();
    if (!work.results.correctors) return;
    block_sum(total, head.sums);
    if (threadIdx.x == 0) head.physical = work.physical(total, scale);
    __syncthreads();
    each_node([&](int i, int j) { work.write(head.physical, i * work.n1 + j, memory.u[i * work.n1 + j]); });
    __syncthreads();
  }

  __device__ __forceinline__ void solve() const {
    const double scale = scale_of_loads();
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
    const Work work = {pixels, wanted, results, known[cell], cell, int(pixels.n[0]), int(pixels.n[1])};
    const Solver solver = {work, {levels, level_count, memory.coarse}, memory, head};
    solver.solve();
    __syncthreads();
  }
}
