// Tensors of coarse voxels, and what the smoother needs to know of those of a grid.
#pragma once
#include "tensor_product.hpp"
#include "transfer.hpp"

namespace pearlite {
namespace PEARLITE_ISA {
namespace voxels {

// The inverse of a symmetric tensor, times `one`; 0 of a tensor that is not positive, a void's.
template <class V>
PEARLITE_INLINE void inverse_of(const V* a, double one, V* out) {
  const V c00 = a[1] * a[2] - a[5] * a[5], c01 = a[4] * a[5] - a[3] * a[2], c02 = a[3] * a[5] - a[4] * a[1];
  const V factor = one * inverse_or_zero(a[0] * c00 + a[3] * c01 + a[4] * c02);
  out[0] = factor * c00, out[3] = factor * c01, out[4] = factor * c02;
  out[1] = factor * (a[0] * a[2] - a[4] * a[4]);
  out[2] = factor * (a[0] * a[1] - a[3] * a[3]);
  out[5] = factor * (a[3] * a[4] - a[0] * a[5]);
}

PEARLITE_INLINE Vf root_of(const Vf& v) {
  alignas(64) float lane[LANES];
  v.store(lane);
  for (int k = 0; k < LANES; ++k) lane[k] = __builtin_sqrtf(lane[k]);
  return Vf::load(lane);
}

// An upper bound of the largest eigenvalue. With the mean q of the three and deviator s = a − q it is q + x
// for a root of x³ − 3p² x − det s, 6p² = tr s²: at most 2p, whence Newton's steps come down towards it.
PEARLITE_INLINE Vf largest_eigenvalue(const Vf* a) {
  const Vf q = (1.f / 3) * (a[0] + a[1] + a[2]);
  const Vf s0 = a[0] - q, s1 = a[1] - q, s2 = a[2] - q;
  const Vf off = a[3] * a[3] + a[4] * a[4] + a[5] * a[5];
  const Vf pp = (1.f / 6) * (s0 * s0 + s1 * s1 + s2 * s2 + 2.f * off);
  const Vf det = s0 * (s1 * s2 - a[5] * a[5]) - a[3] * (a[3] * s2 - a[4] * a[5]) + a[4] * (a[3] * a[5] - a[4] * s1);
  Vf x = 2.f * root_of(pp);
  for (int step = 0; step < 2; ++step)
    x = x - (x * (x * x - 3.f * pp) - det) * inverse_or_zero(3.f * (x * x - pp));
  return 1.0001f * (q + max(x, Vf::all(0)));
}

// The tensors of coarse voxels: three quarters of the mean and one of the harmonic mean, as of scalars
// (see Transfer::average), times the factor of each entry that larger voxels bring.
class TensorAverage {
 public:
  static constexpr int lines = 2 * ENTRIES + 1;
  static int64_t pitch(const Grid& fine) { return fine.pitch + 2 * LANES; }

  TensorAverage(const Transfer& transfer, const double* factor /* (6,) */) : t_(transfer), factor_(factor) {}

  // Row (i, j). memory: (lines, pitch)
  void row(int i, int j, const Tensors<float>& from, const Tensors<float>& to, double* memory) const {
    const int64_t width = pitch(t_.fine);
    const auto line = [&](int c) { return memory + c * width; };
    for (int c = 0; c < lines; ++c)
      for (int64_t k = 0; k < t_.fine.n[2]; k += LANES) Lanes<double>::all(0).store(line(c) + k);
    t_.gather(t_.axis[0].voxel, t_.axis[0].part, t_.axis[1].voxel, t_.axis[1].part, i, j, [&](int64_t at, float w) {
      for (int64_t k = 0; k < t_.fine.n[2]; k += LANES) add(from, at + k, double(w), memory + k, width);
    });
    const AxisTransfer& last = t_.axis[2];
    for (int c = 0; c < last.m; ++c) {
      double sum[lines] = {}, harmonic[ENTRIES] = {};
      for (int e = c * AxisTransfer::most; e < (c + 1) * AxisTransfer::most && last.part[e] != 0; ++e)
        for (int k = 0; k < lines; ++k) sum[k] += double(last.part[e]) * line(k)[last.voxel[e]];
      // A void among the voxels makes the harmonic mean 0.
      if (sum[lines - 1] > 1 - 1e-6) invert(sum + ENTRIES, harmonic);
      for (int k = 0; k < ENTRIES; ++k)
        to.entry[k][t_.coarse.at(i, j) + c] = float(factor_[k] * (.75 * sum[k] + .25 * harmonic[k]));
    }
    for (int k = 0; k < ENTRIES; ++k) close_row(t_.coarse, to.entry[k] + t_.coarse.at(i, j));
  }

 private:
  static PEARLITE_INLINE void add(const Tensors<float>& from, int64_t at, double w, double* line, int64_t width) {
    Vf single[ENTRIES];
    from.fetch_at(at, single);
    Lanes<double> a[ENTRIES], inverse[ENTRIES];
    for (int c = 0; c < ENTRIES; ++c) a[c] = convert<double>(single[c]);
    inverse_of(a, w, inverse);
    const auto more = [&](int c, const Lanes<double>& v) { (Lanes<double>::load(line + c * width) + v).store(line + c * width); };
    for (int c = 0; c < ENTRIES; ++c) more(c, w * a[c]), more(ENTRIES + c, inverse[c]);
    alignas(64) double first[LANES], solid[LANES];  // of voxels that are none of voids, their share
    inverse[0].store(first);
    for (int k = 0; k < LANES; ++k) solid[k] = first[k] > 0 ? w : 0;
    more(lines - 1, Lanes<double>::load(solid));
  }

  static void invert(const double* a, double* out) {
    const double c00 = a[1] * a[2] - a[5] * a[5], c01 = a[4] * a[5] - a[3] * a[2], c02 = a[3] * a[5] - a[4] * a[1];
    const double det = a[0] * c00 + a[3] * c01 + a[4] * c02;
    if (!(det > 0)) return;
    out[0] = c00 / det, out[3] = c01 / det, out[4] = c02 / det;
    out[1] = (a[0] * a[2] - a[4] * a[4]) / det;
    out[2] = (a[0] * a[1] - a[3] * a[3]) / det;
    out[5] = (a[3] * a[4] - a[0] * a[5]) / det;
  }

  const Transfer& t_;
  const double* factor_;
};

}  // namespace voxels
}  // namespace PEARLITE_ISA
}  // namespace pearlite
