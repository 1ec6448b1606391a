// A batch of cells: sorted into groups that converge alike, and the groups shared among threads.
#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "corrector.hpp"
#include "dispatch.hpp"
#include "parallel.hpp"
#include "pixels.hpp"
#include "running.hpp"
#include "shared/limits.hpp"
#include "task.hpp"
#include "voxels/voxels.hpp"
#include "workspace.hpp"

namespace pearlite {
namespace {

// Strips keep a group's working set in the cache nearest to the core: half a megabyte of the 1 MB that
// servers have at least. Groups twice and half as large took 1.1 and 1.2 times as long there at 64².
int strips_for(const Microstructures& cells, int64_t batch) {
  const int64_t nodes = cells.n0 * cells.n1;
  int strips = 1;
  while (strips < 8 && cells.n0 % (2 * strips) == 0 && cells.n0 / (2 * strips) >= 8 &&
         (nodes * (8 / strips) > 64 * 64 * 2 || batch < 8 / strips))
    strips *= 2;
  return strips;
}

class Batch {
 public:
  // loads: (batch, 2, n0, n1) as the correctors, or null for unit mean gradients
  Batch(const Microstructures& cells, const void* loads, const SolveOptions& options, const Solution& out)
      : cells_(cells), loads_(loads), options_(options), out_(out), interrupt_(options), survey_(cells.batch),
        workspaces_(std::max(options.threads, 2)) {}

  Outcome run() {
    if (!phases_sound(cells_)) return Outcome::defective;
    std::atomic<bool> sound{true};
    const auto look = [&](int, int64_t cell) {
      survey_[cell] = survey(cells_, cell);
      if (!survey_[cell].sound) sound = false;
    };
    const int64_t pixels = cells_.batch * cells_.n0 * cells_.n1;
    const int threads = pixels < worth_a_thread ? 1 : options_.threads;
    if (!parallel_for(cells_.batch, threads, look, [&] { return interrupt_() || !sound; }))
      return sound ? Outcome::interrupted : Outcome::defective;
    if (!sound) return Outcome::defective;
    find_percolation();
    return solve_all() ? Outcome::finished : Outcome::interrupted;
  }

 private:
  using Members = std::vector<int64_t>;
  static constexpr int64_t worth_a_thread = 1 << 16;  // pixels to look at

  bool needs_float64(int64_t cell) const {
    return survey_[cell].needs_float64(options_.rtol, options_.corrector_rtol, loads_ != nullptr);
  }

  void find_percolation() {
    const auto extreme = [](const Survey& s) { return s.extreme(); };
    if (std::none_of(survey_.begin(), survey_.end(), extreme)) return;
    percolation_.resize(survey_.size());
    const auto find = [&](int, int64_t cell) {
      if (survey_[cell].extreme()) percolation_[cell] = percolation<2>(cells_, cell, survey_[cell]);
      else percolation_[cell].conducting.rank = 2;
    };
    parallel_for(cells_.batch, options_.threads, find, [&] { return interrupt_(); });
  }

  bool regular(int64_t cell, int axis) const { return percolation_.empty() || percolation_[cell].regular(axis); }

  bool solve_all() {
    Members single, full;
    for (int64_t cell = 0; cell < cells_.batch; ++cell) {
      if (!regular(cell, 0) && !regular(cell, 1)) store_irregular(cell);
      else if (uniform(cell)) store_uniform(cell);
      else (needs_float64(cell) ? full : single).push_back(cell);
    }
    if (!solve(single, false, true)) return false;
    const Members deferred = unfinished(single);
    if (!solve(deferred, false, false)) return false;
    const Members failed = unfinished(deferred);
    if (!solve(full, true, true) || !solve(unfinished(full), true, false)) return false;
    return solve(failed, true, false);
  }

  Members unfinished(const Members& members) const {
    Members rest;
    for (const int64_t cell : members)
      if (!out_.converged[cell]) rest.push_back(cell);
    return rest;
  }

  // Solves these cells, unless they converge too slowly for their group (`may_defer`).
  bool solve(Members members, bool float64, bool may_defer) {
    if (members.empty()) return true;
    // Cells of like contrast take like numbers of iterations.
    const auto rank = [&](int64_t cell) { return std::lround(4 * std::log10(survey_[cell].contrast())); };
    std::stable_sort(members.begin(), members.end(), [&](int64_t a, int64_t b) { return rank(a) < rank(b); });
    if (splits_loads(members)) return solve_split(members[0], float64);
    const int64_t size = static_cast<int64_t>(members.size());
    const int strips = strips_for(cells_, size), width = 8 / strips;
    const auto body = [&](int worker, int64_t group) {
      const FlushToZero flush;
      const int64_t begin = group * width, count = std::min<int64_t>(width, size - begin);
      try {
        solve_group(&members[begin], static_cast<int>(count), strips, float64, may_defer, workspaces_[worker]);
      } catch (const Stopped&) {  // by the interrupt, which ends the loop
      }
    };
    return parallel_for((size + width - 1) / width, options_.threads, body, [&] { return interrupt_(); });
  }

