// The solver for one cell of voxels, compiled once for each instruction set.
#include "conjugate.hpp"
#include "pull.hpp"

namespace pearlite {
namespace PEARLITE_ISA {
namespace voxels {

template <class Use>
auto with_solver(const VoxelTask& task, const Use& use) {
  Conjugate<float> single;
  Conjugate<double> full;
  return task.float64 ? use(full) : use(single);
}

int64_t workspace(const VoxelTask& task) {
  return with_solver(task, [&](auto& solver) {
    Arena count;
    solver.allocate(count, task);
    return count.used;
  });
}

void solve(VoxelTask& task, void* memory) {
  with_solver(task, [&](auto& solver) {
    Arena arena{static_cast<char*>(memory), 0};
    solver.allocate(arena, task);
    solver.solve(task);
    return 0;
  });
}

int64_t pull_workspace(const VoxelPull& task) {
  return task.float64 ? PullPlane<double>(task).bytes() : PullPlane<float>(task).bytes();
}

void pull_plane(const VoxelPull& task, int64_t plane, void* memory) {
  if (task.float64) PullPlane<double>(task).run(plane, memory);
  else PullPlane<float>(task).run(plane, memory);
}

}  // namespace voxels

extern const VoxelKernels voxel_kernels_table = {voxels::workspace, voxels::solve, voxels::pull_workspace,
                                                 voxels::pull_plane};

}  // namespace PEARLITE_ISA
}  // namespace pearlite
