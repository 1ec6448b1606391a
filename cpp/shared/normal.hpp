// Standard normal numbers from the words of Philox, on host and device: the formula, and the place of a
// number in the counters. `shared/normals.hpp` has the vectors that make many of them.
//
// G. E. P. Box and M. E. Muller, "A note on the generation of random normal deviates", Annals of
// Mathematical Statistics 29 (1958): z = √(−2 ln u) (cos θ, sin θ), u and θ uniform.
//
// The numbers of a sample are dealt with in tiles of 64, each from 16 blocks of Philox: number
// 64 t + 16 j + l is of word j of block l of tile t. So a word of all blocks, one in each lane, makes
// neighbours. With the words (a, b) = (0, 1) or (2, 3) of a block,
//
//   u = (k + ½) / 2^30, k the bits 1 to 30 of a
//   θ = (π/4) (i + ½) / 2^29, i the bits 1 to 29 of b; its bit 30 exchanges cosine and sine, and the
//   highest bits of a and b are the signs of the two numbers
//
// In double precision a second block, the same but for one bit of its counter, continues k and i by 32
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

// The counter of a block is (tile, step, block_word, low word of the sample). No other user of Philox
// here has 0xe as the highest digit of its third word.
PEARLITE_FORMULA unsigned int block_word(const NormalKey& key, unsigned int block, unsigned int continuation) {
  return 0xe0000000u | (unsigned int)(key.sample >> 32) << 12 | key.stream << 5 | continuation << 4 | block;
}

// Coefficients of the polynomials of smallest relative error, by Remez's algorithm. Single precision:
// −2 ln(1 + t) = t (−2 + t (1 + t Σ c_k t^k)) for √½ − 1 <= t <= √2 − 1, error 3.1e-8; double precision:
// ln(1 + t) = 2 s + s³ Σ c_k s^2k with s = t / (2 + t), error 1.2e-18.
template <class T>
PEARLITE_FORMULA constexpr T normal_log(int k) {
  constexpr float single[] = {-0.666678212081f, 0.50002674553f,   -0.399261380739f, 0.331551514287f,
                              -0.298294013836f, 0.285351152127f, -0.174014789164f};
  constexpr double twofold[] = {0.66666666666667341557, 0.39999999999416372302, 0.2857142874201515049,
                                0.22222198610837078555, 0.1818356240189333126,  0.15314098924184582466,
                                0.14795474248068024899};
  return sizeof(T) == 4 ? T(single[k]) : T(twofold[k]);
}

// sin φ = φ (1 + φ² Σ c_k φ^2k) for 0 <= φ <= π/4, error 3.8e-9 and 3.6e-18
template <class T>
PEARLITE_FORMULA constexpr T normal_sine(int k) {
  constexpr float single[] = {-0.16666654609330180f, 0.008332160744454003f, -0.00019515280789880005f};
  constexpr double twofold[] = {-0.16666666666666630724,   0.008333333333322117624,  -0.00019841269829588945021,
                                2.7557313621214991263e-6, -2.505074773968516695e-8, 1.5896228959736218374e-10};
  return sizeof(T) == 4 ? T(single[k < 3 ? k : 0]) : T(twofold[k]);
}

// cos φ = 1 + φ² Σ c_k φ^2k, error 3.8e-8 and 5.6e-20
template <class T>
PEARLITE_FORMULA constexpr T normal_cosine(int k) {
  constexpr float single[] = {-0.499998847521f, 0.0416557773869f, -0.00135918573548f};
  constexpr double twofold[] = {-0.5,
                                0.041666666666666592921,
                                -0.0013888888888873056338,
                                0.000024801587288851675707,
                                -2.7557314179291939586e-7,
                                2.0875700841645533224e-9,
                                -1.1358536514794563677e-11};
  return sizeof(T) == 4 ? T(single[k < 3 ? k : 0]) : T(twofold[k]);
}

