#include "fields/gaussian.hpp"

#include <algorithm>
#include <vector>

#include "parallel.hpp"
#include "workspace.hpp"

namespace pearlite {
namespace {

constexpr int phases = 2;

class GaussianBatch {
 public:
  GaussianBatch(const GaussianProblem& problem, float* out) : problem_(problem), out_(out) {
    const int64_t* n = problem.shape;
    size_ = n[0] * n[1] * n[2];
    plain_.problem = &problem;
    plain_.first = &axis_plan<float>(n[0]);
    plain_.middle = &axis_plan<float>(n[1]);
    plain_.last = &axis_plan<float>(n[2]);
  }

  bool run() {
    const uint64_t begin = problem_.first / 2, end = (problem_.first + uint64_t(problem_.count) + 1) / 2;
    const int64_t pairs = int64_t(end - begin);
    // One pair by all threads where there are too few of them, if it is worth their meeting.
    const int threads = std::max(problem_.threads, 1);
    const bool together = threads > 1 && pairs < 2 * threads && size_ >= (1 << 14);
    works_ = std::vector<Workspace>(static_cast<std::size_t>(threads));
    halves_ = std::vector<Workspace>(static_cast<std::size_t>(threads));
    const auto stop = [&] { return problem_.interrupted && problem_.interrupted(nullptr); };
    if (!together)
      return parallel_for(
          pairs, threads, [&](int worker, int64_t k) { alone(worker, begin + uint64_t(k)); }, stop);
    for (uint64_t pair = begin; pair < end; ++pair) {
      jointly(threads, pair);
      if (stop()) return false;
    }
    return true;
  }

 private:
  GaussianTask task(uint64_t pair, Workspace& halves) const {
    GaussianTask task = plain_;
    task.pair = pair;
    for (uint64_t part = 0; part < 2; ++part) {
      const uint64_t sample = 2 * pair + part;
      const bool wanted = sample >= problem_.first && sample - problem_.first < uint64_t(problem_.count);
      const int64_t each = (problem_.channels + problem_.complement) * size_;
      task.out[part] = wanted ? out_ + int64_t(sample - problem_.first) * each : nullptr;
    }
    const int64_t count = problem_.channels * gaussian().half_size(task);
    task.half = static_cast<float*>(halves.get(count * int64_t(sizeof(float))));
    return task;
  }
  float* work(const GaussianTask& task, int worker) {
    Workspace& own = works_[static_cast<std::size_t>(worker)];
    return static_cast<float*>(own.get(gaussian().work_size(task) * int64_t(sizeof(float))));
  }

  void alone(int worker, uint64_t pair) {
    const GaussianTask now = task(pair, halves_[static_cast<std::size_t>(worker)]);
    float* const own = work(now, worker);
    for (int phase = 0; phase < phases; ++phase)
      for (int64_t piece = 0, count = gaussian().pieces(now, phase); piece < count; ++piece)
        gaussian().run(now, phase, piece, own);
  }

  void jointly(int threads, uint64_t pair) {
    const GaussianTask now = task(pair, halves_[0]);
    for (int worker = 0; worker < threads; ++worker) work(now, worker);  // what may throw, throws here
    std::vector<int64_t> counts;
    for (int phase = 0; phase < phases; ++phase) counts.push_back(gaussian().pieces(now, phase));
    phased_for(counts, threads, [&](int worker, int phase, int64_t piece) {
      gaussian().run(now, phase, piece, work(now, worker));
    });
  }

  const GaussianProblem& problem_;
  float* out_;
  int64_t size_;
  GaussianTask plain_;
  std::vector<Workspace> works_, halves_;
};

}  // namespace

bool gaussian_fields(const GaussianProblem& problem, float* out) {
  return GaussianBatch(problem, out).run();
}

}  // namespace pearlite
