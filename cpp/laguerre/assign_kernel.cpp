// Hard labels of a region of a cell, compiled once for each instruction set. No STL templates here.
#include "laguerre/leaf.hpp"

namespace pearlite {
namespace PEARLITE_ISA {
namespace {

template <Metric M, int D>
struct ScoresOf { using type = PowerScores<D>; };
template <int D>
struct ScoresOf<Metric::additive, D> { using type = AdditiveScores<D>; };

template <Metric M, int D, class Label>
class Region {
  using Scores = typename ScoresOf<M, D>::type;

 public:
  Region(const AssignTask& task, char* memory, int64_t capacity)
      : task_(task), n_(task.exact.shape), memory_(memory), capacity_(capacity) {
    for (int a = 0; a < D; ++a) seeds_.x[a] = task.seeds.x[a];
    seeds_.w = task.seeds.w;
    seeds_.count = task.seeds.count;
    seeds_.periodic = task.exact.periodic;
    seeds_.reach = task.seeds.reach;
    seeds_.heaviest = task.seeds.heaviest;
    slack_ = Slack::of<M, D>(seeds_, 0);
  }

  int64_t run() {
    Tile<D> region;
    for (int a = 0; a < D; ++a) {
      region.begin[a] = task_.begin[a];
      region.count[a] = task_.count[a];
    }
    for_each(region, task_.extent[0], [&](const Tile<D>& tile) {
      if (!missing_) root(tile);
    });
    return missing_;
  }

 private:
  static constexpr int64_t many = 48;  // candidates of a leaf

  // Cuts a tile into parts of the given sides.
  template <class F>
  static void for_each(const Tile<D>& tile, const int64_t* extent, const F& use) {
    Tile<D> part;
    int64_t parts[D], total = 1;
    for (int a = 0; a < D; ++a) total *= parts[a] = (tile.count[a] + extent[a] - 1) / extent[a];
    for (int64_t p = 0; p < total; ++p) {
      int64_t rest = p;
      for (int a = D - 1; a >= 0; --a) {
        const int64_t at = rest % parts[a] * extent[a];
        rest /= parts[a];
        part.begin[a] = tile.begin[a] + at;
        part.count[a] = tile.count[a] - at < extent[a] ? tile.count[a] - at : extent[a];
      }
      use(part);
    }
  }

  void root(const Tile<D>& tile) {
    const Box<D> box = box_of<D>(tile.begin, tile.count, n_);
    const int64_t half = capacity_ / 128 * 64, room = Candidates<D>::capacity(half);
    Candidates<D> list = Candidates<D>::in(memory_, room);
    const int64_t found = Root<M, D>(seeds_, box, slack_).find(list, room);
    if (found > room) missing_ = 2 * Candidates<D>::bytes(found + 32) + 128;
    else descend(list, tile, box, 0, memory_ + half);
  }

  // Culls a list to what matters in a smaller tile, and goes on with that; the memory from `free` on is
  // not in use.
  template <class Next>
  void narrow(const Candidates<D>& list, const Tile<D>& tile, char* free, const Next& next) {
    const int64_t bytes = Candidates<D>::bytes(list.count);
    if (free + bytes > memory_ + capacity_) missing_ = 2 * capacity_;
    if (missing_) return;
    Candidates<D> part = Candidates<D>::in(free, list.count);
    const Box<D> box = box_of<D>(tile.begin, tile.count, n_);
    cull<M, D>(list, box, slack_, part);
    next(part, box, free + bytes);
  }

  void descend(Candidates<D>& list, const Tile<D>& tile, const Box<D>& box, int level, char* free) {
    if (list.count == 1) return fill(tile, list.index[0]);
    if (level + 1 == task_.levels) return label(list, tile, box, free);
    for_each(tile, task_.extent[level + 1], [&](const Tile<D>& smaller) {
      narrow(list, smaller, free, [&](Candidates<D>& part, const Box<D>& inner, char* rest) {
        descend(part, smaller, inner, level + 1, rest);
      });
    });
  }

  void fill(const Tile<D>& tile, int32_t seed) {
    Label* labels = static_cast<Label*>(task_.labels);
    for (int64_t i = 0; i < (D == 3 ? tile.count[0] : 1); ++i)
      for (int64_t j = 0; j < tile.count[D - 2]; ++j) {
        Label* row = row_of(labels, n_, tile, i, j);
        for (int64_t x = 0; x < tile.count[D - 1]; ++x) row[x] = Label(seed);
      }
  }

