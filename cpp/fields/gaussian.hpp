// Periodic Gaussian fields from complex white noise, by fused inverse Fourier transforms.
//
//   z_c(x) = Σ_k Σ_l w_l(k) B_lc(k) exp(2πi k·x/n)
//
// for the channels c of a pair of samples: Re z is one of them, Im z the other. The noise of sample s in
// row l is that of `normal.hpp` of (seed, s, step l, stream `gaussian_stream`); w_l(k) has that of the
// even sample in its real part and that of the odd one in its imaginary part.
#pragma once
#include <cstdint>

#include "dispatch.hpp"
#include "fourier/plan.hpp"

namespace pearlite {

constexpr unsigned int gaussian_stream = 1;

// What one call computes; arrays are contiguous.
struct GaussianProblem {
  uint64_t seed = 0;
  uint64_t first = 0;                // samples [first, first + count)
  int64_t count = 0;
  int64_t shape[3] = {1, 1, 1};      // n0, m, n; m = 1 in two dimensions
  int rows = 1;                      // l
  int channels = 1;                  // c
  int parts = 1;                     // 1: B is real; 2: real parts, then imaginary ones
  const float* amplitudes = nullptr; // (rows, channels, parts, n0, m, n)
  const float* means = nullptr;      // (channels): added to the samples
  bool complement = false;           // a channel more, before the others: 1 less their sum
  int threads = 1;
  bool (*interrupted)(void*) = nullptr;
};

// out: (count, channels [+ 1], n0, m, n). False if interrupted.
bool gaussian_fields(const GaussianProblem& problem, float* out);

// What a kernel does for one pair of samples, in two phases of independent pieces.
struct GaussianTask {
  const GaussianProblem* problem = nullptr;
  const AxisPlan<float>*first = nullptr, *middle = nullptr, *last = nullptr;
  uint64_t pair = 0;
  float* half = nullptr;          // (channels) of what lies between the phases
  float* out[2] = {};             // of the even sample and the odd one, or null
};

struct GaussianKernels {
  int64_t (*half_size)(const GaussianTask&);  // numbers, and in the work arrays of a thread
  int64_t (*work_size)(const GaussianTask&);
  int64_t (*pieces)(const GaussianTask&, int phase);
  void (*run)(const GaussianTask&, int phase, int64_t piece, float* work);
};
PEARLITE_DECLARE_KERNELS(GaussianKernels, gaussian)

}  // namespace pearlite
