// From one grid to the next coarser: operator-dependent interpolation (black-box multigrid: Dendy,
// J. Comput. Phys. 48, 366, 1982) and the Galerkin operator PᵀAP, as couplings. What one coarse cell
// adds is in shared/coarse_cells.hpp.
#pragma once
#include "shared/coarse_cells.hpp"
#include "smooth.hpp"

namespace pearlite {
namespace PEARLITE_ISA {

template <int C, class Operator, class Poll>
void edge_weights(const Operator& a, Interpolation<C>& p, const Poll& poll) {
  for (int i = 0; i < p.rows.count; ++i) {
    poll(i);
    const int fi = p.rows.fine(i);
    const auto here = a.row(fi);
    float* w = p.weights + p.grid.at(i, 0) * p.node;
    for (int j = 0; j < p.cols.count; ++j, w += p.node) {
      const int64_t f = p.cols.fine(j);
      if (j != p.cols.gap) west_share<C>(here, f + 1).store(w);
      if (i != p.rows.gap) south_share<C>(a.row(fi + 1), f).store(w + C);
    }
  }
  Halo<float, C, 5>::all(p.grid, p.weights);
}

template <int C>
PEARLITE_INLINE CellWeights<Vec<float, C>> cell_weights(const Interpolation<C>& p, const float* w, const float* w_north) {
  using V = Vec<float, C>;
  CellWeights<V> c;
  c.south = V::load(w);
  c.north = V::load(w_north);
  c.west = V::load(w + C);
  c.east = V::load(w + p.node + C);
  return c;
}

// One row of coarse cells: their centre weights, and what they add to the coarse stencil.
template <int C, class Operator>
void coarse_row(const Operator& a, Interpolation<C>& p, StencilOperator<float, C>& coarse, int i) {
  using V = Vec<float, C>;
  const int fi = p.rows.fine(i);
  const bool flat = i == p.rows.gap;
  const auto here = a.row(fi), up = a.row(flat ? fi : fi + 1);
  float* w = p.weights + p.grid.at(i, 0) * p.node;
  const float* w_north = p.weights + p.grid.at(i + 1, 0) * p.node;
  float* out = coarse.stencil + coarse.grid.at(i, 0) * coarse.node;
  float* beyond = coarse.stencil + coarse.grid.at(i + 1, 0) * coarse.node;
  V carry = V::all(0);
  for (int j = 0; j < p.cols.count; ++j) {
    const int64_t f = p.cols.fine(j), node = int64_t(j) * coarse.node;
    const bool narrow = j == p.cols.gap;
    CellWeights<V> c = cell_weights(p, w + node, w_north + node);
    CellCouplings<V> q;
    if (!flat && !narrow) {
      centre_weights<C>(up, f + 1, c);
      c.sw.store(w + node + 2 * C);
      c.se.store(w + node + 3 * C);
      c.nw.store(w + node + 4 * C);
      full_cell<C>(here, up, f, c, q);
    } else if (!flat) {
      narrow_cell<C>(here, up, f, c, q);
    } else if (!narrow) {
      flat_cell<C>(here, f, c, q);
    } else {
      point_cell<C>(here, f, q);
    }
    (V::load(out + node) + q.c01).store(out + node);
    (q.c02 + carry).store(out + node + C);
    q.c03.store(out + node + 2 * C);
    q.c12.store(out + int64_t(j + 1 == p.cols.count ? 0 : j + 1) * coarse.node + 3 * C);
    q.c23.store(beyond + node);
    carry = q.c13;
  }
  (V::load(out + C) + carry).store(out + C);
}

// Interpolation between `a` and the coarse grid, and the coarse operator. poll(i) is called at each row.
template <int C, class Operator, class Poll>
void galerkin(const Operator& a, Interpolation<C>& p, StencilOperator<float, C>& coarse, const Poll& poll) {
  using V = Vec<float, C>;
  const Grid& g = coarse.grid;
  edge_weights(a, p, poll);
  float* first = coarse.stencil + g.at(0, 0) * coarse.node;
  for (int j = 0; j < g.cols; ++j) V::all(0).store(first + int64_t(j) * coarse.node);
  for (int i = 0; i < g.rows; ++i) {
    poll(i);
    coarse_row(a, p, coarse, i);
  }
  const StripLanes lanes(g.strips);
  const float* beyond = coarse.stencil + g.at(g.rows, 0) * coarse.node;
  for (int j = 0; j < g.cols; ++j) {
    const V v = V::load(beyond + int64_t(j) * coarse.node);
    float* e = first + int64_t(j) * coarse.node;
    (V::load(e) + (g.strips == 1 ? v : permute(v, lanes.south))).store(e);
  }
  complete(coarse);
}

}  // namespace PEARLITE_ISA
}  // namespace pearlite