// What follows is written for V, which says what a number is, a scalar or a register of several, and an
// integer of as many bits. Its operations are: all(x) and bits(i), the same in every lane; fused(a, b, c)
// = a b + c, rounded once where the processor can; root(a); number(i) = i, for 0 <= i < 2^31 or in double
// precision 2^32; octave(f, t) = e with f = 2^e (1 + t) and √½ <= 1 + t < √2, and e in steps of
// `octave_step`; either(i, a, b), a where i has bits and b elsewhere; flipped(a, i), a with its sign
// changed where the word i is 2^31 or more.

// Σ c_k x^k, K <= k < terms
template <class V, typename V::Real (*coefficient)(int), int terms, int K = 0>
PEARLITE_FORMULA typename V::Number polynomial(typename V::Number x) {
  constexpr typename V::Real c = coefficient(K);
  if constexpr (K + 1 == terms) return V::all(c);
  else return V::fused(polynomial<V, coefficient, terms, K + 1>(x), x, V::all(c));
}

// −2 ln u
template <class V>
PEARLITE_FORMULA typename V::Number minus_two_log(typename V::Integer first, typename V::Integer more) {
  using Number = typename V::Number;
  using Real = typename V::Real;
  Number t;
  if constexpr (sizeof(Real) == 4) {
    const Number f = V::number((first & V::bits(0x7fffffff)) | V::bits(1));  // u 2^31
    const Number e = V::template octave<31>(f, V::all(0.0f), t);
    const Number p = V::fused(polynomial<V, normal_log<Real>, 7>(t), t, V::all(1.0f));
    constexpr float step = float(-1.3862943611198906 * V::octave_step);
    return V::fused(e, V::all(step), V::fused(p, t, V::all(-2.0f)) * t);
  } else {
    const Number high = V::number(first & V::bits(0x7ffffffe)) * V::all(2147483648.0);
    const Number e = V::template octave<62>(high, V::number(more) + V::all(0.5), t);
    const Number s = t / (t + V::all(2.0)), y = s * s;
    // ln(1 + t) = t − s (t − R): its leading term is exact
    const Number rest = s * V::fused(-y, polynomial<V, normal_log<Real>, 7>(y), t);
    const Number low = V::fused(e, V::all(1.9082149292705877e-10), -rest);
    return V::all(-2.0) * (V::fused(e, V::all(0.69314718036912382), t) + low);
  }
}

// Two numbers from a pair of words: integers below 2^32 in V's lanes, and those that continue them in
// double precision.
template <class V>
PEARLITE_FORMULA void box_muller(typename V::Integer first, typename V::Integer second,
                                 typename V::Integer more_first, typename V::Integer more_second,
                                 typename V::Number& x, typename V::Number& y) {
  using Number = typename V::Number;
  using Real = typename V::Real;
  const Number radius = V::root(minus_two_log<V>(first, more_first));
  constexpr bool single = sizeof(Real) == 4;
  Number angle;
  if constexpr (single) {
    angle = V::number((second & V::bits(0x3fffffff)) | V::bits(1)) * V::all(7.3145904e-10f);
  } else {
    const Number high = V::number(second & V::bits(0x3ffffffe));
    angle = V::fused(high, V::all(2147483648.0), V::number(more_second) + V::all(0.5)) *
            V::all(3.4061215800865545894e-19);
  }
  const Number square = angle * angle;
  const Number s = V::fused(polynomial<V, normal_sine<Real>, single ? 3 : 6>(square), square, V::all(Real(1)));
  const Number c = V::fused(polynomial<V, normal_cosine<Real>, single ? 3 : 7>(square), square, V::all(Real(1)));
  const Number sine = s * (angle * radius), cosine = c * radius;
  const typename V::Integer exchange = second & V::bits(0x40000000);
  x = V::flipped(V::either(exchange, sine, cosine), first);
  y = V::flipped(V::either(exchange, cosine, sine), second);
}

}  // namespace pearlite
