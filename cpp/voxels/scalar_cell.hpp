// One cell of voxels with scalars, as conjugate gradients see it.
#pragma once
#include "cycle.hpp"
#include "energies.hpp"

namespace pearlite {
namespace PEARLITE_ISA {
namespace voxels {

template <class T>
class ScalarCell {
 public:
  using Number = T;

  void allocate(Arena& arena, const VoxelTask& task, const Grid& grid) {
    grid_ = grid;
    cycle_.allocate(arena, grid, task.g, task.team.threads);
    a_ = sizeof(T) == sizeof(float) ? reinterpret_cast<T*>(cycle_.level[0].a) : arena.take<T>(grid.size());
  }

  float* residual() const { return cycle_.level[0].r; }
  const float* preconditioned() const { return cycle_.level[0].z; }

  void read(const VoxelTask& task, int i) const {
    for (int j = 0; j < grid_.n[1]; ++j) {
      T* row = a_ + grid_.at(i, j);
      task.read(task.context, i, j, row);
      close_row(grid_, row);
      if (sizeof(T) == sizeof(float)) continue;
      float* single = cycle_.level[0].a + grid_.at(i, j);
      for (int k = 0; k < grid_.n[2]; ++k) single[k] = float(row[k]);
      close_row(grid_, single);
    }
  }

  void setup(const VoxelTeam& team) { cycle_.setup(team); }

  template <class Prepare>
  double precondition(const VoxelTeam& team, const Prepare& prepare) {
    return cycle_.run(team, prepare);
  }

  // r = −∫ ∇φ · a g e_d on plane i: a quarter of what the voxels above a node have more than those below.
  void load(const VoxelTask& task, int d, int64_t, int i, bool, T* r) const {
    const T quarter = T(.25 * task.g[d]);
    for (int j = 0; j < grid_.n[1]; ++j) {
      const Around<T> x(grid_, a_, a_, i, j);
      T* out = r + grid_.at(i, j);
      for (int64_t k = 0; k < grid_.n[2]; k += LANES) {
        auto sum = Lanes<T>::all(0);
        for (int s = 0; s < 2; ++s)
          for (int t = 0; t < 2; ++t)
            for (int e = 0; e < 2; ++e) {
              const int above = d == 0 ? s : d == 1 ? t : e;
              const auto v = near(x.a[s][t] + k + e - 1);
              sum = above ? sum + v : sum - v;
            }
        (quarter * sum).store(out + k);
      }
      clear_rest(grid_, out);
    }
  }

  // q = A p on plane i. Returns Σ p q of the plane.
  double apply(int64_t, int i, bool, const T* p, T* q) const {
    return cycle_.level[0].couplings.cubic ? product<true>(i, p, q) : product<false>(i, p, q);
  }

  // Σ over plane i of the diagonal entry d of the conductivity.
  double diagonal(const VoxelTask& task, int d, int i) const { return task.g[d] * plane_sum(grid_, a_, i); }

  void energies(const VoxelTask& task, const T* const chi[3], int i, double sums[3][3]) const {
    add_energies<T>(grid_, ModeWeights(task.g), a_, chi, i, task.conductor, sums);
  }

 private:
  template <bool Cubic>
  double product(int i, const T* p, T* result) const {
    const Couplings& c = cycle_.level[0].couplings;
    const Weights<T> w(c, -c.diagonal());
    auto dot = Lanes<double>::all(0);
    for (int j = 0; j < grid_.n[1]; ++j) {
      const Around<T> x(grid_, p, a_, i, j);
      T* q = result + grid_.at(i, j);
      auto sum = Lanes<T>::all(0);
      over_row<Cubic, ACROSS | BESIDE | OWN>(x, w, grid_.n[2], [&](int64_t k, const Lanes<T>& negative) {
        const auto v = inside(grid_, k, Lanes<T>::all(0) - negative);
        sum = sum + near(x.u[1][1] + k) * v;
        v.store(q + k);
      });
      dot = dot + convert<double>(sum);
    }
    return total(dot);
  }

  Grid grid_;
  Cycle cycle_;
  T* a_ = nullptr;
};

}  // namespace voxels
}  // namespace PEARLITE_ISA
}  // namespace pearlite
