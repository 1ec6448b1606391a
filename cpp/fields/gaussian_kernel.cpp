// The passes of Gaussian fields, compiled once for each instruction set.
//
// A cell is P planes of Q rows of n pixels: (n0, m, n) in three dimensions, and (1, n0, n) in two.
//
//   phase 0   noise times amplitudes, L rows at a time, transposed so that each has a lane; their inverse
//             transform; and in three dimensions that of the plane's middle axis
//   phase 1   the first axis, 2 L columns at a time; means, and the two samples apart
//
// In between lie (channels, column blocks, P, Q padded to L, 2, 2 L): the real parts of a block's columns,
// then the imaginary ones.
#include "fields/gaussian.hpp"
#include "fourier/axes.hpp"
#include "shared/normals.hpp"

namespace pearlite {
namespace PEARLITE_ISA {

struct GaussianPasses {
  static constexpr int L = register_lanes<float>;
  using V = Vec<float, L>;

  const GaussianTask& task;
  const GaussianProblem& problem;
  bool flat;
  int64_t planes, rows, padded_rows, n, blocks;

  explicit GaussianPasses(const GaussianTask& t) : task(t), problem(*t.problem) {
    const int64_t* s = problem.shape;
    flat = s[1] == 1;
    planes = flat ? 1 : s[0];
    rows = flat ? s[0] : s[1];
    padded_rows = (rows + L - 1) / L * L;
    n = s[2];
    blocks = (n + 2 * L - 1) / (2 * L);
  }

  int64_t size() const { return planes * rows * n; }
  int64_t half_size() const { return blocks * planes * padded_rows * 4 * L; }
  // Work: four arrays of a transform, and the noise of L rows.
  int64_t transform_size() const {
    int64_t most = task.first->work();
    if (task.middle->work() > most) most = task.middle->work();
    if (task.last->work() > most) most = task.last->work();
    return 2 * L * most;
  }
  int64_t noise_size() const { return (L * n + L) / L * L; }
  int64_t sums_size() const { return problem.complement ? problem.shape[0] * 4 * L : 0; }
  int64_t work_size() const {
    return 4 * transform_size() + 2 * problem.rows * noise_size() + sums_size();
  }
  int64_t pieces(int phase) const {
    if (phase == 1) return flat ? blocks : blocks * rows;
    return flat ? padded_rows / L : planes;
  }
  float* row(int channel, int64_t block, int64_t p, int64_t q) const {
    return task.half + channel * half_size() + ((block * planes + p) * padded_rows + q) * 4 * L;
  }

  // Phase 0 ------------------------------------------------------------------------------------------

  void spectrum_piece(int64_t piece, float* work) const {
    if (flat) return transform_rows(0, piece * L, work);
    for (int64_t q = 0; q < rows; q += L) transform_rows(piece, q, work);
    for (int channel = 0; channel < problem.channels; ++channel)
      for (int64_t block = 0; block < blocks; ++block) transform_middle(channel, block, piece, work);
  }

  // L rows of plane p, from q on: all channels.
  void transform_rows(int64_t p, int64_t q, float* work) const {
    const int64_t first = (p * rows + q) * n, count = rows - q < L ? rows - q : L;
    float* const noise = work + 4 * transform_size();
    for (int l = 0; l < problem.rows; ++l)
      for (int part = 0; part < 2; ++part) {
        NormalKey key;
        key.seed = problem.seed;
        key.sample = 2 * task.pair + uint64_t(part);
        key.step = uint32_t(l);
        key.stream = gaussian_stream;
        fill_normals(NormalStream(key), uint64_t(first), count * n, noise + (2 * l + part) * noise_size());
      }
    float *const x = work, *const y = work + transform_size();
    for (int channel = 0; channel < problem.channels; ++channel) {
      for (int64_t j = 0; j < n; j += L)
        if (problem.parts == 1) colour<1>(channel, first, count, j, noise, x);
        else colour<2>(channel, first, count, j, noise, x);
      store_rows(channel, p, q, transform<true>(*task.last, x, y));
    }
  }

  // Columns j … j + L − 1 of rows of noise, times amplitudes, transposed into x.
  template <int parts>
  void colour(int channel, int64_t first, int64_t count, int64_t j, const float* noise, float* x) const {
    V re[L], im[L];
    const int64_t width = n - j < L ? n - j : L;
    for (int64_t i = 0; i < L; ++i) {
      re[i] = im[i] = V::all(0);
      if (i >= count) continue;
      for (int l = 0; l < problem.rows; ++l) {
        const float* a = problem.amplitudes + (l * problem.channels + channel) * parts * size() + first + i * n + j;
        const float* w = noise + 2 * l * noise_size() + i * n + j;
        const V u = loaded(w, width), v = loaded(w + noise_size(), width), b = loaded(a, width);
        re[i] = re[i] + b * u;
        im[i] = im[i] + b * v;
        if constexpr (parts == 2) {
          const V c = loaded(a + size(), width);
          re[i] = re[i] - c * v;
          im[i] = im[i] + c * u;
        }
      }
    }
    transpose<float>(re);
    transpose<float>(im);
    for (int64_t i = 0; i < width; ++i) {
      re[i].store(x + (j + i) * 2 * L);
      im[i].store(x + (j + i) * 2 * L + L);
    }
  }

  static PEARLITE_INLINE V loaded(const float* p, int64_t width) {
    V v;
    if (width == L) {
      __builtin_memcpy(&v, p, sizeof v);
    } else {
      v = V::all(0);
      __builtin_memcpy(&v, p, std::size_t(width) * sizeof(float));
    }
    return v;
  }

