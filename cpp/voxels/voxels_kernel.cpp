// The solver for one cell of voxels with scalars, compiled once for each instruction set.
#include "pull.hpp"
#include "scalar_cell.hpp"
#include "solve.hpp"

namespace pearlite {
namespace PEARLITE_ISA {
namespace voxels {

int64_t workspace(const VoxelTask& task) { return workspace_of<ScalarCell<float>, ScalarCell<double>>(task); }

void solve(VoxelTask& task, void* memory) { solve_with<ScalarCell<float>, ScalarCell<double>>(task, memory); }

int64_t pull_workspace(const VoxelPull& task) {
  return task.float64 ? PullPlane<double>(task).bytes() : PullPlane<float>(task).bytes();
}

void pull_plane(const VoxelPull& task, int64_t plane, void* memory) {
  if (task.float64) PullPlane<double>(task).run(plane, memory);
  else PullPlane<float>(task).run(plane, memory);
}

}  // namespace voxels

extern const VoxelSolver voxel_solver_table = {voxels::workspace, voxels::solve};
extern const VoxelPulls voxel_pulls_table = {voxels::pull_workspace, voxels::pull_plane};

}  // namespace PEARLITE_ISA
}  // namespace pearlite
