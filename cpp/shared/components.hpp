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

// Union-find in which each pixel knows how many times the path to its root crosses each edge of the
// cell. A union within one component closes a loop, whose crossings are a winding. The root of a
// component is its first pixel.
template <int Dim>
class Components {
 public:
  using Index = std::array<int64_t, Dim>;
  using Crossings = std::array<int32_t, Dim>;

  // Pixels are neighbours if at most `reach` of their indices differ, by one: 1 joins them across
  // faces, Dim across corners too. Only of `periodic` ones the last is a neighbour of the first.
  Components(const Index& shape, int reach, bool periodic) : shape_(shape), periodic_(periodic) {
    int64_t size = 1;
    for (int axis = Dim - 1; axis >= 0; --axis) strides_[axis] = size, size *= shape[axis];
    link_.resize(static_cast<std::size_t>(size));
    find_steps(reach);
  }

  // member(pixel) tells whether a pixel (flat index) belongs to the set.
  template <class Member>
  Windings<Dim> windings(const Member& member) {
    for (int64_t x = 0; x < size(); ++x) link_[x] = {x, {}};
    Windings<Dim> found;
    Index at{};
    for (int64_t x = 0; x < size(); ++x, advance(at))
      if (member(x))
        for (const Step& step : steps_) join(member, x, at, step, found);
    return found;
  }

  // After `windings`: numbers the components 1, 2, ... in the order of their first pixels; what is
  // not a member has 0. Returns how many there are. labels: (*shape)
  template <class Member>
  int32_t label(const Member& member, int32_t* labels) {
    int32_t count = 0;
    for (int64_t x = 0; x < size(); ++x) {
      if (!member(x)) labels[x] = 0;
      else if (link_[x].parent == x) labels[x] = ++count;
      else labels[x] = labels[root(x).parent];  // an earlier pixel, which has its label
    }
    return count;
  }

 private:
  struct Link {
    int64_t parent;
    Crossings crossed;  // edges crossed on the way to the parent
  };
  struct Step {
    Index by;        // 0 or ±1 along each axis
    int64_t offset;  // in flat order, where no edge is crossed
  };

  int64_t size() const { return static_cast<int64_t>(link_.size()); }

  // One of each pair of opposite steps, that towards earlier pixels: these have mostly been joined.
  void find_steps(int reach) {
    int64_t all = 1;
    for (int axis = 0; axis < Dim; ++axis) all *= 3;
    for (int64_t code = 0; code < all / 2; ++code) {
      Step step{};
      int changed = 0;
      for (int64_t axis = Dim - 1, rest = code; axis >= 0; --axis, rest /= 3) {
        step.by[axis] = rest % 3 - 1;
        step.offset += step.by[axis] * strides_[axis];
        changed += step.by[axis] != 0;
      }
      if (changed <= reach) steps_.push_back(step);
    }
  }

  void advance(Index& at) const {
    for (int axis = Dim - 1; axis >= 0; --axis) {
      if (++at[axis] < shape_[axis]) return;
      at[axis] = 0;
    }
  }

  template <class Member>
  void join(const Member& member, int64_t x, const Index& at, const Step& step, Windings<Dim>& found) {
    int64_t y = x + step.offset;
    Crossings crossed{};
    for (int axis = 0; axis < Dim; ++axis) {
      const int64_t there = at[axis] + step.by[axis];
      if (there >= 0 && there < shape_[axis]) continue;
      if (!periodic_) return;
      crossed[axis] = there < 0 ? -1 : 1;
      y -= crossed[axis] * shape_[axis] * strides_[axis];
    }
    if (!member(y)) return;
    const Link a = root(x), b = root(y);
    // From a's root to x, across to y, and on to b's root.
    for (int axis = 0; axis < Dim; ++axis) crossed[axis] += b.crossed[axis] - a.crossed[axis];
    if (a.parent == b.parent) {
      found.add(crossed);
    } else if (a.parent > b.parent) {
      link_[a.parent] = {b.parent, crossed};
    } else {
      for (int32_t& c : crossed) c = -c;
      link_[b.parent] = {a.parent, crossed};
    }
  }

  // The root of x, and the crossings from x to it. Halves the path on its way.
  Link root(int64_t x) {
    Crossings crossed{};
    while (link_[x].parent != x) {
      Link& here = link_[x];
      const Link& above = link_[here.parent];
      if (above.parent != here.parent) {
        here.parent = above.parent;
        for (int axis = 0; axis < Dim; ++axis) here.crossed[axis] += above.crossed[axis];
      }
      for (int axis = 0; axis < Dim; ++axis) crossed[axis] += here.crossed[axis];
      x = here.parent;
    }
    return {x, crossed};
  }

  Index shape_, strides_;
  bool periodic_;
  std::vector<Step> steps_;
  std::vector<Link> link_;
};

}  // namespace pearlite
