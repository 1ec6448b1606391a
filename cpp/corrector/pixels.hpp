// Reads the caller's arrays, whatever their type, in the form that the kernels take.
#pragma once
#include <cstdint>

#include "corrector.hpp"

namespace pearlite {

// The range of one cell's conductivities (of tensors: of their eigenvalues). Phases must be sound.
struct Survey {
  double lowest = 1, highest = 1;
  bool sound = true;  // no defect; else `inspect` finds the first one
  double unit = 1;  // a power of two near `highest`: the kernels see numbers of about one
  double contrast() const { return highest / lowest; }
  // A lower bound of the spectrum of the operator preconditioned by one V-cycle, whose upper end
  // is 1. Measured: the smallest eigenvalue over random media of nine families, sizes 64 to 256, is
  // .75, .59, .24, .086, .0115, .0012 at contrasts 3, 10, 30, 100, 1e3, 1e4.
  // `anisotropy` is what pixels that are not square multiply the contrast by.
  double spectrum(double anisotropy) const { return .8 / (1 + .09 * contrast() * anisotropy); }
};

// t: (2, 2), row major
template <class T>
Defect defect_of_tensor(const T* t);

Survey survey(const Microstructures& cells, int64_t cell);

// Whether every phase has a meaning.
bool phases_sound(const Microstructures& cells);

// Rows of pixels of the cells of one group, divided by each cell's unit, and by the spacing, so
// that pixels become unit squares.
class Reader {
 public:
  Reader(const Microstructures& cells, const int64_t* members, const Survey* surveys, bool float64);

  static void read(const void* self, int cell, int row, void* values);
  // Pixel size along an axis over the largest one.
  double stretch(int axis) const { return stretch_[axis]; }
  double anisotropy() const { return 1 / (stretch_[0] * stretch_[0] * stretch_[1] * stretch_[1]); }
  bool tensor() const { return tensor_; }

 private:
  const Microstructures& cells_;
  const int64_t* members_;
  const Survey* surveys_;
  bool float64_, tensor_;
  double stretch_[2];
};

}  // namespace pearlite
