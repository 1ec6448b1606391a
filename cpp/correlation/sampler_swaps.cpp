// Exchanges of labels, one after the other, with exact increments of all counts.
#include "correlation/sampler_swaps.hpp"

#include <algorithm>
#include <cmath>

#include "shared/philox.hpp"

namespace pearlite {
namespace {

constexpr int64_t poll = 4096;  // proposals between two looks for Ctrl-C
constexpr int64_t slab_pixels = 1 << 16;
constexpr int most_draws = 400; // for the second pixel of an exchange

class Counts {
 public:
  explicit Counts(const WantedCounts& wanted)
      : wanted_(wanted), counts_(std::size_t(wanted.rows * wanted.bins)) {}

  void start(int64_t row, int64_t bin) { ++counts_[std::size_t(row * wanted_.bins + bin)]; }
  const std::vector<int32_t>& all() const { return counts_; }

  // Adds ±1 and returns the change of Σ w (n − t)².
  float add(int64_t row, int64_t bin, int sign) {
    const int64_t k = row * wanted_.bins + bin;
    int32_t& n = counts_[std::size_t(k)];
    const float gap = float(n) - wanted_.target[k];
    n += sign;
    added_.push_back({int32_t(k), sign});
    return wanted_.weight[k] * (2 * float(sign) * gap + 1);
  }
  void keep() { added_.clear(); }
  void undo() {
    for (const Added& one : added_) counts_[std::size_t(one.entry)] -= one.sign;
    added_.clear();
  }
  double energy() const {
    double sum = 0;
    for (std::size_t k = 0; k < counts_.size(); ++k) {
      const double gap = double(counts_[k]) - double(wanted_.target[k]);
      sum += double(wanted_.weight[k]) * gap * gap;
    }
    return sum;
  }

 private:
  struct Added {
    int32_t entry, sign;
  };
  const WantedCounts wanted_;
  std::vector<int32_t> counts_;
  std::vector<Added> added_;  // since the last `keep` or `undo`
};

class Exchange {
 public:
  explicit Exchange(const SwapProblem& problem)
      : p_(problem), size_(p_.shape[0] * p_.shape[1] * p_.shape[2]),
        stride_{p_.shape[1] * p_.shape[2], p_.shape[2], 1}, chords_(p_.chords), patterns_(p_.patterns),
        codes_(std::size_t(p_.patterns.rows * size_)) {
    int32_t power = 1;
    for (int j = 0; j < p_.cells; ++j, power *= p_.phases) power_.push_back(power);
    for (int64_t k = 0; k < p_.patterns.rows * p_.cells; ++k) {
      int64_t step = 0;
      for (int axis = 0; axis < 3; ++axis) {
        const int by = p_.offsets[3 * k + axis];
        step += by * stride_[axis];
        reach_[axis] = std::max(reach_[axis], by < 0 ? -by : by);
      }
      steps_.push_back(step);
    }
    count_chords();
    count_patterns();
  }

  // Slab by slab, so that what a proposal touches is in the cache.
  SwapOutcome run() {
    SwapOutcome outcome;
    const int64_t slabs = std::max<int64_t>(1, size_ / slab_pixels);
    for (int64_t slab = 0; slab < slabs && !outcome.interrupted; ++slab) {
      slab_first_ = slab * size_ / slabs;
      slab_size_ = (slab + 1) * size_ / slabs - slab_first_;
      const double enough = p_.enough * double(slab + 1) / double(slabs);
      for (int64_t k = slab * p_.proposals / slabs; k < (slab + 1) * p_.proposals / slabs; ++k) {
        if (-outcome.gradient_change >= enough) break;
        if (outcome.proposed++ % poll == 0 && p_.interrupted && p_.interrupted(nullptr)) {
          outcome.interrupted = true;
          break;
        }
        propose(outcome);
      }
    }
    outcome.chords = chords_.energy();
    outcome.patterns = patterns_.energy();
    return outcome;
  }

  const std::vector<int32_t>& chord_counts() const { return chords_.all(); }
  const std::vector<int32_t>& pattern_counts() const { return patterns_.all(); }

 private:
  struct Place {
    int64_t index, at[3];
  };

  Place place(int64_t index) const {
    // Divisions of 32 bits take half as long; labels are at most 2^32.
    const auto i = uint32_t(index), row = i / uint32_t(p_.shape[2]), plane = row / uint32_t(p_.shape[1]);
    return {index, {plane, row - plane * uint32_t(p_.shape[1]), i - row * uint32_t(p_.shape[2])}};
  }
  static int64_t wrapped(int64_t i, int64_t n) { return i < 0 ? (i % n + n) % n : i < n ? i : i % n; }
  int64_t moved(const Place& x, const int* by, int sign) const {
    int64_t index = 0;
    for (int k = 0; k < 3; ++k) index += wrapped(x.at[k] + sign * by[k], p_.shape[k]) * stride_[k];
    return index;
  }
  bool flat(int axis) const { return p_.shape[axis] == 1; }

