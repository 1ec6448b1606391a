// Complex Fourier transforms of as many sequences side by side as a register has lanes.
//
// Element j of a sequence is 2 L numbers: the real parts of L lanes, then their imaginary parts.
// Passes follow Stockham: they need no reordering, and go to and fro between two arrays.
#pragma once
#include "fourier/plan.hpp"
#include "shared/simd.hpp"

namespace pearlite {
namespace PEARLITE_ISA {

template <class T>
constexpr int register_lanes = PEARLITE_REGISTER_BYTES / int(sizeof(T));

template <class T>
struct Complex {
  using V = Vec<T, register_lanes<T>>;
  V re, im;

  PEARLITE_INLINE Complex operator+(const Complex& b) const { return {re + b.re, im + b.im}; }
  PEARLITE_INLINE Complex operator-(const Complex& b) const { return {re - b.re, im - b.im}; }
  // −i times it
  PEARLITE_INLINE Complex turned() const { return {im, V::all(0) - re}; }
  PEARLITE_INLINE Complex times(T c, T s) const { return {c * re - s * im, c * im + s * re}; }
};

// Element e of an array; an inverse transform is a forward one with both parts exchanged.
template <class T, bool inverse>
PEARLITE_INLINE Complex<T> get(const T* x, int64_t e) {
  constexpr int L = register_lanes<T>;
  using V = Vec<T, L>;
  return {V::load(x + 2 * L * e + (inverse ? L : 0)), V::load(x + 2 * L * e + (inverse ? 0 : L))};
}
template <class T, bool inverse>
PEARLITE_INLINE void put(T* x, int64_t e, const Complex<T>& z) {
  constexpr int L = register_lanes<T>;
  z.re.store(x + 2 * L * e + (inverse ? L : 0));
  z.im.store(x + 2 * L * e + (inverse ? 0 : L));
}

// The transform of r values in place.
template <int r>
struct Butterfly;

template <>
struct Butterfly<2> {
  template <class T>
  static PEARLITE_INLINE void apply(Complex<T>* a) {
    const Complex<T> b = a[0] - a[1];
    a[0] = a[0] + a[1];
    a[1] = b;
  }
};

template <>
struct Butterfly<4> {
  template <class T>
  static PEARLITE_INLINE void apply(Complex<T>* a) {
    const Complex<T> s0 = a[0] + a[2], d0 = a[0] - a[2], s1 = a[1] + a[3], d1 = (a[1] - a[3]).turned();
    a[0] = s0 + s1;
    a[1] = d0 + d1;
    a[2] = s0 - s1;
    a[3] = d0 - d1;
  }
};

template <>
struct Butterfly<8> {
  template <class T>
  static PEARLITE_INLINE void apply(Complex<T>* a) {
    constexpr T h = T(0.70710678118654752440);
    Complex<T> even[4] = {a[0] + a[4], a[1] + a[5], a[2] + a[6], a[3] + a[7]};
    const Complex<T> d1 = a[1] - a[5], d3 = a[3] - a[7];
    Complex<T> odd[4] = {a[0] - a[4],
                         {h * (d1.re + d1.im), h * (d1.im - d1.re)},
                         (a[2] - a[6]).turned(),
                         {h * (d3.im - d3.re), h * (Complex<T>::V::all(0) - d3.re - d3.im)}};
    Butterfly<4>::apply(even);
    Butterfly<4>::apply(odd);
    for (int k = 0; k < 4; ++k) a[2 * k] = even[k], a[2 * k + 1] = odd[k];
  }
};

// cos and sin of 2π k / r for k = 1 … (r − 1)/2.
template <int r>
struct Roots;
template <>
struct Roots<3> {
  static constexpr double cosine[] = {-.5};
  static constexpr double sine[] = {.86602540378443864676};
};
template <>
struct Roots<5> {
  static constexpr double cosine[] = {.30901699437494742410, -.80901699437494742410};
  static constexpr double sine[] = {.95105651629515357212, .58778525229247312917};
};
template <>
struct Roots<7> {
  static constexpr double cosine[] = {.62348980185873353053, -.22252093395631440429, -.90096886790241912624};
  static constexpr double sine[] = {.78183148246802980871, .97492791218182360702, .43388373911755812048};
};
template <>
struct Roots<11> {
  static constexpr double cosine[] = {.84125353283118116886, .41541501300188642553, -.14231483827328514044,
                                      -.65486073394528506406, -.95949297361449738990};
  static constexpr double sine[] = {.54064081745559758211, .90963199535451837141, .98982144188093273238,
                                    .75574957435425828377, .28173255684142969771};
};
template <>
struct Roots<13> {
  static constexpr double cosine[] = {.88545602565320989590, .56806474673115580251, .12053668025532305335,
                                      -.35460488704253562597, -.74851074817110109863, -.97094181742605202716};
  static constexpr double sine[] = {.46472317204376854566, .82298386589365639458, .99270887409805399280,
                                    .93501624268541482344, .66312265824079520238, .23931566428755776715};
};

template <int r>
struct Butterfly {
  template <class T>
  static PEARLITE_INLINE void apply(Complex<T>* a) {
    constexpr int half = (r - 1) / 2;
    Complex<T> sum[half], difference[half];
    Complex<T> total = a[0];
    for (int t = 0; t < half; ++t) {
      sum[t] = a[t + 1] + a[r - 1 - t];
      difference[t] = (a[t + 1] - a[r - 1 - t]).turned();
      total = total + sum[t];
    }
    for (int k = 1; k <= half; ++k) {
      Complex<T> even = a[0], odd = {Complex<T>::V::all(0), Complex<T>::V::all(0)};
      for (int t = 1; t <= half; ++t) {
        const int turn = k * t % r;  // cos is even about half a turn and sin odd
        const bool beyond = turn > half;
        const int at = (beyond ? r - turn : turn) - 1;
        const T c = T(Roots<r>::cosine[at]), s = beyond ? -T(Roots<r>::sine[at]) : T(Roots<r>::sine[at]);
        even = {even.re + c * sum[t - 1].re, even.im + c * sum[t - 1].im};
        odd = {odd.re + s * difference[t - 1].re, odd.im + s * difference[t - 1].im};
      }
      a[k] = even + odd;
      // Not used again as an input: sums and differences hold what is left to read.
      a[r - k] = even - odd;
    }
    a[0] = total;
  }
};

// One pass of radix r over `left` = r m points, each repeated at `stride` places.
template <int r, bool inverse, class T>
void radix_pass(const T* x, T* y, int64_t left, int64_t stride, const T* twiddles) {
  const int64_t m = left / r;
  for (int64_t p = 0; p < m; ++p, twiddles += 2 * (r - 1))
    for (int64_t q = 0; q < stride; ++q) {
      Complex<T> a[r];
      for (int t = 0; t < r; ++t) a[t] = get<T, inverse>(x, q + stride * (p + m * t));
      Butterfly<r>::apply(a);
      put<T, inverse>(y, q + stride * r * p, a[0]);
      for (int t = 1; t < r; ++t) {
        if (p > 0) a[t] = a[t].times(twiddles[2 * t - 2], twiddles[2 * t - 1]);
        put<T, inverse>(y, q + stride * (r * p + t), a[t]);
      }
    }
}

template <bool inverse, class T>
T* passes(const AxisPlan<T>& plan, T* x, T* y) {
  int64_t left = plan.n, stride = 1;
  for (int i = 0; i < plan.passes; ++i) {
    const int r = plan.radix[i];
    const T* w = plan.twiddles[i];
    switch (r) {
      case 2: radix_pass<2, inverse>(x, y, left, stride, w); break;
      case 3: radix_pass<3, inverse>(x, y, left, stride, w); break;
      case 4: radix_pass<4, inverse>(x, y, left, stride, w); break;
      case 5: radix_pass<5, inverse>(x, y, left, stride, w); break;
      case 7: radix_pass<7, inverse>(x, y, left, stride, w); break;
      case 8: radix_pass<8, inverse>(x, y, left, stride, w); break;
      case 11: radix_pass<11, inverse>(x, y, left, stride, w); break;
      default: radix_pass<13, inverse>(x, y, left, stride, w); break;
    }
    left /= r;
    stride *= r;
    T* other = x;
    x = y;
    y = other;
  }
  return x;
}

template <bool inverse, class T>
T* chirp_transform(const AxisPlan<T>& plan, T* x, T* y) {
  const AxisPlan<T>& wide = *plan.padded;
  for (int64_t j = 0; j < plan.n; ++j)
    put<T, inverse>(x, j, get<T, inverse>(x, j).times(plan.chirp[2 * j], plan.chirp[2 * j + 1]));
  const auto zero = Complex<T>::V::all(0);
  for (int64_t j = plan.n; j < wide.n; ++j) put<T, inverse>(x, j, {zero, zero});
  T* z = passes<inverse>(wide, x, y);
  for (int64_t k = 0; k < wide.n; ++k)
    put<T, inverse>(z, k, get<T, inverse>(z, k).times(plan.spectrum[2 * k], plan.spectrum[2 * k + 1]));
  z = passes<!inverse>(wide, z, z == x ? y : x);
  for (int64_t k = 0; k < plan.n; ++k)
    put<T, inverse>(z, k, get<T, inverse>(z, k).times(plan.chirp[2 * k], plan.chirp[2 * k + 1]));
  return z;
}

// The unnormalized transform of x with exp(∓2πi jk/n); x and y have plan.work() elements, and the
// result is in the one that is returned.
template <bool inverse, class T>
T* transform(const AxisPlan<T>& plan, T* x, T* y) {
  return plan.padded ? chirp_transform<inverse>(plan, x, y) : passes<inverse>(plan, x, y);
}

}  // namespace PEARLITE_ISA
}  // namespace pearlite
