// Conjugate gradients on one cell of voxels, one load after the other, preconditioned by one V-cycle in
// float32.
//
// The error of a diagonal entry of A* is the squared energy norm of the corrector's error over the
// number of voxels, at most g_k (r_k, z_k) over that number (Gauss–Radau, see radau.hpp).
#pragma once
#include "cycle.hpp"
#include "energies.hpp"
#include "corrector/radau.hpp"

namespace pearlite {
namespace PEARLITE_ISA {
namespace voxels {

template <class T>
class Conjugate {
 public:
  void allocate(Arena& arena, const VoxelTask& task) {
    grid_ = Grid::of(task.n[0], task.n[1], task.n[2]);
    cycle_.allocate(arena, grid_, task.g);
    for (int d = 0; d < 3; ++d) u_[d] = arena.take<T>(grid_.size());
    p_ = arena.take<T>(grid_.size());
    q_ = arena.take<T>(grid_.size());
    if (sizeof(T) == sizeof(float)) {
      a_ = reinterpret_cast<T*>(cycle_.level[0].a);
      r_ = reinterpret_cast<T*>(cycle_.level[0].r);
    } else {
      a_ = arena.take<T>(grid_.size());
      r_ = arena.take<T>(grid_.size());
    }
    sums_ = arena.take<double>(int64_t(grid_.n[0]) * 16);
  }

  void solve(VoxelTask& task) {
    task_ = &task;
    read();
    cycle_.setup(task.team);
    task.iterations = 0;
    task.error = 0;
    task.converged = true;
    double mean = 0;
    planes([&](int64_t i) { sums_[i] = plane_sum(a_, int(i)); });
    for (int i = 0; i < grid_.n[0]; ++i) mean += sums_[i];
    mean /= double(grid_.nodes());
    for (int d = 0; d < 3; ++d) solve_load(d, mean * task.g[d]);
    evaluate();
    if (task.correctors)
      for (int d = 0; d < 3; ++d) write(d);
  }

 private:
  template <class Body>
  void planes(const Body& body) const {
    if (task_->stop && task_->stop(task_->stop_context)) throw VoxelsStopped{};
    if (grid_.nodes() < 8192) VoxelTeam{}(grid_.n[0], body);
    else task_->team(grid_.n[0], body);
  }

  double gathered() const {
    double sum = 0;
    for (int i = 0; i < grid_.n[0]; ++i) sum += sums_[i];
    return sum;
  }

  void read() {
    planes([&](int64_t i) {
      for (int j = 0; j < grid_.n[1]; ++j) {
        T* row = a_ + grid_.at(int(i), j);
        task_->read(task_->context, int(i), j, row);
        close_row(grid_, row);
        if (sizeof(T) == sizeof(float)) continue;
        float* single = cycle_.level[0].a + grid_.at(int(i), j);
        for (int k = 0; k < grid_.n[2]; ++k) single[k] = float(row[k]);
        close_row(grid_, single);
      }
    });
  }

  double plane_sum(const T* field, int i) const {
    double sum = 0;
    for (int j = 0; j < grid_.n[1]; ++j)
      for (int k = 0; k < grid_.n[2]; ++k) sum += double(field[grid_.at(i, j) + k]);
    return sum;
  }

  // r = −∫ ∇φ · a g e_d: a quarter of what the voxels above a node have more than those below.
  void load(int d, int i) {
    const T quarter = T(.25 * task_->g[d]);
    for (int j = 0; j < grid_.n[1]; ++j) {
      const Around<T> x(grid_, a_, a_, i, j);
      T* out = r_ + grid_.at(i, j);
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
      round_residual(i, j);
    }
  }

  void round_residual(int i, int j) {
    if (sizeof(T) == sizeof(float)) return;
    const T* from = r_ + grid_.at(i, j);
    float* to = cycle_.level[0].r + grid_.at(i, j);
    for (int64_t k = 0; k < grid_.n[2]; k += LANES) convert<float>(Lanes<T>::load(from + k)).store(to + k);
  }

  void solve_load(int d, double estimate) {
    T* u = u_[d];
    planes([&](int64_t i) {
      load(d, int(i));
      for (int j = 0; j < grid_.n[1]; ++j)
        for (int64_t k = -LANES; k < grid_.pitch - LANES; ++k) u[grid_.at(int(i), j) + k] = p_[grid_.at(int(i), j) + k] = 0;
    });
    if (task_->weight[d] == 0) return;
    Radau radau;
    radau.start(0, task_->spectrum);
    const double nodes = double(grid_.nodes());
    const double squared = task_->corrector_rtol * task_->corrector_rtol;
    const double tolerance = squared < task_->rtol ? squared : task_->rtol;
    double old = 0, alpha = 0, error = 0;
    bool converged = false;
    int iteration = 0;
    for (;; ++iteration) {
      const double rz = cycle_.run(task_->team);
      const double beta = old > 0 ? rz / old : 0;
      if (iteration > 0) radau.step(0, alpha, beta);
      error = rz > 0 ? radau.factor(0) * rz / nodes / estimate : 0;
      // |E| ≤ tr E, and tr A ≤ √3 |A|.
      converged = error <= .577 * tolerance;
      if (converged || !(error < 1e300) || iteration >= task_->max_iterations) break;
      planes([&](int64_t i) { turn(int(i), beta); });
      planes([&](int64_t i) { sums_[i] = apply(int(i)); });
      const double pq = gathered();
      alpha = pq > 0 ? rz / pq : 0;
      estimate -= alpha * rz / nodes;
      planes([&](int64_t i) { step(u, int(i), alpha); });
      old = rz;
    }
    task_->error = error * 1.733 > task_->error ? error * 1.733 : task_->error;
    task_->converged = task_->converged && converged;
    task_->iterations = iteration > task_->iterations ? iteration : task_->iterations;
  }

