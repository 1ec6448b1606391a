// The discrete operator as couplings between the corners of each voxel, (A u)(x) = Σ c (u(x) − u(y)).
//
// A trilinear element of conductivity a on a box with sides h has the matrix Σ_d g_d (S_d ⊗ M ⊗ M),
// g_d = a h0 h1 h2 / h_d², S = [1 −1; −1 1] along axis d, M = [2 1; 1 2] / 6 along the others. For cubes
// the corners of an edge are not coupled: then the nodes of a row do not see each other, and sweeping
// whole rows at a time is an exact Gauss–Seidel sweep.
#pragma once
#include "grid.hpp"

namespace pearlite {
namespace PEARLITE_ISA {
namespace voxels {

// Couplings c of two corners, by the axes along which they differ, for a = 1.
struct Couplings {
  double c001 = 0, c010 = 0, c100 = 0, c011 = 0, c101 = 0, c110 = 0, c111 = 0;
  bool cubic = false;  // the first three vanish, and the others are alike

  // g: of the three axes, for a = 1
  static Couplings of(const double* g) {
    Couplings c;
    c.c100 = (2 * g[0] - g[1] - g[2]) / 18;
    c.c010 = (2 * g[1] - g[0] - g[2]) / 18;
    c.c001 = (2 * g[2] - g[0] - g[1]) / 18;
    c.c110 = (2 * g[0] + 2 * g[1] - g[2]) / 36;
    c.c101 = (2 * g[0] + 2 * g[2] - g[1]) / 36;
    c.c011 = (2 * g[1] + 2 * g[2] - g[0]) / 36;
    c.c111 = (g[0] + g[1] + g[2]) / 36;
    c.cubic = g[0] == g[1] && g[1] == g[2];
    return c;
  }
  // Of a corner with all others of its voxel.
  double diagonal() const { return c001 + c010 + c100 + c011 + c101 + c110 + c111; }
};

// The rows around row (i, j) of a field u, and the rows of the four lines of voxels that meet there.
template <class T>
struct Around {
  const T* u[3][3];  // row (i + s − 1, j + t − 1)
  const T* a[2][2];  // voxels (i + s − 1, j + t − 1): s, t = 1 lie above the node

  Around(const Grid& g, const T* field, const T* voxel, int i, int j) {
    const int is[3] = {Grid::down(i, g.n[0]), i, Grid::up(i, g.n[0])};
    const int js[3] = {Grid::down(j, g.n[1]), j, Grid::up(j, g.n[1])};
    for (int s = 0; s < 3; ++s)
      for (int t = 0; t < 3; ++t) u[s][t] = field + g.at(is[s], js[t]);
    for (int s = 0; s < 2; ++s)
      for (int t = 0; t < 2; ++t) a[s][t] = voxel + g.at(is[s], js[t]);
  }
};

// The couplings in the numbers of a kernel.
template <class T>
struct Weights {
  T c001, c010, c100, c011, c101, c110, c111;
  explicit Weights(const Couplings& c)
      : c001(T(c.c001)), c010(T(c.c010)), c100(T(c.c100)), c011(T(c.c011)), c101(T(c.c101)), c110(T(c.c110)),
        c111(T(c.c111)) {}
};

// Σ c u over neighbours of the nodes k … k + 15 of a row: those of row (i, j + 1) or (i, j − 1) (`t` = 1
// or 0).
template <bool Cubic, class T>
PEARLITE_INLINE Lanes<T> beside(const Around<T>& x, const Weights<T>& w, int t, int64_t k) {
  const T* b = x.u[1][2 * t];
  const auto right = near(x.a[0][t] + k) + near(x.a[1][t] + k);
  const auto left = near(x.a[0][t] + k - 1) + near(x.a[1][t] + k - 1);
  const auto sum = w.c011 * (right * near(b + k + 1) + left * near(b + k - 1));
  if (Cubic) return sum;
  return sum + w.c010 * ((right + left) * near(b + k));
}

// The same of the three rows of plane i + 1 or i − 1 (`s` = 1 or 0).
template <bool Cubic, class T>
PEARLITE_INLINE Lanes<T> across(const Around<T>& x, const Weights<T>& w, int s, int64_t k) {
  const T* a = x.u[2 * s][1];
  auto sum = Lanes<T>::all(0);
  if (Cubic) {
    const auto a_right = near(a + k + 1), a_left = near(a + k - 1);
    for (int t = 0; t < 2; ++t) {
      const T* d = x.u[2 * s][2 * t];
      const auto here = near(d + k);
      sum = sum + near(x.a[s][t] + k) * ((a_right + near(d + k + 1)) + here) +
            near(x.a[s][t] + k - 1) * ((a_left + near(d + k - 1)) + here);
    }
    return w.c111 * sum;
  }
  const auto here = w.c100 * near(a + k);
  const auto a_right = w.c101 * near(a + k + 1) + here, a_left = w.c101 * near(a + k - 1) + here;
  for (int t = 0; t < 2; ++t) {
    const T* d = x.u[2 * s][2 * t];
    const auto corner = w.c110 * near(d + k);
    sum = sum + near(x.a[s][t] + k) * ((a_right + w.c111 * near(d + k + 1)) + corner) +
          near(x.a[s][t] + k - 1) * ((a_left + w.c111 * near(d + k - 1)) + corner);
  }
  return sum;
}

// The same of the row itself; nothing in cubes.
template <class T>
PEARLITE_INLINE Lanes<T> along(const Around<T>& x, const Weights<T>& w, int64_t k) {
  const auto right = (near(x.a[0][0] + k) + near(x.a[0][1] + k)) + (near(x.a[1][0] + k) + near(x.a[1][1] + k));
  const auto left = (near(x.a[0][0] + k - 1) + near(x.a[0][1] + k - 1)) +
                    (near(x.a[1][0] + k - 1) + near(x.a[1][1] + k - 1));
  return w.c001 * (right * near(x.u[1][1] + k + 1) + left * near(x.u[1][1] + k - 1));
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
