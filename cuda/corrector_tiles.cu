// Correctors of few large cells: what corrector.cu does, with several blocks for a cell and a launch for each pass.
// The finer grids are divided into tiles; one block a cell takes all coarser ones, in shared memory. Blocks are
// (blocks of a cell, members); see `_corrector_tiles.py` for the order of launches. The host need not know how
// far a cell is: passes leave one that has come to its end alone.
#include "results.cuh"
#include "tiles.cuh"

using namespace pearlite;

constexpr int most_threads = 256;

// Of a member, between launches.
struct State {
  Control control;
  Physical physical;
  double scale;  // of the loads
  float inverse[bottom_nodes * bottom_nodes];
};
constexpr int state_bytes = 2048;  // as _corrector_tiles.py has it
static_assert(sizeof(State) <= state_bytes, "a state needs more room");

constexpr int parts_bytes = 32 * 3 * 8;  // of what sums over a block take
constexpr int sums_width = 6;  // doubles of a block: the sums of one pass, and behind three those of the solution

// What is to be solved, in which memory. Members of 8 bytes, as the launch packs them.
struct Job {
  const Level* levels;   // (level_count)
  const Level* coarse;   // those from `grids` on, whose places count from `tail`
  const Known* known;
  const Size* members;   // cells
  unsigned char* fields;  // (members, bytes)
  unsigned char* states;  // (members, state_bytes), zeros before
  double* sums;           // (members, most_blocks, sums_width)
  int* running;           // (members)
  Size bytes, most_blocks;
  Size level_count, grids;  // those below `grids` have tiles
  Size tail, tail_floats;
};

// One member, as the threads of its blocks see it.
struct Member {
  const Job& job;
  const Work work;
  State& state;
  Memory memory;
  Pair<REAL>*other_r, *other_p;  // the residual and the direction before, where the next ones go
  Pair<float>* up;               // z on the way up

  __device__ __forceinline__ Member(const Pixels& pixels, const Wanted& wanted, const Results& results, const Job& of)
      : job(of), work{pixels, wanted, results, of.known[of.members[blockIdx.y]], of.members[blockIdx.y],
                      int(pixels.n[0]), int(pixels.n[1])},
        state(*reinterpret_cast<State*>(of.states + Size(state_bytes) * blockIdx.y)) {
    const Size size = work.size(), even = size + size % 2;  // 32 bits hold a cell, but not all of its fields
    Pair<REAL>* pairs = reinterpret_cast<Pair<REAL>*>(job.fields + job.bytes * blockIdx.y);
    const bool odd = state.control.iteration % 2 != 0;
    memory.u = pairs;
    memory.q = pairs + size;
    memory.r = pairs + (odd ? 3 : 2) * size;
    other_r = pairs + (odd ? 2 : 3) * size;
    memory.p = pairs + (odd ? 5 : 4) * size;
    other_p = pairs + (odd ? 4 : 5) * size;
    Pair<float>* rounded_pairs = reinterpret_cast<Pair<float>*>(pairs + 6 * size);
    memory.z = rounded_pairs;
    up = rounded_pairs + size;
    memory.couplings = reinterpret_cast<REAL*>(rounded_pairs + 2 * size);
    memory.dinv = reinterpret_cast<float*>(memory.couplings + finest_pieces * even);
    memory.coarse = memory.dinv + even;
  }

  __device__ __forceinline__ Hierarchy hierarchy() const { return {job.levels, int(job.level_count), memory.coarse}; }
  __device__ __forceinline__ Finest finest() const { return {work.n0, work.n1, memory.couplings, memory.dinv}; }
  __device__ __forceinline__ double* sums_of(Size block) const {
    return job.sums + (job.most_blocks * blockIdx.y + block) * sums_width;
  }

  // Leaves this block's sums where those of its cell are.
  template <int N>
  __device__ __forceinline__ void leave(double (&value)[N], int first, double (*parts)[3]) const {
    block_sum(value, parts);
    if (threadIdx.x == 0)
      for (int n = 0; n < N; ++n) sums_of(blockIdx.x)[first + n] = value[n];
    __syncthreads();
  }
  // The sums over the blocks of a launch, known to the first warp; in one order.
  template <int N>
  __device__ __forceinline__ void gather(double (&value)[N], int first, int blocks, double (*parts)[3]) const {
    for (int n = 0; n < N; ++n) value[n] = 0;
#pragma unroll 1
    for (int b = threadIdx.x; b < blocks; b += blockDim.x)
      for (int n = 0; n < N; ++n) value[n] += sums_of(b)[first + n];
    block_sum(value, parts);
    __syncthreads();
  }
};

