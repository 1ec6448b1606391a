// The passes of `descend_sliced` over lines of pixels, compiled once for each instruction set.
#include "correlation/sampler.hpp"
#include "shared/simd.hpp"

namespace pearlite {
namespace PEARLITE_ISA {
namespace {

constexpr int L = PEARLITE_REGISTER_BYTES / int(sizeof(float));
using V = Vec<float, L>;

// The shifted lines of a stencil lie at any address.
PEARLITE_INLINE V load_anywhere(const float* p) {
  V v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}
PEARLITE_INLINE void store_anywhere(const V& v, float* p) { __builtin_memcpy(p, &v, sizeof v); }

// `outputs` sums of `wide` registers each, which the register file holds.
template <int outputs, int wide>
void stencil_block(const float* const* line, const float* weights, int64_t taps, int all, int64_t x,
                   float* const* out) {
  V sum[outputs][wide];
  for (int k = 0; k < outputs; ++k)
    for (int j = 0; j < wide; ++j) sum[k][j] = V::all(0);
  for (int64_t t = 0; t < taps; ++t) {
    V value[wide];
    for (int j = 0; j < wide; ++j) value[j] = load_anywhere(line[t] + x + j * L);
    for (int k = 0; k < outputs; ++k) {
      const V w = V::all(weights[t * all + k]);
      for (int j = 0; j < wide; ++j) sum[k][j] = sum[k][j] + w * value[j];
    }
  }
  for (int k = 0; k < outputs; ++k)
    for (int j = 0; j < wide; ++j) store_anywhere(sum[k][j], out[k] + x + j * L);
}

// Wide blocks first, then ever narrower ones, so that a line is overrun by two registers at most.
template <int outputs, int wide>
void stencil_line(const float* const* line, const float* weights, int64_t taps, int all, int64_t x,
                  int64_t count, float* const* out) {
  for (; wide == 2 ? x < count : x + wide * L <= count; x += wide * L)
    stencil_block<outputs, wide>(line, weights, taps, all, x, out);
  if constexpr (wide > 2) stencil_line<outputs, wide / 2>(line, weights, taps, all, x, count, out);
}

void stencil(const float* const* line, const float* weights, int64_t taps, int outputs, int64_t count,
             float* const* out) {
  constexpr int most = L == 16 ? 8 : 4;  // AVX-512 has 32 registers, others 16
  int k = 0;
  for (; k + most <= outputs; k += most)
    stencil_line<most, 2>(line, weights + k, taps, outputs, 0, count, out + k);
  for (; k + 2 <= outputs; k += 2) stencil_line<2, 4>(line, weights + k, taps, outputs, 0, count, out + k);
  for (; k < outputs; ++k) stencil_line<1, 8>(line, weights + k, taps, outputs, 0, count, out + k);
}

PEARLITE_INLINE int bin_of(float position) {
  const int bin = int(position);
  return bin < 0 ? 0 : bin >= sliced_bins ? sliced_bins - 1 : bin;
}

// Equal values, as in uniform regions, would make each increment wait for the one before: they go to
// four histograms in turn.
void count(const float* f, int64_t count, float low, float scale, int32_t* histogram) {
  constexpr int chunk = 256;
  int32_t bins[chunk];
  for (int64_t x = 0; x < count; x += chunk) {
    const int size = int(count - x < chunk ? count - x : chunk);
    for (int i = 0; i < size; ++i) bins[i] = bin_of((f[x + i] - low) * scale);
    for (int i = 0; i < size; ++i) ++histogram[(i & 3) * sliced_bins + bins[i]];
  }
}

// Positions and bins in registers, the table's entries one by one.
double displace(float* f, int64_t count, float low, float scale, const float* table) {
  constexpr int chunk = 256;
  double total = 0;
  int32_t bins[chunk];
  float lower[chunk], upper[chunk], squares[16];
  for (int64_t x = 0; x < count; x += chunk) {
    const int size = int(count - x < chunk ? count - x : chunk);
    float* value = f + x;
    for (int i = 0; i < size; ++i) bins[i] = bin_of((value[i] - low) * scale);
    for (int i = 0; i < size; ++i) lower[i] = table[bins[i]], upper[i] = table[bins[i] + 1];
    for (int i = 0; i < size; ++i) {
      const float share = (value[i] - low) * scale - float(bins[i]);
      value[i] = lower[i] + share * (upper[i] - lower[i]);
    }
    for (int j = 0; j < 16; ++j) squares[j] = 0;
    int i = 0;
    for (; i + 16 <= size; i += 16)
      for (int j = 0; j < 16; ++j) squares[j] += value[i + j] * value[i + j];
    for (; i < size; ++i) squares[0] += value[i] * value[i];
    for (int j = 0; j < 16; ++j) total += double(squares[j]);
  }
  return total;
}

void update(const float* change, int64_t count, float rate, float momentum, float* velocity, float* field) {
  for (int64_t x = 0; x < count; ++x) {
    const float v = momentum * velocity[x] + rate * change[x];
    const float value = field[x] + v;
    velocity[x] = v;
    field[x] = value < 0 ? 0 : value > 1 ? 1 : value;
  }
}

}  // namespace

extern const SlicedKernels sliced_table = {stencil, count, displace, update};

}  // namespace PEARLITE_ISA
}  // namespace pearlite
