// One cell of voxels with tensors, as conjugate gradients see it.
#pragma once
#include "tensor_cycle.hpp"

namespace pearlite {
namespace PEARLITE_ISA {
namespace voxels {

template <class T>
class TensorCell {
 public:
  using Number = T;

  void allocate(Arena& arena, const VoxelTask& task, const Grid& grid) {
    grid_ = grid;
    cycle_.allocate(arena, grid, task.g, task.team.threads, task.smoothing);
    if (sizeof(T) == sizeof(float))
      for (int c = 0; c < ENTRIES; ++c) a_.entry[c] = reinterpret_cast<T*>(cycle_.level[0].a.entry[c]);
    else a_.allocate(arena, grid);
    product_.allocate(arena, grid, Chunks(grid, task.team.threads).count);
    lines_ = arena.take<T>(ENTRIES * int64_t(grid.n[0]) * grid.n[2]);
  }

  float* residual() const { return cycle_.level[0].r; }
  const float* preconditioned() const { return cycle_.level[0].z; }

  void read(const VoxelTask& task, int i) const {
    T* const line = lines_ + ENTRIES * int64_t(i) * grid_.n[2];
    for (int j = 0; j < grid_.n[1]; ++j) {
      task.read(task.context, i, j, line);
      for (int c = 0; c < ENTRIES; ++c) {
        T* row = a_.entry[c] + grid_.at(i, j);
        float* single = cycle_.level[0].a.entry[c] + grid_.at(i, j);
        for (int k = 0; k < grid_.n[2]; ++k) row[k] = line[c * grid_.n[2] + k];
        close_row(grid_, row);
        if (sizeof(T) == sizeof(float)) continue;
        for (int k = 0; k < grid_.n[2]; ++k) single[k] = float(row[k]);
        close_row(grid_, single);
      }
    }
  }

  void setup(const VoxelTeam& team) { cycle_.setup(team); }

  template <class Prepare>
  double precondition(const VoxelTeam& team, const Prepare& prepare) {
    return cycle_.run(team, prepare);
  }

  // r = −∫ ∇φ · a e_d on plane i
  void load(const VoxelTask&, int d, int64_t chunk, int i, bool fresh, T* r) const {
    const T* product = product_.plane(a_, r, chunk, i, fresh, d);
    each_row(i, product, [&](int64_t at, int64_t k, const Lanes<T>& v) { (T(-1) * v).store(r + at + k); });
  }

  // q = A p on plane i. Returns Σ p q of the plane.
  double apply(int64_t chunk, int i, bool fresh, const T* p, T* q) const {
    const T* product = product_.plane(a_, p, chunk, i, fresh);
    auto dot = Lanes<double>::all(0);
    for (int j = 0; j < grid_.n[1]; ++j) {
      const int64_t at = grid_.at(i, j);
      auto sum = Lanes<T>::all(0);
      for (int64_t k = 0; k < grid_.n[2]; k += LANES) {
        const auto v = inside(grid_, k, T(.0625) * Lanes<T>::load(product + j * grid_.pitch + k));
        sum = sum + Lanes<T>::load(p + at + k) * v;
        v.store(q + at + k);
      }
      dot = dot + convert<double>(sum);
    }
    return total(dot);
  }

  // Σ over plane i of the diagonal entry d of the conductivity.
  double diagonal(const VoxelTask&, int d, int i) const { return plane_sum(grid_, a_.entry[d], i); }

  // Σ over the voxels of plane i of (e_d + ∇χ_d) · a (e_e + ∇χ_e), added to sums[d][e], e ≤ d.
  void energies(const VoxelTask&, const T* const chi[3], int i, double sums[3][3]) const {
    const int above = Grid::up(i, grid_.n[0]);
    for (int j = 0; j < grid_.n[1]; ++j) {
      const int north = Grid::up(j, grid_.n[1]);
      Lanes<T> row_sum[3][3];
      for (int d = 0; d < 3; ++d)
        for (int e = 0; e <= d; ++e) row_sum[d][e] = Lanes<T>::all(0);
      for (int64_t k = 0; k < grid_.n[2]; k += LANES) {
        Lanes<T> a[ENTRIES], mode[3][8], flux[8];
        a_.fetch_at(grid_.at(i, j) + k, a);
        for (int c = 0; c < ENTRIES; ++c) a[c] = inside(grid_, k, a[c]);
        for (int d = 0; d < 3; ++d) {
          const T* const rows[2][2] = {{chi[d] + grid_.at(i, j), chi[d] + grid_.at(i, north)},
                                       {chi[d] + grid_.at(above, j), chi[d] + grid_.at(above, north)}};
          modes_at(rows, k, mode[d]);
          mode[d][4 >> d] = mode[d][4 >> d] + Lanes<T>::all(4);  // of the coordinate itself
          flux_of_modes<T>(a, mode[d], flux);
          for (int e = 0; e <= d; ++e)
            for (int m = 1; m < 8; ++m) row_sum[d][e] = row_sum[d][e] + flux[m] * mode[e][m];
        }
      }
      for (int d = 0; d < 3; ++d)
        for (int e = 0; e <= d; ++e) sums[d][e] += total(convert<double>(row_sum[d][e])) / 16;
    }
  }

 private:
  template <class Use>
  void each_row(int i, const T* product, const Use& use) const {
    for (int j = 0; j < grid_.n[1]; ++j)
      for (int64_t k = 0; k < grid_.n[2]; k += LANES)
        use(grid_.at(i, j), k, inside(grid_, k, T(.0625) * Lanes<T>::load(product + j * grid_.pitch + k)));
  }

  Grid grid_;
  TensorCycle cycle_;
  Tensors<T> a_;
  TensorProduct<T> product_;
  T* lines_ = nullptr;  // (planes, 6, n2)
};

}  // namespace voxels
}  // namespace PEARLITE_ISA
}  // namespace pearlite
