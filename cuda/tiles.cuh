// Half a V-cycle on one grid, whose nodes several blocks share. A block has a tile, and around it the halo from
// which values reach it: it goes through all colours there, in shared memory, and keeps those of the tile. So
// each node gets the value that the colours give it one after the other on the whole grid, to the last bit,
// and blocks wait for one another only where a launch ends.
//
// How far values reach: with r0 and r1 ranks along the axes, 2 or in odd sizes 3, a node depends on r0 rows, in
// each of which r1 ranks follow one another; a step to the next row may be a diagonal one. That makes r0 − 1 rows
// and r0 r1 − 1 columns. Going up, one more counts, with what was there before; going down, the restriction's: it
// looks one row further, and two columns, but there for ranks that depend on less.
#pragma once
#include "cycle.cuh"

namespace pearlite {

// How a grid is divided, in coarse cells: a coarse point, and the fine ones up to the next. Members of 8 bytes,
// as the launch packs them.
struct Tiling {
  Size own0, own1;    // of a tile
  Size halo0, halo1;  // on either side
};

// The coarse cells of a tile along an axis, with its halo: around the torus as often as it takes.
struct Side {
  Axis axis;
  int first, own, halo;  // the tile's cells begin at `first`
  int* cell;             // (cells): numbers
  int* row;              // (cells): where their nodes begin, in the tile

  __device__ __forceinline__ int cells() const { return own + 2 * halo; }

  // Fills the tables, which fit 2 `most` numbers.
  __device__ __forceinline__ Side(const Axis& along, int number, int wide, int around, int* room, int most)
      : axis(along), first(number * wide), own(0), halo(around), cell(room), row(room + most) {
    const int count = axis.coarse.count, gap = axis.coarse.gap;
    own = count - first < wide ? count - first : wide;
    const int start = ((first - halo) % count + count) % count;
    for (int k = threadIdx.x; k < cells(); k += blockDim.x) {
      cell[k] = (start + k) % count;
      // A cell at the gap has one row, all others two.
      const int gaps = gap < 0 || k == 0 ? 0 : (start + k - 1 - gap + count) / count - (start - 1 - gap + count) / count;
      row[k] = 2 * k - gaps;
    }
  }
  // The row of a rank in cell k, or −1.
  __device__ __forceinline__ int place(int rank, int k) const {
    if (rank == 2) return cell[k] == axis.coarse.gap ? -1 : row[k] + 1;
    return axis.rank_of_coarse(cell[k]) == rank ? row[k] : -1;
  }
  // Its number in the grid.
  __device__ __forceinline__ int fine(int rank, int k) const { return axis.coarse.fine(cell[k]) + (rank == 2 ? 1 : 0); }
  __device__ __forceinline__ bool inside(int k) const { return k >= halo && k < halo + own; }
};

__device__ static __forceinline__ Node node_of_tile(int row, int col, int width) {
  return {row * width, (row + 1) * width, (row - 1) * width, col, col + 1, col - 1};
}

// The nodes of a tile beside one of them, at (row, col).
struct Beside {
  const Pair<float>* z;
  int row, col, width;

  __device__ __forceinline__ Node beside(const Node&, int di, int dj) const {
    return node_of_tile(row + di, col + dj, width);
  }
};

struct Tile {
  Side side0, side1;
  int width;       // of rows
  Pair<float>* z;  // its nodes, with zeros all around

  // In `room`, for `tile_bytes` of _corrector_tiles.py. Ends with a barrier.
  __device__ __forceinline__ Tile(const Interpolation& p, const Tiling& t, unsigned char* room)
      : side0(p.axis0, int(blockIdx.x) / across(p, t), int(t.own0), int(t.halo0), reinterpret_cast<int*>(room),
              int(t.own0 + 2 * t.halo0)),
        side1(p.axis1, int(blockIdx.x) % across(p, t), int(t.own1), int(t.halo1),
              reinterpret_cast<int*>(room) + 2 * (t.own0 + 2 * t.halo0), int(t.own1 + 2 * t.halo1)),
        width(2 * side1.cells() + 2), z(nullptr) {
    const int cells = int(t.own0 + 2 * t.halo0 + t.own1 + 2 * t.halo1), rows = 2 * side0.cells() + 2;
    Pair<float>* all = reinterpret_cast<Pair<float>*>(reinterpret_cast<int*>(room) + Size(2) * cells);
    for (int k = threadIdx.x; k < rows * width; k += blockDim.x) all[k] = pair(0.f);
    z = all + width + 1;
    __syncthreads();
  }

