// The driver of the sliced descent: threads, halos, and the monotone maps.
#include "correlation/sampler.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <thread>

#include "parallel.hpp"
#include "workspace.hpp"

namespace pearlite {
namespace {

constexpr int halo = most_side;
constexpr int64_t line_block = 8;  // lines that a worker takes at a time
constexpr int64_t counted = 1 << 15;  // patches, of which a distribution is counted: every so many lines

// A periodic field of several components whose lines along the last axis repeat past both ends.
class Padded {
 public:
  Padded(int components, const int64_t* shape)
      : n0_(shape[0]), n1_(shape[1]), n2_(shape[2]), pitch_(n2_ + 2 * halo + SlicedKernels::slack),
        values_(static_cast<float*>(
            memory_.get((int64_t(components) * n0_ * n1_ * pitch_ + halo) * int64_t(sizeof(float))))) {}

  int64_t lines() const { return n0_ * n1_; }
  // Pixel 0 of a line.
  float* line(int component, int64_t i) { return values_ + (component * lines() + i) * pitch_ + halo; }
  // Pixel `c` of the line (i0, i1), all taken periodically.
  const float* at(int component, int64_t i0, int64_t i1, int64_t c) {
    return line(component, wrapped(i0, n0_) * n1_ + wrapped(i1, n1_)) + c;
  }
  void wrap(int component, int64_t i) {
    float* x = line(component, i);
    for (int64_t k = 1; k <= halo; ++k) x[-k] = x[wrapped(-k, n2_)];
    for (int64_t k = 0; k < halo; ++k) x[n2_ + k] = x[k % n2_];
  }

 private:
  static int64_t wrapped(int64_t i, int64_t n) { return i < 0 ? (i % n + n) % n : i < n ? i : i % n; }
  Workspace memory_;
  int64_t n0_, n1_, n2_, pitch_;
  float* values_;
};

// The numbers of a filter's values in each bin; four copies of them, see `SlicedKernels::count`.
using Counts = std::vector<int32_t>;

class Descent {
 public:
  explicit Descent(const SlicedProblem& problem)
      : p_(problem), caller_(std::this_thread::get_id()), field_(p_.channels, p_.shape),
        values_(p_.filters, p_.shape), tables_(std::size_t(p_.filters) * (sliced_bins + 1)),
        line_errors_(std::size_t(p_.shape[0] * p_.shape[1])) {
    for (int c = 0; c < p_.channels; ++c)
      for (int64_t i = 0; i < field_.lines(); ++i) {
        std::copy_n(pixels(p_.field, c, i), p_.shape[2], field_.line(c, i));
        field_.wrap(c, i);
      }
  }

  bool run(double* errors) {
    bool going = true;
    for (int s = 0; s < p_.steps && going; ++s) going = step(s, errors[s]);
    for (int c = 0; c < p_.channels; ++c)
      for (int64_t i = 0; i < field_.lines(); ++i)
        std::copy_n(field_.line(c, i), p_.shape[2], pixels(p_.field, c, i));
    return going;
  }

 private:
  int taps() const { return p_.side * p_.side; }
  int64_t tables_stride() const { return sliced_bins + 1; }
  float* pixels(float* array, int c, int64_t i) const { return array + (c * field_lines() + i) * p_.shape[2]; }
  int64_t field_lines() const { return p_.shape[0] * p_.shape[1]; }
  // w_ct of a filter of this step
  float weight(int k, int c, int t) const {
    return p_.weights[((int64_t(step_) * p_.filters + k) * p_.channels + c) * taps() + t];
  }

  template <class Body>
  bool each_block(int64_t lines, const Body& body) {
    const int64_t blocks = (lines + line_block - 1) / line_block;
    const int threads = lines * p_.shape[2] < 8192 ? 1 : p_.threads;  // else starting them takes longer
    const auto stop = [&] {
      return p_.interrupted && std::this_thread::get_id() == caller_ && p_.interrupted(nullptr);
    };
    return parallel_for(blocks, threads, [&](int worker, int64_t block) {
      body(worker, block * line_block, std::min(lines, (block + 1) * line_block));
    }, stop);
  }

  bool step(int s, double& error) {
    step_ = s;
    set_offsets(p_.axis[s]);
    set_ranges();
    const std::size_t bins = std::size_t(p_.filters) * 4 * sliced_bins;
    Counts own(bins), wanted(bins);
    if (!project(own) || !project_exemplars(p_.exemplars[p_.axis[s]], wanted)) return false;
    for (int k = 0; k < p_.filters; ++k) set_table(k, own, wanted);
    if (!displace()) return false;
    error = 0;
    for (const double e : line_errors_) error += e;
    error /= double(p_.filters) * double(field_lines() * p_.shape[2]);
    return move();
  }

