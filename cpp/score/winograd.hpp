// Winograd's F(4×4, 3×3): 36 multiplications for each pair of channels give 4×4 pixels, which take
// 144.
//
//   tile = Aᵀ [ (G g Gᵀ) · (Bᵀ d B) ] A      (A. Lavin and S. Gray, CVPR 2016, eq. 12)
//
// d: 6×6 pixels, g: 3×3 weights. The matrices are those of Toom and Cook for the points 0, ±a, ±b,
// ∞ with a = √½, b = √2, which lose half as many digits as the usual 1 and 2.
#pragma once
#include "score/panel.hpp"

namespace pearlite {
namespace PEARLITE_ISA {

constexpr float point_a = 0.707106781186547524f, point_b = 1.41421356237309505f;

// t = Bᵀ d of six registers or numbers.
template <class T>
PEARLITE_INLINE void transform_in(const T* d, T* t) {
  const T even_a = d[4] - 2.0f * d[2], odd_a = d[3] - 2.0f * d[1];
  const T even_b = d[4] - 0.5f * d[2], odd_b = d[3] - 0.5f * d[1];
  t[0] = d[0] + d[4] - 2.5f * d[2];
  t[1] = even_a + point_a * odd_a;
  t[2] = even_a - point_a * odd_a;
  t[3] = even_b + point_b * odd_b;
  t[4] = even_b - point_b * odd_b;
  t[5] = d[1] + d[5] - 2.5f * d[3];
}

// y = Aᵀ m: four registers of six.
PEARLITE_INLINE void transform_out(const V* m, V* y, int to) {
  const V sum_a = m[1] + m[2], difference_a = m[1] - m[2];
  const V sum_b = m[3] + m[4], difference_b = m[3] - m[4];
  y[0] = m[0] + sum_a + sum_b;
  y[to] = point_a * difference_a + point_b * difference_b;
  y[2 * to] = 0.5f * sum_a + 2.0f * sum_b;
  y[3 * to] = m[5] + 0.5f * point_a * difference_a + 2.0f * point_b * difference_b;
}

constexpr int staged_pitch = (group + 2) * lanes;  // of what `stage` leaves
constexpr int products_pitch = 37 * lanes;  // (37, for a power of two would crowd the first cache)

// The second half of Bᵀ d B, of the tiles of one register. from: (6, 4 columns mod 4, staged_pitch)
// at the tiles' second column, whose columns are transformed already; to: (36, to_pitch).
PEARLITE_INLINE void transform_rows(const float* from, float* to, int64_t to_pitch) {
#pragma GCC unroll 1
  for (int i = 0; i < 6; ++i, from += tile * staged_pitch, to += 6 * to_pitch) {
    // The columns before and behind a tile belong to its neighbours.
    V d[6], t[6];
    d[0] = load_anywhere(from + 3 * staged_pitch - 1);
#pragma GCC unroll 4
    for (int p = 0; p < tile; ++p) d[1 + p] = V::load(from + p * staged_pitch);
    d[5] = load_anywhere(from + 1);
    transform_in(d, t);
#pragma GCC unroll 6
    for (int j = 0; j < 6; ++j) t[j].store(to + j * to_pitch);
  }
}

// from: (36); y: (4 rows, 4 columns).
PEARLITE_INLINE void tiles_out(const float* from, V* y) {
  V t[24];
#pragma GCC unroll 6
  for (int j = 0; j < 6; ++j) {
    V m[6];
#pragma GCC unroll 6
    for (int i = 0; i < 6; ++i) m[i] = V::load(from + (6 * i + j) * lanes);
    transform_out(m, t + j, 6);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) transform_out(t + 6 * i, y + 4 * i, 1);
}

}  // namespace PEARLITE_ISA
}  // namespace pearlite
