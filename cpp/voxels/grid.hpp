// Where values live: a periodic grid of nodes, stored by rows along the last axis. A row has a halo of
// one node at either end, and zeros behind it up to a whole vector; the other two axes wrap by index.
// Node (i, j, k) is the lower corner of voxel (i, j, k).
#pragma once
#include "shared/simd.hpp"

namespace pearlite {
namespace PEARLITE_ISA {
namespace voxels {

constexpr int LANES = 16;
template <class T>
using Lanes = Vec<T, LANES>;
using Vf = Lanes<float>;

// A vector at any address.
template <class T>
PEARLITE_INLINE Lanes<T> near(const T* p) {
  typedef T Loose __attribute__((vector_size(Lanes<T>::bytes), aligned(sizeof(T))));
  Lanes<T> v;
  for (int i = 0; i < Lanes<T>::registers; ++i)
    v.r[i] = *reinterpret_cast<const Loose*>(p + i * Lanes<T>::per_register);
  return v;
}

template <class T>
PEARLITE_INLINE void fetch(const T* p, T& v) {
  v = *p;
}
template <class T>
PEARLITE_INLINE void fetch(const T* p, Lanes<T>& v) {
  v = near(p);
}

struct Grid {
  int n[3] = {1, 1, 1};
  int64_t pitch = 0, plane = 0;  // from row to row, and from plane to plane

  static Grid of(int n0, int n1, int n2) {
    Grid g;
    g.n[0] = n0, g.n[1] = n1, g.n[2] = n2;
    // An odd number of cache lines keeps neighbouring rows out of the same cache sets. A processor
    // takes a load for one of what was just stored if their addresses are alike in the last twelve
    // bits (64 lines), so planes stay off that.
    const int64_t lines = (((int64_t(n2) + LANES - 1) / LANES + 1) | 1), page = 64;
    int64_t plane = (n1 * lines) | 1;
    while (plane > page && (plane % page < 20 || plane % page > 44)) plane += 2;
    g.pitch = lines * LANES;
    g.plane = plane * LANES;
    return g;
  }
  PEARLITE_INLINE int64_t rows() const { return int64_t(n[0]) * n[1]; }
  PEARLITE_INLINE int64_t size() const { return n[0] * plane + LANES; }
  PEARLITE_INLINE int64_t at(int i, int j) const { return i * plane + j * pitch + LANES; }
  PEARLITE_INLINE int64_t nodes() const { return rows() * n[2]; }
  static PEARLITE_INLINE int up(int i, int n) { return i + 1 < n ? i + 1 : 0; }
  static PEARLITE_INLINE int down(int i, int n) { return i > 0 ? i - 1 : n - 1; }
};

// Zeros behind the nodes of a row, up to a whole vector. `row` is its node 0.
template <class T>
PEARLITE_INLINE void clear_rest(const Grid& g, T* row) {
  for (int k = g.n[2]; k % LANES != 0; ++k) row[k] = 0;
}

// The lanes that hold nodes of a row; zeros in the others, where the halo may lie.
template <class T>
PEARLITE_INLINE Lanes<T> inside(const Grid& g, int64_t k, const Lanes<T>& v) {
  if (k + LANES <= g.n[2]) return v;
  alignas(64) T lane[LANES];
  v.store(lane);
  for (int64_t e = g.n[2] - k; e < LANES; ++e) lane[e] = 0;
  return Lanes<T>::load(lane);
}

// Fills the halo of a row, and clears what else is read behind it.
template <class T>
PEARLITE_INLINE void close_row(const Grid& g, T* row) {
  const int n = g.n[2];
  clear_rest(g, row);
  row[(n + LANES - 1) / LANES * LANES] = 0;
  row[n] = row[0];
  row[-1] = row[n - 1];
}

// Hands out pieces of one block of memory, aligned to cache lines. With no block, it only counts.
struct Arena {
  char* base = nullptr;
  int64_t used = 0;

  template <class T>
  T* take(int64_t count) {
    T* p = reinterpret_cast<T*>(base + used);
    used += (count * int64_t(sizeof(T)) + 63) / 64 * 64 + 704;
    return base ? p : nullptr;
  }
};

// Σ of the lanes of doubles, in a fixed order.
PEARLITE_INLINE double total(const Lanes<double>& v) {
  alignas(64) double lane[LANES];
  v.store(lane);
  for (int half = LANES / 2; half > 0; half /= 2)
    for (int k = 0; k < half; ++k) lane[k] += lane[k + half];
  return lane[0];
}

// Σ over the nodes, or voxels, of plane i.
template <class T>
double plane_sum(const Grid& g, const T* field, int i) {
  auto sum = Lanes<double>::all(0);
  for (int j = 0; j < g.n[1]; ++j)
    for (int64_t k = 0; k < g.n[2]; k += LANES)
      sum = sum + convert<double>(inside(g, k, Lanes<T>::load(field + g.at(i, j) + k)));
  return total(sum);
}

}  // namespace voxels
}  // namespace PEARLITE_ISA
}  // namespace pearlite
