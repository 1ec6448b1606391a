// Transforms of real fields (n0, m, n) along their axes, in passes between which a kernel can work:
//
//   first axis    columns of the field, 2 L at a time, two of them as one complex column; of their
//                 transform the half k0 ≤ n0/2 is kept
//   middle axis   m = 1 in two dimensions
//   last axis     L rows (k0, k1) at a time, transposed so that each has a lane; here the spectrum is
//                 complete, and the inverse starts before it is ever written down
//
// Between the passes a half spectrum lies as (column blocks, rows k0 · m + k1, 2, 2 L): real parts of
// the block's columns, then imaginary ones. A block of columns is 2 L wide, so that the first and the
// last pass both read and write long runs.
//
// In two dimensions and for even n0, row 0 and row n0/2 are transforms of real columns and share a
// row, as its real and imaginary part: n0/2 rows fill the lanes where n0/2 + 1 would not.
#pragma once
#include "fourier/lanes.hpp"

namespace pearlite {

// The shape of a field, and of its half spectrum. Host and kernels of every instruction set agree on
// it, given the number of lanes.
struct SpectrumShape {
  int64_t n0, m, n;
  int lanes;

  bool packed() const { return m == 1 && n0 % 2 == 0; }
  int64_t rows() const { return (packed() ? n0 / 2 : n0 / 2 + 1) * m; }
  int64_t row_blocks() const { return (rows() + lanes - 1) / lanes; }
  int64_t column_blocks() const { return (n + 2 * lanes - 1) / (2 * lanes); }
  int64_t padded_rows() const { return row_blocks() * lanes; }
  // Numbers in a half spectrum as it lies between the passes, and in one complete (with the edge).
  int64_t half_size() const { return column_blocks() * padded_rows() * 4 * lanes; }
  int64_t full_size() const { return row_blocks() * n * 2 * lanes + (packed() ? 4 * n : 0); }
};

namespace PEARLITE_ISA {

// a becomes its transpose: L registers of L lanes.
template <class T>
PEARLITE_INLINE void transpose(Vec<T, register_lanes<T>>* a) {
  constexpr int L = register_lanes<T>;
  using R = typename Vec<T, L>::Register;
  typedef decltype(R{} < R{}) Mask;
  for (int h = 1; h < L; h *= 2) {
    Mask low{}, high{};
    for (int j = 0; j < L; ++j) {
      low[j] = j & h ? j - h + L : j;
      high[j] = j & h ? j + L : j + h;
    }
    for (int i = 0; i < L; ++i) {
      if (i & h) continue;
      const R p = a[i].r[0], q = a[i + h].r[0];
      a[i].r[0] = __builtin_shuffle(p, q, low);
      a[i + h].r[0] = __builtin_shuffle(p, q, high);
    }
  }
}

template <class T>
struct Axes {
  static constexpr int L = register_lanes<T>;
  using V = Vec<T, L>;
  using Z = Complex<T>;

  SpectrumShape shape;
  const AxisPlan<T>*first, *middle, *last;

  // Numbers in each of the two arrays x and y that a transform works in.
  int64_t work() const {
    int64_t most = first->work();
    if (middle->work() > most) most = middle->work();
    if (last->work() > most) most = last->work();
    return 2 * L * most;
  }
  int64_t columns() const { return shape.m * shape.column_blocks(); }  // blocks of the first pass
  T* row(T* half, int64_t block, int64_t q) const { return half + (block * shape.padded_rows() + q) * 4 * L; }

  // First axis of block c: load(i0, i1, j, count, to) gives `count` ≤ 2 L values of row (i0, i1) from
  // column j on.
  template <class Load>
  void forward_first(int64_t c, const Load& load, T* half, T* x, T* y) const {
    const int64_t i1 = c / shape.column_blocks(), block = c % shape.column_blocks();
    const int64_t j = block * 2 * L, left = shape.n - j;
    if (left >= 2 * L) {
      for (int64_t i0 = 0; i0 < shape.n0; ++i0) load(i0, i1, j, int64_t(2 * L), x + 2 * L * i0);
    } else {
      for (int64_t i0 = 0; i0 < shape.n0; ++i0) {
        for (int64_t k = left; k < 2 * L; ++k) x[2 * L * i0 + k] = 0;
        load(i0, i1, j, left, x + 2 * L * i0);
      }
    }
    split(transform<false>(*first, x, y), block, i1, half);
  }

  // The two real columns a + i b that were transformed as one.
  void split(const T* z, int64_t block, int64_t i1, T* half) const {
    const int64_t n0 = shape.n0;
    const T h = T(.5);
    const auto write = [&](int64_t k, const Z& a, const Z& b) {
      T* to = row(half, block, k * shape.m + i1);
      a.re.store(to), b.re.store(to + L), a.im.store(to + 2 * L), b.im.store(to + 3 * L);
    };
    const Z zero = get<T, false>(z, 0);
    if (shape.packed()) {
      const Z nyquist = get<T, false>(z, n0 / 2);
      write(0, {zero.re, nyquist.re}, {zero.im, nyquist.im});
    } else {
      write(0, {zero.re, V::all(0)}, {zero.im, V::all(0)});
    }
    const int64_t end = shape.packed() ? n0 / 2 : n0 / 2 + 1;
    for (int64_t k = 1; k < end; ++k) {
      const Z p = get<T, false>(z, k), q = get<T, false>(z, n0 - k);
      write(k, {h * (p.re + q.re), h * (p.im - q.im)}, {h * (p.im + q.im), h * (q.re - p.re)});
    }
  }

