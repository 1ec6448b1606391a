// Bispectra, their distance from a given one, and its gradient. REAL is float or double.
//
// What must move is the given bispectrum B*, about N² numbers for N pixels. A block takes four k1 that follow
// each other along the last axis, and each of its threads takes every 256th wave vector k, as k2 and as k1 + k2:
// the sums of both belong to that thread alone, and there is nothing to wait for. Each term is computed twice
// for that; the second time its B* comes from a cache. Every sum has one order, whatever runs when.
#include "common.cuh"
#include "shared/bispectrum.hpp"

using namespace pearlite;

constexpr int block_threads = 256;
constexpr int firsts = 4;  // k1 of a block at a time

// Members of 8 bytes, as the launch packs them; of two axes the middle entry is 1.
struct Grid {
  Size shape[3];
  Size half, pixels;  // n / 2 + 1, N
};

typedef Complex<REAL> Number;

// spectrum (pixels, 2): a transform as cuFFT leaves it
__device__ static __forceinline__ Number at(const REAL* spectrum, Size k) {
  return {spectrum[2 * k], spectrum[2 * k + 1]};
}

__device__ static __forceinline__ Size wrapped(Size i, Size n) { return i < 0 ? i + n : i >= n ? i - n : i; }

// A wave vector: its line, which is two places in one, and its place there.
struct Wave {
  Size line, place;
};
__device__ static __forceinline__ Wave wave_of(const Grid& g, Size k) {
  Wave w;
  w.line = divided(k, g.shape[2], w.place);
  return w;
}
// The line of a + b or a − b.
__device__ static __forceinline__ Size line_of(const Grid& g, Size a, Size b, int sign) {
  Size a1, b1;
  const Size a0 = divided(a, g.shape[1], a1), b0 = divided(b, g.shape[1], b1);
  return wrapped(a0 + sign * b0, g.shape[0]) * g.shape[1] + wrapped(a1 + sign * b1, g.shape[1]);
}

__device__ static __forceinline__ Number factor(const REAL* spectrum, const Grid& g, Size line, Size place) {
  const Number u = at(spectrum, line * g.shape[2] + place);
  const REAL scale = REAL(1. / double(g.pixels));
  return {scale * u.re, scale * u.im};
}

// What the k1 of a group have in common, and what one thread adds up for them.
struct Group {
  Size line, place;  // of the first k1
  int count;
  Number f[firsts], sum[firsts];
  REAL weight[firsts], loss;

  __device__ __forceinline__ void begin(const REAL* spectrum, const Grid& g, Size number) {
    line = divided(number, (g.half + firsts - 1) / firsts, place);
    place *= firsts;
    count = int(g.half - place < firsts ? g.half - place : firsts);
    loss = 0;
#pragma unroll
    for (int i = 0; i < firsts; ++i) {
      sum[i] = {0, 0};
      f[i] = {0, 0};
      weight[i] = 0;
      if (i >= count) continue;
      f[i] = factor(spectrum, g, line, place + i);
      // The rows of k1 stand for those of −k1 as well.
      weight[i] = place + i == 0 || 2 * (place + i) == g.shape[2] ? REAL(1) : REAL(2);
    }
  }

  // Adds the terms in which wave vector k is k2 or k1 + k2; -> what they add at k.
  __device__ __forceinline__ Number add(const REAL* spectrum, const REAL* target, const Grid& g, Size k) {
    const Wave wave = wave_of(g, k);
    const Size after = line_of(g, wave.line, line, 1) * g.shape[2];
    const Size before = line_of(g, wave.line, line, -1) * g.shape[2];
    const Number own = at(spectrum, k);
    Number found = {0, 0};
#pragma unroll
    for (int i = 0; i < firsts; ++i) {
      if (i >= count) continue;
      const REAL* rows = target + (line * g.half + place + i) * 2 * g.pixels;
      const Number goal = {rows[k], rows[g.pixels + k]};
      const Number w = at(spectrum, after + wrapped(wave.place + place + i, g.shape[2]));
      const BispectrumTerm<REAL, REAL> as_second(f[i], own, w, goal);
      loss += weight[i] * as_second.square();
      const Number one = as_second.at_first(own), two = as_second.at_second(f[i]);
      sum[i].re += one.re;
      sum[i].im += one.im;
      const Size k2 = before + wrapped(wave.place - place - i, g.shape[2]);
      const Number other = {rows[k2], rows[g.pixels + k2]};
      const Number three = BispectrumTerm<REAL, REAL>(f[i], at(spectrum, k2), own, other).at_third();
      found.re += weight[i] * (two.re + three.re);
      found.im += weight[i] * (two.im + three.im);
    }
    return found;
  }
};

