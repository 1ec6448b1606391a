// One grid of nodes of a cell on the torus: its couplings, and what a V-cycle does at each node. Loads come
// in pairs. Formulas of the coarse operators are in shared/coarse_cells.hpp.
//
// Gauss-Seidel goes by colours: along an axis the coarse points come first (rank 0), then the one behind a
// gap, which has a coarse point beside it (rank 1, in odd sizes only), then the others (rank 2); colours are
// pairs of ranks, in lexicographic order. So neighbours of one node differ in rank along the axis along
// which they differ in place, no two nodes of one colour are coupled, and the nodes that do not count in the
// restriction, with rank 2 along both axes, come last: their residual vanishes.
#pragma once
#include "common.cuh"
#include "shared/coarse_cells.hpp"
#include "shared/coarsening.hpp"

namespace pearlite {

// Of both loads.
template <class T>
struct __align__(2 * sizeof(T)) Pair {
  T x, y;
};
template <class T>
__device__ static __forceinline__ Pair<T> pair(T both) { return {both, both}; }
template <class T>
__device__ static __forceinline__ Pair<T> operator+(Pair<T> a, Pair<T> b) { return {a.x + b.x, a.y + b.y}; }
template <class T>
__device__ static __forceinline__ Pair<T> operator-(Pair<T> a, Pair<T> b) { return {a.x - b.x, a.y - b.y}; }
template <class T>
__device__ static __forceinline__ Pair<T> operator*(T a, Pair<T> b) { return {a * b.x, a * b.y}; }
template <class To, class From>
__device__ static __forceinline__ Pair<To> rounded(Pair<From> a) { return {To(a.x), To(a.y)}; }

// Threads that share the nodes of a grid.
struct Team {
  int rank, size;
};

// Calls use(i, j) for the pairs that are a thread's, of m × n ones.
template <class Use>
__device__ static __forceinline__ void each(const Team& team, int m, int n, const Use& use) {
  if (m <= 0 || n <= 0) return;
  const int di = team.size / n, dj = team.size - di * n;
  int i = team.rank / n, j = team.rank - i * n;
#pragma unroll 1
  while (i < m) {
    use(i, j);
    i += di;
    j += dj;
    if (j >= n) {
      j -= n;
      ++i;
    }
  }
}

// The coarse points of an axis, and its other points, by rank.
struct Axis {
  int size;  // of the finer grid
  Coarsening coarse;

  __device__ __forceinline__ int behind_gap() const { return after(coarse.gap, coarse.count); }
  // Points of a rank.
  __device__ __forceinline__ int points(int rank) const {
    const int odd = coarse.gap >= 0 ? 1 : 0;
    return rank == 1 ? odd : coarse.count - odd;
  }
  // The place of point k of a rank.
  __device__ __forceinline__ int place(int rank, int k) const {
    if (coarse.gap < 0) return 2 * k + (rank == 2 ? 1 : 0);
    if (rank == 1) return coarse.fine(behind_gap());
    if (rank == 2) return coarse.fine(k < coarse.gap ? k : k + 1) + 1;
    return coarse.fine(k < behind_gap() ? k : k + 1);
  }
  __device__ __forceinline__ int rank_of_coarse(int c) const {
    return coarse.gap >= 0 && c == behind_gap() ? 1 : 0;
  }
};

// A node and its neighbours, as rows and columns of a grid.
struct Node {
  int here, north, south;  // first nodes of three rows
  int j, e, w;

  __device__ __forceinline__ int at() const { return here + j; }
};
__device__ static __forceinline__ Node node_at(int i, int j, int rows, int cols) {
  return {i * cols, after(i, rows) * cols, before(i, rows) * cols, j, after(j, cols), before(j, cols)};
}

// Nodes that fields of a whole grid have at their own places; see Tile for others.
struct Whole {
  const Pair<float>* z;

  __device__ __forceinline__ Node beside(const Node& x, int, int) const { return x; }
};

// The columns first − 1 to first + 2, by their numbers without a turn around the torus.
struct Columns {
  int first, west, east, far;

