// The distance of all p-point correlations of a field and references, with its gradient, by the kernel
// identity: with u, v centred,
//
//   C(δ) = scale Σ_c Σ_x u_c(x) v_c(x + δ),   f(C) = Σ_p a_p C^p,
//   L    = Σ_δ f(C_uu) − (2/R) Σ_r Σ_δ f(C_ur)   (and a constant of the references),
//   ∂L/∂u_c(x) = 2 scale Σ_δ [f'(C_uu(δ)) u_c(x + δ) − (1/R) Σ_r f'(C_ur(δ)) v_rc(x + δ)].
//
// Nine phases, of which 1, 3, 5 and 7 are the middle axis of three dimensions:
//
// u and v may be filtered fields: references are when they come, and u is by a real, even filter.
//
//   0  first axis of the fields, centred on the way in
//   2  last axis, the products |u|² and conj(u) v, and the last axis back; spectra of u are kept
//   4  first axis back to C; f(C) summed up, and on with f'(C), first axis again
//   6  last axis, the products with u and v, and the last axis back
//   8  first axis back to the gradient
#pragma once
#include <cstdint>

#include "dispatch.hpp"
#include "fourier/plan.hpp"

namespace pearlite {

// What one call computes; arrays are contiguous.
struct IdentityProblem {
  int64_t shape[3] = {1, 1, 1};      // n0, m, n; m = 1 in two dimensions
  int channels = 1, references = 1;
  double power[3] = {};              // a_2, a_3, a_4
  double scale = 1;
  const double* mean = nullptr;      // (channels)
  const void* spectra = nullptr;     // (references, channels, full), see `identity_spectra`
  const void* filter = nullptr;      // (full), whose real parts multiply the spectra of u, or null
  bool gradient = true;
  int threads = 1;
};

struct IdentityOutcome {
  double own = 0, cross = 0;         // Σ f(C_uu), and the mean over r of Σ f(C_ur)
  double peak = 0;                   // the largest C_u0, of the first reference
  int64_t peak_at = 0;               // its δ, flat in (n0, m, n)
};

// Numbers of type T that the spectrum of one field takes.
template <class T>
int64_t identity_spectrum_size(const int64_t* shape);
// Bytes of the workspace of a call. It must be zero when it is first used, and stay with one problem.
template <class T>
int64_t identity_workspace(const IdentityProblem&);

// Transforms a field (channels, n0, m, n), less the mean, into spectra (channels, full).
template <class T>
void identity_spectra(const IdentityProblem&, const T* field, T* spectra, void* workspace);
// field, gradient: (channels, n0, m, n).
template <class T>
IdentityOutcome identity_loss(const IdentityProblem&, const T* field, T* gradient, void* workspace);

// What a piece of a phase 4 finds.
struct IdentityPart {
  double sum = 0, peak = 0;
  int64_t peak_at = 0;
};

// What the driver hands to the kernels.
template <class T>
struct IdentityTask {
  const IdentityProblem* problem = nullptr;
  const AxisPlan<T>*first = nullptr, *middle = nullptr, *last = nullptr;
  const T* field = nullptr;          // (channels, n0, m, n)
  T* own_spectra = nullptr;          // (channels, full)
  T* halves = nullptr;               // (most of channels and 1 + references) half spectra
  IdentityPart* parts = nullptr;     // (1 + references, columns)
  T* gradient = nullptr;             // (channels, n0, m, n)
};

template <class T>
struct IdentityKernels {
  // Numbers in a half and in a full spectrum, in the work arrays of a thread, and pieces of phase 4.
  int64_t (*half_size)(const IdentityTask<T>&);
  int64_t (*full_size)(const IdentityTask<T>&);
  int64_t (*work_size)(const IdentityTask<T>&);
  int64_t (*columns)(const IdentityTask<T>&);
  // The independent pieces of a phase, and one of them.
  int64_t (*pieces)(const IdentityTask<T>&, int phase);
  void (*run)(const IdentityTask<T>&, int phase, int64_t piece, T* work);
};
PEARLITE_DECLARE_KERNELS(IdentityKernels<float>, identity32)
PEARLITE_DECLARE_KERNELS(IdentityKernels<double>, identity64)

}  // namespace pearlite
