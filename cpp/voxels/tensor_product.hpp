// The operator of voxels with tensors, applied plane by plane.
//
// A voxel gives to its eight corners at once, so a plane of nodes is complete when the voxels below and
// above it have been passed. What the voxels above a plane give to the next one waits in a buffer.
#pragma once
#include "tensor_element.hpp"

namespace pearlite {
namespace PEARLITE_ISA {
namespace voxels {

// The six entries of the tensors of a grid's voxels.
template <class T>
struct Tensors {
  T* entry[ENTRIES] = {};  // (n0, n1, n2) each, as the grid says

  void allocate(Arena& arena, const Grid& grid) {
    for (T*& e : entry) e = arena.take<T>(grid.size());
  }
  template <class V>
  PEARLITE_INLINE void fetch_at(int64_t place, V* a) const {
    for (int c = 0; c < ENTRIES; ++c) fetch(entry[c] + place, a[c]);
  }
};

template <class T>
class TensorProduct {
 public:
  void allocate(Arena& arena, const Grid& grid, int chunks) {
    grid_ = grid;
    buffers_ = arena.take<T>(2 * int64_t(chunks) * grid.plane + LANES) + (arena.base ? LANES : 0);
  }

  // 16 A u on plane i, from row to row as the grid's; the lanes behind a row are anything. Where it is not
  // `fresh`, the call before of this chunk was for the plane below. With `load` not negative, u is instead
  // the coordinate along that axis, of which a node's value depends on the voxel that asks.
  const T* plane(const Tensors<T>& a, const T* u, int64_t chunk, int i, bool fresh, int load = -1) const {
    T* const here = buffers_ + (2 * chunk + (i & 1)) * grid_.plane;
    T* const above = buffers_ + (2 * chunk + (~i & 1)) * grid_.plane;
    // The same code for all, so that the bits of a result do not depend on where chunks begin.
    if (fresh) voxels(a, u, Grid::down(i, grid_.n[0]), above, here, load);
    voxels(a, u, i, here, above, load);
    return here;
  }

 private:
  // What plane i of voxels gives to the nodes below, added to `low`, and to those above, stored in `high`.
  void voxels(const Tensors<T>& a, const T* u, int i, T* low, T* high, int load) const {
    const int up = Grid::up(i, grid_.n[0]), last = grid_.n[1] - 1;
    for (int j = 0; j <= last; ++j) {
      const int north = Grid::up(j, grid_.n[1]);
      const T* const rows[2][2] = {{u + grid_.at(i, j), u + grid_.at(i, north)},
                                   {u + grid_.at(up, j), u + grid_.at(up, north)}};
      T* const out[2][2] = {{low + j * grid_.pitch, low + north * grid_.pitch},
                            {high + j * grid_.pitch, high + north * grid_.pitch}};
      const bool first[2] = {j == 0, j < last};  // of what the rows of `high` take
      if (load < 0) line<false>(a, rows, grid_.at(i, j), out, first, load);
      else line<true>(a, rows, grid_.at(i, j), out, first, load);
    }
  }

  template <bool Load, class V>
  PEARLITE_INLINE void fluxes(const Tensors<T>& a, const T* const rows[2][2], int64_t at, int64_t k, int load,
                              V* flux) const {
    V entry[ENTRIES], mode[8];
    a.fetch_at(at + k, entry);
    if (Load) {
      for (int m = 0; m < 8; ++m) mode[m] = T(0) * entry[0];
      for (int c = 0; c < 3; ++c) flux[4 >> c] = T(4) * entry[entry_of(load, c)];
      flux[3] = flux[5] = flux[6] = flux[7] = mode[0];
    } else {
      modes_at(rows, k, mode);
      flux_of_modes<T>(entry, mode, flux);
    }
  }

  template <bool Load>
  PEARLITE_INLINE void line(const Tensors<T>& a, const T* const rows[2][2], int64_t at, T* const out[2][2],
                            const bool first[2], int load) const {
    Lanes<T> before[2][2];
    for (int s = 0; s < 2; ++s)
      for (int t = 0; t < 2; ++t) before[s][t] = Lanes<T>::all(0);
    for (int64_t k = 0; k < grid_.n[2]; k += LANES) {
      Lanes<T> flux[8], lower[2][2], upper[2][2];
      fluxes<Load>(a, rows, at, k, load, flux);
      corners_of<T>(flux, 0, lower);
      corners_of<T>(flux, 1, upper);
      for (int s = 0; s < 2; ++s)
        for (int t = 0; t < 2; ++t) {
          T* to = out[s][t] + k;
          const auto v = lower[s][t] + shifted(before[s][t], upper[s][t]);
          (s == 1 && first[t] ? v : Lanes<T>::load(to) + v).store(to);
          before[s][t] = upper[s][t];
        }
    }
    // The voxel behind the last node of the row gives to the first one.
    for (int s = 0; s < 2; ++s)
      for (int t = 0; t < 2; ++t) {
        alignas(64) T lane[LANES];
        before[s][t].store(lane);
        out[s][t][0] += lane[(grid_.n[2] - 1) % LANES];
      }
  }

  Grid grid_;
  T* buffers_ = nullptr;  // (chunks, 2, n1, pitch)
};

}  // namespace voxels
}  // namespace PEARLITE_ISA
}  // namespace pearlite
