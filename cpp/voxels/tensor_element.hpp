// The trilinear element of a symmetric tensor, in the modes of its corners (see energies.hpp).
//
// With ξ from −½ to ½ along each axis and u = Σ c_S Π_{d∈S} ξ_d over sets S of axes, the energy
// ∫ ∇u · a ∇u of a unit voxel falls apart by the number of axes:
//   one    Σ_de a_de c_d c_e
//   two    (1/12) Σ a_de c_df c_ef over d, e and the axes f other than both
//   three  (1/144) tr(a) c_012²
// The sums and differences m of the eight corners are 4 c of one axis, 2 c of two, and c of three: the
// energy is Σ m · flux / 16, with the fluxes that are linear in m below.
#pragma once
#include "energies.hpp"

namespace pearlite {
namespace PEARLITE_ISA {
namespace voxels {

constexpr int ENTRIES = 6;  // of a symmetric tensor: 00, 11, 22, 01, 02, 12
constexpr int ENTRY[3][3] = {{0, 3, 4}, {3, 1, 5}, {4, 5, 2}};

// a: (6,) entries; mode, flux: (8,), of which 0 is not used
template <class T, class V>
PEARLITE_INLINE void flux_of_modes(const V* a, const V* mode, V* flux) {
  const T third = T(1) / 3;
  flux[4] = a[0] * mode[4] + (a[3] * mode[2] + a[4] * mode[1]);
  flux[2] = a[3] * mode[4] + (a[1] * mode[2] + a[5] * mode[1]);
  flux[1] = a[4] * mode[4] + (a[5] * mode[2] + a[2] * mode[1]);
  const V both = a[0] + a[1], m6 = third * mode[6], m5 = third * mode[5], m3 = third * mode[3];
  flux[6] = both * m6 + (a[5] * m5 + a[4] * m3);
  flux[5] = a[5] * m6 + ((a[0] + a[2]) * m5 + a[3] * m3);
  flux[3] = a[4] * m6 + (a[3] * m5 + (a[1] + a[2]) * m3);
  flux[7] = (both + a[2]) * ((third * third) * mode[7]);
}

// What the corners (s, t) of one end along axis 2 take of the fluxes of their voxel: Σ ± flux.
template <class T, class V>
PEARLITE_INLINE void corners_of(const V* flux, int end, V out[2][2]) {
  const V f0 = end ? flux[1] : T(-1) * flux[1];
  V face[4];
  for (int f = 1; f < 4; ++f) face[f] = end ? flux[2 * f] + flux[2 * f + 1] : flux[2 * f] - flux[2 * f + 1];
  const V a0 = f0 - face[1], a1 = f0 + face[1], b0 = face[2] - face[3], b1 = face[2] + face[3];
  out[0][0] = a0 - b0, out[0][1] = a1 - b1;
  out[1][0] = a0 + b0, out[1][1] = a1 + b1;
}

}  // namespace voxels
}  // namespace PEARLITE_ISA
}  // namespace pearlite
