// Threads over images, and over parts of them where there are few.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <memory>
#include <vector>

#include "langevin.hpp"
#include "langevin/task.hpp"
#include "parallel.hpp"
#include "workspace.hpp"

namespace pearlite {
namespace {

constexpr int64_t least_work = 1 << 14;  // numbers, for which a thread is worth starting

std::size_t size(int64_t n) { return static_cast<std::size_t>(n); }

// The same image with fewer, longer lines where neither axis has padding and memory goes on.
void merge_axes(StepTask& task) {
  for (int a = 1; a >= 0; --a) {
    const int64_t n = task.shape[2];
    const bool one = task.shape[a] == 1 && task.padding[a] == 0;
    const bool runs_on = task.padding[a] == 0 && task.padding[2] == 0 && task.strides[1 + a] == n * task.strides[3] &&
                         task.score_strides[1 + a] == n * task.score_strides[3];
    if (!one && !runs_on) return;
    task.shape[2] *= task.shape[a];
    task.shape[a] = 1;
  }
}

// What all parts of a call share, and how images are cut into them.
class Call {
 public:
  Call(const Images& images, const LangevinStep* step, const CallControl& control)
      : images_(images), step_(step), control_(control), kernels_(langevin_kernels()) {
    StepTask& task = shared_;
    task.channels = images.channels;
    std::copy_n(images.shape, 3, task.shape);
    std::copy_n(images.padding, 3, task.padding);
    std::copy_n(images.strides + 1, 4, task.strides);
    std::copy_n((step ? step->strides : images.strides) + 1, 4, task.score_strides);
    merge_axes(task);
    pixels_ = images.shape[0] * images.shape[1] * images.shape[2];
    const bool padded = task.padding[0] + task.padding[1] + task.padding[2] > 0;
    const int64_t unit = padded ? task.shape[2] : normal_tile;
    const int64_t units = (pixels_ + unit - 1) / unit;
    const int64_t work = images.batch * images.channels * pixels_;
    threads_ = int(std::clamp<int64_t>(work / least_work, 1, control.threads));
    parts_ = 1;
    if (threads_ > 1 && images.batch < 4 * threads_)
      parts_ = std::clamp<int64_t>(images.channels * pixels_ / least_work, 1, std::min<int64_t>(units, 4 * threads_));
    part_ = (units + parts_ - 1) / parts_ * unit;
    if (parts_ == 1) group_ = std::clamp<int64_t>(images.batch / (4 * threads_), 1, 16);
  }

  bool count(int64_t* counts) { return each_part([&](StepTask& task, int64_t) { count_part(task); }, counts); }

  bool step(int64_t* counts) {
    const bool guided = step_->volume_fraction != nullptr;
    std::vector<int64_t> before(size(guided ? images_.batch * phases(images_) : 0));
    if (guided && parts_ > 1 && !count(before.data())) return false;
    return each_part([&](StepTask& task, int64_t image) {
      std::vector<double> shift(size(images_.channels));
      if (guided) {
        int64_t* own = before.data() + image * phases(images_);
        if (parts_ == 1) {
          int64_t* after = task.counts;
          task.counts = own;
          count_part(task);
          task.counts = after;
        }
        set_shift(image, own, shift.data());
      }
      task.shift = shift.data();
      if (guided && parts_ == 1 && image % group_ + 1 < group_ && image + 1 < images_.batch)
        task.next_x = static_cast<const char*>(task.x) + images_.strides[0] * bytes();
      step_part(task, image);
    }, counts);
  }

 private:
  const Images& images_;
  const LangevinStep* step_;
  const CallControl& control_;
  const LangevinKernels& kernels_;
  StepTask shared_;
  int64_t pixels_, parts_, part_;
  int64_t group_ = 1;  // of images that one thread does, one after the other
  int threads_;

  int64_t bytes() const { return images_.float64 ? 8 : 4; }

  void count_part(const StepTask& task) const { (images_.float64 ? kernels_.count64 : kernels_.count32)(task); }

  void step_part(StepTask& task, int64_t image) const {
    task.score = static_cast<const char*>(step_->score) + image * step_->strides[0] * bytes();
    task.step_size = step_->step_size[image];
    task.noise = step_->noise * std::sqrt(2 * task.step_size);
    task.lower = step_->lower;
    task.upper = step_->upper;
    task.key.seed = step_->seed;
    task.key.sample = step_->sample[image];
    task.key.step = step_->step;
    (images_.float64 ? kernels_.step64 : kernels_.step32)(task);
  }

