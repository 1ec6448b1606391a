// Splits the cells of a batch into blocks of pixels, one for a worker at a time, and adds up their
// gradients in a fixed order.
#include "relax.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <new>
#include <vector>

#include "parallel.hpp"
#include "relax_task.hpp"

namespace pearlite {
namespace {

// Pixels of a block along each axis: large enough that its seeds are found once for many leaves, small
// enough that one large cell keeps all threads at work. Results depend on it, not on the threads.
constexpr int64_t block_size[2][3] = {{1, 128, 128}, {32, 32, 64}};

struct Blocks {
  int64_t count[3], size[3];

  explicit Blocks(const RelaxedCells& cells) {
    for (int a = 0; a < 3; ++a) {
      size[a] = block_size[cells.dim - 2][a];
      count[a] = (cells.shape[a] + size[a] - 1) / size[a];
    }
  }
  int64_t of_a_cell() const { return count[0] * count[1] * count[2]; }
};

// The gradient's sums over a block, for the seeds it meets.
struct Partial {
  std::vector<int32_t> met;
  std::vector<double> sums;  // (met, 2 + dim)
  double spread = 0;
};

// Memory aligned for vectors.
struct Free {
  void operator()(void* p) const { ::operator delete[](p, std::align_val_t(64)); }
};
using Memory = std::unique_ptr<void, Free>;
Memory allocate(int64_t bytes) {
  return Memory(::operator new[](static_cast<std::size_t>(bytes), std::align_val_t(64)));
}

// The seeds of all cells, axis by axis.
struct SeedTables {
  int64_t stride;
  Memory memory;
  double *sites, *weights;       // (batch, dim, stride) and (batch, stride), −infinity past the seeds
  std::vector<double> heaviest;  // (batch,) bounds of |w|
  std::vector<double> reach;     // (batch,) bounds of distances

  explicit SeedTables(const RelaxedCells& cells)
      : stride(padded_seeds(cells.seeds)),
        memory(allocate(cells.batch * (cells.dim + 1) * stride * int64_t(sizeof(double)))),
        sites(static_cast<double*>(memory.get())), weights(sites + cells.batch * cells.dim * stride),
        heaviest(static_cast<std::size_t>(cells.batch)), reach(static_cast<std::size_t>(cells.batch)) {
    const int64_t n = cells.seeds, d = cells.dim;
    std::fill(sites, weights, 0.0);
    std::fill(weights, weights + cells.batch * stride, -std::numeric_limits<double>::infinity());
    for (int64_t cell = 0; cell < cells.batch; ++cell) {
      const double *from = cells.sites + cell * n * d, *w = cells.weights + cell * n;
      double* to = sites + cell * d * stride;
      double farthest = 1;  // images in use lie within half a cell of it
      for (int64_t k = 0; k < n; ++k)
        for (int64_t a = 0; a < d; ++a) {
          to[a * stride + k] = from[k * d + a];
          farthest = std::max(farthest, std::abs(from[k * d + a]));
        }
      std::copy(w, w + n, weights + cell * stride);
      double& most = heaviest[static_cast<std::size_t>(cell)];
      for (int64_t k = 0; k < n; ++k) most = std::max(most, std::abs(w[k]));
      reach[static_cast<std::size_t>(cell)] = 1.7321 * (1 + farthest);
    }
  }
};

// What a worker keeps between its blocks.
class Worker {
 public:
  Worker(const RelaxedCells& cells)
      : dim_(cells.dim), capacity_(std::min<int64_t>(512, cells.seeds << cells.dim)), met_(size(cells.seeds + 1)),
        slot_(size(cells.seeds)), stamp_(size(cells.seeds + 1)), sums_(size(cells.seeds * (2 + cells.dim))) {
    reserve();
  }

  void run(RelaxTask& task, bool float64) {
    const RelaxKernels& kernels = relax_kernels();
    task.met = met_.data();
    task.slot = slot_.data();
    task.stamp = stamp_.data();
    task.sums = sums_.data();
    for (;;) {
      task.capacity = capacity_;
      (float64 ? kernels.relax64 : kernels.relax32)(task, memory_.get());
      if (task.needed <= capacity_) return;
      capacity_ = task.needed;
      reserve();
    }
  }

 private:
  int dim_;
  int64_t capacity_;
  Memory memory_;
  std::vector<int32_t> met_, slot_, stamp_;
  std::vector<double> sums_;

