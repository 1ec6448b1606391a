// One multigrid level: Gauss-Seidel forward from zero fused with the restriction of its residual,
// and prolongation fused with Gauss-Seidel backward. Rows run south to north, nodes west to east.
//
// "Lower" neighbours of a node come before it in the forward order. On a periodic grid these are
// SW, S, SE and W, but in the last row also NW, N, NE (row 0 is done), in the last column also E
// (column 0 is done); in the first row S is upper, in the first column W is upper.
#pragma once
#include "operators.hpp"
#include "shared/coarsening.hpp"

namespace pearlite {
namespace PEARLITE_ISA {

// Interpolation weights, five a coarse node, C lanes each: east point from the west; north point
// from the south; centre point from SW, SE, NW. The remaining weight goes to the remaining corner.
template <int C>
struct Interpolation {
  static constexpr int node = 5 * C;
  Grid grid;  // the coarse grid
  Coarsening rows, cols;
  float* weights;  // coarse grid with halo, 5 pieces of C lanes

  PEARLITE_INLINE const float* row(int64_t i) const { return weights + grid.at(i, 0) * node; }
  template <int M>
  static PEARLITE_INLINE Vec<float, M> weight(const float* row, int64_t j, int piece) {
    return load_repeated<M, C>(row + j * node + piece * C);
  }
};

PEARLITE_INLINE void add_to(float* p, const Vf& v) { (Vf::load(p) + v).store(p); }

// z of one row, forward, from zero. `north` is the row beyond, if it is done already.
template <bool WITH_NORTH, class Row>
void forward_row(const Row& a, int n, const float* r, const float* south, const float* north,
                 float* z) {
  Vf west = Vf::all(0);
  for (int64_t j = 0; j < n; ++j) {
    Vf t = field(r, j) + a.south_sum(j, south);
    if (WITH_NORTH)
      t = t + a.north_sum(j, north);
    if (j == n - 1 && n > 1) t = t + a.template e<LANES>(j) * field(z, 0);
    const Vf d = a.template inverse_diagonal<LANES>(j);
    west = t * d + (a.template w<LANES>(j) * d) * west;  // only this product waits for the west
    west.store(z + j * LANES);
  }
}

// What the forward sweep left of the residual in one row: the upper couplings.
template <bool WITH_NORTH, class Row>
void residual_row(const Row& a, int n, const float* z, const float* north, float* out) {
  for (int64_t j = 0; j < n; ++j) {
    Vf t = a.template e<LANES>(j) * field(z, j + 1);
    if (j == n - 1) t = Vf::all(0);
    if (WITH_NORTH)
      t = t + a.north_sum(j, north);
    if (j == 0) t = t + a.template w<LANES>(0) * field(z, n - 1);
    t.store(out + j * LANES);
  }
}

// The upper couplings of the first row to the last one, known when the sweep is over.
template <class Row>
void residual_south(const Row& a, int n, const float* south, float* out) {
  for (int64_t j = 0; j < n; ++j)
    a.south_sum(j, south).store(out + j * LANES);
}

// z of one row, backward, from its present value, with the row to the south still old and the row
// to the north new. Returns Σ r z of the row.
template <class Row>
Vf backward_row(const Row& a, int n, const float* r, const float* south, const float* north,
                float* z) {
  Vf east = field(z, n), sum = Vf::all(0);
  for (int64_t j = n - 1; j >= 0; --j) {
    const Vf rhs = field(r, j);
    Vf t = rhs + a.south_sum(j, south);
    t = t + a.north_sum(j, north) + a.template w<LANES>(j) * field(z, j - 1);
    const Vf d = a.template inverse_diagonal<LANES>(j);
    east = t * d + (a.template e<LANES>(j) * d) * east;
    east.store(z + j * LANES);
    if (j == n - 1) east.store(z - LANES);  // the west neighbour of node 0, which comes last
    sum = sum + rhs * east;
  }
  return sum;
}

// Adds the transposed interpolation of one fine row to the coarse rows south and north of it. Rows
// come south to north, so that a fine row is the first to reach the coarse row to its north.
template <int C>
void restrict_coarse_row(const Interpolation<C>& p, int64_t i, const float* fine, float* coarse) {
  const float* w = p.row(i);
  Vf carry = Vf::all(0);
  for (int64_t j = 0; j < p.cols.count; ++j) {
    const int64_t f = p.cols.fine(int(j));
    Vf sum = field(fine, f) + carry;
    carry = Vf::all(0);
    if (j != p.cols.gap) {
      const Vf x = field(fine, f + 1), west = p.template weight<LANES>(w, j, 0) * x;
      sum = sum + west;
      carry = x - west;
    }
    add_to(coarse + j * LANES, sum);
  }
  add_to(coarse, carry);
}

template <int C>
void restrict_fine_row(const Interpolation<C>& p, int64_t i, const float* fine, float* south,
                       float* north) {
  const float* w = p.row(i);
  Vf carry_south = Vf::all(0), carry_north = Vf::all(0);
  for (int64_t j = 0; j < p.cols.count; ++j) {
    const int64_t f = p.cols.fine(int(j));
    const Vf x = field(fine, f), xs = p.template weight<LANES>(w, j, 1) * x;
    Vf s = xs + carry_south, n = (x - xs) + carry_north;
    carry_south = carry_north = Vf::all(0);
    if (j != p.cols.gap) {
      const Vf c = field(fine, f + 1), sw = p.template weight<LANES>(w, j, 2) * c,
               se = p.template weight<LANES>(w, j, 3) * c, nw = p.template weight<LANES>(w, j, 4) * c;
      s = s + sw;
      n = n + nw;
      carry_south = se;
      carry_north = c - (sw + se + nw);
    }
    add_to(south + j * LANES, s);
    n.store(north + j * LANES);  // the first to arrive there
  }
  add_to(south, carry_south);
  add_to(north, carry_north);
}

// Adds the interpolation of the coarse correction to one fine row, and fills its column halo.
template <int C>
void prolong_coarse_row(const Interpolation<C>& p, int64_t i, const float* coarse, float* fine) {
  const float* w = p.row(i);
  for (int64_t j = 0; j < p.cols.count; ++j) {
    const int64_t f = p.cols.fine(int(j));
    const Vf west = field(coarse, j), east = field(coarse, j + 1);
    add_to(fine + f * LANES, west);
    if (j != p.cols.gap)
      add_to(fine + (f + 1) * LANES, east + p.template weight<LANES>(w, j, 0) * (west - east));
  }
}

template <int C>
void prolong_fine_row(const Interpolation<C>& p, int64_t i, const float* south, const float* north,
                      float* fine) {
  const float* w = p.row(i);
  for (int64_t j = 0; j < p.cols.count; ++j) {
    const int64_t f = p.cols.fine(int(j));
    const Vf s = field(south, j), n = field(north, j);
    add_to(fine + f * LANES, n + p.template weight<LANES>(w, j, 1) * (s - n));
    if (j != p.cols.gap) {
      const Vf ne = field(north, j + 1);
      add_to(fine + (f + 1) * LANES, ne + p.template weight<LANES>(w, j, 2) * (s - ne) +
                                         p.template weight<LANES>(w, j, 3) * (field(south, j + 1) - ne) +
                                         p.template weight<LANES>(w, j, 4) * (n - ne));
    }
  }
}

// The two ways between a fine row and the coarse rows around it.
template <int C>
struct Transfer {
  const Interpolation<C>& p;
  Grid fine;

