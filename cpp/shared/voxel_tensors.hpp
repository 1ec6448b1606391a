// Symmetric tensors of voxels, on host and device: the trilinear element in the modes of its corners (see
// modes.hpp), tensors of coarse voxels, and derivatives.
//
// With ξ from −½ to ½ along each axis and u = Σ c_S Π_{d∈S} ξ_d over sets S of axes, the energy
// ∫ ∇u · a ∇u of a unit voxel falls apart by the number of axes:
//   one    Σ_de a_de c_d c_e
//   two    (1/12) Σ a_de c_df c_ef over d, e and the axes f other than both
//   three  (1/144) tr(a) c_012²
// The sums and differences m of the eight corners are 4 c of one axis, 2 c of two, and c of three: the
// energy is Σ m · flux / 16, with the fluxes that are linear in m below.
//
// V says what a number is: float, double, or a vector of either.
#pragma once
#include "shared/inverse.hpp"

namespace pearlite {

constexpr int tensor_entries = 6;  // 00, 11, 22, 01, 02, 12

PEARLITE_FORMULA constexpr int entry_of(int d, int e) { return d == e ? d : d + e + 2; }

// a: (6,); mode, flux: (8,), of which 0 is not used
template <class T, class V>
PEARLITE_FORMULA void flux_of_modes(const V* a, const V* mode, V* flux) {
  const T third = T(1) / 3;
  flux[4] = a[0] * mode[4] + (a[3] * mode[2] + a[4] * mode[1]);
  flux[2] = a[3] * mode[4] + (a[1] * mode[2] + a[5] * mode[1]);
  flux[1] = a[4] * mode[4] + (a[5] * mode[2] + a[2] * mode[1]);
  const V both = a[0] + a[1], m6 = third * mode[6], m5 = third * mode[5], m3 = third * mode[3];
  flux[6] = both * m6 + (a[5] * m5 + a[4] * m3);
  flux[5] = a[5] * m6 + ((a[0] + a[2]) * m5 + a[3] * m3);
  flux[3] = a[4] * m6 + (a[3] * m5 + (a[1] + a[2]) * m3);
  flux[7] = (both + a[2]) * ((third * third) * mode[7]);
}

// Of corner p in mode m: −1 for each axis of the mode along which the corner is a lower one.
PEARLITE_FORMULA int sign_in_mode(int m, int p) {
  const int lower = m & ~p;
  return (lower ^ lower >> 1 ^ lower >> 2) & 1 ? -1 : 1;
}

// The inverse of a symmetric tensor (6,), times `one`; 0 of a tensor that is not positive, a void's.
template <class V>
PEARLITE_FORMULA void inverse_of(const V* a, double one, V* out) {
  const V c00 = a[1] * a[2] - a[5] * a[5], c01 = a[4] * a[5] - a[3] * a[2], c02 = a[3] * a[5] - a[4] * a[1];
  const V factor = one * inverse_or_zero(a[0] * c00 + a[3] * c01 + a[4] * c02);
  out[0] = factor * c00;
  out[1] = factor * (a[0] * a[2] - a[4] * a[4]);
  out[2] = factor * (a[0] * a[1] - a[3] * a[3]);
  out[3] = factor * c01;
  out[4] = factor * c02;
  out[5] = factor * (a[3] * a[4] - a[0] * a[5]);
}

// An upper bound of the largest eigenvalue. With the mean q of the three and deviator s = a − q it is q + x
// for a root of x³ − 3p² x − det s, 6p² = tr s²: at most 2p, whence Newton's steps come down towards it.
// root(v), larger(v, w): of numbers or of each lane
template <class V, class Root, class Larger>
PEARLITE_FORMULA V largest_eigenvalue(const V* a, const Root& root, const Larger& larger) {
  const V q = (1.f / 3) * (a[0] + a[1] + a[2]);
  const V s0 = a[0] - q, s1 = a[1] - q, s2 = a[2] - q;
  const V off = a[3] * a[3] + a[4] * a[4] + a[5] * a[5];
  const V pp = (1.f / 6) * (s0 * s0 + s1 * s1 + s2 * s2 + 2.f * off);
  const V det = s0 * (s1 * s2 - a[5] * a[5]) - a[3] * (a[3] * s2 - a[4] * a[5]) + a[4] * (a[3] * a[5] - a[4] * s1);
  V x = 2.f * root(pp);
  for (int step = 0; step < 2; ++step)
    x = x - (x * (x * x - 3.f * pp) - det) * inverse_or_zero(3.f * (x * x - pp));
  return 1.0001f * larger(q, q + x);
}

// The tensor (6,) of a coarse voxel: three quarters of the mean and one of the harmonic mean, as of scalars (see
// voxel_grids.hpp). sums (13,): of the tensors of the voxels that it covers, of their inverses, and of the parts
// that are none of voids; a void among them makes the harmonic mean 0.
constexpr int coarse_sums = 2 * tensor_entries + 1;
PEARLITE_FORMULA void coarse_tensor(const double* sums, double* out) {
  double harmonic[tensor_entries] = {};
  if (sums[coarse_sums - 1] > 1 - 1e-6) inverse_of(sums + tensor_entries, 1, harmonic);
  for (int k = 0; k < tensor_entries; ++k) out[k] = .75 * sums[k] + .25 * harmonic[k];
}

// Larger voxels have larger couplings: entry de of those of a grid of m nodes takes, of those of n, the volume
// over the lengths of both axes.
PEARLITE_FORMULA double coarse_factor(const int* n, const int* m, int d, int e) {
  double volume = 1;
  for (int k = 0; k < 3; ++k) volume *= double(n[k]) / m[k];
  return volume * (double(m[d]) / n[d]) * (double(m[e]) / n[e]);
}

// 16 times what derivatives in the entries of a voxel's tensor are, of products(m, n) of two modes.
// store(k, l, value): k ≤ l
template <class T, class Product, class Store>
PEARLITE_FORMULA void pull_tensor(const Product& product, const Store& store) {
  const T third = T(1) / 3;
  const auto all = (third * third) * product(7, 7);
  const auto p6 = third * product(6, 6), p5 = third * product(5, 5), p3 = third * product(3, 3);
  store(0, 0, product(4, 4) + p6 + p5 + all);
  store(1, 1, product(2, 2) + p6 + p3 + all);
  store(2, 2, product(1, 1) + p5 + p3 + all);
  store(0, 1, product(4, 2) + third * product(5, 3));
  store(0, 2, product(4, 1) + third * product(6, 3));
  store(1, 2, product(2, 1) + third * product(6, 5));
}

}  // namespace pearlite
