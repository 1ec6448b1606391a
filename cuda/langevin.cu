// Langevin steps of batches of images, and the normal numbers that drive them. REAL is float or double.
//
// A thread makes the four numbers of a block of Philox, 16 apart; so 16 threads make a tile of 64, and each
// of their accesses is to whole sectors of 32 bytes. What a step must move is x twice and its score once;
// noise costs less than that takes. docs/cuda.md has the counts.
#include "common.cuh"
#include "shared/normal_four.hpp"
#include "shared/segmentation.hpp"

using namespace pearlite;

constexpr int block_threads = 256;
constexpr int few_phases = 8;  // that a warp counts by votes

// Members of 8 bytes, as the launch packs them.
struct Layout {
  Size shape[3], padding[3];  // of the interior; of two axes the last two
  Size strides[5], score_strides[5];  // of images, channels and axes
  Size batch, channels, pixels;       // of the interior
};

struct Dynamics {
  unsigned long long seed, step;
  double noise, lower, upper;
};

// What each image has of its own, (batch, 4 + channels) of 8 bytes: α, √(2 α) noise, σ, its sample, f
struct Own {
  const double* values;
  __device__ double step_size() const { return values[0]; }
  __device__ double noise() const { return values[1]; }
  __device__ double sigma() const { return values[2]; }
  __device__ unsigned long long sample() const {
    return (unsigned long long)__double_as_longlong(values[3]);
  }
  __device__ double fraction(Size channel) const { return values[4 + channel]; }
};
__device__ static Own own_of(const double* all, Size image, Size channels) {
  return {all + image * (4 + channels)};
}

__device__ static Size phases_of(Size channels) { return channels == 1 ? 2 : channels; }

// Place of a pixel of the interior along each axis.
struct Place {
  Size i[3];
};
__device__ static __forceinline__ Place place_of(const Layout& a, Size pixel) {
  Place p = {{0, 0, pixel}};
  if (a.shape[0] == 1 && a.shape[1] == 1) return p;
  const Size line = divided(pixel, a.shape[2], p.i[2]);
  p.i[0] = divided(line, a.shape[1], p.i[1]);
  return p;
}

// Of a channel's first pixel.
__device__ static __forceinline__ Size origin(const Layout& a, const Size* strides, Size image, Size channel) {
  Size at = image * strides[0] + channel * strides[1];
  for (int k = 0; k < 3; ++k) at += a.padding[k] * strides[2 + k];
  return at;
}
__device__ static __forceinline__ Size offset(const Place& p, const Size* strides) {
  return p.i[0] * strides[2] + p.i[1] * strides[3] + p.i[2] * strides[4];
}

// The first image of place i along an axis, which may lie in the padding before 0.
__device__ static __forceinline__ Size lowest(const Layout& a, const Place& p, int axis) {
  if (a.padding[axis] == 0) return p.i[axis];
  Size rest;
  return p.i[axis] - divided(p.i[axis] + a.padding[axis], a.shape[axis], rest) * a.shape[axis];
}

// Writes a pixel, and where the padding repeats it: no two threads write to the same place.
__device__ static __forceinline__ void write(const Layout& a, REAL* channel, const Place& p, REAL y) {
  const Size* s = a.strides + 2;
  const Size low0 = lowest(a, p, 0), low1 = lowest(a, p, 1), low2 = lowest(a, p, 2);
  for (Size i = low0; i < a.shape[0] + a.padding[0]; i += a.shape[0])
    for (Size j = low1; j < a.shape[1] + a.padding[1]; j += a.shape[1])
      for (Size k = low2; k < a.shape[2] + a.padding[2]; k += a.shape[2])
        channel[i * s[0] + j * s[1] + k * s[2]] = y;
}

using V = OneNumber<REAL>::Type;

// clamp(x + shift + α s + β z); a NaN stays one
__device__ static __forceinline__ REAL updated(REAL x, REAL score, REAL z, REAL shift, const Own& own,
                                               const Dynamics& d) {
  REAL y = V::fused(REAL(own.step_size()), score, x + shift);
  if (d.noise != 0) y = V::fused(REAL(own.noise()), z, y);
  const REAL lower = REAL(d.lower), upper = REAL(d.upper);
  y = y < lower ? lower : y;
  return y > upper ? upper : y;
}

