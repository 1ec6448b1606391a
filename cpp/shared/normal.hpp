// Standard normal numbers from the words of Philox, on host and device: the scalar formula, and the
// place of a number in the counters. `shared/normals.hpp` has the vectors that make many of them.
//
// G. E. P. Box and M. E. Muller, "A note on the generation of random normal deviates", Annals of
// Mathematical Statistics 29 (1958): z = √(−2 ln u) (cos θ, sin θ), u and θ uniform.
//
// The numbers of a sample are dealt with in tiles of 64: number 64 t + 16 j + l comes from word j of
// block 16 t + l. So each word of 16 blocks, one in each lane, fills neighbours.
//
//   u = (h + ½) / 2^31, h the low 31 bits of the first word of a pair: of words 0 and 1, or 2 and 3
//   θ = (π/4) (a + ½) / 2^30, a the low 30 bits of the second word; its bit 30 exchanges cosine and
//   sine, and the highest bits of the two words are the signs of the two numbers
//
// In double precision a second block, the same but for one bit of its counter, continues h and a by 32
// bits each, so that the numbers of both precisions are the same ones.
#pragma once
#include "shared/philox.hpp"

namespace pearlite {

constexpr int normal_tile = 64;    // numbers
constexpr int normal_blocks = 16;  // of four words, that make a tile

// Whose numbers they are. Streams are independent, as are seeds, samples and steps.
struct NormalKey {
  unsigned long long seed = 0;
  unsigned long long sample = 0;  // below 2^48
  unsigned int step = 0;
  unsigned int stream = 0;        // below 2^7; 0: the noise of `langevin`
};

// The counter of block b is (b, word1, word2, word3), and that of its continuation has 1 << 16 more in
// its last word. No other user of Philox here has 0x6e in the highest byte.
PEARLITE_HOST_DEVICE static inline unsigned int word1(const NormalKey& key) { return key.step; }
PEARLITE_HOST_DEVICE static inline unsigned int word2(const NormalKey& key) { return (unsigned int)key.sample; }
PEARLITE_HOST_DEVICE static inline unsigned int word3(const NormalKey& key) {
  return 0x6e000000u | key.stream << 17 | (unsigned int)(key.sample >> 32);
}
constexpr unsigned int normal_continuation = 1u << 16;

// Coefficients of the polynomials of smallest relative error, by Remez's algorithm. Single precision:
// −2 ln(1 + t) = −2 t + t² (1 + t Σ c_k t^k) for √½ − 1 <= t <= √2 − 1, error 3.1e-8; double precision:
// ln(1 + t) = 2 s + s³ Σ c_k s^2k with s = t / (2 + t), error 1.2e-18.
template <class T>
static constexpr T normal_log(int k) {
  constexpr float single[] = {-0.666678212081f, 0.50002674553f,   -0.399261380739f, 0.331551514287f,
                              -0.298294013836f, 0.285351152127f, -0.174014789164f};
  constexpr double twofold[] = {0.66666666666667341557, 0.39999999999416372302, 0.2857142874201515049,
                                0.22222198610837078555, 0.1818356240189333126,  0.15314098924184582466,
                                0.14795474248068024899};
  return sizeof(T) == 4 ? T(single[k]) : T(twofold[k]);
}

// sin φ = φ + φ³ Σ c_k φ^2k for 0 <= φ <= π/4, error 3.8e-9 and 3.6e-18
template <class T>
static constexpr T normal_sine(int k) {
  constexpr float single[] = {-0.16666654609330180f, 0.008332160744454003f, -0.00019515280789880005f};
  constexpr double twofold[] = {-0.16666666666666630724,   0.008333333333322117624,  -0.00019841269829588945021,
                                2.7557313621214991263e-6, -2.505074773968516695e-8, 1.5896228959736218374e-10};
  return sizeof(T) == 4 ? T(single[k < 3 ? k : 0]) : T(twofold[k]);
}

// cos φ = 1 − φ²/2 + φ⁴ Σ c_k φ^2k, error 1.2e-10 and 5.6e-20
template <class T>
static constexpr T normal_cosine(int k) {
  constexpr float single[] = {0.041666645684166068f, -0.0013887316308110202f, 0.000024433162582288972f};
  constexpr double twofold[] = {0.041666666666666592921,    -0.0013888888888873056338, 0.000024801587288851675707,
                                -2.7557314179291939586e-7, 2.0875700841645533224e-9,  -1.1358536514794563677e-11};
  return sizeof(T) == 4 ? T(single[k < 3 ? k : 0]) : T(twofold[k]);
}

// What follows is written for V, which says what a number is, a scalar or a register of several, and an
// integer of as many bits. Its operations are: all(x) and bits(i), the same in every lane; fused(a, b, c)
// = a b + c, rounded once where the processor can; root(a); number(i) = i, for 0 <= i < 2^31 or in double
// precision 2^32; octave(f, scale) = e, with scale = 2^-e and √½ <= f scale < √2, for ½ <= f <= 2^63;
// either(i, a, b), a where i has bits and b elsewhere; flipped(a, i), a with its sign changed where the
// word i is 2^31 or more.

#if defined(__CUDACC__)
#define PEARLITE_MEMBER __host__ __device__ __forceinline__
#else
#define PEARLITE_MEMBER inline __attribute__((always_inline))
#endif
#define PEARLITE_FORMULA static PEARLITE_MEMBER

// Σ c_k x^k, K <= k < terms
template <class V, typename V::Real (*coefficient)(int), int terms, int K = 0>
PEARLITE_FORMULA typename V::Number polynomial(typename V::Number x) {
  constexpr typename V::Real c = coefficient(K);
  if constexpr (K + 1 == terms) return V::all(c);
  else return V::fused(polynomial<V, coefficient, terms, K + 1>(x), x, V::all(c));
}

// −2 ln(2^e (1 + t)), √½ - 1 <= t <= √2 − 1
template <class V>
PEARLITE_FORMULA typename V::Number minus_two_log(typename V::Number e, typename V::Number t) {
  using Number = typename V::Number;
  using Real = typename V::Real;
  if constexpr (sizeof(Real) == 4) {
    const Number p = polynomial<V, normal_log<Real>, 7>(t);
    const Number log = V::fused(t * t, V::fused(p, t, V::all(1.0f)), t * V::all(-2.0f));
    return V::fused(e, V::all(-1.38629436f), log);
  } else {
    const Number s = t / (t + V::all(2.0)), y = s * s;
    // ln(1 + t) = t − s (t − R): its leading term is exact
    const Number rest = s * V::fused(-y, polynomial<V, normal_log<Real>, 7>(y), t);
    const Number low = V::fused(e, V::all(1.9082149292705877e-10), -rest);
    return V::all(-2.0) * (V::fused(e, V::all(0.69314718036912382), t) + low);
  }
}

// Two numbers from a pair of words. `first` and `second` are their values as integers below 2^32 in V's
// lanes, `more_first` and `more_second` those that continue them in double precision.
template <class V>
PEARLITE_FORMULA void box_muller(typename V::Integer first, typename V::Integer second,
                                 typename V::Integer more_first, typename V::Integer more_second,
                                 typename V::Number& x, typename V::Number& y) {
  using Number = typename V::Number;
  using Integer = typename V::Integer;
  using Real = typename V::Real;
  const Integer a = second & V::bits(0x3fffffff);
  Number f, high, low, angle, scale;
  Real octaves;  // that u = f / 2^octaves
  if constexpr (sizeof(Real) == 4) {
    // High and low have no more bits than a number: their sum, which has, is f before it is rounded.
    octaves = 31;
    f = V::number(first & V::bits(0x7fffffff)) + V::all(0.5f);
    high = V::number(first & V::bits(0x7fffff00));
    low = V::number(first & V::bits(0xff)) + V::all(0.5f);
    angle = V::fused(V::number(a), V::all(7.3145904e-10f), V::all(3.6572952e-10f));
  } else {
    octaves = 63;
    high = V::number(first & V::bits(0x7fffffff)) * V::all(4294967296.0);
    low = V::number(more_first) + V::all(0.5);
    f = high + low;
    angle = V::fused(V::number(a), V::all(4294967296.0), V::number(more_second) + V::all(0.5)) *
            V::all(1.7030607900432772947e-19);
  }
  const Number e = V::octave(f, scale);
  const Number t = V::fused(low, scale, V::fused(high, scale, V::all(Real(-1))));
  const Number radius = V::root(minus_two_log<V>(e - V::all(octaves), t));
  const Number square = angle * angle;
  constexpr int terms = sizeof(Real) == 4 ? 3 : 6;
  const Number s = polynomial<V, normal_sine<Real>, terms>(square);
  const Number c = polynomial<V, normal_cosine<Real>, terms>(square);
  const Number sine = V::fused(square * angle, s, angle) * radius;
  const Number cosine = V::fused(square, V::fused(square, c, V::all(Real(-0.5))), V::all(Real(1))) * radius;
  const Integer exchange = second & V::bits(0x40000000);
  x = V::flipped(V::either(exchange, sine, cosine), first);
  y = V::flipped(V::either(exchange, cosine, sine), second);
}

}  // namespace pearlite
