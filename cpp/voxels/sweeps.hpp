// A level of the multigrid, and Gauss–Seidel sweeps over one plane of it.
//
// Planes of axis 0 are swept by colours, the even ones, then the odd ones, then (of an odd number) the
// last; planes of one colour do not touch. So they can be shared among threads, and the result does not
// depend on how. The rows of a plane go by colours too: a row that was just written would be read too
// early otherwise, before the processor has stored it. The nodes of a row go all at once.
#pragma once
#include "couplings.hpp"
#include "transfer.hpp"

namespace pearlite {
namespace PEARLITE_ISA {
namespace voxels {

struct Colours {
  int n;  // planes, or rows of a plane
  int count() const { return n < 2 ? 1 : n % 2 == 0 ? 2 : 3; }
  int of(int i) const { return n % 2 == 1 && n > 1 && i == n - 1 ? 2 : i % 2; }
  int members(int colour) const { return colour == 2 ? 1 : n < 2 ? n : colour == 0 ? n - n / 2 - n % 2 : n / 2; }
  int member(int colour, int k) const { return colour == 2 ? n - 1 : 2 * k + colour; }
};

// Calls use(j) for the rows of a plane, by colours from the first to the last or backwards. Two colours
// follow each other at a distance of some rows: the order is as good, and rows are still in the cache.
template <class Use>
PEARLITE_INLINE void over_rows(int n, bool backwards, const Use& use) {
  const Colours rows{n};
  constexpr int lag = 2;
  if (rows.count() == 2) {
    // The second colour's k-th row lies behind the first colour's k-th row forwards, before it backwards.
    const int half = n / 2;
    for (int k = 0; k < half; ++k) {
      use(2 * k + backwards);
      if (k >= lag) use(2 * (k - lag + backwards) + !backwards);
    }
    for (int k = half - lag < 0 ? 0 : half - lag; k < half; ++k) use(2 * ((k + backwards) % half) + !backwards);
    return;
  }
  for (int c = 0; c < rows.count(); ++c) {
    const int colour = backwards ? rows.count() - 1 - c : c;
    for (int k = 0; k < rows.members(colour); ++k) use(rows.member(colour, k));
  }
}

struct Level {
  Grid grid;
  Couplings couplings;
  float *a = nullptr, *dinv = nullptr, *r = nullptr, *z = nullptr;
  const float* zeros = nullptr;  // a row
  Transfer next;

  // Which of its two neighbours along an axis, bit 0 the lower and bit 1 the upper, are swept before.
  int before(int axis, int i) const {
    const int n = grid.n[axis];
    const Colours colours{n};
    const int own = colours.of(i);
    return (colours.of(Grid::down(i, n)) < own ? 1 : 0) | (colours.of(Grid::up(i, n)) < own ? 2 : 0);
  }
};

template <bool Cubic>
struct Sweeps {
  const Level& l;
  // The diagonal that the sweeps divide by is larger than the operator's, where nodes of a row are coupled.
  const double surplus = .5 * (l.couplings.c001 > 0 ? l.couplings.c001 : -l.couplings.c001);
  const Weights<float> w{l.couplings, surplus};
  static constexpr int own = Cubic ? 0 : OWN;  // rows of cubes have no couplings inside

  // From zero: z = (D + L)⁻¹ r.
  void forward(int i) const {
    const int planes = l.before(0, i);
    over_rows(l.grid.n[1], false, [&](int j) {
      const int64_t at = l.grid.at(i, j);
      const float *r = l.r + at, *dinv = l.dinv + at;
      float* z = l.z + at;
      sum<0>(i, j, planes, l.before(1, j),
             [&](int64_t k, const Vf& v) { (Vf::load(dinv + k) * (Vf::load(r + k) + v)).store(z + k); });
      close_row(l.grid, z);
    });
  }

  // The residual after `forward`: what is not (D + L) z. out: a plane, from row to row as the grid's
  void residual(int i, float* out) const {
    const int planes = 3 & ~l.before(0, i);
    for (int j = 0; j < l.grid.n[1]; ++j) {
      float* line = out + j * l.grid.pitch;
      sum<own>(i, j, planes, 3 & ~l.before(1, j), [&](int64_t k, const Vf& v) { v.store(line + k); });
    }
  }

  // z += (D + U)⁻¹ (r − A z). Returns Σ r z of the plane.
  double backward(int i) const {
    auto dot = Lanes<double>::all(0);
    over_rows(l.grid.n[1], true, [&](int j) { dot = dot + convert<double>(backward_row(i, j)); });
    return total(dot);
  }

  // dinv of a row
  void diagonal(int i, int j) const {
    const Around<float> x(l.grid, l.a, l.a, i, j);
    float* out = l.dinv + l.grid.at(i, j);
    const float factor = float(l.couplings.diagonal() + surplus);
    for (int64_t k = 0; k < l.grid.n[2]; k += LANES) inverse_or_zero(factor * surroundings(x, k)).store(out + k);
    clear_rest(l.grid, out);
  }

 private:
  // Calls use(k, v) with the sums over neighbours in the planes and rows whose bits are set.
  template <int Own, class Use>
  PEARLITE_INLINE void sum(int i, int j, int planes, int rows, const Use& use) const {
    Around<float> x(l.grid, l.z, l.a, i, j);
    const int64_t n = l.grid.n[2];
    if (planes == 3 && rows == 0) return over_row<Cubic, ACROSS | Own>(x, w, n, use);
    if (planes == 0 && rows == 3) return over_row<Cubic, BESIDE | Own>(x, w, n, use);
    if (planes == 0 && rows == 0 && Own == 0) {
      for (int64_t k = 0; k < n; k += LANES) use(k, Vf::all(0));
      return;
    }
    x.keep(planes, rows, l.zeros);
    over_row<Cubic, ACROSS | BESIDE | Own>(x, w, n, use);
  }

  PEARLITE_INLINE Vf backward_row(int i, int j) const {
    const Around<float> x(l.grid, l.z, l.a, i, j);
    const int64_t at = l.grid.at(i, j);
    const float *r = l.r + at, *dinv = l.dinv + at;
    float* z = l.z + at;
    auto dot = Vf::all(0);
    over_row<Cubic, ACROSS | BESIDE | own>(x, w, l.grid.n[2], [&](int64_t k, const Vf& v) {
      const auto old = Vf::load(r + k);
      const auto fresh = Vf::load(dinv + k) * (old + v);
      dot = dot + old * fresh;
      fresh.store(z + k);
    });
    close_row(l.grid, z);
    return dot;
  }
};

}  // namespace voxels
}  // namespace PEARLITE_ISA
}  // namespace pearlite
