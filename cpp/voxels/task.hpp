// What the driver hands to the compiled kernels: one cell of voxels.
#pragma once
#include <cstdint>

#include "dispatch.hpp"

namespace pearlite {

// Thrown by a kernel that was asked to stop.
struct VoxelsStopped {};

// Runs body(context, piece) for the pieces [0, count), which do not depend on one another.
struct VoxelTeam {
  void (*run)(void* self, int64_t count, void (*body)(void* context, int64_t piece), void* context) = nullptr;
  void* self = nullptr;
  int threads = 1;

  template <class Body>
  void operator()(int64_t count, const Body& body) const {
    if (!run) {
      for (int64_t piece = 0; piece < count; ++piece) body(piece);
      return;
    }
    run(self, count, [](void* context, int64_t piece) { (*static_cast<const Body*>(context))(piece); },
        const_cast<Body*>(&body));
  }
};

struct VoxelTask {
  int n[3] = {0, 0, 0};
  bool tensor = false;            // conductivities are tensors
  // 1 / (pixel size over the largest one)², of each axis; of tensors, which are read in pixel
  // coordinates, the mean of the diagonal.
  double g[3] = {1, 1, 1};
  int smoothing = 1;              // steps of the smoother of tensors
  bool float64 = false;           // conjugate gradients' numbers
  // Writes voxel row (i, j) as (n2,) floats or doubles, as `float64` says; of tensors, (6, n2), the
  // entries 00, 11, 22, 01, 02, 12.
  void (*read)(const void* context, int i, int j, void* values) = nullptr;
  const void* context = nullptr;
  double rtol = 1e-6;
  double corrector_rtol = 1;
  double weight[3] = {1, 1, 1};   // of each load in the norm of A*; 0: it is not to be solved
  double conductor = 0;           // values above it stand for infinity, if it is not 0
  double spectrum = .1;           // a lower bound that is expected of the preconditioned operator's
  int max_iterations = 1000;
  bool (*stop)(void* context) = nullptr;
  void* stop_context = nullptr;
  VoxelTeam team;

  // Results. effective: symmetric, in pixel coordinates: A_de = mean of (e_d + ∇χ_d) a g (e_e + ∇χ_e)
  double effective[3][3] = {};
  double error = 0;
  int iterations = 0;
  bool converged = false;
  void* correctors = nullptr;       // (3, n0, n1, n2), zero mean, or null
  bool correctors_float64 = false;
};

// The gradient of Σ G_de A*_de in the voxels of one cell, from its correctors.
struct VoxelPull {
  int64_t n[3] = {0, 0, 0};
  double spacing[3] = {1, 1, 1};
  const void* correctors = nullptr;  // (3, n0, n1, n2)
  const double* cotangent = nullptr; // (3, 3)
  void* out = nullptr;               // (n0, n1, n2), or (n0, n1, n2, 3, 3) of tensors
  bool float64 = false;              // correctors and out
};

struct VoxelSolver {
  int64_t (*workspace)(const VoxelTask&);      // bytes
  void (*solve)(VoxelTask&, void* workspace);  // workspace: 64-byte aligned; for tensors, zeroed
};

struct VoxelPulls {
  int64_t (*workspace)(const VoxelPull&);
  void (*plane)(const VoxelPull&, int64_t plane, void* workspace);
};

PEARLITE_DECLARE_KERNELS(VoxelSolver, voxel_solver)
PEARLITE_DECLARE_KERNELS(VoxelSolver, tensor_solver)
PEARLITE_DECLARE_KERNELS(VoxelPulls, voxel_pulls)
PEARLITE_DECLARE_KERNELS(VoxelPulls, tensor_pulls)

}  // namespace pearlite
