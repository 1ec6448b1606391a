// From one grid to the next coarser: operator-dependent interpolation (black-box multigrid: Dendy,
// J. Comput. Phys. 48, 366, 1982) and the Galerkin operator PᵀAP, as couplings.
//
// A = Σ c (δ_x − δ_y)(δ_x − δ_y)ᵀ over the fine couplings, hence PᵀAP = Σ c d dᵀ with
// d = P_x − P_y, the difference of two rows of weights. The row sums stay zero to the last bit.
#pragma once
#include "smooth.hpp"

namespace pearlite {
namespace PEARLITE_ISA {

// `odd` counts the odd sizes met so far on this axis. Each puts its gap elsewhere (1, 1/2, 1/4,
// 3/4, … of the way), since gaps that pile up make the point smoother fail there.
inline Coarsening coarsen(int n, int odd) {
  Coarsening c;
  c.count = (n + 1) / 2;
  if (n % 2 == 1) {
    double place = 1;
    for (double half = .5, k = odd; k >= 1; half /= 2, k = double(int(k) / 2))
      if (int(k) % 2 == 1) place -= half;
    const int gap = int(place * c.count + .5) - 1;
    c.gap = gap < 0 ? 0 : gap;
  }
  return c;
}

template <int C>
PEARLITE_INLINE Vec<float, C> share(const Vec<float, C>& one, const Vec<float, C>& other) {
  // Tensor pixels can make a side negative: then the interpolation is one-sided.
  const auto zero = Vec<float, C>::all(0), a = max(one, zero), b = max(other, zero);
  const auto total = a + b;
  Vec<float, C> w = a / max(total, Vec<float, C>::all(1e-30f));
  return min(w, Vec<float, C>::all(1));
}

template <int C, class Operator, class Poll>
void edge_weights(const Operator& a, Interpolation<C>& p, const Poll& poll) {
  for (int i = 0; i < p.rows.count; ++i) {
    poll(i);
    const int fi = p.rows.fine(i);
    const auto here = a.row(fi);
    float* w = p.weights + p.grid.at(i, 0) * p.node;
    for (int j = 0; j < p.cols.count; ++j, w += p.node) {
      const int64_t f = p.cols.fine(j);
      if (j != p.cols.gap) {
        const int64_t x = f + 1;
        share(here.template w<C>(x) + here.template nw<C>(x) + here.template sw<C>(x),
              here.template e<C>(x) + here.template ne<C>(x) + here.template se<C>(x))
            .store(w);
      }
      if (i != p.rows.gap) {
        const auto beyond = a.row(fi + 1);
        share(beyond.template s<C>(f) + beyond.template se<C>(f) + beyond.template sw<C>(f),
              beyond.template n<C>(f) + beyond.template ne<C>(f) + beyond.template nw<C>(f))
            .store(w + C);
      }
    }
  }
  Halo<float, C, 5>::all(p.grid, p.weights);
}

template <int C>
struct CellWeights {  // of the fine points of one coarse cell
  using V = Vec<float, C>;
  V south, north, west, east;  // edge points: the share of the west or south corner
  V sw, se, nw, ne;            // the centre point
};

template <int C>
PEARLITE_INLINE CellWeights<C> cell_weights(const Interpolation<C>& p, const float* w, const float* w_north) {
  using V = Vec<float, C>;
  CellWeights<C> c;
  c.south = V::load(w);
  c.north = V::load(w_north);
  c.west = V::load(w + C);
  c.east = V::load(w + p.node + C);
  return c;
}

template <int C, class Row>
PEARLITE_INLINE void centre_weights(const Row& a, int64_t x, CellWeights<C>& c) {
  using V = Vec<float, C>;
  const V one = V::all(1);
  const V n = a.template n<C>(x), s = a.template s<C>(x), e = a.template e<C>(x), w = a.template w<C>(x);
  const V sw = a.template sw<C>(x) + s * c.south + w * c.west;
  const V se = a.template se<C>(x) + s * (one - c.south) + e * c.east;
  const V nw = a.template nw<C>(x) + n * c.north + w * (one - c.west);
  const V ne = a.template ne<C>(x) + n * (one - c.north) + e * (one - c.east);
  // Over their own sum, so that a corner without a coupling gets exactly nothing.
  const V d = inverse_or_zero((sw + se) + (nw + ne));
  c.sw = d * sw;
  c.se = d * se;
  c.nw = d * nw;
  c.ne = d * ne;
}

// The couplings that one coarse cell adds between its corners, SW = 0, SE = 1, NW = 2, NE = 3.
template <int C>
struct CellCouplings {
  using V = Vec<float, C>;
  V c01 = V::all(0), c02 = V::all(0), c03 = V::all(0), c12 = V::all(0), c13 = V::all(0), c23 = V::all(0);

