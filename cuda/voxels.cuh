// Grids of voxels of a cell on the torus, and what a V-cycle does at their nodes. Node (i, j, k) is the lower
// corner of voxel (i, j, k). Fields are (loads, nodes), one load after the other.
#pragma once
#define DIM 3
#if !defined(TENSOR)
#define TENSOR 0
#endif
#include "cells.cuh"
#include "shared/inverse.hpp"
#include "shared/modes.hpp"
#include "shared/voxel_grids.hpp"

namespace pearlite {

constexpr int load_count = 3;
constexpr bool tensors = TENSOR != 0;  // conductivities are tensors: see voxel_tensors.cuh

// Couplings of a node with others by the axes along which they differ, at a = 1, and their sum.
template <class T>
struct Stencil {
  T c001, c010, c100, c011, c101, c110, c111, own;
};

// A grid, as the launch describes it. Places count floats in the memory of a cell.
struct Level {
  int n[3];
  float largest;      // half the largest eigenvalue of a voxel's element, at a = 1; not used of tensors
  Stencil<float> c;   // not used of tensors
  Size a, dinv;       // (nodes), (6, nodes) of tensors: conductivities; (nodes): 1 / D, see smoother_step
  Size r, z, t;       // (loads, nodes): right-hand sides, and solutions before and after the last smoothing

  __device__ __forceinline__ int nodes() const { return n[0] * n[1] * n[2]; }
};

// An index that is out of a side by less than its length.
__device__ static __forceinline__ int wrapped(int i, int n) { return i < 0 ? i + n : i >= n ? i - n : i; }

struct Place {
  int i, j, k;
};
__device__ static __forceinline__ Place place_of(int node, const int* n) {
  const int row = node / n[2], i = row / n[1];
  return {i, row - i * n[1], node - row * n[2]};
}

// The nodes of a plane around a column of nodes, and the voxels there: [0] lies below, [1] above it.
struct Around {
  int row, rows[2], k, ks[2];

  __device__ __forceinline__ Around(int column, const int* n) {
    const int j = column / n[2];
    k = column - j * n[2];
    row = j * n[2];
    rows[0] = before(j, n[1]) * n[2];
    rows[1] = after(j, n[1]) * n[2];
    ks[0] = before(k, n[2]);
    ks[1] = after(k, n[2]);
  }
  __device__ __forceinline__ int node() const { return row + k; }
  __device__ __forceinline__ int voxel(int t, int e) const { return (t ? row : rows[0]) + (e ? k : ks[0]); }
};

// What a plane of nodes gives to the four voxels around a column: to their nodes of the same plane, and to
// those of the other one.
template <class T>
struct Shares {
  T own, same[4], across[4];

