// Conjugate gradients on one cell of voxels, one load after the other, preconditioned by one V-cycle in
// float32.
//
// The error of a diagonal entry of A* is the squared energy norm of the corrector's error over the
// number of voxels, at most g_k (r_k, z_k) over that number (Gauss–Radau, see radau.hpp). The last z is
// added to the corrector, which leaves (1 − λ)² of the errors in the eigenvectors of the preconditioned
// operator. With λ from μ to 1.7 (above 1.35 none was met) that is max((1 − μ)², ½) of the bound.
//
// Errors of the loads add up, |E| ≤ tr E, and tr A ≤ √3 |A|: each load may err by its share of rtol tr A /
// √3, and by what those before it left of theirs.
#pragma once
#include "cycle.hpp"
#include "corrector/radau.hpp"

namespace pearlite {
namespace PEARLITE_ISA {
namespace voxels {

// Cell: ScalarCell<T> or TensorCell<T>, where T are the numbers of conjugate gradients.
template <class Cell>
class Conjugate {
  using T = typename Cell::Number;

 public:
  void allocate(Arena& arena, const VoxelTask& task) {
    grid_ = Grid::of(task.n[0], task.n[1], task.n[2]);
    cell_.allocate(arena, task, grid_);
    for (int d = 0; d < 3; ++d) u_[d] = arena.take<T>(grid_.size());
    p_ = arena.take<T>(grid_.size());
    q_ = arena.take<T>(grid_.size());
    r_ = sizeof(T) == sizeof(float) ? reinterpret_cast<T*>(cell_.residual()) : arena.take<T>(grid_.size());
    sums_ = arena.take<double>(int64_t(grid_.n[0]) * 16);
  }

  void solve(VoxelTask& task) {
    task_ = &task;
    planes([&](int64_t i) { cell_.read(task, int(i)); });
    cell_.setup(task.team);
    task.iterations = 0;
    task.error = 0;
    task.converged = true;
    found_ = erred_ = 0;
    for (int d = 0; d < 3; ++d) solve_load(d);
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

  void begin_load(int d) {
    ask();
    pass(task_->team, grid_, [](int) {}, [&](int64_t c, int i, bool fresh) {
      cell_.load(*task_, d, c, i, fresh, r_);
      for (int j = 0; j < grid_.n[1]; ++j) round_residual(i, j);
      sums_[i] = cell_.diagonal(*task_, d, i);
    });
  }

  void round_residual(int i, int j) {
    if (sizeof(T) == sizeof(float)) return;
    const T* from = r_ + grid_.at(i, j);
    float* to = cell_.residual() + grid_.at(i, j);
    for (int64_t k = 0; k < grid_.n[2]; k += LANES) convert<float>(Lanes<T>::load(from + k)).store(to + k);
  }

  void solve_load(int d) {
    if (task_->weight[d] == 0) {
      planes([&](int64_t i) { start(u_[d], int(i)); });
      return;
    }
    begin_load(d);
    const double nodes = double(grid_.nodes());
    double estimate = gathered() / nodes;  // of the diagonal entry of A*
    Radau radau;
    radau.start(0, radau_guard * task_->spectrum);
    const double squared = task_->corrector_rtol * task_->corrector_rtol;
    const double tolerance = squared < task_->rtol ? squared : task_->rtol;
    double old = 0, alpha = 0, error = 0, total_error = 0, total = 1;
    bool converged = false;
    int iteration = 0;
    for (;; ++iteration) {
      ask();
      const double rz = iteration == 0 ? cell_.precondition(task_->team, [](int) {})
                                       : cell_.precondition(task_->team, [&](int i) { step(i, alpha); });
      const double beta = old > 0 ? rz / old : 0;
      if (iteration > 0) radau.step(0, alpha, beta);
      const double remainder = radau_remainder(radau.first(0), task_->spectrum);
      error = rz <= 0 ? 0 : remainder * radau.factor(0) * rz / nodes;  // NaN stays: no convergence
      const double weight = task_->weight[d];
      total_error = erred_ + weight * error, total = found_ + weight * estimate;
      converged = total_error <= .577 * tolerance * total;
      if (converged || !(error < 1e300) || iteration >= task_->max_iterations) break;
      const double pq = iterate(u_[d], iteration, alpha, beta);
      alpha = pq > 0 ? rz / pq : 0;
      estimate -= alpha * rz / nodes;
      old = rz;
    }
    planes([&](int64_t i) {
      if (iteration == 0) begin(u_[d], int(i));  // of p whatever there was before
      finish(u_[d], int(i), iteration > 0 ? alpha : 0);
    });
    erred_ = total_error, found_ = total;
    task_->error = 1.733 * erred_ / found_;
    task_->converged = task_->converged && converged;
    task_->iterations = iteration > task_->iterations ? iteration : task_->iterations;
  }

  // One pass for u += αp of the step before, the new direction p = z + βp and q = A p. Returns p · q.
  double iterate(T* u, int iteration, double alpha, double beta) {
    const auto turn = [&](int i) {
      if (iteration == 0) begin(u, i);
      else advance(u, i, T(alpha), T(beta));
    };
    pass(task_->team, grid_, turn,
         [&](int64_t c, int i, bool fresh) { sums_[i] = cell_.apply(c, i, fresh, p_, q_); });
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
      const float* z = cell_.preconditioned() + grid_.at(i, j);
      for (int64_t k = 0; k < grid_.n[2]; k += LANES) convert<T>(Vf::load(z + k)).store(p + k);
      close_row(grid_, p);
    }
  }

  // u += αp, p = z + βp
  void advance(T* u, int i, T alpha, T beta) {
    for (int j = 0; j < grid_.n[1]; ++j) {
      const int64_t at = grid_.at(i, j);
      T* p = p_ + at;
      const float* z = cell_.preconditioned() + at;
      for (int64_t k = 0; k < grid_.n[2]; k += LANES) {
        const auto old = Lanes<T>::load(p + k);
        (Lanes<T>::load(u + at + k) + alpha * old).store(u + at + k);
        (convert<T>(Vf::load(z + k)) + beta * old).store(p + k);
      }
      close_row(grid_, p);
    }
  }

  // u += αp + z
  void finish(T* u, int i, double alpha) {
    for (int j = 0; j < grid_.n[1]; ++j) {
      const int64_t at = grid_.at(i, j);
      const float* z = cell_.preconditioned() + at;
      for (int64_t k = 0; k < grid_.n[2]; k += LANES) {
        const auto step = T(alpha) * Lanes<T>::load(p_ + at + k) + convert<T>(Vf::load(z + k));
        (Lanes<T>::load(u + at + k) + step).store(u + at + k);
      }
    }
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
    planes([&](int64_t i) {
      double sums[3][3] = {};
      cell_.energies(*task_, u_, int(i), sums);
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
    planes([&](int64_t i) { sums_[i] = plane_sum(grid_, u_[d], int(i)); });
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
  Cell cell_;
  T* u_[3] = {};
  T *r_ = nullptr, *p_ = nullptr, *q_ = nullptr;
  double* sums_ = nullptr;  // (planes, 16)
  double found_ = 0, erred_ = 0;  // the traces of A* and of its error, of the loads so far
};

}  // namespace voxels
}  // namespace PEARLITE_ISA
}  // namespace pearlite
