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
class Hits {
  using V = NormalOf<T>;
  using Integer = typename V::Integer;

 public:
  PEARLITE_INLINE void add(typename V::Number x) { hits_ = x > V::all(T(0.5)) ? hits_ + 1 : hits_; }
  int64_t total() const {
    int64_t sum = 0;
    for (unsigned i = 0; i < sizeof(Integer) / sizeof(T); ++i) sum += int64_t(hits_[i]);
    return sum;
  }

 private:
  Integer hits_{};
};

template <class T>
Counters<T> counters_of(const ImageTask& task) {
  return {task.channels, static_cast<char*>(task.workspace) + chunk_of(task.channels) * (1 + 2 * task.channels) * 8};
}

template <class T>
int64_t above_half(const T* x, int64_t count) {
  using V = NormalOf<T>;
  constexpr int lanes = int(sizeof(typename V::Number) / sizeof(T));
  Hits<T> hits;
  int64_t k = 0, rest = 0;
  for (; k + lanes <= count; k += lanes) hits.add(V::load(x + k));
  for (; k < count; ++k) rest += x[k] > T(0.5);
  return hits.total() + rest;
}

template <class T>
void count(const ImageTask& task) {
  const Lines<T> lines(static_cast<T*>(task.x), task.strides, task);
  T* gathered = static_cast<T*>(task.workspace);
  Counters<T> counters = counters_of<T>(task);
  // Where nothing is gathered, there is no reason to stop at the end of a chunk.
  const int64_t chunk = lines.dense() ? int64_t(1) << 24 : chunk_of(task.channels);
  int64_t ones = 0;
  Cursor at = lines.cursor(task.begin);
  for (int64_t p = task.begin, next; p < task.end; p = next) {
    next = end_of_chunk(p, task.end, chunk);
    at = lines.each_piece(at, next - p, [&](const Piece& piece) {
      const T* x = gathered + piece.offset;
      int64_t stride = chunk;
      if (lines.dense()) {
        x = lines.at(0, piece.at);
        stride = lines.channel_stride();
      } else {
        lines.gather(piece, gathered + piece.offset, chunk);
      }
      if (task.channels == 1) ones += above_half(x, piece.count);
      else counters.add(x, stride, piece.count, task.counts);
    });
  }
  if (task.channels > 1) return counters.finish(task.counts);
  task.counts[0] += task.end - task.begin - ones;
  task.counts[1] += ones;
}

template <class T>
struct Factors {
  T step_size, shift, noise, lower, upper;
};

// clamp(x + shift + α s + β z)
template <class T, bool noisy>
PEARLITE_INLINE typename NormalOf<T>::Number updated(const T* x, const T* score, const T* z, const Factors<T>& f) {
  using V = NormalOf<T>;
  const typename V::Number lower = V::all(f.lower), upper = V::all(f.upper);
  typename V::Number y = V::fused(V::all(f.step_size), V::load(score), V::load(x) + V::all(f.shift));
  if (noisy) y = V::fused(V::all(f.noise), V::load(z), y);
  y = y < lower ? lower : y;  // a NaN stays one
  return y > upper ? upper : y;
}

// Updates x; -> how many are more than a half then
template <class T, bool noisy>
int64_t update(T* x, const T* score, const T* z, int64_t count, const Factors<T>& f) {
  using V = NormalOf<T>;
  constexpr int lanes = int(sizeof(typename V::Number) / sizeof(T));
  Hits<T> hits;
  int64_t k = 0;
  for (; k + lanes <= count; k += lanes) {
    const typename V::Number y = updated<T, noisy>(x + k, score + k, z + k, f);
    hits.add(y);
    V::store(y, x + k);
  }
  if (k == count) return hits.total();
  // The last few in a register of their own, so that they are rounded as all others are.
  T last[3][lanes] = {};
  for (int64_t i = 0; i < count - k; ++i) {
    last[0][i] = x[k + i];
    last[1][i] = score[k + i];
    if (noisy) last[2][i] = z[k + i];
  }
  V::store(updated<T, noisy>(last[0], last[1], last[2], f), last[0]);
  int64_t rest = 0;
  for (int64_t i = 0; i < count - k; ++i) {
    rest += last[0][i] > T(0.5);
    x[k + i] = last[0][i];
  }
  return hits.total() + rest;
}

