// Short vectors of a fixed number of lanes, made of the instruction set's own registers.
// A Vec<float, 16> is one AVX-512, two AVX or four SSE registers; the kernels never know.
#pragma once
#include <cstdint>

#if defined(__SSE2__)
#include <immintrin.h>
#endif
#if defined(__AVX512F__)
#define PEARLITE_REGISTER_BYTES 64
#elif defined(__AVX__)
#define PEARLITE_REGISTER_BYTES 32
#else
#define PEARLITE_REGISTER_BYTES 16
#endif
#define PEARLITE_INLINE inline __attribute__((always_inline))

namespace pearlite {
namespace PEARLITE_ISA {

template <class T, int N>
struct Vec {
  static constexpr int lanes = N;
  static constexpr int bytes =
      N * int(sizeof(T)) < PEARLITE_REGISTER_BYTES ? N * int(sizeof(T)) : PEARLITE_REGISTER_BYTES;
  static constexpr int registers = N * int(sizeof(T)) / bytes;
  static constexpr int per_register = bytes / int(sizeof(T));
  typedef T Register __attribute__((vector_size(bytes)));
  Register r[registers];

  static PEARLITE_INLINE Vec load(const T* p) {
    Vec v;
    for (int i = 0; i < registers; ++i)
      v.r[i] = *reinterpret_cast<const Register*>(p + i * per_register);
    return v;
  }
  PEARLITE_INLINE void store(T* p) const {
    for (int i = 0; i < registers; ++i) *reinterpret_cast<Register*>(p + i * per_register) = r[i];
  }
  static PEARLITE_INLINE Vec all(T x) {
    Vec v;
    for (int i = 0; i < registers; ++i) v.r[i] = Register{} + x;
    return v;
  }
};

#define PEARLITE_LANEWISE(op)                                                  \
  template <class T, int N>                                                    \
  PEARLITE_INLINE Vec<T, N> operator op(const Vec<T, N>& a, const Vec<T, N>& b) { \
    Vec<T, N> c;                                                               \
    for (int i = 0; i < Vec<T, N>::registers; ++i) c.r[i] = a.r[i] op b.r[i];  \
    return c;                                                                  \
  }                                                                            \
  template <class T, int N>                                                    \
  PEARLITE_INLINE Vec<T, N> operator op(T a, const Vec<T, N>& b) {             \
    return Vec<T, N>::all(a) op b;                                             \
  }
PEARLITE_LANEWISE(+)
PEARLITE_LANEWISE(-)
PEARLITE_LANEWISE(*)
PEARLITE_LANEWISE(/)
#undef PEARLITE_LANEWISE

template <class T, int N>
PEARLITE_INLINE Vec<T, N> min(const Vec<T, N>& a, const Vec<T, N>& b) {
  Vec<T, N> c;
  for (int i = 0; i < Vec<T, N>::registers; ++i) c.r[i] = a.r[i] < b.r[i] ? a.r[i] : b.r[i];
  return c;
}
template <class T, int N>
PEARLITE_INLINE Vec<T, N> max(const Vec<T, N>& a, const Vec<T, N>& b) {
  Vec<T, N> c;
  for (int i = 0; i < Vec<T, N>::registers; ++i) c.r[i] = a.r[i] > b.r[i] ? a.r[i] : b.r[i];
  return c;
}

// a where it lies above the threshold, else 0.
template <class T, int N>
PEARLITE_INLINE Vec<T, N> select_above(const Vec<T, N>& a, const Vec<T, N>& threshold) {
  Vec<T, N> c;
  for (int i = 0; i < Vec<T, N>::registers; ++i) c.r[i] = a.r[i] > threshold.r[i] ? a.r[i] : 0 * a.r[i];
  return c;
}

// 1 / a where a > 0, else 0: what a node without couplings, in a void, takes.
template <class T, int N>
PEARLITE_INLINE Vec<T, N> inverse_or_zero(const Vec<T, N>& a) {
  Vec<T, N> c;
  for (int i = 0; i < Vec<T, N>::registers; ++i) c.r[i] = a.r[i] > 0 ? 1 / a.r[i] : 0 * a.r[i];
  return c;
}

// Reads N values and repeats them to fill M lanes (M a multiple of N).
template <int M, class T, int N>
PEARLITE_INLINE Vec<T, M> repeat(const Vec<T, N>& a) {
  Vec<T, M> v;
  if constexpr (M == N) {
    for (int i = 0; i < Vec<T, M>::registers; ++i) v.r[i] = a.r[i];
  } else if constexpr (Vec<T, M>::per_register == Vec<T, N>::per_register) {
    for (int i = 0; i < Vec<T, M>::registers; ++i) v.r[i] = a.r[i % Vec<T, N>::registers];
  } else {
    static_assert(Vec<T, M>::per_register == 2 * Vec<T, N>::per_register && N == 8, "");
    for (int i = 0; i < Vec<T, M>::registers; ++i)
      v.r[i] = __builtin_shufflevector(a.r[0], a.r[0], 0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7);
  }
  return v;
}

// The same straight from memory, where one broadcasting load does it.
template <int M, int N, class T>
PEARLITE_INLINE Vec<T, M> load_repeated(const T* p) {
#if defined(__AVX512DQ__)
  if constexpr (sizeof(T) == 4 && N == 8 && M == 16) {
    Vec<T, M> v;
    // (the zeroing form, since the plain one makes GCC 12 warn of an uninitialized value)
    v.r[0] = (typename Vec<T, M>::Register)_mm512_maskz_broadcast_f32x8(0xffff, _mm256_load_ps(p));
    return v;
  }
#endif
  return repeat<M>(Vec<T, N>::load(p));
}

// Exchanges the lower and upper half of the lanes.
template <class T, int N>
PEARLITE_INLINE Vec<T, N> swap_halves(const Vec<T, N>& a) {
  Vec<T, N> v;
  constexpr int n = Vec<T, N>::registers;
  if constexpr (n > 1) {
    for (int i = 0; i < n; ++i) v.r[i] = a.r[(i + n / 2) % n];
  } else {
    static_assert(N == 16, "");
    v.r[0] = __builtin_shufflevector(a.r[0], a.r[0], 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7);
  }
  return v;
}

template <class To, class T, int N>
PEARLITE_INLINE Vec<To, N> convert(const Vec<T, N>& a) {
  Vec<To, N> v;
  if constexpr (sizeof(To) == sizeof(T)) {
    for (int i = 0; i < Vec<To, N>::registers; ++i) v.r[i] = a.r[i];
  } else {
    const T* from = reinterpret_cast<const T*>(&a);
    To* to = reinterpret_cast<To*>(&v);
    for (int i = 0; i < N; ++i) to[i] = To(from[i]);
  }
  return v;
}

// from[lane[i]] for each lane i; `lane` holds N indices.
template <class T, int N>
PEARLITE_INLINE Vec<T, N> permute(const Vec<T, N>& a, const int32_t* lane) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4 && N == 16) {
    Vec<T, N> v;
    v.r[0] = (typename Vec<T, N>::Register)_mm512_maskz_permutexvar_ps(
        0xffff, 
        _mm512_loadu_si512(lane), (__m512)a.r[0]);
    return v;
  }
#endif
  alignas(64) T from[N];
  alignas(64) T to[N];
  a.store(from);
  for (int i = 0; i < N; ++i) to[i] = from[lane[i]];
  return Vec<T, N>::load(to);
}

