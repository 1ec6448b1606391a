// Batched periodic homogenization with Q1 finite elements on pixels: the interface that the
// bindings call. Everything here is plain pointers and sizes; arrays are C-contiguous.
#pragma once
#include <cstdint>

#include "shared/survey.hpp"

namespace pearlite {

// The element type of `Microstructures::pixels`.
enum class Dtype { float32, float64, uint8, uint16, int32 };

// What to homogenize. Tensors are full symmetric d×d matrices, row major. Conductivities are positive,
// 0 for a void (also as a tensor), or, if scalar, infinite for a perfect conductor.
struct Microstructures {
  // (batch, n0, n1) scalars or labels, or (batch, n0, n1, 2, 2) tensors; in 3D (batch, n0, n1, n2), or
  // (batch, n0, n1, n2, 3, 3)
  const void* pixels = nullptr;
  Dtype dtype = Dtype::float64;    // an integer type means labels, and then `phases` is set
  bool tensor = false;             // the conductivity (of pixels, or of phases) is a d×d tensor
  const double* phases = nullptr;  // ([batch,] phase_count[, d, d]) conductivities, labels only
  int64_t phase_count = 0;
  bool phases_per_cell = false;    // phases has the leading batch axis
  int dim = 2;
  int64_t batch = 0, n0 = 0, n1 = 0, n2 = 1;
  double spacing[3] = {1, 1, 1};   // physical pixel sizes along the axes

  int64_t rows() const { return dim == 3 ? n0 * n1 : n0; }     // of pixels along the last axis
  int64_t row_length() const { return dim == 3 ? n2 : n1; }
  int64_t size() const { return rows() * row_length(); }       // pixels of one cell
  int64_t width() const { return tensor ? dim * dim : 1; }      // numbers of a conductivity
  double largest_spacing() const {
    const double plane = spacing[0] > spacing[1] ? spacing[0] : spacing[1];
    return dim == 3 && spacing[2] > plane ? spacing[2] : plane;
  }
};

struct SolveOptions {
  double rtol = 1e-6;              // on the Frobenius norm of the effective tensor
  double corrector_rtol = 1;       // on the energy norm of the correctors' error over that of x + χ
  int threads = 1;
  int max_iterations = 1000;       // of conjugate gradients
  bool (*interrupted)(void*) = nullptr;  // polled on the calling thread; true stops the solve
  void* context = nullptr;
};

// Where results go. Cells that did not converge hold their best estimate.
struct Solution {
  double* effective = nullptr;     // (batch, d, d)
  void* correctors = nullptr;      // (batch, d, *shape) at the nodes (pixel corners), or null
  bool correctors_float64 = false; // else float32
  int32_t* iterations = nullptr;   // (batch,)
  double* residual = nullptr;      // (batch,) estimated relative error of `effective`
  uint8_t* converged = nullptr;    // (batch,) 0 or 1
};

// The first defect of the input, if any.
struct Finding {
  Defect defect = Defect::none;
  int64_t cell = 0, pixel = 0;     // pixel: flat index; for defects of phases: the phase
  bool in_phases = false;          // the defect is in the table of phases, not in the pixels
};

// Finds the first conductivity (or label) that has no meaning.
Finding inspect(const Microstructures&, int threads);

// `defective`: `inspect` will find something, and nothing was done. `interrupted`: stopped on
// request, and results are incomplete.
enum class Outcome { finished, interrupted, defective };
Outcome solve_correctors(const Microstructures&, const SolveOptions&, const Solution&);

// The same operator with other loads: K w = f for each cell, K the stiffness matrix in pixel
// coordinates (of A_ij / (h_i h_j)), f with zero sum. Only `correctors` (w, zero mean), `iterations`,
// `residual` (of w, in the energy norm) and `converged` are set; `corrector_rtol` bounds the residual.
Outcome solve_loads(const Microstructures&, const void* loads /* (batch, 2, n0, n1), as correctors */,
                    const SolveOptions&, const Solution&);

// The instruction set that the kernels use: "base", "x86-64-v3" or "x86-64-v4".
const char* instruction_set();

}  // namespace pearlite