  // What α times the last term of the posterior score adds to each channel.
  void set_shift(int64_t image, const int64_t* counts, double* shift) const {
    const int64_t channels = images_.channels;
    int64_t certain = 0;
    for (int64_t i = 0; i < phases(images_); ++i) certain += counts[i];
    if (certain == 0) return;  // nothing is known of the fractions yet
    const double sigma = step_->sigma[image];
    const double factor = step_->step_size[image] / (double(pixels_) * sigma) / sigma;
    for (int64_t c = 0; c < channels; ++c) {
      const double mean = double(counts[channels == 1 ? 1 : c]) / double(certain);
      const double excess = mean - step_->volume_fraction[image * channels + c];
      if (excess != 0) shift[c] = -factor * excess;  // (the factor may be infinite)
    }
  }

  // body(task, image) for all parts of all images; what they count is added up in counts (batch, phases).
  template <class Body>
  bool each_part(const Body& body, int64_t* counts) const {
    const int64_t kinds = phases(images_), total = images_.batch * parts_;
    const int64_t groups = (total + group_ - 1) / group_;
    std::vector<int64_t> parts(size(total * kinds));
    std::vector<std::unique_ptr<Workspace>> workspaces(size(threads_));
    const auto one = [&](int worker, int64_t index) {
      auto& workspace = workspaces[size(worker)];
      if (!workspace) workspace.reset(new Workspace);
      const int64_t image = index / parts_, part = index % parts_;
      StepTask task = shared_;
      task.x = static_cast<char*>(images_.x) + image * images_.strides[0] * bytes();
      task.begin = std::min(pixels_, part * part_);
      task.end = std::min(pixels_, task.begin + part_);
      task.workspace = workspace->get(workspace_bytes(task.channels));
      task.counts = parts.data() + index * kinds;
      body(task, image);
    };
    const auto run = [&](int worker, int64_t group) {
      for (int64_t i = group * group_; i < std::min(total, (group + 1) * group_); ++i) one(worker, i);
    };
    const auto stop = [&] { return control_.interrupted && control_.interrupted(nullptr); };
    if (!parallel_for(groups, threads_, run, stop)) return false;
    std::fill_n(counts, images_.batch * kinds, 0);
    for (int64_t index = 0; index < total; ++index)
      for (int64_t i = 0; i < kinds; ++i) counts[index / parts_ * kinds + i] += parts[size(index * kinds + i)];
    return true;
  }
};

}  // namespace

bool langevin_step(const Images& images, const LangevinStep& step, const CallControl& control, int64_t* counts) {
  return Call(images, &step, control).step(counts);
}

bool count_phases(const Images& images, const CallControl& control, int64_t* counts) {
  return Call(images, nullptr, control).count(counts);
}

bool fill_normals(const Normals& normals, const CallControl& control, void* out) {
  constexpr int64_t part = 1 << 16;
  const int64_t parts = (normals.count + part - 1) / part, bytes = normals.float64 ? 8 : 4;
  const int threads = int(std::clamp<int64_t>(normals.samples * normals.count / least_work, 1, control.threads));
  const LangevinKernels& kernels = langevin_kernels();
  const auto run = [&](int, int64_t index) {
    const int64_t sample = index / parts, first = index % parts * part;
    NormalKey key;
    key.seed = normals.seed;
    key.sample = normals.sample[sample];
    key.step = normals.step;
    key.stream = normals.stream;
    void* to = static_cast<char*>(out) + (sample * normals.count + first) * bytes;
    const int64_t count = std::min(part, normals.count - first);
    (normals.float64 ? kernels.normals64 : kernels.normals32)(key, first, count, to);
  };
  const auto stop = [&] { return control.interrupted && control.interrupted(nullptr); };
  return parallel_for(normals.samples * parts, threads, run, stop);
}

void philox_block(const uint32_t* counter, const uint32_t* key, uint32_t* words) {
  const Philox made = philox(counter[0], counter[1], counter[2], counter[3], key[0], key[1]);
  std::copy_n(made.word, 4, words);
}

}  // namespace pearlite