  // A fine coupling between two points whose weights differ by d.
  PEARLITE_INLINE void add(const V& c, const V& d0, const V& d1, const V& d2, const V& d3) {
    const V t0 = c * d0, t1 = c * d1, t2 = c * d2;
    c01 = c01 - t0 * d1;
    c02 = c02 - t0 * d2;
    c03 = c03 - t0 * d3;
    c12 = c12 - t1 * d2;
    c13 = c13 - t1 * d3;
    c23 = c23 - t2 * d3;
  }
};

// Each cell counts the fine couplings inside it and on its southern and western edge. `here` is
// the fine row of its southern corners, `up` the next one; f the fine column of its western ones.
template <int C, class Row>
PEARLITE_INLINE void full_cell(const Row& here, const Row& up, int64_t f, const CellWeights<C>& w,
                               CellCouplings<C>& q) {
  using V = Vec<float, C>;
  const V one = V::all(1), zero = V::all(0);
  const V s0 = w.south, s1 = one - w.south, n2 = w.north, n3 = one - w.north;
  const V w0 = w.west, w2 = one - w.west, e1 = w.east, e3 = one - w.east;
  q.c01 = q.c01 + here.template e<C>(f) * s1 * s1 + here.template e<C>(f + 1) * s0 * s0;
  q.c02 = q.c02 + here.template n<C>(f) * w2 * w2 + up.template n<C>(f) * w0 * w0;
  q.add(up.template e<C>(f), w0 - w.sw, zero - w.se, w2 - w.nw, zero - w.ne);
  q.add(up.template e<C>(f + 1), w.sw, w.se - e1, w.nw, w.ne - e3);
  q.add(here.template n<C>(f + 1), s0 - w.sw, s1 - w.se, zero - w.nw, zero - w.ne);
  q.add(up.template n<C>(f + 1), w.sw, w.se, w.nw - n2, w.ne - n3);
  q.add(here.template ne<C>(f), one - w.sw, zero - w.se, zero - w.nw, zero - w.ne);
  q.add(here.template nw<C>(f + 2), zero - w.sw, one - w.se, zero - w.nw, zero - w.ne);
  q.add(up.template nw<C>(f + 1), zero - w.sw, zero - w.se, one - w.nw, zero - w.ne);
  q.add(up.template ne<C>(f + 1), w.sw, w.se, w.nw, w.ne - one);
  q.add(here.template nw<C>(f + 1), s0 - w0, s1, zero - w2, zero);
  q.add(here.template ne<C>(f + 1), s0, s1 - e1, zero, zero - e3);
  q.add(up.template ne<C>(f), w0, zero, w2 - n2, zero - n3);
  q.add(up.template nw<C>(f + 2), zero, e1, zero - n2, e3 - n3);
}

// A cell without a fine column between its corners, and one without a fine row, and without both.
template <int C, class Row>
PEARLITE_INLINE void narrow_cell(const Row& here, const Row& up, int64_t f, const CellWeights<C>& w,
                                 CellCouplings<C>& q) {
  using V = Vec<float, C>;
  const V one = V::all(1), zero = V::all(0);
  const V w0 = w.west, w2 = one - w.west, e1 = w.east, e3 = one - w.east;
  q.c01 = q.c01 + here.template e<C>(f);
  q.c02 = q.c02 + here.template n<C>(f) * w2 * w2 + up.template n<C>(f) * w0 * w0;
  q.add(up.template e<C>(f), w0, zero - e1, w2, zero - e3);
  q.add(here.template ne<C>(f), one, zero - e1, zero, zero - e3);
  q.add(here.template nw<C>(f + 1), zero - w0, one, zero - w2, zero);
  q.add(up.template ne<C>(f), w0, zero, w2, zero - one);
  q.add(up.template nw<C>(f + 1), zero, e1, zero - one, e3);
}

template <int C, class Row>
PEARLITE_INLINE void flat_cell(const Row& here, int64_t f, const CellWeights<C>& w, CellCouplings<C>& q) {
  using V = Vec<float, C>;
  const V one = V::all(1), zero = V::all(0);
  const V s0 = w.south, s1 = one - w.south, n2 = w.north, n3 = one - w.north;
  q.c01 = q.c01 + here.template e<C>(f) * s1 * s1 + here.template e<C>(f + 1) * s0 * s0;
  q.c02 = q.c02 + here.template n<C>(f);
  q.add(here.template n<C>(f + 1), s0, s1, zero - n2, zero - n3);
  q.add(here.template ne<C>(f), one, zero, zero - n2, zero - n3);
  q.add(here.template nw<C>(f + 1), s0, s1, zero - one, zero);
  q.add(here.template ne<C>(f + 1), s0, s1, zero, zero - one);
  q.add(here.template nw<C>(f + 2), zero, one, zero - n2, zero - n3);
}

template <int C, class Row>
PEARLITE_INLINE void point_cell(const Row& here, int64_t f, CellCouplings<C>& q) {
  q.c01 = q.c01 + here.template e<C>(f);
  q.c02 = q.c02 + here.template n<C>(f);
  q.c03 = q.c03 + here.template ne<C>(f);
  q.c12 = q.c12 + here.template nw<C>(f + 1);
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
    CellWeights<C> c = cell_weights(p, w + node, w_north + node);
    CellCouplings<C> q;
    if (!flat && !narrow) {
      centre_weights(up, f + 1, c);
      c.sw.store(w + node + 2 * C);
      c.se.store(w + node + 3 * C);
      c.nw.store(w + node + 4 * C);
      full_cell(here, up, f, c, q);
    } else if (!flat) {
      narrow_cell(here, up, f, c, q);
    } else if (!narrow) {
      flat_cell(here, f, c, q);
    } else {
      point_cell(here, f, q);
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