// Pixels of each phase in a block's shared memory, then in global memory.
struct Counter {
  int* hits;  // (phases), or null: straight to `total`
  Size phases;
  unsigned long long* total;

  __device__ void begin() {
    if (!hits) return;
    for (Size k = threadIdx.x; k < phases; k += blockDim.x) hits[k] = 0;
    __syncthreads();
  }
  // All threads of a warp; `phase` is `phases` or more of what is not to be counted.
  __device__ __forceinline__ void add(Size phase) {
    if (phases <= few_phases) {
      for (int k = 0; k < int(phases); ++k) {
        const unsigned int votes = __ballot_sync(whole_warp, phase == Size(k));
        if (threadIdx.x % warp_threads == 0 && votes) atomicAdd(hits + k, __popc(votes));
      }
    } else if (phase < phases) {
      if (hits) atomicAdd(hits + phase, 1);
      else atomicAdd(total + phase, 1ull);
    }
  }
  __device__ void finish() {
    if (!hits) return;
    __syncthreads();
    for (Size k = threadIdx.x; k < phases; k += blockDim.x) {
      if (hits[k]) atomicAdd(total + k, (unsigned long long)hits[k]);
      hits[k] = 0;
    }
    __syncthreads();
  }
};

// out (samples, count): of each sample its first numbers
extern "C" __global__ void __launch_bounds__(block_threads)
    normals(REAL* out, const unsigned long long* sample, Size samples, Size count, unsigned long long seed,
            unsigned int step, unsigned int stream) {
  const Size index = Size(blockIdx.x) * blockDim.x + threadIdx.x, tile = index / normal_blocks;
  const unsigned int block = (unsigned int)(index % normal_blocks);
  NormalKey key;
  key.seed = seed;
  key.step = step;
  key.stream = stream;
  for (Size s = blockIdx.y; s < samples; s += gridDim.y) {
    key.sample = sample[s];
    REAL z[4];
    four_normals(key, (unsigned int)tile, block, z);
    for (int j = 0; j < 4; ++j) {
      const Size i = tile * normal_tile + Size(j) * normal_blocks + block;
      if (i < count) out[s * count + i] = z[j];
    }
  }
}

// counts (batch, phases), zero before: pixels of each phase
extern "C" __global__ void __launch_bounds__(block_threads)
    count(const REAL* x, unsigned long long* counts, Layout a, int shared_counters) {
  PEARLITE_SHARED(int, hits);
  const Size phases = phases_of(a.channels), stride = Size(gridDim.x) * blockDim.x;
  const Size whole = (a.pixels + blockDim.x - 1) / blockDim.x * blockDim.x;
  for (Size image = blockIdx.y; image < a.batch; image += gridDim.y) {
    Counter counter = {shared_counters ? hits : nullptr, phases, counts + image * phases};
    counter.begin();
    for (Size p = Size(blockIdx.x) * blockDim.x + threadIdx.x; p < whole; p += stride) {
      Size phase = phases;
      if (p < a.pixels) {
        const REAL* at = x + origin(a, a.strides, image, 0) + offset(place_of(a, p), a.strides);
        if (a.channels == 1) {
          phase = *at > REAL(0.5);
        } else {
          Segmentation<V> pixel;
          pixel.begin(*at);
          for (Size c = 1; c < a.channels; ++c) pixel.add(at[c * a.strides[1]], int(c));
          phase = Size(pixel.found(int(phases)));
        }
      }
      counter.add(phase);
    }
    counter.finish();
  }
}

// shift (batch, channels): what α times the volume fractions' part of the score adds to each channel
extern "C" __global__ void __launch_bounds__(block_threads)
    shifts(REAL* shift, const unsigned long long* counts, const double* each, Size batch, Size channels,
           Size pixels) {
  const Size index = Size(blockIdx.x) * blockDim.x + threadIdx.x;
  if (index >= batch * channels) return;
  Size channel;
  const Size image = divided(index, channels, channel), phases = phases_of(channels);
  const Own own = own_of(each, image, channels);
  unsigned long long certain = 0;
  for (Size k = 0; k < phases; ++k) certain += counts[image * phases + k];
  double found = 0;
  if (certain != 0) {  // else nothing is known of the fractions yet
    const double factor = own.step_size() / (double(pixels) * own.sigma()) / own.sigma();
    const double hits = double(counts[image * phases + (channels == 1 ? 1 : channel)]);
    const double excess = hits / double(certain) - own.fraction(channel);
    if (excess != 0) found = -factor * excess;  // (the factor may be infinite)
  }
  shift[index] = REAL(found);
}

