// What is found out of cells before they are solved, and what is put in order afterwards: ranges of their
// conductivities, the ways in which voids and perfect conductors percolate, limits of the effective tensor.
#include "cells.cuh"
#include "shared/limits.hpp"

using namespace pearlite;

constexpr int block_threads = 256;

typedef unsigned long long Word;

enum { flag_voids = 1, flag_conductors = 2, flag_defect = 4 };

// Positive numbers are ordered as their bit patterns are.
struct Range {
  Word low = ~Word(0), high = 0;
  unsigned int flags = 0;

  __device__ __forceinline__ void widen(double lowest, double highest) {
    if (lowest == 0) flags |= flag_voids;
    if (highest > 1.7976931348623157e308) flags |= flag_conductors;
    if (lowest == 0 || highest > 1.7976931348623157e308) return;
    const Word a = Word(__double_as_longlong(lowest)), b = Word(__double_as_longlong(highest));
    low = a < low ? a : low;
    high = b > high ? b : high;
  }
};

// ranges (batch, 2): bits of the lowest and the highest conductivity, all ones and 0 before; flags (batch,),
// 0 before.
extern "C" __global__ void __launch_bounds__(block_threads)
    survey(Pixels pixels, Size batch, Word* ranges, unsigned int* flags) {
  const double smallest = pixels.type == of_float && !pixels.phases ? 1.17549435082228751e-38 : 2.2250738585072014e-308;
  const bool single = pixels.type == of_float;
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
      if (pixels.tensor) {
        double t[4], low = 0, high = 0;
#pragma unroll
        for (int e = 0; e < 4; ++e) t[e] = pixels.entry(cell, k, e);
        const Defect defect = tensor_defect(t, single);
        if (defect == Defect::none && (t[0] != 0 || t[3] != 0)) eigenvalues(t, low, high);
        if (defect != Defect::none) found.flags |= flag_defect;
        else found.widen(low, high);
      } else {
        const double value = pixels.entry(cell, k, 0);
        if (scalar_defect(value, smallest) != Defect::none) found.flags |= flag_defect;
        else found.widen(value, value);
      }
    }
    for (int k = warp_threads / 2; k > 0; k /= 2) {
      const Word low = __shfl_xor_sync(whole_warp, found.low, k), high = __shfl_xor_sync(whole_warp, found.high, k);
      found.low = low < found.low ? low : found.low;
      found.high = high > found.high ? high : found.high;
      found.flags |= __shfl_xor_sync(whole_warp, found.flags, k);
    }
    if (threadIdx.x % warp_threads != 0) continue;
    atomicMin(ranges + 2 * cell, found.low);
    atomicMax(ranges + 2 * cell + 1, found.high);
    if (found.flags) atomicOr(flags + cell, found.flags);
  }
}

// Percolation ------------------------------------------------------------------------------------------
//
// Union and find without locks. The word of a pixel has the pixel above it in its tree, and how often the way
// there crosses each edge of the cell; a tree's root is the first pixel of its part, since larger roots are
// hung below smaller ones. A contact of two pixels of one part closes a loop, whose crossings are a winding.
// All windings of a set are multiples of one, or they span the plane: the least and the greatest of them
// tell, as keys that multiples share. They do not depend on the order in which threads go.

constexpr Word no_member = ~Word(0);

struct Way {
  int parent, c0, c1;
};
__device__ static __forceinline__ Word word_of(const Way& way) {
  return Word(unsigned(way.parent)) | Word(way.c0 & 0x1ffff) << 30 | Word(way.c1 & 0x1ffff) << 47;
}
__device__ static __forceinline__ Way way_of(Word word) {
  const int c0 = int(word >> 30 & 0x1ffff), c1 = int(word >> 47);
  return {int(word & 0x3fffffff), c0 - (c0 >> 16 << 17), c1 - (c1 >> 16 << 17)};  // of 17 bits with a sign
}

__device__ static __forceinline__ Way root(Word* words, int at) {
  Way way = {at, 0, 0};
  for (;;) {
    const Way step = way_of(atomicOr(words + way.parent, Word(0)));  // others may be changing it
    if (step.parent == way.parent) return way;
    way = {step.parent, way.c0 + step.c0, way.c1 + step.c1};
  }
}

