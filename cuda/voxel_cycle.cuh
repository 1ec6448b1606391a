// The V-cycle on small grids: of one load of a cell, by a block in shared memory.
#pragma once
#include "voxel_tensors.cuh"

namespace pearlite {

// In the block's memory r, z and t of each grid follow one another, (nodes) each.
struct Cycle {
  const Level* levels;
  int first, last;     // of the grids
  const float* cell;   // a cell's memory
  float omega, second;

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
      const int count = left < planes ? left : planes;
      operate_on(g, g.c, cell + g.a, z, piece - chunk * all, chunk * planes, count, use);
    }
    __syncthreads();
  }

  // to = z + ω D⁻¹ (r − A z)
  __device__ __forceinline__ void smooth(const Level& g, float step, const float* r, const float* z, float* to) const {
    const float* dinv = cell + g.dinv;
    operate(g, z, [&](int node, float own, float value) {
      to[node] = own + (step * dinv[node]) * (r[node] - value);
    });
  }
  // Whether z and t have changed places where a grid has been smoothed on the way down.
  __device__ __forceinline__ bool turned() const { return tensors && second != 0; }

  __device__ __forceinline__ float* down(float* r) const {
#pragma unroll 1
    for (int l = first; l < last; ++l) {
      const Level &g = levels[l], &next = levels[l + 1];
      const int nodes = g.nodes();
      float *z = r + nodes, *t = z + nodes, *below = t + nodes;
      const float* dinv = cell + g.dinv;
      each(nodes, [&](int node) { z[node] = omega * dinv[node] * r[node]; });
      float *now = z, *rest = t;
      if (turned()) {
        smooth(g, second, r, z, t);
        now = t;
        rest = z;
      }
      operate(g, now, [&](int node, float, float value) { rest[node] = r[node] - value; });
      each(next.nodes(), [&](int node) { restricted<1>(g.n, next.n, node, rest, below + node); });
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
      const float* e = below + 2 * Size(next.nodes());
      float* now = turned() ? t : z;
      each(nodes, [&](int node) {
        float sum = 0;
        prolonged<1>(g.n, next.n, node, e, &sum);
        now[node] += sum;
      });
      if (turned()) smooth(g, second, r, t, z);
      smooth(g, omega, r, z, t);
      below = r;
    }
  }
};

}  // namespace pearlite
