// A batch of cells: sorted into groups that converge alike, and the groups shared among threads.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <numeric>
#include <thread>
#include <vector>

#include "corrector.hpp"
#include "dispatch.hpp"
#include "parallel.hpp"
#include "pixels.hpp"
#include "task.hpp"

#if defined(__SSE__)
#include <immintrin.h>
#endif
#if defined(__linux__)
#include <sys/mman.h>
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

// Zeroed memory of one worker, kept from group to group. It is aligned to huge pages, and asks for
// them: sweeps over tens of megabytes would else miss the translation cache at every row.
class Workspace {
 public:
  void* get(int64_t bytes) {
    if (bytes > size_) {
      const std::size_t huge = std::size_t(2) << 20, page = bytes > int64_t(huge) ? huge : 4096;
      const std::size_t rounded = (static_cast<std::size_t>(bytes) + page - 1) / page * page;
      memory_.reset(static_cast<char*>(std::aligned_alloc(page, rounded)));
      if (!memory_) throw std::bad_alloc();
#if defined(MADV_HUGEPAGE)
      if (page == huge) madvise(memory_.get(), rounded, MADV_HUGEPAGE);
#endif
      std::memset(memory_.get(), 0, rounded);
      size_ = bytes;
    }
    return memory_.get();
  }

 private:
  struct Free {
    void operator()(char* p) const { std::free(p); }
  };
  std::unique_ptr<char, Free> memory_;
  int64_t size_ = 0;
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
  const char* forced = std::getenv("PEARLITE_STRIPS");
  if (forced) return std::atoi(forced);
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
      : cells_(cells), options_(options), out_(out), interrupt_(options), order_(cells.batch),
        survey_(cells.batch) {}

  bool run() {
    const auto look = [&](int, int64_t cell) { survey_[cell] = survey(cells_, cell); };
    const auto stop = [&] { return interrupt_(); };
    if (!parallel_for(cells_.batch, options_.threads, look, stop)) return false;
    std::iota(order_.begin(), order_.end(), int64_t{0});
    // Cells of like contrast take like numbers of iterations.
    const auto rank = [&](int64_t cell) {
      return std::make_pair(needs_double(cell), std::lround(4 * std::log10(survey_[cell].contrast())));
    };
    std::stable_sort(order_.begin(), order_.end(), [&](int64_t a, int64_t b) { return rank(a) < rank(b); });
    const auto first_double = std::partition_point(order_.begin(), order_.end(),
                                                   [&](int64_t cell) { return !needs_double(cell); });
    const int64_t singles = first_double - order_.begin();
    return solve(0, singles, false) && solve(singles, cells_.batch, true);
  }

 private:
  bool needs_double(int64_t cell) const {
    return options_.rtol < 5e-7 || survey_[cell].contrast() > 400;
  }

  bool solve(int64_t first, int64_t last, bool float64) {
    const int strips = strips_for(cells_, last - first), width = 8 / strips;
    const int64_t groups = (last - first + width - 1) / width;
    std::vector<Workspace> workspaces(options_.threads);
    const auto body = [&](int worker, int64_t group) {
      const FlushToZero flush;
      const int64_t begin = first + group * width;
      const int count = static_cast<int>(std::min<int64_t>(width, last - begin));
      solve_group(&order_[begin], count, strips, float64, workspaces[worker]);
    };
    return parallel_for(groups, options_.threads, body, [&] { return interrupt_(); });
  }

  void solve_group(const int64_t* members, int count, int strips, bool float64, Workspace& workspace) {
    const Reader reader(cells_, members, survey_.data(), float64);
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
    task.max_iterations = options_.max_iterations;
    task.stop = Interrupt::ask;
    task.stop_context = &interrupt_;
    task.correctors_float64 = out_.correctors_float64;
    for (int k = 0; k < count; ++k) {
      task.spectrum[k] = survey_[members[k]].spectrum();
      task.correctors[k] = corrector_of(members[k]);
    }
    kernels().solve(task, workspace.get(kernels().workspace(task)));
    for (int k = 0; k < count; ++k) store(task, k, members[k], reader);
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
  std::vector<int64_t> order_;
  std::vector<Survey> survey_;
};

}  // namespace

bool solve_correctors(const Microstructures& cells, const SolveOptions& options, const Solution& out) {
  return Batch(cells, options, out).run();
}

const char* instruction_set() { return name_of(chosen_isa()); }

}  // namespace pearlite