  // Lines in the order in which they are filtered: those that a patch takes together are near each
  // other, so that they stay in the cache.
  int64_t ordered(int64_t i) const {
    if (p_.axis[step_] == 0) return i;
    return i % p_.shape[0] * p_.shape[1] + i / p_.shape[0];
  }

  // Where the taps of a patch lie, from its first corner.
  void set_offsets(int axis) {
    const int first = axis == 0 ? 1 : 0, second = axis == 2 ? 1 : 2;
    offset_.assign(std::size_t(taps()) * 3, 0);
    for (int t = 0; t < taps(); ++t) {
      offset_[std::size_t(3 * t + first)] = t / p_.side;
      offset_[std::size_t(3 * t + second)] = t % p_.side;
    }
  }

  // The values of a filter lie between the sums of its negative and of its positive weights.
  void set_ranges() {
    for (int k = 0; k < p_.filters; ++k) {
      double low = 0, high = 0;
      for (int c = 0; c < p_.channels; ++c)
        for (int t = 0; t < taps(); ++t) (weight(k, c, t) < 0 ? low : high) += double(weight(k, c, t));
      const double margin = 1e-3 * (high - low) + 1e-6;
      low_[k] = float(low - margin);
      scale_[k] = float(sliced_bins / (high - low + 2 * margin));
    }
    packed_.resize(std::size_t(p_.channels) * std::size_t(taps()) * std::size_t(p_.filters));
    for (int c = 0; c < p_.channels; ++c)
      for (int t = 0; t < taps(); ++t)
        for (int k = 0; k < p_.filters; ++k)
          packed_[std::size_t((c * taps() + t) * p_.filters + k)] = weight(k, c, t);
  }

  bool project(Counts& counts) {
    std::vector<Counts> partial(std::size_t(std::max(1, p_.threads)));
    const int64_t stride = std::max<int64_t>(1, field_lines() * p_.shape[2] / counted);
    const bool done = each_block(field_lines(), [&](int worker, int64_t from, int64_t to) {
      Counts& mine = partial[std::size_t(worker)];
      if (mine.empty()) mine.resize(counts.size());
      std::vector<const float*> in(std::size_t(p_.channels) * std::size_t(taps()));
      float* out[most_filters];
      for (int64_t place = from; place < to; ++place) {
        const int64_t i = ordered(place), i0 = i / p_.shape[1], i1 = i % p_.shape[1];
        for (int c = 0; c < p_.channels; ++c)
          for (int t = 0; t < taps(); ++t) {
            const int* o = &offset_[std::size_t(3 * t)];
            in[std::size_t(c * taps() + t)] = field_.at(c, i0 + o[0], i1 + o[1], o[2]);
          }
        for (int k = 0; k < p_.filters; ++k) out[k] = values_.line(k, i);
        filter_line(in.data(), p_.shape[2], out, (i + step_) % stride == 0 ? &mine : nullptr);
      }
    });
    for (const Counts& part : partial)
      for (std::size_t b = 0; b < part.size(); ++b) counts[b] += part[b];
    return done;
  }

  void filter_line(const float* const* in, int64_t count, float* const* out, Counts* counts) {
    const SlicedKernels& kernels = sliced();
    kernels.stencil(in, packed_.data(), int64_t(p_.channels) * taps(), p_.filters, count, out);
    for (int k = 0; counts && k < p_.filters; ++k)
      kernels.count(out[k], count, low_[k], scale_[k], counts->data() + int64_t(k) * 4 * sliced_bins);
  }

  bool project_exemplars(const std::vector<Exemplar>& all, Counts& counts) {
    std::vector<std::pair<int, int64_t>> rows;  // (exemplar, first row of a patch)
    int64_t patches = 0, line = step_;
    for (const Exemplar& e : all) patches += (e.m0 - p_.side + 1) * (e.m1 - p_.side + 1);
    const int64_t stride = std::max<int64_t>(1, patches / counted);
    for (std::size_t e = 0; e < all.size(); ++e)
      for (int64_t i = 0; i + p_.side <= all[e].m0; ++i)
        if (line++ % stride == 0) rows.emplace_back(int(e), i);
    std::vector<Counts> partial(std::size_t(std::max(1, p_.threads)));
    const bool done = each_block(int64_t(rows.size()), [&](int worker, int64_t from, int64_t to) {
      Counts& mine = partial[std::size_t(worker)];
      if (mine.empty()) mine.resize(counts.size());
      for (int64_t r = from; r < to; ++r) {
        const auto [e, i] = rows[std::size_t(r)];
        project_row(all[std::size_t(e)], i, mine);
      }
    });
    for (const Counts& part : partial)
      for (std::size_t b = 0; b < part.size(); ++b) counts[b] += part[b];
    return done;
  }

