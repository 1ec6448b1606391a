// A solve in float32 or float64 within a block of memory.
#pragma once
#include "conjugate.hpp"

namespace pearlite {
namespace PEARLITE_ISA {
namespace voxels {

template <class Cell>
int64_t bytes_of(const VoxelTask& task) {
  Conjugate<Cell> solver;
  Arena count;
  solver.allocate(count, task);
  return count.used;
}

template <class Cell>
void run_in(VoxelTask& task, void* memory) {
  Conjugate<Cell> solver;
  Arena arena{static_cast<char*>(memory), 0};
  solver.allocate(arena, task);
  solver.solve(task);
}

template <class Single, class Full>
int64_t workspace_of(const VoxelTask& task) {
  return task.float64 ? bytes_of<Full>(task) : bytes_of<Single>(task);
}

template <class Single, class Full>
void solve_with(VoxelTask& task, void* memory) {
  if (task.float64) run_in<Full>(task, memory);
  else run_in<Single>(task, memory);
}

}  // namespace voxels
}  // namespace PEARLITE_ISA
}  // namespace pearlite
