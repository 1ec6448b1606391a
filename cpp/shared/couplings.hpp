// Trilinear elements on boxes as couplings between the corners of each voxel, on host and device:
// (A u)(x) = Σ c (u(x) − u(y)).
//
// An element of conductivity a on a box with sides h has the matrix Σ_d g_d (S_d ⊗ M ⊗ M),
// g_d = a h0 h1 h2 / h_d², S = [1 −1; −1 1] along axis d, M = [2 1; 1 2] / 6 along the others. For cubes
// the corners of an edge are not coupled.
#pragma once
#include "shared/formula.hpp"

namespace pearlite {

// Couplings c of two corners, by the axes along which they differ, for a = 1.
struct Couplings {
  double c001 = 0, c010 = 0, c100 = 0, c011 = 0, c101 = 0, c110 = 0, c111 = 0;
  bool cubic = false;  // the first three vanish, and the others are alike

  // g: of the three axes, for a = 1
  static PEARLITE_MEMBER Couplings of(const double* g) {
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
  // The matrix's entry of two corners, by the bits of the axes along which they differ: 4 for axis 0, 2 for
  // axis 1, 1 for axis 2.
  PEARLITE_MEMBER double entry(int difference) const {
    switch (difference) {
      case 0: return diagonal();
      case 1: return -c001;
      case 2: return -c010;
      case 3: return -c011;
      case 4: return -c100;
      case 5: return -c101;
      case 6: return -c110;
      default: return -c111;
    }
  }
  // Of a corner with all others of its voxel.
  PEARLITE_MEMBER double diagonal() const { return c001 + c010 + c100 + c011 + c101 + c110 + c111; }
};

// The largest eigenvalue of a voxel's element, for a = 1: that of a field that changes along one axis alone.
PEARLITE_FORMULA double largest_of_element(const double* g) {
  const double more = g[0] > g[1] ? g[0] : g[1];
  return .5 * (g[2] > more ? g[2] : more);
}

}  // namespace pearlite
