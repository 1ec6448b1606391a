// The ensembles of a microstructure's descriptor: e_r(x) of a field's values at x and x + r, and their
// derivatives, on host and device. P. Seibert, M. Ambati, A. Raßloff and M. Kästner, Comput. Mater. Sci. 196,
// 110455 (2021), eqs. (14), (15), (21) and (22).
//
// T is float or double, and a number N one of them or a register of several.
#pragma once
#include "shared/formula.hpp"

namespace pearlite {

// Of a field v, with v' = v(x + r):
//   product   e_r = v v', e_0 = v
//   logistic  e_r = f((v + v') / 2), f a logistic threshold
//   centred   the means of v v' and of v v(x + r) v(x + s): three factors instead of e_r e_s
enum class Form { product, logistic, centred };

// f(x) = scale / (1 + e^(−a (x − 3/4))) + shift with f(0) = 0 and f(1) = 1, a the steepness. In its place the
// field has g = e^(−a v / 2): then f((v + v') / 2) = scale / (1 + at_zero g g') + shift.
template <class T>
struct Logistic {
  T steepness, scale, shift, at_zero;
};

template <class T, Form form>
struct Ensemble {
  const Logistic<T>& f;

  // The correlations are means of left_r right_s.
  template <class A, class N>
  PEARLITE_MEMBER N left(const A& here, const N& there) const {
    if constexpr (form == Form::logistic) return f.shift + f.scale * sigmoid(here * there);
    else return here * there;
  }
  template <class A, class N>
  PEARLITE_MEMBER N right(const A& here, const N& there) const {
    if constexpr (form == Form::centred) return there;
    else return left(here, there);
  }
  // What the sums Σ_s C_rs e_s(x), C the symmetric cotangent of the correlations, and c_r, that of the mean of
  // e_r, add to the gradient at x (`own`) and at x + r (`other`).
  template <class N>
  PEARLITE_MEMBER void pull(const N& here, const N& there, const N& sum, T c, N& own, N& other) const {
    const N slope = c + (sum + sum);
    if constexpr (form == Form::logistic) {
      const N s = sigmoid(here * there);
      // Half of the threshold's slope: a pixel counts half in its argument.
      own = other = T(0.5) * f.steepness * f.scale * (s * (T(1) - s) * slope);
    } else {
      own = there * (form == Form::centred ? c + sum : slope);
      other = here * slope;
    }
  }

 private:
  template <class N>
  PEARLITE_MEMBER N sigmoid(const N& product) const {
    return T(1) / (T(1) + f.at_zero * product);
  }
};

}  // namespace pearlite
