// What the driver hands to the compiled kernels of this folder.
#pragma once
#include <cstdint>

#include "dispatch.hpp"
#include "shared/normal.hpp"

namespace pearlite {

// One image, or a part of it: the pixels from `begin` to `end` of its interior, counted in C order. With
// padding they are whole lines along the last axis.
struct ImageTask {
  int64_t channels = 1;
  int64_t shape[3] = {1, 1, 1}, padding[3] = {};
  int64_t begin = 0, end = 0;
  void* x = nullptr;                          // (channels, *shape + 2 padding)
  int64_t strides[4] = {};                    // of channels and axes, in elements
  void* workspace = nullptr;                  // 64-byte aligned, see `workspace_bytes`
  int64_t* counts = nullptr;                  // (phases), to which pixels are added
};

struct StepTask : ImageTask {
  const void* score = nullptr;                // like x
  int64_t score_strides[4] = {};
  double step_size = 0, noise = 0;            // α, and the factor of z
  const double* shift = nullptr;              // (channels): what the volume fractions add to x
  double lower = 0, upper = 0;
  NormalKey key;
  const void* next_x = nullptr;               // what is read after this image, or null: its own pixels
};

// Pixels that are dealt with at a time: so few that all their channels stay in the first cache.
// A multiple of the pairs of tiles that noise is made in.
constexpr int64_t chunk_of(int64_t channels) { return channels <= 2 ? 1024 : channels <= 8 ? 512 : 128; }
// Noise of a chunk, x and score of all its channels where they are strided, and counters of each phase,
// as many as the widest register has lanes.
constexpr int64_t workspace_bytes(int64_t channels) {
  return chunk_of(channels) * (1 + 2 * channels) * 8 + (channels + 1) * 64;
}

struct LangevinKernels {
  void (*count32)(const ImageTask&);
  void (*count64)(const ImageTask&);
  void (*step32)(const StepTask&);
  void (*step64)(const StepTask&);
  void (*normals32)(const NormalKey&, int64_t first, int64_t count, void* out);
  void (*normals64)(const NormalKey&, int64_t first, int64_t count, void* out);
};
PEARLITE_DECLARE_KERNELS(LangevinKernels, langevin_kernels)

}  // namespace pearlite
