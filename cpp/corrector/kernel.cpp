// The solver for one group of cells, compiled once for each instruction set. No STL templates
// here: one definition of them would leak from one set into the others.
#include "conjugate.hpp"
#include "slopes.hpp"

namespace pearlite {
namespace PEARLITE_ISA {

template <int C, class F>
auto with_precision(const GroupTask& task, F&& use) {
  Conjugate<float, ScalarPixels<float, C>, C> s32;
  Conjugate<double, ScalarPixels<double, C>, C> s64;
  Conjugate<float, TensorPixels<float, C>, C> t32;
  Conjugate<double, TensorPixels<double, C>, C> t64;
  if (task.tensor) return task.float64 ? use(t64) : use(t32);
  return task.float64 ? use(s64) : use(s32);
}

// Both loads of eight cells (or strips) fill the lanes, or one load of sixteen strips.
template <class F>
auto with_solver(const GroupTask& task, F&& use) {
  return task.strips == LANES ? with_precision<LANES>(task, use) : with_precision<LANES / 2>(task, use);
}

template <class Solver>
void place(Solver& solver, const GroupTask& task, void* memory) {
  Arena arena{static_cast<char*>(memory), 0};
  solver.allocate(arena, task);
}

int64_t workspace(const GroupTask& task) {
  return with_solver(task, [&](auto& solver) {
    Arena count;
    solver.allocate(count, task);
    return count.used;
  });
}

void solve(GroupTask& task, void* memory) {
  with_solver(task, [&](auto& solver) {
    place(solver, task, memory);
    solver.solve(task);
    return 0;
  });
}

double join(const GroupTask& task, void* first, void* second) {
  return with_precision<LANES>(task, [&](auto& solver) {
    auto other = solver;
    place(solver, task, first);
    place(other, task, second);
    return solver.cross(other);
  });
}

extern const Kernels kernels_table = {workspace, solve, join, pull_cell<float>, pull_cell<double>};

}  // namespace PEARLITE_ISA
}  // namespace pearlite
