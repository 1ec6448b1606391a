// The discrete operator as couplings between neighbouring nodes,
//
//   (A u)(x) = Σ_y c(x, y) (u(x) − u(y)),   y the eight neighbours of x,
//
// which makes every row sum zero by construction. "North" is one node further along axis 0,
// "east" along axis 1. Two storages: the finest grid of scalar pixels computes its couplings from
// the pixels as it goes; all other grids store the four couplings to E, N, NE, NW.
#pragma once
#include "grid.hpp"

namespace pearlite {
namespace PEARLITE_ISA {

// Square scalar pixels. Pixel (i, j) lies north-east of node (i, j); k = conductivity / 6, with
// which the Q1 element matrix has 4k on the diagonal, −k along edges and −2k across.
template <class T, int C>
struct PixelRow {
  const T* north;  // (cols, C) pixels of row i
  const T* south;  // (cols, C) pixels of row i − 1
  const T* dinv;   // (cols, C) 1 / Σ c

  template <int M> PEARLITE_INLINE Vec<T, M> kne(int64_t j) const { return load_repeated<M, C>(north + j * C); }
  template <int M> PEARLITE_INLINE Vec<T, M> knw(int64_t j) const { return load_repeated<M, C>(north + (j - 1) * C); }
  template <int M> PEARLITE_INLINE Vec<T, M> kse(int64_t j) const { return load_repeated<M, C>(south + j * C); }
  template <int M> PEARLITE_INLINE Vec<T, M> ksw(int64_t j) const { return load_repeated<M, C>(south + (j - 1) * C); }

  template <int M> PEARLITE_INLINE Vec<T, M> e(int64_t j) const { return kne<M>(j) + kse<M>(j); }
  template <int M> PEARLITE_INLINE Vec<T, M> w(int64_t j) const { return knw<M>(j) + ksw<M>(j); }
  template <int M> PEARLITE_INLINE Vec<T, M> n(int64_t j) const { return kne<M>(j) + knw<M>(j); }
  template <int M> PEARLITE_INLINE Vec<T, M> s(int64_t j) const { return kse<M>(j) + ksw<M>(j); }
  template <int M> PEARLITE_INLINE Vec<T, M> ne(int64_t j) const { return T(2) * kne<M>(j); }
  template <int M> PEARLITE_INLINE Vec<T, M> nw(int64_t j) const { return T(2) * knw<M>(j); }
  template <int M> PEARLITE_INLINE Vec<T, M> se(int64_t j) const { return T(2) * kse<M>(j); }
  template <int M> PEARLITE_INLINE Vec<T, M> sw(int64_t j) const { return T(2) * ksw<M>(j); }
  template <int M> PEARLITE_INLINE Vec<T, M> inverse_diagonal(int64_t j) const { return load_repeated<M, C>(dinv + j * C); }

  // Σ c z over SW, S, SE of node j, and over NW, N, NE, with z the row to the south or north.
  PEARLITE_INLINE Lanes<T> south_sum(int64_t j, const T* z) const { return pair_sum(ksw<LANES>(j), kse<LANES>(j), j, z); }
  PEARLITE_INLINE Lanes<T> north_sum(int64_t j, const T* z) const { return pair_sum(knw<LANES>(j), kne<LANES>(j), j, z); }

 private:
  static PEARLITE_INLINE Lanes<T> pair_sum(const Lanes<T>& west, const Lanes<T>& east, int64_t j, const T* z) {
    const auto here = field(z, j);
    return west * (here + T(2) * field(z, j - 1)) + east * (here + T(2) * field(z, j + 1));
  }
};

template <class T, int C>
struct PixelOperator {
  Grid grid;
  T* k;     // grid with halo, C lanes: pixel (i, j) at node (i, j)
  T* dinv;  // grid with halo, C lanes

  PEARLITE_INLINE PixelRow<T, C> row(int64_t i) const {
    return {k + grid.at(i, 0) * C, k + grid.at(i - 1, 0) * C, dinv + grid.at(i, 0) * C};
  }
};

template <class T, int C>
struct StencilRow {
  static constexpr int node = 5 * C;  // E, N, NE, NW, 1 / Σ c
  const T* here;   // row i
  const T* south;  // row i − 1

