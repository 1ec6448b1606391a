// A batch of cells, cut into regions that are shared among threads.
#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <thread>
#include <vector>

#include "laguerre.hpp"
#include "laguerre/assign_task.hpp"
#include "parallel.hpp"

namespace pearlite {
namespace {

// Asks the caller's `interrupted` a few times a second, on the calling thread only.
class Interrupt {
 public:
  explicit Interrupt(const CallOptions& options) : options_(options), caller_(std::this_thread::get_id()) {}

  bool operator()() {
    using namespace std::chrono;
    if (!options_.interrupted || std::this_thread::get_id() != caller_) return false;
    const auto now = steady_clock::now();
    if (now - last_ < milliseconds(50)) return false;
    last_ = now;
    return options_.interrupted(options_.context);
  }

 private:
  const CallOptions& options_;
  std::thread::id caller_;
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

// Grows as a region asks for it; aligned to cache lines.
class Memory {
 public:
  char* at_least(int64_t bytes) {
    if (bytes > size_) {
      owned_.reset(new char[static_cast<std::size_t>(bytes + 64)]);
      size_ = bytes;
    }
    const auto address = reinterpret_cast<std::uintptr_t>(owned_.get());
    return owned_.get() + (64 - address % 64) % 64;
  }
  int64_t size() const { return size_; }

 private:
  std::unique_ptr<char[]> owned_;
  int64_t size_ = 0;
};

// The seeds of every cell, axis by axis.
class SeedStore {
 public:
  explicit SeedStore(const Tessellations& t)
      : dimension_(t.dimension), padded_((t.count + 7) / 8 * 8),
        memory_(static_cast<std::size_t>(t.batch * padded_ * (t.dimension + 1) + 8)), count_(t.count), ranges_(t.batch) {
    for (int64_t b = 0; b < t.batch; ++b) fill(t, b);
  }

  SeedArrays operator[](int64_t b) const {
    SeedArrays seeds = ranges_[b];
    for (int a = 0; a < dimension_; ++a) seeds.x[a] = cell(b) + a * padded_;
    seeds.w = cell(b) + dimension_ * padded_;
    seeds.count = count_;
    return seeds;
  }

 private:
  const double* cell(int64_t b) const {
    const auto address = reinterpret_cast<std::uintptr_t>(memory_.data());
    return memory_.data() + (64 - address % 64) % 64 / sizeof(double) + b * padded_ * (dimension_ + 1);
  }

  void fill(const Tessellations& t, int64_t b) {
    double* out = const_cast<double*>(cell(b));
    double farthest = 1, heaviest = 0;
    for (int64_t k = 0; k < padded_; ++k) {
      const bool real = k < count_;
      for (int a = 0; a < dimension_; ++a) {
        const double x = real ? t.sites[(b * count_ + k) * dimension_ + a] : 0;
        out[a * padded_ + k] = x;
        farthest = std::max(farthest, std::abs(x));
      }
      const double w = real ? t.weights[b * count_ + k] : -std::numeric_limits<double>::infinity();
      out[dimension_ * padded_ + k] = w;
      if (real) heaviest = std::max(heaviest, std::abs(w));
    }
    // Images lie in (-1, 2), and points in [0, 1].
    ranges_[b].reach = std::sqrt(double(dimension_)) * (farthest + 1);
    ranges_[b].heaviest = heaviest;
  }

  int dimension_;
  int64_t padded_;
  std::vector<double> memory_;
  int64_t count_;
  std::vector<SeedArrays> ranges_;
};

// Sides of the tiles of each level, in pixels. The last ones are small, with 16 pixels along the last axis;
// before them each level doubles the sides, until it costs little to look at all seeds for each tile:
// until tiles have 16 pixels for each seed, or there are 4 along each axis.
void choose_levels(const Tessellations& t, AssignTask& task) {
  using Sides = std::array<int64_t, 3>;
  std::vector<Sides> levels{t.dimension == 3 ? Sides{8, 8, 16} : Sides{t.count <= 16 ? 32 : 16, 16, 1}};
  const auto tiles = [&](const Sides& side) {
    double count = 1;
    for (int a = 0; a < t.dimension; ++a) count *= double((t.shape[a] + side[a] - 1) / side[a]);
    return count;
  };
  const double pixels = tiles({1, 1, 1});
  const double few = std::max(pixels / (16.0 * double(t.count)), t.dimension == 2 ? 16.0 : 64.0);
  for (int64_t side = t.dimension == 2 ? 32 : 16; tiles(levels.back()) > few; side *= 2)
    levels.push_back({side, side, side});
  task.levels = static_cast<int>(levels.size());
  std::reverse(levels.begin(), levels.end());
  for (int level = 0; level < task.levels; ++level)
    std::copy_n(levels[level].begin(), t.dimension, task.extent[level]);
}

class Batch {
 public:
  Batch(const Tessellations& t, const CallOptions& options, LabelType type, void* labels)
      : t_(t), options_(options), labels_(static_cast<char*>(labels)), seeds_(t) {
    plan_.exact = {nullptr, nullptr, t.shape, t.dimension, t.metric, t.periodic};
    plan_.type = type;
    choose_levels(t, plan_);
    const int64_t side = t.dimension == 2 ? 128 : 64;
    for (int a = 0; a < t.dimension; ++a) {
      const int64_t tile = plan_.extent[0][a];
      region_[a] = std::max(tile, side / tile * tile);
      parts_[a] = (t.shape[a] + region_[a] - 1) / region_[a];
      pixels_ *= t.shape[a];
      regions_ *= parts_[a];
    }
  }

  bool run() {
    const int threads = t_.batch * pixels_ < worth_a_thread ? 1 : options_.threads;
    std::vector<Memory> memories(static_cast<std::size_t>(threads));
    Interrupt interrupt(options_);
    const auto body = [&](int worker, int64_t index) {
      AssignTask task = region(index / regions_, index % regions_);
      Memory& memory = memories[static_cast<std::size_t>(worker)];
      char* at = memory.at_least(1 << 18);
      while (const int64_t wanted = assign_kernels().assign(task, at, memory.size())) at = memory.at_least(wanted);
    };
    return parallel_for(t_.batch * regions_, threads, body, [&] { return interrupt(); });
  }

 private:
  static constexpr int64_t worth_a_thread = 1 << 15;  // pixels

  AssignTask region(int64_t b, int64_t part) const {
    AssignTask task = plan_;
    task.seeds = seeds_[b];
    task.exact.sites = t_.sites + b * t_.count * t_.dimension;
    task.exact.weights = t_.weights + b * t_.count;
    const int64_t bytes = plan_.type == LabelType::uint8 ? 1 : plan_.type == LabelType::uint16 ? 2 : 4;
    task.labels = labels_ + b * pixels_ * bytes;
    for (int a = t_.dimension - 1; a >= 0; --a) {
      task.begin[a] = part % parts_[a] * region_[a];
      part /= parts_[a];
      task.count[a] = std::min(region_[a], t_.shape[a] - task.begin[a]);
    }
    return task;
  }

  const Tessellations& t_;
  const CallOptions& options_;
  char* labels_;
  SeedStore seeds_;
  AssignTask plan_;
  int64_t region_[3] = {}, parts_[3] = {}, pixels_ = 1, regions_ = 1;
};

}  // namespace

bool assign(const Tessellations& t, const CallOptions& options, LabelType type, void* labels) {
  return Batch(t, options, type, labels).run();
}

}  // namespace pearlite
