// Connected components of a set of pixels or voxels, on the torus or in a box, and the ways they
// wind around the torus.
#pragma once
#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

namespace pearlite {

// The directions in which some component closes on itself around the torus: the span of `rank`
// winding vectors. Winding w: w[i] times around axis i. Of full rank there is no need to know them.
template <int Dim>
struct Windings {
  int rank = 0;
  int64_t basis[Dim][Dim] = {};  // the first `rank` rows

  // Whether something goes around along the axis.
  bool along(int axis) const {
    if (rank == Dim) return true;
    for (int k = 0; k < rank; ++k)
      if (basis[k][axis] != 0) return true;
    return false;
  }

  void add(const std::array<int32_t, Dim>& w) {
    if (rank == Dim || !independent(w)) return;
    std::copy(w.begin(), w.end(), basis[rank++]);
  }

 private:
  __extension__ typedef __int128 Wide;

  // Whether w lies outside the span: some minor of the basis with w does not vanish.
  bool independent(const std::array<int32_t, Dim>& w) const {
    if (rank == 0) return std::any_of(w.begin(), w.end(), [](int32_t x) { return x != 0; });
    if (rank == 1) {
      for (int i = 0; i < Dim; ++i)
        for (int j = 0; j < i; ++j)
          if (basis[0][i] * w[j] != basis[0][j] * w[i]) return true;
      return false;
    }
    const int64_t *a = basis[0], *b = basis[1];
    Wide determinant = 0;  // a spiral may wind as often as a face has pixels
    for (int i = 0; i < Dim; ++i) {
      const int j = (i + 1) % Dim, k = (i + 2) % Dim;
      determinant += static_cast<Wide>(a[j] * b[k] - a[k] * b[j]) * w[i];
    }
    return determinant != 0;
  }
};

// Union-find over the runs of pixels along the last axis, in which each run knows how many times the
// path to its root crosses each edge of the cell. A union within one component closes a loop, whose
// crossings are a winding. The root of a component is its first run.
template <int Dim>
class Components {
 public:
  using Shape = std::array<int64_t, Dim>;

  // Pixels are neighbours if at most `reach` of their indices differ, by one: 1 joins them across
  // faces, Dim across corners too. Only of `periodic` ones the last is a neighbour of the first.
  Components(const Shape& shape, int reach, bool periodic)
      : length_(shape[Dim - 1]), reach_(reach), periodic_(periodic) {
    std::copy_n(shape.begin(), Dim - 1, sides_.begin());
    for (const int64_t side : sides_) rows_ *= side;
    find_steps();
  }

  // member(pixel) tells whether a pixel (flat index) belongs to the set.
  template <class Member>
  Windings<Dim> windings(const Member& member) {
    find_runs(member);
    Windings<Dim> found;
    RowIndex at{};
    for (int64_t row = 0; row < rows_; ++row, advance(at)) {
      if (first_[row] == first_[row + 1]) continue;
      if (periodic_) join_ends(row, row, {}, found);
      for (const Step& step : steps_) join_neighbour(row, at, step, found);
    }
    return found;
  }

  // After `windings`: numbers the components 1, 2, ... in the order of their first pixels; what is
  // not a member has 0. Returns how many there are. labels: (*shape)
  int32_t label(int32_t* labels) {
    int32_t count = 0;
    std::vector<int32_t> number(runs_.size());
    std::fill_n(labels, rows_ * length_, 0);
    for (int64_t row = 0; row < rows_; ++row)
      for (int64_t k = first_[row]; k < first_[row + 1]; ++k) {
        const Run& run = runs_[k];
        number[k] = run.parent == k ? ++count : number[root(k).parent];  // that of an earlier run
        std::fill(labels + row * length_ + run.begin, labels + row * length_ + run.end, number[k]);
      }
    return count;
  }

 private:
  using Crossings = std::array<int32_t, Dim>;
  using RowIndex = std::array<int64_t, Dim - 1>;

  struct Run {
    int64_t begin, end;  // in its row
    int64_t parent;
    Crossings crossed;  // edges crossed on the way to the parent
  };
  struct Root {
    int64_t parent;
    Crossings crossed;
  };
  struct Step {
    RowIndex by;     // to a neighbouring row: 0 or ±1 along each axis
    bool diagonal;  // pixels are neighbours there too if their places in the rows differ by one
  };

