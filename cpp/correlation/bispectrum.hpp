// The distance of a field's bispectrum from a given one, and its gradient.
//
//   B(k1, k2) = U(k1) U(k2) conj(U(k1 + k2)) / N,   L = Σ_k1 Σ_k2 |B − B*|² / N²
//
// U the Fourier transform of a real field of N pixels: by Parseval, L is Σ_r Σ_s (T − T*)² of the
// three-point correlations T(r, s) = ⟨M(x) M(x + r) M(x + s)⟩. The rows of k1 with 0 ≤ b ≤ n/2 along
// the last axis stand for those of −k1 as well.
#pragma once
#include <cstdint>

#include "dispatch.hpp"

namespace pearlite {

template <class T>
struct BispectrumProblem {
  int64_t n0 = 1, m = 1, n = 1;
  // Transforms, as real parts and then imaginary ones; the last axis lies twice in a row.
  const T* transform = nullptr;   // (2, n0 m, 2 n)
  const T* target = nullptr;      // (n0 m, n/2 + 1, 2, n0 m, n): B*, or null
  int threads = 1;
  bool (*interrupted)(void*) = nullptr;
};

// The loss; gradient (2, n0 m, n): Γ, with dL = 2 Re Σ_k conj(Γ(k)) dU(k). Not a number if interrupted.
template <class T>
double bispectrum_loss(const BispectrumProblem<T>& problem, double* gradient);

// out (n0 m, n/2 + 1, 2, n0 m, n): B.
template <class T>
bool bispectrum(const BispectrumProblem<T>& problem, T* out);

template <class T>
struct BispectrumKernels {
  // Adds the row of k1 = (a, b) to the loss and to Γ (2, n0 m, n) and Γ of k1 + k2 (2, n0 m, 2 n).
  double (*add_row)(const BispectrumProblem<T>&, int64_t a, int64_t b, T* second, T* third);
  void (*row)(const BispectrumProblem<T>&, int64_t a, int64_t b, T* out);
};
PEARLITE_DECLARE_KERNELS(BispectrumKernels<float>, bispectrum32)
PEARLITE_DECLARE_KERNELS(BispectrumKernels<double>, bispectrum64)

}  // namespace pearlite
