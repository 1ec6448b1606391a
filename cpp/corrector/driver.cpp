// A batch of cells: sorted into groups that converge alike, and the groups shared among threads.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

#include "corrector.hpp"
#include "dispatch.hpp"
#include "parallel.hpp"
#include "pixels.hpp"
#include "task.hpp"
#include "workspace.hpp"

#if defined(__SSE__)
#include <immintrin.h>
#endif

namespace pearlite {
namespace {

const Kernels& kernels() {
  static const Kernels& chosen = [&]() -> const Kernels& {
#if defined(PEARLITE_X86_64_LEVELS)
    const Isa isa = chosen_isa();
    if (isa == Isa::v4) return v4::kernels;
    if (isa == Isa::v3) return v3::kernels;
#endif
    return base::kernels;
  }();
  return chosen;
}

// Values below the smallest normal number count as zero: corrections of an almost exact solution
// would otherwise take the processor's slow path.
class FlushToZero {
 public:
#if defined(__SSE__)
  FlushToZero() : saved_(_mm_getcsr()) { _mm_setcsr(saved_ | 0x8040); }
  ~FlushToZero() { _mm_setcsr(saved_); }

 private:
  unsigned saved_;
#endif
};

// Asks the caller's `interrupted` a few times a second, on the calling thread only.
class Interrupt {
 public:
  explicit Interrupt(const SolveOptions& options) : options_(options), caller_(std::this_thread::get_id()) {}

  bool operator()() {
    using namespace std::chrono;
    if (options_.interrupted && std::this_thread::get_id() == caller_) {
      const auto now = steady_clock::now();
      if (now - last_ > milliseconds(50)) {
        last_ = now;
        if (options_.interrupted(options_.context)) stopped_ = true;
      }
    }
    return stopped_;
  }
  static bool ask(void* self) { return (*static_cast<Interrupt*>(self))(); }

 private:
  const SolveOptions& options_;
  std::thread::id caller_;
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
  std::atomic<bool> stopped_{false};
};

// Strips keep a group's working set in the cache nearest to the core.
int strips_for(const Microstructures& cells, int64_t batch) {
  const int64_t nodes = cells.n0 * cells.n1;
  int strips = 1;
  while (strips < 8 && cells.n0 % (2 * strips) == 0 && cells.n0 / (2 * strips) >= 8 &&
         (nodes * (8 / strips) > 64 * 64 * 4 || batch < 8 / strips))
    strips *= 2;
  return strips;
}

class Batch {
 public:
  Batch(const Microstructures& cells, const SolveOptions& options, const Solution& out)
      : cells_(cells), options_(options), out_(out), interrupt_(options), survey_(cells.batch),
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
    return solve_all() ? Outcome::finished : Outcome::interrupted;
  }

 private:
  using Members = std::vector<int64_t>;
  static constexpr int64_t worth_a_thread = 1 << 16;  // pixels to look at
  static constexpr int float32_iterations = 60;       // after so many, rounding may be the reason

  bool needs_float64(int64_t cell) const {
    return options_.rtol < 5e-7 || survey_[cell].contrast() > 400;
  }

  bool solve_all() {
    Members single, full;
    for (int64_t cell = 0; cell < cells_.batch; ++cell) (needs_float64(cell) ? full : single).push_back(cell);
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
      solve_group(&members[begin], static_cast<int>(count), strips, float64, may_defer, workspaces_[worker]);
    };
    return parallel_for((size + width - 1) / width, options_.threads, body, [&] { return interrupt_(); });
  }

  // One large cell alone: each load to a thread of its own.
  bool splits_loads(const Members& members) const {
    return members.size() == 1 && options_.threads >= 2 && cells_.n0 * cells_.n1 >= 128 * 128 &&
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
      kernels().solve(task, workspaces_[load].get(kernels().workspace(task)));
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
    for (int i = 0; i < 2; ++i) task.weight[i] = reader.stretch(i) * reader.stretch(i);
    task.rtol = options_.rtol;
    task.max_iterations = float64 ? options_.max_iterations : std::min(options_.max_iterations, float32_iterations);
    task.may_defer = may_defer;
    task.stop = Interrupt::ask;
    task.stop_context = &interrupt_;
    task.correctors_float64 = out_.correctors_float64;
    for (int k = 0; k < count; ++k) {
      task.spectrum[k] = survey_[members[k]].spectrum(reader.anisotropy());
      task.correctors[k] = corrector_of(members[k]);
    }
    return task;
  }

  void* corrector_of(int64_t cell) const {
    if (!out_.correctors) return nullptr;
    const int64_t size = 2 * cells_.n0 * cells_.n1 * (out_.correctors_float64 ? 8 : 4);
    return static_cast<char*>(out_.correctors) + cell * size;
  }

  void store(const GroupTask& task, int k, int64_t cell, const Reader& reader) {
    const double scale = survey_[cell].unit, s0 = reader.stretch(0), s1 = reader.stretch(1);
    double* a = out_.effective + 4 * cell;
    a[0] = scale * s0 * s0 * task.effective[k][0];
    a[3] = scale * s1 * s1 * task.effective[k][1];
    a[1] = a[2] = scale * s0 * s1 * task.effective[k][2];
    out_.iterations[cell] = task.iterations[k];
    out_.residual[cell] = task.error[k];
    out_.converged[cell] = task.converged[k];
    if (out_.correctors) rescale(corrector_of(cell));
  }

  // From unit loads on unit pixels to physical lengths.
  void rescale(void* corrector) const {
    const int64_t size = cells_.n0 * cells_.n1;
    for (int64_t k = 0; k < 2 * size; ++k)
      if (out_.correctors_float64) static_cast<double*>(corrector)[k] *= cells_.spacing[k / size];
      else static_cast<float*>(corrector)[k] *= static_cast<float>(cells_.spacing[k / size]);
  }

  const Microstructures& cells_;
  const SolveOptions& options_;
  const Solution& out_;
  Interrupt interrupt_;
  std::vector<Survey> survey_;
  std::vector<Workspace> workspaces_;
};

}  // namespace

Outcome solve_correctors(const Microstructures& cells, const SolveOptions& options, const Solution& out) {
  return Batch(cells, options, out).run();
}

const char* instruction_set() { return name_of(chosen_isa()); }

}  // namespace pearlite
