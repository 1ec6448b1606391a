#include "score/network.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <utility>

#include "parallel.hpp"
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

namespace pearlite {
namespace {

constexpr double epsilon = 1e-5;  // of the norm's variances

ScoreGrid grid(int64_t n0, int64_t n1, int64_t channels) {
  const int64_t lanes = score_kernels().lanes;
  ScoreGrid found;
  found.n0 = n0;
  found.n1 = n1;
  found.tile_rows = (n0 + tile - 1) / tile;
  found.tiles = (n1 + tile - 1) / tile;
  found.vectors = (found.tiles + lanes - 1) / lanes;
  (found.vectors > 1 ? found.across : found.down) = group;
  found.pieces_across = (found.vectors + found.across - 1) / found.across;
  found.pieces_down = (found.tile_rows + found.down - 1) / found.down;
  found.line = found.across * lanes;
  found.channel = found.down * tile * tile * found.line;
  found.piece = channels * found.channel;
  return found;
}

// In how many pieces a layer is computed.
int64_t pieces(const ScoreTask& task) {
  const ScoreGrid& grid = task.kind == ScoreKind::up ? task.in : task.out;
  return grid.pieces_across * grid.pieces_down;
}

// Where one image's values lie.
struct ScoreLayout {
  std::vector<ScoreGrid> grids;             // of each level
  std::vector<std::vector<int64_t>> slots;  // offsets by level and slot, in floats
  int64_t norms = 0, sums = 0;  // offsets: of (steps, 2, channels) floats, of doubles
  int64_t size = 0, work = 0;   // floats of all that, and what each worker adds
  std::vector<int64_t> gaps;    // behind each array, of `gap` floats

  static constexpr int64_t gap = 16;
  // Returns the offset of an array; a line apart from the next, so that AddressSanitizer tells them
  // apart.
  int64_t reserve(int64_t floats) {
    const int64_t at = size;
    gaps.push_back(at + (floats + 15) / 16 * 16);
    size = gaps.back() + gap;
    return at;
  }
};

}  // namespace

// One call: its memory and its tasks.
class ScoreCall {
 public:
  ScoreCall(const ScoreNetwork& network, const ScoreProblem& problem, float* score)
      : network_(network), problem_(problem), score_(score) {
    lay_out();
  }

  bool run() {
    const int threads = std::max(problem_.threads, 1);
    // What fills all threads goes one image a thread, the rest by all threads together.
    const int64_t alone = problem_.batch / threads * threads;
    const auto stop = [&] { return problem_.interrupted && problem_.interrupted(nullptr); };
    std::vector<ScoreNetwork::Memory> memories(
        std::size_t(std::min<int64_t>(threads, problem_.batch)));
    for (auto& memory : memories) memory = network_.take();
    bool done = parallel_for(
        alone, threads,
        [&](int worker, int64_t image) { evaluate(image, get(memories[std::size_t(worker)], 1)); },
        stop);
    const ScoreGrid& finest = layout_.grids[0];
    const int together =
        int(std::min<int64_t>(threads, finest.pieces_across * finest.pieces_down));
    for (int64_t image = alone; done && image < problem_.batch; ++image)
      done = jointly(image, get(memories[0], together), together);
    for (auto& memory : memories) network_.give(std::move(memory));
    return done;
  }

 private:
  const std::vector<ScoreStep>& steps() const { return network_.steps_; }

  void lay_out() {
    for (int level = 0; level <= network_.levels_; ++level)
      layout_.grids.push_back(grid(problem_.n0 >> level, problem_.n1 >> level, steps()[0].outputs));
    layout_.slots.resize(layout_.grids.size());
    int64_t sums = 0, work = 0;
    for (const ScoreStep& step : steps()) {
      const ScoreTask task = this->task(step);
      const ScoreGrid& out = task.out;
      auto& slots = layout_.slots[std::size_t(step.to_level)];
      if (&step != &steps().back())
        while (int64_t(slots.size()) <= step.slot)
          slots.push_back(layout_.reserve(out.pieces_across * out.pieces_down * out.piece));
      channels_ = std::max(channels_, step.outputs);
      sums = std::max(sums, pieces(task) * step.outputs * 2);
      work = std::max(work, score_kernels().work_size(task));
    }
    layout_.sums = layout_.reserve(sums * int64_t(sizeof(double) / sizeof(float)));
    layout_.norms = layout_.reserve(int64_t(steps().size()) * 2 * channels_);
    layout_.work = (work + 15) / 16 * 16 + ScoreLayout::gap;
  }

  // Memory for one image.
  float* get(ScoreNetwork::Memory& memory, int workers) const {
    float* const floats =
        static_cast<float*>(memory->get((layout_.size + workers * layout_.work) * 4));
#if defined(__SANITIZE_ADDRESS__)
    __asan_unpoison_memory_region(floats, std::size_t(layout_.size + workers * layout_.work) * 4);
    for (const int64_t gap : layout_.gaps)
      __asan_poison_memory_region(floats + gap, ScoreLayout::gap * 4);
    for (int k = 1; k <= workers; ++k)
      __asan_poison_memory_region(floats + layout_.size + k * layout_.work - ScoreLayout::gap,
                                  ScoreLayout::gap * 4);
#endif
    return floats;
  }

  // What does not depend on the image.
  ScoreTask task(const ScoreStep& step) const {
    ScoreTask task;
    task.kind = step.kind;
    task.periodic = problem_.periodic;
    task.inputs = step.inputs;
    task.outputs = step.outputs;
    task.weights = step.packed.data();
    task.in = layout_.grids[std::size_t(step.level)];
    task.out = layout_.grids[std::size_t(step.to_level)];
    return task;
  }

