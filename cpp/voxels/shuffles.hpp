// Lanes moved within and between vectors.
#pragma once
#include "grid.hpp"

namespace pearlite {
namespace PEARLITE_ISA {
namespace voxels {

// The last lane of `before`, then all but the last lane of `v`.
template <class T>
PEARLITE_INLINE Lanes<T> shifted(const Lanes<T>& before, const Lanes<T>& v) {
  using V = Lanes<T>;
  V out;
  for (int i = 0; i < V::registers; ++i) {
    const auto low = i > 0 ? v.r[i - 1] : before.r[V::registers - 1];
    if constexpr (V::per_register == 16)
      out.r[i] = __builtin_shufflevector(low, v.r[i], 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30);
    else if constexpr (V::per_register == 8)
      out.r[i] = __builtin_shufflevector(low, v.r[i], 7, 8, 9, 10, 11, 12, 13, 14);
    else if constexpr (V::per_register == 4)
      out.r[i] = __builtin_shufflevector(low, v.r[i], 3, 4, 5, 6);
    else
      out.r[i] = __builtin_shufflevector(low, v.r[i], 1, 2);
  }
  return out;
}

// A vector whose last lane is that of the last of n nodes, of whose row v is the last vector.
template <class T>
PEARLITE_INLINE Lanes<T> last_of(const Lanes<T>& v, int64_t n) {
  if (n % LANES == 0) return v;
  alignas(64) T lane[LANES];
  v.store(lane);
  return Lanes<T>::all(lane[n % LANES - 1]);
}

// a0 b0 a1 b1 …: the first half of them in `low`, the second in `high`.
template <class V>
PEARLITE_INLINE void zip(const V& a, const V& b, V& low, V& high) {
  constexpr int n = V::registers;
  typename V::Register out[2 * n];
  for (int i = 0; i < n; ++i) {
    const auto x = a.r[i], y = b.r[i];
    if constexpr (V::per_register == 16) {
      out[2 * i] = __builtin_shufflevector(x, y, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
      out[2 * i + 1] = __builtin_shufflevector(x, y, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    } else if constexpr (V::per_register == 8) {
      out[2 * i] = __builtin_shufflevector(x, y, 0, 8, 1, 9, 2, 10, 3, 11);
      out[2 * i + 1] = __builtin_shufflevector(x, y, 4, 12, 5, 13, 6, 14, 7, 15);
    } else {
      out[2 * i] = __builtin_shufflevector(x, y, 0, 4, 1, 5);
      out[2 * i + 1] = __builtin_shufflevector(x, y, 2, 6, 3, 7);
    }
  }
  for (int i = 0; i < n; ++i) low.r[i] = out[i], high.r[i] = out[n + i];
}

// The reverse: lanes of even and of odd places.
template <class V>
PEARLITE_INLINE void unzip(const V& low, const V& high, V& even, V& odd) {
  constexpr int n = V::registers;
  for (int i = 0; i < n; ++i) {
    const auto x = 2 * i < n ? low.r[2 * i % n] : high.r[2 * i % n];
    const auto y = 2 * i + 1 < n ? low.r[(2 * i + 1) % n] : high.r[(2 * i + 1) % n];
    if constexpr (V::per_register == 16) {
      even.r[i] = __builtin_shufflevector(x, y, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
      odd.r[i] = __builtin_shufflevector(x, y, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
    } else if constexpr (V::per_register == 8) {
      even.r[i] = __builtin_shufflevector(x, y, 0, 2, 4, 6, 8, 10, 12, 14);
      odd.r[i] = __builtin_shufflevector(x, y, 1, 3, 5, 7, 9, 11, 13, 15);
    } else {
      even.r[i] = __builtin_shufflevector(x, y, 0, 2, 4, 6);
      odd.r[i] = __builtin_shufflevector(x, y, 1, 3, 5, 7);
    }
  }
}

}  // namespace voxels
}  // namespace PEARLITE_ISA
}  // namespace pearlite
