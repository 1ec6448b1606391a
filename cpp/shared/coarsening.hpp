// Which nodes of one axis make the next coarser grid, on host and device.
#pragma once
#include "shared/formula.hpp"

namespace pearlite {

// The coarse points of one axis: 0, 2, 4, …; an odd count has one pair of neighbours among them,
// `gap` and gap + 1, with no fine point between.
struct Coarsening {
  int count = 0, gap = -1;
  PEARLITE_MEMBER int fine(int c) const { return 2 * c - (gap >= 0 && c > gap ? 1 : 0); }
};

// `odd` counts the odd sizes met so far on this axis. Each puts its gap elsewhere (1, 1/2, 1/4,
// 3/4, … of the way), since gaps that pile up make the point smoother fail there.
PEARLITE_FORMULA Coarsening coarsen(int n, int odd) {
  Coarsening c;
  c.count = (n + 1) / 2;
  if (n % 2 == 1) {
    double place = 1, half = .5;
    for (int k = odd; k >= 1; k /= 2) {
      if (k % 2 == 1) place -= half;
      half /= 2;
    }
    // NOLINTNEXTLINE(bugprone-incorrect-roundings): of a number that is not negative
    const int gap = int(place * c.count + .5) - 1;
    c.gap = gap < 0 ? 0 : gap;
  }
  return c;
}

constexpr int widest_bottom = 4;  // nodes along an axis of a grid that is not made coarser any more

}  // namespace pearlite