  // The inverse: x or y, whichever is returned, has (n0, 2 L) real columns.
  T* inverse_first(int64_t c, const T* half, T* x, T* y) const {
    const int64_t i1 = c / shape.column_blocks(), block = c % shape.column_blocks(), n0 = shape.n0;
    const auto read = [&](int64_t k, Z& a, Z& b) {
      const T* from = half + (block * shape.padded_rows() + k * shape.m + i1) * 4 * L;
      a = {V::load(from), V::load(from + 2 * L)}, b = {V::load(from + L), V::load(from + 3 * L)};
    };
    Z a, b;
    read(0, a, b);
    put<T, false>(x, 0, {a.re, b.re});
    if (shape.packed()) put<T, false>(x, n0 / 2, {a.im, b.im});
    const int64_t end = shape.packed() ? n0 / 2 : n0 / 2 + 1;
    for (int64_t k = 1; k < end; ++k) {
      read(k, a, b);
      put<T, false>(x, n0 - k, {a.re + b.im, b.re - a.im});
      put<T, false>(x, k, {a.re - b.im, a.im + b.re});  // last: for k = n0/2 both are this one
    }
    return transform<true>(*first, x, y);
  }

  // Middle axis, in place, of one plane k0 and one block of columns.
  template <bool inverse>
  void transform_middle(int64_t k0, int64_t block, T* half, T* x, T* y) const {
    T* plane = row(half, block, k0 * shape.m);
    for (int part = 0; part < 2; ++part) {
      for (int64_t i = 0; i < shape.m; ++i) {
        const T* from = plane + i * 4 * L + part * L;
        put<T, false>(x, i, {V::load(from), V::load(from + 2 * L)});
      }
      const T* z = transform<inverse>(*middle, x, y);
      for (int64_t i = 0; i < shape.m; ++i) {
        const Z value = get<T, false>(z, i);
        T* to = plane + i * 4 * L + part * L;
        value.re.store(to), value.im.store(to + 2 * L);
      }
    }
  }

  // Last axis of L rows: x or y, whichever is returned, has the spectrum (n, 2, L) of row block b.
  T* forward_last(int64_t b, const T* half, T* x, T* y) const {
    for (int64_t block = 0; block < shape.column_blocks(); ++block)
      for (int part = 0; part < 2; ++part) {
        const int64_t j = block * 2 * L + part * L;
        if (j >= shape.n) break;
        const T* from = half + (block * shape.padded_rows() + b * L) * 4 * L + part * L;
        for (int imaginary = 0; imaginary < 2; ++imaginary) {
          V tile[L];
          for (int i = 0; i < L; ++i) tile[i] = V::load(from + i * 4 * L + imaginary * 2 * L);
          transpose<T>(tile);
          const int64_t count = shape.n - j < L ? shape.n - j : L;
          for (int i = 0; i < count; ++i) tile[i].store(x + (j + i) * 2 * L + imaginary * L);
        }
      }
    return transform<false>(*last, x, y);
  }

  // The inverse, of x, into the half spectrum; y is work.
  void inverse_last(int64_t b, T* half, T* x, T* y) const {
    const T* z = transform<true>(*last, x, y);
    for (int64_t block = 0; block < shape.column_blocks(); ++block)
      for (int part = 0; part < 2; ++part) {
        const int64_t j = block * 2 * L + part * L;
        if (j >= shape.n) break;
        T* to = row(half, block, b * L) + part * L;
        for (int imaginary = 0; imaginary < 2; ++imaginary) {
          V tile[L];
          const int64_t count = shape.n - j < L ? shape.n - j : L;
          for (int i = 0; i < L; ++i)
            tile[i] = i < count ? V::load(z + (j + i) * 2 * L + imaginary * L) : V::all(0);
          transpose<T>(tile);
          for (int i = 0; i < L; ++i) tile[i].store(to + i * 4 * L + imaginary * 2 * L);
        }
      }
  }

  // Row 0 of a packed spectrum, taken apart: edge (2, n, 2) has the rows k0 = 0 and k0 = n0/2.
  void unpack(const T* z, T* edge) const {
    const int64_t n = shape.n;
    for (int64_t k = 0; k < n; ++k) {
      const T *p = z + k * 2 * L, *q = z + (k ? n - k : 0) * 2 * L;
      edge[2 * k] = T(.5) * (p[0] + q[0]), edge[2 * k + 1] = T(.5) * (p[L] - q[L]);
      edge[2 * (n + k)] = T(.5) * (p[L] + q[L]), edge[2 * (n + k) + 1] = T(.5) * (q[0] - p[0]);
    }
  }
  void pack(const T* edge, T* z) const {
    const T* nyquist = edge + 2 * shape.n;
    for (int64_t k = 0; k < shape.n; ++k) {
      z[k * 2 * L] = edge[2 * k] - nyquist[2 * k + 1];
      z[k * 2 * L + L] = edge[2 * k + 1] + nyquist[2 * k];
    }
  }
};

}  // namespace PEARLITE_ISA
}  // namespace pearlite
