// Correctors of cells of voxels, before and after conjugate gradients (voxels_cycle.cu): from the caller's voxels
// to the grids, and from the correctors to the effective tensor. REAL is float or double; conductivities are tensors
// where TENSOR is 1.
#include "shared/couplings.hpp"
#include "voxel_batch.cuh"
#include "voxel_modes.cuh"
#include "voxel_tensors.cuh"

using namespace pearlite;

// Where results go. Members of 8 bytes; the first axis of arrays is the batch.
struct Results {
  double* effective;         // (batch, 3, 3)
  double* residual;          // (batch): estimated relative error
  int* iterations;           // (batch)
  unsigned char* converged;  // (batch)
  void* correctors;          // (batch, 3, n0, n1, n2) or null
  Size wide;                 // whether correctors are float64
  double spacing[3];
};

// Before the first iteration ------------------------------------------------------------------------------

__device__ static __forceinline__ void put_conductivity(const Batch& b, const Level& level, Size slot, Size at,
                                                        double value) {
  b.cell(slot)[level.a + at] = float(value);
  if (sizeof(REAL) == 8) b.real(slot, b.a)[at] = REAL(value);
}

extern "C" __global__ void __launch_bounds__(node_threads, 4) take(Batch b, Pixels pixels, Level level) {
  each_slot(b, [&](Size slot) {
    const Known& known = b.known_of(slot);
    each_node(level.nodes(), [&](int voxel) {
      if constexpr (tensors) {
        double t[9];
#pragma unroll
        for (int e = 0; e < 9; ++e) t[e] = pixels.entry(b.members[slot], voxel, e);
#pragma unroll
        for (int d = 0; d < 3; ++d)
#pragma unroll
          for (int e = d; e < 3; ++e) {
            const double factor = .5 * known.scale * pixels.shrink[d] * pixels.shrink[e];
            const Size at = entry_of(d, e) * Size(level.nodes()) + voxel;
            put_conductivity(b, level, slot, at, factor * (t[3 * d + e] + t[3 * e + d]));
          }
      } else {
        put_conductivity(b, level, slot, voxel, scaled(pixels.entry(b.members[slot], voxel, 0), known));
      }
    });
  });
}

// sum (3,): see loads_at
__device__ static __forceinline__ void scalar_loads_at(int node, const int* n, const REAL* a, const double* shrink,
                                                       REAL* sum) {
#pragma unroll
  for (int d = 0; d < load_count; ++d) sum[d] = 0;
  each_voxel_around(node, n, [&](int voxel, int above) {
    const REAL value = a[voxel];
#pragma unroll
    for (int d = 0; d < load_count; ++d) sum[d] += above >> (2 - d) & 1 ? value : -value;
  });
#pragma unroll
  for (int d = 0; d < load_count; ++d) sum[d] *= REAL(.25 * shrink[d] * shrink[d]);
}

// The loads −∫ ∇φ · a g e_d: a quarter of what the voxels above a node have more than those below. Sums of the
// conductivities come along, of tensors of their diagonals, and 1 / D.
extern "C" __global__ void __launch_bounds__(node_threads) load(Batch b, Pixels pixels, Level level) {
  PEARLITE_SHARED(double, room);
  const Size nodes = level.nodes();
  constexpr int sums = tensors ? load_count : 1;
  each_slot(b, [&](Size slot) {
    const REAL* a = b.real(slot, b.a);
    double total[sums] = {};
    each_node(level.nodes(), [&](int node) {
      REAL r[load_count];
      float* cell = b.cell(slot);
      cell[level.dinv + node] = diagonal_at(node, level, cell + level.a);
      if constexpr (tensors) loads_at(node, level.n, a, r);
      else scalar_loads_at(node, level.n, a, pixels.shrink, r);
#pragma unroll
      for (int s = 0; s < sums; ++s) total[s] += double(a[s * nodes + node]);
#pragma unroll
      for (int d = 0; d < load_count; ++d) {
        const Size at = d * nodes + node;
        b.real(slot, b.r)[at] = r[d];
        b.real(slot, b.u)[at] = b.real(slot, b.p)[at] = 0;
        if (sizeof(REAL) == 8) cell[level.r + at] = float(r[d]);
      }
    });
#pragma unroll
    for (int s = 0; s < sums; ++s) {
      const double whole = block_sum(total[s], room);
      if (threadIdx.x == 0) b.parts(slot, s)[blockIdx.x] = whole;
    }
  });
}

