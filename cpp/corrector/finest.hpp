// The finest grid: conductivities of the pixels, and everything that is computed from them there.
// T is the precision of conjugate gradients; the multigrid cycle always runs in float.
//
// Q1 on a pixel with node values u00, u10, u01, u11 (first index: axis 0):
//   m0 = mean slope along axis 0, m1 = along axis 1, c = u11 − u10 − u01 + u00,
//   ∫ ∇u·A∇v = A00 (m0 m0' + cc'/12) + A11 (m1 m1' + cc'/12) + A01 (m0 m1' + m1 m0').
#pragma once
#include "operators.hpp"

namespace pearlite {
namespace PEARLITE_ISA {

// 1 in the lanes of one load, 0 in the others; the lanes begin with load `first`.
template <class T, int C>
Lanes<T> load_lanes(int load, int first) {
  alignas(64) T one[LANES];
  for (int k = 0; k < LANES; ++k) one[k] = first + k / C == load ? T(1) : T(0);
  return Lanes<T>::load(one);
}

// Where the other load's values of a lane are: in the other half of the same vector, or (if all
// lanes belong to one load) in the rows of another solver.
template <class T>
struct Rows {
  const T *south, *north;
};

// Sums over all pixels of (e_i + ∇u_i)·A(e_j + ∇u_j), lane by lane: i = j, and i ≠ j.
struct Energy {
  Lanes<double> diagonal = Lanes<double>::all(0), cross = Lanes<double>::all(0);

  // Adds scale · Σ_j of what pixel(j, diagonal, cross) adds. Sums of equal numbers in float drift one
  // way, so that only few go into one: rows of a laminate would else be off by 1e-6.
  template <class T, class Pixel>
  PEARLITE_INLINE void add_row(int64_t cols, T scale, const Pixel& pixel) {
    for (int64_t j = 0; j < cols;) {
      const int64_t end = j + 8 < cols ? j + 8 : cols;
      auto d = Lanes<T>::all(0), x = Lanes<T>::all(0);
      for (; j < end; ++j) pixel(j, d, x);
      diagonal = diagonal + convert<double>(scale * d);
      cross = cross + convert<double>(scale * x);
    }
  }
};

// Slopes of one pixel, with the load's own unit slope.
template <class T>
struct Slopes {
  using V = Lanes<T>;
  V m0, m1, c;
  PEARLITE_INLINE Slopes() {}
  PEARLITE_INLINE Slopes(const Rows<T>& u, int64_t j, const V& e0, const V& e1) {
    const V u00 = field(u.south, j), u01 = field(u.south, j + 1), u10 = field(u.north, j), u11 = field(u.north, j + 1);
    const V west = u10 - u00, east = u11 - u01;
    m0 = e0 + T(.5) * (west + east);
    m1 = e1 + T(.5) * ((u01 - u00) + (u11 - u10));
    c = east - west;
  }
  // Of the other load: `rows` only counts if all lanes belong to one.
  template <int C>
  PEARLITE_INLINE Slopes other(const Rows<T>& rows, int64_t j, const V& e0, const V& e1) const {
    if constexpr (C == LANES) return Slopes(rows, j, e1, e0);
    Slopes s;
    s.m0 = swap_halves(m0);
    s.m1 = swap_halves(m1);
    s.c = swap_halves(c);
    return s;
  }
};

// Square scalar pixels.
template <class T, int C>
struct ScalarPixels {
  static constexpr int components = 1;
  static constexpr bool same = sizeof(T) == sizeof(float);
  using Smoother = PixelOperator<float, C>;
  using V = Lanes<T>;
  Grid grid;
  T* k = nullptr;       // grid with halo, C lanes: conductivity / 6
  Smoother smoother;
  V e0, e1;

