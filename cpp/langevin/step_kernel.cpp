// One Langevin step of an image, or its phases: compiled once for each instruction set.
//
// A chunk of pixels stays in the first cache from its noise to its phases. It consists of pieces of
// lines; where pixels of a line are not side by side, they are brought so, and back.
#include "langevin/lines.hpp"
#include "langevin/task.hpp"
#include "shared/normals.hpp"
#include "shared/segmentation.hpp"

namespace pearlite {
namespace PEARLITE_ISA {
namespace {

// Counts of phases, in registers or in memory that stays in cache.
template <class T>
class Counters {
  using V = NormalOf<T>;
  using Integer = typename V::Integer;
  static constexpr int lanes = int(sizeof(Integer) / sizeof(T));

 public:
  Counters(int64_t channels, void* memory) : channels_(channels), hits_(static_cast<Integer*>(memory)) {
    for (int64_t c = 0; c < channels_; ++c) hits_[c] = Integer{};
  }

  // x (channels, count): indicators, `stride` from one channel to the next
  void add(const T* x, int64_t stride, int64_t count, int64_t* counts) {
    int64_t k = 0;
    for (; k + lanes <= count; k += lanes) {
      const Integer phase = found<V>(x + k, stride);
      for (int64_t c = 0; c < channels_; ++c) hits_[c] -= (Integer)(phase == V::bits(int(c)));
    }
    for (; k < count; ++k) {
      const int64_t phase = found<Scalar>(x + k, stride);
      if (phase < channels_) ++counts[phase];
    }
  }

  void finish(int64_t* counts) const {
    for (int64_t c = 0; c < channels_; ++c)
      for (int i = 0; i < lanes; ++i) counts[c] += int64_t(hits_[c][i]);
  }

 private:
  int64_t channels_;
  Integer* hits_;

  struct Scalar {
    using Number = T;
    using Integer = int;
    static T all(T x) { return x; }
    static int bits(int i) { return i; }
    static T load(const T* p) { return *p; }
  };

  template <class W>
  PEARLITE_INLINE typename W::Integer found(const T* x, int64_t stride) const {
    Segmentation<W> pixel;
    pixel.begin(W::load(x));
    for (int64_t c = 1; c < channels_; ++c) pixel.add(W::load(x + c * stride), int(c));
    return pixel.found(int(channels_));
  }
};

// Of one channel, pixels of phase 1.
template <class T>
int64_t above_half(const T* x, int64_t count) {
  using V = NormalOf<T>;
  constexpr int lanes = int(sizeof(typename V::Number) / sizeof(T));
  typename V::Integer hits{};
  int64_t k = 0, total = 0;
  for (; k + lanes <= count; k += lanes) hits -= (typename V::Integer)(V::load(x + k) > V::all(T(0.5)));
  for (; k < count; ++k) total += x[k] > T(0.5);
  for (int i = 0; i < lanes; ++i) total += int64_t(hits[i]);
  return total;
}

template <class T>
class Counting {
 public:
  Counting(const ImageTask& task) : task_(task), counters_(task.channels, counters(task)) {}

  static char* counters(const ImageTask& task) {
    return static_cast<char*>(task.workspace) + chunk_of(task.channels) * (1 + 2 * task.channels) * 8;
  }

  void add(const T* x, int64_t stride, int64_t count) {
    if (task_.channels > 1) return counters_.add(x, stride, count, task_.counts);
    const int64_t ones = above_half(x, count);
    task_.counts[0] += count - ones;
    task_.counts[1] += ones;
  }

  void finish() const {
    if (task_.channels > 1) counters_.finish(task_.counts);
  }