  float* norm(std::size_t index, float* memory) const {
    return memory + layout_.norms + int64_t(index) * 2 * channels_;
  }

  ScoreTask task(std::size_t index, int64_t image, float* memory) const {
    const ScoreStep& step = steps()[index];
    ScoreTask task = this->task(step);
    const int64_t pixels = network_.inputs_ * problem_.n0 * problem_.n1;
    for (int k = 0; k < 2; ++k) {
      const int from = step.source[k];
      if (from < 0) continue;
      const ScoreStep& other = steps()[std::size_t(from)];
      task.source[k] = {
          memory + layout_.slots[std::size_t(other.to_level)][std::size_t(other.slot)],
          norm(std::size_t(from), memory), norm(std::size_t(from), memory) + channels_,
          other.slope.data()};
    }
    if (step.source[0] < 0) task.source[0].values = problem_.image + image * pixels;
    if (index + 1 < steps().size()) {
      task.to = memory + layout_.slots[std::size_t(step.to_level)][std::size_t(step.slot)];
      task.sums = reinterpret_cast<double*>(memory + layout_.sums);
    } else {
      task.to = score_ + image * pixels;
      task.bias = step.bias.data();
      task.sigma = problem_.sigma[image];
    }
    return task;
  }

  // The norm of a step from its pieces' sums, as value · scale + shift. The order of the sums does
  // not depend on who computed them.
  void finish(std::size_t index, float* memory) const {
    const ScoreStep& step = steps()[index];
    const ScoreTask task = this->task(step);
    const int64_t channels = step.outputs, count = pieces(task);
    const double* sums = reinterpret_cast<const double*>(memory + layout_.sums);
    std::vector<double> mean(std::size_t(channels), 0.), variance(std::size_t(channels), 0.);
    for (int64_t piece = 0; piece < count; ++piece)
      for (int64_t c = 0; c < channels; ++c) {
        mean[std::size_t(c)] += sums[(piece * channels + c) * 2];
        variance[std::size_t(c)] += sums[(piece * channels + c) * 2 + 1];
      }
    const double pixels = double(task.out.n0) * double(task.out.n1);
    double middle = 0, spread = 0;
    for (std::size_t c = 0; c < mean.size(); ++c) {
      mean[c] /= pixels;
      variance[c] = std::max(variance[c] / pixels - mean[c] * mean[c], 0.);
      middle += (mean[c] + step.bias[c]) / double(channels);
    }
    for (std::size_t c = 0; c < mean.size(); ++c)
      spread += std::pow(mean[c] + step.bias[c] - middle, 2);
    spread /= double(channels - 1);
    float* const scale = norm(index, memory);
    for (std::size_t c = 0; c < mean.size(); ++c) {
      const double slope = step.gamma[c] / std::sqrt(variance[c] + epsilon);
      const double moved = (mean[c] + step.bias[c] - middle) / std::sqrt(spread + epsilon);
      scale[c] = float(slope);
      // The values have no bias, and their mean has none.
      scale[channels_ + int64_t(c)] =
          float(step.beta[c] + step.gamma[c] * step.alpha[c] * moved - slope * mean[c]);
    }
  }

  void evaluate(int64_t image, float* floats) const {
    for (std::size_t k = 0; k < steps().size(); ++k) {
      const ScoreTask task = this->task(k, image, floats);
      for (int64_t piece = 0, count = pieces(task); piece < count; ++piece)
        score_kernels().run(task, piece, floats + layout_.size);
      if (task.sums) finish(k, floats);
    }
  }

  bool jointly(int64_t image, float* floats, int threads) const {
    std::vector<ScoreTask> tasks;
    std::vector<int64_t> counts;
    for (std::size_t k = 0; k < steps().size(); ++k) {
      tasks.push_back(task(k, image, floats));
      tasks[k].ahead = threads;
      counts.push_back(pieces(tasks[k]));
      counts.push_back(tasks[k].sums ? 1 : 0);
    }
    std::atomic<bool> stopped{false};
    int last = -1;  // phase in which the caller has asked
    phased_for(counts, threads, [&](int worker, int phase, int64_t piece) {
      if (worker == 0 && phase != last && problem_.interrupted) {
        last = phase;
        if (problem_.interrupted(nullptr)) stopped = true;
      }
      if (stopped) return;
      const std::size_t k = std::size_t(phase / 2);
      if (phase % 2) finish(k, floats);
      else score_kernels().run(tasks[k], piece, floats + layout_.size + worker * layout_.work);
    });
    return !stopped;
  }

  const ScoreNetwork& network_;
  const ScoreProblem& problem_;
  float* score_;
  ScoreLayout layout_;
  int64_t channels_ = 0;
};

ScoreNetwork::ScoreNetwork(int64_t inputs, int64_t channels, int levels,
                           const std::vector<ScoreTensors>& tensors)
    : inputs_(inputs), levels_(levels), steps_(score_steps(inputs, channels, levels)) {
  for (std::size_t k = 0; k < steps_.size(); ++k) pack(tensors[k], steps_[k]);
}

std::size_t ScoreNetwork::layer_count(int levels) { return score_steps(1, 1, levels).size(); }

bool ScoreNetwork::evaluate(const ScoreProblem& problem, float* score) const {
  return ScoreCall(*this, problem, score).run();
}

ScoreNetwork::Memory ScoreNetwork::take() const {
  const std::lock_guard<std::mutex> lock(guard_);
  if (idle_.empty()) return std::make_unique<Workspace>();
  Memory memory = std::move(idle_.back());
  idle_.pop_back();
  return memory;
}

void ScoreNetwork::give(Memory memory) const {
  const std::lock_guard<std::mutex> lock(guard_);
  idle_.push_back(std::move(memory));
}

}  // namespace pearlite
