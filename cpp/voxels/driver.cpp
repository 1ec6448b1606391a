// A batch of cells of voxels: small ones are shared among the threads, large ones take all of them.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <vector>

#include "corrector/pixels.hpp"
#include "corrector/running.hpp"
#include "parallel.hpp"
#include "shared/limits.hpp"
#include "team.hpp"
#include "voxels.hpp"
#include "workspace.hpp"

namespace pearlite {
namespace {

class VoxelBatch {
 public:
  VoxelBatch(const Microstructures& cells, const SolveOptions& options, const Solution& out)
      : cells_(cells), options_(options), out_(out), interrupt_(options), survey_(static_cast<std::size_t>(cells.batch)),
        workspaces_(static_cast<std::size_t>(options.threads - 1)) {}

  Outcome run() {
    if (!phases_sound(cells_)) return Outcome::defective;
    std::atomic<bool> sound{true};
    const bool wide = cells_.batch < options_.threads || cells_.size() > shared_size;
    const auto stop = [&] { return interrupt_() || !sound; };
    bool finished = false;
    if (wide) {
      Team team(options_.threads);
      const auto body = [&](int, int64_t cell) { solve_cell(cell, 0, team.handle(), sound); };
      finished = parallel_for(cells_.batch, 1, body, stop);
    } else {
      const auto body = [&](int worker, int64_t cell) { solve_cell(cell, worker, {}, sound); };
      finished = parallel_for(cells_.batch, options_.threads, body, stop);
    }
    if (!sound) return Outcome::defective;
    return finished ? Outcome::finished : Outcome::interrupted;
  }

 private:
  static constexpr int64_t shared_size = int64_t(1) << 21;  // voxels: two of them would crowd the cache
  static constexpr int float32_iterations = 30;             // after so many, rounding has a part in it

  void solve_cell(int64_t cell, int worker, const VoxelTeam& team, std::atomic<bool>& sound) {
    const Survey& seen = survey_[static_cast<std::size_t>(cell)] = survey(cells_, cell);
    if (!seen.sound) {
      sound = false;
      return;
    }
    Percolation<3> limits;
    limits.conducting.rank = 3;
    if (seen.extreme()) limits = percolation<3>(cells_, cell, seen);
    bool regular = false;
    for (int d = 0; d < 3; ++d) regular = regular || limits.regular(d);
    double* a = out_.effective + 9 * cell;
    if (!regular || (!cells_.tensor && seen.lowest == seen.highest && !seen.extreme())) {
      store_unsolved(cell, regular ? seen.highest : 0, regular ? 0 : NAN);
    } else {
      try {
        const FlushToZero flush;
        solve_seen(cell, seen, limits, workspace(worker), team);
      } catch (const VoxelsStopped&) {  // by the interrupt, which ends the loop
        return;
      }
    }
    if (seen.extreme()) put_limits(limits, a);
  }

  void solve_seen(int64_t cell, const Survey& seen, const Percolation<3>& limits, Workspace& workspace,
                  const VoxelTeam& team) {
    const bool single = options_.rtol >= 5e-7 && options_.corrector_rtol >= 2e-5 && seen.contrast() <= 400 && !seen.extreme();
    for (const bool float64 : {false, true}) {
      if (!float64 && !single) continue;
      const Reader reader(cells_, &cell, survey_.data(), float64);
      Call call{&reader, cells_.n1};
      VoxelTask task = prepare(cell, seen, limits, reader, float64);
      task.context = &call;
      task.team = team;
      const VoxelSolver& solver = cells_.tensor ? tensor_solver() : voxel_solver();
      void* memory = workspace.get(solver.workspace(task));
      if (cells_.tensor) std::memset(memory, 0, static_cast<std::size_t>(solver.workspace(task)));
      solver.solve(task, memory);
      store(task, cell, seen, reader);
      if (task.converged) return;
    }
  }

  // Worker 0 is the calling thread.
  Workspace& workspace(int worker) {
    return worker == 0 ? kept_.get() : workspaces_[static_cast<std::size_t>(worker - 1)];
  }

  // What is expected of the preconditioned operator.
  double smallest_eigenvalue(const Survey& seen, double oblong) const {
    const bool even = cells_.n0 == cells_.n1 && cells_.n1 == cells_.n2 && cells_.n0 % 4 == 0;
    return seen.voxel_spectrum(even, oblong, seen.smoothing());
  }

  struct Call {
    const Reader* reader;
    int64_t n1;
  };
  static void read(const void* context, int i, int j, void* values) {
    const Call& call = *static_cast<const Call*>(context);
    call.reader->read_row(0, i * call.n1 + j, values);
  }

