// The V-cycle on small grids: of one load of a cell, by a block in shared memory.
#pragma once
#include "voxels.cuh"

namespace pearlite {

// In the block's memory r, z and t of each grid follow one another, (nodes) each.
struct Cycle {
  const Level* levels;
  int first, last;     // of the grids
  const float* cell;   // a cell's memory
  float omega;

  template <class Use>
  __device__ __forceinline__ void each(int nodes, const Use& use) const {
#pragma unroll 1
    for (int node = int(threadIdx.x); node < nodes; node += int(blockDim.x)) use(node);
    __syncthreads();
  }
  // Calls use(node, z, A z) for all nodes.
  template <class Use>
  __device__ __forceinline__ void operate(const Level& g, const float* z, const Use& use) const {
    const int all = g.n[1] * g.n[2], planes = (g.nodes() + int(blockDim.x) - 1) / int(blockDim.x);
    const int pieces = (g.n[0] + planes - 1) / planes;
#pragma unroll 1
    for (int piece = int(threadIdx.x); piece < all * pieces; piece += int(blockDim.x)) {
      const int chunk = piece / all, left = g.n[0] - chunk * planes;
      over_column(g.n, g.c, cell + g.a, z, piece - chunk * all, chunk * planes, left < planes ? left : planes, use);
    }
    __syncthreads();
  }

  __device__ __forceinline__ float* down(float* r) const {
#pragma unroll 1
    for (int l = first; l < last; ++l) {
      const Level &g = levels[l], &next = levels[l + 1];
      const int nodes = g.nodes();
      float *z = r + nodes, *t = z + nodes, *below = t + nodes;
      const float* dinv = cell + g.dinv;
      each(nodes, [&](int node) { z[node] = omega * dinv[node] * r[node]; });
      operate(g, z, [&](int node, float, float value) { t[node] = r[node] - value; });
      each(next.nodes(), [&](int node) { restricted<1>(g.n, next.n, node, t, below + node); });
      r = below;
    }
    return r;
  }

  // The last grid by its inverse (nodes, nodes), of what has no mean.
  __device__ __forceinline__ void bottom(float* r, const float* inverse) const {
    const int n = levels[last].nodes();
    float* t = r + 2 * Size(n);
    each(n, [&](int x) {
      float mean = 0, sum = 0;
#pragma unroll 1
      for (int y = 0; y < n; ++y) mean += r[y];
      mean /= float(n);
#pragma unroll 1
      for (int y = 0; y < n; ++y) sum += (r[y] - mean) * inverse[y * n + x];  // it is symmetric
      t[x] = sum;
    });
  }

  __device__ __forceinline__ void up(float* below) const {
#pragma unroll 1
    for (int l = last - 1; l >= first; --l) {
      const Level &g = levels[l], &next = levels[l + 1];
      const int nodes = g.nodes();
      float *t = below - nodes, *z = t - nodes, *r = z - nodes;
      const float *e = below + 2 * Size(next.nodes()), *dinv = cell + g.dinv;
      each(nodes, [&](int node) {
        float sum = 0;
        prolonged<1>(g.n, next.n, node, e, &sum);
        z[node] += sum;
      });
      operate(g, z, [&](int node, float own, float value) {
        t[node] = own + (omega * dinv[node]) * (r[node] - value);
      });
      below = r;
    }
  }
};

}  // namespace pearlite