  void allocate(Arena& arena, const Grid& g, int first_load) {
    grid = smoother.grid = g;
    k = arena.take<T>(g.size() * C);
    smoother.k = same ? reinterpret_cast<float*>(k) : arena.take<float>(g.size() * C);
    smoother.dinv = arena.take<float>(g.size() * C);
    e0 = load_lanes<T, C>(0, first_load);
    e1 = load_lanes<T, C>(1, first_load);
  }

  // One row of all lanes; lines: (C, pitch), of which (C, cols) count
  void put(int i, const T* lines, int64_t pitch) {
    for (int lane = 0; lane < C; lane += 8)
      interleave(lines + lane * pitch, pitch, grid.cols, T(1. / 6), k + grid.at(i, 0) * C + lane, C);
  }

  void complete() {
    Halo<T, C>::all(grid, k);
    if (!same)
      for (int64_t x = 0; x < grid.size(); ++x)
        convert<float>(Vec<T, C>::load(k + x * C)).store(smoother.k + x * C);
    for (int i = 0; i < grid.rows; ++i) {
      const auto a = smoother.row(i);
      float* d = smoother.dinv + grid.at(i, 0) * C;
      for (int64_t j = 0; j < grid.cols; ++j)
        inverse_or_zero(4.f * ((a.template kne<C>(j) + a.template knw<C>(j)) +
                               (a.template kse<C>(j) + a.template ksw<C>(j)))).store(d + j * C);
    }
  }

  PEARLITE_INLINE PixelRow<T, C> row(int64_t i) const {
    return {k + grid.at(i, 0) * C, k + grid.at(i - 1, 0) * C, nullptr};
  }

  // Σ over the pixels of e·A e, lane by lane.
  Lanes<double> mean() const {
    auto total = Lanes<double>::all(0);
    for (int i = 0; i < grid.rows; ++i) {
      auto sum = Vec<T, C>::all(0);
      for (int64_t j = 0; j < grid.cols; ++j) sum = sum + Vec<T, C>::load(k + grid.at(i, j) * C);
      total = total + 6. * convert<double>(repeat<LANES>(sum));
    }
    return total;
  }

  // The load vector −∫ ∇φ·A e of one row.
  void rhs(int i, T* r) const {
    const auto a = row(i);
    for (int64_t j = 0; j < grid.cols; ++j) {
      const V ne = a.template kne<LANES>(j), nw = a.template knw<LANES>(j),
              se = a.template kse<LANES>(j), sw = a.template ksw<LANES>(j);
      const V up = ne - sw, down = nw - se;
      (T(3) * (e0 * (up + down) + e1 * (up - down))).store(r + j * LANES);
    }
  }

  // q = A p of one row. Returns Σ p q of the row.
  V apply(int i, const T* south, const T* p, const T* north, T* q) const {
    const auto a = row(i);
    V sum = V::all(0);
    for (int64_t j = 0; j < grid.cols; ++j) {
      const auto at = [&](const T* f, int64_t x) { return V::load(f + x * LANES); };
      const V ne = a.template kne<LANES>(j), nw = a.template knw<LANES>(j),
              se = a.template kse<LANES>(j), sw = a.template ksw<LANES>(j);
      const V e = ne + se, w = nw + sw, here = at(p, j);
      const V edges = e * at(p, j + 1) + w * at(p, j - 1) + (ne + nw) * at(north, j) + (se + sw) * at(south, j);
      const V corners = ne * at(north, j + 1) + nw * at(north, j - 1) + se * at(south, j + 1) + sw * at(south, j - 1);
      const V out = T(4) * (e + w) * here - (edges + T(2) * corners);
      out.store(q + j * LANES);
      sum = sum + here * out;
    }
    return sum;
  }

  // Leaves only the pixels above each lane's threshold.
  void keep_above(const Vec<T, C>& threshold) {
    for (int64_t x = 0; x < grid.size(); ++x) {
      T* here = k + x * C;
      select_above(T(6) * Vec<T, C>::load(here), threshold).store(here);
      (T(1. / 6) * Vec<T, C>::load(here)).store(here);
    }
  }

