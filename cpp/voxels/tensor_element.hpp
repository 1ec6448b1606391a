// The trilinear element of a symmetric tensor, vector by vector: see shared/voxel_tensors.hpp.
#pragma once
#include "energies.hpp"
#include "shared/voxel_tensors.hpp"

namespace pearlite {
namespace PEARLITE_ISA {
namespace voxels {

constexpr int ENTRIES = tensor_entries;

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