  void propose(SwapOutcome& outcome) {
    Place first, second;
    int from = 0, to = 0;
    if (!pick(-1, -1, first, from, to) || !pick(to, from, second, to, from)) return;
    const double pull = gain(first, from, to) + gain(second, to, from);
    const double change = pull + relabel(first, from, to) + relabel(second, to, from);
    if (change < 0 || (p_.temperature > 0 && uniform() < std::exp(-change / p_.temperature))) {
      ++outcome.accepted;
      outcome.gradient_change += pull;
      chords_.keep();
      patterns_.keep();
    } else {
      p_.labels[first.index] = uint8_t(from);
      p_.labels[second.index] = uint8_t(to);
      chords_.undo();
      patterns_.undo();
      for (const Recoded& one : recoded_) codes_[one.place] = uint16_t(codes_[one.place] - one.difference);
    }
    recoded_.clear();
  }

  // A pixel at an interface, its label and that of a neighbour; both as asked for, unless negative.
  bool pick(int wanted_from, int wanted_to, Place& x, int& from, int& to) {
    for (int draw = 0; draw < most_draws; ++draw) {
      const uint64_t word = random();
      const auto index = slab_first_ + int64_t((word >> 32) * uint64_t(slab_size_) >> 32);
      from = p_.labels[index];
      if (wanted_from >= 0 && from != wanted_from) continue;
      x = place(index);
      to = p_.labels[neighbour(x, uint32_t(word))];
      if (to != from && (wanted_to < 0 || to == wanted_to)) return true;
    }
    return false;
  }
  // One of the pixels that share a face with x.
  int64_t neighbour(const Place& x, uint32_t word) const {
    const int axis = flat(0) ? 1 + int(word & 1) : int((word & 0xffff) * 3 >> 16);
    const int64_t i = x.at[axis], n = p_.shape[axis];
    const int64_t next = word >> 16 & 1 ? (i + 1 == n ? 0 : i + 1) : (i == 0 ? n - 1 : i - 1);
    return x.index + (next - i) * stride_[axis];
  }

  double gain(const Place& x, int from, int to) const {
    return double(p_.gradient[to * size_ + x.index]) - double(p_.gradient[from * size_ + x.index]);
  }

  // Changes a label and all counts; returns the change of their energy.
  double relabel(const Place& x, int from, int to) {
    double change = 0;
    for (int axis = 0; axis < 3; ++axis)
      if (!flat(axis)) change += cut_chord(x, axis, from) + join_chord(x, axis, to);
    p_.labels[x.index] = uint8_t(to);
    for (int64_t q = 0; q < p_.patterns.rows; ++q) change += recode(x, q, to - from);
    return change;
  }

  // Pixels of label `phase` next to x on either side; together at most those of a line without x.
  void reach(const Place& x, int axis, int phase, int64_t& below, int64_t& above) const {
    const int64_t n = p_.shape[axis], step = stride_[axis];
    const uint8_t* line = p_.labels + x.index - x.at[axis] * step;
    below = above = 0;
    int64_t i = x.at[axis];
    while (below < n - 1) {
      i = i == 0 ? n - 1 : i - 1;
      if (line[i * step] != phase) break;
      ++below;
    }
    i = x.at[axis];
    while (above < n - 1 - below) {
      i = i == n - 1 ? 0 : i + 1;
      if (line[i * step] != phase) break;
      ++above;
    }
  }

  float add_chord(int axis, int phase, int64_t length, int sign) {
    if (length == 0) return 0;
    return chords_.add(axis * p_.phases + phase, chord_bin(length), sign);
  }
  int64_t chord_bin(int64_t length) const { return length < p_.chords.bins ? length : p_.chords.bins - 1; }

  // x leaves its chord. A line of one phase is a chord of its length.
  double cut_chord(const Place& x, int axis, int phase) {
    int64_t below, above;
    reach(x, axis, phase, below, above);
    double change = add_chord(axis, phase, below + 1 + above, -1);
    if (below + 1 + above == p_.shape[axis]) return change + add_chord(axis, phase, below + above, 1);
    return change + add_chord(axis, phase, below, 1) + add_chord(axis, phase, above, 1);
  }
  double join_chord(const Place& x, int axis, int phase) {
    int64_t below, above;
    reach(x, axis, phase, below, above);
    const double change = add_chord(axis, phase, below + 1 + above, 1);
    if (below + 1 + above == p_.shape[axis]) return change + add_chord(axis, phase, below + above, -1);
    return change + add_chord(axis, phase, below, -1) + add_chord(axis, phase, above, -1);
  }

