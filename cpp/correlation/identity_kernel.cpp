// The passes of the kernel identity, compiled once for each instruction set.
#include "correlation/identity.hpp"
#include "fourier/axes.hpp"

namespace pearlite {
namespace PEARLITE_ISA {

template <class T>
struct IdentityPasses {
  static constexpr int L = register_lanes<T>;
  using V = Vec<T, L>;
  const IdentityTask<T>& task;
  const IdentityProblem& problem;
  Axes<T> axes;

  explicit IdentityPasses(const IdentityTask<T>& t)
      : task(t), problem(*t.problem),
        axes{{problem.shape[0], problem.shape[1], problem.shape[2], L}, t.first, t.middle, t.last} {}

  int correlations() const { return 1 + problem.references; }
  T* half(int index) const { return task.halves + index * axes.shape.half_size(); }
  int64_t planes() const { return axes.shape.m > 1 ? axes.shape.rows() / axes.shape.m : 0; }
  double pixels() const { return double(axes.shape.n0) * double(axes.shape.m) * double(axes.shape.n); }

  // A spectrum is (row blocks, n, 2, L), and then the edge (2, n, 2) of packed rows.
  int64_t full_size() const { return rounded(axes.shape.full_size()); }
  T* block_of(T* spectrum, int64_t b) const { return spectrum + b * axes.shape.n * 2 * L; }
  const T* block_of(const T* spectrum, int64_t b) const { return spectrum + b * axes.shape.n * 2 * L; }
  template <class P>
  P edge_of(P spectrum) const { return block_of(spectrum, axes.shape.row_blocks()); }
  bool edged(int64_t b) const { return b == 0 && axes.shape.packed(); }

  // Work: x and y of a transform, and sums with their edges.
  static int64_t rounded(int64_t count) { return (count + 2 * L - 1) / (2 * L) * (2 * L); }
  int64_t sum_size() const { return rounded(axes.work()) + rounded(4 * axes.shape.n); }
  int sums() const { return problem.channels > correlations() ? problem.channels : correlations(); }
  int64_t work_size() const { return 2 * rounded(axes.work()) + rounded(4 * axes.shape.n) + sums() * sum_size(); }

  struct Work {
    T *x, *y, *edge, *sum;
  };
  Work divide(T* work) const {
    const int64_t size = rounded(axes.work());
    return {work, work + size, work + 2 * size, work + 2 * size + rounded(4 * axes.shape.n)};
  }

  int64_t pieces(int phase) const {
    const int64_t middle = planes() * axes.shape.column_blocks();
    switch (phase) {
      case 0: case 8: return problem.channels * axes.columns();
      case 1: case 7: return problem.channels * middle;
      case 3: case 5: return correlations() * middle;
      case 4: return correlations() * axes.columns();
      default: return axes.shape.row_blocks();
    }
  }

  // Phase 0.
  void forward(int channel, int64_t c, const Work& work) const {
    const int64_t m = axes.shape.m, n = axes.shape.n;
    const T* from = task.field + channel * axes.shape.n0 * m * n;
    const T mean = T(problem.mean[channel]);
    axes.forward_first(
        c,
        [&](int64_t i0, int64_t i1, int64_t j, int64_t count, T* to) {
          const T* row = from + (i0 * m + i1) * n + j;
          if (count == 2 * L)
            for (int k = 0; k < 2 * L; ++k) to[k] = row[k] - mean;
          else
            for (int64_t k = 0; k < count; ++k) to[k] = row[k] - mean;
        },
        half(channel), work.x, work.y);
  }

  // out = op(a, b, out) for complex numbers, of a row block and of an edge.
  template <class Op>
  void combine(const T* a, const T* b, T* out, const Op& op) const {
    for (int64_t k = 0; k < axes.shape.n; ++k, a += 2 * L, b += 2 * L, out += 2 * L) {
      V re = V::load(out), im = V::load(out + L);
      op(V::load(a), V::load(a + L), V::load(b), V::load(b + L), re, im);
      re.store(out), im.store(out + L);
    }
  }
  template <class Op>
  void combine_edges(const T* a, const T* b, T* out, const Op& op) const {
    for (int64_t k = 0; k < 4 * axes.shape.n; k += 2) op(a[k], a[k + 1], b[k], b[k + 1], out[k], out[k + 1]);
  }