  // One large cell alone: each load to a thread of its own.
  bool splits_loads(const Members& members) const {
    return members.size() == 1 && options_.threads >= 2 && !survey_[members[0]].conductors && cells_.n0 * cells_.n1 >= 128 * 128 &&
           cells_.n0 % 16 == 0 && cells_.n0 >= 16 * 4;
  }

  bool solve_split(int64_t cell, bool float64) {
    const Reader reader(cells_, &cell, survey_.data(), float64);
    GroupTask tasks[2];
    const auto body = [&](int, int64_t load) {
      const FlushToZero flush;
      GroupTask& task = tasks[load];
      task = prepare(reader, &cell, 1, 16, float64, false);
      task.first_load = static_cast<int>(load);
      try {
        kernels().solve(task, workspaces_[load].get(kernels().workspace(task)));
      } catch (const Stopped&) {
      }
    };
    if (!parallel_for(2, 2, body, [&] { return interrupt_(); })) return false;
    const int64_t bytes = kernels().workspace(tasks[0]);
    GroupTask& joined = tasks[0];
    joined.effective[0][1] = tasks[1].effective[0][1];
    joined.effective[0][2] = kernels().join(joined, workspaces_[0].get(bytes), workspaces_[1].get(bytes));
    joined.error[0] = std::max(joined.error[0], tasks[1].error[0]);
    joined.iterations[0] = std::max(joined.iterations[0], tasks[1].iterations[0]);
    joined.converged[0] = joined.converged[0] && tasks[1].converged[0];
    store(joined, 0, cell, reader);
    return true;
  }

  void solve_group(const int64_t* members, int count, int strips, bool float64, bool may_defer,
                   Workspace& workspace) {
    const Reader reader(cells_, members, survey_.data(), float64);
    GroupTask task = prepare(reader, members, count, strips, float64, may_defer);
    kernels().solve(task, workspace.get(kernels().workspace(task)));
    for (int k = 0; k < count; ++k) store(task, k, members[k], reader);
  }

  GroupTask prepare(const Reader& reader, const int64_t* members, int count, int strips, bool float64,
                    bool may_defer) {
    GroupTask task;
    task.n0 = static_cast<int>(cells_.n0);
    task.n1 = static_cast<int>(cells_.n1);
    task.strips = strips;
    task.cells = count;
    task.tensor = reader.tensor();
    task.float64 = float64;
    task.read = Reader::read;
    task.context = &reader;
    // Very small tolerances leave half of it to rounding.
    task.rtol = options_.rtol < 1e-8 ? .5 * options_.rtol : options_.rtol;
    task.corrector_rtol = options_.corrector_rtol;
    task.max_iterations = float64 ? options_.max_iterations : std::min(options_.max_iterations, float32_iterations);
    task.may_defer = may_defer;
    task.stop = Interrupt::ask;
    task.stop_context = &interrupt_;
    task.correctors_float64 = out_.correctors_float64;
    for (int k = 0; k < count; ++k) {
      for (int i = 0; i < 2; ++i)
        task.weight[k][i] = regular(members[k], i) ? reader.stretch(i) * reader.stretch(i) : 0;
      const Survey& seen = survey_[members[k]];
      task.conductor[k] = seen.conductors ? .5 * seen.cap() / seen.unit : 0;
      task.spectrum[k] = seen.spectrum(reader.anisotropy());
      task.correctors[k] = corrector_of(out_.correctors, members[k]);
      task.rhs[k] = corrector_of(const_cast<void*>(loads_), members[k]);
      task.rhs_scale[k] = loads_ ? normalization(members[k]) : 1;
    }
    return task;
  }

  // A power of two that brings a cell's loads to about one.
  double normalization(int64_t cell) const {
    const int64_t size = 2 * cells_.n0 * cells_.n1;
    const void* f = corrector_of(const_cast<void*>(loads_), cell);
    double largest = 0;
    for (int64_t k = 0; k < size; ++k)
      largest = std::max(largest, std::fabs(out_.correctors_float64 ? static_cast<const double*>(f)[k]
                                                                   : double(static_cast<const float*>(f)[k])));
    return largest > 0 && std::isfinite(largest) ? std::exp2(-std::floor(std::log2(largest))) : 1;
  }

