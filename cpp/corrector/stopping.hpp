// The scalars of conjugate gradients, lane by lane, and the rule that stops a cell.
//
// The error of a diagonal entry of A* is the squared energy norm of the corrector's error over the
// number of pixels, at most g_k (r_k, z_k) over that number (see radau.hpp). One more step along p_k
// with α = 1 takes off at least (r_k, z_k), since the V-cycle never overshoots (the spectrum lies
// below 1). What is left is at most (g_k − 1)(r_k, z_k).
#pragma once
#include "finest.hpp"
#include "radau.hpp"
#include "task.hpp"

namespace pearlite {
namespace PEARLITE_ISA {

template <int C>
class Stopping {
  static constexpr int loads = LANES / C;

 public:
  // mean: Σ of the conductivity over the pixels, loading: Σ of the squared loads over the nodes
  Stopping(const GroupTask& task, const Lanes<double>& mean, const Lanes<double>& loading) : strips_(task.strips) {
    pixels_ = double(task.n0) * task.n1;
    spread(mean, estimate_);
    for (int k = 0; k < LANES; ++k) estimate_[k] /= pixels_;
    spread(loading, loading_);
    for (int k = 0; k < LANES; ++k) loading_[k] /= pixels_;
    for (int cell = 0; cell < C; ++cell) state_[cell] = State::running;
    for (int k = 0; k < LANES; ++k) {
      const int place = k % C / strips_;
      radau_.start(k, task.spectrum[place < task.cells ? place : task.cells - 1]);
    }
  }

  void rz(const Lanes<double>& value) {
    double fresh[LANES];
    spread(value, fresh);
    for (int k = 0; k < LANES; ++k) {
      beta_[k] = running(k) && rz_[k] > 0 ? fresh[k] / rz_[k] : 0;
      rz_[k] = fresh[k];
      if (iteration_ > 0 && running(k)) radau_.step(k, alpha_[k], beta_[k]);
    }
  }

  void pq(const Lanes<double>& value) {
    double fresh[LANES];
    spread(value, fresh);
    for (int k = 0; k < LANES; ++k) {
      if (running(k)) {
        alpha_[k] = fresh[k] > 0 ? rz_[k] / fresh[k] : 0;
        estimate_[k] -= alpha_[k] * rz_[k] / pixels_;
        drop_[k] += alpha_[k] * rz_[k] / pixels_;
      } else {
        // A cell that has just stopped takes its last step with the others' next product.
        alpha_[k] = last_[k];
        last_[k] = 0;
      }
    }
    ++iteration_;
  }

  // Decides for each cell; true when none is running.
  bool finished(const GroupTask& task) {
    const bool stopped = task.stop && task.stop(task.stop_context);
    int running = 0;
    for (int cell = 0; cell < places(); ++cell) {
      if (state_[cell] != State::running) continue;
      error_[cell] = relative_error(task, cell);
      count_[cell] = iteration_ + 1;
      const bool sound = error_[cell] >= 0 && error_[cell] < 1e300 && !vanished(cell);  // else rounding has won
      if (sound && error_[cell] <= tolerance(task)) stop(cell, State::done);
      else if (stopped || !sound || iteration_ + 1 >= task.max_iterations) stop(cell, State::failed);
      else {
        rest(task, cell);
        ++running;
      }
    }
    if (2 * running <= places() && half_ == 0) half_ = iteration_ + 1;
    // A quarter of the cells may not keep the others waiting for half as long again.
    if (task.may_defer && running > 0 && 4 * running <= places() && iteration_ + 1 > half_ + half_ / 2 + 1) {
      for (int cell = 0; cell < places(); ++cell)
        if (state_[cell] == State::running) stop(cell, State::deferred);
      running = 0;
    }
    return running == 0;
  }

  template <class T> Lanes<T> alpha() const { return lanes<T>(alpha_); }
  template <class T> Lanes<T> beta() const { return lanes<T>(beta_); }
  template <class T> Lanes<T> last() const { return lanes<T>(last_); }

  void report(GroupTask& task, const Lanes<double>& diagonal, const Lanes<double>& cross) const {
    double d[LANES], x[LANES];
    spread(diagonal, d);
    spread(cross, x);
    for (int cell = 0; cell < task.cells; ++cell) {
      const int lane = cell * strips_;
      for (int load = 0; load < loads; ++load) task.effective[cell][task.first_load + load] = d[load * C + lane] / pixels_;
      task.effective[cell][2] = x[lane] / pixels_;
      task.error[cell] = error_[cell];
      task.iterations[cell] = count_[cell];
      task.converged[cell] = state_[cell] == State::done;
    }
  }

 private:
  enum class State { running, done, failed, deferred };