  struct Sum {
    T *block, *edge;
  };
  Sum sum_of(const Work& work, int index) const {
    T* block = work.sum + index * sum_size();
    return {block, block + rounded(axes.work())};
  }
  void clear(const Sum& sum, bool edge) const {
    for (int64_t k = 0; k < 2 * L * axes.shape.n; ++k) sum.block[k] = 0;
    for (int64_t k = 0; edge && k < 4 * axes.shape.n; ++k) sum.edge[k] = 0;
  }
  // sum = op(a, b, sum), where a and b are spectra of the block b.
  template <class Op>
  void add(const T* a, const T* a_edge, const T* spectrum, int64_t b, const Sum& sum, const Op& op) const {
    combine(a, block_of(spectrum, b), sum.block, op);
    if (edged(b)) combine_edges(a_edge, edge_of(spectrum), sum.edge, op);
  }
  void back(const Sum& sum, int64_t b, int index, T* y) const {
    if (edged(b)) axes.pack(sum.edge, sum.block);
    axes.inverse_last(b, half(index), sum.block, y);
  }

  // Spectra of a block of rows of channel c, kept: -> where the block is.
  const T* keep(int channel, int64_t b, const Work& work) const {
    T* const spectrum = task.own_spectra + channel * full_size();
    const T* z = axes.forward_last(b, half(channel), work.x, work.y);
    T* to = block_of(spectrum, b);
    for (int64_t k = 0; k < 2 * L * axes.shape.n; k += L) V::load(z + k).store(to + k);
    if (edged(b)) axes.unpack(z, edge_of(spectrum));
    apply_filter(b, to, edge_of(spectrum));
    return to;
  }

  void apply_filter(int64_t b, T* block, T* edge) const {
    if (!problem.filter) return;
    const T* const filter = static_cast<const T*>(problem.filter);
    const auto weigh = [](auto weight, auto, auto, auto, auto& re, auto& im) { re = weight * re, im = weight * im; };
    combine(block_of(filter, b), block, block, weigh);
    if (edged(b)) combine_edges(edge_of(filter), edge, edge, weigh);
  }

  // Phase 2.
  void products(int64_t b, const Work& work) const {
    const T scale = T(problem.scale / pixels());
    const auto power = [scale](auto re, auto im, auto, auto, auto& sum, auto&) { sum = sum + scale * (re * re + im * im); };
    const auto cross = [scale](auto re, auto im, auto vre, auto vim, auto& sre, auto& sim) {
      sre = sre + scale * (re * vre + im * vim);
      sim = sim + scale * (re * vim - im * vre);
    };
    for (int k = 0; k < correlations(); ++k) clear(sum_of(work, k), edged(b));
    for (int c = 0; c < problem.channels; ++c) {
      const T* const u = keep(c, b, work);
      const T* const own = task.own_spectra + c * full_size();
      add(u, edge_of(own), own, b, sum_of(work, 0), power);
      for (int r = 0; r < problem.references; ++r)
        add(u, edge_of(own), reference(r, c), b, sum_of(work, 1 + r), cross);
    }
    for (int k = 0; k < correlations(); ++k) back(sum_of(work, k), b, k, work.y);
  }
  const T* reference(int r, int channel) const {
    return static_cast<const T*>(problem.spectra) + (r * problem.channels + channel) * full_size();
  }

  // Phase 4: columns of one correlation; f is summed up, and its derivative goes on.
  void powers(int index, int64_t c, const Work& work) const {
    T* const rows = axes.inverse_first(c, half(index), work.x, work.y);
    const T a2 = T(problem.power[0]), a3 = T(problem.power[1]), a4 = T(problem.power[2]);
    const double times = 2 * problem.scale / pixels() / (index ? problem.references : 1);
    const T d2 = T(2 * problem.power[0] * times), d3 = T(3 * problem.power[1] * times), d4 = T(4 * problem.power[2] * times);
    constexpr int lines = 16;  // summed up in T, and then in double
    double total = 0;
    V best = V::all(T(-1e30)), place = V::all(0);
    for (int64_t i0 = 0; i0 < axes.shape.n0; i0 += lines) {
      V sum = V::all(0);
      const int64_t end = i0 + lines < axes.shape.n0 ? i0 + lines : axes.shape.n0;
      for (int64_t i = 2 * i0; i < 2 * end; ++i) {
        const V v = V::load(rows + i * L);
        sum = sum + v * v * (V::all(a2) + v * (V::all(a3) + a4 * v));
        const auto better = v.r[0] > best.r[0];
        best.r[0] = better ? v.r[0] : best.r[0];
        place.r[0] = better ? V::all(T(i)).r[0] : place.r[0];
        (v * (V::all(d2) + v * (V::all(d3) + d4 * v))).store(rows + i * L);
      }
      for (int k = 0; k < L; ++k) total += double(sum.r[0][k]);
    }
    find(total, best, place, c, task.parts[index * axes.columns() + c]);
    if (!problem.gradient) return;
    axes.forward_first(c, [](int64_t, int64_t, int64_t, int64_t, T*) {}, half(index), rows,
                       rows == work.x ? work.y : work.x);
  }