// The grids that one block has in shared memory: a copy of a part of the coarse grids' memory.
struct Tail {
  Hierarchy h;
  Pair<float>* home;
  int pairs;

  __device__ __forceinline__ Tail(const Member& m, float* room)
      : h{m.job.coarse, int(m.job.level_count - m.job.grids), room},
        home(reinterpret_cast<Pair<float>*>(m.memory.coarse + m.job.tail)), pairs(int(m.job.tail_floats / 2)) {}

  __device__ __forceinline__ void fetch() const {
    for (int k = threadIdx.x; k < pairs; k += blockDim.x) h.field(0)[k] = home[k];
    __syncthreads();
  }
  __device__ __forceinline__ void store() const {
    for (int k = threadIdx.x; k < pairs; k += blockDim.x) home[k] = h.field(0)[k];
  }
};

// All threads of the blocks of a cell.
__device__ static __forceinline__ Team cell_team() {
  return {int(blockIdx.x * blockDim.x + threadIdx.x), int(gridDim.x * blockDim.x)};
}

enum { step_measure = 0, step_pixels = 1, step_nodes = 2, step_diagonal = 3 };

// Before the coarse grids are made: passes over the finest one, in this order. The first measures loads that are
// given.
extern "C" __global__ void __launch_bounds__(most_threads)
    prepare(Pixels pixels, Wanted wanted, Results results, Job job, int step) {
  PEARLITE_SHARED(double, room);
  double(*const parts)[3] = reinterpret_cast<double(*)[3]>(room);
  const Member m(pixels, wanted, results, job);
  const Work& work = m.work;
  if (step == step_measure) {
    double largest = work.largest_given(cell_team());
    if (threadIdx.x % warp_threads == 0) parts[threadIdx.x / warp_threads][0] = largest;
    __syncthreads();
    for (int w = 0; w < int(blockDim.x) / warp_threads; ++w) largest = fmax(largest, parts[w][0]);
    if (threadIdx.x == 0) m.sums_of(blockIdx.x)[0] = largest;
  } else if (step == step_pixels) {
    each(cell_team(), work.n0, work.n1, [&](int i, int j) {
      take_pixel(pixels, work.known, work.cell, i * work.n1 + j, m.memory);
    });
  } else if (step == step_nodes) {
    double sums[4] = {};
    each(cell_team(), work.n0, work.n1, [&](int i, int j) { work.begin_node(m.memory, i, j, m.state.scale, sums); });
    double mean[2] = {sums[0], sums[1]}, square[2] = {sums[2], sums[3]};
    m.leave(mean, 0, parts);
    m.leave(square, 2, parts);
  } else {
    each(cell_team(), work.n0, work.n1, [&](int i, int j) {
      take_diagonal(i, j, work.n0, work.n1, m.memory);
      m.memory.u[i * work.n1 + j] = m.memory.p[i * work.n1 + j] = pair(REAL(0));
    });
  }
}

// One of the four passes that make the grid behind `level`.
extern "C" __global__ void __launch_bounds__(most_threads)
    coarsen_grid(Pixels pixels, Wanted wanted, Results results, Job job, int level, int pass) {
  const Member m(pixels, wanted, results, job);
  const Hierarchy h = m.hierarchy();
  if (level == 0) coarsen_pass(h, level, m.finest(), pass, cell_team());
  else coarsen_pass(h, level, h.coarse(h.levels[level]), pass, cell_team());
}

// The grids that one block has, and the inverse of the last one.
extern "C" __global__ void __launch_bounds__(most_threads)
    prepare_tail(Pixels pixels, Wanted wanted, Results results, Job job) {
  PEARLITE_SHARED(unsigned char, shared);
  Head& head = *reinterpret_cast<Head*>(shared);
  const Member m(pixels, wanted, results, job);
  const Tail tail(m, reinterpret_cast<float*>(shared + (sizeof(Head) + 15) / 16 * 16));
  tail.fetch();
#pragma unroll 1
  for (int l = 0; l + 1 < tail.h.count; ++l) coarsen(tail.h, l, tail.h.coarse(tail.h.levels[l]));
  invert_bottom(tail.h, head);
  tail.store();
  for (int k = threadIdx.x; k < bottom_nodes * bottom_nodes; k += blockDim.x) m.state.inverse[k] = head.inverse[k];
}

