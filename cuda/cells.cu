// What is found out of cells before they are solved, and what is put in order afterwards: ranges of their
// conductivities, the ways in which voids and perfect conductors percolate, limits of the effective tensor.
// DIM is 2 or 3.
#include "ranges.cuh"
#include "shared/limits.hpp"
#include "windings.cuh"

using namespace pearlite;

constexpr int block_threads = 256;

// ranges (batch, 3): bits of the lowest and the highest conductivity, all ones and 0 before, and of the largest
// ratio of the eigenvalues of a tensor of voxels, one before; flags (batch,), 0 before.
extern "C" __global__ void __launch_bounds__(block_threads)
    survey(Pixels pixels, Size batch, Word* ranges, unsigned int* flags) {
  const double smallest = pixels.type == of_float && !pixels.phases ? 1.17549435082228751e-38 : 2.2250738585072014e-308;
  for (Size cell = blockIdx.y; cell < batch; cell += gridDim.y) {
    Range found;
    for (Size k = Size(blockIdx.x) * blockDim.x + threadIdx.x; k < pixels.size(); k += Size(gridDim.x) * blockDim.x) {
      if (pixels.phases) {
        const int label = pixels.label(cell * pixels.size() + k);
        if (label < 0 || label >= pixels.phase_count) {
          found.flags |= flag_defect;
          continue;
        }
      }
#if DIM == 2
      if (pixels.tensor) {
        double t[4], low = 0, high = 0;
#pragma unroll
        for (int e = 0; e < 4; ++e) t[e] = pixels.entry(cell, k, e);
        const Defect defect = tensor_defect(t, pixels.type == of_float);
        if (defect == Defect::none && (t[0] != 0 || t[3] != 0)) eigenvalues(t, low, high);
        if (defect != Defect::none) found.flags |= flag_defect;
        else found.widen(low, high);
        continue;
      }
#endif
      const double value = pixels.entry(cell, k, 0);
      if (scalar_defect(value, smallest) != Defect::none) found.flags |= flag_defect;
      else found.widen(value, value);
    }
    found.store(ranges + 3 * cell, flags + cell);
  }
}

// Percolation: see windings.cuh ------------------------------------------------------------------------

// words (members, *n): each conducting, or perfectly conducting, pixel a part of its own.
extern "C" __global__ void __launch_bounds__(block_threads)
    separate(Pixels pixels, const Size* members, Size count, int perfect, Word* words) {
  for (Size m = blockIdx.y; m < count; m += gridDim.y)
    for (Size k = Size(blockIdx.x) * blockDim.x + threadIdx.x; k < pixels.size(); k += Size(gridDim.x) * blockDim.x) {
      const double value = pixels.entry(members[m], k, 0);
      const bool member = perfect ? value > 1.7976931348623157e308 : value > 0;
      words[m * pixels.size() + k] = member ? word_of(way_to(int(k))) : no_member;
    }
}

extern "C" __global__ void __launch_bounds__(block_threads, 4)
    join(Pixels pixels, const Size* members, Size count, Word* words, unsigned int* flags) {
  const int size = int(pixels.size());
  for (Size m = blockIdx.y; m < count; m += gridDim.y) {
    Word* mine = words + m * size;
    for (int at = int(blockIdx.x * blockDim.x + threadIdx.x); at < size; at += int(gridDim.x * blockDim.x)) {
      if (atomicOr(mine + at, Word(0)) == no_member) continue;
      each_contact(at, pixels.n, [&](int other, const int* turns) {
        if (atomicOr(mine + other, Word(0)) == no_member) return;
        if (!join_trees(mine, at, other, turns)) atomicOr(flags + members[m], (unsigned int)flag_far);
      });
    }
  }
}

// keys (batch, 2, key_words): of what conducts and of what does so perfectly.
extern "C" __global__ void __launch_bounds__(block_threads)
    wind(Pixels pixels, const Size* members, Size count, int perfect, int turn, Word* words, Word* keys) {
  const int size = int(pixels.size());
  for (Size m = blockIdx.y; m < count; m += gridDim.y) {
    Word* mine = words + m * size;
    Word* key = keys + (2 * members[m] + perfect) * key_words;
    for (int at = int(blockIdx.x * blockDim.x + threadIdx.x); at < size; at += int(gridDim.x * blockDim.x)) {
      if (atomicOr(mine + at, Word(0)) == no_member) continue;
      const Way a = root(mine, at);
      each_contact(at, pixels.n, [&](int other, const int* turns) {
        if (atomicOr(mine + other, Word(0)) == no_member) return;
        const Way b = root(mine, other);
        int w[DIM];
        bool any = false;
#pragma unroll
        for (int d = 0; d < DIM; ++d) {
          w[d] = turns[d] + b.turns[d] - a.turns[d];
          any = any || w[d] != 0;
        }
        if (any) enter(w, turn, key);
      });
    }
  }
}

