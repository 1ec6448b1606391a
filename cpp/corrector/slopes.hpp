// The slopes of nodal fields on a stretch of one pixel row, and what the derivatives of the effective
// tensor make of them (see sensitivity.hpp). Plain loops over short arrays, which compilers turn
// into vector code.
#pragma once
#include "sensitivity.hpp"

namespace pearlite {
namespace PEARLITE_ISA {

constexpr int STRETCH = 128;  // pixels

// Mean slopes and twist of one field, with the unit mean gradient that belongs to it.
template <class T>
struct SlopeStretch {
  T m0[STRETCH], m1[STRETCH], c[STRETCH];

  // field: (n0, n1); pixels (i, first) to (i, first + count − 1); `unit`: −1 or the axis of the load
  void load(const CellShape& s, const T* field, int64_t i, int64_t first, int count, int unit) {
    T south[STRETCH + 1], north[STRETCH + 1];
    const T* a = field + i * s.n1;
    const T* b = field + (i + 1 == s.n0 ? 0 : i + 1) * s.n1;
    const int64_t last = first + count == s.n1 ? 0 : first + count;
    for (int j = 0; j < count; ++j) south[j] = a[first + j];
    for (int j = 0; j < count; ++j) north[j] = b[first + j];
    south[count] = a[last];
    north[count] = b[last];
    const T h0 = T(.5 / s.spacing[0]), h1 = T(.5 / s.spacing[1]), e0 = T(unit == 0), e1 = T(unit == 1);
    for (int j = 0; j < count; ++j) {
      const T west = north[j] - south[j], east = north[j + 1] - south[j + 1];
      m0[j] = e0 + h0 * (west + east);
      m1[j] = e1 + h1 * ((south[j + 1] - south[j]) + (north[j + 1] - north[j]));
      c[j] = east - west;
    }
  }
};

// Σ_ij G_ij (P_i ⊗ Q_j) on a stretch, added to `out`: its trace, or the symmetric tensor.
template <bool TENSOR, class T>
void contract(const CellShape& s, const T (&g)[2][2], const SlopeStretch<T> (&p)[2],
              const SlopeStretch<T> (&q)[2], int count, T* out) {
  const T t0 = T(1 / (12 * s.spacing[0] * s.spacing[0])), t1 = T(1 / (12 * s.spacing[1] * s.spacing[1]));
  for (int j = 0; j < count; ++j) {
    const T a0 = g[0][0] * q[0].m0[j] + g[0][1] * q[1].m0[j], b0 = g[1][0] * q[0].m0[j] + g[1][1] * q[1].m0[j];
    const T a1 = g[0][0] * q[0].m1[j] + g[0][1] * q[1].m1[j], b1 = g[1][0] * q[0].m1[j] + g[1][1] * q[1].m1[j];
    const T twist = p[0].c[j] * (g[0][0] * q[0].c[j] + g[0][1] * q[1].c[j]) +
                    p[1].c[j] * (g[1][0] * q[0].c[j] + g[1][1] * q[1].c[j]);
    const T d00 = p[0].m0[j] * a0 + p[1].m0[j] * b0 + t0 * twist, d11 = p[0].m1[j] * a1 + p[1].m1[j] * b1 + t1 * twist;
    if constexpr (!TENSOR) {
      out[j] += d00 + d11;
      continue;
    }
    const T cross = T(.5) * (p[0].m0[j] * a1 + p[1].m0[j] * b1 + p[0].m1[j] * a0 + p[1].m1[j] * b0);
    out[4 * j] += d00;
    out[4 * j + 1] += cross;
    out[4 * j + 2] += cross;
    out[4 * j + 3] += d11;
  }
}

// pull_back of one cell, or pull_back_change if `change` is given.
template <bool TENSOR, class T>
void pull_pixels(const CellShape& s, const T* correctors, const T* change, const double* cotangent, T* out) {
  const int64_t size = s.n0 * s.n1, width = TENSOR ? 4 : 1;
  T g[2][2];
  for (int k = 0; k < 4; ++k) g[k / 2][k % 2] = T(cotangent[k] / double(size));
  SlopeStretch<T> p[2], q[2];
  for (int64_t i = 0; i < s.n0; ++i)
    for (int64_t first = 0; first < s.n1; first += STRETCH) {
      const int count = int(s.n1 - first < STRETCH ? s.n1 - first : STRETCH);
      T* to = out + (i * s.n1 + first) * width;
      for (int64_t k = 0; k < count * width; ++k) to[k] = 0;
      for (int load = 0; load < 2; ++load) p[load].load(s, correctors + load * size, i, first, count, load);
      if (!change) {
        contract<TENSOR>(s, g, p, p, count, to);
        continue;
      }
      for (int load = 0; load < 2; ++load) q[load].load(s, change + load * size, i, first, count, -1);
      contract<TENSOR>(s, g, p, q, count, to);
      contract<TENSOR>(s, g, q, p, count, to);
    }
}

template <class T>
void pull_cell(const CellShape& s, const T* correctors, const T* change, const double* cotangent, T* out) {
  if (s.tensor) pull_pixels<true>(s, correctors, change, cotangent, out);
  else pull_pixels<false>(s, correctors, change, cotangent, out);
}

}  // namespace PEARLITE_ISA
}  // namespace pearlite
