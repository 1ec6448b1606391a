// The grids of the multigrid of voxels, and linear interpolation between them, on host and device.
#pragma once
#include "shared/coarsening.hpp"
#include "shared/formula.hpp"

namespace pearlite {

// g of the voxels of a grid of n nodes (see couplings.hpp), of that of the finest grid's: its voxels are
// larger.
PEARLITE_FORMULA void voxels_of_grid(const int* finest, const double* finest_g, const int* n, double* g) {
  double ratio[3], volume = 1;
  for (int d = 0; d < 3; ++d) volume *= ratio[d] = double(finest[d]) / n[d];
  for (int d = 0; d < 3; ++d) g[d] = finest_g[d] * volume / (ratio[d] * ratio[d]);
}

// The sides of the next coarser grid; false if there is none. Axes that are coupled more weakly than others
// wait until those have become as coarse.
PEARLITE_FORMULA bool coarser_grid(const int* finest, const double* finest_g, const int* n, int* next) {
  double g[3], strongest = 0;
  voxels_of_grid(finest, finest_g, n, g);
  for (int d = 0; d < 3; ++d)
    if (n[d] > widest_bottom && g[d] > strongest) strongest = g[d];
  bool any = false;
  for (int d = 0; d < 3; ++d) {
    next[d] = n[d] > widest_bottom && g[d] > .4 * strongest ? (n[d] + 1) / 2 : n[d];
    any = any || next[d] < n[d];
  }
  return any;
}

// Along one axis of n ≥ m nodes fine node f lies at f m / n in units of the coarse grid. Half the size is
// the usual case; odd sizes take (n + 1) / 2, and no pair of coarse nodes is closer than the others.
struct CoarsePlace {
  int before;   // the coarse node before it
  float share;  // of the coarse node after it
};
PEARLITE_FORMULA CoarsePlace coarse_place(int n, int m, int f) {
  if (n == m) return {f, 0};
  if (n == 2 * m) return {f / 2, f % 2 == 0 ? 0.f : .5f};
  const long long place = (long long)f * m, before = place / n;
  return {int(before), float(place - before * n) / float(n)};
}

// Coarse node c takes part in so many fine ones, which begin behind the last one if `first` is negative.
struct FineRange {
  int first, count;
};
PEARLITE_FORMULA FineRange fine_nodes(int n, int m, int c) {
  if (n == m) return {c, 1};
  if (n == 2 * m) return {2 * c - 1, 3};
  const long long shift = (long long)n * m;  // keeps what is divided positive
  const int first = int(((long long)(c - 1) * n + shift) / m) + 1 - n;
  return {first, int(((long long)(c + 1) * n - 1) / m) - first + 1};
}
// Its share of fine node f: that of `coarse_place`, to the last bit.
PEARLITE_FORMULA float node_weight(int n, int m, int c, int f) {
  if (n == m) return 1;
  if (n == 2 * m) return f == 2 * c ? 1.f : .5f;
  const long long past = (long long)f * m - (long long)c * n;
  return past < 0 ? float(n + past) / float(n) : 1 - float(past) / float(n);
}

// Coarse voxel c covers [c n, (c + 1) n) and fine voxel f [f m, (f + 1) m), in units of 1 / (n m).
PEARLITE_FORMULA FineRange fine_voxels(int n, int m, int c) {
  if (n == m) return {c, 1};
  if (n == 2 * m) return {2 * c, 2};
  const int first = int((long long)c * n / m);
  return {first, int(((long long)(c + 1) * n - 1) / m) - first + 1};
}
// What fine voxel f is of coarse voxel c.
PEARLITE_FORMULA float voxel_part(int n, int m, int c, int f) {
  if (n == m) return 1;
  if (n == 2 * m) return .5f;
  const long long begin = (long long)c * n, end = begin + n, low = (long long)f * m, high = low + m;
  return float((high < end ? high : end) - (low > begin ? low : begin)) / float(n);
}

// A coarse voxel's conductivity, of the arithmetic mean and of the mean of inverses of those it covers: the
// harmonic mean raises the smallest eigenvalue of the preconditioned operator by a tenth at contrast 10 and
// by a third at 100. With a void the mean of inverses is infinite.
PEARLITE_FORMULA float coarse_conductivity(float mean, float mean_inverse) {
  constexpr float harmonic = .25f;
  return (1 - harmonic) * mean + harmonic / mean_inverse;
}

// Step k of `steps` of the smoother z += ω D⁻¹ (r − A z), whose product is Chebyshev's polynomial on the part
// of the spectrum of D⁻¹ A that a coarser grid does not see. D is half the sum of the largest eigenvalues of
// the voxels around a node, and the spectrum is at most 1.
constexpr int most_steps = 3;
PEARLITE_FORMULA double smoother_step(int steps, int k) {
  const double lowest = steps == 1 ? .2 : .12, middle = .5 * (1 + lowest), half = .5 * (1 - lowest);
  const double cosine[most_steps][most_steps] = {{0}, {.70710678, -.70710678}, {.8660254, 0, -.8660254}};
  return 1 / (middle + half * cosine[steps - 1][k]);
}

}  // namespace pearlite
