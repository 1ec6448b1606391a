// Rows of the bispectrum, compiled once for each instruction set.
#include "correlation/bispectrum.hpp"
#include "shared/bispectrum.hpp"
#include "shared/simd.hpp"

namespace pearlite {
namespace PEARLITE_ISA {
namespace {

// Where row k2 = (c, ·) and its partner k1 + k2 begin.
template <class T>
struct RowPair {
  const T *u_re, *u_im, *w_re, *w_im;  // U(k2), U(k1 + k2): n values each
  int64_t row, partner;                // of second (n0 m, n), and offset in third (n0 m, 2 n)
};

template <class T>
RowPair<T> row_pair(const BispectrumProblem<T>& p, int64_t a, int64_t b, int64_t c) {
  const int64_t rows = p.n0 * p.m, part = rows * 2 * p.n;
  const int64_t s0 = (a / p.m + c / p.m) % p.n0, s1 = (a % p.m + c % p.m) % p.m;
  const int64_t partner = (s0 * p.m + s1) * 2 * p.n + b;
  const T *u = p.transform + c * 2 * p.n, *w = p.transform + partner;
  return {u, u + part, w, w + part, c, partner};
}

template <class T>
Complex<T> factor(const BispectrumProblem<T>& p, int64_t a, int64_t b) {  // U(k1) / N
  const int64_t rows = p.n0 * p.m;
  const T scale = T(1. / double(rows * p.n));
  const T* u = p.transform + a * 2 * p.n + b;
  return {scale * u[0], scale * u[rows * 2 * p.n]};
}

template <class T>
void row(const BispectrumProblem<T>& p, int64_t a, int64_t b, T* out) {
  const auto f = factor(p, a, b);
  const int64_t rows = p.n0 * p.m;
  for (int64_t c = 0; c < rows; ++c) {
    const auto at = row_pair(p, a, b, c);
    T *re = out + c * p.n, *im = re + rows * p.n;
    for (int64_t d = 0; d < p.n; ++d) {
      const Complex<T> u = {at.u_re[d], at.u_im[d]}, w = {at.w_re[d], at.w_im[d]};
      const Complex<T> found = conjugate_times(w, times(f, u));
      re[d] = found.re;
      im[d] = found.im;
    }
  }
}

// A stretch of L values of a row, and what they add to the loss and to the three gradients.
template <class T, int L>
struct Stretch {
  using V = Vec<T, L>;
  V loss = V::all(0);
  Complex<V> first = {V::all(0), V::all(0)};

  PEARLITE_INLINE void add(const Complex<T>& f, T weight, const RowPair<T>& at, const T* b_re, const T* b_im,
                           T* second_re, T* second_im, T* third_re, T* third_im, int64_t d) {
    const Complex<V> u = {read(at.u_re + d), read(at.u_im + d)}, w = {read(at.w_re + d), read(at.w_im + d)};
    const BispectrumTerm<T, V> term(f, u, w, {read(b_re + d), read(b_im + d)});
    loss = loss + term.square();
    const Complex<V> one = term.at_first(u), two = term.at_second(f), three = term.at_third();
    first.re = first.re + one.re;
    first.im = first.im + one.im;
    write(second_re + d, read(second_re + d) + weight * two.re);
    write(second_im + d, read(second_im + d) + weight * two.im);
    write(third_re + d, read(third_re + d) + weight * three.re);
    write(third_im + d, read(third_im + d) + weight * three.im);
  }

  // Rows begin anywhere.
  typedef typename V::Register Unaligned __attribute__((aligned(sizeof(T))));
  static PEARLITE_INLINE V read(const T* p) {
    V v;
    for (int i = 0; i < V::registers; ++i) v.r[i] = *reinterpret_cast<const Unaligned*>(p + i * V::per_register);
    return v;
  }
  static PEARLITE_INLINE void write(T* p, const V& v) {
    for (int i = 0; i < V::registers; ++i) *reinterpret_cast<Unaligned*>(p + i * V::per_register) = v.r[i];
  }
  static double total(const V& v) {
    double sum = 0;
    for (int i = 0; i < V::registers; ++i)
      for (int k = 0; k < V::per_register; ++k) sum += double(v.r[i][k]);
    return sum;
  }
};

template <class T>
double add_row(const BispectrumProblem<T>& p, int64_t a, int64_t b, T* second, T* third) {
  constexpr int L = PEARLITE_REGISTER_BYTES / int(sizeof(T));
  const auto f = factor(p, a, b);
  const int64_t rows = p.n0 * p.m, size = rows * p.n;
  const T* target = p.target + (a * (p.n / 2 + 1) + b) * 2 * size;
  const T weight = b == 0 || 2 * b == p.n ? T(1) : T(2);
  double loss = 0, re = 0, im = 0;
  for (int64_t c = 0; c < rows; ++c) {
    const auto at = row_pair(p, a, b, c);
    const T *b_re = target + c * p.n, *b_im = b_re + size;
    T *s_re = second + c * p.n, *s_im = s_re + size, *t_re = third + at.partner, *t_im = t_re + 2 * size;
    Stretch<T, L> wide;
    Stretch<T, 1> single;
    int64_t d = 0;
    for (; d + L <= p.n; d += L) wide.add(f, weight, at, b_re, b_im, s_re, s_im, t_re, t_im, d);
    for (; d < p.n; ++d) single.add(f, weight, at, b_re, b_im, s_re, s_im, t_re, t_im, d);
    loss += wide.total(wide.loss) + single.total(single.loss);
    re += wide.total(wide.first.re) + single.total(single.first.re);
    im += wide.total(wide.first.im) + single.total(single.first.im);
  }
  const T share = weight / T(size);
  second[a * p.n + b] += share * T(re);
  second[size + a * p.n + b] += share * T(im);
  return double(weight) * loss;
}

}  // namespace

extern const BispectrumKernels<float> bispectrum32_table = {add_row<float>, row<float>};
extern const BispectrumKernels<double> bispectrum64_table = {add_row<double>, row<double>};

}  // namespace PEARLITE_ISA
}  // namespace pearlite
