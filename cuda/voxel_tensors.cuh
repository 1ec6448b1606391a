// Voxels whose conductivities are tensors, in the coordinates of voxels: their entries (6, nodes), one after the
// other. What a node takes of the voxels around it, and tensors of coarse voxels.
#pragma once
#include "shared/voxel_tensors.hpp"
#include "voxels.cuh"

namespace pearlite {

template <class To, class From>
__device__ static __forceinline__ void entries_at(const From* a, Size nodes, Size voxel, To* entry) {
#pragma unroll
  for (int c = 0; c < tensor_entries; ++c) entry[c] = To(a[c * nodes + voxel]);
}

// Of a plane's nodes around a column, the modes (4,) of the faces of the four voxels there: bit 2 takes a
// difference along axis 1, bit 1 along axis 2.
template <class T>
struct Faces {
  T own, mode[4][4];

  __device__ __forceinline__ Faces(const T* u, const Around& x) {
    const int rows[3] = {x.rows[0], x.row, x.rows[1]}, ks[3] = {x.ks[0], x.k, x.ks[1]};
    T value[3][3];
#pragma unroll
    for (int t = 0; t < 3; ++t)
#pragma unroll
      for (int e = 0; e < 3; ++e) value[t][e] = u[rows[t] + ks[e]];
    own = value[1][1];
#pragma unroll
    for (int v = 0; v < 4; ++v) {
      const int t = v >> 1, e = v & 1;
      face_modes(value[t][e], value[t][e + 1], value[t + 1][e], value[t + 1][e + 1], mode[v]);
    }
  }
};

// As over_column, of tensors. A layer of voxels gives to the node below it and to the one above it, so one more
// is read than there are nodes.
template <class T, class Use>
__device__ static __forceinline__ void over_tensors(const int* n, const T* a, const T* u, int column, int first,
                                                    int count, const Use& use) {
  const int plane = n[1] * n[2];
  const Size nodes = Size(n[0]) * plane;
  const Around x(column, n);
  int i = before(first, n[0]);
  Faces<T> here(u + Size(i) * plane, x);
  T sum = 0;
#pragma unroll 1
  for (int step = 0; step <= count; ++step) {
    const int next = after(i, n[0]);
    const Faces<T> above(u + Size(next) * plane, x);
    T more = 0;
#pragma unroll
    for (int v = 0; v < 4; ++v) {
      T entry[tensor_entries], mode[8], flux[8];
      entries_at(a, nodes, Size(i) * plane + x.voxel(v >> 1, v & 1), entry);
#pragma unroll
      for (int f = 0; f < 4; ++f) {
        mode[f] = here.mode[v][f] + above.mode[v][f];
        mode[4 + f] = above.mode[v][f] - here.mode[v][f];
      }
      flux_of_modes<T>(entry, mode, flux);
      // The node is the lower corner of a voxel that lies above it.
      const T s = v >> 1 ? T(-1) : T(1), t = v & 1 ? T(-1) : T(1);
      const T inner = s * flux[2] + t * flux[1] + (s * t) * flux[3];
      const T outer = flux[4] + (s * flux[6] + t * flux[5] + (s * t) * flux[7]);
      sum += inner - outer;
      more += inner + outer;
    }
    if (step > 0) use(i * plane + x.node(), here.own, T(.0625) * sum);
    sum = more;
    here = above;
    i = next;
  }
}

// sum (3,): a quarter of what a e_d is more in the voxels above a node than in those below it, of each load d.
template <class T>
__device__ static __forceinline__ void loads_at(int node, const int* n, const T* a, T* sum) {
  const Size nodes = Size(n[0]) * n[1] * n[2];
#pragma unroll
  for (int d = 0; d < 3; ++d) sum[d] = 0;
  each_voxel_around(node, n, [&](int voxel, int above) {
    T entry[tensor_entries];
    entries_at(a, nodes, voxel, entry);
#pragma unroll
    for (int d = 0; d < 3; ++d)
#pragma unroll
      for (int c = 0; c < 3; ++c) {
        const T value = entry[entry_of(d, c)];
        sum[d] += above >> (2 - c) & 1 ? value : -value;
      }
  });
#pragma unroll
  for (int d = 0; d < 3; ++d) sum[d] *= T(.25);
}

// As inverse_diagonal: D is half the sum of the largest eigenvalues of the voxels around a node.
__device__ static __forceinline__ float inverse_diagonal_of_tensors(int node, const int* n, const float* a) {
  const Size nodes = Size(n[0]) * n[1] * n[2];
  const auto larger = [](float v, float w) { return v > w ? v : w; };
  float sum = 0;
  each_voxel_around(node, n, [&](int voxel, int) {
    float entry[tensor_entries];
    entries_at(a, nodes, voxel, entry);
    sum += largest_eigenvalue(entry, [](float v) { return sqrtf(v); }, larger);
  });
  return inverse_or_zero(.5f * sum);
}

__device__ static __forceinline__ float diagonal_at(int node, const Level& g, const float* a) {
  if constexpr (tensors) return inverse_diagonal_of_tensors(node, g.n, a);
  else return inverse_diagonal(node, g, a);
}

// out: the tensor (6, nodes of m) of a coarse voxel.
__device__ static __forceinline__ void average_tensor(const int* n, const int* m, int coarse, const float* a,
                                                      float* out) {
  const Size nodes = Size(n[0]) * n[1] * n[2], coarse_nodes = Size(m[0]) * m[1] * m[2];
  double sums[coarse_sums] = {};
  each_fine_voxel(n, m, coarse, [&](int voxel, float row, float along) {
    const double part = double(row) * double(along);
    double entry[tensor_entries], inverse[tensor_entries];
    entries_at(a, nodes, voxel, entry);
    inverse_of(entry, part, inverse);
#pragma unroll
    for (int c = 0; c < tensor_entries; ++c) {
      sums[c] += part * entry[c];
      sums[tensor_entries + c] += inverse[c];
    }
    if (inverse[0] > 0) sums[coarse_sums - 1] += part;
  });
  double mean[tensor_entries];
  coarse_tensor(sums, mean);
#pragma unroll
  for (int d = 0; d < 3; ++d)
#pragma unroll
    for (int e = d; e < 3; ++e) {
      const int c = entry_of(d, e);
      out[c * coarse_nodes + coarse] = float(coarse_factor(n, m, d, e) * mean[c]);
    }
}

// row (8,): of a voxel's matrix, that of corner p, by the bits of the corners.
__device__ static __forceinline__ void element_row(const float* a, Size nodes, Size voxel, int p, double* row) {
  double entry[tensor_entries], mode[8], flux[8];
  entries_at(a, nodes, voxel, entry);
#pragma unroll
  for (int m = 1; m < 8; ++m) mode[m] = sign_in_mode(m, p);
  flux_of_modes<double>(entry, mode, flux);
#pragma unroll
  for (int q = 0; q < 8; ++q) {
    double sum = 0;
#pragma unroll
    for (int m = 1; m < 8; ++m) sum += sign_in_mode(m, q) * flux[m];
    row[q] = sum / 16;
  }
}

// u, A u and what is there of a grid's conductivities: scalars, or tensors where these are compiled for.
template <class T, class A, class Use>
__device__ static __forceinline__ void operate_on(const Level& g, [[maybe_unused]] const Stencil<T>& c, const A* a,
                                                  const T* u, int column, int first, int count, const Use& use) {
  if constexpr (tensors) over_tensors(g.n, a, u, column, first, count, use);
  else over_column(g.n, c, a, u, column, first, count, use);
}

}  // namespace pearlite
