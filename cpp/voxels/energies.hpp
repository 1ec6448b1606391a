// Energies of voxels, vector by vector: see shared/modes.hpp.
#pragma once
#include "couplings.hpp"
#include "shared/modes.hpp"

namespace pearlite {
namespace PEARLITE_ISA {
namespace voxels {

struct ModeWeights {
  double w[8] = {};
  explicit ModeWeights(const double* g) {
    for (int m = 1; m < 8; ++m) w[m] = mode_weight(g, m);
  }
};

// The modes of voxel k, or of voxels k … k + 15, from the rows (i + s, j + t) of its corners.
template <class T, class V>
PEARLITE_INLINE void modes_at(const T* const rows[2][2], int64_t k, V* mode) {
  for (int end = 0; end < 2; ++end) {
    V v00, v01, v10, v11;
    fetch(rows[0][0] + k + end, v00), fetch(rows[0][1] + k + end, v01);
    fetch(rows[1][0] + k + end, v10), fetch(rows[1][1] + k + end, v11);
    V face[4];
    face_modes(v00, v01, v10, v11, face);
    for (int f = 0; f < 4; ++f) {
      if (end == 0) {
        mode[2 * f] = face[f];
      } else {
        const V first = mode[2 * f];
        mode[2 * f] = first + face[f];
        mode[2 * f + 1] = face[f] - first;
      }
    }
  }
}

// Σ over the voxels of plane i of a (e_d + ∇χ_d) g (e_e + ∇χ_e), added to sums[d][e], e ≤ d. Voxels above
// `conductor` count twice, if it is not 0: A* grows with the conductivity σ of a conductor towards its
// limit by σ times its derivative in σ, to first order in 1/σ, and that is the energy inside.
template <class T>
void add_energies(const Grid& g, const ModeWeights& weights, const T* a, const T* const chi[3], int i,
                  double conductor, double sums[3][3]) {
  const auto threshold = Lanes<T>::all(T(conductor));
  const int above = Grid::up(i, g.n[0]);
  for (int j = 0; j < g.n[1]; ++j) {
    const int north = Grid::up(j, g.n[1]);
    Lanes<T> row_sum[3][3];
    for (int d = 0; d < 3; ++d)
      for (int e = 0; e <= d; ++e) row_sum[d][e] = Lanes<T>::all(0);
    for (int64_t k = 0; k < g.n[2]; k += LANES) {
      Lanes<T> mode[3][8];
      for (int d = 0; d < 3; ++d) {
        const T* const rows[2][2] = {{chi[d] + g.at(i, j), chi[d] + g.at(i, north)},
                                     {chi[d] + g.at(above, j), chi[d] + g.at(above, north)}};
        modes_at(rows, k, mode[d]);
        Lanes<T>& own = mode[d][4 >> d];
        own = own + Lanes<T>::all(4);  // of the coordinate itself
      }
      auto voxel = inside(g, k, Lanes<T>::load(a + g.at(i, j) + k));
      if (conductor > 0) voxel = voxel + select_above(voxel, threshold);
      for (int m = 1; m < 8; ++m)
        for (int d = 0; d < 3; ++d) {
          const auto scaled = (T(weights.w[m]) * voxel) * mode[d][m];
          for (int e = 0; e <= d; ++e) row_sum[d][e] = row_sum[d][e] + scaled * mode[e][m];
        }
    }
    for (int d = 0; d < 3; ++d)
      for (int e = 0; e <= d; ++e) sums[d][e] += total(convert<double>(row_sum[d][e]));
  }
}

}  // namespace voxels
}  // namespace PEARLITE_ISA
}  // namespace pearlite
