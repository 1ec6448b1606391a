// Descent of the sliced Wasserstein distance between the patches of a field and those of references.
//
// A filter w maps each patch of p × p pixels to a number f(x) = Σ_c Σ_t w_ct M_c(x + t). In one
// dimension the optimal transport between two distributions is the monotone map T; moving every patch
// by w (T(f) − f), and a pixel by the mean over the patches that it lies in, brings the distributions
// together. Patches lie in planes: the one plane of an image, or all planes normal to an axis.
#pragma once
#include <cstdint>
#include <vector>

#include "dispatch.hpp"

namespace pearlite {

constexpr int most_side = 15;     // of a patch, in pixels
constexpr int most_filters = 16;  // in a step
constexpr int sliced_bins = 1024; // of the histogram of a filter's values

// An image that patches are taken from, without wrapping around.
struct Exemplar {
  const float* pixels;  // (channels, m0, m1)
  int64_t m0, m1;
};

struct SlicedProblem {
  int channels = 1;
  int64_t shape[3] = {1, 1, 1};         // n0, n1, n2 of the periodic field; n0 = 1 in two dimensions
  float* field = nullptr;               // (channels, n0, n1, n2), in [0, 1]
  float* velocity = nullptr;            // like field
  std::vector<Exemplar> exemplars[3];   // by the axis that their planes are normal to
  int steps = 0, filters = 1, side = 1;
  const int* axis = nullptr;            // (steps): the planes of a step are normal to it
  const float* weights = nullptr;       // (steps, filters, channels, side, side), unit norm each
  double rate = 1, momentum = 0;
  int threads = 1;
  bool (*interrupted)(void*) = nullptr;
};

// Does the steps; errors (steps): the mean of (T(f) − f)² before each. False if interrupted.
bool descend_sliced(const SlicedProblem& problem, double* errors);

// What is compiled for each instruction set. Lines may be read up to `slack` past their end.
struct SlicedKernels {
  static constexpr int slack = 32;  // two of the widest registers
  // out[k][x] = Σ_t weights[t * outputs + k] * line[t][x] for k < outputs, x < count; writes up to slack.
  void (*stencil)(const float* const* line, const float* weights, int64_t taps, int outputs, int64_t count,
                  float* const* out);
  // ++histogram[bin of f[x]], bins of width 1 / scale from `low` on
  void (*count)(const float* f, int64_t count, float low, float scale, int32_t* histogram);
  // f[x] = T(f[x]) − f[x], linear between the `sliced_bins + 1` edges of bins; returns Σ f²
  double (*displace)(float* f, int64_t count, float low, float scale, const float* table);
  // velocity = momentum velocity + rate change; field += velocity, kept in [0, 1]
  void (*update)(const float* change, int64_t count, float rate, float momentum, float* velocity, float* field);
};
PEARLITE_DECLARE_KERNELS(SlicedKernels, sliced)

}  // namespace pearlite
