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
    cycle_.allocate(arena, grid_, task.g, task.team.threads);
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
  void ask() const {
    if (task_->stop && task_->stop(task_->stop_context)) throw VoxelsStopped{};
  }

  template <class Body>
  void planes(const Body& body) const {
    ask();
    share_planes(task_->team, grid_, grid_.n[0], body);
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
    if (task_->weight[d] == 0) {
      planes([&](int64_t i) { start(u_[d], int(i)); });
      return;
    }
    Radau radau;
    radau.start(0, task_->spectrum);
    const double nodes = double(grid_.nodes());
    const double squared = task_->corrector_rtol * task_->corrector_rtol;
    const double tolerance = squared < task_->rtol ? squared : task_->rtol;
    double old = 0, alpha = 0, error = 0;
    bool converged = false;
    int iteration = 0;
    for (;; ++iteration) {
      ask();
      const double rz = iteration == 0 ? cycle_.run(task_->team, [&](int i) { load(d, i); })
                                       : cycle_.run(task_->team, [&](int i) { step(i, alpha); });
      const double beta = old > 0 ? rz / old : 0;
      if (iteration > 0) radau.step(0, alpha, beta);
      error = rz > 0 ? radau.closest(0) * rz / nodes / estimate : 0;
      // |E| ≤ tr E, and tr A ≤ √3 |A|.
      converged = error <= .577 * tolerance;
      if (converged || !(error < 1e300) || iteration >= task_->max_iterations) break;
      const double pq = iterate(u_[d], iteration, alpha, beta);
      alpha = pq > 0 ? rz / pq : 0;
      estimate -= alpha * rz / nodes;
      old = rz;
    }
    if (iteration == 0) planes([&](int64_t i) { start(u_[d], int(i)); });
    else planes([&](int64_t i) { finish(u_[d], int(i), alpha); });
    task_->error = error * 1.733 > task_->error ? error * 1.733 : task_->error;
    task_->converged = task_->converged && converged;
    task_->iterations = iteration > task_->iterations ? iteration : task_->iterations;
  }

  // One pass for u += αp of the step before, the new direction p = z + βp and q = A p. Returns p · q.
  double iterate(T* u, int iteration, double alpha, double beta) {
    const Chunks chunks(grid_, task_->team.threads);
    const auto turn = [&](int i) {
      if (iteration == 0) begin(u, i);
      else advance(u, i, T(alpha), T(beta));
    };
    share_planes(task_->team, grid_, chunks.count, [&](int64_t c) {
      const int first = chunks.first(c), last = chunks.first(c + 1) - 1;
      turn(first);
      if (last > first) turn(last);
    });
    share_planes(task_->team, grid_, chunks.count, [&](int64_t c) {
      const int first = chunks.first(c), last = chunks.first(c + 1) - 1;
      for (int i = first; i <= last; ++i) {
        if (i + 1 < last) turn(i + 1);
        sums_[i] = apply(i);
      }
    });
    return gathered();
  }

  // u = 0
  void start(T* u, int i) {
    for (int j = 0; j < grid_.n[1]; ++j)
      for (int64_t k = 0; k < grid_.n[2]; k += LANES) Lanes<T>::all(0).store(u + grid_.at(i, j) + k);
  }

  // u = 0, p = z
  void begin(T* u, int i) {
    start(u, i);
    for (int j = 0; j < grid_.n[1]; ++j) {
      T* p = p_ + grid_.at(i, j);
      const float* z = cycle_.level[0].z + grid_.at(i, j);
      for (int64_t k = 0; k < grid_.n[2]; k += LANES) convert<T>(Vf::load(z + k)).store(p + k);
      close_row(grid_, p);
    }
  }

  // u += αp, p = z + βp
  void advance(T* u, int i, T alpha, T beta) {
    for (int j = 0; j < grid_.n[1]; ++j) {
      const int64_t at = grid_.at(i, j);
      T* p = p_ + at;
      const float* z = cycle_.level[0].z + at;
      for (int64_t k = 0; k < grid_.n[2]; k += LANES) {
        const auto old = Lanes<T>::load(p + k);
        (Lanes<T>::load(u + at + k) + alpha * old).store(u + at + k);
        (convert<T>(Vf::load(z + k)) + beta * old).store(p + k);
      }
      close_row(grid_, p);
    }
  }

  // u += αp
  void finish(T* u, int i, double alpha) {
    for (int j = 0; j < grid_.n[1]; ++j)
      for (int64_t k = 0, at = grid_.at(i, j); k < grid_.n[2]; k += LANES)
        (Lanes<T>::load(u + at + k) + T(alpha) * Lanes<T>::load(p_ + at + k)).store(u + at + k);
  }

  // q = A p. Returns Σ p q of the plane.
  double apply(int i) { return cycle_.level[0].couplings.cubic ? product<true>(i) : product<false>(i); }

  template <bool Cubic>
  double product(int i) {
    const Couplings& c = cycle_.level[0].couplings;
    const Weights<T> w(c, -c.diagonal());
    auto dot = Lanes<double>::all(0);
    for (int j = 0; j < grid_.n[1]; ++j) {
      const Around<T> x(grid_, p_, a_, i, j);
      T* q = q_ + grid_.at(i, j);
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

  // r −= αq
  void step(int i, double alpha) {
    const T s = T(alpha);
    for (int j = 0; j < grid_.n[1]; ++j) {
      const int64_t at = grid_.at(i, j);
      for (int64_t k = 0; k < grid_.n[2]; k += LANES)
        (Lanes<T>::load(r_ + at + k) - s * Lanes<T>::load(q_ + at + k)).store(r_ + at + k);
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