  double recode(const Place& x, int64_t pattern, int difference) {
    double change = 0;
    const std::size_t first = std::size_t(pattern * size_);
    const bool inside = far_from_edges(x);
    for (int j = 0; j < p_.cells; ++j) {
      const int64_t cell = pattern * p_.cells + j;
      const int64_t centre = inside ? x.index - steps_[std::size_t(cell)] : moved(x, p_.offsets + 3 * cell, -1);
      const std::size_t where = first + std::size_t(centre);
      const int32_t by = difference * power_[std::size_t(j)];
      const uint16_t code = codes_[where], next = uint16_t(code + by);
      change += double(patterns_.add(pattern, code, -1) + patterns_.add(pattern, next, 1));
      codes_[where] = next;
      recoded_.push_back({where, by});
    }
    return change;
  }
  // Whether no pattern that x is a cell of reaches around the cell.
  bool far_from_edges(const Place& x) const {
    for (int axis = 0; axis < 3; ++axis)
      if (x.at[axis] < reach_[axis] || x.at[axis] >= p_.shape[axis] - reach_[axis]) return false;
    return true;
  }

  void count_chords() {
    for (int axis = 0; axis < 3; ++axis) {
      if (flat(axis)) continue;
      for (int64_t start = 0; start < size_; ++start) {
        const Place x = place(start);
        if (x.at[axis] == 0) count_line(axis, p_.labels + start);
      }
    }
  }
  void count_line(int axis, const uint8_t* line) {
    const int64_t n = p_.shape[axis], step = stride_[axis];
    int64_t first = 0;  // of a chord
    while (first < n && line[first * step] == line[(first == 0 ? n - 1 : first - 1) * step]) ++first;
    if (first == n) return chords_.start(axis * p_.phases + line[0], chord_bin(n));
    for (int64_t i = 0; i < n;) {
      const int phase = line[(first + i) % n * step];
      int64_t length = 1;
      while (i + length < n && line[(first + i + length) % n * step] == phase) ++length;
      chords_.start(axis * p_.phases + phase, chord_bin(length));
      i += length;
    }
  }

  void count_patterns() {
    for (int64_t q = 0; q < p_.patterns.rows; ++q)
      for (int64_t index = 0; index < size_; ++index) {
        const Place x = place(index);
        int32_t code = 0;
        for (int j = 0; j < p_.cells; ++j)
          code += power_[std::size_t(j)] * p_.labels[moved(x, p_.offsets + (q * p_.cells + j) * 3, 1)];
        codes_[std::size_t(q * size_ + index)] = uint16_t(code);
        patterns_.start(q, code);
      }
  }

  // Two words of a Philox block; each block serves two draws.
  uint64_t random() {
    if (drawn_ % 2 == 0) {
      const uint64_t block = drawn_ / 2;
      words_ = philox(uint32_t(block), uint32_t(block >> 32), p_.round, 0x73776170u,  // "swap"
                      uint32_t(p_.seed), uint32_t(p_.seed >> 32));
    }
    const int k = int(drawn_++ % 2) * 2;
    return uint64_t(words_.word[k]) << 32 | words_.word[k + 1];
  }
  double uniform() { return double(random() >> 11) * 0x1p-53; }

  const SwapProblem& p_;
  const int64_t size_, stride_[3];
  Counts chords_, patterns_;
  struct Recoded {
    std::size_t place;
    int32_t difference;
  };
  std::vector<uint16_t> codes_;    // (patterns, n0, n1, n2)
  std::vector<int32_t> power_;
  std::vector<int64_t> steps_;     // (patterns, cells): offsets in memory
  int reach_[3] = {};              // of all offsets
  std::vector<Recoded> recoded_;   // since the last proposal
  int64_t slab_first_ = 0, slab_size_ = 0;
  uint64_t drawn_ = 0;
  Philox words_{};
};

}  // namespace

SwapOutcome swap_labels(const SwapProblem& problem) { return Exchange(problem).run(); }

void count_statistics(const SwapProblem& problem, int32_t* chords, int32_t* patterns) {
  const Exchange exchange(problem);
  for (const int32_t n : exchange.chord_counts()) *chords++ = n;
  for (const int32_t n : exchange.pattern_counts()) *patterns++ = n;
}

}  // namespace pearlite
