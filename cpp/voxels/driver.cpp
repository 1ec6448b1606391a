// A batch of cells of voxels: small ones are shared among the threads, large ones take all of them.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <vector>

#include "corrector/pixels.hpp"
#include "corrector/running.hpp"
#include "parallel.hpp"
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
    if (seen.extreme()) apply_limits(limits, a);
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

  // What is expected of the preconditioned operator. In 160 cells of 8³ to 16³ voxels (independent
  // voxels, spheres, holes, columns, layers, checkerboards, continuous fields) the least were .81, .64,
  // .38, .15 and .047 at contrasts of 3, 10, 30, 100 and 400, above .8 / (1 + .045 contrast). The rest
  // is reserve: crossing columns have still smaller ones, and so have sides that are not halved alike.
  double smallest_eigenvalue(const Survey& seen, double contrast) const {
    const bool even = cells_.n0 == cells_.n1 && cells_.n1 == cells_.n2 && cells_.n0 % 4 == 0;
    const double reserve = std::max(1.5, .66 * std::sqrt(std::sqrt(contrast)));
    const double single_step = smoothing(seen) == 1 ? 1 + .17 * (seen.anisotropy - 1) : 1;
    return (even ? .8 : .15) / ((1 + .045 * contrast) * reserve * single_step);
  }

  // A step of the smoother of tensors costs two of five products with the operator, and is worth it from
  // here on.
  static int smoothing(const Survey& seen) { return seen.anisotropy > 5 ? 2 : 1; }

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
    task.smoothing = smoothing(seen);
    for (int d = 0; d < 3; ++d) {
      task.g[d] = (cells_.tensor ? seen.diagonal[d] / seen.unit : 1) / (reader.stretch(d) * reader.stretch(d));
      task.weight[d] = limits.regular(d) ? reader.stretch(d) * reader.stretch(d) : 0;
    }
    task.float64 = float64;
    task.read = read;
    task.rtol = options_.rtol < 1e-8 ? .5 * options_.rtol : options_.rtol;
    task.corrector_rtol = options_.corrector_rtol;
    task.spectrum = smallest_eigenvalue(seen, seen.contrast() * reader.anisotropy());
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
  void apply_limits(const Percolation<3>& p, double* a) const {
    double span[9];
    if (p.conducting.rank < 3) {
      projector(p.conducting, span);
      project(span, a);
    }
    if (p.perfect.rank == 0) return;
    projector(p.perfect, span);
    double rest[9];
    for (int k = 0; k < 9; ++k) rest[k] = (k % 4 == 0) - span[k];
    project(rest, a);
    for (int k = 0; k < 9; ++k)
      if (std::fabs(span[k]) > 1e-12) a[k] = span[k] * INFINITY;
  }

  // The orthogonal projector on the physical directions of windings.
  void projector(const Windings<3>& found, double* out) const {
    const int64_t n[3] = {cells_.n0, cells_.n1, cells_.n2};
    std::fill(out, out + 9, 0.);
    double basis[3][3];
    for (int k = 0; k < found.rank; ++k) {
      for (int d = 0; d < 3; ++d)
        basis[k][d] = found.rank == 3 ? d == k : double(found.basis[k][d]) * double(n[d]) * cells_.spacing[d];
      for (int l = 0; l < k; ++l) {
        double dot = 0;
        for (int d = 0; d < 3; ++d) dot += basis[k][d] * basis[l][d];
        for (int d = 0; d < 3; ++d) basis[k][d] -= dot * basis[l][d];
      }
      double square = 0;
      for (int d = 0; d < 3; ++d) square += basis[k][d] * basis[k][d];
      for (int d = 0; d < 3; ++d) basis[k][d] /= std::sqrt(square);
      for (int d = 0; d < 3; ++d)
        for (int e = 0; e < 3; ++e) out[3 * d + e] += basis[k][d] * basis[k][e];
    }
  }

  // a = p a p
  static void project(const double* p, double* a) {
    double half[9] = {};
    for (int d = 0; d < 3; ++d)
      for (int e = 0; e < 3; ++e)
        for (int k = 0; k < 3; ++k) half[3 * d + e] += p[3 * d + k] * a[3 * k + e];
    std::fill(a, a + 9, 0.);
    for (int d = 0; d < 3; ++d)
      for (int e = 0; e < 3; ++e)
        for (int k = 0; k < 3; ++k) a[3 * d + e] += half[3 * d + k] * p[3 * k + e];
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
