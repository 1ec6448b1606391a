// What the driver hands to the compiled kernels: one group of cells, solved side by side.
#pragma once
#include <cstdint>

#include "dispatch.hpp"
#include "sensitivity.hpp"

namespace pearlite {

// Thrown by a kernel that was asked to stop in the middle of a large cell.
struct Stopped {};

struct GroupTask {
  static constexpr int most = 8;  // cells

  int n0 = 0, n1 = 0;
  // A cell is cut into so many strips along axis 0: 1, 2, 4 or 8, and both loads are solved, or 16,
  // and only `first_load` is.
  int strips = 1;
  int first_load = 0;
  int cells = 0;                  // ≤ 8 / strips, or 1
  bool tensor = false, float64 = false;
  // Writes pixel row `row` of a cell as (n1,) values, or (n1, 3) for tensors (A00, A11, A01), float
  // or double as `float64` says, in units in which the pixels are unit squares.
  void (*read)(const void* context, int cell, int row, void* values) = nullptr;
  const void* context = nullptr;
  double rtol = 1e-6;
  double corrector_rtol = 1;      // see SolveOptions
  // (2, n0, n1) of each cell, times `rhs_scale`: solve for these nodal loads instead of unit mean
  // gradients; or null
  const void* rhs[most] = {};
  double rhs_scale[most] = {};
  // Of a cell's two diagonal entries in the norm: squares of the loads, or 0 for one that does not count.
  double weight[most][2] = {};
  double conductor[most] = {};    // values above it stand for infinity, if it is not 0
  double spectrum[most] = {};     // of each cell: a lower bound, see `Survey::spectrum`
  int max_iterations = 1000;
  bool may_defer = false;         // stop early if few cells hold up the others
  bool (*stop)(void* context) = nullptr;  // polled once an iteration, and on the way in large cells
  void* stop_context = nullptr;

  // Results, for each cell.
  double effective[most][3] = {}; // A00, A11, A01 in the units of `read`
  double error[most] = {};        // estimated relative error
  int iterations[most] = {};
  bool converged[most] = {};
  // (2, n0, n1) correctors of unit loads in pixels, zero mean, or null
  void* correctors[most] = {};
  bool correctors_float64 = false;  // and of rhs
};

struct Kernels {
  int64_t (*workspace)(const GroupTask&);        // bytes
  void (*solve)(GroupTask&, void* workspace);    // workspace: zeroed once, 64-byte aligned
  // A01 of a cell of which two calls of `solve` have left both loads in their workspaces.
  double (*join)(const GroupTask&, void* first, void* second);
  // pull_back of one cell; pull_back_change where `change` is not null.
  void (*pull32)(const CellShape&, const float* correctors, const float* change, const double* cotangent, float* out);
  void (*pull64)(const CellShape&, const double* correctors, const double* change, const double* cotangent, double* out);
};

PEARLITE_DECLARE_KERNELS(Kernels, kernels)

}  // namespace pearlite