__device__ static NormalKey key_of(const Dynamics& d, const Own& own) {
  NormalKey key;
  key.seed = d.seed;
  key.step = (unsigned int)d.step;
  key.sample = own.sample();
  return key;
}

// A step where a tile of noise is of one channel: a thread has the same four pixels in all of them, and
// knows their phases. counts (batch, phases) zero before; shift (batch, channels) or null.
extern "C" __global__ void __launch_bounds__(block_threads)
    step_whole(REAL* x, const REAL* score, const double* each, const REAL* shift,
               unsigned long long* counts, Layout a, Dynamics d) {
  PEARLITE_SHARED(int, hits);
  const Size index = Size(blockIdx.x) * blockDim.x + threadIdx.x, tile = index / normal_blocks;
  const unsigned int block = (unsigned int)(index % normal_blocks);
  const Size phases = phases_of(a.channels), tiles = a.pixels / normal_tile;
  for (Size image = blockIdx.y; image < a.batch; image += gridDim.y) {
    const Own own = own_of(each, image, a.channels);
    const NormalKey key = key_of(d, own);
    Counter counter = {hits, phases, counts + image * phases};
    counter.begin();
    Segmentation<V> pixels[4] = {};
    REAL z[4] = {};
    for (Size c = 0; c < a.channels; ++c) {
      const REAL* slope = score + origin(a, a.score_strides, image, c);
      REAL* channel = x + origin(a, a.strides, image, c);
      const REAL extra = shift ? shift[image * a.channels + c] : REAL(0);
      if (d.noise != 0) four_normals(key, (unsigned int)(c * tiles + tile), block, z);
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        const Size p = tile * normal_tile + Size(j) * normal_blocks + block;
        if (p >= a.pixels) continue;
        const Place place = place_of(a, p);
        const REAL y = updated(channel[offset(place, a.strides)], slope[offset(place, a.score_strides)], z[j],
                               extra, own, d);
        write(a, channel, place, y);
        if (c == 0) pixels[j].begin(y);
        else pixels[j].add(y, int(c));
      }
    }
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      Size phase = a.channels == 1 ? Size(pixels[j].largest > REAL(0.5)) : Size(pixels[j].found(int(phases)));
      if (tile * normal_tile + Size(j) * normal_blocks + block >= a.pixels) phase = phases;
      counter.add(phase);
    }
    counter.finish();
  }
}

// A step where tiles of noise go from one channel on into the next; it counts nothing.
extern "C" __global__ void __launch_bounds__(block_threads)
    step_mixed(REAL* x, const REAL* score, const double* each, const REAL* shift, Layout a, Dynamics d) {
  const Size index = Size(blockIdx.x) * blockDim.x + threadIdx.x, tile = index / normal_blocks;
  const unsigned int block = (unsigned int)(index % normal_blocks);
  for (Size image = blockIdx.y; image < a.batch; image += gridDim.y) {
    const Own own = own_of(each, image, a.channels);
    REAL z[4] = {};
    if (d.noise != 0) four_normals(key_of(d, own), (unsigned int)tile, block, z);
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      const Size i = tile * normal_tile + Size(j) * normal_blocks + block;
      if (i >= a.channels * a.pixels) continue;
      Size p;
      const Size c = divided(i, a.pixels, p);
      const Place place = place_of(a, p);
      REAL* channel = x + origin(a, a.strides, image, c);
      const REAL slope = score[origin(a, a.score_strides, image, c) + offset(place, a.score_strides)];
      const REAL extra = shift ? shift[image * a.channels + c] : REAL(0);
      write(a, channel, place, updated(channel[offset(place, a.strides)], slope, z[j], extra, own, d));
    }
  }
}
