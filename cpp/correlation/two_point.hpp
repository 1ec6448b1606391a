// Two-point correlations of batches of fields by fused Fourier transforms.
//
//   out_p(r) = scale Σ_x M_a(x) M_b(x + r), for each pair p = (a, b) of the fields of an item
//
// over all shifts r of a periodic cell, or over those of fields that are padded with zeros.
#pragma once
#include <cstdint>

#include "dispatch.hpp"
#include "fourier/plan.hpp"

namespace pearlite {

constexpr int most_fields = 256;

enum class FieldType { float32, float64, uint8, uint16, int32 };

// What one call computes; arrays are contiguous.
struct TwoPointProblem {
  int64_t batch = 1;
  int64_t field_shape[3] = {1, 1, 1};   // n0, m, n; m = 1 in two dimensions
  int64_t shape[3] = {1, 1, 1};         // of the transforms: the same, or larger and padded
  FieldType type = FieldType::float32;
  int fields = 1;                       // of an item, at most `most_fields`
  const void* const* field = nullptr;   // (fields): each (batch, n0, m, n)
  const int64_t* phase = nullptr;       // (fields), for labels: M is 1 where the label is this one
  int pairs = 1;
  const int* left = nullptr;            // (pairs)
  const int* right = nullptr;
  bool overlap_means = false;           // padded: divide by the number of x in the mean
  double scale = 1;
  int threads = 1;
  bool (*interrupted)(void*) = nullptr;
};

// out: (batch, pairs, n0, m, n) with the zero shift at index 0; of padded fields
// (batch, pairs, 2 n0 − 1, 2 m − 1, 2 n − 1) with the zero shift in the middle. False if interrupted.
template <class T>
bool two_point(const TwoPointProblem& problem, T* out);

// What a kernel does for one item, in phases; each phase is a number of independent pieces.
template <class T>
struct TwoPointTask {
  const TwoPointProblem* problem = nullptr;
  const AxisPlan<T>*first = nullptr, *middle = nullptr, *last = nullptr;
  int64_t item = 0;
  T* half = nullptr;            // (fields + pairs) half spectra
  const T* weight[3] = {};      // 1 / overlaps along each axis, (2 n − 1), or null
  T* out = nullptr;             // of this item
};

template <class T>
struct TwoPointKernels {
  int lanes;
  // Numbers in a half spectrum, and in the work arrays of a thread.
  int64_t (*half_size)(const TwoPointTask<T>&);
  int64_t (*work_size)(const TwoPointTask<T>&);
  // Phases 0 … 4: the pieces of a phase, and one of them.
  int64_t (*pieces)(const TwoPointTask<T>&, int phase);
  void (*run)(const TwoPointTask<T>&, int phase, int64_t piece, T* work);
};
PEARLITE_DECLARE_KERNELS(TwoPointKernels<float>, two_point32)
PEARLITE_DECLARE_KERNELS(TwoPointKernels<double>, two_point64)

}  // namespace pearlite