extern "C" __global__ void __launch_bounds__(control_threads) start(Batch b, Pixels pixels, Size blocks) {
  each_slot(b, [&](Size slot) {
    const int load = int(threadIdx.x) / warp_threads;
    const double mean = gathered(b.parts(slot, tensors ? load : 0), blocks) / double(pixels.size());
    const double shrink = tensors ? 1 : load == 0 ? pixels.shrink[0] : load == 1 ? pixels.shrink[1] : pixels.shrink[2];
    begin(b.controls[slot], load, mean, b.known_of(slot), shrink);
    if (threadIdx.x == 0) b.running[slot] = 1;
  });
}

extern "C" __global__ void __launch_bounds__(node_threads, tensors ? 2 : 3)
    average(Batch b, Level level, Level next) {
  each_slot(b, [&](Size slot) {
    float* cell = b.cell(slot);
    each_node(next.nodes(), [&](int voxel) {
      if constexpr (tensors) average_tensor(level.n, next.n, voxel, cell + level.a, cell + next.a);
      else cell[next.a + voxel] = averaged(level.n, next.n, voxel, cell + level.a);
    });
  });
}

extern "C" __global__ void __launch_bounds__(node_threads) diagonal(Batch b, Level level) {
  each_slot(b, [&](Size slot) {
    float* cell = b.cell(slot);
    each_node(level.nodes(), [&](int node) { cell[level.dinv + node] = diagonal_at(node, level, cell + level.a); });
  });
}

// The last grid's inverse, regularized along the constants: Gauss–Jordan without exchanges. Rows and columns
// whose pivots vanish, of voids, become zero. A block a cell.
extern "C" __global__ void __launch_bounds__(node_threads)
    invert(Batch b, Level level, [[maybe_unused]] Couplings c, Size place) {
  PEARLITE_SHARED(double, matrix);  // (n, n), a row and a column
  const int n = level.nodes(), x = int(threadIdx.x);
  double *row = matrix + Size(n) * n, *column = row + n;
  each_slot(b, [&](Size slot) {
    const float* a = b.cell(slot) + level.a;
    for (int at = x; at < n * n; at += int(blockDim.x)) matrix[at] = 0;
    __syncthreads();
    if (x < n) {  // a row a thread
      each_voxel_around(x, level.n, [&](int voxel, int above) {
        const Place v = place_of(voxel, level.n);
        const int own = 7 - above;  // the node is a lower corner of the voxels above it
        double element[8];
        if constexpr (tensors) {
          element_row(a, n, voxel, own, element);
        } else {
#pragma unroll
          for (int corner = 0; corner < 8; ++corner) element[corner] = double(a[voxel]) * c.entry(own ^ corner);
        }
#pragma unroll
        for (int corner = 0; corner < 8; ++corner) {
          const int i = corner & 4 ? after(v.i, level.n[0]) : v.i, j = corner & 2 ? after(v.j, level.n[1]) : v.j,
                    k = corner & 1 ? after(v.k, level.n[2]) : v.k, other = (i * level.n[1] + j) * level.n[2] + k;
          matrix[Size(x) * n + other] += element[corner];
        }
      });
    }
    __syncthreads();
    double trace = 0;
#pragma unroll 1
    for (int k = 0; k < n; ++k) trace += matrix[Size(k) * n + k];
    __syncthreads();
    for (int at = x; at < n * n; at += int(blockDim.x)) matrix[at] += trace / (double(n) * n);
    const double smallest = 1e-13 * trace;
#pragma unroll 1
    for (int k = 0; k < n; ++k) {
      __syncthreads();
      if (x < n) {
        const double own = matrix[Size(k) * n + k], pivot = own > smallest ? 1 / own : 0;
        row[x] = (x == k ? 1 : matrix[Size(k) * n + x]) * pivot;
        column[x] = matrix[Size(x) * n + k];
      }
      __syncthreads();
#pragma unroll 1
      for (int at = x; at < n * n; at += int(blockDim.x)) {
        const int i = at / n, j = at - i * n;
        matrix[at] = i == k ? row[j] : (j == k ? 0 : matrix[at]) - column[i] * row[j];
      }
    }
    __syncthreads();
    for (int at = x; at < n * n; at += int(blockDim.x)) b.cell(slot)[place + at] = float(matrix[at]);
    __syncthreads();
  });
}

// Afterwards ----------------------------------------------------------------------------------------------

