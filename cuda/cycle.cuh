// What a block of threads does with one cell: the hierarchy of its grids, and V-cycles over them. The
// memory of a cell lies in shared memory or, where it does not fit, in global memory.
#pragma once
#include "cells.cuh"
#include "multigrid.cuh"
#include "solver.cuh"

namespace pearlite {

#if TENSOR
using Finest = StencilOperator<REAL>;
constexpr int finest_pieces = 4;
#else
using Finest = PixelOperator<REAL>;
constexpr int finest_pieces = 1;
#endif
using Coarse = StencilOperator<float>;

// A grid, as the launch describes it. Places count floats in the memory of the coarse grids.
struct Level {
  int rows, cols;
  int gap0, gap1;  // of the points that the next grid has
  int weights;     // (2, next grid): from there to here
  int stencil;     // (5, grid), not of the finest one: to E, N, NE, NW, and the inverse diagonal
  int r, z;        // (grid, 2), not of the finest one
  int up;          // where z goes on the way up: the same place, but where several blocks share a cell
};

// Fields of the finest grid, each (n0, n1), and the memory of the coarser ones.
struct Memory {
  Pair<REAL>*u, *r, *p, *q;  // q and z share their place in single precision: at each node one is used up
  Pair<float>* z;            // before the other is written
  REAL* couplings;           // (finest_pieces, n0, n1)
  float* dinv;
  float* coarse;

  Memory() = default;
  // Handed out in order of alignment; `memory_bytes` of _corrector_launch.py adds the same sizes up.
  __device__ __forceinline__ Memory(unsigned char* base, int size) {
    u = reinterpret_cast<Pair<REAL>*>(base);
    r = u + size;
    p = r + size;
    q = p + size;
    z = reinterpret_cast<Pair<float>*>(q);
    if (sizeof(REAL) == 8) z = reinterpret_cast<Pair<float>*>(q + size);
    couplings = reinterpret_cast<REAL*>(z + size);
    // NOLINTNEXTLINE(bugprone-implicit-widening-of-multiplication-result): 32 bits hold a cell
    dinv = reinterpret_cast<float*>(couplings + finest_pieces * (size + size % 2));
    coarse = dinv + (size + size % 2);
  }
};

// From a solution of some mean to correctors of zero mean, in physical units.
struct Physical {
  double mean[2], factor[2];
};

constexpr int bottom_nodes = widest_bottom * widest_bottom;

// What a block keeps in shared memory, whatever the cell.
struct Head {
  Control control;
  double sums[32][3];
  double matrix[bottom_nodes * bottom_nodes];
  float inverse[bottom_nodes * bottom_nodes];
  Physical physical;
  int member;
};

// Sums over the block, known to all lanes of its first warp; parts: shared memory. Deterministic.
template <int N>
__device__ static __forceinline__ void block_sum(double (&value)[N], double (*parts)[3]) {
  const int lane = threadIdx.x % warp_threads, warp = threadIdx.x / warp_threads;
#pragma unroll
  for (int k = warp_threads / 2; k > 0; k /= 2)
#pragma unroll
    for (int n = 0; n < N; ++n) value[n] += __shfl_xor_sync(whole_warp, value[n], k);
  if (lane == 0)
    for (int n = 0; n < N; ++n) parts[warp][n] = value[n];
  __syncthreads();
  if (warp != 0) return;
#pragma unroll
  for (int n = 0; n < N; ++n) {
    value[n] = lane < int(blockDim.x) / warp_threads ? parts[lane][n] : 0;
#pragma unroll
    for (int k = warp_threads / 2; k > 0; k /= 2) value[n] += __shfl_xor_sync(whole_warp, value[n], k);
  }
}

__device__ static __forceinline__ Team block_team() { return {int(threadIdx.x), int(blockDim.x)}; }

struct Hierarchy {
  const Level* levels;
  int count;
  float* memory;

