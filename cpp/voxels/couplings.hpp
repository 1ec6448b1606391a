// The discrete operator along a row of nodes. For cubes the nodes of a row do not see each other (see
// shared/couplings.hpp), and sweeping whole rows at a time is an exact Gauss–Seidel sweep.
#pragma once
#include "shared/couplings.hpp"
#include "shuffles.hpp"

namespace pearlite {
namespace PEARLITE_ISA {
namespace voxels {

// The rows around row (i, j) of a field u, and the rows of the four lines of voxels that meet there.
template <class T>
struct Around {
  const T* u[3][3];  // row (i + s − 1, j + t − 1)
  const T* a[2][2];  // voxels (i + s − 1, j + t − 1): s, t = 1 lie above the node

  PEARLITE_INLINE Around(const Grid& g, const T* field, const T* voxel, int i, int j) {
    const int is[3] = {Grid::down(i, g.n[0]), i, Grid::up(i, g.n[0])};
    const int js[3] = {Grid::down(j, g.n[1]), j, Grid::up(j, g.n[1])};
    for (int s = 0; s < 3; ++s)
      for (int t = 0; t < 3; ++t) u[s][t] = field + g.at(is[s], js[t]);
    for (int s = 0; s < 2; ++s)
      for (int t = 0; t < 2; ++t) a[s][t] = voxel + g.at(is[s], js[t]);
  }

  // Leaves out planes and rows beside the node's own whose bit (0 below, 1 above) is not set.
  PEARLITE_INLINE void keep(int planes, int rows, const T* zeros) {
    for (int s = 0; s < 2; ++s) {
      if (!(planes >> s & 1)) u[2 * s][0] = u[2 * s][1] = u[2 * s][2] = zeros;
      if (!(rows >> s & 1)) u[1][2 * s] = zeros;
    }
  }
};

// The couplings in the numbers of a kernel. In cubes the ones that do not vanish are alike, and are
// multiplied last.
template <class T>
struct Weights {
  T c001, c010, c100, c011, c101, c110, c111;
  T own;  // of a node with itself, for each voxel
  Weights(const Couplings& c, double with_itself)
      : c001(T(c.c001)), c010(T(c.c010)), c100(T(c.c100)), c011(T(c.c011)), c101(T(c.c101)), c110(T(c.c110)),
        c111(T(c.c111)), own(T(c.cubic ? with_itself / c.c111 : with_itself)) {}
};

// Which nodes a sum over neighbours takes: the rows beside, those of the planes across, the row itself.
enum Kinds { BESIDE = 1, ACROSS = 2, OWN = 4 };

// What a line of nodes gives to the lower and the upper end of voxels that touch it, for a = 1. `same`
// couples nodes of equal k, `other` those of the two ends.
template <class V>
struct Ends {
  V lower, upper;
  template <class T>
  static PEARLITE_INLINE Ends of(const T* row, int64_t k, T same, T other) {
    V here, next;
    fetch(row + k, here), fetch(row + k + 1, next);
    return {same * here + other * next, same * next + other * here};
  }
  // In cubes `same` is 0 for neighbours in one plane, and else they are alike.
  template <class T>
  static PEARLITE_INLINE Ends crossed(const T* row, int64_t k) {
    Ends e;
    fetch(row + k, e.upper), fetch(row + k + 1, e.lower);
    return e;
  }
  template <class T>
  static PEARLITE_INLINE Ends summed(const T* row, int64_t k) {
    V here, next;
    fetch(row + k, here), fetch(row + k + 1, next);
    return {here + next, here + next};
  }
  template <class T>
  static PEARLITE_INLINE Ends straight(const T* row, int64_t k) {
    Ends e;
    fetch(row + k, e.lower), fetch(row + k + 1, e.upper);
    return e;
  }
  static PEARLITE_INLINE Ends zero() { return {V::all(0), V::all(0)}; }
  PEARLITE_INLINE void add(const V& a, const Ends& e) { lower = lower + a * e.lower, upper = upper + a * e.upper; }
};

// Σ c u for the lower ends of the voxels k of the four lines around a row, and for their upper ends. What a
// row gives to two or four of the lines alike is multiplied once, by the sum of their conductivities.
template <bool Cubic, int Which, class T, class V>
PEARLITE_INLINE Ends<V> shares(const Around<T>& x, const Weights<T>& w, int64_t k) {
  using E = Ends<V>;
  V a[2][2];
  for (int s = 0; s < 2; ++s)
    for (int t = 0; t < 2; ++t) fetch(x.a[s][t] + k, a[s][t]);
  const V below = a[0][0] + a[0][1], above = a[1][0] + a[1][1];
  E sum = E::zero();
  if (Which & ACROSS) {
    for (int s = 0; s < 2; ++s)
      for (int t = 0; t < 2; ++t) {
        const T* row = x.u[2 * s][2 * t];
        sum.add(a[s][t], Cubic ? E::summed(row, k) : E::of(row, k, w.c110, w.c111));
      }
    for (int s = 0; s < 2; ++s) {
      const T* row = x.u[2 * s][1];
      sum.add(s ? above : below, Cubic ? E::crossed(row, k) : E::of(row, k, w.c100, w.c101));
    }
  }
  if (Which & BESIDE)
    for (int t = 0; t < 2; ++t) {
      const T* row = x.u[1][2 * t];
      sum.add(a[0][t] + a[1][t], Cubic ? E::crossed(row, k) : E::of(row, k, w.c010, w.c011));
    }
  if (Which & OWN) {
    const T* row = x.u[1][1];
    if (Cubic) sum.add(w.own * (below + above), E::straight(row, k));
    else sum.add(below + above, E::of(row, k, w.own, w.c001));
  }
  return sum;
}

// Calls use(k, v) for the vectors of a row, v = Σ c u over the neighbours of the nodes k … k + 15. The first
// vector comes last, when it is known what the voxel behind the last node gives to the first one.
template <bool Cubic, int Which, class T, class Use>
PEARLITE_INLINE void over_row(const Around<T>& x, const Weights<T>& w, int64_t n, const Use& use) {
  const auto deliver = [&](int64_t k, const Lanes<T>& before, const Ends<Lanes<T>>& e) {
    const auto v = e.lower + shifted(before, e.upper);
    use(k, Cubic ? w.c111 * v : v);
  };
  const auto first = shares<Cubic, Which, T, Lanes<T>>(x, w, 0);
  auto upper = first.upper;
  for (int64_t k = LANES; k < n; k += LANES) {
    const auto e = shares<Cubic, Which, T, Lanes<T>>(x, w, k);
    deliver(k, upper, e);
    upper = e.upper;
  }
  deliver(0, last_of(upper, n), first);
}

// Σ a over the eight voxels around a node.
template <class T>
PEARLITE_INLINE Lanes<T> surroundings(const Around<T>& x, int64_t k) {
  auto sum = Lanes<T>::all(0);
  for (int s = 0; s < 2; ++s)
    for (int t = 0; t < 2; ++t) sum = sum + (near(x.a[s][t] + k) + near(x.a[s][t] + k - 1));
  return sum;
}

}  // namespace voxels
}  // namespace PEARLITE_ISA
}  // namespace pearlite
