// Correctors of cells of voxels: conjugate gradients on three loads at once, preconditioned by a multigrid
// V-cycle, in passes over the grids of all cells of a batch. REAL is float or double: the precision of
// conjugate gradients; the V-cycle is always in float. Conductivities are tensors where TENSOR is 1.
#include "voxel_batch.cuh"
#include "voxel_cycle.cuh"

using namespace pearlite;

// Conjugate gradients -------------------------------------------------------------------------------------

// r −= α q, and where `smoothing` z = ω D⁻¹ r, the first smoothing of the finest grid.
extern "C" __global__ void __launch_bounds__(node_threads) correct(Batch b, Level level, int smoothing) {
  const Size nodes = level.nodes();
  each_slot(b, [&](Size slot) {
    const Control& c = b.controls[slot];
    if (!c.running) return;
    float* cell = b.cell(slot);
    each_node(level.nodes(), [&](int node) {
      const float weight = smoothing ? float(b.omega) * cell[level.dinv + node] : 0;
#pragma unroll
      for (int l = 0; l < load_count; ++l) {
        if (c.state[l] != going) continue;
        const Size at = l * nodes + node;
        const REAL alpha = REAL(c.alpha[l]);
        REAL r = b.real(slot, b.r)[at];
        if (alpha != 0) {
          b.real(slot, b.r)[at] = r -= alpha * b.real(slot, b.q)[at];
          if (sizeof(REAL) == 8) cell[level.r + at] = float(r);
        }
        if (smoothing) cell[level.z + at] = weight * float(r);
      }
    });
  });
}

// u += α p, p = z + β p; or u += α p + z of a load that ends.
extern "C" __global__ void __launch_bounds__(node_threads) turn(Batch b, Level level) {
  const Size nodes = level.nodes();
  each_slot(b, [&](Size slot) {
    const Control& c = b.controls[slot];
    if (!c.any()) return;
    each_node(level.nodes(), [&](int node) {
#pragma unroll
      for (int l = 0; l < load_count; ++l) {
        if (c.state[l] == resting) continue;
        const Size at = l * nodes + node;
        REAL *u = b.real(slot, b.u) + at, *p = b.real(slot, b.p) + at;
        const REAL z = REAL(b.cell(slot)[level.t + at]), old = *p, way = REAL(c.alpha[l]) * old;
        if (c.state[l] == ending) {
          *u += way + z;
        } else {
          *u += way;
          *p = z + REAL(c.beta[l]) * old;
        }
      }
    });
  });
}

// q = A p, and parts of (p, q).
extern "C" __global__ void __launch_bounds__(column_threads)
    product(Batch b, Level level, Stencil<REAL> stencil, int planes) {
  PEARLITE_SHARED(double, room);
  const Size nodes = level.nodes();
  each_slot(b, [&](Size slot) {
    const Control& c = b.controls[slot];
    if (!c.running) return;
    double dot = 0;
    own_column(level, planes, [&](int l, int column, int first, int count) {
      if (c.state[l] != going) return;
      REAL* q = b.real(slot, b.q) + l * nodes;
      const REAL* p = b.real(slot, b.p) + l * nodes;
      operate_on(level, stencil, b.real(slot, b.a), p, column, first, count, [&](int node, REAL own, REAL value) {
        q[node] = value;
        dot += double(own * value);
      });
    });
    store_parts(b, slot, dot, room);
  });
}

// With the parts of (r, z): whether cells and loads go on.
extern "C" __global__ void __launch_bounds__(control_threads, 4)
    judge(Batch b, Wanted wanted, Size blocks, Size nodes) {
  each_slot(b, [&](Size slot) {
    Control& c = b.controls[slot];
    if (!c.running) return;
    const int load = int(threadIdx.x) / warp_threads;
    if (c.state[load] == going)
      take_rz(c, load, gathered(b.parts(slot, load), blocks), b.known_of(slot), double(nodes));
    __syncthreads();
    if (threadIdx.x == 0) {
      decide(c, b.known_of(slot), wanted);
      b.running[slot] = c.running;
    }
  });
}

// With the parts of (p, q): α.
extern "C" __global__ void __launch_bounds__(control_threads, 4) measure(Batch b, Size blocks, Size nodes) {
  each_slot(b, [&](Size slot) {
    Control& c = b.controls[slot];
    if (!c.any()) return;
    const int load = int(threadIdx.x) / warp_threads;
    const double pq = c.state[load] == going ? gathered(b.parts(slot, load), blocks) : 0;
    __syncthreads();
    if (threadIdx.x % warp_threads == 0) take_pq(c, load, pq, double(nodes));
    if (threadIdx.x == 0 && c.running) ++c.iteration;
  });
}

// The V-cycle on large grids ------------------------------------------------------------------------------

