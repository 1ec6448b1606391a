// Reads the caller's arrays, whatever their type, in the form that the kernels take.
#pragma once
#include <cstdint>

#include "corrector.hpp"
#include "shared/components.hpp"
#include "shared/survey.hpp"

namespace pearlite {

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
