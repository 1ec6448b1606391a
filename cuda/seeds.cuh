// The seeds that matter in a tile of pixels: what hard and relaxed tessellations have in common. DIM is 2
// or 3; a block of threads has a tile, with `tile_side(axis)` pixels along each axis.
//
// At the tile's middle the seed j with the least score is found. Seed k matters only if its score can come
// down to that of j (plus `extra`, for relaxed ones) somewhere in the tile. The difference of two scores
// changes at most by half the tile's sides times its slope, which for "power" is 2 |δ_k − δ_j| along each
// axis, δ from site to middle, and for "additive" at most 2. That leaves few seeds, at the price of two
// looks at all; where seeds are many, larger tiles are sifted first.
#pragma once
#include "common.cuh"
#include "shared/distances.hpp"

namespace pearlite {

constexpr int tile_threads = 256;
constexpr int list_room = 512;  // seeds that a block holds at a time

constexpr int larger = 8;        // times as long along each axis are the tiles that are sifted first

// Members of 8 bytes, as the launch packs them; of two axes the first two entries count.
struct Cells {
  Size batch, count, shape[3];
  Size additive, periodic, single;  // single: sites, weights and values are floats
};

__device__ static __forceinline__ Size tiles_along(const Cells& cells, int axis, int times) {
  const int side = times * tile_side(axis);
  return Size((unsigned int)(cells.shape[axis] + side - 1) / (unsigned int)side);
}
__device__ static __forceinline__ Size tiles_of(const Cells& cells, int times) {
  Size all = 1;
  for (int a = 0; a < DIM; ++a) all *= tiles_along(cells, a, times);
  return all;
}

struct Seeds {
  const void *sites, *weights;  // (batch, count, DIM) and (batch, count), or null for zeros
};

__device__ static __forceinline__ double number(const void* from, Size i, Size single) {
  return single ? double(static_cast<const float*>(from)[i]) : static_cast<const double*>(from)[i];
}

struct Seed {
  double site[DIM], weight;
};
__device__ static __forceinline__ Seed seed_of(const Seeds& seeds, const Cells& cells, Size cell, Size k) {
  Seed s;
  const Size at = cell * cells.count + k;
  for (int a = 0; a < DIM; ++a) {
    double c = number(seeds.sites, at * DIM + a, cells.single);
    if (cells.periodic) {
      c -= floor(c);
      if (c >= 1) c = 0;  // a tiny negative number, rounded up
    }
    s.site[a] = c;
  }
  s.weight = seeds.weights ? number(seeds.weights, at, cells.single) : 0;
  return s;
}

// x − c to the nearest image.
template <class T>
__device__ static __forceinline__ T nearest(T difference, Size periodic) {
  if (!periodic) return difference;
  return difference > T(0.5) ? difference - 1 : difference < T(-0.5) ? difference + 1 : difference;
}

// A seed seen from a tile's middle.
struct View {
  double away[DIM], score, size;  // size: bounds what rounding is relative to
};
struct Box {
  int first[DIM];               // pixel
  double middle[DIM], half[DIM], radius;
};

// Tile number `tile` of a cell, `times` as long as the others along each axis, cut off where the cell ends.
__device__ static __forceinline__ Box box_of(const Cells& cells, Size tile, int times) {
  Box box;
  double square = 0;
#pragma unroll
  for (int a = DIM - 1; a >= 0; --a) {
    Size at;
    const int side = times * tile_side(a);
    tile = divided(tile, tiles_along(cells, a, times), at);
    box.first[a] = int(at) * side;
    const Size left = cells.shape[a] - box.first[a];
    const double pixels = left < side ? double(int(left)) : double(side);
    box.middle[a] = (double(box.first[a]) + 0.5 * pixels) / double(cells.shape[a]);
    box.half[a] = 0.5 * pixels / double(cells.shape[a]);
    square += box.half[a] * box.half[a];
  }
  box.radius = sqrt(square);
  return box;
}

__device__ static __forceinline__ View view(const Seed& s, const Box& box, const Cells& cells) {
  View v;
  double square = 0;
  for (int a = 0; a < DIM; ++a) {
    v.away[a] = nearest(box.middle[a] - s.site[a], cells.periodic);
    square += v.away[a] * v.away[a];
  }
  const double distance = cells.additive ? sqrt(square) : square;
  v.score = distance - s.weight;
  v.size = 1 + distance + (s.weight < 0 ? -s.weight : s.weight);
  return v;
}

// Whether a seed has the same image for all pixels of the box.
__device__ static __forceinline__ bool stable(const View& v, const Box& box, Size periodic) {
  bool same = true;
  for (int a = 0; a < DIM; ++a) same = same && fabs(v.away[a]) + box.half[a] <= 0.5;
  return same || !periodic;
}

__device__ static __forceinline__ bool matters(const View& k, const View& j, const Box& box, const Cells& cells,
                                               double extra) {
  double reach = 0;
  if (cells.additive) {
    reach = 2 * box.radius;
  } else {
    const bool same = stable(k, box, cells.periodic) && stable(j, box, cells.periodic);
    for (int a = 0; a < DIM; ++a) {
      const double far = fabs(k.away[a]) + fabs(j.away[a]) + 2 * box.half[a];
      reach += 2 * box.half[a] * (same ? fabs(k.away[a] - j.away[a]) : far);
    }
  }
  return !(k.score - j.score > reach + extra + 1e-13 * (k.size + j.size));
}

// Which seeds a tile looks at: all of a cell, or those that a larger tile has kept.
struct Source {
  const int* items;  // or null: all
  Size count;
  __device__ Size operator[](Size i) const { return items ? Size(items[i]) : i; }
};

// Kept by the larger tile about a box, unless they are more than there is room for; kept (batch · larger
// tiles, room), or null.
__device__ static __forceinline__ Source source_of(const Cells& cells, Size cell, const Box& box, const int* kept,
                                                   const int* counts, Size room) {
  if (!kept) return {nullptr, cells.count};
  Size at = cell;
  for (int a = 0; a < DIM; ++a) at = at * tiles_along(cells, a, larger) + box.first[a] / (larger * tile_side(a));
  const int count = counts[at];
  return count > room ? Source{nullptr, cells.count} : Source{kept + at * room, Size(count)};
}

// What a block shares while it looks for seeds. The list is in the order in which they are looked at, so
// that sums over it are the same each time.
struct List {
  int* votes;       // (warps,)
  int* index;       // (list_room,)
  double* site;     // (DIM, list_room)
  double* weight;   // (list_room,)
  double* least;    // (warps,)
  int* nearest;     // (warps,)

