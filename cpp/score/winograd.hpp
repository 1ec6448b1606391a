// Winograd's F(4×4, 3×3): 36 multiplications for each pair of channels give 4×4 pixels, which take 144.
//
//   tile = Aᵀ [ (G g Gᵀ) · (Bᵀ d B) ] A      (A. Lavin and S. Gray, CVPR 2016, eq. 12)
//
// d: 6×6 pixels, g: 3×3 weights. The matrices are those of Toom and Cook for the points 0, ±a, ±b, ∞ with
// a = √½, b = √2, which lose half as many digits as the usual 1 and 2.
#pragma once
#include "score/panel.hpp"

namespace pearlite {
namespace PEARLITE_ISA {

constexpr float point_a = 0.707106781186547524f, point_b = 1.41421356237309505f;

// t = Bᵀ d of six registers; d is read with a pitch, as t is written.
PEARLITE_INLINE void transform_in(const V* d, int pitch, V* t) {
  const V even_a = d[4 * pitch] - 2.0f * d[2 * pitch], odd_a = d[3 * pitch] - 2.0f * d[pitch];
  const V even_b = d[4 * pitch] - 0.5f * d[2 * pitch], odd_b = d[3 * pitch] - 0.5f * d[pitch];
  t[0] = d[0] + d[4 * pitch] - 2.5f * d[2 * pitch];
  t[1 * pitch] = even_a + point_a * odd_a;
  t[2 * pitch] = even_a - point_a * odd_a;
  t[3 * pitch] = even_b + point_b * odd_b;
  t[4 * pitch] = even_b - point_b * odd_b;
  t[5 * pitch] = d[pitch] + d[5 * pitch] - 2.5f * d[3 * pitch];
}

// y = Aᵀ m: four registers of six.
PEARLITE_INLINE void transform_out(const V* m, int pitch, V* y) {
  const V sum_a = m[pitch] + m[2 * pitch], difference_a = m[pitch] - m[2 * pitch];
  const V sum_b = m[3 * pitch] + m[4 * pitch], difference_b = m[3 * pitch] - m[4 * pitch];
  y[0] = m[0] + sum_a + sum_b;
  y[pitch] = point_a * difference_a + point_b * difference_b;
  y[2 * pitch] = 0.5f * sum_a + 2.0f * sum_b;
  y[3 * pitch] = m[5 * pitch] + 0.5f * point_a * difference_a + 2.0f * point_b * difference_b;
}

// The tiles of one register. from: (6 rows, 4 columns mod 4, pitch) at the tiles' second column;
// to: (36, to_pitch).
PEARLITE_INLINE void tiles_in(const float* from, int64_t pitch, float* to, int64_t to_pitch) {
  V d[36], t[36];
#pragma GCC unroll 6
  for (int r = 0; r < 6; ++r) {
    const float* row = from + 4 * r * pitch;
    d[6 * r] = load_anywhere(row + 3 * pitch - 1);
#pragma GCC unroll 4
    for (int p = 0; p < 4; ++p) d[6 * r + 1 + p] = V::load(row + p * pitch);
    d[6 * r + 5] = load_anywhere(row + 1);
  }
#pragma GCC unroll 6
  for (int j = 0; j < 6; ++j) transform_in(d + j, 6, t + j);
#pragma GCC unroll 6
  for (int i = 0; i < 6; ++i) {
    V row[6];
    transform_in(t + 6 * i, 1, row);
#pragma GCC unroll 6
    for (int j = 0; j < 6; ++j) row[j].store(to + (6 * i + j) * to_pitch);
  }
}

// from: (36, pitch); y: (4 rows, 4 columns).
PEARLITE_INLINE void tiles_out(const float* from, int64_t pitch, V* y) {
  V m[36], t[24];
#pragma GCC unroll 36
  for (int k = 0; k < 36; ++k) m[k] = V::load(from + k * pitch);
#pragma GCC unroll 6
  for (int j = 0; j < 6; ++j) transform_out(m + j, 6, t + j);
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) transform_out(t + 6 * i, 1, y + 4 * i);
}

}  // namespace PEARLITE_ISA
}  // namespace pearlite