  static std::size_t size(int64_t n) { return static_cast<std::size_t>(n); }
  void reserve() { memory_ = allocate(relax_kernels().workspace(dim_, capacity_)); }
};

RelaxTask block_task(const RelaxedCells& cells, const SeedTables& seeds, const Blocks& blocks, int64_t cell,
                     int64_t block) {
  RelaxTask task;
  task.dim = cells.dim;
  for (int a = 2; a >= 0; --a) {
    task.shape[a] = cells.shape[a];
    task.lower[a] = block % blocks.count[a] * blocks.size[a];
    task.upper[a] = std::min(task.lower[a] + blocks.size[a], cells.shape[a]);
    block /= blocks.count[a];
  }
  task.seeds = cells.seeds;
  task.additive = cells.additive;
  task.periodic = cells.periodic;
  task.sites = seeds.sites + cell * cells.dim * seeds.stride;
  task.weights = seeds.weights + cell * seeds.stride;
  task.heaviest = seeds.heaviest[static_cast<std::size_t>(cell)];
  task.reach = seeds.reach[static_cast<std::size_t>(cell)];
  task.values = cells.values + cell * cells.seeds;
  task.epsilon = cells.epsilon[cell];
  return task;
}

// Adds the sums of a cell's blocks, in their order, to its gradient.
void join(const RelaxedCells& cells, int64_t cell, const std::vector<Partial>& parts, int64_t first, int64_t count,
          const RelaxGradient& to) {
  const int64_t n = cells.seeds, d = cells.dim;
  const double epsilon = cells.epsilon[cell];
  double *sites = to.sites + cell * n * d, *weights = to.weights + cell * n, *values = to.values + cell * n;
  std::fill(sites, sites + n * d, 0.0);
  std::fill(weights, weights + n, 0.0);
  std::fill(values, values + n, 0.0);
  double spread = 0;
  for (int64_t part = first; part < first + count; ++part) {
    const Partial& partial = parts[static_cast<std::size_t>(part)];
    const double* sum = partial.sums.data();
    for (const int32_t k : partial.met) {
      values[k] += *sum++;
      weights[k] += *sum++;
      for (int64_t a = 0; a < d; ++a) sites[k * d + a] += *sum++;
    }
    spread += partial.spread;
  }
  for (int64_t k = 0; k < n; ++k) weights[k] /= epsilon;
  for (int64_t i = 0; i < n * d; ++i) sites[i] *= (cells.additive ? 1 : 2) / epsilon;
  to.epsilon[cell] = -0.6931471805599453 * spread / epsilon;  // the kernels count in base 2
}

}  // namespace

bool relax(const RelaxedCells& cells, void* field, const RelaxGradient& gradient) {
  const Blocks blocks(cells);
  const SeedTables seeds(cells);
  const int64_t pixels = cells.shape[0] * cells.shape[1] * cells.shape[2], each = blocks.of_a_cell();
  const int64_t total = cells.batch * each;
  const int64_t bytes = cells.float64 ? 8 : 4;
  std::vector<Partial> parts(static_cast<std::size_t>(gradient.cotangent ? total : 0));
  std::vector<std::unique_ptr<Worker>> workers(static_cast<std::size_t>(cells.threads));
  const auto body = [&](int index, int64_t block) {
    auto& worker = workers[static_cast<std::size_t>(index)];
    if (!worker) worker.reset(new Worker(cells));
    const int64_t cell = block / each, offset = cell * pixels * bytes;
    RelaxTask task = block_task(cells, seeds, blocks, cell, block % each);
    if (field) task.field = static_cast<char*>(field) + offset;
    if (gradient.cotangent) task.cotangent = static_cast<const char*>(gradient.cotangent) + offset;
    worker->run(task, cells.float64);
    if (!gradient.cotangent) return;
    Partial& part = parts[static_cast<std::size_t>(block)];
    part.met.assign(task.met, task.met + task.met_count);
    part.sums.assign(task.sums, task.sums + task.met_count * (2 + cells.dim));
    part.spread = task.spread;
  };
  const auto stop = [&] { return cells.interrupted && cells.interrupted(nullptr); };
  if (!parallel_for(total, cells.threads, body, stop)) return false;
  if (gradient.cotangent)
    for (int64_t cell = 0; cell < cells.batch; ++cell) join(cells, cell, parts, cell * each, each, gradient);
  return true;
}

}  // namespace pearlite