  // Calls use(node, node of the tile, rank0, rank1, inside) for all nodes, colour by colour, with a barrier
  // behind each.
  template <bool UP, class Use>
  __device__ __forceinline__ void each_colour(const Use& use) const {
    const Axis &axis0 = side0.axis, &axis1 = side1.axis;
#pragma unroll 1
    for (int turn = 0; turn < 9; ++turn) {
      const int colour = UP ? 8 - turn : turn, rank0 = colour / 3, rank1 = colour % 3;
      if (axis0.points(rank0) == 0 || axis1.points(rank1) == 0) continue;
      each(block_team(), side0.cells(), side1.cells(), [&](int a, int b) {
        const int row = side0.place(rank0, a), col = side1.place(rank1, b);
        if (row < 0 || col < 0) return;
        const Node x = node_at(side0.fine(rank0, a), side1.fine(rank1, b), axis0.size, axis1.size);
        use(x, node_of_tile(row, col, width), rank0, rank1, side0.inside(a) && side1.inside(b));
      });
      __syncthreads();
    }
  }

 private:
  __device__ static __forceinline__ int across(const Interpolation& p, const Tiling& t) {
    return (p.axis1.coarse.count + int(t.own1) - 1) / int(t.own1);
  }
};

// To z from the residual, and on to the residual of the next grid. take(place, inside) gives the residual of a node,
// once.
template <class Operator, class Take>
__device__ static __forceinline__ void descend(const Operator& a, const Interpolation& p, const Tile& tile,
                                               const Take& take, Pair<float>* z, Pair<float>* below) {
  tile.each_colour<false>([&](const Node& x, const Node& y, int rank0, int rank1, bool inside) {
    const Pair<float> value = forward(a, x, y, rank0, rank1, take(x.at(), inside), tile.z);
    tile.z[y.at()] = value;
    if (inside) z[x.at()] = value;
  });
  const Side &s0 = tile.side0, &s1 = tile.side1;
  each(block_team(), s0.own, s1.own, [&](int k, int l) {
    const int row = k + s0.halo, col = l + s1.halo, i = s0.cell[row], j = s1.cell[col];
    below[i * p.axis1.coarse.count + j] =
        restricted(a, p, i, j, Beside{tile.z, s0.row[row], s1.row[col], tile.width});
  });
}

// To z with the correction of the next grid, smoothed; z as `descend` left it. Calls use(place, r, z) for the nodes
// of the tile.
template <class Operator, class T, class Use>
__device__ static __forceinline__ void ascend(const Operator& a, const Interpolation& p, const Tile& tile,
                                              const Pair<T>* r, const Pair<float>* z, const Pair<float>* correction,
                                              const Use& use) {
  const Side &s0 = tile.side0, &s1 = tile.side1;
  each(block_team(), s0.cells(), s1.cells(), [&](int k, int l) {
    const int i = s0.cell[k], j = s1.cell[l], from = p.fine(i, j), to = s0.row[k] * tile.width + s1.row[l];
    tile.z[to] = z[from];
    if (j != p.axis1.coarse.gap) tile.z[to + 1] = z[from + 1];
    if (i != p.axis0.coarse.gap) tile.z[to + tile.width] = z[from + p.axis1.size];
    prolong(p, i, j, correction, tile.z, to, tile.width);
  });
  __syncthreads();
  tile.each_colour<true>([&](const Node& x, const Node& y, int, int, bool inside) {
    const Pair<T> own = r[x.at()];
    const Pair<float> value = backward(a, x, y, rounded<float>(own), tile.z);
    tile.z[y.at()] = value;
    if (inside) use(x.at(), own, value);
  });
}

}  // namespace pearlite