  __device__ __forceinline__ int operator()(long long j) const {
    const int k = int(j) - first;
    return k == 0 ? first : k == 1 ? east : k < 0 ? west : far;
  }
};
__device__ static __forceinline__ Columns columns_at(int j, int cols) {
  const int east = after(j, cols);
  return {j, before(j, cols), east, after(east, cols)};
}

// Two rows of scalar pixels, south and north of a row of nodes, as a Row of shared/coarse_cells.hpp.
// Pixel (i, j) lies north-east of node (i, j); k = conductivity / 6, with which the Q1 element matrix has 4k
// on the diagonal, −k along edges and −2k across.
template <class T>
struct PixelRow {
  const T *north, *south;
  Columns column;

  __device__ __forceinline__ float kne(long long j) const { return float(north[column(j)]); }
  __device__ __forceinline__ float knw(long long j) const { return float(north[column(j - 1)]); }
  __device__ __forceinline__ float kse(long long j) const { return float(south[column(j)]); }
  __device__ __forceinline__ float ksw(long long j) const { return float(south[column(j - 1)]); }
  template <int M> __device__ __forceinline__ float e(long long j) const { return kne(j) + kse(j); }
  template <int M> __device__ __forceinline__ float w(long long j) const { return knw(j) + ksw(j); }
  template <int M> __device__ __forceinline__ float n(long long j) const { return kne(j) + knw(j); }
  template <int M> __device__ __forceinline__ float s(long long j) const { return kse(j) + ksw(j); }
  template <int M> __device__ __forceinline__ float ne(long long j) const { return 2 * kne(j); }
  template <int M> __device__ __forceinline__ float nw(long long j) const { return 2 * knw(j); }
  template <int M> __device__ __forceinline__ float se(long long j) const { return 2 * kse(j); }
  template <int M> __device__ __forceinline__ float sw(long long j) const { return 2 * ksw(j); }
};

// The finest grid of square scalar pixels.
template <class T>
struct PixelOperator {
  int rows, cols;
  const T* k;                 // (rows, cols)
  const float* dinv;          // (rows, cols): 1 / Σ c

  // Row i of nodes, at the columns around j.
  __device__ __forceinline__ PixelRow<T> row(int i, int j) const {
    return {k + i * cols, k + before(i, rows) * cols, columns_at(j, cols)};
  }
  __device__ __forceinline__ float inverse_diagonal(const Node& x) const { return dinv[x.at()]; }
  __device__ __forceinline__ float east(const Node& x) const { return float(k[x.here + x.j]) + float(k[x.south + x.j]); }
  __device__ __forceinline__ float west(const Node& x) const { return float(k[x.here + x.w]) + float(k[x.south + x.w]); }
  // Σ c z over SW, S, SE, and over NW, N, NE; z has node x of this grid at its node y.
  __device__ __forceinline__ Pair<float> south_sum(const Node& x, const Node& y, const Pair<float>* z) const {
    return sum(float(k[x.south + x.w]), float(k[x.south + x.j]), y, z + y.south);
  }
  __device__ __forceinline__ Pair<float> north_sum(const Node& x, const Node& y, const Pair<float>* z) const {
    return sum(float(k[x.here + x.w]), float(k[x.here + x.j]), y, z + y.north);
  }

 private:
  __device__ __forceinline__ Pair<float> sum(float west, float east, const Node& y, const Pair<float>* z) const {
    return west * (z[y.j] + 2.f * z[y.w]) + east * (z[y.j] + 2.f * z[y.e]);
  }
};

template <class T>
struct StencilRow {
  const T *here, *south;  // the row of the first coupling
  int size;               // of the grid: couplings to E, N, NE, NW come one after the other
  Columns column;

