#include "fields/largest.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <vector>

#include "parallel.hpp"

namespace pearlite {
namespace {

// The pixels above `value`, and the first `equal` ones of those that have it.
struct Cut {
  float value;
  int64_t equal;
};

// (Bytes may alias anything: what the loops look at is held apart from what they write.)
void mark(const float* __restrict values, int64_t size, float above, uint8_t phase, uint8_t* __restrict labels) {
  for (int64_t i = 0; i < size; ++i) labels[i] = values[i] > above ? phase : labels[i];
}

// Where the largest pixels end, from a bracket that a part of the pixels gives: one pass counts what lies
// above it and keeps what lies within, of which the right one is then selected.
class Chooser {
 public:
  explicit Chooser(int64_t size) : size_(size) {}

  // Of the pixels that have the label `rest`, the `wanted` ≥ 1 largest get the label `phase`.
  void choose(const float* field, int64_t wanted, bool masked, uint8_t phase, uint8_t rest, uint8_t* labels) {
    const float* values = masked ? free_only(field, rest, labels) : field;
    const Cut cut = cut_of(values, wanted);
    mark(values, size_, cut.value, phase, labels);
    int64_t left = cut.equal;
    for (int64_t i = 0; left > 0; ++i)
      if (values[i] == cut.value) labels[i] = phase, --left;
  }

 private:
  // Pixels that are taken lie below all others.
  const float* free_only(const float* field, uint8_t rest, const uint8_t* labels) {
    free_.resize(std::size_t(size_));
    float* const values = free_.data();
    for (int64_t i = 0, size = size_; i < size; ++i)
      values[i] = labels[i] == rest ? field[i] : -std::numeric_limits<float>::infinity();
    return values;
  }

  Cut cut_of(const float* values, int64_t wanted) {
    float low, high;
    bracket(values, wanted, low, high);
    int64_t above = collect(values, low, high);
    if (above >= wanted || above + kept_ < wanted) {  // the part was unlike the whole
      std::copy(values, values + size_, within_.begin());
      above = 0, kept_ = size_;
    }
    const auto begin = within_.begin(), place = begin + (wanted - above - 1);
    std::nth_element(begin, place, begin + kept_, std::greater<float>());
    const float value = *place;
    const int64_t larger = std::count_if(begin, place, [value](float v) { return v > value; });
    return {value, wanted - above - larger};
  }

  // What lies on both sides of the cut by five standard deviations, were a part of the pixels drawn at random.
  // They are scattered by multiples of the golden section: of a grid, neighbours would be correlated.
  void bracket(const float* values, int64_t wanted, float& low, float& high) {
    const int64_t count = std::clamp<int64_t>(size_ / 32, 512, 16384);
    part_.resize(std::size_t(count));
    for (int64_t i = 0; i < count; ++i) {
      const uint64_t turn = uint64_t(i) * 0x9E3779B97F4A7C15u >> 32;
      part_[std::size_t(i)] = values[turn * uint64_t(size_) >> 32];
    }
    const double share = double(wanted) / double(size_), middle = share * double(count);
    const double spread = 5 * std::sqrt(middle * (1 - share)) + 4;
    const auto first = int64_t(middle - spread), last = int64_t(middle + spread);
    high = first < 0 ? std::numeric_limits<float>::infinity() : nth(first);
    low = last >= count ? -std::numeric_limits<float>::infinity() : nth(last);
  }
  float nth(int64_t k) {
    std::nth_element(part_.begin(), part_.begin() + k, part_.end(), std::greater<float>());
    return part_[std::size_t(k)];
  }

  // How many lie above; `within_` gets those from low to high.
  int64_t collect(const float* values, float low, float high) {
    within_.resize(std::size_t(size_));  // once: then only `kept_` changes
    float* to = within_.data();
    int64_t above = 0;
    for (int64_t begin = 0, size = size_; begin < size; begin += run) {
      const int length = int(std::min(run, size - begin));
      const Counts found = length == run ? counted<int(run)>(values + begin, low, high, int(run))
                                         : counted<0>(values + begin, low, high, length);
      above += found.above;
      if (found.above == found.from_low) continue;
      for (int i = 0; i < length; ++i) {  // without a branch that would be foreseen half of the time
        const float value = values[begin + i];
        *to = value;
        to += (value >= low) & (value <= high);
      }
    }
    kept_ = to - within_.data();
    return above;
  }

  static constexpr int64_t run = 64;  // pixels, most of which hold nothing that is kept
  struct Counts {
    int above, from_low;
  };
  template <int fixed>
  static Counts counted(const float* values, float low, float high, int length) {
    Counts counts{0, 0};
    for (int i = 0; i < (fixed ? fixed : length); ++i) {
      counts.above += values[i] > high;
      counts.from_low += values[i] >= low;
    }
    return counts;
  }

  int64_t size_, kept_ = 0;
  std::vector<float> free_, part_, within_;
};

}  // namespace

bool largest(const LargestProblem& problem, uint8_t* labels) {
  const uint8_t rest = problem.phases[problem.turns];
  return parallel_for(
      problem.count, problem.threads,
      [&](int, int64_t image) {
        uint8_t* const own = labels + image * problem.size;
        std::memset(own, rest, std::size_t(problem.size));
        Chooser chooser(problem.size);
        for (int turn = 0; turn < problem.turns; ++turn)
          if (problem.numbers[turn] > 0)
            chooser.choose(problem.fields + (image * problem.turns + turn) * problem.size, problem.numbers[turn],
                           turn > 0, problem.phases[turn], rest, own);
      },
      [&] { return problem.interrupted && problem.interrupted(nullptr); });
}

}  // namespace pearlite