// Before and after the solve --------------------------------------------------------------------------

__device__ static __forceinline__ Survey survey_of(const Word* range, unsigned int flags) {
  Survey s;
  s.lowest = __longlong_as_double((long long)range[0]);
  s.highest = __longlong_as_double((long long)range[1]);
  s.anisotropy = __longlong_as_double((long long)range[2]);
  s.voids = (flags & flag_voids) != 0;
  s.conductors = (flags & flag_conductors) != 0;
  s.finish();
  return s;
}

// What percolates of a cell; one without voids conducts everywhere.
__device__ static __forceinline__ void percolation_of(const Survey& s, const Word* keys, Size cell,
                                                      Windings& conducting, Windings& perfect) {
  conducting = windings_of_rank(DIM);
  perfect = windings_of_rank(0);
  if (s.voids) conducting = windings_of(keys + 2 * cell * key_words);
  if (s.conductors) perfect = windings_of(keys + (2 * cell + 1) * key_words);
}

// known (batch,); keys may be null if no cell has voids or conductors. rtol as the caller has it.
extern "C" __global__ void __launch_bounds__(block_threads)
    classify(Pixels pixels, Size batch, const Word* ranges, const unsigned int* flags, const Word* keys,
             double rtol, double corrector_rtol, int loads, Known* known) {
  const Size cell = Size(blockIdx.x) * blockDim.x + threadIdx.x;
  if (cell >= batch) return;
  const Survey s = survey_of(ranges + 3 * cell, flags[cell]);
  Windings conducting, perfect;
  percolation_of(s, keys, cell, conducting, perfect);
  Known k;
  k.unit = s.unit;
  k.scale = 1 / s.unit;
  k.cap = s.conductors ? s.cap() : 0;
#if DIM == 2
  k.spectrum = s.spectrum(pixels.anisotropy());
#else
  const bool even = pixels.n[0] == pixels.n[1] && pixels.n[1] == pixels.n[2] && pixels.n[0] % 4 == 0;
  k.spectrum = s.voxel_spectrum(even, pixels.anisotropy(), s.smoothing());
#endif
  k.rounding = s.rounding(pixels.anisotropy());
  k.highest = s.highest;
  k.steps = s.smoothing();
  bool any = false;
  for (int axis = 0; axis < DIM; ++axis) {
    const bool regular = conducting.along(axis) && !perfect.along(axis);
    k.weight[axis] = regular ? pixels.stretch[axis] * pixels.stretch[axis] : 0;
    any = any || regular;
  }
  const bool uniform = !loads && !pixels.tensor && !s.extreme() && s.lowest == s.highest;
  k.kind = !any ? kind_irregular : uniform ? kind_uniform
           : s.needs_float64(rtol, corrector_rtol, loads != 0) ? kind_float64 : kind_float32;
  known[cell] = k;
}

// Puts in the effective tensors (batch, DIM, DIM) that need no solve, and exact zeros and infinities.
extern "C" __global__ void __launch_bounds__(block_threads)
    limits(Pixels pixels, Size batch, const Word* ranges, const unsigned int* flags, const Word* keys,
           const Known* known, double* effective) {
  const Size cell = Size(blockIdx.x) * blockDim.x + threadIdx.x;
  if (cell >= batch) return;
  const Survey s = survey_of(ranges + 3 * cell, flags[cell]);
  Windings conducting, perfect;
  percolation_of(s, keys, cell, conducting, perfect);
  double* a = effective + cell * DIM * DIM;
  if (known[cell].kind == kind_uniform || known[cell].kind == kind_irregular)
    for (int e = 0; e < DIM * DIM; ++e)
      a[e] = e % (DIM + 1) == 0 && known[cell].kind == kind_uniform ? known[cell].highest : 0;
  if (!s.extreme()) return;
#pragma unroll
  for (int axis = 0; axis < DIM; ++axis) {
    const double length = double(pixels.n[axis]) * pixels.stretch[axis];
#pragma unroll
    for (int k = 0; k < DIM; ++k) {
      conducting.direction[k][axis] *= length;
      perfect.direction[k][axis] *= length;
    }
  }
  const double infinity = __longlong_as_double(0x7ff0000000000000ll);
#if DIM == 2
  apply_limits(conducting.rank, conducting.direction[0], perfect.rank, perfect.direction[0], infinity, a);
#else
  apply_limits(conducting.rank, conducting.direction, perfect.rank, perfect.direction, infinity, a);
#endif
}