  // p = z + βp
  void turn(int i, double beta) {
    const T b = T(beta);
    for (int j = 0; j < grid_.n[1]; ++j) {
      T* p = p_ + grid_.at(i, j);
      const float* z = cycle_.level[0].z + grid_.at(i, j);
      for (int64_t k = 0; k < grid_.n[2]; k += LANES)
        (convert<T>(Vf::load(z + k)) + b * Lanes<T>::load(p + k)).store(p + k);
      close_row(grid_, p);
    }
  }

  // q = A p. Returns Σ p q of the plane.
  double apply(int i) { return cycle_.level[0].couplings.cubic ? product<true>(i) : product<false>(i); }

  template <bool Cubic>
  double product(int i) {
    const Couplings& c = cycle_.level[0].couplings;
    const Weights<T> w(c);
    const T diagonal = T(c.diagonal());
    auto dot = Lanes<double>::all(0);
    for (int j = 0; j < grid_.n[1]; ++j) {
      const Around<T> x(grid_, p_, a_, i, j);
      T* q = q_ + grid_.at(i, j);
      auto sum = Lanes<T>::all(0);
      for (int64_t k = 0; k < grid_.n[2]; k += LANES) {
        auto v = (across<Cubic>(x, w, 0, k) + across<Cubic>(x, w, 1, k)) +
                 (beside<Cubic>(x, w, 0, k) + beside<Cubic>(x, w, 1, k));
        if (!Cubic) v = v + along(x, w, k);
        const auto here = near(x.u[1][1] + k);
        v = inside(grid_, k, diagonal * (surroundings(x, k) * here) - v);
        sum = sum + here * v;
        v.store(q + k);
      }
      dot = dot + convert<double>(sum);
    }
    return total(dot);
  }

  void step(T* u, int i, double alpha) {
    const T s = T(alpha);
    for (int j = 0; j < grid_.n[1]; ++j) {
      const int64_t at = grid_.at(i, j);
      for (int64_t k = 0; k < grid_.n[2]; k += LANES) {
        (Lanes<T>::load(u + at + k) + s * Lanes<T>::load(p_ + at + k)).store(u + at + k);
        (Lanes<T>::load(r_ + at + k) - s * Lanes<T>::load(q_ + at + k)).store(r_ + at + k);
      }
      round_residual(i, j);
    }
  }

  void evaluate() {
    planes([&](int64_t i) {
      for (int d = 0; d < 3; ++d)
        for (int j = 0; j < grid_.n[1]; ++j) close_row(grid_, u_[d] + grid_.at(int(i), j));
    });
    const ModeWeights weights(task_->g);
    planes([&](int64_t i) {
      double sums[3][3] = {};
      add_energies<T>(grid_, weights, a_, u_, int(i), task_->conductor, sums);
      for (int k = 0; k < 9; ++k) sums_[16 * i + k] = sums[k / 3][k % 3];
    });
    for (int d = 0; d < 3; ++d)
      for (int e = 0; e <= d; ++e) {
        double sum = 0;
        for (int i = 0; i < grid_.n[0]; ++i) sum += sums_[16 * i + 3 * d + e];
        task_->effective[d][e] = task_->effective[e][d] = sum / double(grid_.nodes());
      }
  }

  void write(int d) {
    planes([&](int64_t i) { sums_[i] = plane_sum(u_[d], int(i)); });
    const double mean = gathered() / double(grid_.nodes());
    planes([&](int64_t i) {
      for (int j = 0; j < grid_.n[1]; ++j) {
        const T* row = u_[d] + grid_.at(int(i), j);
        const int64_t to = ((int64_t(d) * grid_.n[0] + i) * grid_.n[1] + j) * grid_.n[2];
        for (int k = 0; k < grid_.n[2]; ++k) {
          if (task_->correctors_float64) static_cast<double*>(task_->correctors)[to + k] = double(row[k]) - mean;
          else static_cast<float*>(task_->correctors)[to + k] = float(double(row[k]) - mean);
        }
      }
    });
  }

  VoxelTask* task_ = nullptr;
  Grid grid_;
  Cycle cycle_;
  T* u_[3] = {};
  T *a_ = nullptr, *r_ = nullptr, *p_ = nullptr, *q_ = nullptr;
  double* sums_ = nullptr;  // (planes, 16)
};

}  // namespace voxels
}  // namespace PEARLITE_ISA
}  // namespace pearlite
