// InstanceNorm++ and a PReLU for each channel in one pass, with its gradient: what stands between the
// convolutions of the score network. Of an image x of P pixels and C channels, with the mean μ_c and
// the biased variance v_c of each channel, r_c = 1/√(v_c + e), the mean m and the unbiased variance v
// of the μ_c, q = 1/√(v + e) and e = 1e-5:
//
//   t = γ_c [(x − μ_c) r_c + α_c (μ_c − m) q] + β_c,   y = t where t > 0, else slope_c t.
//
// With dt = ∂L/∂t, A_c = Σ dt, B_c = Σ dt (x − μ_c) r_c (sums over pixels), D_c = γ_c α_c A_c:
//
//   ∂L/∂x = r_c γ_c [dt − A_c/P − (x − μ_c) r_c B_c/P]
//           + [q (D_c − ⟨D⟩) − q³ (μ_c − m) Σ_j D_j (μ_j − m) / (C − 1)] / P.
//
// Channels lie next to each other, so that all loops run along them.
#pragma once
#include <cstdint>

#include "dispatch.hpp"

namespace pearlite {

struct NormTask {
  int64_t batch = 0, pixels = 0, channels = 0;
  int threads = 1;
  const float* x = nullptr;  // (batch, pixels, channels)
  const float *alpha = nullptr, *gamma = nullptr, *beta = nullptr, *slope = nullptr;  // (channels,)
  float* moments = nullptr;  // (batch, 2, channels): μ and r, written forward and read backward
  float* y = nullptr;        // (batch, pixels, channels), forward only
  // Backward only.
  const float* dy = nullptr;   // (batch, pixels, channels)
  float* dx = nullptr;         // (batch, pixels, channels)
  float* parameters = nullptr; // (batch, 4, channels): gradients by α, γ, β, slope, of each image
};

struct NormKernels {
  int64_t (*work_size)(const NormTask&);  // floats that one thread needs
  void (*forward)(const NormTask&, int64_t image, float* work);
  void (*backward)(const NormTask&, int64_t image, float* work);
};
PEARLITE_DECLARE_KERNELS(NormKernels, norm)

void norm_forward(const NormTask& task);
void norm_backward(const NormTask& task);

}  // namespace pearlite