enum { settle_scale = 0, settle_begin = 1, settle_residual = 2, settle_product = 3, settle_report = 4 };

// What one block a cell makes of the sums that `blocks` blocks have left.
extern "C" __global__ void __launch_bounds__(most_threads)
    settle(Pixels pixels, Wanted wanted, Results results, Job job, int step, int blocks) {
  PEARLITE_SHARED(double, room);
  double(*const parts)[3] = reinterpret_cast<double(*)[3]>(room);
  const Member m(pixels, wanted, results, job);
  const Work& work = m.work;
  Control& c = m.state.control;
  const bool first_warp = threadIdx.x < warp_threads;
  if (step == settle_scale) {
    if (threadIdx.x != 0) return;
    double largest = 0;
#pragma unroll 1
    for (int b = 0; b < blocks; ++b) largest = fmax(largest, m.sums_of(b)[0]);
    m.state.scale = normalization(largest);
  } else if (step == settle_begin) {
    double mean[2], square[2];
    m.gather(mean, 0, blocks, parts);
    m.gather(square, 2, blocks, parts);
    if (first_warp) begin(c, double(work.n0) * work.n1, mean, square, work.known.weight, work.known.spectrum);
  } else if (step == settle_report) {
    double energies[3], total[2];
    m.gather(energies, 0, blocks, parts);
    m.gather(total, 3, blocks, parts);
    if (threadIdx.x != 0) return;
    work.report(c, energies);
    m.state.physical = work.physical(total, m.state.scale);
  } else if (c.running) {
    double products[2];
    m.gather(products, 0, blocks, parts);
    if (first_warp && step == settle_product) take_pq(c, products);
    if (first_warp && step == settle_residual) {
      take_rz(c, products, wanted);
      if (threadIdx.x == 0) job.running[blockIdx.y] = c.running;
    }
  }
}

// On a grid with tiles: r −= α q on the finest one, z from r, and the residual of the next grid.
extern "C" __global__ void __launch_bounds__(most_threads, 2)
    descend_tiles(Pixels pixels, Wanted wanted, Results results, Job job, int level, Tiling tiling) {
  PEARLITE_SHARED(unsigned char, shared);
  const Member m(pixels, wanted, results, job);
  const Control& c = m.state.control;
  if (!c.running) return;
  const Hierarchy h = m.hierarchy();
  const Level g = h.levels[level];
  const Interpolation p = h.interpolation(level);
  const Tile tile(p, tiling, shared);
  Pair<float>* below = h.field(h.levels[level + 1].r);
  if (level > 0) {
    const Pair<float>* r = h.field(g.r);
    descend(h.coarse(g), p, tile, [&](int at, bool) { return r[at]; }, h.field(g.z), below);
    return;
  }
  const Pair<REAL> alpha = pair_of(c.alpha);
  const bool first = c.iteration == 0;
  const auto take = [&](int at, bool inside) {
    if (first) return rounded<float>(m.memory.r[at]);
    const Pair<REAL> r = m.other_r[at] - times(alpha, m.memory.q[at]);
    if (inside) m.memory.r[at] = r;
    return rounded<float>(r);
  };
  descend(m.finest(), p, tile, take, m.memory.z, below);
}

// From r to z on all coarser grids.
extern "C" __global__ void __launch_bounds__(most_threads)
    cycle_tail(Pixels pixels, Wanted wanted, Results results, Job job) {
  PEARLITE_SHARED(float, room);
  const Member m(pixels, wanted, results, job);
  if (!m.state.control.running) return;
  const Tail tail(m, room);
  tail.fetch();
  cycle_coarse(tail.h, 0, m.state.inverse);
  const Level g = tail.h.levels[0];
  const Pair<float>* z = tail.h.field(g.z);
  Pair<float>* to = m.hierarchy().field(job.levels[job.grids].up);
  for (int k = threadIdx.x; k < g.rows * g.cols; k += blockDim.x) to[k] = z[k];
}

