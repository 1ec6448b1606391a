// The passes over one image, compiled once for each instruction set.
#include <cmath>

#include "training/norm.hpp"

namespace pearlite {
namespace PEARLITE_ISA {
namespace {

constexpr float epsilon = 1e-5f;
// Sums run in float32 over so many pixels, and then on in larger steps: the rounding of a sum of
// thousands stays that of a sum of hundreds.
constexpr int64_t block = 128;

// sum[c] += term(p, c) over all pixels, by way of `part` (channels,).
template <class Term>
inline void add_up(const NormTask& task, float* sum, float* part, const Term& term) {
  const int64_t channels = task.channels;
  for (int64_t c = 0; c < channels; ++c) sum[c] = 0;
  for (int64_t start = 0; start < task.pixels; start += block) {
    const int64_t end = start + block < task.pixels ? start + block : task.pixels;
    for (int64_t c = 0; c < channels; ++c) part[c] = 0;
    for (int64_t p = start; p < end; ++p)
      for (int64_t c = 0; c < channels; ++c) part[c] += term(p * channels + c, c);
    for (int64_t c = 0; c < channels; ++c) sum[c] += part[c];
  }
}

// What the channels' means say about each other.
struct Middle {
  float mean, inverse;  // m and q
};

Middle middle_of(const float* mean, int64_t channels) {
  double sum = 0, square = 0;
  for (int64_t c = 0; c < channels; ++c) sum += double(mean[c]);
  const double m = sum / double(channels);
  for (int64_t c = 0; c < channels; ++c) square += (double(mean[c]) - m) * (double(mean[c]) - m);
  return {float(m), float(1 / std::sqrt(square / double(channels - 1) + double(epsilon)))};
}

// t = scale x + offset for each channel.
void affine(const NormTask& task, const float* moments, const Middle& middle, float* scale, float* offset) {
  const float *mean = moments, *inverse = moments + task.channels;
  for (int64_t c = 0; c < task.channels; ++c) {
    scale[c] = task.gamma[c] * inverse[c];
    const float shift = task.alpha[c] * (mean[c] - middle.mean) * middle.inverse;
    offset[c] = task.gamma[c] * shift + task.beta[c] - scale[c] * mean[c];
  }
}

int64_t work_size(const NormTask& task) { return (8 * task.channels + 15) / 16 * 16 + 16; }

void forward(const NormTask& task, int64_t image, float* work) {
  const int64_t channels = task.channels, size = task.pixels * channels;
  const float* __restrict x = task.x + image * size;
  float* __restrict y = task.y + image * size;
  float* __restrict mean = task.moments + image * 2 * channels;
  float* __restrict inverse = mean + channels;
  float* __restrict scale = work;
  float* __restrict offset = work + channels;
  float* __restrict part = work + 2 * channels;
  const float* __restrict slope = task.slope;
  const float share = 1 / float(task.pixels);
  add_up(task, mean, part, [&](int64_t i, int64_t) { return x[i]; });
  for (int64_t c = 0; c < channels; ++c) mean[c] *= share;
  add_up(task, inverse, part, [&](int64_t i, int64_t c) { return (x[i] - mean[c]) * (x[i] - mean[c]); });
  for (int64_t c = 0; c < channels; ++c) inverse[c] = 1 / std::sqrt(inverse[c] * share + epsilon);
  affine(task, mean, middle_of(mean, channels), scale, offset);
  for (int64_t p = 0; p < task.pixels; ++p)
    for (int64_t c = 0; c < channels; ++c) {
      const float t = x[p * channels + c] * scale[c] + offset[c];
      y[p * channels + c] = t > 0 ? t : slope[c] * t;
    }
}

// Sums over pixels: A of dt, B of dt x, and of dy t where t <= 0, which is the gradient by slope.
void sums(const NormTask& task, const float* __restrict x, const float* __restrict dy, const float* __restrict scale,
          const float* __restrict offset, float* __restrict work, float* __restrict by_slope) {
  const int64_t channels = task.channels;
  const float* __restrict slope = task.slope;
  float* __restrict a = work;
  float* __restrict b = work + channels;
  float* __restrict part = work + 2 * channels;  // (3, channels)
  for (int64_t c = 0; c < channels; ++c) a[c] = b[c] = by_slope[c] = 0;
  for (int64_t start = 0; start < task.pixels; start += block) {
    const int64_t end = start + block < task.pixels ? start + block : task.pixels;
    for (int64_t c = 0; c < 3 * channels; ++c) part[c] = 0;
    for (int64_t p = start; p < end; ++p)
      for (int64_t c = 0; c < channels; ++c) {
        const int64_t i = p * channels + c;
        const float t = x[i] * scale[c] + offset[c];
        const float dt = t > 0 ? dy[i] : slope[c] * dy[i];
        part[c] += dt;
        part[channels + c] += dt * x[i];
        part[2 * channels + c] += t > 0 ? 0 : dy[i] * t;
      }
    for (int64_t c = 0; c < channels; ++c) {
      a[c] += part[c];
      b[c] += part[channels + c];
      by_slope[c] += part[2 * channels + c];
    }
  }
}

void backward(const NormTask& task, int64_t image, float* work) {
  const int64_t channels = task.channels, size = task.pixels * channels;
  const float* __restrict x = task.x + image * size;
  const float* __restrict dy = task.dy + image * size;
  float* __restrict dx = task.dx + image * size;
  const float* __restrict mean = task.moments + image * 2 * channels;
  const float* __restrict inverse = mean + channels;
  float* by_alpha = task.parameters + image * 4 * channels;
  float *by_gamma = by_alpha + channels, *by_beta = by_alpha + 2 * channels, *by_slope = by_alpha + 3 * channels;
  float* __restrict scale = work;
  float* __restrict offset = work + channels;
  float* __restrict a = work + 2 * channels;
  float* __restrict b = work + 3 * channels;
  const float* __restrict slope = task.slope;
  const Middle middle = middle_of(mean, channels);
  affine(task, mean, middle, scale, offset);
  sums(task, x, dy, scale, offset, a, by_slope);
  double total = 0, moment = 0;  // of D, and of D (μ − m)
  for (int64_t c = 0; c < channels; ++c) {
    b[c] = (b[c] - a[c] * mean[c]) * inverse[c];
    const float away = (mean[c] - middle.mean) * middle.inverse;
    by_beta[c] = a[c];
    by_gamma[c] = b[c] + a[c] * task.alpha[c] * away;
    by_alpha[c] = task.gamma[c] * a[c] * away;
    const double d = double(task.gamma[c]) * double(task.alpha[c]) * double(a[c]);
    total += d;
    moment += d * double(away);
  }
  // ∂L/∂x = scale dt + slant x + level for each channel; the last two take the place of a and b.
  const float share = 1 / float(task.pixels);
  for (int64_t c = 0; c < channels; ++c) {
    const float away = (mean[c] - middle.mean) * middle.inverse;
    const float d = task.gamma[c] * task.alpha[c] * a[c];
    const float by_mean =
        middle.inverse * (d - float(total / double(channels)) - away * float(moment / double(channels - 1)));
    const float slant = -scale[c] * inverse[c] * b[c] * share;
    const float level = -scale[c] * a[c] * share - slant * mean[c] + by_mean * share;
    a[c] = level;
    b[c] = slant;
  }
  for (int64_t p = 0; p < task.pixels; ++p)
    for (int64_t c = 0; c < channels; ++c) {
      const int64_t i = p * channels + c;
      const float t = x[i] * scale[c] + offset[c];
      const float dt = t > 0 ? dy[i] : slope[c] * dy[i];
      dx[i] = scale[c] * dt + b[c] * x[i] + a[c];
    }
}

}  // namespace

extern const NormKernels norm_table;
const NormKernels norm_table = {work_size, forward, backward};

}  // namespace PEARLITE_ISA
}  // namespace pearlite