  VoxelTask prepare(int64_t cell, const Survey& seen, const Percolation<3>& limits, const Reader& reader,
                    bool float64) {
    VoxelTask task;
    task.n[0] = static_cast<int>(cells_.n0);
    task.n[1] = static_cast<int>(cells_.n1);
    task.n[2] = static_cast<int>(cells_.n2);
    task.tensor = cells_.tensor;
    task.smoothing = seen.smoothing();
    for (int d = 0; d < 3; ++d) {
      task.g[d] = (cells_.tensor ? seen.diagonal[d] / seen.unit : 1) / (reader.stretch(d) * reader.stretch(d));
      task.weight[d] = limits.regular(d) ? reader.stretch(d) * reader.stretch(d) : 0;
    }
    task.float64 = float64;
    task.read = read;
    task.rtol = options_.rtol < 1e-8 ? .5 * options_.rtol : options_.rtol;
    task.corrector_rtol = options_.corrector_rtol;
    task.spectrum = smallest_eigenvalue(seen, reader.anisotropy());
    task.conductor = seen.conductors ? .5 * seen.cap() / seen.unit : 0;
    task.max_iterations = float64 ? options_.max_iterations : std::min(options_.max_iterations, float32_iterations);
    task.stop = Interrupt::ask;
    task.stop_context = &interrupt_;
    task.correctors = corrector_of(cell);
    task.correctors_float64 = out_.correctors_float64;
    return task;
  }

  void* corrector_of(int64_t cell) const {
    if (!out_.correctors) return nullptr;
    return static_cast<char*>(out_.correctors) + cell * 3 * cells_.size() * (out_.correctors_float64 ? 8 : 4);
  }

  void store(const VoxelTask& task, int64_t cell, const Survey& seen, const Reader& reader) {
    out_.iterations[cell] = task.iterations;
    out_.residual[cell] = task.error;
    out_.converged[cell] = task.converged;
    const double floor = seen.rounding(reader.anisotropy());
    if (floor > options_.rtol) {
      out_.residual[cell] = std::max(out_.residual[cell], floor);
      out_.converged[cell] = 0;
    }
    for (int d = 0; d < 3; ++d)
      for (int e = 0; e < 3; ++e)
        out_.effective[9 * cell + 3 * d + e] = seen.unit * reader.stretch(d) * reader.stretch(e) * task.effective[d][e];
    for (int d = 0; d < 3; ++d) scale(cell, d, cells_.spacing[d]);  // to physical lengths
  }

  void scale(int64_t cell, int load, double factor) const {
    if (!out_.correctors || factor == 1) return;
    const int64_t first = load * cells_.size();
    for (int64_t k = first; k < first + cells_.size(); ++k) {
      if (out_.correctors_float64) static_cast<double*>(corrector_of(cell))[k] *= factor;
      else static_cast<float*>(corrector_of(cell))[k] *= static_cast<float>(factor);
    }
  }

  void store_unsolved(int64_t cell, double diagonal, double corrector) {
    for (int k = 0; k < 9; ++k) out_.effective[9 * cell + k] = k % 4 == 0 ? diagonal : 0;
    out_.iterations[cell] = 0;
    out_.residual[cell] = 0;
    out_.converged[cell] = 1;
    if (!out_.correctors) return;
    if (out_.correctors_float64) std::fill_n(static_cast<double*>(corrector_of(cell)), 3 * cells_.size(), corrector);
    else std::fill_n(static_cast<float*>(corrector_of(cell)), 3 * cells_.size(), static_cast<float>(corrector));
  }

  // Exact zeros and infinities of what conducts along some directions only.
  void put_limits(const Percolation<3>& p, double* a) const {
    double conducting[3][3], perfect[3][3];
    directions(p.conducting, conducting);
    directions(p.perfect, perfect);
    apply_limits(p.conducting.rank, conducting, p.perfect.rank, perfect, INFINITY, a);
  }

  // The physical directions of windings.
  void directions(const Windings<3>& found, double (*out)[3]) const {
    const int64_t n[3] = {cells_.n0, cells_.n1, cells_.n2};
    for (int k = 0; k < 3; ++k)
      for (int d = 0; d < 3; ++d) out[k][d] = double(found.basis[k][d]) * double(n[d]) * cells_.spacing[d];
  }

  const Microstructures& cells_;
  const SolveOptions& options_;
  const Solution& out_;
  Interrupt interrupt_;
  std::vector<Survey> survey_;
  KeptWorkspace kept_;
  std::vector<Workspace> workspaces_;
};

}  // namespace

Outcome solve_voxels(const Microstructures& cells, const SolveOptions& options, const Solution& out) {
  return VoxelBatch(cells, options, out).run();
}

}  // namespace pearlite
