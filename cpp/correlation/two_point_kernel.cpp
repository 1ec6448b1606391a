// The passes of two-point correlations, compiled once for each instruction set.
#include "correlation/two_point.hpp"
#include "fourier/axes.hpp"

namespace pearlite {
namespace PEARLITE_ISA {

template <class T>
struct TwoPointPasses {
  static constexpr int L = register_lanes<T>;
  using Z = Complex<T>;
  const TwoPointTask<T>& task;
  const TwoPointProblem& problem;
  Axes<T> axes;

  explicit TwoPointPasses(const TwoPointTask<T>& t)
      : task(t), problem(*t.problem),
        axes{{problem.shape[0], problem.shape[1], problem.shape[2], L}, t.first, t.middle, t.last} {}

  T* half(int index) const { return task.half + index * axes.shape.half_size(); }
  int64_t planes() const { return axes.shape.m > 1 ? axes.shape.rows() / axes.shape.m : 0; }
  // Work: x and y of the fields that a piece transforms together, and the edge rows of each.
  int64_t edge_size() const { return 4 * axes.shape.n; }
  int64_t work_size() const {
    return (problem.fields + 2) * axes.work() + (problem.fields + 1) * edge_size();
  }

  int64_t pieces(int phase) const {
    switch (phase) {
      case 0: return problem.fields * axes.columns();
      case 1: return problem.fields * planes() * axes.shape.column_blocks();
      case 2: return axes.shape.row_blocks();
      case 3: return problem.pairs * planes() * axes.shape.column_blocks();
      default: return problem.pairs * axes.columns();
    }
  }

  template <class In, class Value>
  void forward(int field, int64_t c, T* work, const Value& value) const {
    const int64_t *n = problem.field_shape, size = n[0] * n[1] * n[2];
    const In* from = static_cast<const In*>(problem.field[field]) + task.item * size;
    axes.forward_first(
        c,
        [&](int64_t i0, int64_t i1, int64_t j, int64_t count, T* to) {
          int64_t known = i0 < n[0] && i1 < n[1] ? n[2] - j : 0;  // the rest is padding
          known = known < 0 ? 0 : known < count ? known : count;
          const In* row = from + (i0 * n[1] + i1) * n[2] + j;
          if (known == 2 * L)
            for (int k = 0; k < 2 * L; ++k) to[k] = value(row[k]);
          else
            for (int64_t k = 0; k < known; ++k) to[k] = value(row[k]);
          for (int64_t k = known; k < count; ++k) to[k] = 0;
        },
        half(field), work, work + axes.work());
  }

  template <class In>
  void forward_labels(int field, int64_t c, T* work) const {
    const int64_t phase = problem.phase[field];
    if (phase != int64_t(In(phase))) {
      forward<In>(field, c, work, [](In) { return T(0); });
      return;
    }
    const In label = In(phase);
    forward<In>(field, c, work, [label](In v) { return v == label ? T(1) : T(0); });
  }

  void forward(int field, int64_t c, T* work) const {
    switch (problem.type) {
      case FieldType::float32: return forward<float>(field, c, work, [](float v) { return T(v); });
      case FieldType::float64: return forward<double>(field, c, work, [](double v) { return T(v); });
      case FieldType::uint8: return forward_labels<uint8_t>(field, c, work);
      case FieldType::uint16: return forward_labels<uint16_t>(field, c, work);
      case FieldType::int32: return forward_labels<int32_t>(field, c, work);
    }
  }

  // All fields' rows of a block, their products, and the way back.
  void last_axis(int64_t block, T* work) const {
    const bool edged = block == 0 && axes.shape.packed();
    const T* spectrum[most_fields];
    T* free = work;  // the array of the pair that holds no spectrum
    T* const edges = work + (problem.fields + 2) * axes.work();
    for (int f = 0; f < problem.fields; ++f) {
      T* const other = work + (f + 1) * axes.work();
      T* const z = axes.forward_last(block, half(f), free, other);
      spectrum[f] = z;
      if (z == free) free = other;
      if (edged) axes.unpack(z, edges + f * edge_size());
    }
    T* const spare = work + (problem.fields + 1) * axes.work();
    T* const edge = edges + problem.fields * edge_size();
    for (int p = 0; p < problem.pairs; ++p) {
      const int a = problem.left[p], b = problem.right[p];
      multiply(spectrum[a], spectrum[b], free);
      if (edged) {
        multiply_edges(edges + a * edge_size(), edges + b * edge_size(), edge);
        axes.pack(edge, free);
      }
      axes.inverse_last(block, half(problem.fields + p), free, spare);
    }
  }

