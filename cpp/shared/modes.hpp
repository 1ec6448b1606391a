// Energies of voxels, Σ_d g_d (S_d ⊗ M ⊗ M), from sums and differences of the corners, on host and device.
//
// With s and d the sum and the difference of two values, S(u, v) = d_u d_v and
// M(u, v) = s_u s_v / 4 + d_u d_v / 12. So the energy of a voxel is a weighted sum of seven products, of
// the modes of the eight corners that take a difference along at least one axis.
#pragma once
#include "shared/formula.hpp"

namespace pearlite {

// Mode m takes differences along the axes whose bits it has: 4 for axis 0, 2 for axis 1, 1 for axis 2.
PEARLITE_FORMULA double mode_weight(const double* g, int m) {
  double sum = 0;
  for (int d = 0; d < 3; ++d) {
    if (!(m >> (2 - d) & 1)) continue;
    double product = g[d];
    for (int e = 0; e < 3; ++e)
      if (e != d) product *= m >> (2 - e) & 1 ? 1. / 12 : 1. / 4;
    sum += product;
  }
  return sum;
}

// Modes 0, 2, 4 and 6 of one end of a voxel along axis 2, from its corners there (first index: axis 0).
template <class V>
PEARLITE_FORMULA void face_modes(const V& v00, const V& v01, const V& v10, const V& v11, V* face) {
  const V s0 = v00 + v01, d0 = v01 - v00, s1 = v10 + v11, d1 = v11 - v10;
  face[0] = s0 + s1;
  face[1] = d0 + d1;
  face[2] = s1 - s0;
  face[3] = d1 - d0;
}

}  // namespace pearlite