// out[x * lanes + k] = factor * in[k * pitch + x] for x < count and k < 8: eight lines, laid side by
// side. `lanes` is 8 or 16.
template <class T>
void interleave(const T* in, int64_t pitch, int64_t count, T factor, T* out, int lanes) {
  using V = Vec<T, 8>;
  int64_t x = 0;
  if constexpr (V::registers == 1) {
    // An 8×8 block is transposed by exchanging its 1×1, 2×2 and 4×4 blocks across the diagonal.
    for (; x + 8 <= count; x += 8) {
      typename V::Register a[8], b[8];
      for (int k = 0; k < 8; ++k) a[k] = V::load(in + k * pitch + x).r[0] * factor;
      for (int k = 0; k < 8; k += 2) {
        b[k] = __builtin_shufflevector(a[k], a[k + 1], 0, 8, 2, 10, 4, 12, 6, 14);
        b[k + 1] = __builtin_shufflevector(a[k], a[k + 1], 1, 9, 3, 11, 5, 13, 7, 15);
      }
      for (int k = 0; k < 8; k += k % 4 == 1 ? 3 : 1) {
        a[k] = __builtin_shufflevector(b[k], b[k + 2], 0, 1, 8, 9, 4, 5, 12, 13);
        a[k + 2] = __builtin_shufflevector(b[k], b[k + 2], 2, 3, 10, 11, 6, 7, 14, 15);
      }
      for (int k = 0; k < 4; ++k) {
        V low, high;
        low.r[0] = __builtin_shufflevector(a[k], a[k + 4], 0, 1, 2, 3, 8, 9, 10, 11);
        high.r[0] = __builtin_shufflevector(a[k], a[k + 4], 4, 5, 6, 7, 12, 13, 14, 15);
        low.store(out + (x + k) * lanes);
        high.store(out + (x + k + 4) * lanes);
      }
    }
  }
  for (; x < count; ++x)
    for (int k = 0; k < 8; ++k) out[x * lanes + k] = factor * in[k * pitch + x];
}

}  // namespace PEARLITE_ISA
}  // namespace pearlite