  // Transformed rows (n, 2, L), transposed back.
  void store_rows(int channel, int64_t p, int64_t q, const float* z) const {
    for (int64_t j = 0; j < 2 * L * blocks; j += L) {
      float* to = row(channel, j / (2 * L), p, q) + j % (2 * L);
      for (int part = 0; part < 2; ++part, to += 2 * L) {
        V tile[L];
        for (int64_t i = 0; i < L; ++i)
          tile[i] = j + i < n ? V::load(z + (j + i) * 2 * L + part * L) : V::all(0);
        transpose<float>(tile);
        for (int64_t i = 0; i < L; ++i) tile[i].store(to + i * 4 * L);
      }
    }
  }

  void transform_middle(int channel, int64_t block, int64_t p, float* work) const {
    float *const x = work, *const y = work + transform_size();
    for (int64_t part = 0; part < 2; ++part) {
      float* const plane = row(channel, block, p, 0) + part * L;
      for (int64_t q = 0; q < rows; ++q) {
        V::load(plane + q * 4 * L).store(x + q * 2 * L);
        V::load(plane + q * 4 * L + 2 * L).store(x + q * 2 * L + L);
      }
      const float* z = transform<true>(*task.middle, x, y);
      for (int64_t q = 0; q < rows; ++q) {
        V::load(z + q * 2 * L).store(plane + q * 4 * L);
        V::load(z + q * 2 * L + L).store(plane + q * 4 * L + 2 * L);
      }
    }
  }

  // Phase 1 ------------------------------------------------------------------------------------------

  void field_piece(int64_t piece, float* work) const {
    const int64_t block = flat ? piece : piece % blocks, i1 = flat ? 0 : piece / blocks;
    const int64_t j = block * 2 * L, width = n - j < 2 * L ? n - j : 2 * L;
    float* const sums = work + 4 * transform_size() + 2 * problem.rows * noise_size();
    for (int channel = 0; channel < problem.channels; ++channel) {
      const float* columns[2];
      for (int part = 0; part < 2; ++part) {
        float* const x = work + 2 * part * transform_size();
        load_columns(channel, block, i1, part, x);
        columns[part] = transform<true>(*task.first, x, x + transform_size());
      }
      if (problem.complement) add(columns, problem.means[channel], channel == 0, sums);
      write(columns, problem.means[channel], channel + problem.complement, i1, j, width);
    }
    if (problem.complement) write_complement(sums, i1, j, width);
  }

  void load_columns(int channel, int64_t block, int64_t i1, int part, float* x) const {
    const int64_t n0 = problem.shape[0], stride = flat ? 4 * L : padded_rows * 4 * L;
    const float* from = row(channel, block, 0, i1) + part * L;
    for (int64_t i = 0; i < n0; ++i, from += stride) {
      V::load(from).store(x + i * 2 * L);
      V::load(from + 2 * L).store(x + i * 2 * L + L);
    }
  }

  float* target(int sample, int channel, int64_t i1, int64_t j) const {
    return task.out[sample] + (channel * problem.shape[0] * problem.shape[1] + i1) * n + j;
  }

  void write(const float* const* columns, float mean, int channel, int64_t i1, int64_t j, int64_t width) const {
    const int64_t stride = problem.shape[1] * n;
    for (int sample = 0; sample < 2; ++sample) {
      if (!task.out[sample]) continue;
      float* to = target(sample, channel, i1, j);
      for (int64_t i = 0; i < problem.shape[0]; ++i, to += stride) {
        const float *a = columns[0] + i * 2 * L + sample * L, *b = columns[1] + i * 2 * L + sample * L;
        if (width == 2 * L) {
          for (int k = 0; k < L; ++k) to[k] = mean + a[k];
          for (int k = 0; k < L; ++k) to[L + k] = mean + b[k];
        } else {
          for (int64_t k = 0; k < width; ++k) to[k] = mean + (k < L ? a[k] : b[k - L]);
        }
      }
    }
  }

  // sums (n0, 2, 2 L): of both samples
  void add(const float* const* columns, float mean, bool begin, float* sums) const {
    for (int64_t i = 0; i < problem.shape[0]; ++i)
      for (int part = 0; part < 2; ++part)
        for (int sample = 0; sample < 2; ++sample) {
          float* to = sums + i * 4 * L + sample * 2 * L + part * L;
          const V value = V::all(mean) + V::load(columns[part] + i * 2 * L + sample * L);
          (begin ? value : V::load(to) + value).store(to);
        }
  }

  void write_complement(const float* sums, int64_t i1, int64_t j, int64_t width) const {
    const int64_t stride = problem.shape[1] * n;
    for (int sample = 0; sample < 2; ++sample) {
      if (!task.out[sample]) continue;
      float* to = target(sample, 0, i1, j);
      for (int64_t i = 0; i < problem.shape[0]; ++i, to += stride) {
        const float* from = sums + i * 4 * L + sample * 2 * L;
        for (int64_t k = 0; k < width; ++k) to[k] = 1.0f - from[k];
      }
    }
  }
};

static int64_t half_size(const GaussianTask& task) { return GaussianPasses(task).half_size(); }
static int64_t work_size(const GaussianTask& task) { return GaussianPasses(task).work_size(); }
static int64_t pieces(const GaussianTask& task, int phase) { return GaussianPasses(task).pieces(phase); }
static void run(const GaussianTask& task, int phase, int64_t piece, float* work) {
  if (phase == 0) GaussianPasses(task).spectrum_piece(piece, work);
  else GaussianPasses(task).field_piece(piece, work);
}

extern const GaussianKernels gaussian_table = {half_size, work_size, pieces, run};

}  // namespace PEARLITE_ISA
}  // namespace pearlite
