// The slopes of bilinear fields on a pixel, and what the derivatives of the effective tensor make of them
// (see corrector/sensitivity.hpp), on host and device.
#pragma once
#include "shared/formula.hpp"

namespace pearlite {

// Mean slopes along both axes, in physical units, and twist u11 − u10 − u01 + u00.
template <class T>
struct Slope {
  T m0, m1, c;
};

// Of pixels of sizes h0 and h1: 1/2h, and 1/12h², which the twist's integrals take.
template <class T>
struct PixelScales {
  T half0, half1, twist0, twist1;
};
template <class T>
PEARLITE_FORMULA PixelScales<T> pixel_scales(const double* h) {
  return {T(.5 / h[0]), T(.5 / h[1]), T(1 / (12 * h[0] * h[0])), T(1 / (12 * h[1] * h[1]))};
}

// Of node values (first index: axis 0), with the unit mean gradient e that belongs to them.
template <class T>
PEARLITE_FORMULA Slope<T> slope_of(const PixelScales<T>& s, T u00, T u01, T u10, T u11, T e0, T e1) {
  const T west = u10 - u00, east = u11 - u01;
  return {e0 + s.half0 * (west + east), e1 + s.half1 * ((u01 - u00) + (u11 - u10)), east - west};
}

// V S of a pixel: the flux of mean slopes; and V00 c, V11 c.
template <class T>
struct Flux {
  T q0, q1, c0, c1;
};
template <class T>
PEARLITE_FORMULA Flux<T> flux_of(const T* v, bool tensor, const Slope<T>& s) {
  if (!tensor) return {v[0] * s.m0, v[0] * s.m1, v[0] * s.c, v[0] * s.c};
  const T cross = T(.5) * (v[1] + v[2]);
  return {v[0] * s.m0 + cross * s.m1, cross * s.m0 + v[3] * s.m1, v[0] * s.c, v[3] * s.c};
}

// The mean of p · V s over a pixel, given the flux of s.
template <class T>
PEARLITE_FORMULA T energy_of(const PixelScales<T>& s, const Slope<T>& p, const Flux<T>& f) {
  return p.m0 * f.q0 + p.m1 * f.q1 + p.c * (s.twist0 * f.c0 + s.twist1 * f.c1);
}

// What a flux sends out through the corners 00, 01, 10 and 11 of its pixel, in pixel coordinates.
template <class T>
PEARLITE_FORMULA void corner_loads(const PixelScales<T>& s, const Flux<T>& f, T* out) {
  const T a = s.half0 * f.q0, b = s.half1 * f.q1, c = s.twist0 * f.c0 + s.twist1 * f.c1;
  out[0] = a + b - c;
  out[1] = a - b + c;
  out[2] = -(a - b - c);
  out[3] = -(a + b + c);
}

// Σ_ij G_ij (P_i ⊗ Q_j), its trace or the symmetric tensor, added to `out`; g: (2, 2).
template <bool TENSOR, class T>
PEARLITE_FORMULA void contract_slopes(const PixelScales<T>& s, const T* g, const Slope<T>& p0, const Slope<T>& p1,
                                      const Slope<T>& q0, const Slope<T>& q1, T* out) {
  const T a0 = g[0] * q0.m0 + g[1] * q1.m0, b0 = g[2] * q0.m0 + g[3] * q1.m0;
  const T a1 = g[0] * q0.m1 + g[1] * q1.m1, b1 = g[2] * q0.m1 + g[3] * q1.m1;
  const T twist = p0.c * (g[0] * q0.c + g[1] * q1.c) + p1.c * (g[2] * q0.c + g[3] * q1.c);
  const T d00 = p0.m0 * a0 + p1.m0 * b0 + s.twist0 * twist, d11 = p0.m1 * a1 + p1.m1 * b1 + s.twist1 * twist;
  if constexpr (!TENSOR) {
    out[0] += d00 + d11;
  } else {
    const T cross = T(.5) * (p0.m0 * a1 + p1.m0 * b1 + p0.m1 * a0 + p1.m1 * b0);
    out[0] += d00;
    out[1] += cross;
    out[2] += cross;
    out[3] += d11;
  }
}

}  // namespace pearlite
