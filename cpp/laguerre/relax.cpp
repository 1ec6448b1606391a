// Splits the cells of a batch into blocks of pixels, one for a worker at a time, and adds up their
// gradients in a fixed order.
#include "relax.hpp"

#include <algorithm>
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

// What a worker keeps between its blocks.
struct Workspace {
  struct Free {
    void operator()(char* p) const { ::operator delete[](p, std::align_val_t(64)); }
  };
  std::unique_ptr<char[], Free> memory;
  std::vector<int32_t> met;
  std::vector<double> sums;

  Workspace(int64_t bytes, int64_t seeds, int dim)
      : memory(static_cast<char*>(::operator new[](static_cast<std::size_t>(bytes), std::align_val_t(64)))),
        met(static_cast<std::size_t>(seeds)), sums(static_cast<std::size_t>(seeds * (2 + dim))) {}
};

RelaxTask block_task(const RelaxedCells& cells, const Blocks& blocks, int64_t cell, int64_t block) {
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
  task.sites = cells.sites + cell * cells.seeds * cells.dim;
  task.weights = cells.weights + cell * cells.seeds;
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
  const RelaxKernels& kernels = relax_kernels();
  const Blocks blocks(cells);
  const int64_t pixels = cells.shape[0] * cells.shape[1] * cells.shape[2], each = blocks.of_a_cell();
  const int64_t total = cells.batch * each;
  const int64_t bytes = cells.float64 ? 8 : 4;
  std::vector<Partial> parts(static_cast<std::size_t>(gradient.cotangent ? total : 0));
  std::vector<std::unique_ptr<Workspace>> workspaces(static_cast<std::size_t>(cells.threads));
  const auto body = [&](int worker, int64_t index) {
    auto& own = workspaces[static_cast<std::size_t>(worker)];
    if (!own) own.reset(new Workspace(kernels.workspace(cells.dim, cells.seeds), cells.seeds, cells.dim));
    const int64_t cell = index / each, offset = cell * pixels * bytes;
    RelaxTask task = block_task(cells, blocks, cell, index % each);
    if (field) task.field = static_cast<char*>(field) + offset;
    if (gradient.cotangent) task.cotangent = static_cast<const char*>(gradient.cotangent) + offset;
    task.met = own->met.data();
    task.sums = own->sums.data();
    (cells.float64 ? kernels.relax64 : kernels.relax32)(task, own->memory.get());
    if (!gradient.cotangent) return;
    Partial& part = parts[static_cast<std::size_t>(index)];
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