// On a grid with tiles: z with the correction of the next grid, smoothed; on the finest one also (r, z).
extern "C" __global__ void __launch_bounds__(most_threads, 2)
    ascend_tiles(Pixels pixels, Wanted wanted, Results results, Job job, int level, Tiling tiling) {
  PEARLITE_SHARED(unsigned char, shared);
  const Member m(pixels, wanted, results, job);
  if (!m.state.control.running) return;
  const Hierarchy h = m.hierarchy();
  const Level g = h.levels[level];
  const Interpolation p = h.interpolation(level);
  const Tile tile(p, tiling, shared + parts_bytes);
  const Pair<float>* correction = h.field(h.levels[level + 1].up);
  if (level > 0) {
    Pair<float>* up = h.field(g.up);
    ascend(h.coarse(g), p, tile, h.field(g.r), h.field(g.z), correction,
           [&](int at, const Pair<float>&, const Pair<float>& z) { up[at] = z; });
    return;
  }
  double rz[2] = {};
  ascend(m.finest(), p, tile, m.memory.r, m.memory.z, correction,
         [&](int at, const Pair<REAL>& r, const Pair<float>& z) {
           m.up[at] = z;
           add_products(r, rounded<REAL>(z), rz);
         });
  m.leave(rz, 0, reinterpret_cast<double(*)[3]>(shared));
}

// u += αp, p = z + βp, q = A p and (p, q): blocks have tiles of rows × cols nodes.
extern "C" __global__ void __launch_bounds__(most_threads, 2)
    advance_tiles(Pixels pixels, Wanted wanted, Results results, Job job, int rows, int cols) {
  PEARLITE_SHARED(unsigned char, shared);
  const Member m(pixels, wanted, results, job);
  const Control& c = m.state.control;
  if (!c.running) return;
  const int n0 = m.work.n0, n1 = m.work.n1, across = (n1 + cols - 1) / cols, width = cols + 2;
  const int i0 = int(blockIdx.x) / across * rows, j0 = int(blockIdx.x) % across * cols;
  const int own0 = n0 - i0 < rows ? n0 - i0 : rows, own1 = n1 - j0 < cols ? n1 - j0 : cols;
  Pair<REAL>* const p = reinterpret_cast<Pair<REAL>*>(shared + parts_bytes) + width + 1;
  const Pair<REAL> alpha = pair_of(c.alpha), beta = pair_of(c.beta);
  each(block_team(), own0 + 2, own1 + 2, [&](int k, int l) {
    const int at = (i0 + k - 1 + n0) % n0 * n1 + (j0 + l - 1 + n1) % n1;
    const Pair<REAL> old = m.memory.p[at], fresh = direction(m.up[at], beta, old);
    p[(k - 1) * width + l - 1] = fresh;
    if (k == 0 || l == 0 || k > own0 || l > own1) return;
    m.memory.u[at] = m.memory.u[at] + times(alpha, old);
    m.other_p[at] = fresh;
  });
  __syncthreads();
  const Finest a = m.finest();
  double pq[2] = {};
  each(block_team(), own0, own1, [&](int k, int l) {
    const Node x = node_at(i0 + k, j0 + l, n0, n1), y = node_of_tile(k, l, width);
    const Pair<REAL> q = product(a, x, y, p);
    m.memory.q[x.at()] = q;
    add_products(p[y.at()], q, pq);
  });
  m.leave(pq, 0, reinterpret_cast<double(*)[3]>(shared));
}

enum { step_end = 0, step_energies = 1, step_write = 2 };

// When all members have come to their ends.
extern "C" __global__ void __launch_bounds__(most_threads)
    finish(Pixels pixels, Wanted wanted, Results results, Job job, int step) {
  PEARLITE_SHARED(double, room);
  double(*const parts)[3] = reinterpret_cast<double(*)[3]>(room);
  const Member m(pixels, wanted, results, job);
  const Work& work = m.work;
  Memory memory = m.memory;
  memory.z = m.up;
  const Finest a = m.finest();
  double sums[3] = {}, total[2] = {};
  each(cell_team(), work.n0, work.n1, [&](int i, int j) {
    const int at = i * work.n1 + j;
    if (step == step_end) work.end_node(memory, m.state.control, at, total);
    else if (step == step_energies) work.add_energy(memory, a, i, j, sums);
    else work.write(m.state.physical, at, memory.u[at]);
  });
  if (step == step_end) m.leave(total, 3, parts);
  else if (step == step_energies) m.leave(sums, 0, parts);
}