  // Energies of one row of pixels, between two rows of nodes.
  void energy(int i, const Rows<T>& mine, const Rows<T>& theirs, Energy& total) const {
    const T* a = k + grid.at(i, 0) * C;
    total.add_row(grid.cols, T(6), [&](int64_t j, V& diagonal, V& cross) {
      const Slopes<T> u(mine, j, e0, e1), v = u.template other<C>(theirs, j, e0, e1);
      const V kj = load_repeated<LANES, C>(a + j * C), bend = T(1. / 6) * u.c;
      diagonal = diagonal + kj * (u.m0 * u.m0 + u.m1 * u.m1 + bend * u.c);
      cross = cross + kj * (u.m0 * v.m0 + u.m1 * v.m1 + bend * v.c);
    });
  }
};

// Tensor pixels, and scalar ones that are not square.
template <class T, int C>
struct TensorPixels {
  static constexpr int components = 3;
  static constexpr bool same = sizeof(T) == sizeof(float);
  using Smoother = StencilOperator<float, C>;
  using V = Lanes<T>;
  static constexpr int node = 3 * C;
  Grid grid;
  T* a = nullptr;                 // grid with halo, 3 pieces of C lanes: A00, A11, A01
  StencilOperator<T, C> matrix;
  Smoother smoother;
  V e0, e1;

  void allocate(Arena& arena, const Grid& g, int first_load) {
    grid = smoother.grid = matrix.grid = g;
    a = arena.take<T>(g.size() * node);
    matrix.stencil = arena.take<T>(g.size() * matrix.node);
    smoother.stencil = same ? reinterpret_cast<float*>(matrix.stencil) : arena.take<float>(g.size() * matrix.node);
    e0 = load_lanes<T, C>(0, first_load);
    e1 = load_lanes<T, C>(1, first_load);
  }

  // One row of all lanes; lines: (C, pitch), of which (C, cols * 3) count: A00, A11, A01
  void put(int i, const T* lines, int64_t pitch) {
    for (int lane = 0; lane < C; lane += 8)
      interleave(lines + lane * pitch, pitch, int64_t(grid.cols) * 3, T(1), a + grid.at(i, 0) * node + lane, C);
  }

  void complete() {
    Halo<T, C, 3>::all(grid, a);
    for (int i = 0; i < grid.rows; ++i)
      for (int64_t j = 0; j < grid.cols; ++j) couplings(i, j);
    pearlite::PEARLITE_ISA::complete(matrix);
    if (!same)
      for (int64_t x = 0; x < grid.size() * matrix.node; x += C)
        convert<float>(Vec<T, C>::load(matrix.stencil + x)).store(smoother.stencil + x);
  }

  void couplings(int i, int64_t j) {
    using W = Vec<T, C>;
    const auto part = [&](int64_t x, int64_t y, int s) { return W::load(a + grid.at(x, y) * node + s * C); };
    T* out = matrix.stencil + grid.at(i, j) * matrix.node;
    const W third = W::all(T(1. / 3)), sixth = W::all(T(1. / 6)), half = W::all(T(.5));
    (third * (part(i, j, 1) + part(i - 1, j, 1)) - sixth * (part(i, j, 0) + part(i - 1, j, 0))).store(out);
    (third * (part(i, j, 0) + part(i, j - 1, 0)) - sixth * (part(i, j, 1) + part(i, j - 1, 1))).store(out + C);
    (sixth * (part(i, j, 0) + part(i, j, 1)) + half * part(i, j, 2)).store(out + 2 * C);
    (sixth * (part(i, j - 1, 0) + part(i, j - 1, 1)) - half * part(i, j - 1, 2)).store(out + 3 * C);
  }