  // The coarse row at or south of fine row i, and whether they coincide.
  void locate(int i, int& coarse, bool& coincide) const {
    const int shifted = p.rows.gap >= 0 && i > 2 * p.rows.gap ? i + 1 : i;
    coarse = shifted / 2;
    coincide = shifted % 2 == 0;
  }
  void restrict_row(int i, const float* residual, float* rhs) const {
    int c;
    bool coincide;
    locate(i, c, coincide);
    float* south = rhs + p.grid.at(c, 0) * LANES;
    if (coincide)
      restrict_coarse_row(p, c, residual, south);
    else
      restrict_fine_row(p, c, residual, south, rhs + p.grid.at(c + 1, 0) * LANES);
  }
  void prolong_row(int i, const float* correction, float* z) const {
    int c;
    bool coincide;
    locate(i, c, coincide);
    float* row = z + fine.at(i, 0) * LANES;
    const float* south = correction + p.grid.at(c, 0) * LANES;
    if (coincide)
      prolong_coarse_row(p, c, south, row);
    else
      prolong_fine_row(p, c, south, correction + p.grid.at(c + 1, 0) * LANES, row);
    Halo<float, LANES>::columns(fine, row);
  }
};

// Forward sweep with r of this level given, row by row, by `rhs(i)`; leaves z and the coarse rhs.
template <int C, class Operator, class Rhs>
void smooth_down(const Operator& a, const Transfer<C>& transfer, float* z, float* coarse_rhs,
                 float* scratch, Rhs&& rhs) {
  const Grid &g = a.grid, &cg = transfer.p.grid;
  const int n = g.cols;
  const auto row = [&](int i) { return z + g.at(i, 0) * LANES; };
  const auto zero = [](float* from, int64_t count) {
    for (int64_t k = 0; k < count; ++k) from[k] = 0;
  };
  const int untouched[] = {0, transfer.p.rows.gap + 1, cg.rows};  // by fine rows
  for (int i : untouched)
    zero(coarse_rhs + cg.at(i, 0) * LANES, int64_t(cg.cols) * LANES);
  zero(row(-1) - LANES, g.pitch() * LANES);
  for (int i = 0; i < g.rows; ++i) {
    const float* r = rhs(i);
    if (i == g.rows - 1 && i > 0)
      forward_row<true>(a.row(i), n, r, row(i - 1), row(i + 1), row(i));
    else
      forward_row<false>(a.row(i), n, r, row(i - 1), nullptr, row(i));
    Halo<float, LANES>::columns(g, row(i));
    if (i == 0) Halo<float, LANES>::north(g, z);
    if (i > 0) {
      residual_row<true>(a.row(i - 1), n, row(i - 1), row(i), scratch);
      transfer.restrict_row(i - 1, scratch, coarse_rhs);
    }
  }
  residual_row<false>(a.row(g.rows - 1), n, row(g.rows - 1), nullptr, scratch);
  transfer.restrict_row(g.rows - 1, scratch, coarse_rhs);
  Halo<float, LANES>::south(g, z);
  residual_south(a.row(0), n, row(-1), scratch);
  transfer.restrict_row(0, scratch, coarse_rhs);
  // What fell on the row beyond the last belongs to the first row of the next strip.
  const StripLanes lanes(g.strips);
  float* first = coarse_rhs + cg.at(0, 0) * LANES;
  const float* beyond = coarse_rhs + cg.at(cg.rows, 0) * LANES;
  for (int64_t k = 0; k < int64_t(cg.cols) * LANES; k += LANES) {
    const Vf v = Vf::load(beyond + k);
    add_to(first + k, g.strips == 1 ? v : permute(v, lanes.south));
  }
}

// Prolongs the coarse correction into z and sweeps backward. Returns Σ r z in double.
template <int C, class Operator, class Rhs>
Vec<double, LANES> smooth_up(const Operator& a, const Transfer<C>& transfer, float* z,
                             float* correction, Rhs&& rhs) {
  const Grid &g = a.grid, &cg = transfer.p.grid;
  const auto row = [&](int i) { return z + g.at(i, 0) * LANES; };
  for (int i = 0; i < cg.rows; ++i)
    Halo<float, LANES>::columns(cg, correction + cg.at(i, 0) * LANES);
  Halo<float, LANES>::north(cg, correction);
  transfer.prolong_row(0, correction, z);
  Halo<float, LANES>::north(g, z);
  if (g.rows > 1) transfer.prolong_row(g.rows - 1, correction, z);
  auto total = Vec<double, LANES>::all(0);
  for (int i = g.rows - 1; i >= 0; --i) {
    if (i > 1) transfer.prolong_row(i - 1, correction, z);
    if (i == 0) Halo<float, LANES>::south(g, z);
    const Vf sum = backward_row(a.row(i), g.cols, rhs(i), row(i - 1), row(i + 1), row(i));
    Halo<float, LANES>::columns(g, row(i));
    total = total + convert<double>(sum);
  }
  return total;
}

}  // namespace PEARLITE_ISA
}  // namespace pearlite
