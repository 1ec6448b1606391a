// Volumes, centroids and moments of inertia of the cells of labelled images. DIM is 2 or 3.
//
// A block adds up the runs of its columns by cell in shared memory, and hands on one number for each cell of
// its tile. Sums are of integers, so that nothing depends on their order, and what is divided last is what
// the CPU divides: results are the same to the last bit. This file is compiled without contraction.
#include "images.cuh"
#include "shared/circle_mean.hpp"
#include "tally.cuh"
#include "wide.cuh"

using namespace pearlite;

typedef unsigned long long Count;

constexpr int least_int = -2147483647 - 1, largest_int = 2147483647;
constexpr int measured_slots = 256;  // of a block's table

// volumes (batch, count), of zeros at first: pixels of each cell. firsts (batch, count), of the largest number
// at first: the place of a cell's first pixel; or null.
extern "C" __global__ void __launch_bounds__(image_threads)
    count_pixels(Count* volumes, Count* firsts, const void* labels, Images images) {
  PEARLITE_SHARED(Count, memory);
  const Tally tally(memory, measured_slots, 2);
  tally.clear([](int v) { return v == 0 ? 0 : largest_int; });
  const Column column = column_of(images);
  // What a place in the tile is in the image.
  const auto place = [&](int in_tile) {
    Size at = 0;
    int rest = in_tile, offset[DIM];
    for (int a = DIM - 1; a >= 0; --a) {
      offset[a] = rest % image_side(a);
      rest /= image_side(a);
    }
    for (int a = 0; a < DIM; ++a) at = at * images.shape[a] + column.tile[a] + offset[a];
    return Count(at);
  };
  const auto hand_on = [&](Size label, int pixels, int first) {
    const Size cell = column.image * images.count + label;
    atomicAdd(volumes + cell, Count(pixels));
    if (firsts) atomicMin(firsts + cell, place(first));
  };
  each_run(labels, images, column, [&](int label, int from, int to) {
    const int first = (from - column.tile[0]) * image_threads + int(threadIdx.x);
    int* numbers = tally.of(Count(label) + 1);
    if (!numbers) return hand_on(label, to - from, first);
    atomicAdd(numbers, to - from);
    atomicMin(numbers + 1, first);
  });
  tally.each([&](Count key, const int* numbers) { hand_on(Size(key) - 1, numbers[0], numbers[1]); });
}

// Sums over the pixels of each cell, of displacements from its first pixel, by the shorter way on the torus.
struct Sums {
  Count *sum, *square;  // (batch, count, DIM), of zeros at first
  int *low, *high;      // (batch, count, DIM), of the largest and the least number at first
};

// Pixels of one cell in a tile, that have one image on the torus.
struct Part {
  int pixels;
  int sum[DIM], square[DIM], low[DIM], high[DIM];  // of the pixels' places in the tile
};

__device__ static __forceinline__ void origin_of(const Images& images, Size place, int* origin) {
#pragma unroll
  for (int a = DIM - 1; a >= 0; --a) {
    Size at;
    place = divided(place, images.shape[a], at);
    origin[a] = int(at);
  }
}

// 0² + … + n²
__device__ static __forceinline__ int squares_to(int n) { return n * (n + 1) * (2 * n + 1) / 6; }

// firsts (batch, count) from `count_pixels`
extern "C" __global__ void __launch_bounds__(image_threads)
    add_moments(Sums sums, const Count* firsts, const void* labels, Images images) {
  constexpr int width = 1 + 4 * DIM;
  PEARLITE_SHARED(Count, memory);
  const Tally tally(memory, measured_slots, width);
  tally.clear([](int v) { return v % 4 == 3 ? largest_int : v % 4 == 0 && v > 0 ? least_int : 0; });
  const Column column = column_of(images);

  // ways: how many periods the pixels are moved, + 1, as digits in base 3.
  const auto hand_on = [&](Size label, int ways, const Part& part) {
    const Size cell = column.image * images.count + label;
    int origin[DIM];
    origin_of(images, Size(firsts[cell]), origin);
#pragma unroll
    for (int a = DIM - 1; a >= 0; --a, ways /= 3) {
      const Size moved = column.tile[a] - origin[a] + (ways % 3 - 1) * images.shape[a];
      const Size sum = part.sum[a] + moved * part.pixels;
      const Size square = part.square[a] + 2 * moved * part.sum[a] + moved * moved * part.pixels;
      atomicAdd(sums.sum + cell * DIM + a, Count(sum));
      atomicAdd(sums.square + cell * DIM + a, Count(square));
      atomicMin(sums.low + cell * DIM + a, part.low[a] + int(moved));
      atomicMax(sums.high + cell * DIM + a, part.high[a] + int(moved));
    }
  };
  const auto add = [&](int label, int ways, const Part& part) {
    int* numbers = tally.of(Count(label) * 27 + ways + 1);
    if (!numbers) return hand_on(label, ways, part);
    atomicAdd(numbers++, part.pixels);
    for (int a = 0; a < DIM; ++a, numbers += 4) {
      atomicAdd(numbers, part.sum[a]);
      atomicAdd(numbers + 1, part.square[a]);
      atomicMin(numbers + 2, part.low[a]);
      atomicMax(numbers + 3, part.high[a]);
    }
  };
  each_run(labels, images, column, [&](int label, int from, int to) {
    int origin[DIM], ways = 0;
    origin_of(images, Size(firsts[column.image * images.count + label]), origin);
    Part part;
    for (int a = 1; a < DIM; ++a) {
      const int n = int(images.shape[a]), away = column.first[a] - origin[a];
      const int way = !images.periodic ? 0 : 2 * away < -n ? 1 : 2 * away >= n ? -1 : 0;
      ways = 3 * ways + way + 1;
      part.low[a] = part.high[a] = column.first[a] - column.tile[a];
    }
    // Down the column the shorter way changes sides half a period before and behind the origin.
    const int n = int(images.shape[0]);
    const int turns[4] = {from, images.periodic ? origin[0] - n / 2 : from,
                          images.periodic ? origin[0] + (n + 1) / 2 : to, to};
#pragma unroll
    for (int k = 0; k < 3; ++k) {
      const int begin = turns[k] > from ? turns[k] : from, end = turns[k + 1] < to ? turns[k + 1] : to;
      if (begin >= end) continue;
      const int low = begin - column.tile[0], high = end - 1 - column.tile[0];
      part.pixels = end - begin;
      part.low[0] = low;
      part.high[0] = high;
      part.sum[0] = (low + high) * part.pixels / 2;
      part.square[0] = squares_to(high) - squares_to(low - 1);
      for (int a = 1; a < DIM; ++a) {
        part.sum[a] = part.low[a] * part.pixels;
        part.square[a] = part.low[a] * part.sum[a];
      }
      const int along = DIM == 2 ? 3 : 9;
      add(label, (2 - k) * along + ways, part);
    }
  });
  tally.each([&](Count key, const int* numbers) {
    Part part;
    part.pixels = numbers[0];
    for (int a = 0; a < DIM; ++a) {
      part.sum[a] = numbers[1 + 4 * a];
      part.square[a] = numbers[2 + 4 * a];
      part.low[a] = numbers[3 + 4 * a];
      part.high[a] = numbers[4 + 4 * a];
    }
    Size ways;
    const Size label = divided(Size(key) - 1, 27, ways);
    hand_on(label, int(ways), part);
  });
}

