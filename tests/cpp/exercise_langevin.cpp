// Calls the kernels of Langevin steps without Python, for the sanitizers: many sizes, strides, types and
// threads, against the definition, pixel by pixel. Buffers are as long as they have to be and no longer,
// so that an access beyond their ends is seen.
#include <cmath>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "corrector.hpp"
#include "langevin.hpp"
#include "shared/normal.hpp"
#include "shared/segmentation.hpp"

namespace {

using namespace pearlite;

int failures = 0;

// What the formulas ask for, of one number at a time, as a device has it.
struct Scalar {
  using Real = double;
  using Number = double;
  using Integer = uint64_t;
  static constexpr double octave_step = 1;
  static double all(double x) { return x; }
  static uint64_t bits(uint64_t i) { return i; }
  static double fused(double a, double b, double c) { return std::fma(a, b, c); }
  static double root(double a) { return std::sqrt(a); }
  static double number(uint64_t i) { return double(i); }
  template <int octaves>
  static double octave(double f, double more, double& t) {
    int e;
    if (std::frexp(f + more, &e) < std::sqrt(0.5)) --e;
    t = std::ldexp(f, -e) - 1 + std::ldexp(more, -e);
    return e - octaves;
  }
  static double either(uint64_t i, double a, double b) { return i ? a : b; }
  static double flipped(double a, uint64_t i) { return i >> 31 ? -a : a; }
};

double expected_normal(const NormalKey& key, int64_t index) {
  const int64_t tile = index / normal_tile, place = index % normal_tile, j = place / normal_blocks;
  unsigned words[2][2];
  for (unsigned more = 0; more < 2; ++more) {
    const Philox block = philox(unsigned(tile), key.step, block_word(key, unsigned(place % normal_blocks), more),
                                unsigned(key.sample), unsigned(key.seed), unsigned(key.seed >> 32));
    for (int i = 0; i < 2; ++i) words[more][i] = block.word[j / 2 * 2 + i];
  }
  double x, y;
  box_muller<Scalar>(words[0][0], words[0][1], words[1][0], words[1][1], x, y);
  return j % 2 ? y : x;
}

template <class T>
struct Case {
  int64_t batch, channels, shape[3], padding[3];
  bool last;  // channels
  int threads = 1;
  std::vector<T> x, score;
  Images images;
  LangevinStep step;
  std::vector<double> sizes, fractions, sigma;
  std::vector<uint64_t> sample;

  Case(int64_t b, int64_t c, int64_t n0, int64_t n1, int64_t n2, int64_t p, bool channels_last)
      : batch(b), channels(c), shape{n0, n1, n2}, padding{n0 > 1 ? p : 0, p, p}, last(channels_last),
        sizes(b, 0.3), fractions(b * c, 0.4), sigma(b, 0.1) {
    int64_t full[3], count = b * c;
    for (int a = 0; a < 3; ++a) count *= full[a] = shape[a] + 2 * padding[a];
    uint64_t state = uint64_t(n1 * 1000 + n2);
    for (auto* values : {&x, &score}) {
      values->resize(std::size_t(count));
      for (T& v : *values) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        v = T(double(state >> 11) * 0x1p-53 * 2 - 0.5);
      }
    }
    const int64_t s = last ? c : 1;
    const int64_t strides[5] = {count / b, last ? 1 : count / (b * c), full[1] * full[2] * s, full[2] * s, s};
    for (int i = 0; i < 5; ++i) images.strides[i] = step.strides[i] = strides[i];
    for (int a = 0; a < 3; ++a) images.shape[a] = shape[a], images.padding[a] = padding[a];
    images.batch = b;
    images.channels = c;
    images.float64 = sizeof(T) == 8;
    for (int64_t i = 0; i < b; ++i) sample.push_back(uint64_t(i) << 40 | 7);
    step.seed = 0x123456789abcdef0u;
    step.step = 5;
    step.lower = -0.4;
    step.upper = 1.3;
  }

  int64_t pixels() const { return shape[0] * shape[1] * shape[2]; }
  // Of pixel (i0, i1, i2), which may lie in the padding
  int64_t place(int64_t b, int64_t c, int64_t i0, int64_t i1, int64_t i2) const {
    const int64_t* s = images.strides;
    return b * s[0] + c * s[1] + (i0 + padding[0]) * s[2] + (i1 + padding[1]) * s[3] + (i2 + padding[2]) * s[4];
  }
  int64_t place(int64_t b, int64_t c, int64_t pixel) const {
    return place(b, c, pixel / shape[2] / shape[1], pixel / shape[2] % shape[1], pixel % shape[2]);
  }

  void fail(const char* what) const {
    std::fprintf(stderr, "failed: %s: %ld x %ld, %ld x %ld x %ld, padding %ld, last %d, %d bytes, %d threads\n", what,
                 long(batch), long(channels), long(shape[0]), long(shape[1]), long(shape[2]), long(padding[2]), last,
                 int(sizeof(T)), threads);
    ++failures;
  }

