// Reads the caller's arrays, whatever their type, in the form that the kernels take.
#pragma once
#include <cstdint>

#include "corrector.hpp"
#include "shared/components.hpp"

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
  double cap() const { return 1e6 * highest; }
  double contrast() const { return (conductors ? cap() : highest) / lowest; }
  bool extreme() const { return voids || conductors; }
  // What to expect at the lower end of the spectrum of the operator preconditioned by one V-cycle,
  // whose upper end is 1. Measured smallest eigenvalues over random media of nine families, and
  // laminates in square and oblong cells, sizes 17 to 256: .66, .42, .24, .068, .0093, .0012 at
  // contrasts 3, 10, 30, 100, 1e3, 1e4. `anisotropy` is what pixels that are not square multiply the
  // contrast by.
  double spectrum(double anisotropy) const { return .8 / (1 + .09 * contrast() * anisotropy); }
  // What rounding leaves of A*, relatively, at contrasts beyond any use (double has 1e-16).
  double rounding(double anisotropy) const { return 1e-19 * contrast() * anisotropy; }
};

// t: (dim, dim), row major
template <class T>
Defect defect_of_tensor(const T* t, int dim);

template <class T>
Defect defect_of_scalar(T value);

Survey survey(const Microstructures& cells, int64_t cell);

// Whether every phase has a meaning.
bool phases_sound(const Microstructures& cells);

// In which directions a cell with voids conducts at all, and one with perfect conductors perfectly.
template <int Dim>
struct Percolation {
  Windings<Dim> conducting, perfect;

  // Whether the conductivity along an axis is neither 0 nor infinite.
  bool regular(int axis) const { return conducting.along(axis) && !perfect.along(axis); }
};

template <int Dim>
Percolation<Dim> percolation(const Microstructures& cells, int64_t cell, const Survey& survey);

// Rows of pixels of the cells of one group, divided by each cell's unit, and by the spacing, so
// that pixels become unit squares.
class Reader {
 public:
  Reader(const Microstructures& cells, const int64_t* members, const Survey* surveys, bool float64);

  static void read(const void* self, int cell, int row, void* values);
  void read_row(int cell, int64_t row, void* values) const;
  // Pixel size along an axis over the largest one.
  double stretch(int axis) const { return stretch_[axis]; }
  double anisotropy() const {
    const double product = stretch_[0] * stretch_[1] * stretch_[2];
    return 1 / (product * product);
  }
  bool tensor() const { return tensor_; }

 private:
  const Microstructures& cells_;
  const int64_t* members_;
  const Survey* surveys_;
  bool float64_, tensor_;
  double stretch_[3] = {1, 1, 1};
};

}  // namespace pearlite