  void label(Candidates<D>& list, const Tile<D>& tile, const Box<D>& box, char* free) {
    prune<M, D>(list, box, slack_);
    if (tied_ && list.count <= many) drop_twins(list);
    if (list.count == 1) return fill(tile, list.index[0]);
    int64_t pixels = 1;
    for (int a = 0; a < D; ++a) pixels *= tile.count[a];
    if (list.count > many && pixels > 1) return halve(list, tile, box, free);
    if (list.count > Scores::most) return exactly(list, tile);
    const int64_t settled = Leaf<Scores, D, Label>(task_, list, tile).run(scores_, box, slack_);
    if (settled < 0) return exactly(list, tile);
    tied_ |= settled > 8 + pixels / 8;
  }

  // Where seeds are about as dense as pixels, leaves are cut along their longest sides.
  void halve(const Candidates<D>& list, const Tile<D>& tile, const Box<D>& box, char* free) {
    int64_t part[D];
    int longest = 0;
    for (int a = 0; a < D; ++a) {
      part[a] = tile.count[a];
      if (box.half[a] > box.half[longest]) longest = a;
    }
    part[longest] = (part[longest] + 1) / 2;
    for_each(tile, part, [&](const Tile<D>& smaller) {
      narrow(list, smaller, free, [&](Candidates<D>& kept, const Box<D>& inner, char* rest) {
        label(kept, smaller, inner, rest);
      });
    });
  }

  // Of candidates that are the same but for their index the first stays. Each pixel of their cell is a
  // tie, so where ties have been many it pays to look for them.
  static void drop_twins(Candidates<D>& list) {
    int64_t count = 0;
    for (int64_t k = 0; k < list.count; ++k) {
      int64_t twin = 0;
      for (; twin < count; ++twin) {
        bool same = list.w[k] == list.w[twin];
        for (int a = 0; a < D; ++a) same &= list.x[a][k] == list.x[a][twin];
        if (same) break;
      }
      if (twin < count) {
        list.index[twin] = list.index[k] < list.index[twin] ? list.index[k] : list.index[twin];
        continue;
      }
      for (int a = 0; a < D; ++a) list.x[a][count] = list.x[a][k];
      list.w[count] = list.w[k];
      list.index[count++] = list.index[k];
    }
    list.count = count;
    list.pad();
  }

  void exactly(const Candidates<D>& list, const Tile<D>& tile) {
    Label* labels = static_cast<Label*>(task_.labels);
    for (int64_t i = 0; i < (D == 3 ? tile.count[0] : 1); ++i)
      for (int64_t j = 0; j < tile.count[D - 2]; ++j)
        for (int64_t x = 0; x < tile.count[D - 1]; ++x) {
          int64_t pixel[3] = {tile.begin[0] + (D == 3 ? i : j), tile.begin[1] + (D == 3 ? j : x), 0};
          if (D == 3) pixel[2] = tile.begin[D - 1] + x;
          row_of(labels, n_, tile, i, j)[x] = Label(exact_label(task_.exact, pixel, list.index, list.count));
        }
  }

  const AssignTask& task_;
  const int64_t* n_;
  Seeds<D> seeds_;
  Slack slack_;
  char* memory_;
  int64_t capacity_, missing_ = 0;
  bool tied_ = false;
  Scores scores_;
};

template <Metric M, int D>
int64_t assign_labels(const AssignTask& task, char* memory, int64_t capacity) {
  switch (task.type) {
    case LabelType::uint8: return Region<M, D, uint8_t>(task, memory, capacity).run();
    case LabelType::uint16: return Region<M, D, uint16_t>(task, memory, capacity).run();
    default: return Region<M, D, int32_t>(task, memory, capacity).run();
  }
}

int64_t assign_region(const AssignTask& task, char* memory, int64_t capacity) {
  const bool power = task.exact.metric == Metric::power;
  if (task.exact.dimension == 2)
    return power ? assign_labels<Metric::power, 2>(task, memory, capacity)
                 : assign_labels<Metric::additive, 2>(task, memory, capacity);
  return power ? assign_labels<Metric::power, 3>(task, memory, capacity)
               : assign_labels<Metric::additive, 3>(task, memory, capacity);
}

}  // namespace

extern const AssignKernels assign_kernels_table = {assign_region};

}  // namespace PEARLITE_ISA
}  // namespace pearlite
