// Tensors of coarse voxels, and what the smoother needs to know of those of a grid.
#pragma once
#include "tensor_product.hpp"
#include "transfer.hpp"

namespace pearlite {
namespace PEARLITE_ISA {
namespace voxels {

PEARLITE_INLINE Vf root_of(const Vf& v) {
  alignas(64) float lane[LANES];
  v.store(lane);
  for (int k = 0; k < LANES; ++k) lane[k] = __builtin_sqrtf(lane[k]);
  return Vf::load(lane);
}

PEARLITE_INLINE Vf largest_eigenvalue(const Vf* a) {
  return pearlite::largest_eigenvalue(
      a, [](const Vf& v) { return root_of(v); }, [](const Vf& v, const Vf& w) { return max(v, w); });
}

// The tensors of coarse voxels, times the factor of each entry that larger voxels bring.
class TensorAverage {
 public:
  static constexpr int lines = coarse_sums;
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
      double sum[lines] = {}, coarse[ENTRIES];
      for (int e = c * AxisTransfer::most; e < (c + 1) * AxisTransfer::most && last.part[e] != 0; ++e)
        for (int k = 0; k < lines; ++k) sum[k] += double(last.part[e]) * line(k)[last.voxel[e]];
      coarse_tensor(sum, coarse);
      for (int k = 0; k < ENTRIES; ++k) to.entry[k][t_.coarse.at(i, j) + c] = float(factor_[k] * coarse[k]);
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

  const Transfer& t_;
  const double* factor_;
};

}  // namespace voxels
}  // namespace PEARLITE_ISA
}  // namespace pearlite