// Calls use(neighbour, c0, c1) for the four neighbours before a pixel, with the edges that are crossed.
template <class Use>
__device__ static __forceinline__ void each_contact(int at, int n0, int n1, const Use& use) {
  const int i = at / n1, j = at - i * n1;
  for (int k = 0; k < 4; ++k) {
    const int di = k == 0 ? 0 : -1, dj = k == 0 ? -1 : k - 2;
    const int c0 = i + di < 0 ? -1 : 0, c1 = j + dj < 0 ? -1 : j + dj >= n1 ? 1 : 0;
    use((i + di - c0 * n0) * n1 + (j + dj - c1 * n1), c0, c1);
  }
}

// words (members, n0, n1): each conducting, or perfectly conducting, pixel a part of its own.
extern "C" __global__ void __launch_bounds__(block_threads)
    separate(Pixels pixels, const Size* members, Size count, int perfect, Word* words) {
  for (Size m = blockIdx.y; m < count; m += gridDim.y)
    for (Size k = Size(blockIdx.x) * blockDim.x + threadIdx.x; k < pixels.size(); k += Size(gridDim.x) * blockDim.x) {
      const double value = pixels.entry(members[m], k, 0);
      const bool member = perfect ? value > 1.7976931348623157e308 : value > 0;
      words[m * pixels.size() + k] = member ? word_of({int(k), 0, 0}) : no_member;
    }
}

extern "C" __global__ void __launch_bounds__(block_threads) join(Size n0, Size n1, Size count, Word* words) {
  const int size = int(n0 * n1);
  for (Size m = blockIdx.y; m < count; m += gridDim.y) {
    Word* mine = words + m * size;
    for (int at = int(blockIdx.x * blockDim.x + threadIdx.x); at < size; at += int(gridDim.x * blockDim.x)) {
      if (atomicOr(mine + at, Word(0)) == no_member) continue;
      each_contact(at, int(n0), int(n1), [&](int other, int c0, int c1) {
        if (atomicOr(mine + other, Word(0)) == no_member) return;
        for (;;) {
          const Way a = root(mine, at), b = root(mine, other);
          if (a.parent == b.parent) return;
          // From a's root to the pixel, across, and on to b's root.
          const int d0 = c0 + b.c0 - a.c0, d1 = c1 + b.c1 - a.c1;
          const bool hang = a.parent > b.parent;
          const int from = hang ? a.parent : b.parent, to = hang ? b.parent : a.parent;
          const Word old = word_of({from, 0, 0});
          const Word fresh = hang ? word_of({to, d0, d1}) : word_of({to, -d0, -d1});
          if (atomicCAS(mine + from, old, fresh) == old) return;
        }
      });
    }
  }
}

// One key for all multiples of a winding.
__device__ static __forceinline__ Word winding_key(int w0, int w1) {
  int a = w0 < 0 ? -w0 : w0, b = w1 < 0 ? -w1 : w1;
  while (b != 0) {
    const int rest = a % b;
    a = b;
    b = rest;
  }
  w0 /= a;
  w1 /= a;
  if (w0 < 0 || (w0 == 0 && w1 < 0)) w0 = -w0, w1 = -w1;
  return Word(unsigned(w0)) << 32 | Word(unsigned(w1 + (1 << 30)));
}

// keys (batch, 2, 2), all ones and 0 before: the least and the greatest, of what conducts and of what does
// so perfectly.
extern "C" __global__ void __launch_bounds__(block_threads)
    wind(Size n0, Size n1, const Size* members, Size count, int perfect, Word* words, Word* keys) {
  const int size = int(n0 * n1);
  for (Size m = blockIdx.y; m < count; m += gridDim.y) {
    Word* mine = words + m * size;
    // NOLINTNEXTLINE(bugprone-implicit-widening-of-multiplication-result): of a constant and a flag
    Word* key = keys + 4 * members[m] + 2 * perfect;
    for (int at = int(blockIdx.x * blockDim.x + threadIdx.x); at < size; at += int(gridDim.x * blockDim.x)) {
      if (atomicOr(mine + at, Word(0)) == no_member) continue;
      const Way a = root(mine, at);
      each_contact(at, int(n0), int(n1), [&](int other, int c0, int c1) {
        if (atomicOr(mine + other, Word(0)) == no_member) return;
        const Way b = root(mine, other);
        const int w0 = c0 + b.c0 - a.c0, w1 = c1 + b.c1 - a.c1;
        if (w0 == 0 && w1 == 0) return;
        const Word found = winding_key(w0, w1);
        atomicMin(key, found);
        atomicMax(key + 1, found);
      });
    }
  }
}