  // One of each pair of opposite steps, that towards earlier rows.
  void find_steps() {
    int64_t all = 1;
    for (int axis = 0; axis < Dim - 1; ++axis) all *= 3;
    for (int64_t code = 0; code < all / 2; ++code) {
      Step step{};
      int changed = 0;
      for (int64_t axis = Dim - 2, rest = code; axis >= 0; --axis, rest /= 3) {
        step.by[axis] = rest % 3 - 1;
        changed += step.by[axis] != 0;
      }
      step.diagonal = changed < reach_;
      if (changed <= reach_) steps_.push_back(step);
    }
  }

  template <class Member>
  void find_runs(const Member& member) {
    runs_.clear();
    first_.assign(1, 0);
    for (int64_t row = 0; row < rows_; ++row) {
      const int64_t start = row * length_;
      for (int64_t j = 0; j < length_; ++j) {
        if (!member(start + j)) continue;
        const int64_t begin = j;
        while (j < length_ && member(start + j)) ++j;
        runs_.push_back({begin, j, static_cast<int64_t>(runs_.size()), {}});
      }
      first_.push_back(static_cast<int64_t>(runs_.size()));
    }
  }

  void advance(RowIndex& at) const {
    for (int axis = Dim - 2; axis >= 0; --axis) {
      if (++at[axis] < sides_[axis]) return;
      at[axis] = 0;
    }
  }

  void join_neighbour(int64_t row, const RowIndex& at, const Step& step, Windings<Dim>& found) {
    int64_t other = 0;
    Crossings crossed{};
    for (int axis = 0; axis < Dim - 1; ++axis) {
      int64_t there = at[axis] + step.by[axis];
      if (there < 0 || there >= sides_[axis]) {
        if (!periodic_) return;
        crossed[axis] = there < 0 ? -1 : 1;
        there -= crossed[axis] * sides_[axis];
      }
      other = other * sides_[axis] + there;
    }
    if (first_[other] == first_[other + 1]) return;
    join_rows(row, other, step.diagonal, crossed, found);
    if (!step.diagonal || !periodic_) return;
    join_ends(row, other, crossed, found);
    for (int32_t& c : crossed) c = -c;  // the same contact, seen from the other row
    join_ends(other, row, crossed, found);
  }

  // Joins the runs of two rows that overlap, or touch at a corner if `diagonal`.
  void join_rows(int64_t row, int64_t other, bool diagonal, const Crossings& crossed, Windings<Dim>& found) {
    const int64_t spread = diagonal ? 1 : 0;
    for (int64_t p = first_[row], q = first_[other]; p < first_[row + 1] && q < first_[other + 1];) {
      const Run &a = runs_[p], &b = runs_[q];
      const bool ends_first = a.end <= b.end;
      if (a.begin < b.end + spread && b.begin < a.end + spread) join(p, q, crossed, found);
      if (ends_first) ++p;
      else ++q;
    }
  }

  // Joins the run at the end of a row with that at the beginning of another, across the edge.
  void join_ends(int64_t row, int64_t other, Crossings crossed, Windings<Dim>& found) {
    const int64_t last = first_[row + 1] - 1, first = first_[other];
    if (runs_[last].end < length_ || runs_[first].begin > 0) return;
    ++crossed[Dim - 1];
    join(last, first, crossed, found);
  }

  void join(int64_t p, int64_t q, Crossings crossed, Windings<Dim>& found) {
    const Root a = root(p), b = root(q);
    // From a's root to p, across to q, and on to b's root.
    for (int axis = 0; axis < Dim; ++axis) crossed[axis] += b.crossed[axis] - a.crossed[axis];
    if (a.parent == b.parent) {
      found.add(crossed);
    } else if (a.parent > b.parent) {
      runs_[a.parent].parent = b.parent;
      runs_[a.parent].crossed = crossed;
    } else {
      for (int32_t& c : crossed) c = -c;
      runs_[b.parent].parent = a.parent;
      runs_[b.parent].crossed = crossed;
    }
  }

  // The root of a run, and the crossings from it to there. Halves the path on its way.
  Root root(int64_t k) {
    Crossings crossed{};
    while (runs_[k].parent != k) {
      Run& here = runs_[k];
      const Run& above = runs_[here.parent];
      if (above.parent != here.parent) {
        here.parent = above.parent;
        for (int axis = 0; axis < Dim; ++axis) here.crossed[axis] += above.crossed[axis];
      }
      for (int axis = 0; axis < Dim; ++axis) crossed[axis] += here.crossed[axis];
      k = here.parent;
    }
    return {k, crossed};
  }

  RowIndex sides_;
  int64_t length_, rows_ = 1;
  int reach_;
  bool periodic_;
  std::vector<Step> steps_;
  std::vector<Run> runs_;
  std::vector<int64_t> first_;  // run of each row, and their number behind the last
};

}  // namespace pearlite