  __device__ explicit List(void* memory) {
    site = static_cast<double*>(memory);
    // NOLINTNEXTLINE(bugprone-implicit-widening-of-multiplication-result): of constants
    weight = site + DIM * list_room;
    least = weight + list_room;
    index = reinterpret_cast<int*>(least + tile_threads / warp_threads);
    nearest = index + list_room;
    votes = nearest + tile_threads / warp_threads;
  }
  __device__ Seed operator[](int e) const {
    Seed s;
    for (int a = 0; a < DIM; ++a) s.site[a] = site[a * list_room + e];
    s.weight = weight[e];
    return s;
  }
};

// The place of each thread's seed in the list, if it is kept, behind `total` others; then more of them.
// All threads ask, and meet before they do so again.
__device__ static __forceinline__ int slot_of(const List& list, bool keep, int& total) {
  const unsigned int votes = __ballot_sync(whole_warp, keep);
  const int warp = threadIdx.x / warp_threads, lane = threadIdx.x % warp_threads;
  if (lane == 0) list.votes[warp] = __popc(votes);
  __syncthreads();
  int slot = total + __popc(votes & ((1u << lane) - 1));
  for (int w = 0; w < tile_threads / warp_threads; ++w) {
    const int count = list.votes[w];
    if (w < warp) slot += count;
    total += count;
  }
  return slot;
}

// The seed of least score at the middle: the same for all threads.
__device__ static Size nearest_seed(const List& list, const Source& from, const Seeds& seeds, const Cells& cells,
                                    Size cell, const Box& box) {
  double least = 0;
  int best = -1;
  for (Size i = threadIdx.x; i < from.count; i += blockDim.x) {
    const double score = view(seed_of(seeds, cells, cell, from[i]), box, cells).score;
    if (best < 0 || score < least) {
      least = score;
      best = int(from[i]);
    }
  }
  for (int k = warp_threads / 2; k > 0; k /= 2) {
    const double other = __shfl_xor_sync(whole_warp, least, k);
    const int whose = __shfl_xor_sync(whole_warp, best, k);
    if (whose >= 0 && (best < 0 || other < least || (other == least && whose < best))) {
      least = other;
      best = whose;
    }
  }
  if (threadIdx.x % warp_threads == 0) {
    list.least[threadIdx.x / warp_threads] = least;
    list.nearest[threadIdx.x / warp_threads] = best;
  }
  __syncthreads();
  for (int w = 0; w < tile_threads / warp_threads; ++w) {
    const int whose = list.nearest[w];
    if (whose >= 0 && (best < 0 || list.least[w] < least || (list.least[w] == least && whose < best))) {
      least = list.least[w];
      best = whose;
    }
  }
  return best < 0 ? 0 : best;
}

// Calls use(count) when the list is full, and at the end; all threads do. -> whether it was once only
template <class Use>
__device__ static __forceinline__ bool each_list(const List& list, const Source& from, const Seeds& seeds,
                                                 const Cells& cells, Size cell, const Box& box, const View& best,
                                                 double extra, const Use& use) {
  int times = 0, total = 0;
  for (Size first = 0; first < from.count; first += blockDim.x) {
    const Size i = first + threadIdx.x;
    Seed s = {};
    bool keep = i < from.count;
    if (keep) {
      s = seed_of(seeds, cells, cell, from[i]);
      keep = matters(view(s, box, cells), best, box, cells, extra);
    }
    const int slot = slot_of(list, keep, total);
    if (keep) {
      for (int a = 0; a < DIM; ++a) list.site[a * list_room + slot] = s.site[a];
      list.weight[slot] = s.weight;
      list.index[slot] = int(from[i]);
    }
    __syncthreads();
    const bool last = first + blockDim.x >= from.count;
    if (total + int(blockDim.x) <= list_room && !last) continue;
    use(total);
    ++times;
    total = 0;
    __syncthreads();
  }
  return times == 1;
}

// What may matter in each of the larger tiles: kept (batch · tiles, room), counts (batch · tiles)
extern "C" __global__ void __launch_bounds__(tile_threads)
    sift(int* kept, int* counts, const void* sites, const void* weights, Cells cells, Size room, double extra,
         const double* epsilon) {
  PEARLITE_SHARED(double, memory);
  const List list(memory);
  const Seeds seeds = {sites, weights};
  Size tile;
  const Size cell = divided(blockIdx.x, tiles_of(cells, larger), tile);
  const Box box = box_of(cells, tile, larger);
  const Source all = {nullptr, cells.count};
  const Size j = nearest_seed(list, all, seeds, cells, cell, box);
  const View best = view(seed_of(seeds, cells, cell, j), box, cells);
  if (epsilon) extra *= epsilon[cell];
  int total = 0;
  for (Size first = 0; first < cells.count; first += blockDim.x) {
    const Size k = first + threadIdx.x;
    const bool keep =
        k < cells.count && matters(view(seed_of(seeds, cells, cell, k), box, cells), best, box, cells, extra);
    const int slot = slot_of(list, keep, total);
    if (keep && slot < room) kept[blockIdx.x * room + slot] = int(k);
    __syncthreads();
  }
  if (threadIdx.x == 0) counts[blockIdx.x] = total;
}

}  // namespace pearlite
