// The multigrid V-cycle of voxels with tensors: operators discretized anew on averaged tensors, and
// Chebyshev's polynomials in D⁻¹ A for smoothers, D being half the sum of the largest eigenvalues of the
// voxels around a node.
//
// An isotropic voxel has 12 A ≤ 6 λ, of the energy against the squares of its corners, and any other less
// than one of its largest eigenvalue. So D⁻¹ A lies between 0 and 1 whatever the tensors are, and what a
// coarse grid does not see of isotropic ones above 1/3. All nodes move at once, since a node of a tensor
// is coupled with all its neighbours.
#pragma once
#include "bottom.hpp"
#include "cycle.hpp"
#include "tensor_average.hpp"

namespace pearlite {
namespace PEARLITE_ISA {
namespace voxels {

struct TensorLevel {
  Grid grid;
  Tensors<float> a;
  float *dinv = nullptr, *r = nullptr, *z = nullptr;
  float* spare = nullptr;  // the next z, the residual or, at first, the largest eigenvalues
  Transfer next;
  double factor[ENTRIES] = {};  // of the entries of the next level's tensors
  TensorProduct<float> product;
};

class TensorCycle {
 public:
  static constexpr int most = 40;
  TensorLevel level[most];  // 0 is the finest; its r is set by the caller
  int count = 0;

  // g: the mean diagonal of the finest tensors; steps: of the smoother, before and after
  void allocate(Arena& arena, const Grid& finest, const double* g, int threads, int steps) {
    steps_ = steps;
    Grid grid = finest;
    for (count = 0;; ++count) {
      TensorLevel& l = level[count];
      l.grid = grid;
      l.a.allocate(arena, grid);
      l.dinv = arena.take<float>(grid.size());
      l.r = arena.take<float>(grid.size());
      l.z = arena.take<float>(grid.size());
      l.spare = arena.take<float>(grid.size());
      l.product.allocate(arena, grid, Chunks(grid, threads).count);
      const Grid coarse = coarser(finest, grid, g);
      if (coarse.nodes() == grid.nodes()) break;
      l.next.allocate(arena, grid, coarse);
      grid = coarse;
    }
    ++count;
    bottom_.allocate(arena, grid);
    pitch_ = TensorAverage::pitch(finest);
    lines_ = arena.take<double>(TensorAverage::lines * int64_t(finest.n[0]) * pitch_) + (arena.base ? LANES : 0);
    sums_ = arena.take<double>(finest.n[0]);
    choose_steps();
  }

  // The finest level's tensors are set.
  void setup(const VoxelTeam& team) {
    for (int l = 0; l < count; ++l) {
      TensorLevel& here = level[l];
      find_diagonal(team, here);
      if (l + 1 == count) break;
      here.next.fill();
      enlarge(here);
      share_planes(team, here.grid, level[l + 1].grid.n[0], [&](int64_t i) {
        const TensorAverage average(here.next, here.factor);
        for (int j = 0; j < level[l + 1].grid.n[1]; ++j) average.row(int(i), j, here.a, level[l + 1].a, line(i));
      });
    }
    const Tensors<float>& a = level[count - 1].a;
    bottom_.setup([&](int64_t place, double matrix[8][8]) { element(a, place, matrix); });
  }

  // z = V r on the finest level; prepare(i) sets plane i of r, once for each. Returns Σ r z.
  template <class Prepare>
  double run(const VoxelTeam& team, const Prepare& prepare) {
    if (count == 1)
      for (int i = 0; i < level[0].grid.n[0]; ++i) prepare(i);
    for (int l = 0; l + 1 < count; ++l) {
      if (l == 0) down(team, level[l], level[l + 1], prepare);
      else down(team, level[l], level[l + 1], [](int) {});
    }
    double rz = bottom_.solve(level[count - 1].r, level[count - 1].z);
    for (int l = count - 2; l >= 0; --l) rz = up(team, level[l], level[l + 1]);
    return rz;
  }

 private:
  double* line(int64_t plane) const { return lines_ + plane * TensorAverage::lines * pitch_; }
  float* narrow_line(int64_t plane) const { return reinterpret_cast<float*>(line(plane)) + LANES; }

  void choose_steps() {
    for (int k = 0; k < steps_; ++k) omega_[k] = float(smoother_step(steps_, k));
  }

  static void enlarge(TensorLevel& here) {
    for (int d = 0; d < 3; ++d)
      for (int e = 0; e < 3; ++e) here.factor[entry_of(d, e)] = coarse_factor(here.grid.n, here.next.coarse.n, d, e);
  }

  void find_diagonal(const VoxelTeam& team, const TensorLevel& l) const {
    share_planes(team, l.grid, l.grid.n[0], [&](int64_t i) {
      for (int j = 0; j < l.grid.n[1]; ++j) {
        const int64_t at = l.grid.at(int(i), j);
        for (int64_t k = 0; k < l.grid.n[2]; k += LANES) {
          Vf a[ENTRIES];
          l.a.fetch_at(at + k, a);
          largest_eigenvalue(a).store(l.spare + at + k);
        }
        close_row(l.grid, l.spare + at);
      }
    });
    share_planes(team, l.grid, l.grid.n[0], [&](int64_t i) {
      for (int j = 0; j < l.grid.n[1]; ++j) {
        const Around<float> x(l.grid, l.spare, l.spare, int(i), j);
        float* out = l.dinv + l.grid.at(int(i), j);
        for (int64_t k = 0; k < l.grid.n[2]; k += LANES) inverse_or_zero(.5f * surroundings(x, k)).store(out + k);
        clear_rest(l.grid, out);
      }
    });
  }