  void project_row(const Exemplar& exemplar, int64_t row, Counts& counts) {
    const int64_t width = exemplar.m1, count = width - p_.side + 1, pitch = width + SlicedKernels::slack;
    // A copy with room past its end.
    std::vector<float> lines(std::size_t(p_.channels * p_.side * pitch));
    std::vector<float> found(std::size_t(p_.filters * (count + SlicedKernels::slack)));
    std::vector<const float*> in;
    for (int c = 0; c < p_.channels; ++c)
      for (int a = 0; a < p_.side; ++a) {
        float* line = lines.data() + (c * p_.side + a) * pitch;
        std::copy_n(exemplar.pixels + (c * exemplar.m0 + row + a) * width, width, line);
        for (int b = 0; b < p_.side; ++b) in.push_back(line + b);
      }
    float* out[most_filters];
    for (int k = 0; k < p_.filters; ++k) out[k] = found.data() + k * (count + SlicedKernels::slack);
    filter_line(in.data(), count, out, &counts);
  }

  // table[b] = T(e_b) − e_b at the edges e_b of bins, where T = Q_wanted ∘ F_own.
  void set_table(int k, const Counts& own, const Counts& wanted) {
    const auto total = [k](const Counts& counts, int b) {
      const int32_t* c = counts.data() + int64_t(k) * 4 * sliced_bins + b;
      return double(int64_t(c[0]) + c[sliced_bins] + c[2 * sliced_bins] + c[3 * sliced_bins]);
    };
    double own_sum = 0, wanted_sum = 0;
    for (int b = 0; b < sliced_bins; ++b) own_sum += total(own, b), wanted_sum += total(wanted, b);
    float* table = tables_.data() + k * tables_stride();
    double rank = 0, passed = 0;
    int bin = 0;
    while (bin < sliced_bins - 1 && total(wanted, bin) == 0) ++bin;  // T begins where there is something
    for (int b = 0; b <= sliced_bins; ++b) {
      const double target = rank * wanted_sum / own_sum;
      while (bin < sliced_bins - 1 && passed + total(wanted, bin) < target) passed += total(wanted, bin++);
      const double inside = total(wanted, bin), share = inside > 0 ? std::min(1.0, (target - passed) / inside) : 0.5;
      table[b] = float((bin + share - b) / double(scale_[k]));
      if (b < sliced_bins) rank += total(own, b);
    }
  }

  bool displace() {
    return each_block(field_lines(), [&](int, int64_t from, int64_t to) {
      for (int64_t i = from; i < to; ++i) {
        double& error = line_errors_[std::size_t(i)];
        error = 0;
        for (int k = 0; k < p_.filters; ++k) {
          error += sliced().displace(values_.line(k, i), p_.shape[2], low_[k], scale_[k],
                                     tables_.data() + k * tables_stride());
          values_.wrap(k, i);
        }
      }
    });
  }

  // Every pixel moves by the mean over the patches that it lies in.
  bool move() {
    std::vector<float> weights(std::size_t(p_.filters) * std::size_t(taps()) * std::size_t(p_.channels));
    for (int k = 0; k < p_.filters; ++k)
      for (int t = 0; t < taps(); ++t)
        for (int c = 0; c < p_.channels; ++c)
          weights[std::size_t((k * taps() + t) * p_.channels + c)] = weight(k, c, t);
    return each_block(field_lines(), [&](int, int64_t from, int64_t to) {
      const int64_t pitch = p_.shape[2] + SlicedKernels::slack;
      std::vector<const float*> in(std::size_t(p_.filters) * std::size_t(taps()));
      std::vector<float> change(std::size_t(p_.channels * pitch));
      std::vector<float*> out;
      for (int c = 0; c < p_.channels; ++c) out.push_back(change.data() + c * pitch);
      for (int64_t place = from; place < to; ++place) {
        const int64_t i = ordered(place), i0 = i / p_.shape[1], i1 = i % p_.shape[1];
        for (int k = 0; k < p_.filters; ++k)
          for (int t = 0; t < taps(); ++t) {
            const int* o = &offset_[std::size_t(3 * t)];
            in[std::size_t(k * taps() + t)] = values_.at(k, i0 - o[0], i1 - o[1], -o[2]);
          }
        sliced().stencil(in.data(), weights.data(), int64_t(in.size()), p_.channels, p_.shape[2], out.data());
        for (int c = 0; c < p_.channels; ++c) {
          sliced().update(out[std::size_t(c)], p_.shape[2], float(p_.rate / p_.filters), float(p_.momentum),
                          pixels(p_.velocity, c, i), field_.line(c, i));
          field_.wrap(c, i);
        }
      }
    });
  }

  const SlicedProblem& p_;
  const std::thread::id caller_;
  Padded field_, values_;
  std::vector<float> tables_, packed_;
  std::vector<double> line_errors_;
  std::vector<int> offset_;  // (taps, 3)
  float low_[most_filters] = {}, scale_[most_filters] = {};
  int step_ = 0;
};

}  // namespace

bool descend_sliced(const SlicedProblem& problem, double* errors) { return Descent(problem).run(errors); }

}  // namespace pearlite
