// Two- and three-point correlations on a list of vectors: for each pair (r, s) the mean over the pixels
// x of a periodic field of e_r(x) e_s(x), and for each r that of e_r(x); and the derivatives of both.
// Two or three dimensions. The ensembles e_r are formed on the way, block by block, and never stored.
#pragma once
#include <cstdint>

#include "dispatch.hpp"
#include "shared/ensembles.hpp"

namespace pearlite {

struct Window {
  int64_t size[3] = {1, 1, 1};       // of the field; in 2D size[0] is 1
  const int64_t* vectors = nullptr;  // (count, 3)
  int64_t count = 0;
  Form form = Form::centred;
  double steepness = 10;             // of the logistic threshold
  int threads = 1;
  bool (*interrupted)(void*) = nullptr;
};

// Both return false once `interrupted` has ended them. gram: (count, count); means: (count,).
template <class T>
bool descriptor(const Window& window, const T* field, T* gram, T* means);

// The gradient (*size) of Σ gram_cotangent · gram + Σ means_cotangent · means in the field.
// gram_cotangent: (count, count), symmetric; means_cotangent: (count,)
template <class T>
bool descriptor_gradient(const Window& window, const T* field, const T* gram_cotangent,
                         const T* means_cotangent, T* gradient);

// The threshold of Seibert et al. (2021), eqs. (21) and (22): f(x) = scale / (1 + e^(−a (x − 3/4))) + shift
// with f(0) = 0 and f(1) = 1.
struct Threshold {
  double steepness, scale, shift;
};
Threshold threshold(double steepness);

// What the kernels are given: the field with margins, so that x + r is always at a fixed distance.
template <class T>
struct Ensembles {
  Form form;
  const T* values;         // at the first pixel; for the logistic form e^(−steepness v / 2)
  const int64_t* lines;    // (line_count,): where each line of pixels begins
  int64_t line_count, line_length;
  const int64_t* offsets;  // (count,): distance of x + r from x
  int64_t count;
  Logistic<T> logistic;    // the threshold of that form
};

template <class T>
struct DescriptorKernelsOf {
  int64_t (*gram_workspace)();
  int64_t (*gradient_workspace)(int64_t count);
  // Adds the sums over all pixels to columns [first, end) of the upper triangle of gram (count, count).
  void (*gram)(const Ensembles<T>&, int64_t first, int64_t end, T* gram, T* workspace);
  // means (count,): sums over all pixels
  void (*means)(const Ensembles<T>&, T* means);
  // Adds the gradient of the pixels of lines [first, end) to `out`, which is laid out as values are.
  void (*gradient)(const Ensembles<T>&, const T* gram_cotangent, const T* means_cotangent, int64_t first,
                   int64_t end, T* out, T* workspace);
};

struct DescriptorKernels {
  static constexpr int64_t columns = 128;  // a block of `gram`
  static constexpr int64_t slack = 80;     // values that may be read or written past the last one
  DescriptorKernelsOf<float> of32;
  DescriptorKernelsOf<double> of64;
};

PEARLITE_DECLARE_KERNELS(DescriptorKernels, descriptor_kernels)

}  // namespace pearlite
