// What one cell of the coarse grid adds to the Galerkin operator PᵀAP, and the weights of the fine
// points in it (black-box multigrid: Dendy, J. Comput. Phys. 48, 366, 1982), on host and device.
//
// A = Σ c (δ_x − δ_y)(δ_x − δ_y)ᵀ over the fine couplings, hence PᵀAP = Σ c d dᵀ with
// d = P_x − P_y, the difference of two rows of weights. The row sums stay zero to the last bit.
//
// V says what a number is: float, or a vector with one for each of several cells. A Row gives the
// couplings of a node j of its row by e<C>(j), n<C>(j), …, C being the vector's length.
#pragma once
#include "shared/inverse.hpp"

namespace pearlite {

template <class V>
struct Constant {
  static PEARLITE_MEMBER V all(float x) { return V::all(x); }
};
template <>
struct Constant<float> {
  static PEARLITE_MEMBER float all(float x) { return x; }
};
PEARLITE_FORMULA float max(float a, float b) { return a > b ? a : b; }
PEARLITE_FORMULA float min(float a, float b) { return a < b ? a : b; }

// What a point between two coarse ones takes of the first, of its couplings towards both sides.
template <class V>
PEARLITE_FORMULA V share(const V& one, const V& other) {
  // Tensor pixels can make a side negative: then the interpolation is one-sided.
  const auto zero = Constant<V>::all(0), a = max(one, zero), b = max(other, zero);
  const auto total = a + b;
  V w = a / max(total, Constant<V>::all(1e-30f));
  return min(w, Constant<V>::all(1));
}

// Of the point x between two coarse ones of its row; of point f between two coarse ones of its column.
template <int C, class Row>
PEARLITE_FORMULA auto west_share(const Row& a, long long x) {
  return share(a.template w<C>(x) + a.template nw<C>(x) + a.template sw<C>(x),
               a.template e<C>(x) + a.template ne<C>(x) + a.template se<C>(x));
}
template <int C, class Row>
PEARLITE_FORMULA auto south_share(const Row& a, long long f) {
  return share(a.template s<C>(f) + a.template se<C>(f) + a.template sw<C>(f),
               a.template n<C>(f) + a.template ne<C>(f) + a.template nw<C>(f));
}

template <class V>
struct CellWeights {  // of the fine points of one coarse cell
  V south, north, west, east;  // edge points: the share of the west or south corner
  V sw, se, nw, ne;            // the centre point
};

template <int C, class Row, class V>
PEARLITE_FORMULA void centre_weights(const Row& a, long long x, CellWeights<V>& c) {
  const V one = Constant<V>::all(1);
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
template <class V>
struct CellCouplings {
  V c01 = Constant<V>::all(0), c02 = c01, c03 = c01, c12 = c01, c13 = c01, c23 = c01;

  // A fine coupling between two points whose weights differ by d.
  PEARLITE_MEMBER void add(const V& c, const V& d0, const V& d1, const V& d2, const V& d3) {
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
template <int C, class Row, class V>
PEARLITE_FORMULA void full_cell(const Row& here, const Row& up, long long f, const CellWeights<V>& w,
                               CellCouplings<V>& q) {
  const V one = Constant<V>::all(1), zero = Constant<V>::all(0);
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
template <int C, class Row, class V>
PEARLITE_FORMULA void narrow_cell(const Row& here, const Row& up, long long f, const CellWeights<V>& w,
                                 CellCouplings<V>& q) {
  const V one = Constant<V>::all(1), zero = Constant<V>::all(0);
  const V w0 = w.west, w2 = one - w.west, e1 = w.east, e3 = one - w.east;
  q.c01 = q.c01 + here.template e<C>(f);
  q.c02 = q.c02 + here.template n<C>(f) * w2 * w2 + up.template n<C>(f) * w0 * w0;
  q.add(up.template e<C>(f), w0, zero - e1, w2, zero - e3);
  q.add(here.template ne<C>(f), one, zero - e1, zero, zero - e3);
  q.add(here.template nw<C>(f + 1), zero - w0, one, zero - w2, zero);
  q.add(up.template ne<C>(f), w0, zero, w2, zero - one);
  q.add(up.template nw<C>(f + 1), zero, e1, zero - one, e3);
}

template <int C, class Row, class V>
PEARLITE_FORMULA void flat_cell(const Row& here, long long f, const CellWeights<V>& w, CellCouplings<V>& q) {
  const V one = Constant<V>::all(1), zero = Constant<V>::all(0);
  const V s0 = w.south, s1 = one - w.south, n2 = w.north, n3 = one - w.north;
  q.c01 = q.c01 + here.template e<C>(f) * s1 * s1 + here.template e<C>(f + 1) * s0 * s0;
  q.c02 = q.c02 + here.template n<C>(f);
  q.add(here.template n<C>(f + 1), s0, s1, zero - n2, zero - n3);
  q.add(here.template ne<C>(f), one, zero, zero - n2, zero - n3);
  q.add(here.template nw<C>(f + 1), s0, s1, zero - one, zero);
  q.add(here.template ne<C>(f + 1), s0, s1, zero, zero - one);
  q.add(here.template nw<C>(f + 2), zero, one, zero - n2, zero - n3);
}

template <int C, class Row, class V>
PEARLITE_FORMULA void point_cell(const Row& here, long long f, CellCouplings<V>& q) {
  q.c01 = q.c01 + here.template e<C>(f);
  q.c02 = q.c02 + here.template n<C>(f);
  q.c03 = q.c03 + here.template ne<C>(f);
  q.c12 = q.c12 + here.template nw<C>(f + 1);
}

}  // namespace pearlite
