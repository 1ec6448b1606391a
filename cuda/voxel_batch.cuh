// The cells of voxels that are solved at a time, and how blocks share them. REAL is float or double: the precision
// of conjugate gradients; the V-cycle is always in float.
#pragma once
#include "voxel_solver.cuh"

namespace pearlite {

constexpr int node_threads = 256;                          // of passes over nodes
constexpr int columns = 64;                                // of nodes, of a block that goes along them
constexpr int column_threads = columns * load_count;
constexpr int control_threads = warp_threads * load_count;
constexpr int sum_count = 9;                               // sums over a cell that one pass makes

// The cells that are solved at a time, each with its memory. Members of 8 bytes, as the launch packs them.
struct Batch {
  float* memory;        // (count, stride)
  Size stride;
  Control* controls;    // (count,)
  const Known* known;   // of all cells
  const Size* members;  // (count,): which cells these are
  Size count;
  double* sums;         // (count, sum_count, room): parts, of each block
  Size room;
  int* running;         // (count,)
  Size u, r, p, q, a;   // places of REAL: (loads, nodes), and conductivities (nodes) or (6, nodes)
  double omega, second; // the smoother's steps; 0 where there is one

  __device__ __forceinline__ float* cell(Size slot) const { return memory + slot * stride; }
  __device__ __forceinline__ REAL* real(Size slot, Size place) const {
    return reinterpret_cast<REAL*>(memory + slot * stride + place);
  }
  __device__ __forceinline__ const Known& known_of(Size slot) const { return known[members[slot]]; }
  __device__ __forceinline__ double* parts(Size slot, int which) const {
    return sums + (slot * sum_count + which) * room;
  }
};

// Calls use(slot) for the cells of a block, those of a launch being shared along its second axis.
template <class Use>
__device__ static __forceinline__ void each_slot(const Batch& b, const Use& use) {
#pragma unroll 1
  for (Size slot = blockIdx.y; slot < b.count; slot += gridDim.y) use(slot);
}
// Calls use(node) for the nodes of a thread.
template <class Use>
__device__ static __forceinline__ void each_node(int nodes, const Use& use) {
#pragma unroll 1
  for (Size node = Size(blockIdx.x) * blockDim.x + threadIdx.x; node < nodes; node += Size(gridDim.x) * blockDim.x)
    use(int(node));
}
// Calls use(load, column, first, count) for the piece of a column that is a thread's.
template <class Use>
__device__ static __forceinline__ void own_column(const Level& level, int planes, const Use& use) {
  const int all = level.n[1] * level.n[2], tiles = (all + columns - 1) / columns;
  const int chunk = int(blockIdx.x) / tiles, tile = int(blockIdx.x) - chunk * tiles;
  const int column = tile * columns + int(threadIdx.x) % columns, first = chunk * planes;
  const int left = level.n[0] - first;
  if (column < all) use(int(threadIdx.x) / columns, column, first, left < planes ? left : planes);
}

// Stores the block's part of a sum for each load, of which two warps have each. Deterministic.
__device__ static __forceinline__ void store_parts(const Batch& b, Size slot, double value, double* room) {
  for (int k = warp_threads / 2; k > 0; k /= 2) value += __shfl_xor_sync(whole_warp, value, k);
  if (threadIdx.x % warp_threads == 0) room[threadIdx.x / warp_threads] = value;
  __syncthreads();
  if (threadIdx.x < load_count) {
    const double* own = room + 2 * Size(threadIdx.x);
    b.parts(slot, int(threadIdx.x))[blockIdx.x] = own[0] + own[1];
  }
  __syncthreads();
}

// The sum of so many parts, by a warp.
__device__ static __forceinline__ double gathered(const double* parts, Size count) {
  double sum = 0;
  for (Size k = threadIdx.x % warp_threads; k < count; k += warp_threads) sum += parts[k];
  for (int k = warp_threads / 2; k > 0; k /= 2) sum += __shfl_xor_sync(whole_warp, sum, k);
  return sum;
}

}  // namespace pearlite