template <class T>
class Stepping {
 public:
  explicit Stepping(const StepTask& task)
      : task_(task), stream_(task.key), x_(static_cast<T*>(task.x), task.strides, task),
        score_(static_cast<const T*>(task.score), task.score_strides, task),
        next_(static_cast<const T*>(task.next_x ? task.next_x : task.x), task.strides, task),
        counters_(counters_of<T>(task)), chunk_(chunk_of(task.channels)), noise_(static_cast<T*>(task.workspace)),
        now_(noise_ + chunk_), slope_(now_ + chunk_ * task.channels) {}

  void run() {
    Cursor at = x_.cursor(task_.begin), after = at;
    for (int64_t p = task_.begin, next; p < task_.end; p = next, at = after) {
      next = end_of_chunk(p, task_.end, chunk_);
      x_.each_piece(at, next - p, [&](const Piece& piece) {
        if (!x_.dense()) x_.gather(piece, now_ + piece.offset, chunk_);
        if (!score_.dense()) score_.gather(piece, slope_ + piece.offset, chunk_);
      });
      for (int64_t c = 0; c < task_.channels; ++c) step(c, at, p, next - p);
      after = x_.each_piece(at, next - p, [&](const Piece& piece) {
        if (!x_.dense()) x_.scatter(piece, now_ + piece.offset, chunk_);
        if (task_.channels > 1 && x_.dense())
          counters_.add(x_.at(0, piece.at), x_.channel_stride(), piece.count, task_.counts);
        else if (task_.channels > 1)  // (where they still lie side by side)
          counters_.add(now_ + piece.offset, chunk_, piece.count, task_.counts);
        if (piece.ends_line) x_.repeat(piece.at);
      });
    }
    if (task_.channels > 1) return counters_.finish(task_.counts);
    task_.counts[0] += task_.end - task_.begin - ones_;
    task_.counts[1] += ones_;
  }

 private:
  const StepTask& task_;
  NormalStream stream_;
  Lines<T> x_;
  Lines<const T> score_, next_;
  Counters<T> counters_;
  int64_t chunk_, ones_ = 0;
  T *noise_, *now_, *slope_;  // (chunk), (channels, chunk) twice

  // Channel c of `count` pixels from number p, at `at`, on.
  void step(int64_t c, const Cursor& at, int64_t p, int64_t count) {
    const Factors<T> factors = {T(task_.step_size), T(task_.shift[c]), T(task_.noise), T(task_.lower), T(task_.upper)};
    const bool noisy = task_.noise != 0;
    const int64_t pixels = task_.shape[0] * task_.shape[1] * task_.shape[2];
    if (noisy) {
      const Ahead x = x_.ahead(c, at, chunk_), score = score_.ahead(c, at, chunk_);
      const Ahead later = task_.next_x ? next_.ahead(c, at, 0) : Ahead{};
      fill_normals(stream_, uint64_t(c * pixels + p), count, noise_, [&](int64_t i) __attribute__((always_inline)) {
        if (i % 128 == 0) x.template fetch<1>(i);
        else score.template fetch<1>(i);
        if (i % 128 == 0) later.template fetch<2>(i);
      });
    }
    x_.each_piece(at, count, [&](const Piece& piece) {
      T* x = x_.dense() ? x_.at(c, piece.at) : now_ + c * chunk_ + piece.offset;
      const T* score = score_.dense() ? score_.at(c, piece.at) : slope_ + c * chunk_ + piece.offset;
      ones_ += noisy ? update<T, true>(x, score, noise_ + piece.offset, piece.count, factors)
                     : update<T, false>(x, score, noise_, piece.count, factors);
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
