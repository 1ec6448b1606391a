// What conjugate gradients compute at a node or a pixel of the finest grid of a cell. Q1 on a pixel with
// node values u00, u10, u01, u11 (first index: axis 0):
//   m0 = mean slope along axis 0, m1 = along axis 1, c = u11 − u10 − u01 + u00,
//   ∫ ∇u·A∇v = A00 (m0 m0' + cc'/12) + A11 (m1 m1' + cc'/12) + A01 (m0 m1' + m1 m0').
#pragma once
#include "cycle.cuh"

namespace pearlite {

template <class T>
__device__ static __forceinline__ Pair<T> times(Pair<T> a, Pair<T> b) { return {a.x * b.x, a.y * b.y}; }

// A00, A11 and A01 of a pixel, in the kernels' units, in which it is a unit square.
struct Tensor {
  REAL a00, a11, a01;
};
__device__ static __forceinline__ Tensor tensor_at(const Pixels& pixels, const Known& known, Size cell, Size at) {
  const double s0 = pixels.shrink[0], s1 = pixels.shrink[1];
  const double first = scaled(pixels.entry(cell, at, 0), known);
  if (!pixels.tensor) return {REAL(first * s0 * s0), REAL(first * s1 * s1), REAL(0)};
  const double cross = .5 * (pixels.entry(cell, at, 1) + pixels.entry(cell, at, 2)) * known.scale;
  return {REAL(first * s0 * s0), REAL(scaled(pixels.entry(cell, at, 3), known) * s1 * s1), REAL(cross * s0 * s1)};
}

// Reads a pixel. Of tensors p and u hold the entries, A00, A11 and A01, until these fields begin.
__device__ static __forceinline__ void take_pixel(const Pixels& pixels, const Known& known, Size cell, int at,
                                                  const Memory& m) {
#if TENSOR
  const Tensor t = tensor_at(pixels, known, cell, at);
  m.p[at] = {t.a00, t.a11};
  m.u[at] = {t.a01, 0};
#else
  m.couplings[at] = REAL(1. / 6) * REAL(scaled(pixels.entry(cell, at, 0), known));
#endif
}

// Of a node: its couplings, and the load vector −∫ ∇φ·A e; the pixel to its north-east adds e·A e to
// `mean`. What pixels hold may be gone afterwards only behind a barrier.
__device__ static __forceinline__ Pair<REAL> take_node(const Node& x, int size, const Memory& m, double* mean) {
#if TENSOR
  const auto tensor = [&](int at) { return Tensor{m.p[at].x, m.p[at].y, m.u[at].x}; };
  const Tensor ne = tensor(x.at()), se = tensor(x.south + x.j), nw = tensor(x.here + x.w), sw = tensor(x.south + x.w);
  const REAL third = REAL(1. / 3), sixth = REAL(1. / 6), half = REAL(.5);
  REAL* out = m.couplings + x.at();
  out[0] = third * (ne.a11 + se.a11) - sixth * (ne.a00 + se.a00);
  out[size] = third * (ne.a00 + nw.a00) - sixth * (ne.a11 + nw.a11);
  // NOLINTBEGIN(bugprone-implicit-widening-of-multiplication-result): 32 bits hold a cell
  out[2 * size] = sixth * (ne.a00 + ne.a11) + half * ne.a01;
  out[3 * size] = sixth * (nw.a00 + nw.a11) - half * nw.a01;
  // NOLINTEND(bugprone-implicit-widening-of-multiplication-result)
  mean[0] += double(ne.a00);
  mean[1] += double(ne.a11);
  // The four pixels around the node send the flux A e out through their corner.
  const REAL flux0 = half * (((ne.a00 + ne.a01) + (se.a01 - se.a00)) + ((nw.a00 - nw.a01) - (sw.a00 + sw.a01)));
  const REAL flux1 = half * (((ne.a01 + ne.a11) + (se.a11 - se.a01)) + ((nw.a01 - nw.a11) - (sw.a01 + sw.a11)));
  return {flux0, flux1};
#else
  (void)size;
  const REAL* k = m.couplings;
  const REAL ne = k[x.at()], nw = k[x.here + x.w], se = k[x.south + x.j], sw = k[x.south + x.w];
  mean[0] += 6 * double(ne);
  mean[1] += 6 * double(ne);
  const REAL up = ne - sw, down = nw - se;
  return {REAL(3) * (up + down), REAL(3) * (up - down)};
#endif
}

__device__ static __forceinline__ void take_diagonal(int i, int j, int rows, int cols, const Memory& m) {
#if TENSOR
  finished(i, j, rows, cols, m.couplings, m.dinv);
#else
  const REAL* k = m.couplings;
  const Node x = node_at(i, j, rows, cols);
  const float ne = float(k[x.at()]), nw = float(k[x.here + x.w]), se = float(k[x.south + j]),
              sw = float(k[x.south + x.w]);
  m.dinv[x.at()] = inverse_or_zero(4.f * ((ne + nw) + (se + sw)));
#endif
}

// Of the loads' coefficients.
__device__ static __forceinline__ Pair<REAL> pair_of(const double* both) { return {REAL(both[0]), REAL(both[1])}; }

// z + βp, the next direction.
__device__ static __forceinline__ Pair<REAL> direction(Pair<float> z, Pair<REAL> beta, Pair<REAL> p) {
  return rounded<REAL>(z) + times(beta, p);
}

template <class T>
__device__ static __forceinline__ void add_products(Pair<T> a, Pair<T> b, double* sums) {
  sums[0] += double(a.x * b.x);
  sums[1] += double(a.y * b.y);
}

// A p at a node; p has node x of the grid at its node y.
__device__ static __forceinline__ Pair<REAL> product(const Finest& a, const Node& x, const Node& y,
                                                     const Pair<REAL>* p) {
  const Pair<REAL>*row = p + y.here, *north = p + y.north, *south = p + y.south;
  const Pair<REAL> own = row[y.j];
#if TENSOR
  const auto flow = [&](int piece, int from, const Pair<REAL>& other) { return a.coupling(piece, from) * (own - other); };
  return (flow(0, x.at(), row[y.e]) + flow(0, x.here + x.w, row[y.w])) +
         (flow(1, x.at(), north[y.j]) + flow(1, x.south + x.j, south[y.j])) +
         (flow(2, x.at(), north[y.e]) + flow(2, x.south + x.w, south[y.w])) +
         (flow(3, x.at(), north[y.w]) + flow(3, x.south + x.e, south[y.e]));
#else
  const REAL ne = a.k[x.at()], nw = a.k[x.here + x.w], se = a.k[x.south + x.j], sw = a.k[x.south + x.w];
  const REAL e = ne + se, w = nw + sw;
  const Pair<REAL> edges = e * row[y.e] + w * row[y.w] + (ne + nw) * north[y.j] + (se + sw) * south[y.j];
  const Pair<REAL> corners = ne * north[y.e] + nw * north[y.w] + se * south[y.e] + sw * south[y.w];
  return (REAL(4) * (e + w)) * own - (edges + REAL(2) * corners);
#endif
}

// Adds (e_i + ∇u_i)·A (e_j + ∇u_j) of the pixel to the north-east of a node: 00, 11 and 01; twice that of
// a pixel above the threshold, if that is not 0.
__device__ static __forceinline__ void energy(const Pixels& pixels, const Known& known, Size cell, const Finest& a,
                                              const Node& x, const Pair<REAL>* u, double threshold, double* sums) {
  const Pair<REAL> u00 = u[x.at()], u01 = u[x.here + x.e], u10 = u[x.north + x.j], u11 = u[x.north + x.e];
  const Pair<REAL> west = u10 - u00, east = u11 - u01, c = east - west;
  const Pair<REAL> m0 = Pair<REAL>{1, 0} + REAL(.5) * (west + east);
  const Pair<REAL> m1 = Pair<REAL>{0, 1} + REAL(.5) * ((u01 - u00) + (u11 - u10));
#if TENSOR
  const Tensor t = tensor_at(pixels, known, cell, x.at());
  const REAL largest = t.a00 > t.a11 ? t.a00 : t.a11;
  const Pair<REAL> q0 = t.a00 * m0 + t.a01 * m1, q1 = t.a01 * m0 + t.a11 * m1;
  const Pair<REAL> qc = (REAL(1. / 12) * (t.a00 + t.a11)) * c;
  (void)a;
#else
  const REAL largest = REAL(6) * a.k[x.at()];
  const Pair<REAL> q0 = largest * m0, q1 = largest * m1, qc = (REAL(1. / 6) * largest) * c;
  (void)pixels;
  (void)known;
  (void)cell;
#endif
  const double times_counted = threshold > 0 && largest > REAL(threshold) ? 2 : 1;
  const Pair<REAL> own = times(m0, q0) + times(m1, q1) + times(c, qc);
  sums[0] += times_counted * double(own.x);
  sums[1] += times_counted * double(own.y);
  sums[2] += times_counted * double(m0.y * q0.x + m1.y * q1.x + c.y * qc.x);
}

}  // namespace pearlite