  __device__ __forceinline__ Shares(const Stencil<T>& c, const T* u, const Around& x) {
    own = u[x.node()];
    const T inner = -c.own * own, outer = c.c100 * own;
    T side[2], end[2];
#pragma unroll
    for (int t = 0; t < 2; ++t) {
      side[t] = u[x.rows[t] + x.k];
      end[t] = u[x.row + x.ks[t]];
    }
#pragma unroll
    for (int v = 0; v < 4; ++v) {
      const T corner = u[x.rows[v >> 1] + x.ks[v & 1]];
      same[v] = ((inner + c.c010 * side[v >> 1]) + c.c001 * end[v & 1]) + c.c011 * corner;
      across[v] = ((outer + c.c110 * side[v >> 1]) + c.c101 * end[v & 1]) + c.c111 * corner;
    }
  }
};

// Calls use(node, u, A u) for `count` nodes of a column from plane `first` on. Going along axis 0, what is
// read of a plane serves three nodes.
template <class T, class A, class Use>
__device__ static __forceinline__ void over_column(const int* n, const Stencil<T>& c, const A* a, const T* u,
                                                   int column, int first, int count, const Use& use) {
  const int plane = n[1] * n[2];
  const Around x(column, n);
  const Shares<T> below(c, u + Size(before(first, n[0])) * plane, x);
  Shares<T> here(c, u + Size(first) * plane, x);
  T sum = 0;
#pragma unroll
  for (int v = 0; v < 4; ++v)
    sum += T(a[Size(before(first, n[0])) * plane + x.voxel(v >> 1, v & 1)]) * (here.same[v] + below.across[v]);
  int i = first;
#pragma unroll 1
  for (int step = 0; step < count; ++step) {
    const int next = after(i, n[0]);
    const Shares<T> above(c, u + Size(next) * plane, x);
    T more = 0;
#pragma unroll
    for (int v = 0; v < 4; ++v) {
      const T voxel = T(a[Size(i) * plane + x.voxel(v >> 1, v & 1)]);
      sum += voxel * (here.same[v] + above.across[v]);
      more += voxel * (above.same[v] + here.across[v]);
    }
    use(i * plane + x.node(), here.own, -sum);
    sum = more;
    here = above;
    i = next;
  }
}

// Σ over the eight voxels around a node of what `get` finds of the voxel and of its place: bit 4 if the
// voxel lies above the node along axis 0, bit 2 along axis 1, bit 1 along axis 2.
template <class Use>
__device__ static __forceinline__ void each_voxel_around(int node, const int* n, const Use& use) {
  const Place p = place_of(node, n);
#pragma unroll
  for (int v = 0; v < 8; ++v) {
    const int i = v & 4 ? p.i : before(p.i, n[0]), j = v & 2 ? p.j : before(p.j, n[1]),
              k = v & 1 ? p.k : before(p.k, n[2]);
    use((i * n[1] + j) * n[2] + k, v);
  }
}

__device__ static __forceinline__ float inverse_diagonal(int node, const Level& level, const float* a) {
  float sum = 0;
  each_voxel_around(node, level.n, [&](int voxel, int) { sum += a[voxel]; });
  return inverse_or_zero(sum * level.largest);
}

// use(voxel, row, along): the voxels of the grid of n that a coarse one of m covers, and the parts of
// them that it covers, of the row and along it.
template <class Use>
__device__ static __forceinline__ void each_fine_voxel(const int* n, const int* m, int coarse, Use use) {
  const Place p = place_of(coarse, m);
  const FineRange r0 = fine_voxels(n[0], m[0], p.i), r1 = fine_voxels(n[1], m[1], p.j),
                  r2 = fine_voxels(n[2], m[2], p.k);
#pragma unroll 1
  for (int i = r0.first; i < r0.first + r0.count; ++i)
#pragma unroll 1
    for (int j = r1.first; j < r1.first + r1.count; ++j) {
      const float row = voxel_part(n[0], m[0], p.i, i) * voxel_part(n[1], m[1], p.j, j);
#pragma unroll 1
      for (int k = r2.first; k < r2.first + r2.count; ++k)
        use((i * n[1] + j) * n[2] + k, row, voxel_part(n[2], m[2], p.k, k));
    }
}

// The conductivity of a coarse voxel.
__device__ static __forceinline__ float averaged(const int* n, const int* m, int coarse, const float* a) {
  float sum = 0, inverse = 0;
  each_fine_voxel(n, m, coarse, [&](int voxel, float row, float along) {
    const float part = row * along, value = a[voxel];
    sum += part * value;
    inverse += part / value;
  });
  return coarse_conductivity(sum, inverse);
}

// sum (N,): what a coarse node takes of fields t (N, nodes of n).
template <int N>
__device__ static __forceinline__ void restricted(const int* n, const int* m, int coarse, const float* t, float* sum) {
  const Place p = place_of(coarse, m);
  const FineRange r0 = fine_nodes(n[0], m[0], p.i), r1 = fine_nodes(n[1], m[1], p.j), r2 = fine_nodes(n[2], m[2], p.k);
  const Size nodes = Size(n[0]) * n[1] * n[2];
  constexpr int most = 4;  // fine nodes along an axis
  float weight[most];
  int at[most];
#pragma unroll
  for (int e = 0; e < most; ++e) {
    const int f = wrapped(r2.first + e, n[2]);
    at[e] = e < r2.count ? f : 0;
    weight[e] = e < r2.count ? node_weight(n[2], m[2], p.k, r2.first + e) : 0;
  }
#pragma unroll
  for (int l = 0; l < N; ++l) sum[l] = 0;
#pragma unroll 1
  for (int i = r0.first; i < r0.first + r0.count; ++i)
#pragma unroll 1
    for (int j = r1.first; j < r1.first + r1.count; ++j) {
      const float w = node_weight(n[0], m[0], p.i, i) * node_weight(n[1], m[1], p.j, j);
      const float* row = t + (Size(wrapped(i, n[0])) * n[1] + wrapped(j, n[1])) * n[2];
#pragma unroll
      for (int l = 0; l < N; ++l) {
        float line = 0;
#pragma unroll
        for (int e = 0; e < most; ++e) line += weight[e] * row[l * nodes + at[e]];
        sum[l] += w * line;
      }
    }
}

// sum (N,): what a fine node takes of coarse fields e (N, nodes of m).
template <int N>
__device__ static __forceinline__ void prolonged(const int* n, const int* m, int fine, const float* e, float* sum) {
  const Place p = place_of(fine, n);
  const CoarsePlace c0 = coarse_place(n[0], m[0], p.i), c1 = coarse_place(n[1], m[1], p.j),
                    c2 = coarse_place(n[2], m[2], p.k);
  const Size nodes = Size(m[0]) * m[1] * m[2];
  const int k0 = c2.before, k1 = after(c2.before, m[2]);
#pragma unroll
  for (int l = 0; l < N; ++l) sum[l] = 0;
#pragma unroll 1
  for (int s = 0; s < (c0.share > 0 ? 2 : 1); ++s)
#pragma unroll 1
    for (int t = 0; t < (c1.share > 0 ? 2 : 1); ++t) {
      const float w = (s ? c0.share : 1 - c0.share) * (t ? c1.share : 1 - c1.share);
      const int i = s ? after(c0.before, m[0]) : c0.before, j = t ? after(c1.before, m[1]) : c1.before;
      const float* row = e + (Size(i) * m[1] + j) * m[2];
#pragma unroll
      for (int l = 0; l < N; ++l)
        sum[l] += w * ((1 - c2.share) * row[l * nodes + k0] + c2.share * row[l * nodes + k1]);
    }
}

}  // namespace pearlite