// In which directions something goes around: two numbers span nothing, one line, or the plane.
struct Windings {
  int rank;
  double direction[2];  // of rank 1, in turns

  __device__ bool along(int axis) const { return rank == 2 || (rank == 1 && direction[axis] != 0); }
};
__device__ static __forceinline__ Windings windings_of(const Word* key) {
  Windings found = {2, {1, 1}};
  if (key[0] == ~Word(0)) found.rank = 0;
  else if (key[0] == key[1]) found.rank = 1;
  found.direction[0] = double(int(key[0] >> 32));
  found.direction[1] = double(int(key[0] & 0xffffffffu) - (1 << 30));
  return found;
}

// Before and after the solve --------------------------------------------------------------------------

__device__ static __forceinline__ Survey survey_of(const Word* range, unsigned int flags) {
  Survey s;
  s.lowest = __longlong_as_double((long long)range[0]);
  s.highest = __longlong_as_double((long long)range[1]);
  s.voids = (flags & flag_voids) != 0;
  s.conductors = (flags & flag_conductors) != 0;
  s.finish();
  return s;
}

// What percolates of a cell; one without voids conducts everywhere.
__device__ static __forceinline__ void percolation_of(const Survey& s, const Word* keys, Size cell,
                                                      Windings& conducting, Windings& perfect) {
  conducting = {2, {1, 1}};
  perfect = {0, {0, 0}};
  if (s.voids) conducting = windings_of(keys + 4 * cell);
  if (s.conductors) perfect = windings_of(keys + 4 * cell + 2);
}

// known (batch,); keys may be null if no cell has voids or conductors. rtol as the caller has it.
extern "C" __global__ void __launch_bounds__(block_threads)
    classify(Pixels pixels, Size batch, const Word* ranges, const unsigned int* flags, const Word* keys,
             double rtol, double corrector_rtol, int loads, Known* known) {
  const Size cell = Size(blockIdx.x) * blockDim.x + threadIdx.x;
  if (cell >= batch) return;
  const Survey s = survey_of(ranges + 2 * cell, flags[cell]);
  Windings conducting, perfect;
  percolation_of(s, keys, cell, conducting, perfect);
  Known k;
  k.unit = s.unit;
  k.scale = 1 / s.unit;
  k.cap = s.conductors ? s.cap() : 0;
  k.spectrum = s.spectrum(pixels.anisotropy());
  k.rounding = s.rounding(pixels.anisotropy());
  k.highest = s.highest;
  bool any = false;
  for (int axis = 0; axis < 2; ++axis) {
    const bool regular = conducting.along(axis) && !perfect.along(axis);
    k.weight[axis] = regular ? pixels.stretch[axis] * pixels.stretch[axis] : 0;
    any = any || regular;
  }
  const bool uniform = !loads && !pixels.tensor && !s.extreme() && s.lowest == s.highest;
  k.kind = !any ? kind_irregular : uniform ? kind_uniform
           : s.needs_float64(rtol, corrector_rtol, loads != 0) ? kind_float64 : kind_float32;
  known[cell] = k;
}

// Puts in the effective tensors (batch, 4) that need no solve, and exact zeros and infinities.
extern "C" __global__ void __launch_bounds__(block_threads)
    limits(Pixels pixels, Size batch, const Word* ranges, const unsigned int* flags, const Word* keys,
           const Known* known, double* effective) {
  const Size cell = Size(blockIdx.x) * blockDim.x + threadIdx.x;
  if (cell >= batch) return;
  const Survey s = survey_of(ranges + 2 * cell, flags[cell]);
  Windings conducting, perfect;
  percolation_of(s, keys, cell, conducting, perfect);
  double* a = effective + 4 * cell;
  if (known[cell].kind == kind_uniform || known[cell].kind == kind_irregular) {
    a[0] = a[3] = known[cell].kind == kind_uniform ? known[cell].highest : 0;
    a[1] = a[2] = 0;
  }
  if (!s.extreme()) return;
  const double length[2] = {double(pixels.n0) * pixels.stretch[0], double(pixels.n1) * pixels.stretch[1]};
  for (int axis = 0; axis < 2; ++axis) {
    conducting.direction[axis] *= length[axis];
    perfect.direction[axis] *= length[axis];
  }
  const double infinity = __longlong_as_double(0x7ff0000000000000ll);
  apply_limits(conducting.rank, conducting.direction, perfect.rank, perfect.direction, infinity, a);
}
