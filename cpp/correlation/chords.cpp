// Chord lengths: runs along lines of pixels.
#include "correlation/chords.hpp"

#include <mutex>
#include <thread>

#include "parallel.hpp"

namespace pearlite {

namespace {

constexpr int64_t column_width = 4096;      // columns counted together: their state fits the first cache
constexpr int64_t piece_pixels = 1 << 17;  // of lines that one task counts

// Counts of one task; a chord is rarely longer than those before, so histograms grow on demand.
class Tally {
 public:
  Tally(const LabelImages& images, bool periodic)
      : places_(images.places), phases_(images.phases), periodic_(periodic) {
    counts_.whole.resize(static_cast<std::size_t>(phases_));
    counts_.cut.resize(static_cast<std::size_t>(phases_));
    counts_.around.resize(static_cast<std::size_t>(phases_));
  }

  // line: (n), which closes on itself if periodic
  void add_line(const uint8_t* line, int64_t n) {
    int32_t first = 0, start = 0;
    for_each_difference(line, line + 1, n - 1, [&](int64_t k) {
      add_change(line[k], static_cast<int32_t>(k) + 1, first, start);
    });
    finish(line[0], line[n - 1], n, first, start);
  }

  // The lines down `width` adjacent columns. corner: (n, ...), rows `stride` apart
  void add_columns(const uint8_t* corner, int64_t n, int64_t stride, int64_t width) {
    first_.assign(static_cast<std::size_t>(width), 0);
    start_.assign(static_cast<std::size_t>(width), 0);
    const uint8_t* above = corner;
    for (int64_t i = 1; i < n; ++i, above += stride)
      for_each_difference(above, above + stride, width, [&](int64_t k) {
        add_change(above[k], static_cast<int32_t>(i), first_[k], start_[k]);
      });
    for (int64_t k = 0; k < width; ++k) finish(corner[k], above[k], n, first_[k], start_[k]);
  }

  void pour_into(ChordCounts& all) const {
    for (int p = 0; p < phases_; ++p) {
      pour(counts_.whole[p], all.whole[p]);
      pour(counts_.cut[p], all.cut[p]);
      all.around[p] += counts_.around[p];
    }
  }

  const ChordCounts& counts() const { return counts_; }

 private:
  // A run of `label` ends before pixel `at` of its line; `first` and `start` are where the first run
  // ended, or 0, and where this one began.
  void add_change(uint8_t label, int32_t at, int32_t& first, int32_t& start) {
    if (first == 0) first = at;
    else add(counts_.whole, label, at - start);
    start = at;
  }

  void finish(uint8_t head, uint8_t tail, int64_t n, int64_t first, int64_t start) {
    if (!periodic_) {
      add(counts_.cut, tail, n - start);
      if (first > 0) add(counts_.cut, head, first);
    } else if (first == 0) {
      if (places_[head] < phases_) counts_.around[places_[head]] += n;
    } else if (head == tail) {
      add(counts_.whole, head, n - start + first);
    } else {
      add(counts_.whole, head, first);
      add(counts_.whole, tail, n - start);
    }
  }

  void add(std::vector<std::vector<int64_t>>& to, uint8_t label, int64_t length) {
    const uint8_t place = places_[label];
    if (place >= phases_) return;
    std::vector<int64_t>& histogram = to[place];
    if (length >= static_cast<int64_t>(histogram.size())) histogram.resize(static_cast<std::size_t>(length) + 1);
    ++histogram[length];
  }

  static void pour(const std::vector<int64_t>& from, std::vector<int64_t>& to) {
    if (to.size() < from.size()) to.resize(from.size());
    for (std::size_t k = 0; k < from.size(); ++k) to[k] += from[k];
  }

  const uint8_t* places_;
  int phases_;
  bool periodic_;
  ChordCounts counts_;
  std::vector<int32_t> first_, start_;  // of columns
};

// The lines of one image along one axis, in the order of their first pixels.
class AxisLines {
 public:
  AxisLines(const std::array<int64_t, 3>& shape, int axis) : length_(shape[axis]) {
    for (int k = axis + 1; k < 3; ++k) inner_ *= shape[k];
    lines_ = shape[0] * shape[1] * shape[2] / length_;
  }

  int64_t count() const { return lines_; }

  void scan(const uint8_t* image, int64_t from, int64_t to, Tally& tally) const {
    if (inner_ == 1) {
      for (int64_t line = from; line < to; ++line) tally.add_line(image + line * length_, length_);
      return;
    }
    for (int64_t line = from; line < to;) {
      const int64_t outer = line / inner_, column = line % inner_;
      const int64_t width = std::min({column_width, inner_ - column, to - line});
      tally.add_columns(image + outer * inner_ * length_ + column, length_, inner_, width);
      line += width;
    }
  }

