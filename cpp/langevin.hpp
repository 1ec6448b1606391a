// Langevin dynamics of batches of images, and the normal numbers that drive it: the interface that the
// bindings call. Plain pointers and sizes; strides are in elements and may be any, also negative.
#pragma once
#include <cstdint>

namespace pearlite {

// Images (batch, channels, *shape + 2 padding): the interior and, about it, what repeats it. Of two axes
// the last two count. One channel is the indicator of phase 1 of two, several are those of all phases.
struct Images {
  int64_t batch = 0, channels = 1;
  int64_t shape[3] = {1, 1, 1}, padding[3] = {};
  bool float64 = false;
  void* x = nullptr;
  int64_t strides[5] = {};  // of the batch, of channels and of the axes
};

inline int64_t phases(const Images& images) { return images.channels == 1 ? 2 : images.channels; }

struct CallControl {
  int threads = 1;
  bool (*interrupted)(void*) = nullptr;  // polled between pieces of work; null: never
};

// x + α (s + v) + noise √(2 α) z, clamped, in the interior; then the padding repeats it.
//
//   v_i = −(m_i − f_i) / (S σ²), m_i the fraction of phase i in the interior of S pixels, before the step
struct LangevinStep {
  const void* score = nullptr;               // s, of the type and shape of x
  int64_t strides[5] = {};                   // its
  const double* step_size = nullptr;         // α (batch)
  const double* volume_fraction = nullptr;   // f (batch, channels), or null: no v
  const double* sigma = nullptr;             // (batch)
  double noise = 1;
  double lower = 0, upper = 0;               // of the clamp
  uint64_t seed = 0;
  uint32_t step = 0;
  const uint64_t* sample = nullptr;          // (batch), whose numbers z each image takes
};

// Counts (batch, phases): the pixels of each phase after the step, without those that are uncertain. The
// same for any number of threads and any batch. False if interrupted: some images have made the step.
bool langevin_step(const Images& images, const LangevinStep& step, const CallControl& control, int64_t* counts);

// The pixels of each phase as they are.
bool count_phases(const Images& images, const CallControl& control, int64_t* counts);

// out (samples, count): of each sample its first `count` normal numbers, floats or doubles.
struct Normals {
  uint64_t seed = 0;
  uint32_t step = 0, stream = 0;
  const uint64_t* sample = nullptr;
  int64_t samples = 0, count = 0;
  bool float64 = false;
};
bool fill_normals(const Normals& normals, const CallControl& control, void* out);

// Four words of Philox 4x32-10.
void philox_block(const uint32_t* counter, const uint32_t* key, uint32_t* words);

}  // namespace pearlite