 private:
  const ImageTask& task_;
  Counters<T> counters_;
};

template <class T>
void count(const ImageTask& task) {
  const Lines<T> lines(static_cast<T*>(task.x), task.strides, task);
  T* gathered = static_cast<T*>(task.workspace);
  Counting<T> counting(task);
  const int64_t chunk = chunk_of(task.channels);
  for (int64_t p = task.begin, next; p < task.end; p = next) {
    next = end_of_chunk(p, task.end, chunk);
    lines.each_piece(p, next, [&](const Piece& piece) {
      if (lines.dense()) return counting.add(lines.at(0, piece), lines.channel_stride(), piece.count);
      T* to = gathered + (piece.first - p);
      for (int64_t c = 0; c < task.channels; ++c) lines.gather(c, piece, to + c * chunk);
      counting.add(to, chunk, piece.count);
    });
  }
  counting.finish();
}

template <class T>
struct Factors {
  T step_size, shift, noise, lower, upper;
};

// x = clamp(x + shift + α s + β z)
template <class T, bool noisy>
PEARLITE_INLINE void update_register(T* x, const T* score, const T* z, const Factors<T>& f) {
  using V = NormalOf<T>;
  const typename V::Number lower = V::all(f.lower), upper = V::all(f.upper);
  typename V::Number y = V::fused(V::all(f.step_size), V::load(score), V::load(x) + V::all(f.shift));
  if (noisy) y = V::fused(V::all(f.noise), V::load(z), y);
  y = y < lower ? lower : y;  // a NaN stays one
  y = y > upper ? upper : y;
  V::store(y, x);
}

template <class T, bool noisy>
void update(T* x, const T* score, const T* z, int64_t count, const Factors<T>& f) {
  constexpr int lanes = int(sizeof(typename NormalOf<T>::Number) / sizeof(T));
  int64_t k = 0;
  for (; k + lanes <= count; k += lanes) update_register<T, noisy>(x + k, score + k, z + k, f);
  if (k == count) return;
  // The last few in a register of their own, so that they are rounded as all others are.
  T last[3][lanes] = {};
  for (int64_t i = 0; i < count - k; ++i) {
    last[0][i] = x[k + i];
    last[1][i] = score[k + i];
    if (noisy) last[2][i] = z[k + i];
  }
  update_register<T, noisy>(last[0], last[1], last[2], f);
  for (int64_t i = 0; i < count - k; ++i) x[k + i] = last[0][i];
}

template <class T>
class Stepping {
 public:
  explicit Stepping(const StepTask& task)
      : task_(task), stream_(task.key), x_(static_cast<T*>(task.x), task.strides, task),
        score_(static_cast<const T*>(task.score), task.score_strides, task), counting_(task),
        chunk_(chunk_of(task.channels)), noise_(static_cast<T*>(task.workspace)), now_(noise_ + chunk_),
        slope_(now_ + chunk_ * task.channels) {}

  void run() {
    for (int64_t p = task_.begin, next; p < task_.end; p = next) {
      next = end_of_chunk(p, task_.end, chunk_);
      for (int64_t c = 0; c < task_.channels; ++c) step(c, p, next);
      x_.each_piece(p, next, [&](const Piece& piece) {
        if (x_.dense()) counting_.add(x_.at(0, piece), x_.channel_stride(), piece.count);
        else counting_.add(now_ + (piece.first - p), chunk_, piece.count);
        if (piece.ends_line) x_.repeat(piece.line);
      });
    }
    counting_.finish();
  }

 private:
  const StepTask& task_;
  NormalStream stream_;
  Lines<T> x_;
  Lines<const T> score_;
  Counting<T> counting_;
  int64_t chunk_;
  T *noise_, *now_, *slope_;  // (chunk), (channels, chunk) twice

  void step(int64_t c, int64_t p, int64_t next) {
    const Factors<T> factors = {T(task_.step_size), T(task_.shift[c]), T(task_.noise), T(task_.lower), T(task_.upper)};
    const bool noisy = task_.noise != 0;
    const int64_t pixels = task_.shape[0] * task_.shape[1] * task_.shape[2];
    if (noisy) fill_normals(stream_, uint64_t(c * pixels + p), next - p, noise_);
    x_.each_piece(p, next, [&](const Piece& piece) {
      const int64_t offset = piece.first - p;
      T* x = x_.dense() ? x_.at(c, piece) : now_ + c * chunk_ + offset;
      const T* score = score_.dense() ? score_.at(c, piece) : slope_ + offset;
      if (!x_.dense()) x_.gather(c, piece, x);
      if (!score_.dense()) score_.gather(c, piece, slope_ + offset);
      if (noisy) update<T, true>(x, score, noise_ + offset, piece.count, factors);
      else update<T, false>(x, score, noise_, piece.count, factors);
      if (!x_.dense()) x_.scatter(c, piece, x);
    });
  }
};

template <class T>
void step(const StepTask& task) {
  Stepping<T>(task).run();
}

template <class T>
void normals(const NormalKey& key, int64_t first, int64_t count, void* out) {
  fill_normals(NormalStream(key), uint64_t(first), count, static_cast<T*>(out));
}

}  // namespace

extern const LangevinKernels langevin_kernels_table = {count<float>,  count<double>,  step<float>,
                                                       step<double>,  normals<float>, normals<double>};

}  // namespace PEARLITE_ISA
}  // namespace pearlite