  template <int M> PEARLITE_INLINE Vec<T, M> e(int64_t j) const { return load_repeated<M, C>(here + j * node); }
  template <int M> PEARLITE_INLINE Vec<T, M> w(int64_t j) const { return load_repeated<M, C>(here + (j - 1) * node); }
  template <int M> PEARLITE_INLINE Vec<T, M> n(int64_t j) const { return load_repeated<M, C>(here + j * node + C); }
  template <int M> PEARLITE_INLINE Vec<T, M> s(int64_t j) const { return load_repeated<M, C>(south + j * node + C); }
  template <int M> PEARLITE_INLINE Vec<T, M> ne(int64_t j) const { return load_repeated<M, C>(here + j * node + 2 * C); }
  template <int M> PEARLITE_INLINE Vec<T, M> nw(int64_t j) const { return load_repeated<M, C>(here + j * node + 3 * C); }
  template <int M> PEARLITE_INLINE Vec<T, M> se(int64_t j) const { return load_repeated<M, C>(south + (j + 1) * node + 3 * C); }
  template <int M> PEARLITE_INLINE Vec<T, M> sw(int64_t j) const { return load_repeated<M, C>(south + (j - 1) * node + 2 * C); }
  template <int M> PEARLITE_INLINE Vec<T, M> inverse_diagonal(int64_t j) const { return load_repeated<M, C>(here + j * node + 4 * C); }

  PEARLITE_INLINE Lanes<T> south_sum(int64_t j, const T* z) const {
    return sw<LANES>(j) * field(z, j - 1) + s<LANES>(j) * field(z, j) + se<LANES>(j) * field(z, j + 1);
  }
  PEARLITE_INLINE Lanes<T> north_sum(int64_t j, const T* z) const {
    return nw<LANES>(j) * field(z, j - 1) + n<LANES>(j) * field(z, j) + ne<LANES>(j) * field(z, j + 1);
  }
};

template <class T, int C>
struct StencilOperator {
  static constexpr int node = StencilRow<T, C>::node;
  Grid grid;
  T* stencil;  // grid with halo, 5 pieces of C lanes

  PEARLITE_INLINE StencilRow<T, C> row(int64_t i) const {
    return {stencil + grid.at(i, 0) * node, stencil + grid.at(i - 1, 0) * node};
  }
};

// Σ c over the eight neighbours of node j.
template <int M, class Row>
PEARLITE_INLINE auto diagonal(const Row& a, int64_t j) {
  return ((a.template e<M>(j) + a.template w<M>(j)) + (a.template n<M>(j) + a.template s<M>(j))) +
         ((a.template ne<M>(j) + a.template nw<M>(j)) + (a.template se<M>(j) + a.template sw<M>(j)));
}

// Folds the couplings of a grid that is one node wide along an axis: a node that is its own
// neighbour has no coupling to itself, and its diagonal neighbours are plain ones.
template <class T, int C>
void fold(StencilOperator<T, C>& a) {
  using V = Vec<T, C>;
  const Grid& g = a.grid;
  const V zero = V::all(0);
  const bool thin_rows = g.rows == 1 && g.strips == 1, thin_cols = g.cols == 1;
  if (!thin_rows && !thin_cols) return;
  for (int i = 0; i < g.rows; ++i)
    for (int j = 0; j < g.cols; ++j) {
      T* here = a.stencil + g.at(i, j) * a.node;
      // NE of a node joins it to its east neighbour, NW its west neighbour to it.
      T* east = a.stencil + g.at(i, (j + 1) % g.cols) * a.node;
      const V ne = V::load(here + 2 * C), nw = V::load(east + 3 * C);
      if (thin_rows) {
        (V::load(here) + ne + nw).store(here);
      } else {
        const V own_nw = V::load(here + 3 * C);
        (V::load(here + C) + ne + own_nw).store(here + C);
      }
    }
  for (int i = 0; i < g.rows; ++i)
    for (int j = 0; j < g.cols; ++j) {
      T* here = a.stencil + g.at(i, j) * a.node;
      zero.store(here + 2 * C);
      zero.store(here + 3 * C);
      if (thin_rows) zero.store(here + C);
      if (thin_cols) zero.store(here);
    }
}

// Fills the halo and the inverse diagonal of a stencil whose couplings are set.
template <class T, int C>
void complete(StencilOperator<T, C>& a) {
  const Grid& g = a.grid;
  fold(a);
  Halo<T, C, 5>::all(g, a.stencil);
  for (int i = 0; i < g.rows; ++i) {
    const auto row = a.row(i);
    for (int j = 0; j < g.cols; ++j)
      inverse_or_zero(diagonal<C>(row, j)).store(a.stencil + g.at(i, j) * a.node + 4 * C);
  }
}

}  // namespace PEARLITE_ISA
}  // namespace pearlite
