// The relaxed field in a block of pixels, compiled once for each instruction set. No STL templates
// here: one definition of them would leak from one set into the others.
#include "relax_leaf.hpp"

namespace pearlite {
namespace PEARLITE_ISA {

template <class T, int D, bool additive>
void relax_block(RelaxTask& task, void* memory) {
  using Tiles = Leaf<T, D, additive>;
  Tiles leaf(task, memory);
  task.met_count = task.seeds;
  for (int64_t k = 0; k < task.seeds; ++k) task.met[k] = int32_t(k);
  if (task.sums) __builtin_memset(task.sums, 0, sizeof(double) * std::size_t(task.seeds * (2 + D)));
  task.spread = 0;
  const int64_t step[3] = {Tiles::R0, Tiles::R1, Tiles::W};
  Tile tile;
  int64_t* at = tile.lower;
  for (at[0] = task.lower[0]; at[0] < task.upper[0]; at[0] += step[0])
    for (at[1] = task.lower[1]; at[1] < task.upper[1]; at[1] += step[1])
      for (at[2] = task.lower[2]; at[2] < task.upper[2]; at[2] += step[2]) {
        for (int a = 0; a < 3; ++a) {
          const int64_t left = task.upper[a] - at[a];
          tile.size[a] = left < step[a] ? left : step[a];
        }
        leaf.run(tile, task.met, int(task.seeds), task.sums, &task.spread);
      }
}

template <class T>
void relax(RelaxTask& task, void* memory) {
  if (task.dim == 2) return task.additive ? relax_block<T, 2, true>(task, memory) : relax_block<T, 2, false>(task, memory);
  return task.additive ? relax_block<T, 3, true>(task, memory) : relax_block<T, 3, false>(task, memory);
}

int64_t workspace(int dim, int64_t seeds) {
  return dim == 2 ? Leaf<double, 2, true>::bytes(seeds) : Leaf<double, 3, true>::bytes(seeds);
}

extern const RelaxKernels relax_kernels_table = {workspace, relax<float>, relax<double>};

}  // namespace PEARLITE_ISA
}  // namespace pearlite