  static void element(const Tensors<float>& a, int64_t place, double matrix[8][8]) {
    double entry[ENTRIES];
    for (int c = 0; c < ENTRIES; ++c) entry[c] = a.entry[c][place];
    for (int p = 0; p < 8; ++p) {
      double mode[8], flux[8], corner[2][2];
      for (int m = 1; m < 8; ++m) mode[m] = sign_in_mode(m, p);
      flux_of_modes<double>(entry, mode, flux);
      for (int end = 0; end < 2; ++end) {
        corners_of<double>(flux, end, corner);
        for (int q = 0; q < 4; ++q) matrix[2 * q + end][p] = corner[q >> 1][q & 1] / 16;
      }
    }
  }

  // z of the next step, or its residual, along row j of a plane of 16 A z.
  static void step_row(const TensorLevel& l, const float* product, int i, int j, float omega, Vf* dot) {
    const int64_t at = l.grid.at(i, j);
    const float* line = product + j * l.grid.pitch;
    for (int64_t k = 0; k < l.grid.n[2]; k += LANES) {
      const auto r = Vf::load(l.r + at + k);
      const auto z = Vf::load(l.z + at + k) + (omega * Vf::load(l.dinv + at + k)) * (r - .0625f * Vf::load(line + k));
      if (dot) *dot = *dot + inside(l.grid, k, r * z);
      z.store(l.spare + at + k);
    }
    close_row(l.grid, l.spare + at);
  }

  // A step of the smoother on all planes. Returns Σ r z in sums_, if it is the last.
  template <class Enter>
  void step(const VoxelTeam& team, TensorLevel& l, float omega, bool last, const Enter& enter) {
    pass(team, l.grid, enter, [&](int64_t c, int i, bool fresh) {
      const float* product = l.product.plane(l.a, l.z, c, i, fresh);
      auto dot = Lanes<double>::all(0);
      for (int j = 0; j < l.grid.n[1]; ++j) {
        auto row = Vf::all(0);
        step_row(l, product, i, j, omega, last ? &row : nullptr);
        if (last) dot = dot + convert<double>(row);
      }
      if (last) sums_[i] = total(dot);
    });
    swap(l);
  }

  static void swap(TensorLevel& l) {
    float* const z = l.z;
    l.z = l.spare;
    l.spare = z;
  }

  template <class Prepare>
  void down(const VoxelTeam& team, TensorLevel& here, const TensorLevel& next, const Prepare& prepare) {
    const auto begin = [&](int i) {
      prepare(i);
      for (int j = 0; j < here.grid.n[1]; ++j) {
        const int64_t at = here.grid.at(i, j);
        for (int64_t k = 0; k < here.grid.n[2]; k += LANES)
          ((omega_[0] * Vf::load(here.dinv + at + k)) * Vf::load(here.r + at + k)).store(here.z + at + k);
        close_row(here.grid, here.z + at);
      }
    };
    const auto nothing = [](int) {};
    for (int k = 1; k < steps_; ++k) {
      if (k == 1) step(team, here, omega_[k], false, begin);
      else step(team, here, omega_[k], false, nothing);
    }
    if (steps_ == 1) restrict(team, here, next, begin);
    else restrict(team, here, next, nothing);
  }

  template <class Enter>
  void restrict(const VoxelTeam& team, const TensorLevel& here, const TensorLevel& next, const Enter& enter) const {
    pass(team, here.grid, enter, [&](int64_t c, int i, bool fresh) {
      const float* product = here.product.plane(here.a, here.z, c, i, fresh);
      for (int j = 0; j < here.grid.n[1]; ++j) {
        const int64_t at = here.grid.at(i, j);
        const float* line = product + j * here.grid.pitch;
        for (int64_t k = 0; k < here.grid.n[2]; k += LANES)
          (Vf::load(here.r + at + k) - .0625f * Vf::load(line + k)).store(here.spare + at + k);
        close_row(here.grid, here.spare + at);
      }
    });
    share_planes(team, here.grid, next.grid.n[0], [&](int64_t i) {
      for (int j = 0; j < next.grid.n[1]; ++j) here.next.restrict_to(int(i), j, here.spare, next.r, narrow_line(i));
    });
  }

  // Returns Σ r z.
  double up(const VoxelTeam& team, TensorLevel& here, const TensorLevel& next) {
    const auto prolong = [&](int i) {
      for (int j = 0; j < here.grid.n[1]; ++j) here.next.prolong_to(i, j, next.z, here.z, narrow_line(i));
    };
    const auto nothing = [](int) {};
    for (int k = steps_ - 1; k >= 0; --k) {
      if (k == steps_ - 1) step(team, here, omega_[k], k == 0, prolong);
      else step(team, here, omega_[k], k == 0, nothing);
    }
    double rz = 0;
    for (int i = 0; i < here.grid.n[0]; ++i) rz += sums_[i];
    return rz;
  }

  int steps_ = 1;
  float omega_[most_steps] = {};
  Bottom bottom_;
  int64_t pitch_ = 0;
  double* lines_ = nullptr;  // (planes, lines, pitch)
  double* sums_ = nullptr;   // (planes,)
};

}  // namespace voxels
}  // namespace PEARLITE_ISA
}  // namespace pearlite
