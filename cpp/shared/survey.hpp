// What is to be known of a cell's conductivities before it is solved, on host and device.
#pragma once
#if !defined(__CUDACC__)
#include <math.h>
#endif

#include "shared/formula.hpp"

namespace pearlite {

// The range of one cell's conductivities (of tensors: of their eigenvalues; in three dimensions bounds of
// these). Phases must be sound.
struct Survey {
  double lowest = 1, highest = 1;  // of those that are neither 0 nor infinite
  bool voids = false;              // some pixels have conductivity 0
  bool conductors = false;         // some are infinite; the kernels see `cap` in their place
  bool sound = true;  // no defect; else `inspect` finds the first one
  // Of tensors in three dimensions: the mean of their diagonals, and the largest ratio of eigenvalues.
  double diagonal[3] = {0, 0, 0}, anisotropy = 1;
  double unit = 1;  // a power of two near `highest`: the kernels see numbers of about one
  // Stands for infinity: A* is then short of its limit by the energy in the conductors, to first
  // order, which the kernels add; what is left is of the order of (1e-6 n)².
  PEARLITE_MEMBER double cap() const { return 1e6 * highest; }
  PEARLITE_MEMBER double contrast() const { return (conductors ? cap() : highest) / lowest; }
  PEARLITE_MEMBER bool extreme() const { return voids || conductors; }
  // What to expect at the lower end of the spectrum of the operator preconditioned by one V-cycle,
  // whose upper end is 1. Measured smallest eigenvalues over random media of nine families, and
  // laminates in square and oblong cells, sizes 17 to 256: .66, .42, .24, .068, .0093, .0012 at
  // contrasts 3, 10, 30, 100, 1e3, 1e4. `anisotropy` is what pixels that are not square multiply the
  // contrast by.
  PEARLITE_MEMBER double spectrum(double anisotropy) const { return .8 / (1 + .09 * contrast() * anisotropy); }
  // The same of voxels. In 160 cells of 8³ to 16³ (independent voxels, spheres, holes, columns, layers,
  // checkerboards, continuous fields) the least were .81, .64, .38, .15 and .047 at contrasts of 3, 10, 30,
  // 100 and 400, above .8 / (1 + .045 contrast). The rest is reserve: crossing columns have still smaller
  // ones, and so have sides that are not halved alike (`even`: they are); and with less of it, stacks of layers
  // at contrasts of 20 to 50 ended at up to twice an rtol of 1e-3 or 1e-4.
  PEARLITE_MEMBER double voxel_spectrum(bool even, double oblong, int steps) const {
    const double c = contrast() * oblong, root = 1.05 * sqrt(sqrt(c)), reserve = root > 1.5 ? root : 1.5;
    const double single_step = steps == 1 ? 1 + .17 * (anisotropy - 1) : 1;
    return (even ? .8 : .15) / ((1 + .045 * c) * reserve * single_step);
  }
  // Steps of the smoother of tensors: one costs two of five products with the operator, and is worth it from
  // here on.
  PEARLITE_MEMBER int smoothing() const { return anisotropy > 5 ? 2 : 1; }
  // What rounding leaves of A*, relatively, at contrasts beyond any use (double has 1e-16).
  PEARLITE_MEMBER double rounding(double anisotropy) const { return 1e-19 * contrast() * anisotropy; }

  // Once the range is known.
  PEARLITE_MEMBER void finish() {
    if (highest == 0) lowest = highest = 1;  // nothing but voids and conductors
    const double power = floor(log2(conductors ? cap() : highest));
    unit = exp2(power < 1021 ? power : 1021);  // so that 1 / unit is a normal number
  }

  // What float32 keeps: A* to 2e-7, the correctors' energy norm to 2e-5. `loads`: the correctors are
  // those of given loads, and rtol does not count.
  PEARLITE_MEMBER bool needs_float64(double rtol, double corrector_rtol, bool loads) const {
    return (!loads && rtol < 5e-7) || corrector_rtol < 2e-5 || contrast() > 400 || extreme();
  }
};

constexpr int float32_iterations = 20;  // after so many, rounding has a part in it

// What may be wrong with a conductivity, or a label.
enum class Defect { none, not_finite, not_positive, not_symmetric, not_definite, no_phase };

// Numbers too small to be normal would be read as 0 by the kernels.
PEARLITE_FORMULA Defect scalar_defect(double value, double smallest_normal) {
  if (value != value) return Defect::not_finite;
  return value == 0 || value >= smallest_normal ? Defect::none : Defect::not_positive;
}

// t: (2, 2). Entries are divided by the largest one, so that the determinant cannot overflow.
PEARLITE_FORMULA Defect tensor_defect(const double* t, bool single) {
  double largest = 0;
  for (int k = 0; k < 4; ++k) {
    if (!(fabs(t[k]) <= 1.7976931348623157e308)) return Defect::not_finite;
    largest = fabs(t[k]) > largest ? fabs(t[k]) : largest;
  }
  if (largest == 0) return Defect::none;  // a void
  const double a00 = t[0] / largest, a01 = t[1] / largest, a10 = t[2] / largest, a11 = t[3] / largest;
  if (fabs(a01 - a10) > (single ? 1e-6 : 1e-12)) return Defect::not_symmetric;
  const double cross = (a01 + a10) / 2;
  return a00 > 0 && a00 * a11 - cross * cross > 0 ? Defect::none : Defect::not_definite;
}

// The small and the large eigenvalue of a symmetric 2×2 tensor, row major, not zero. The small one as
// determinant over large one: the difference would cancel.
PEARLITE_FORMULA void eigenvalues(const double* tensor, double& low, double& high) {
  double largest = 0;
  for (int k = 0; k < 4; ++k) largest = fabs(tensor[k]) > largest ? fabs(tensor[k]) : largest;
  double a[4];  // of entries up to 1, so that no product overflows or vanishes
  for (int k = 0; k < 4; ++k) a[k] = tensor[k] / largest;
  const double half = .5 * (a[0] - a[3]), cross = .5 * (a[1] + a[2]);
  const double large = .5 * (a[0] + a[3]) + sqrt(half * half + cross * cross);
  high = large * largest;
  low = (a[0] * a[3] - a[1] * a[2]) / large * largest;
}

}  // namespace pearlite