// t = r − A z.
extern "C" __global__ void __launch_bounds__(column_threads) residual(Batch b, Level level, int planes) {
  const Size nodes = level.nodes();
  each_slot(b, [&](Size slot) {
    const Control& c = b.controls[slot];
    if (!c.running) return;
    own_column(level, planes, [&](int l, int column, int first, int count) {
      if (c.state[l] != going) return;
      float* cell = b.cell(slot);
      const float *r = cell + level.r + l * nodes, *z = cell + level.z + l * nodes;
      float* t = cell + level.t + l * nodes;
      operate_on(level, level.c, cell + level.a, z, column, first, count,
                 [&](int node, float, float value) { t[node] = r[node] - value; });
    });
  });
}

// The next grid's r from the residual t, and where `smoothing` its z = ω D⁻¹ r.
extern "C" __global__ void __launch_bounds__(node_threads, 3)
    restrict_to(Batch b, Level level, Level next, int smoothing) {
  const Size nodes = next.nodes();
  each_slot(b, [&](Size slot) {
    if (!b.controls[slot].running) return;
    float* cell = b.cell(slot);
    each_node(next.nodes(), [&](int node) {
      float sum[load_count];
      restricted<load_count>(level.n, next.n, node, cell + level.t, sum);
      const float weight = smoothing ? float(b.omega) * cell[next.dinv + node] : 0;
#pragma unroll
      for (int l = 0; l < load_count; ++l) {
        cell[next.r + l * nodes + node] = sum[l];
        if (smoothing) cell[next.z + l * nodes + node] = weight * sum[l];
      }
    });
  });
}

// z += P t, t of the next grid.
extern "C" __global__ void __launch_bounds__(node_threads) prolong(Batch b, Level level, Level next) {
  const Size nodes = level.nodes();
  each_slot(b, [&](Size slot) {
    if (!b.controls[slot].running) return;
    float* cell = b.cell(slot);
    each_node(level.nodes(), [&](int node) {
      float sum[load_count];
      prolonged<load_count>(level.n, next.n, node, cell + next.t, sum);
#pragma unroll
      for (int l = 0; l < load_count; ++l) cell[level.z + l * nodes + node] += sum[l];
    });
  });
}

// t = z + ω D⁻¹ (r − A z), with ω of a step, and parts of (r, t) where it is the finest grid's last.
extern "C" __global__ void __launch_bounds__(column_threads)
    smooth(Batch b, Level level, int planes, int step, int last) {
  PEARLITE_SHARED(double, room);
  const Size nodes = level.nodes();
  const float omega = float(step ? b.second : b.omega);
  each_slot(b, [&](Size slot) {
    const Control& c = b.controls[slot];
    if (!c.running) return;
    double dot = 0;
    own_column(level, planes, [&](int l, int column, int first, int count) {
      if (c.state[l] != going) return;
      float* cell = b.cell(slot);
      const float *r = cell + level.r + l * nodes, *z = cell + level.z + l * nodes, *dinv = cell + level.dinv;
      float* t = cell + level.t + l * nodes;
      operate_on(level, level.c, cell + level.a, z, column, first, count, [&](int node, float own, float value) {
        const float right = r[node], fresh = own + (omega * dinv[node]) * (right - value);
        t[node] = fresh;
        dot += double(right * fresh);
      });
    });
    if (last) store_parts(b, slot, dot, room);
  });
}

// The V-cycle on small grids ------------------------------------------------------------------------------

// From grid `first` on to the last, whose inverse lies at a place of a cell's memory; parts of (r, t) too if the
// first is the finest.
extern "C" __global__ void __launch_bounds__(node_threads, 2)
    cycle(Batch b, const Level* levels, int first, int last, Size inverse) {
  PEARLITE_SHARED(float, memory);
  const Size slot = blockIdx.x / load_count;
  const int load = int(blockIdx.x) % load_count;
  const Control& c = b.controls[slot];
  if (!c.running || c.state[load] != going) return;
  float* cell = b.cell(slot);
  const Level& g = levels[first];
  const Size nodes = g.nodes();
  const Cycle v = {levels, first, last, cell, float(b.omega), float(b.second)};
  const float* given = cell + g.r + load * nodes;
  v.each(int(nodes), [&](int node) { memory[node] = given[node]; });
  float* lowest = v.down(memory);
  v.bottom(lowest, cell + inverse);
  v.up(lowest);
  float* found = cell + g.t + load * nodes;
  const float* t = memory + 2 * nodes;
  double dot = 0;
  v.each(int(nodes), [&](int node) {
    found[node] = t[node];
    dot += double(memory[node] * t[node]);
  });
  if (first > 0) return;
  dot = block_sum(dot, reinterpret_cast<double*>(memory));
  if (threadIdx.x == 0) b.parts(slot, load)[0] = dot;
}

