#include "correlation/identity.hpp"

#include <algorithm>
#include <type_traits>
#include <vector>

#include "parallel.hpp"

namespace pearlite {
namespace {

template <class T>
const IdentityKernels<T>& kernels() {
  if constexpr (std::is_same_v<T, float>) return identity32();
  else return identity64();
}

template <class T>
IdentityTask<T> plan(const IdentityProblem& problem) {
  IdentityTask<T> task;
  task.problem = &problem;
  task.first = &axis_plan<T>(problem.shape[0]);
  task.middle = &axis_plan<T>(problem.shape[1]);
  task.last = &axis_plan<T>(problem.shape[2]);
  return task;
}

constexpr int64_t line = 64;  // bytes of a cache line
int64_t rounded(int64_t bytes) { return (bytes + line - 1) / line * line; }

int halves(const IdentityProblem& problem) { return std::max(problem.channels, 1 + problem.references); }

// Where the parts of a workspace are, in bytes.
struct Layout {
  int64_t halves = 0, spectra = 0, parts = 0, work = 0, each_work = 0, end = 0;

  template <class T>
  Layout(const IdentityProblem& problem, const IdentityTask<T>& task) {
    const auto& k = kernels<T>();
    const int64_t number = int64_t(sizeof(T));
    spectra = rounded(pearlite::halves(problem) * k.half_size(task) * number);
    parts = spectra + rounded(problem.channels * k.full_size(task) * number);
    work = parts + rounded((1 + problem.references) * k.columns(task) * int64_t(sizeof(IdentityPart)));
    each_work = rounded(k.work_size(task) * number) + line;  // threads do not share a line
    end = work + problem.threads * each_work;
  }
};

template <class T>
class IdentityCall {
 public:
  IdentityCall(const IdentityProblem& problem, void* workspace)
      : task(plan<T>(problem)), problem_(problem), layout_(problem, task) {
    const auto address = reinterpret_cast<std::uintptr_t>(workspace);
    base_ = static_cast<char*>(workspace) + (line - address % line) % line;
    task.halves = reinterpret_cast<T*>(base_ + layout_.halves);
    task.own_spectra = reinterpret_cast<T*>(base_ + layout_.spectra);
    task.parts = reinterpret_cast<IdentityPart*>(base_ + layout_.parts);
  }

  // Runs the phases before `end`, on more than one thread if that is worth their meeting.
  void run(int end) {
    const auto& k = kernels<T>();
    std::vector<int64_t> counts;
    for (int phase = 0; phase < end; ++phase) counts.push_back(k.pieces(task, phase));
    const int64_t numbers = problem_.shape[0] * problem_.shape[1] * problem_.shape[2] *
                            (problem_.channels + 1 + problem_.references);
    const int threads = numbers < (1 << 16) ? 1 : problem_.threads;
    phased_for(counts, threads, [&](int worker, int phase, int64_t piece) {
      k.run(task, phase, piece, reinterpret_cast<T*>(base_ + layout_.work + worker * layout_.each_work));
    });
  }

  IdentityOutcome outcome() const {
    IdentityOutcome out;
    const int64_t columns = kernels<T>().columns(task);
    const IdentityPart* part = task.parts;
    for (int64_t c = 0; c < columns; ++c) out.own += (part++)->sum;
    out.peak = -1e30;
    for (int r = 0; r < problem_.references; ++r)
      for (int64_t c = 0; c < columns; ++c, ++part) {
        out.cross += part->sum / problem_.references;
        if (r == 0 && part->peak > out.peak) out.peak = part->peak, out.peak_at = part->peak_at;
      }
    return out;
  }

  IdentityTask<T> task;

 private:
  const IdentityProblem& problem_;
  Layout layout_;
  char* base_;
};

}  // namespace

template <class T>
int64_t identity_spectrum_size(const int64_t* shape) {
  IdentityProblem problem;
  std::copy(shape, shape + 3, problem.shape);
  return kernels<T>().full_size(plan<T>(problem));
}

template <class T>
int64_t identity_workspace(const IdentityProblem& problem) {
  return Layout(problem, plan<T>(problem)).end + line;
}

template <class T>
void identity_spectra(const IdentityProblem& problem, const T* field, T* spectra, void* workspace) {
  IdentityCall<T> call(problem, workspace);
  call.task.field = field;
  call.run(3);
  const int64_t count = problem.channels * kernels<T>().full_size(call.task);
  std::copy(call.task.own_spectra, call.task.own_spectra + count, spectra);
}

template <class T>
IdentityOutcome identity_loss(const IdentityProblem& problem, const T* field, T* gradient, void* workspace) {
  IdentityCall<T> call(problem, workspace);
  call.task.field = field;
  call.task.gradient = gradient;
  call.run(problem.gradient ? 9 : 5);
  return call.outcome();
}

#define PEARLITE_INSTANTIATE(T)                                                           \
  template int64_t identity_spectrum_size<T>(const int64_t*);                             \
  template int64_t identity_workspace<T>(const IdentityProblem&);                         \
  template void identity_spectra(const IdentityProblem&, const T*, T*, void*);            \
  template IdentityOutcome identity_loss(const IdentityProblem&, const T*, T*, void*);
PEARLITE_INSTANTIATE(float)
PEARLITE_INSTANTIATE(double)
#undef PEARLITE_INSTANTIATE

}  // namespace pearlite