  struct One {  // of the type of x, as the kernel compares
    using Number = T;
    using Integer = int;
    static T all(T v) { return v; }
    static int bits(int i) { return i; }
  };

  std::vector<int64_t> phases_of(const std::vector<T>& from, int64_t b) const {
    std::vector<int64_t> counts(std::size_t(phases(images) + 1));
    for (int64_t i = 0; i < pixels(); ++i) {
      Segmentation<One> pixel;
      pixel.begin(from[place(b, 0, i)]);
      for (int64_t c = 1; c < channels; ++c) pixel.add(from[place(b, c, i)], int(c));
      ++counts[channels == 1 ? pixel.largest > T(0.5) : pixel.found(int(channels))];
    }
    return counts;
  }

  void check() {
    const std::vector<T> before = x;
    std::vector<int64_t> counts(std::size_t(batch * phases(images)));
    images.x = x.data();
    step.score = score.data();
    step.step_size = sizes.data();
    step.volume_fraction = fractions.data();
    step.sigma = sigma.data();
    step.sample = sample.data();
    CallControl control;
    control.threads = threads;
    if (!langevin_step(images, step, control, counts.data())) return fail("ended early");
    for (int64_t b = 0; b < batch; ++b) check_image(before, b, counts.data() + b * phases(images));
    std::vector<int64_t> again(counts.size());
    if (!count_phases(images, control, again.data()) || again != counts) fail("counts differ");
  }

  void check_image(const std::vector<T>& before, int64_t b, const int64_t* counts) const {
    const std::vector<int64_t> old = phases_of(before, b), now = phases_of(x, b);
    int64_t certain = 0;
    for (int64_t i = 0; i < phases(images); ++i) {
      certain += old[i];
      if (counts[i] != now[i]) return fail("a count is wrong");
    }
    NormalKey key;
    key.seed = step.seed;
    key.sample = sample[b];
    key.step = step.step;
    for (int64_t c = 0; c < channels; ++c) {
      const double mean = certain ? double(old[channels == 1 ? 1 : c]) / certain : 0;
      const double shift = certain ? -0.3 / (pixels() * 0.01) * (mean - 0.4) : 0;
      for (int64_t i = 0; i < pixels(); ++i) {
        const double z = expected_normal(key, c * pixels() + i);
        const double y = before[place(b, c, i)] + shift + 0.3 * score[place(b, c, i)] + std::sqrt(0.6) * z;
        const double wanted = std::fmin(std::fmax(y, step.lower), step.upper);
        if (std::fabs(x[place(b, c, i)] - wanted) > (sizeof(T) == 8 ? 1e-13 : 2e-5)) return fail("a pixel is wrong");
      }
      check_padding(b, c);
    }
  }

  void check_padding(int64_t b, int64_t c) const {
    const auto wrapped = [](int64_t i, int64_t n) { return (i % n + n) % n; };
    for (int64_t i = -padding[0]; i < shape[0] + padding[0]; ++i)
      for (int64_t j = -padding[1]; j < shape[1] + padding[1]; ++j)
        for (int64_t k = -padding[2]; k < shape[2] + padding[2]; ++k)
          if (x[place(b, c, i, j, k)] !=
              x[place(b, c, wrapped(i, shape[0]), wrapped(j, shape[1]), wrapped(k, shape[2]))])
            return fail("the padding is wrong");
  }
};

template <class T>
void sizes() {
  for (const int64_t channels : {1, 2, 3, 5})
    for (const bool last : {false, true})
      for (const int64_t padding : {0, 1, 7}) {
        for (int64_t n = 1; n < 40; n += n < 4 ? 1 : 7) {
          Case<T>(2, channels, 1, n, 40 - n, padding, last).check();
          if (n < 12) Case<T>(1, channels, n, 12 - n, 17, padding, last).check();
        }
        Case<T>(1, channels, 1, 37, 131, padding, last).check();
      }
}

template <class T>
void threads() {
  for (const int64_t padding : {0, 3}) {
    Case<T> one(1, 1, 1, 300, 301, padding, false), few(3, 3, 9, 50, 60, padding, true), many(40, 1, 1, 33, 50, padding, false);
    one.threads = few.threads = many.threads = 4;
    one.check();
    few.check();
    many.check();
  }
}

void interruption() {
  Case<float> c(64, 1, 1, 400, 400, 0, false);
  std::vector<int64_t> counts(128);
  c.images.x = c.x.data();
  c.step.score = c.score.data();
  c.step.step_size = c.sizes.data();
  c.step.sigma = c.sigma.data();
  c.step.sample = c.sample.data();
  CallControl control;
  control.threads = 2;
  control.interrupted = [](void*) { return true; };
  if (langevin_step(c.images, c.step, control, counts.data())) c.fail("not interrupted");
}

}  // namespace

int main(int count, char** arguments) {
  const std::string only = count > 1 ? arguments[1] : "";
  std::printf("%s\n", instruction_set());
  if (only != "threads") sizes<float>(), sizes<double>();
  threads<float>();
  threads<double>();
  interruption();
  if (failures) std::fprintf(stderr, "%d failures\n", failures);
  return failures ? 1 : 0;
}
