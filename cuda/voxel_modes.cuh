// The modes of a voxel's corners: see shared/modes.hpp.
#pragma once
#include "shared/modes.hpp"
#include "voxels.cuh"

namespace pearlite {

// mode (8,): of `scale` times a field u (n0, n1, n2), on the voxel at a place.
template <class T>
__device__ static __forceinline__ void modes_of(const int* n, const Place& p, const T* u, T scale, T* mode) {
  const int js[2] = {p.j, after(p.j, n[1])}, ks[2] = {p.k, after(p.k, n[2])};
  const T* low = u + Size(p.i) * n[1] * n[2];
  const T* high = u + Size(after(p.i, n[0])) * n[1] * n[2];
  T face[2][4];
#pragma unroll
  for (int e = 0; e < 2; ++e) {
    const int south = js[0] * n[2] + ks[e], north = js[1] * n[2] + ks[e];
    face_modes(scale * low[south], scale * low[north], scale * high[south], scale * high[north], face[e]);
  }
#pragma unroll
  for (int f = 0; f < 4; ++f) {
    mode[f + f] = face[0][f] + face[1][f];
    mode[f + f + 1] = face[1][f] - face[0][f];
  }
}

// The weights of the modes' products, by which the energy has g.
template <class T>
__device__ static __forceinline__ void mode_weights(const double* g, T* weight) {
#pragma unroll
  for (int m = 1; m < 8; ++m) weight[m] = T(mode_weight(g, m));
}

}  // namespace pearlite