// What a voxel adds to `sums` of a pair of loads, of their modes.
__device__ static __forceinline__ void add_energies(const REAL* a, Size nodes, Size voxel, double threshold,
                                                    const REAL* weight, const REAL (*mode)[8], double* sums) {
  if constexpr (tensors) {
    REAL entry[tensor_entries];
    entries_at(a, nodes, voxel, entry);
#pragma unroll
    for (int d = 0; d < load_count; ++d) {
      REAL flux[8];
      flux_of_modes<REAL>(entry, mode[d], flux);
#pragma unroll
      for (int e = 0; e <= d; ++e) {
        REAL sum = 0;
#pragma unroll
        for (int m = 1; m < 8; ++m) sum += flux[m] * mode[e][m];
        sums[d * (d + 1) / 2 + e] += double(REAL(.0625) * sum);
      }
    }
  } else {
    const REAL own = a[voxel], value = threshold > 0 && own > REAL(threshold) ? 2 * own : own;
#pragma unroll
    for (int d = 0; d < load_count; ++d)
#pragma unroll
      for (int e = 0; e <= d; ++e) {
        REAL sum = 0;
#pragma unroll
        for (int m = 1; m < 8; ++m) sum += weight[m] * mode[d][m] * mode[e][m];
        sums[d * (d + 1) / 2 + e] += double(value * sum);
      }
  }
}

// Parts of Σ a (e_d + ∇u_d) g (e_e + ∇u_e) over the voxels, e ≤ d, and of Σ u_d. Voxels of a conductor count
// twice: A* grows with its conductivity σ towards its limit by σ times its derivative in σ, to first order in
// 1/σ, and that is the energy inside.
extern "C" __global__ void __launch_bounds__(node_threads) energies(Batch b, Pixels pixels, Level level) {
  PEARLITE_SHARED(double, room);
  const Size nodes = level.nodes();
  REAL weight[8];
  const double g[3] = {pixels.shrink[0] * pixels.shrink[0], pixels.shrink[1] * pixels.shrink[1],
                       pixels.shrink[2] * pixels.shrink[2]};
  mode_weights(g, weight);
  each_slot(b, [&](Size slot) {
    const Known& known = b.known_of(slot);
    const double threshold = known.cap > 0 ? .5 * known.cap / known.unit : 0;
    const REAL* a = b.real(slot, b.a);
    double sums[sum_count] = {};
    each_node(level.nodes(), [&](int voxel) {
      const Place p = place_of(voxel, level.n);
      REAL mode[load_count][8];
#pragma unroll
      for (int d = 0; d < load_count; ++d) {
        const REAL* u = b.real(slot, b.u) + d * nodes;
        modes_of(level.n, p, u, REAL(1), mode[d]);
        mode[d][4 >> d] += 4;  // of the coordinate itself
        sums[6 + d] += double(u[voxel]);
      }
      add_energies(a, nodes, voxel, threshold, weight, mode, sums);
    });
#pragma unroll
    for (int s = 0; s < sum_count; ++s) {
      const double total = block_sum(sums[s], room);
      if (threadIdx.x == 0) b.parts(slot, s)[blockIdx.x] = total;
    }
  });
}

// A warp a sum.
extern "C" __global__ void __launch_bounds__(sum_count * warp_threads)
    report(Batch b, Pixels pixels, Wanted wanted, Results results, Size blocks) {
  PEARLITE_SHARED(double, total);
  each_slot(b, [&](Size slot) {
    const int which = int(threadIdx.x) / warp_threads;
    const double sum = gathered(b.parts(slot, which), blocks);
    __syncthreads();
    if (threadIdx.x % warp_threads == 0) {
      total[which] = sum;
      // Where the mean of a corrector is looked for.
      if (which >= 6) b.parts(slot, which)[0] = sum / double(pixels.size());
    }
    __syncthreads();
    if (threadIdx.x != 0) return;
    const Control& c = b.controls[slot];
    const Known& known = b.known_of(slot);
    const Size cell = b.members[slot];
    const bool lost = known.rounding > wanted.asked;  // to rounding
    results.iterations[cell] = c.iteration;
    results.residual[cell] = lost && !(c.residual > known.rounding) ? known.rounding : c.residual;
    results.converged[cell] = c.converged && !lost ? 1 : 0;
    double* a = results.effective + 9 * cell;
    for (int k = 0; k < 9; ++k) {
      const int row = k / 3, column = k % 3, d = row > column ? row : column, e = row + column - d;
      const double scale = known.unit * pixels.stretch[d] * pixels.stretch[e] / double(pixels.size());
      a[k] = scale * total[d * (d + 1) / 2 + e];
    }
  });
}

// Correctors of zero mean, in physical units.
extern "C" __global__ void __launch_bounds__(node_threads) store(Batch b, Results results, Level level) {
  const Size nodes = level.nodes();
  each_slot(b, [&](Size slot) {
    const Size to = b.members[slot] * load_count * nodes;
    each_node(level.nodes(), [&](int node) {
#pragma unroll
      for (int l = 0; l < load_count; ++l) {
        const Size at = l * nodes + node;
        const double value = results.spacing[l] * (double(b.real(slot, b.u)[at]) - b.parts(slot, 6 + l)[0]);
        if (results.wide) static_cast<double*>(results.correctors)[to + at] = value;
        else static_cast<float*>(results.correctors)[to + at] = float(value);
      }
    });
  });
}