  __device__ __forceinline__ float get(const T* row, int piece, long long j) const {
    return float(row[piece * size + column(j)]);
  }
  template <int M> __device__ __forceinline__ float e(long long j) const { return get(here, 0, j); }
  template <int M> __device__ __forceinline__ float w(long long j) const { return get(here, 0, j - 1); }
  template <int M> __device__ __forceinline__ float n(long long j) const { return get(here, 1, j); }
  template <int M> __device__ __forceinline__ float s(long long j) const { return get(south, 1, j); }
  template <int M> __device__ __forceinline__ float ne(long long j) const { return get(here, 2, j); }
  template <int M> __device__ __forceinline__ float nw(long long j) const { return get(here, 3, j); }
  template <int M> __device__ __forceinline__ float se(long long j) const { return get(south, 3, j + 1); }
  template <int M> __device__ __forceinline__ float sw(long long j) const { return get(south, 2, j - 1); }
};

// All other grids. "NW of a node" joins it to its north-western neighbour.
template <class T>
struct StencilOperator {
  int rows, cols;
  const T* stencil;   // (4, rows, cols): to E, N, NE, NW
  const float* dinv;  // (rows, cols)

  __device__ __forceinline__ StencilRow<T> row(int i, int j) const {
    return {stencil + i * cols, stencil + before(i, rows) * cols, rows * cols, columns_at(j, cols)};
  }
  __device__ __forceinline__ float inverse_diagonal(const Node& x) const { return dinv[x.at()]; }
  __device__ __forceinline__ T coupling(int piece, int at) const { return stencil[piece * (rows * cols) + at]; }
  __device__ __forceinline__ float east(const Node& x) const { return float(coupling(0, x.here + x.j)); }
  __device__ __forceinline__ float west(const Node& x) const { return float(coupling(0, x.here + x.w)); }
  __device__ __forceinline__ Pair<float> south_sum(const Node& x, const Node& y, const Pair<float>* z) const {
    const Pair<float>* row = z + y.south;
    return float(coupling(2, x.south + x.w)) * row[y.w] + float(coupling(1, x.south + x.j)) * row[y.j] +
           float(coupling(3, x.south + x.e)) * row[y.e];
  }
  __device__ __forceinline__ Pair<float> north_sum(const Node& x, const Node& y, const Pair<float>* z) const {
    const Pair<float>* row = z + y.north;
    return float(coupling(3, x.here + x.j)) * row[y.w] + float(coupling(1, x.here + x.j)) * row[y.j] +
           float(coupling(2, x.here + x.j)) * row[y.e];
  }
};

// z of a node of a colour, from zero: what comes later has no value yet, and is not read. z has node x of the
// grid at its node y.
template <class Operator>
__device__ static __forceinline__ Pair<float> forward(const Operator& a, const Node& x, const Node& y, int rank0,
                                                      int rank1, const Pair<float>& r, const Pair<float>* z) {
  Pair<float> t = r;
  if (rank0 > 0 && a.rows > 1) t = t + a.south_sum(x, y, z);
  if (rank0 == 2) t = t + a.north_sum(x, y, z);
  if (rank1 > 0 && a.cols > 1) t = t + a.west(x) * z[y.here + y.w];
  if (rank1 == 2) t = t + a.east(x) * z[y.here + y.e];
  return a.inverse_diagonal(x) * t;
}

// What `forward` left of the residual at a node of a colour: the couplings to later ones.
template <class Operator>
__device__ static __forceinline__ Pair<float> residual(const Operator& a, const Node& x, const Node& y, int rank0,
                                                       int rank1, const Pair<float>* z) {
  Pair<float> t = pair(0.f);
  if (rank0 == 0) t = t + a.south_sum(x, y, z);
  if (rank0 < 2 && a.rows > 1) t = t + a.north_sum(x, y, z);
  if (rank1 == 0) t = t + a.west(x) * z[y.here + y.w];
  if (rank1 < 2 && a.cols > 1) t = t + a.east(x) * z[y.here + y.e];
  return t;
}

template <class Operator>
__device__ static __forceinline__ Pair<float> backward(const Operator& a, const Node& x, const Node& y,
                                                       const Pair<float>& r, const Pair<float>* z) {
  const Pair<float> row = a.west(x) * z[y.here + y.w] + a.east(x) * z[y.here + y.e];
  return a.inverse_diagonal(x) * (((r + a.south_sum(x, y, z)) + a.north_sum(x, y, z)) + row);
}

// Interpolation to a grid from the next coarser one. weights (2, coarse): of the point to the east its share
// of the western coarse point, of that to the north its share of the southern one. The points with rank 2
// along both axes need none: going down their residual vanishes, going up they are smoothed first.
struct Interpolation {
  Axis axis0, axis1;
  const float* weights;

