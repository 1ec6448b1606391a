// Conjugate gradients on a group of cells, both loads at once, preconditioned by one V-cycle.
// Three passes over the finest grid an iteration:
//   down   r −= αq, Gauss-Seidel forward, restriction
//   up     prolongation, Gauss-Seidel backward, (r, z)
//   apply  u += αp, p = z + βp, q = Ap, (p, q)
// Lanes that have converged are frozen (α = β = 0), so that no cell depends on its neighbours.
#pragma once
#include "finest.hpp"
#include "hierarchy.hpp"
#include "stopping.hpp"
#include "task.hpp"

namespace pearlite {
namespace PEARLITE_ISA {

template <class T, class Pixels, int C>
class Conjugate {
  static constexpr bool same = sizeof(T) == sizeof(float);
  static constexpr int loads = LANES / C;
  using V = Lanes<T>;

 public:
  void allocate(Arena& arena, const GroupTask& task) {
    grid.rows = task.n0 / task.strips;
    grid.cols = task.n1;
    grid.strips = task.strips;
    pixels.allocate(arena, grid, task.first_load);
    hierarchy.allocate(arena, grid);
    T** const fields[] = {&u, &r, &p};
    for (T** f : fields) *f = arena.take<T>(grid.size() * LANES);
    // z of a row is used up before q of that row is written, and the other way round.
    q = same ? reinterpret_cast<T*>(hierarchy.level[0].z) : arena.take<T>(grid.size() * LANES);
    residual = same ? reinterpret_cast<float*>(r) : arena.take<float>(grid.size() * LANES);
    pitch = (int64_t(grid.cols) * Pixels::components + 15) / 16 * 16;
    lines = arena.take<T>(C * pitch);
  }

  // Throws Stopped.
  void solve(GroupTask& task) {
    task_ = &task;
    read(task);
    pixels.complete();
    hierarchy.setup(pixels.smoother, [this](int i) { poll(i); });
    const Lanes<double> loading = start(task);
    Control control(task, pixels.mean(), loading);
    control.rz(cycle());
    while (!control.finished(task)) {
      control.pq(apply(control));
      control.rz(cycle_after(control));
    }
    Energy energy = finish(control);
    add_conductors(task, energy);
    control.report(task, energy.diagonal, energy.cross);
    for (int cell = 0; cell < task.cells; ++cell)
      if (task.correctors[cell]) write(task, cell);
  }

  // A01 of the cell whose other load is in `other`.
  double cross(const Conjugate& other) const {
    Energy energy;
    for (int i = 0; i < grid.rows; ++i) pixels.energy(i, rows(i), other.rows(i), energy);
    alignas(64) double sums[LANES];
    energy.cross.store(sums);
    double total = 0;
    for (int k = 0; k < LANES; ++k) total += sums[k];
    return total / (double(grid.rows) * grid.strips * grid.cols);
  }

 private:
  using Control = Stopping<C>;

  // Asks whether to stop, every 32 thousand nodes: a sweep over a large cell may take a second.
  void poll(int i) const {
    const int every = 1 + (1 << 15) / grid.cols;
    if (i % every == every - 1 && task_->stop && task_->stop(task_->stop_context)) throw Stopped();
  }

  Rows<T> rows(int i) const { return {row(u, i), row(u, i + 1)}; }
  T* row(T* f, int i) const { return f + grid.at(i, 0) * LANES; }
  float* row_f(float* f, int i) const { return f + grid.at(i, 0) * LANES; }

  // Empty places of the group repeat its last cell.
  void read(const GroupTask& task) {
    for (int i = 0; i < grid.rows; ++i) {
      poll(i);
      for (int lane = 0; lane < C; ++lane) {
        const int place = lane / grid.strips, strip = lane % grid.strips;
        const int cell = place < task.cells ? place : task.cells - 1;
        task.read(task.context, cell, strip * grid.rows + i, lines + lane * pitch);
      }
      pixels.put(i, lines, pitch);
    }
  }

  // Returns Σ r².
  Lanes<double> start(const GroupTask& task) {
    auto total = Lanes<double>::all(0);
    for (int64_t k = 0; k < grid.size() * LANES; k += LANES) {
      V::all(0).store(u + k);
      V::all(0).store(p + k);
    }
    for (int i = 0; i < grid.rows; ++i) {
      if (task.rhs[0]) given_rhs(task, i);
      else pixels.rhs(i, row(r, i));
      round_residual(i);
      for (int64_t j = 0; j < grid.cols; ++j) {
        const auto value = convert<double>(field(row(r, i), j));
        total = total + value * value;
      }
    }
    return total;
  }

  void given_rhs(const GroupTask& task, int i) {
    for (int lane = 0; lane < LANES; ++lane) {
      const int place = lane % C / task.strips, strip = lane % task.strips;
      const int cell = place < task.cells ? place : task.cells - 1;
      const int64_t load = task.first_load + lane / C;
      const int64_t from = (load * task.n0 + int64_t(strip) * grid.rows + i) * task.n1;
      T* to = row(r, i) + lane;
      for (int64_t j = 0; j < grid.cols; ++j) {
        const double value = task.correctors_float64 ? static_cast<const double*>(task.rhs[cell])[from + j]
                                                     : static_cast<const float*>(task.rhs[cell])[from + j];
        to[j * LANES] = T(task.rhs_scale[cell] * value);
      }
    }
  }

  void round_residual(int i) {
    if (same) return;
    for (int64_t k = grid.at(i, 0); k < grid.at(i, grid.cols); ++k)
      convert<float>(V::load(r + k * LANES)).store(residual + k * LANES);
  }