// centroids and inertias (batch, count, DIM): in pixels, on the torus from 0 to n, and Σ (x − centroid)². wide
// (batch, count): whether a cell reaches around half the torus along some axis, so that it has to be measured
// anew.
extern "C" __global__ void __launch_bounds__(image_threads)
    finish_moments(double* centroids, double* inertias, unsigned char* wide, const Count* volumes, const Count* firsts,
                   Sums sums, Images images) {
  const Size cell = Size(blockIdx.x) * image_threads + threadIdx.x;
  if (cell >= images.batch * images.count) return;
  const Count volume = volumes[cell];
  const double mass = double(volume);
  int origin[DIM];
  origin_of(images, volume ? Size(firsts[cell]) : 0, origin);
  bool around = false;
  for (int a = 0; a < DIM; ++a) {
    const Size at = cell * DIM + a, n = images.shape[a];
    const Size sum = Size(sums.sum[at]);
    const Wide spread = Wide(Size(volume)) * Wide(Size(sums.square[at])) - Wide(sum) * Wide(sum);
    const double mean = double(origin[a]) + double(sum) / mass;  // not a number without pixels
    centroids[at] = images.periodic ? wrapped(mean, double(n)) : mean;
    inertias[at] = volume ? double(spread) / mass : 0;
    around = around || (volume && 2 * (Size(sums.high[at]) - sums.low[at]) >= n);
  }
  wide[cell] = (unsigned char)(around && images.periodic);
}

// profiles (cells, n0 + n1 [+ n2]), of zeros at first: the pixels of some cells in each slice along each axis.
// slots (batch, count): which of these cells it is, or -1.
extern "C" __global__ void __launch_bounds__(image_threads)
    add_profiles(Count* profiles, const int* slots, const void* labels, Images images) {
  const Column column = column_of(images);
  Size slices = 0;
  for (int a = 0; a < DIM; ++a) slices += images.shape[a];
  const int lane = threadIdx.x % warp_threads;
  int mine = -1, steps = 0;  // the cell of the run that the thread is in, and its pixels so far
  const auto hand_on = [&] {
    Size at = mine * slices + images.shape[0];
    for (int a = 1; a < DIM; at += images.shape[a], ++a) atomicAdd(profiles + at + column.first[a], Count(steps));
  };
  const Size before = column.image * images.pixels();
  for (int i = column.tile[0]; i < column.end; ++i) {  // all threads of a warp go along together
    int slot = -1;
    if (column.inside) slot = slots[column.image * images.count + label_at(labels, images, before + column.place(i))];
    if (slot != mine) {
      if (mine >= 0) hand_on();
      mine = slot;
      steps = 0;
    }
    ++steps;
    // Most of a warp is in one cell: one thread adds for all of them.
    const int leader = __shfl_sync(whole_warp, slot, 0);
    const unsigned int same = __ballot_sync(whole_warp, slot == leader);
    const bool adds = slot >= 0 && (lane == 0 || slot != leader);
    if (adds) atomicAdd(profiles + slot * slices + i, Count(slot == leader ? __popc(same) : 1));
  }
  if (mine >= 0) hand_on();
}

// What `finish_moments` writes, of cells (number,) by their profiles; a thread for each axis of each.
extern "C" __global__ void __launch_bounds__(image_threads)
    finish_profiles(double* centroids, double* inertias, const long long* cells, const Count* profiles, Size number,
                    Images images) {
  const Size task = Size(blockIdx.x) * image_threads + threadIdx.x;
  if (task >= number * DIM) return;
  const int axis = int(task % DIM);
  Size start = 0, slices = 0;
  for (int a = 0; a < DIM; ++a) {
    if (a < axis) start += images.shape[a];
    slices += images.shape[a];
  }
  const Size n = images.side(axis);
  const CircleMean found = circle_mean<Wide>(profiles + task / DIM * slices + start, n);
  const Size at = cells[task / DIM] * DIM + axis;
  centroids[at] = wrapped(found.mean, double(n));
  inertias[at] = found.square;
}
