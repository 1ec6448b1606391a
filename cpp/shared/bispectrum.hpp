// A term of the distance of bispectra and what it adds to the gradient, on host and device.
//
//   B(k1, k2) = f U(k2) conj(U(k1 + k2)), f = U(k1) / N
//
// T is float or double, and a number N one of them or a register of several.
#pragma once
#include "shared/formula.hpp"

namespace pearlite {

template <class N>
struct Complex {
  N re, im;
};

template <class A, class N>
PEARLITE_FORMULA Complex<N> times(const Complex<A>& a, const Complex<N>& b) {
  return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
}
// conj(a) b
template <class A, class N>
PEARLITE_FORMULA Complex<N> conjugate_times(const Complex<A>& a, const Complex<N>& b) {
  return {a.re * b.re + a.im * b.im, a.re * b.im - a.im * b.re};
}

// r = B − B* and the parts of Σ |r|² in Γ, with dL = 2 Re Σ_k conj(Γ(k)) dU(k), up to common factors.
template <class T, class N>
struct BispectrumTerm {
  Complex<N> v, r, q;  // f U(k2), r, r U(k1 + k2)

  PEARLITE_MEMBER BispectrumTerm(const Complex<T>& f, const Complex<N>& u, const Complex<N>& w,
                                 const Complex<N>& target)
      : v(times(f, u)), r(conjugate_times(w, v)) {
    r.re = r.re - target.re;
    r.im = r.im - target.im;
    q = times(r, w);
  }
  PEARLITE_MEMBER N square() const { return r.re * r.re + r.im * r.im; }
  PEARLITE_MEMBER Complex<N> at_first(const Complex<N>& u) const { return conjugate_times(u, q); }  // N times it
  PEARLITE_MEMBER Complex<N> at_second(const Complex<T>& f) const { return conjugate_times(f, q); }
  PEARLITE_MEMBER Complex<N> at_third() const { return conjugate_times(r, v); }
};

}  // namespace pearlite