  void* corrector_of(void* all, int64_t cell) const {
    if (!all) return nullptr;
    const int64_t size = 2 * cells_.n0 * cells_.n1 * (out_.correctors_float64 ? 8 : 4);
    return static_cast<char*>(all) + cell * size;
  }

  void store(const GroupTask& task, int k, int64_t cell, const Reader& reader) {
    const double unit = survey_[cell].unit, s0 = reader.stretch(0), s1 = reader.stretch(1);
    out_.iterations[cell] = task.iterations[k];
    out_.residual[cell] = loads_ ? std::sqrt(task.error[k]) : task.error[k];
    out_.converged[cell] = task.converged[k];
    const double floor = survey_[cell].rounding(reader.anisotropy());
    if (floor > options_.rtol) {
      out_.residual[cell] = std::max(out_.residual[cell], floor);
      out_.converged[cell] = 0;
    }
    if (loads_) {
      const double largest = std::max(cells_.spacing[0], cells_.spacing[1]);
      const double factor = largest * largest / (unit * task.rhs_scale[k]);
      rescale(corrector_of(out_.correctors, cell), factor, factor);
      return;
    }
    double* a = out_.effective + 4 * cell;
    a[0] = unit * s0 * s0 * task.effective[k][0];
    a[3] = unit * s1 * s1 * task.effective[k][1];
    a[1] = a[2] = unit * s0 * s1 * task.effective[k][2];
    if (!percolation_.empty()) apply_limits(percolation_[cell], a);
    // From unit loads on unit pixels to physical lengths.
    if (out_.correctors) rescale(corrector_of(out_.correctors, cell), cells_.spacing[0], cells_.spacing[1]);
  }

  bool uniform(int64_t cell) const {
    const Survey& s = survey_[cell];
    return !loads_ && !cells_.tensor && !s.extreme() && s.lowest == s.highest;
  }

  void store_uniform(int64_t cell) {
    double* a = out_.effective + 4 * cell;
    a[0] = a[3] = survey_[cell].highest;
    a[1] = a[2] = 0;
    finish_unsolved(cell, 0);
  }

  // A cell that conducts in no direction, or perfectly in all that conduct: nothing to solve.
  void store_irregular(int64_t cell) {
    double* a = out_.effective + 4 * cell;
    std::fill(a, a + 4, 0.);
    apply_limits(percolation_[cell], a);
    finish_unsolved(cell, NAN);
  }

  void finish_unsolved(int64_t cell, double corrector) {
    out_.iterations[cell] = 0;
    out_.residual[cell] = 0;
    out_.converged[cell] = 1;
    if (!out_.correctors) return;
    const int64_t size = 2 * cells_.n0 * cells_.n1;
    void* to = corrector_of(out_.correctors, cell);
    if (out_.correctors_float64) std::fill_n(static_cast<double*>(to), size, corrector);
    else std::fill_n(static_cast<float*>(to), size, static_cast<float>(corrector));
  }

  void apply_limits(const Percolation<2>& p, double* a) const {
    const auto conducting = winding(p.conducting), perfect = winding(p.perfect);
    pearlite::apply_limits(p.conducting.rank, conducting.data(), p.perfect.rank, perfect.data(), INFINITY, a);
  }

  // The physical direction of a winding.
  std::array<double, 2> winding(const Windings<2>& found) const {
    return {double(found.basis[0][0]) * double(cells_.n0) * cells_.spacing[0],
            double(found.basis[0][1]) * double(cells_.n1) * cells_.spacing[1]};
  }

  void rescale(void* corrector, double first, double second) const {
    const int64_t size = cells_.n0 * cells_.n1;
    for (int64_t k = 0; k < 2 * size; ++k) {
      const double factor = k < size ? first : second;
      if (out_.correctors_float64) static_cast<double*>(corrector)[k] *= factor;
      else static_cast<float*>(corrector)[k] *= static_cast<float>(factor);
    }
  }

  const Microstructures& cells_;
  const void* loads_;
  const SolveOptions& options_;
  const Solution& out_;
  Interrupt interrupt_;
  std::vector<Survey> survey_;
  std::vector<Percolation<2>> percolation_;  // of each cell, if any is extreme
  std::vector<Workspace> workspaces_;
};

}  // namespace

Outcome solve_correctors(const Microstructures& cells, const SolveOptions& options, const Solution& out) {
  if (cells.dim == 3) return solve_voxels(cells, options, out);
  return Batch(cells, nullptr, options, out).run();
}

Outcome solve_loads(const Microstructures& cells, const void* loads, const SolveOptions& options,
                    const Solution& out) {
  return Batch(cells, loads, options, out).run();
}

const char* instruction_set() { return name_of(chosen_isa()); }

}  // namespace pearlite