  Lanes<double> mean() const {
    auto total = Lanes<double>::all(0);
    for (int i = 0; i < grid.rows; ++i) {
      V sum = V::all(0);
      for (int64_t j = 0; j < grid.cols; ++j) {
        const T* p = a + grid.at(i, j) * node;
        sum = sum + e0 * load_repeated<LANES, C>(p) + e1 * load_repeated<LANES, C>(p + C);
      }
      total = total + convert<double>(sum);
    }
    return total;
  }

  void rhs(int i, T* r) const {
    for (int64_t j = 0; j < grid.cols; ++j) {
      // The four pixels around the node send the flux A e out through their corner.
      const auto flux = [&](int64_t x, int64_t y, T sign0, T sign1) {
        const T* p = a + grid.at(x, y) * node;
        const V a00 = load_repeated<LANES, C>(p), a11 = load_repeated<LANES, C>(p + C),
                a01 = load_repeated<LANES, C>(p + 2 * C);
        return sign0 * (e0 * a00 + e1 * a01) + sign1 * (e0 * a01 + e1 * a11);
      };
      const T h = T(.5);
      (flux(i, j, h, h) + flux(i - 1, j, -h, h) + flux(i, j - 1, h, -h) + flux(i - 1, j - 1, -h, -h))
          .store(r + j * LANES);
    }
  }

  V apply(int i, const T* south, const T* p, const T* north, T* q) const {
    const auto m = matrix.row(i);
    V sum = V::all(0);
    for (int64_t j = 0; j < grid.cols; ++j) {
      const V here = V::load(p + j * LANES);
      const auto to = [&](const T* f, int64_t x) { return here - V::load(f + x * LANES); };
      const V out = (m.template e<LANES>(j) * to(p, j + 1) + m.template w<LANES>(j) * to(p, j - 1)) +
                    (m.template n<LANES>(j) * to(north, j) + m.template s<LANES>(j) * to(south, j)) +
                    (m.template ne<LANES>(j) * to(north, j + 1) + m.template sw<LANES>(j) * to(south, j - 1)) +
                    (m.template nw<LANES>(j) * to(north, j - 1) + m.template se<LANES>(j) * to(south, j + 1));
      out.store(q + j * LANES);
      sum = sum + here * out;
    }
    return sum;
  }

  void keep_above(const Vec<T, C>& threshold) {
    const auto scale = inverse_or_zero(threshold);
    for (int64_t x = 0; x < grid.size(); ++x) {
      T* here = a + x * node;
      const auto a00 = Vec<T, C>::load(here), a11 = Vec<T, C>::load(here + C);
      // 1 in the lanes that stay, which are isotropic but for the spacing, else 0.
      const auto ratio = select_above(max(a00, a11), threshold) * scale, stays = min(ratio, Vec<T, C>::all(1));
      (stays * a00).store(here);
      (stays * a11).store(here + C);
      Vec<T, C>::all(0).store(here + 2 * C);
    }
  }

  void energy(int i, const Rows<T>& mine, const Rows<T>& theirs, Energy& total) const {
    const T* row = a + grid.at(i, 0) * node;
    total.add_row(grid.cols, T(1), [&](int64_t j, V& diagonal, V& cross) {
      const Slopes<T> u(mine, j, e0, e1), v = u.template other<C>(theirs, j, e0, e1);
      const T* p = row + j * node;
      const V a00 = load_repeated<LANES, C>(p), a11 = load_repeated<LANES, C>(p + C),
              a01 = load_repeated<LANES, C>(p + 2 * C);
      const V q0 = a00 * u.m0 + a01 * u.m1, q1 = a01 * u.m0 + a11 * u.m1, qc = T(1. / 12) * (a00 + a11) * u.c;
      diagonal = diagonal + (u.m0 * q0 + u.m1 * q1 + u.c * qc);
      cross = cross + (v.m0 * q0 + v.m1 * q1 + v.c * qc);
    });
  }
};

}  // namespace PEARLITE_ISA
}  // namespace pearlite
