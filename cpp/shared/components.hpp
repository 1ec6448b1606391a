// Connected components of a set of pixels on the torus, and the ways they wind around it.
#pragma once
#include <cstdint>
#include <vector>

namespace pearlite {

// The directions in which some component closes on itself around the torus: none (rank 0), those
// along one winding vector (rank 1), or all (rank 2). Winding (a, b): a times around axis 0 while b
// times around axis 1.
struct Windings {
  int rank = 0;
  int64_t vector[2] = {0, 0};  // of rank 1

  // Whether something goes around along the axis.
  bool along(int axis) const { return rank == 2 || (rank == 1 && vector[axis] != 0); }

  void add(int64_t a, int64_t b) {
    if (rank == 2 || (a == 0 && b == 0)) return;
    if (rank == 0) {
      rank = 1;
      vector[0] = a;
      vector[1] = b;
    } else if (vector[0] * b != vector[1] * a) {
      rank = 2;
    }
  }
};

// Union-find in which each pixel knows how many times the path to its root crosses each edge of the
// cell. A union within one component closes a loop, whose crossings are a winding.
class TorusComponents {
 public:
  TorusComponents(int64_t n0, int64_t n1) : n0_(n0), n1_(n1), link_(n0 * n1) {}

  // member(pixel) tells whether a pixel (flat index) belongs to the set; `corners`: pixels that touch
  // at a corner only are connected too.
  template <class Member>
  Windings windings(const Member& member, bool corners) {
    for (int64_t x = 0; x < n0_ * n1_; ++x) link_[x] = {x, 0, 0};
    Windings found;
    for (int64_t i = 0; i < n0_; ++i)
      for (int64_t j = 0; j < n1_; ++j) {
        if (!member(i * n1_ + j)) continue;
        join(member, i, j, 0, 1, found);
        join(member, i, j, 1, 0, found);
        if (!corners) continue;
        join(member, i, j, 1, 1, found);
        join(member, i, j, 1, -1, found);
      }
    return found;
  }

 private:
  struct Link {
    int64_t parent;
    int32_t cross0, cross1;  // edges crossed on the way to the parent
  };

  template <class Member>
  void join(const Member& member, int64_t i, int64_t j, int64_t di, int64_t dj, Windings& found) {
    int64_t k = i + di, l = j + dj;
    int32_t cross0 = 0, cross1 = 0;
    if (k == n0_) k = 0, cross0 = 1;
    if (l == n1_) l = 0, cross1 = 1;
    if (l < 0) l = n1_ - 1, cross1 = -1;
    if (!member(k * n1_ + l)) return;
    const Link a = root(i * n1_ + j), b = root(k * n1_ + l);
    // From a's root to a, across to the neighbour, and on to b's root.
    const int32_t w0 = cross0 + b.cross0 - a.cross0, w1 = cross1 + b.cross1 - a.cross1;
    if (a.parent == b.parent) found.add(w0, w1);
    else link_[a.parent] = {b.parent, w0, w1};
  }

  // The root of x, and the crossings from x to it. Halves the path on its way.
  Link root(int64_t x) {
    int32_t cross0 = 0, cross1 = 0;
    while (link_[x].parent != x) {
      Link& here = link_[x];
      const Link& above = link_[here.parent];
      if (above.parent != here.parent)
        here = {above.parent, here.cross0 + above.cross0, here.cross1 + above.cross1};
      cross0 += here.cross0;
      cross1 += here.cross1;
      x = here.parent;
    }
    return {x, cross0, cross1};
  }

  int64_t n0_, n1_;
  std::vector<Link> link_;
};

}  // namespace pearlite