  __device__ __forceinline__ int coarse_size() const { return axis0.coarse.count * axis1.coarse.count; }
  // The place of a coarse point in the finer grid.
  __device__ __forceinline__ int fine(int i, int j) const {
    return axis0.coarse.fine(i) * axis1.size + axis1.coarse.fine(j);
  }
  __device__ __forceinline__ float east(int at) const { return weights[at]; }
  __device__ __forceinline__ float north(int at) const { return weights[coarse_size() + at]; }
};

// The residual at coarse point (i, j), and its shares of those of the fine points around it; `view` has z, at the
// coarse point and beside it.
template <class Operator, class View>
__device__ static __forceinline__ Pair<float> restricted(const Operator& a, const Interpolation& p, int i, int j,
                                                         const View& view) {
  const Coarsening &c0 = p.axis0.coarse, &c1 = p.axis1.coarse;
  const int fi = c0.fine(i), fj = c1.fine(j), west = before(j, c1.count), south = before(i, c0.count);
  const int rank0 = p.axis0.rank_of_coarse(i), rank1 = p.axis1.rank_of_coarse(j);
  Pair<float> sum = pair(0.f);
#pragma unroll 1
  for (int k = 0; k < 5; ++k) {  // here, east, west, north, south
    int x = fi, y = fj, along0 = rank0, along1 = rank1, di = 0, dj = 0;
    float weight = 1;
    if (k == 1 || k == 2) {
      const int cell = k == 1 ? j : west;
      if (cell == c1.gap) continue;
      const float share = p.east(i * c1.count + cell);
      weight = k == 1 ? share : 1 - share;
      y = c1.fine(cell) + 1;
      dj = k == 1 ? 1 : -1;
      along1 = 2;
    } else if (k > 2) {
      const int cell = k == 3 ? i : south;
      if (cell == c0.gap) continue;
      const float share = p.north(cell * c1.count + j);
      weight = k == 3 ? share : 1 - share;
      x = c0.fine(cell) + 1;
      di = k == 3 ? 1 : -1;
      along0 = 2;
    }
    const Node own = node_at(x, y, a.rows, a.cols);
    sum = sum + weight * residual(a, own, view.beside(own, di, dj), along0, along1, view.z);
  }
  return sum;
}

// Adds the coarse correction to z, at coarse point (i, j) and at the points to its east and north; z has the
// coarse point at `fine`, and rows that are `width` long.
__device__ static __forceinline__ void prolong(const Interpolation& p, int i, int j, const Pair<float>* correction,
                                               Pair<float>* z, int fine, int width) {
  const Coarsening &c0 = p.axis0.coarse, &c1 = p.axis1.coarse;
  const int at = i * c1.count + j;
  const Pair<float> own = correction[at];
  z[fine] = z[fine] + own;
  if (j != c1.gap) {
    const Pair<float> east = correction[i * c1.count + after(j, c1.count)];
    z[fine + 1] = z[fine + 1] + (east + p.east(at) * (own - east));
  }
  if (i != c0.gap) {
    const Pair<float> north = correction[after(i, c0.count) * c1.count + j];
    Pair<float>& to = z[fine + width];
    to = to + (north + p.north(at) * (own - north));
  }
}

// Weights of the points between coarse point (i, j) and its neighbours to the east and north.
template <class Operator>
__device__ static __forceinline__ void edge_weights(const Operator& a, const Interpolation& p, int i, int j,
                                                    float* weights) {
  const Coarsening &c0 = p.axis0.coarse, &c1 = p.axis1.coarse;
  const int at = i * c1.count + j, fi = c0.fine(i), fj = c1.fine(j);
  if (j != c1.gap) weights[at] = west_share<1>(a.row(fi, fj), fj + 1);
  if (i != c0.gap) weights[p.coarse_size() + at] = south_share<1>(a.row(fi + 1, fj), fj);
}

// What coarse cell (i, j) adds to the couplings of its corners. Those that no other cell adds to are
// written, two wait in `rest` for `gathered`.
template <class Operator>
__device__ static __forceinline__ void coarse_cell(const Operator& a, const Interpolation& p, int i, int j,
                                                   float* stencil, Pair<float>* rest) {
  const Coarsening &c0 = p.axis0.coarse, &c1 = p.axis1.coarse;
  const int at = i * c1.count + j, size = p.coarse_size(), fi = c0.fine(i), fj = c1.fine(j);
  const int east = after(j, c1.count), north = after(i, c0.count);
  const bool flat = i == c0.gap, narrow = j == c1.gap;
  const auto here = a.row(fi, fj), up = a.row(flat ? fi : fi + 1, fj);
  CellWeights<float> w = {};
  if (!narrow) {
    w.south = p.east(at);
    w.north = p.east(north * c1.count + j);
  }
  if (!flat) {
    w.west = p.north(at);
    w.east = p.north(i * c1.count + east);
  }
  CellCouplings<float> q;
  if (!flat && !narrow) {
    centre_weights<1>(up, fj + 1, w);
    full_cell<1>(here, up, fj, w, q);
  } else if (!flat) {
    narrow_cell<1>(here, up, fj, w, q);
  } else if (!narrow) {
    flat_cell<1>(here, fj, w, q);
  } else {
    point_cell<1>(here, fj, q);
  }
  stencil[at] = q.c01;
  stencil[size + at] = q.c02;
  stencil[2 * size + at] = q.c03;
  stencil[3 * size + i * c1.count + east] = q.c12;
  rest[at] = {q.c23, q.c13};
}

// Adds what waits. A grid that is one node wide along an axis is folded: a node that is its own neighbour
// has no coupling to itself, and its diagonal neighbours are plain ones.
__device__ static __forceinline__ void gathered(int i, int j, int rows, int cols, float* stencil,
                                                const Pair<float>* rest) {
  const int size = rows * cols;
  const Node x = node_at(i, j, rows, cols);
  float e = stencil[x.at()] + rest[x.south + j].x, n = stencil[size + x.at()] + rest[x.here + x.w].y;
  const float ne = stencil[2 * size + x.at()], nw = stencil[3 * size + x.at()];
  if (rows == 1) {
    e += ne + stencil[3 * size + x.here + x.e];
    n = 0;
  }
  if (cols == 1) {
    n = rows == 1 ? 0 : n + (ne + nw);
    e = 0;
  }
  stencil[x.at()] = e;
  stencil[size + x.at()] = n;
}

// 1 / Σ c, of couplings that are complete but for those that `gathered` has folded away.
template <class T>
__device__ static __forceinline__ void finished(int i, int j, int rows, int cols, T* stencil, float* dinv) {
  const int size = rows * cols;
  const Node x = node_at(i, j, rows, cols);
  float sum = (float(stencil[x.at()]) + float(stencil[x.here + x.w])) +
              (float(stencil[size + x.at()]) + float(stencil[size + x.south + j]));
  if (rows == 1 || cols == 1)
    stencil[2 * size + x.at()] = stencil[3 * size + x.at()] = 0;
  else
    sum += (float(stencil[2 * size + x.at()]) + float(stencil[3 * size + x.at()])) +
           (float(stencil[3 * size + x.south + x.e]) + float(stencil[2 * size + x.south + x.w]));
  dinv[x.at()] = inverse_or_zero(sum);
}

}  // namespace pearlite