// partial (blocks, pixels, 2): what each block adds to Γ as k2 and as k1 + k2; first (lines, half, 2): as k1;
// losses (blocks,). target (lines, half, 2, pixels): B*.
extern "C" __global__ void __launch_bounds__(block_threads)
    distance(REAL* partial, double* first, double* losses, const REAL* spectrum, const REAL* target, Grid g) {
  PEARLITE_SHARED(double, parts);
  const Size lines = g.shape[0] * g.shape[1], groups = lines * ((g.half + firsts - 1) / firsts);
  partial += Size(blockIdx.x) * 2 * g.pixels;
  double loss = 0;
  for (Size number = blockIdx.x; number < groups; number += gridDim.x) {
    Group group;
    group.begin(spectrum, g, number);
    for (Size k = threadIdx.x; k < g.pixels; k += blockDim.x) {
      Number found = group.add(spectrum, target, g, k);
      if (number != blockIdx.x) {
        found.re += partial[2 * k];
        found.im += partial[2 * k + 1];
      }
      partial[2 * k] = found.re;
      partial[2 * k + 1] = found.im;
    }
    loss += double(group.loss);
#pragma unroll
    for (int i = 0; i < firsts; ++i) {
      const double re = block_sum(double(group.sum[i].re), parts), im = block_sum(double(group.sum[i].im), parts);
      if (threadIdx.x != 0 || i >= group.count) continue;
      double* to = first + 2 * (group.line * g.half + group.place + i);
      const double share = double(group.weight[i]) / double(g.pixels);
      to[0] = share * re;
      to[1] = share * im;
    }
  }
  loss = block_sum(loss, parts);
  if (threadIdx.x == 0) losses[blockIdx.x] = loss;
}

// gradient (pixels, 2): Γ, of partial (blocks, pixels, 2) and first (lines, half, 2); loss (): of losses
// (blocks,).
extern "C" __global__ void __launch_bounds__(block_threads)
    gather(double* gradient, double* loss, const REAL* partial, const double* first, const double* losses,
           Size blocks, Grid g) {
  const Size k = Size(blockIdx.x) * blockDim.x + threadIdx.x;
  const double scale = 1 / (double(g.pixels) * double(g.pixels));
  if (k == 0) {
    double sum = 0;
    for (Size b = 0; b < blocks; ++b) sum += losses[b];
    *loss = scale * sum;
  }
  if (k >= g.pixels) return;
  const Wave wave = wave_of(g, k);
  double re = 0, im = 0;
  if (wave.place < g.half) {
    re = first[2 * (wave.line * g.half + wave.place)];
    im = first[2 * (wave.line * g.half + wave.place) + 1];
  }
  for (Size b = 0; b < blocks; ++b) {
    re += double(partial[2 * (b * g.pixels + k)]);
    im += double(partial[2 * (b * g.pixels + k) + 1]);
  }
  gradient[2 * k] = scale * re;
  gradient[2 * k + 1] = scale * im;
}

// out (lines, half, 2, pixels): B
extern "C" __global__ void __launch_bounds__(block_threads)
    bispectrum(REAL* out, const REAL* spectrum, Grid g) {
  const Size rows = g.shape[0] * g.shape[1] * g.half, k = Size(blockIdx.x) * blockDim.x + threadIdx.x;
  if (k >= g.pixels) return;
  const Wave wave = wave_of(g, k);
  for (Size row = blockIdx.y; row < rows; row += gridDim.y) {
    Size place;
    const Size line = divided(row, g.half, place);
    const Number f = factor(spectrum, g, line, place);
    const Number w = at(spectrum, line_of(g, wave.line, line, 1) * g.shape[2] + wrapped(wave.place + place, g.shape[2]));
    const Number found = conjugate_times(w, times(f, at(spectrum, k)));
    out[row * 2 * g.pixels + k] = found.re;
    out[(row * 2 + 1) * g.pixels + k] = found.im;
  }
}
