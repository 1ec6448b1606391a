#include "correlation/two_point.hpp"

#include <algorithm>
#include <type_traits>
#include <vector>

#include "parallel.hpp"
#include "workspace.hpp"

namespace pearlite {
namespace {

template <class T>
const TwoPointKernels<T>& kernels() {
  if constexpr (std::is_same_v<T, float>) return two_point32();
  else return two_point64();
}

// 1 / the number of places where a field of n overlaps its shifted self, of (2 n − 1) shifts.
template <class T>
std::vector<T> overlap_weights(int64_t n, bool means) {
  std::vector<T> weights(static_cast<std::size_t>(2 * n - 1), T(1));
  if (means)
    for (int64_t r = 0; r < 2 * n - 1; ++r) weights[std::size_t(r)] = T(1. / double(n - std::abs(r - n + 1)));
  return weights;
}

int64_t product(const int64_t* shape) { return shape[0] * shape[1] * shape[2]; }

template <class T>
class TwoPointBatch {
 public:
  TwoPointBatch(const TwoPointProblem& problem, T* out) : problem_(problem), out_(out) {
    const int64_t *n = problem.field_shape, *s = problem.shape;
    padded_ = !std::equal(n, n + 3, s);
    first_.problem = &problem;
    first_.first = &axis_plan<T>(s[0]);
    first_.middle = &axis_plan<T>(s[1]);
    first_.last = &axis_plan<T>(s[2]);
    if (!padded_) return;
    for (int k = 0; k < 3; ++k) {
      weights_[k] = overlap_weights<T>(n[k], problem.overlap_means);
      first_.weight[k] = weights_[k].data();
    }
  }

  bool run() {
    // One item by all threads where there are too few of them, if it is worth their meeting.
    const int threads = std::max(problem_.threads, 1);
    const bool together = problem_.batch < 2 * threads && product(problem_.shape) >= (1 << 15);
    works_ = std::vector<Workspace>(static_cast<std::size_t>(threads));
    halves_ = std::vector<Workspace>(static_cast<std::size_t>(threads));
    const auto stop = [&] { return problem_.interrupted && problem_.interrupted(nullptr); };
    if (!together)
      return parallel_for(problem_.batch, threads, [&](int worker, int64_t item) { alone(worker, item); }, stop);
    for (int64_t item = 0; item < problem_.batch; ++item) {
      jointly(threads, item);
      if (stop()) return false;
    }
    return true;
  }

 private:
  TwoPointTask<T> task(int64_t item, Workspace& halves) const {
    TwoPointTask<T> task = first_;
    const int64_t* n = problem_.field_shape;
    const int64_t wide[3] = {2 * n[0] - 1, 2 * n[1] - 1, 2 * n[2] - 1};
    task.item = item;
    task.out = out_ + item * problem_.pairs * product(padded_ ? wide : n);
    const int64_t count = (problem_.fields + problem_.pairs) * kernels<T>().half_size(task);
    task.half = static_cast<T*>(halves.get(count * int64_t(sizeof(T))));
    return task;
  }
  T* work(const TwoPointTask<T>& task, int worker) {
    return static_cast<T*>(works_[std::size_t(worker)].get(kernels<T>().work_size(task) * int64_t(sizeof(T))));
  }

  void alone(int worker, int64_t item) {
    const TwoPointTask<T> now = task(item, halves_[std::size_t(worker)]);
    T* const own = work(now, worker);
    for (int phase = 0; phase < 5; ++phase)
      for (int64_t piece = 0, count = kernels<T>().pieces(now, phase); piece < count; ++piece)
        kernels<T>().run(now, phase, piece, own);
  }

  void jointly(int threads, int64_t item) {
    const TwoPointTask<T> now = task(item, halves_[0]);
    for (int worker = 0; worker < threads; ++worker) work(now, worker);  // what may throw, throws here
    std::vector<int64_t> counts;
    for (int phase = 0; phase < 5; ++phase) counts.push_back(kernels<T>().pieces(now, phase));
    phased_for(counts, threads, [&](int worker, int phase, int64_t piece) {
      kernels<T>().run(now, phase, piece, work(now, worker));
    });
  }

  const TwoPointProblem& problem_;
  T* out_;
  bool padded_;
  TwoPointTask<T> first_;
  std::vector<T> weights_[3];
  std::vector<Workspace> works_, halves_;
};

}  // namespace

template <class T>
bool two_point(const TwoPointProblem& problem, T* out) {
  return TwoPointBatch<T>(problem, out).run();
}

template bool two_point(const TwoPointProblem&, float*);
template bool two_point(const TwoPointProblem&, double*);

}  // namespace pearlite