  int places() const { return C / strips_; }

  // The squared energy norm of a load's error after a last step, over the number of pixels.
  double energy_error(int lane) const {
    const double rest = radau_.factor(lane) - 1;
    return rz_[lane] / pixels_ * (rest > radau_least ? rest : radau_least);
  }

  // The error of A* after a last step, |E| ≤ tr E, over its norm; of given loads the worst error of
  // a solution, squared, over its energy.
  double relative_error(const GroupTask& task, int cell) {
    double norm = 0, worst = 0, sum = 0;
    for (int load = 0; load < loads; ++load) {
      const double a = weight(task, cell, load) * estimate_[load * C + cell * strips_];
      norm += a * a;
    }
    for (int load = 0; load < loads; ++load) {
      const int lane = load * C + cell * strips_;
      // What a resting load is short of does not change any more.
      if (!resting_[lane]) {
        const double error = weight(task, cell, load) * energy_error(lane);
        if (task.rhs[0]) share_[lane] = rz_[lane] > 0 ? energy_error(lane) / (drop_[lane] + 1e-100) : 0;
        else share_[lane] = error > 0 ? error / __builtin_sqrt(norm) : 0;
      }
      worst = share_[lane] > worst ? share_[lane] : worst;
      sum += share_[lane];
    }
    return task.rhs[0] ? worst : sum;
  }

  static double weight(const GroupTask& task, int cell, int load) {
    return task.weight[cell < task.cells ? cell : task.cells - 1][task.first_load + load];
  }

  // One load alone may take half the error: e0 + e1 ≤ rtol/2 (A00 + A11) < rtol |A|.
  static double tolerance(const GroupTask& task) {
    const double squared = task.corrector_rtol * task.corrector_rtol;
    if (task.rhs[0]) return squared;
    const double least = squared < task.rtol ? squared : task.rtol;
    return loads == 2 ? least : .5 * least;
  }

  // Whether the V-cycle made nothing of a load that is there.
  bool vanished(int cell) const {
    for (int load = 0; load < loads; ++load) {
      const int lane = load * C + cell * strips_;
      if (iteration_ == 0 && !(rz_[lane] > 0) && loading_[lane] > 1e-20 * estimate_[lane] * estimate_[lane]) return true;
    }
    return false;
  }

  void stop(int cell, State state) {
    state_[cell] = state;
    for (int load = 0; load < loads; ++load)
      if (!resting_[load * C + cell * strips_]) last_step(cell, load);
  }

  void last_step(int cell, int load) {
    for (int s = 0; s < strips_; ++s) {
      const int k = load * C + cell * strips_ + s;
      last_[k] = rz_[k] > 0 ? 1 : 0;
    }
  }

  // A load whose error no longer counts must not go on: all that is left of it is rounding, and
  // conjugate gradients on rounding drift away.
  void rest(const GroupTask& task, int cell) {
    for (int load = 0; load < loads; ++load) {
      const int first = load * C + cell * strips_;
      if (resting_[first] || share_[first] > 1e-3 * tolerance(task)) continue;
      last_step(cell, load);
      for (int s = 0; s < strips_; ++s) resting_[first + s] = true;
    }
  }

  bool running(int lane) const { return state_[lane % C / strips_] == State::running && !resting_[lane]; }

  // Sums over the strips of each cell, repeated in all its lanes.
  void spread(const Lanes<double>& value, double* out) const {
    alignas(64) double v[LANES];
    value.store(v);
    for (int first = 0; first < LANES; first += strips_) {
      double sum = 0;
      for (int s = 0; s < strips_; ++s) sum += v[first + s];
      for (int s = 0; s < strips_; ++s) out[first + s] = sum;
    }
  }

  template <class T>
  static Lanes<T> lanes(const double* from) {
    alignas(64) T v[LANES];
    for (int k = 0; k < LANES; ++k) v[k] = T(from[k]);
    return Lanes<T>::load(v);
  }

  int strips_;
  double pixels_;
  int iteration_ = 0, half_ = 0;  // half_: when half of the cells had finished
  double loading_[LANES];        // mean squared load of a node
  double estimate_[LANES];       // upper bounds of the diagonal of the effective tensor
  double rz_[LANES] = {}, alpha_[LANES] = {}, beta_[LANES] = {}, last_[LANES] = {};
  Radau radau_;
  bool resting_[LANES] = {};     // see `rest`
  double share_[LANES] = {};     // of each load in its cell's error
  double drop_[LANES] = {};      // of the energy, since the start
  State state_[C];
  double error_[C] = {};
  int count_[C] = {};
};

}  // namespace PEARLITE_ISA
}  // namespace pearlite