  // scale · conj(u) v
  void multiply(const T* u, const T* v, T* out) const {
    const T scale = T(problem.scale / (double(axes.shape.n0) * double(axes.shape.m) * double(axes.shape.n)));
    for (int64_t k = 0; k < axes.shape.n; ++k) {
      const Z a = get<T, false>(u, k), b = get<T, false>(v, k);
      put<T, false>(out, k, {scale * (a.re * b.re + a.im * b.im), scale * (a.re * b.im - a.im * b.re)});
    }
  }
  void multiply_edges(const T* u, const T* v, T* out) const {
    const T scale = T(problem.scale / (double(axes.shape.n0) * double(axes.shape.m) * double(axes.shape.n)));
    for (int64_t k = 0; k < 4 * axes.shape.n; k += 2) {
      out[k] = scale * (u[k] * v[k] + u[k + 1] * v[k + 1]);
      out[k + 1] = scale * (u[k] * v[k + 1] - u[k + 1] * v[k]);
    }
  }

  void inverse(int pair, int64_t c, T* work) const {
    const T* rows = axes.inverse_first(c, half(problem.fields + pair), work, work + axes.work());
    const int64_t i1 = c / axes.shape.column_blocks(), j = c % axes.shape.column_blocks() * 2 * L;
    const int64_t left = axes.shape.n - j, count = left < 2 * L ? left : 2 * L;
    const int64_t *f = problem.field_shape, *s = problem.shape;
    if (!task.weight[0]) {
      T* out = task.out + (pair * f[0] * f[1] + i1) * f[2] + j;
      for (int64_t i0 = 0; i0 < s[0]; ++i0)
        for (int64_t k = 0; k < count; ++k) out[i0 * f[1] * f[2] + k] = rows[i0 * 2 * L + k];
      return;
    }
    const int64_t r1 = centred(i1, 1), o1 = 2 * f[1] - 1, o2 = 2 * f[2] - 1;
    if (r1 < 0) return;
    for (int64_t i0 = 0; i0 < s[0]; ++i0) {
      const int64_t r0 = centred(i0, 0);
      if (r0 < 0) continue;
      T* out = task.out + ((pair * (2 * f[0] - 1) + r0) * o1 + r1) * o2;
      const T weight = task.weight[0][r0] * task.weight[1][r1];
      for (int64_t k = 0; k < count; ++k) {
        const int64_t r2 = centred(j + k, 2);
        if (r2 >= 0) out[r2] = weight * task.weight[2][r2] * rows[i0 * 2 * L + k];
      }
    }
  }

  // Where a shift of the padded transform lies in the output, whose zero shift is in the middle, or −1.
  int64_t centred(int64_t shift, int axis) const {
    const int64_t n = problem.field_shape[axis], padded = problem.shape[axis];
    if (shift < n) return n - 1 + shift;
    return shift > padded - n ? n - 1 + shift - padded : -1;
  }

  void run(int phase, int64_t piece, T* work) const {
    if (phase == 2) return last_axis(piece, work);
    const int64_t each = pieces(phase) / (phase < 2 ? problem.fields : problem.pairs);
    const int index = int(piece / each);
    const int64_t rest = piece % each;
    if (phase == 0) return forward(index, rest, work);
    if (phase == 4) return inverse(index, rest, work);
    const int64_t plane = rest / axes.shape.column_blocks(), block = rest % axes.shape.column_blocks();
    T* const other = work + axes.work();
    if (phase == 1) axes.template transform_middle<false>(plane, block, half(index), work, other);
    else axes.template transform_middle<true>(plane, block, half(problem.fields + index), work, other);
  }
};

template <class T>
int64_t half_size(const TwoPointTask<T>& task) {
  return TwoPointPasses<T>(task).axes.shape.half_size();
}
template <class T>
int64_t work_size(const TwoPointTask<T>& task) {
  return TwoPointPasses<T>(task).work_size();
}
template <class T>
int64_t pieces(const TwoPointTask<T>& task, int phase) {
  return TwoPointPasses<T>(task).pieces(phase);
}
template <class T>
void run(const TwoPointTask<T>& task, int phase, int64_t piece, T* work) {
  TwoPointPasses<T>(task).run(phase, piece, work);
}

extern const TwoPointKernels<float> two_point32_table = {
    register_lanes<float>, half_size<float>, work_size<float>, pieces<float>, run<float>};
extern const TwoPointKernels<double> two_point64_table = {
    register_lanes<double>, half_size<double>, work_size<double>, pieces<double>, run<double>};

}  // namespace PEARLITE_ISA
}  // namespace pearlite