 private:
  int64_t length_, lines_, inner_ = 1;
};

// The lines in a direction that is no axis: each is walked once, pixel by pixel.
class SlantedLines {
 public:
  SlantedLines(const std::array<int64_t, 3>& shape, const Vector& step, bool periodic)
      : shape_(shape), step_(step), periodic_(periodic) {}

  void scan(const uint8_t* image, Tally& tally) const {
    std::vector<uint8_t> line, seen(static_cast<std::size_t>(periodic_ ? shape_[0] * shape_[1] * shape_[2] : 0));
    int64_t x = 0;
    for (int64_t i = 0; i < shape_[0]; ++i)
      for (int64_t j = 0; j < shape_[1]; ++j)
        for (int64_t k = 0; k < shape_[2]; ++k, ++x) {
          const Vector at{i, j, k};
          if (periodic_ ? seen[x] != 0 : inside(before(at))) continue;
          line.clear();
          if (periodic_) walk_around(image, at, line, seen);
          else walk_across(image, at, line);
          tally.add_line(line.data(), static_cast<int64_t>(line.size()));
        }
  }

 private:
  int64_t flat(const Vector& at) const { return (at[0] * shape_[1] + at[1]) * shape_[2] + at[2]; }

  Vector before(const Vector& at) const { return {at[0] - step_[0], at[1] - step_[1], at[2] - step_[2]}; }

  bool inside(const Vector& at) const {
    for (int axis = 0; axis < 3; ++axis)
      if (at[axis] < 0 || at[axis] >= shape_[axis]) return false;
    return true;
  }

  void walk_across(const uint8_t* image, Vector at, std::vector<uint8_t>& line) const {
    while (inside(at)) {
      line.push_back(image[flat(at)]);
      for (int axis = 0; axis < 3; ++axis) at[axis] += step_[axis];
    }
  }

  void walk_around(const uint8_t* image, Vector at, std::vector<uint8_t>& line, std::vector<uint8_t>& seen) const {
    for (int64_t x = flat(at); !seen[x]; x = flat(at)) {
      seen[x] = 1;
      line.push_back(image[x]);
      for (int axis = 0; axis < 3; ++axis) {
        at[axis] = (at[axis] + step_[axis]) % shape_[axis];
        if (at[axis] < 0) at[axis] += shape_[axis];
      }
    }
  }

  std::array<int64_t, 3> shape_;
  Vector step_;
  bool periodic_;
};

// The axis along which a direction steps by one pixel, or −1.
int axis_of(const Vector& d) {
  for (int axis = 0; axis < 3; ++axis) {
    const int64_t others = std::abs(d[(axis + 1) % 3]) + std::abs(d[(axis + 2) % 3]);
    if (std::abs(d[axis]) == 1 && others == 0) return axis;
  }
  return -1;
}

}  // namespace

bool count_chords(const LabelImages& images, const std::vector<Vector>& directions, const CountOptions& options,
                  std::vector<std::vector<ChordCounts>>& counts) {
  // Each image and direction is cut into pieces of so many lines.
  struct Piece {
    int64_t image, direction, from, to;
  };
  std::vector<Piece> pieces;
  for (int64_t b = 0; b < images.batch; ++b)
    for (std::size_t d = 0; d < directions.size(); ++d) {
      const int axis = axis_of(directions[d]);
      const int64_t lines = axis < 0 ? 1 : AxisLines(images.shape, axis).count();
      const int64_t step = axis < 0 ? 1 : std::max<int64_t>(64, piece_pixels / images.shape[axis]);
      for (int64_t from = 0; from < lines; from += step)
        pieces.push_back({b, static_cast<int64_t>(d), from, std::min(lines, from + step)});
    }
  const Tally none(images, options.periodic);
  counts.assign(static_cast<std::size_t>(images.batch), std::vector<ChordCounts>(directions.size(), none.counts()));
  std::mutex guard;
  const std::thread::id caller = std::this_thread::get_id();
  const auto count = [&](int, int64_t index) {
    const Piece& piece = pieces[index];
    const Vector& direction = directions[piece.direction];
    const uint8_t* image = images.labels + piece.image * images.size();
    const int axis = axis_of(direction);
    Tally tally(images, options.periodic);
    if (axis < 0) SlantedLines(images.shape, direction, options.periodic).scan(image, tally);
    else AxisLines(images.shape, axis).scan(image, piece.from, piece.to, tally);
    const std::lock_guard<std::mutex> lock(guard);
    tally.pour_into(counts[piece.image][piece.direction]);
  };
  const auto stop = [&] {
    return options.interrupted && std::this_thread::get_id() == caller && options.interrupted(nullptr);
  };
  const int64_t pixels = images.batch * images.size() * static_cast<int64_t>(directions.size());
  const int threads = worthwhile_threads(options.threads, pixels);
  return parallel_for(static_cast<int64_t>(pieces.size()), threads, count, stop);
}

}  // namespace pearlite