  // Where the largest entry is, of those that are not padding.
  void find(double total, const V& best, const V& place, int64_t c, IdentityPart& part) const {
    const int64_t i1 = c / axes.shape.column_blocks(), j = c % axes.shape.column_blocks() * 2 * L;
    part = {total, -1e30, 0};
    for (int k = 0; k < L; ++k) {
      const int64_t line = int64_t(place.r[0][k]), column = j + (line % 2) * L + k;
      if (column >= axes.shape.n || !(double(best.r[0][k]) > part.peak)) continue;
      part.peak = double(best.r[0][k]);
      part.peak_at = (line / 2 * axes.shape.m + i1) * axes.shape.n + column;
    }
  }

  // Phase 6.
  void gradients(int64_t b, const Work& work) const {
    for (int c = 0; c < problem.channels; ++c) clear(sum_of(work, c), edged(b));
    const auto own = [](auto kre, auto kim, auto re, auto im, auto& sre, auto& sim) {
      sre = sre + kre * re - kim * im;
      sim = sim + kre * im + kim * re;
    };
    const auto cross = [](auto kre, auto kim, auto re, auto im, auto& sre, auto& sim) {
      sre = sre - kre * re - kim * im;
      sim = sim - kre * im + kim * re;
    };
    for (int k = 0; k < correlations(); ++k) {
      const T* z = axes.forward_last(b, half(k), work.x, work.y);
      if (edged(b)) axes.unpack(z, work.edge);
      for (int c = 0; c < problem.channels; ++c) {
        if (k == 0) add(z, work.edge, task.own_spectra + c * full_size(), b, sum_of(work, c), own);
        else add(z, work.edge, reference(k - 1, c), b, sum_of(work, c), cross);
      }
    }
    // All of this block has been read, and the halves take the gradients.
    for (int c = 0; c < problem.channels; ++c) {
      apply_filter(b, sum_of(work, c).block, sum_of(work, c).edge);
      back(sum_of(work, c), b, c, work.y);
    }
  }

  // Phase 8.
  void inverse(int channel, int64_t c, const Work& work) const {
    const T* rows = axes.inverse_first(c, half(channel), work.x, work.y);
    const int64_t i1 = c / axes.shape.column_blocks(), j = c % axes.shape.column_blocks() * 2 * L;
    const int64_t m = axes.shape.m, n = axes.shape.n, left = n - j, count = left < 2 * L ? left : 2 * L;
    T* out = task.gradient + (channel * axes.shape.n0 * m + i1) * n + j;
    for (int64_t i0 = 0; i0 < axes.shape.n0; ++i0, out += m * n, rows += 2 * L) {
      if (count == 2 * L)
        for (int k = 0; k < 2 * L; ++k) out[k] = rows[k];
      else
        for (int64_t k = 0; k < count; ++k) out[k] = rows[k];
    }
  }

  void middle(int phase, int64_t piece, const Work& work) const {
    const int64_t each = planes() * axes.shape.column_blocks();
    const int64_t plane = piece % each / axes.shape.column_blocks(), block = piece % axes.shape.column_blocks();
    T* const at = half(int(piece / each));
    if (phase % 4 == 1) axes.template transform_middle<false>(plane, block, at, work.x, work.y);
    else axes.template transform_middle<true>(plane, block, at, work.x, work.y);
  }

  void run(int phase, int64_t piece, T* memory) const {
    const Work work = divide(memory);
    if (phase % 2) return middle(phase, piece, work);
    if (phase == 2) return products(piece, work);
    if (phase == 6) return gradients(piece, work);
    const int index = int(piece / axes.columns());
    const int64_t c = piece % axes.columns();
    if (phase == 0) return forward(index, c, work);
    if (phase == 4) return powers(index, c, work);
    inverse(index, c, work);
  }
};

template <class T>
int64_t half_size(const IdentityTask<T>& task) {
  return IdentityPasses<T>(task).axes.shape.half_size();
}
template <class T>
int64_t full_size(const IdentityTask<T>& task) {
  return IdentityPasses<T>(task).full_size();
}
template <class T>
int64_t work_size(const IdentityTask<T>& task) {
  return IdentityPasses<T>(task).work_size();
}
template <class T>
int64_t columns(const IdentityTask<T>& task) {
  return IdentityPasses<T>(task).axes.columns();
}
template <class T>
int64_t pieces(const IdentityTask<T>& task, int phase) {
  return IdentityPasses<T>(task).pieces(phase);
}
template <class T>
void run(const IdentityTask<T>& task, int phase, int64_t piece, T* work) {
  IdentityPasses<T>(task).run(phase, piece, work);
}

extern const IdentityKernels<float> identity32_table = {
    half_size<float>, full_size<float>, work_size<float>, columns<float>, pieces<float>, run<float>};
extern const IdentityKernels<double> identity64_table = {
    half_size<double>, full_size<double>, work_size<double>, columns<double>, pieces<double>, run<double>};

}  // namespace PEARLITE_ISA
}  // namespace pearlite