  __device__ __forceinline__ Coarse coarse(const Level& g) const {
    // NOLINTNEXTLINE(bugprone-implicit-widening-of-multiplication-result): 32 bits hold a cell
    return {g.rows, g.cols, memory + g.stencil, memory + g.stencil + 4 * g.rows * g.cols};
  }
  __device__ __forceinline__ Pair<float>* field(int place) const {
    return reinterpret_cast<Pair<float>*>(memory + place);
  }
  // To level l from the next.
  __device__ __forceinline__ Interpolation interpolation(int l) const {
    const Level &g = levels[l], &next = levels[l + 1];
    return {{g.rows, {next.rows, g.gap0}}, {g.cols, {next.cols, g.gap1}}, memory + g.weights};
  }
};

// Calls use(node, rank0, rank1) for all nodes, colour by colour, with a barrier behind each.
template <bool UP, class Use>
__device__ static __forceinline__ void each_colour(const Axis& axis0, const Axis& axis1, const Use& use) {
  const Team team = block_team();
#pragma unroll 1
  for (int turn = 0; turn < 9; ++turn) {
    const int colour = UP ? 8 - turn : turn, rank0 = colour / 3, rank1 = colour % 3;
    const int m = axis0.points(rank0), n = axis1.points(rank1);
    if (m == 0 || n == 0) continue;
    each(team, m, n, [&](int a, int b) {
      use(node_at(axis0.place(rank0, a), axis1.place(rank1, b), axis0.size, axis1.size), rank0, rank1);
    });
    __syncthreads();
  }
}

// The next grid, in four passes.
template <class Operator>
__device__ static __forceinline__ void coarsen_pass(const Hierarchy& h, int l, const Operator& a, int pass,
                                                    const Team& team) {
  const Level next = h.levels[l + 1];
  const Interpolation p = h.interpolation(l);
  float *weights = h.memory + h.levels[l].weights, *stencil = h.memory + next.stencil;
  Pair<float>* rest = h.field(next.r);
  each(team, next.rows, next.cols, [&](int i, int j) {
    if (pass == 0) edge_weights(a, p, i, j, weights);
    else if (pass == 1) coarse_cell(a, p, i, j, stencil, rest);
    else if (pass == 2) gathered(i, j, next.rows, next.cols, stencil, rest);
    // NOLINTNEXTLINE(bugprone-implicit-widening-of-multiplication-result): 32 bits hold a cell
    else finished(i, j, next.rows, next.cols, stencil, stencil + 4 * next.rows * next.cols);
  });
}

template <class Operator>
__device__ static __forceinline__ void coarsen(const Hierarchy& h, int l, const Operator& a) {
#pragma unroll
  for (int pass = 0; pass < 4; ++pass) {
    coarsen_pass(h, l, a, pass, block_team());
    __syncthreads();
  }
}

// The last grid's inverse, regularized along the constants: Gauss-Jordan without exchanges, an entry a
// thread. The matrix is positive definite, but for voids and parts that float in them, whose pivots
// vanish; their rows and columns become zero, which leaves a generalized inverse.
__device__ static __forceinline__ void invert_bottom(const Hierarchy& h, Head& head) {
  const Level g = h.levels[h.count - 1];
  const Coarse a = h.coarse(g);
  const int n = g.rows * g.cols, x = int(threadIdx.x) / n, y = int(threadIdx.x) % n;
  const bool mine = int(threadIdx.x) < n * n;
  double* const matrix = head.matrix;
  double trace = 0;
  if (n == 1) return;
  if (int(threadIdx.x) < n) {  // a row a thread
    // NOLINTNEXTLINE(bugprone-implicit-widening-of-multiplication-result): 32 bits hold a cell
    double* row = matrix + threadIdx.x * n;
#pragma unroll 1
    for (int k = 0; k < n; ++k) row[k] = 0;
    const Node at = node_at(y / g.cols, y % g.cols, g.rows, g.cols);
    const auto add = [&](int piece, int from, int other) {
      if (other == y) return;
      const double c = a.coupling(piece, from);
      row[y] += c;
      row[other] -= c;
    };
    add(0, at.at(), at.here + at.e);
    add(0, at.here + at.w, at.here + at.w);
    add(1, at.at(), at.north + at.j);
    add(1, at.south + at.j, at.south + at.j);
    add(2, at.at(), at.north + at.e);
    add(2, at.south + at.w, at.south + at.w);
    add(3, at.at(), at.north + at.w);
    add(3, at.south + at.e, at.south + at.e);
  }
  __syncthreads();
#pragma unroll 1
  for (int k = 0; k < n; ++k) trace += matrix[k * n + k];
  const double smallest = 1e-13 * trace;
  double own = mine ? matrix[threadIdx.x] + trace / (double(n) * n) : 0;
#pragma unroll 1
  for (int k = 0; k < n; ++k) {
    __syncthreads();
    if (mine) matrix[threadIdx.x] = own;
    __syncthreads();
    if (!mine) continue;
    const double diagonal = matrix[k * n + k], pivot = diagonal > smallest ? 1 / diagonal : 0;
    const double above = (y == k ? 1 : matrix[k * n + y]) * pivot;
    own = x == k ? above : (y == k ? 0 : own) - matrix[x * n + k] * above;
  }
  if (mine) head.inverse[threadIdx.x] = float(own);
  __syncthreads();
}

__device__ static __forceinline__ void solve_bottom(const Hierarchy& h, const float* inverse) {
  const Level g = h.levels[h.count - 1];
  const int n = g.rows * g.cols, x = threadIdx.x;
  const Pair<float>* r = h.field(g.r);
  if (x < n) {
    Pair<float> mean = pair(0.f), sum = mean;
#pragma unroll 1
    for (int y = 0; y < n; ++y) mean = mean + r[y];
    mean = (1.f / float(n)) * mean;
#pragma unroll 1
    for (int y = 0; n > 1 && y < n; ++y) sum = sum + inverse[x * n + y] * (r[y] - mean);
    h.field(g.z)[x] = sum;
  }
  __syncthreads();
}

// z = V r from level l on, r and z being those of that level; ends with a barrier.
__device__ static __forceinline__ void cycle_coarse(const Hierarchy& h, int first, const float* inverse) {
  const Team team = block_team();
#pragma unroll 1
  for (int l = first; l + 1 < h.count; ++l) {
    const Level g = h.levels[l], next = h.levels[l + 1];
    const Coarse a = h.coarse(g);
    const Interpolation p = h.interpolation(l);
    const Pair<float>* r = h.field(g.r);
    Pair<float>*z = h.field(g.z), *below = h.field(next.r);
    each_colour<false>(p.axis0, p.axis1, [&](const Node& x, int rank0, int rank1) {
      z[x.at()] = forward(a, x, x, rank0, rank1, r[x.at()], z);
    });
    each(team, next.rows, next.cols, [&](int i, int j) { below[i * next.cols + j] = restricted(a, p, i, j, Whole{z}); });
    __syncthreads();
  }
  solve_bottom(h, inverse);
#pragma unroll 1
  for (int l = h.count - 2; l >= first; --l) {
    const Level g = h.levels[l], next = h.levels[l + 1];
    const Coarse a = h.coarse(g);
    const Interpolation p = h.interpolation(l);
    const Pair<float>*r = h.field(g.r), *correction = h.field(next.z);
    Pair<float>* z = h.field(g.z);
    each(team, next.rows, next.cols, [&](int i, int j) { prolong(p, i, j, correction, z, p.fine(i, j), g.cols); });
    __syncthreads();
    each_colour<true>(p.axis0, p.axis1, [&](const Node& x, int, int) {
      z[x.at()] = backward(a, x, x, r[x.at()], z);
    });
  }
}

}  // namespace pearlite
