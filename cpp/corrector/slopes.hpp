// The slopes of nodal fields on a stretch of one pixel row, and what the derivatives of the effective
// tensor make of them (see sensitivity.hpp). Plain loops over short arrays, which compilers turn
// into vector code.
#pragma once
#include "sensitivity.hpp"
#include "shared/slopes.hpp"

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
    const PixelScales<T> scales = pixel_scales<T>(s.spacing);
    const T e0 = T(unit == 0), e1 = T(unit == 1);
    for (int j = 0; j < count; ++j) {
      const Slope<T> slope = slope_of(scales, south[j], south[j + 1], north[j], north[j + 1], e0, e1);
      m0[j] = slope.m0;
      m1[j] = slope.m1;
      c[j] = slope.c;
    }
  }
  Slope<T> at(int j) const { return {m0[j], m1[j], c[j]}; }
};

// Σ_ij G_ij (P_i ⊗ Q_j) on a stretch, added to `out`: its trace, or the symmetric tensor.
template <bool TENSOR, class T>
void contract(PixelScales<T> scales, const T* cotangent, const SlopeStretch<T> (&p)[2],
              const SlopeStretch<T> (&q)[2], int count, T* out) {
  const T g[4] = {cotangent[0], cotangent[1], cotangent[2], cotangent[3]};  // which `out` cannot change
  for (int j = 0; j < count; ++j)
    contract_slopes<TENSOR>(scales, g, p[0].at(j), p[1].at(j), q[0].at(j), q[1].at(j), out + (TENSOR ? 4 * j : j));
}

// pull_back of one cell, or pull_back_change if `change` is given.
template <bool TENSOR, class T>
void pull_pixels(const CellShape& s, const T* correctors, const T* change, const double* cotangent, T* out) {
  const int64_t size = s.n0 * s.n1, width = TENSOR ? 4 : 1;
  const PixelScales<T> scales = pixel_scales<T>(s.spacing);
  T g[4];  // (2, 2)
  for (int k = 0; k < 4; ++k) g[k] = T(cotangent[k] / double(size));
  SlopeStretch<T> p[2], q[2];
  for (int64_t i = 0; i < s.n0; ++i)
    for (int64_t first = 0; first < s.n1; first += STRETCH) {
      const int count = int(s.n1 - first < STRETCH ? s.n1 - first : STRETCH);
      T* to = out + (i * s.n1 + first) * width;
      for (int64_t k = 0; k < count * width; ++k) to[k] = 0;
      for (int load = 0; load < 2; ++load) p[load].load(s, correctors + load * size, i, first, count, load);
      if (!change) {
        contract<TENSOR>(scales, g, p, p, count, to);
        continue;
      }
      for (int load = 0; load < 2; ++load) q[load].load(s, change + load * size, i, first, count, -1);
      contract<TENSOR>(scales, g, p, q, count, to);
      contract<TENSOR>(scales, g, q, p, count, to);
    }
}

template <class T>
void pull_cell(const CellShape& s, const T* correctors, const T* change, const double* cotangent, T* out) {
  if (s.tensor) pull_pixels<true>(s, correctors, change, cotangent, out);
  else pull_pixels<false>(s, correctors, change, cotangent, out);
}

}  // namespace PEARLITE_ISA
}  // namespace pearlite