  Lanes<double> cycle() {
    const auto given = [&](int i) {
      poll(i);
      return row_f(residual, i);
    };
    return hierarchy.cycle(pixels.smoother, given, given);
  }

  Lanes<double> cycle_after(const Control& control) {
    const V alpha = control.template alpha<T>();
    const auto update = [&](int i) {
      poll(i);
      T* ri = row(r, i);
      const T* qi = row(q, i);
      for (int64_t k = 0; k < int64_t(grid.cols) * LANES; k += LANES)
        (V::load(ri + k) - alpha * V::load(qi + k)).store(ri + k);
      round_residual(i);
      return row_f(residual, i);
    };
    const auto given = [&](int i) {
      poll(i);
      return row_f(residual, i);
    };
    return hierarchy.cycle(pixels.smoother, update, given);
  }

  // u += αp, a step late, since p is at hand here; p = z + βp.
  void turn(int i, const V& alpha, const V& beta) {
    poll(i);
    T *ui = row(u, i), *pi = row(p, i);
    const float* zi = row_f(hierarchy.level[0].z, i);
    for (int64_t k = 0; k < int64_t(grid.cols) * LANES; k += LANES) {
      const V old = V::load(pi + k);
      (V::load(ui + k) + alpha * old).store(ui + k);
      (convert<T>(Vf::load(zi + k)) + beta * old).store(pi + k);
    }
    Halo<T, LANES>::columns(grid, pi);
  }

  Lanes<double> apply(const Control& control) {
    const V alpha = control.template alpha<T>(), beta = control.template beta<T>();
    auto total = Lanes<double>::all(0);
    const auto product = [&](int i) {
      total = total + convert<double>(pixels.apply(i, row(p, i - 1), row(p, i), row(p, i + 1), row(q, i)));
    };
    turn(grid.rows - 1, alpha, beta);
    Halo<T, LANES>::south(grid, p);
    for (int i = 0; i < grid.rows; ++i) {
      if (i < grid.rows - 1) turn(i, alpha, beta);
      if (i == 0)
        Halo<T, LANES>::north(grid, p);
      else
        product(i - 1);
    }
    product(grid.rows - 1);
    return total;
  }

  // A* grows with the conductivity σ of a conductor towards its limit by σ times its derivative in
  // σ, to first order in 1/σ, and that is the energy inside.
  void add_conductors(const GroupTask& task, Energy& energy) {
    alignas(64) T threshold[C];
    bool any = false;
    for (int lane = 0; lane < C; ++lane) {
      const int place = lane / grid.strips, cell = place < task.cells ? place : task.cells - 1;
      threshold[lane] = task.conductor[cell] > 0 ? T(task.conductor[cell]) : T(1e30);
      any = any || task.conductor[cell] > 0;
    }
    if (!any) return;
    pixels.keep_above(Vec<T, C>::load(threshold));
    for (int i = 0; i < grid.rows; ++i) pixels.energy(i, rows(i), rows(i), energy);
  }

  // The last step, without a product, and the energies of the result.
  Energy finish(const Control& control) {
    const V alpha = control.template alpha<T>(), last = control.template last<T>(), beta = control.template beta<T>();
    Energy energy;
    for (int i = 0; i < grid.rows; ++i) {
      T* ui = row(u, i);
      const T* pi = row(p, i);
      const float* zi = row_f(hierarchy.level[0].z, i);
      for (int64_t k = 0; k < int64_t(grid.cols) * LANES; k += LANES) {
        const V old = V::load(pi + k);
        (V::load(ui + k) + alpha * old + last * (convert<T>(Vf::load(zi + k)) + beta * old)).store(ui + k);
      }
      Halo<T, LANES>::columns(grid, ui);
      if (i == 0)
        Halo<T, LANES>::north(grid, u);
      else
        pixels.energy(i - 1, rows(i - 1), rows(i - 1), energy);
    }
    pixels.energy(grid.rows - 1, rows(grid.rows - 1), rows(grid.rows - 1), energy);
    return energy;
  }

  void write(const GroupTask& task, int cell) {
    for (int load = task.first_load; load < task.first_load + loads; ++load) {
      const auto value = [&](int64_t i, int64_t j) {
        const int64_t lane = (load - task.first_load) * C + cell * task.strips + i / grid.rows;
        return double(u[grid.at(i % grid.rows, j) * LANES + lane]);
      };
      double mean = 0;
      for (int64_t i = 0; i < task.n0; ++i)
        for (int64_t j = 0; j < task.n1; ++j) mean += value(i, j);
      mean /= double(task.n0) * task.n1;
      for (int64_t i = 0; i < task.n0; ++i)
        for (int64_t j = 0; j < task.n1; ++j) {
          const int64_t to = (load * task.n0 + i) * task.n1 + j;
          if (task.correctors_float64)
            static_cast<double*>(task.correctors[cell])[to] = value(i, j) - mean;
          else
            static_cast<float*>(task.correctors[cell])[to] = float(value(i, j) - mean);
        }
    }
  }

  const GroupTask* task_ = nullptr;
  Grid grid;
  Pixels pixels;
  Hierarchy<C, typename Pixels::Smoother> hierarchy;
  T *u = nullptr, *r = nullptr, *p = nullptr, *q = nullptr;  // grid with halo, LANES
  float* residual = nullptr;                                 // r as the multigrid cycle takes it
  T* lines = nullptr;                                        // (C, pitch): a row of pixels, each lane
  int64_t pitch = 0;
};

}  // namespace PEARLITE_ISA
}  // namespace pearlite
