// The relaxed field in a block of pixels, compiled once for each instruction set. No STL templates
// here: one definition of them would leak from one set into the others.
#include "laguerre/candidates.hpp"
#include "laguerre/relax_pixels.hpp"
#include "laguerre/relax_products.hpp"

namespace pearlite {
namespace PEARLITE_ISA {

// Finds the seeds that matter in a block, in its tiles and in their leaves, from one to the next.
template <class T, int D, Metric M>
class RelaxBlock {
 public:
  static int64_t bytes(int64_t capacity) { return tables_at(capacity) + table_bytes(capacity); }

  RelaxBlock(RelaxTask& task, void* memory)
      : task(task), tables(static_cast<char*>(memory) + tables_at(task.capacity)) {
    char* at = static_cast<char*>(memory);
    for (int i = 0; i <= levels; ++i) list[i] = Candidates<D>::in(at + i * lists(task.capacity), task.capacity);
    chosen = reinterpret_cast<int32_t*>(at + (levels + 1) * lists(task.capacity));
  }

  void run() {
    const int64_t stride = padded_seeds(task.seeds);
    Seeds<D> seeds{{}, task.weights, task.seeds, task.periodic, task.reach, task.heaviest};
    for (int a = 0; a < D; ++a) seeds.x[a] = task.sites + a * stride;
    slack = Slack::of<M>(seeds, Truncation<T>::nats * task.epsilon);
    Tile block;
    for (int a = 0; a < 3; ++a) {
      block.lower[a] = task.lower[a];
      block.size[a] = task.upper[a] - task.lower[a];
    }
    task.needed = Root<M, D>(seeds, box(block), slack).find(list[0], task.capacity);
    if (task.needed > task.capacity) return;
    meet();
    descend(block, 0);
  }

 private:
  static constexpr int levels = 2;

  RelaxTask& task;
  char* tables;
  Slack slack{};
  Candidates<D> list[levels + 1];
  int32_t* chosen;  // (capacity + 1,)

  static int64_t align(int64_t bytes) { return (bytes + 63) / 64 * 64; }
  static int64_t lists(int64_t capacity) { return align(Candidates<D>::bytes(capacity)); }
  static int64_t tables_at(int64_t capacity) { return (levels + 1) * lists(capacity) + align((capacity + 1) * 4); }

  static int64_t table_bytes(int64_t capacity) {
    const int64_t pixels = Pixels<T, D, M>::bytes(capacity), products = Products<T, D>::bytes(capacity);
    return pixels > products ? pixels : products;
  }

  Box<D> box(const Tile& tile) const {
    return box_of<D>(tile.lower + 3 - D, tile.size + 3 - D, task.shape + 3 - D);
  }

  // A seed may be there through several of its images, and counts once. `to` has room for one more.
  int distinct(const Candidates<D>& from, int32_t* to) {
    const int32_t now = ++task.stamp[task.seeds];
    int count = 0;
    for (int64_t k = 0; k < from.count; ++k) {
      const int32_t seed = from.index[k];
      to[count] = seed;
      count += task.stamp[seed] != now;
      task.stamp[seed] = now;
    }
    return count;
  }

  void meet() {
    if (!task.cotangent) return;
    task.met_count = distinct(list[0], task.met);
    for (int64_t i = 0; i < task.met_count; ++i) task.slot[task.met[i]] = int32_t(i);
    __builtin_memset(task.sums, 0, sizeof(double) * std::size_t(task.met_count * (2 + D)));
    task.spread = 0;
  }

  void descend(const Tile& tile, int level) {
    if (list[level].count == 1) return fill<T, D>(task, tile, list[level].index[0]);
    if (level == levels) {
      const int count = distinct(list[level], chosen);
      if constexpr (M == Metric::power)
        if (Products<T, D>(task, tables).run(tile, chosen, count)) return;
      return Pixels<T, D, M>(task, tables).run(tile, chosen, count);
    }
    constexpr int64_t middle[2][3] = {{1, 32, 32}, {16, 16, 16}};
    using Size = TileSize<T, D>;
    constexpr int64_t leaves[3] = {Size::R0, Size::R1, Size::W};
    const int64_t* step = level == 0 ? middle[D - 2] : leaves;
    Tile part;
    for (int64_t i = 0; i < tile.size[0]; i += step[0])
      for (int64_t j = 0; j < tile.size[1]; j += step[1])
        for (int64_t k = 0; k < tile.size[2]; k += step[2]) {
          const int64_t offset[3] = {i, j, k};
          for (int a = 0; a < 3; ++a) {
            const int64_t left = tile.size[a] - offset[a];
            part.lower[a] = tile.lower[a] + offset[a];
            part.size[a] = left < step[a] ? left : step[a];
          }
          const Box<D> here = box(part);
          cull<M, D>(list[level], here, slack, list[level + 1]);
          prune<M, D>(list[level + 1], here, slack);
          descend(part, level + 1);
        }
  }
};

template <class T>
void relax(RelaxTask& task, void* memory) {
  if (task.dim == 2 && task.additive) RelaxBlock<T, 2, Metric::additive>(task, memory).run();
  else if (task.dim == 2) RelaxBlock<T, 2, Metric::power>(task, memory).run();
  else if (task.additive) RelaxBlock<T, 3, Metric::additive>(task, memory).run();
  else RelaxBlock<T, 3, Metric::power>(task, memory).run();
}

template <class T, int D>
int64_t bytes(int64_t capacity) {
  const int64_t power = RelaxBlock<T, D, Metric::power>::bytes(capacity);
  const int64_t additive = RelaxBlock<T, D, Metric::additive>::bytes(capacity);
  return power > additive ? power : additive;
}

int64_t workspace(int dim, int64_t capacity) {
  const int64_t single = dim == 2 ? bytes<float, 2>(capacity) : bytes<float, 3>(capacity);
  const int64_t twofold = dim == 2 ? bytes<double, 2>(capacity) : bytes<double, 3>(capacity);
  return single > twofold ? single : twofold;
}

extern const RelaxKernels relax_kernels_table = {workspace, relax<float>, relax<double>};

}  // namespace PEARLITE_ISA
}  // namespace pearlite
