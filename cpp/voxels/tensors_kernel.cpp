// The solver for one cell of voxels with tensors, compiled once for each instruction set.
#include "solve.hpp"
#include "tensor_cell.hpp"
#include "tensor_pull.hpp"

namespace pearlite {
namespace PEARLITE_ISA {
namespace voxels {

int64_t tensor_workspace(const VoxelTask& task) { return workspace_of<TensorCell<float>, TensorCell<double>>(task); }

void solve_tensors(VoxelTask& task, void* memory) { solve_with<TensorCell<float>, TensorCell<double>>(task, memory); }

int64_t tensor_pull_workspace(const VoxelPull& task) {
  return task.float64 ? TensorPull<double>(task).bytes() : TensorPull<float>(task).bytes();
}

void tensor_pull_plane(const VoxelPull& task, int64_t plane, void* memory) {
  if (task.float64) TensorPull<double>(task).run(plane, memory);
  else TensorPull<float>(task).run(plane, memory);
}

}  // namespace voxels

extern const VoxelSolver tensor_solver_table = {voxels::tensor_workspace, voxels::solve_tensors};
extern const VoxelPulls tensor_pulls_table = {voxels::tensor_pull_workspace, voxels::tensor_pull_plane};

}  // namespace PEARLITE_ISA
}  // namespace pearlite
