// The solver for one group of cells, compiled once for each instruction set. No STL templates
// here: one definition of them would leak from one set into the others.
#include "conjugate.hpp"

namespace pearlite {
namespace PEARLITE_ISA {

constexpr int CELLS = LANES / 2;  // both loads of CELLS cells (or strips) fill the lanes

template <class F>
auto with_solver(const GroupTask& task, F&& use) {
  Conjugate<float, ScalarPixels<float, CELLS>, CELLS> s32;
  Conjugate<double, ScalarPixels<double, CELLS>, CELLS> s64;
  Conjugate<float, TensorPixels<float, CELLS>, CELLS> t32;
  Conjugate<double, TensorPixels<double, CELLS>, CELLS> t64;
  if (task.tensor) return task.float64 ? use(t64) : use(t32);
  return task.float64 ? use(s64) : use(s32);
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
    Arena arena{static_cast<char*>(memory), 0};
    solver.allocate(arena, task);
    solver.solve(task);
    return 0;
  });
}

#define PEARLITE_TEXT(x) PEARLITE_QUOTE(x)
#define PEARLITE_QUOTE(x) #x
extern const Kernels kernels = {workspace, solve, PEARLITE_TEXT(PEARLITE_ISA)};

}  // namespace PEARLITE_ISA
}  // namespace pearlite
