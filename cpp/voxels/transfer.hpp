// Linear interpolation between two uniform periodic grids, by tables for each axis.
#pragma once
#include "shared/voxel_grids.hpp"
#include "shuffles.hpp"

namespace pearlite {
namespace PEARLITE_ISA {
namespace voxels {

struct AxisTransfer {
  static constexpr int most = 4;
  int n = 1, m = 1;
  // Of a fine node: the coarse node before it, and the share of the one after.
  int32_t* before = nullptr;  // (n,)
  float* share = nullptr;     // (n,)
  // Of a coarse node: the fine nodes that it takes part in, and of a coarse voxel those it consists of.
  int32_t* node = nullptr;    // (m, most)
  float* weight = nullptr;    // (m, most)
  int32_t* voxel = nullptr;   // (m, most)
  float* part = nullptr;      // (m, most)

  bool identity() const { return n == m; }
  bool halves() const { return n == 2 * m; }

  void allocate(Arena& arena, int fine, int coarse) {
    n = fine;
    m = coarse;
    before = arena.take<int32_t>(n);
    share = arena.take<float>(n);
    node = arena.take<int32_t>(int64_t(m) * most);
    weight = arena.take<float>(int64_t(m) * most);
    voxel = arena.take<int32_t>(int64_t(m) * most);
    part = arena.take<float>(int64_t(m) * most);
  }

  void fill() {
    for (int k = 0; k < m * most; ++k) node[k] = voxel[k] = 0, weight[k] = part[k] = 0;
    for (int f = 0; f < n; ++f) {
      const CoarsePlace place = coarse_place(n, m, f);
      before[f] = place.before;
      share[f] = place.share;
      add(node, weight, before[f], f, 1 - share[f]);
      add(node, weight, (before[f] + 1) % m, f, share[f]);
    }
    for (int c = 0; c < m; ++c) {
      const FineRange covered = fine_voxels(n, m, c);
      for (int f = covered.first; f < covered.first + covered.count; ++f)
        add(voxel, part, c, f, voxel_part(n, m, c, f));
    }
  }

 private:
  static void add(int32_t* index, float* value, int at, int which, float amount) {
    if (amount == 0) return;
    for (int e = 0; e < most; ++e) {
      const int64_t k = int64_t(at) * most + e;
      if (value[k] != 0 && index[k] != which) continue;
      index[k] = which;
      value[k] += amount;
      return;
    }
  }
};

// The last axis, within a row that has its halo.
PEARLITE_INLINE void restrict_row(const AxisTransfer& t, const float* __restrict fine, float* __restrict coarse) {
  if (t.identity()) {
    for (int c = 0; c < t.m; ++c) coarse[c] = fine[c];
  } else if (t.halves()) {
    for (int c = 0; c < t.m; ++c) coarse[c] = fine[2 * c] + .5f * (fine[2 * c - 1] + fine[2 * c + 1]);
  } else {
    for (int c = 0; c < t.m; ++c) {
      float sum = 0;
      for (int e = 0; e < AxisTransfer::most; ++e)
        sum += t.weight[c * AxisTransfer::most + e] * fine[t.node[c * AxisTransfer::most + e]];
      coarse[c] = sum;
    }
  }
}

PEARLITE_INLINE void prolong_row(const AxisTransfer& t, const float* __restrict coarse, float* __restrict fine) {
  if (t.identity()) {
    for (int c = 0; c < t.m; ++c) fine[c] += coarse[c];
  } else if (t.halves()) {
    for (int c = 0; c < t.m; ++c) {
      fine[2 * c] += coarse[c];
      fine[2 * c + 1] += .5f * (coarse[c] + coarse[c + 1]);
    }
  } else {
    for (int f = 0; f < t.n; ++f)
      fine[f] += (1 - t.share[f]) * coarse[t.before[f]] + t.share[f] * coarse[t.before[f] + 1];
  }
}

struct Transfer {
  Grid fine, coarse;
  AxisTransfer axis[3];

  void allocate(Arena& arena, const Grid& from, const Grid& to) {
    fine = from;
    coarse = to;
    for (int d = 0; d < 3; ++d) axis[d].allocate(arena, from.n[d], to.n[d]);
  }
  void fill() {
    for (int d = 0; d < 3; ++d) axis[d].fill();
  }

  // Calls use(fine row's offset, weight) for all that coarse row (i, j) consists of.
  template <class Use>
  PEARLITE_INLINE void gather(const int32_t* first, const float* w0, const int32_t* second, const float* w1, int i,
                              int j, const Use& use) const {
    constexpr int most = AxisTransfer::most;
    for (int e = 0; e < most; ++e)
      for (int f = 0; f < most; ++f) {
        const float w = w0[i * most + e] * w1[j * most + f];
        if (w != 0) use(fine.at(first[i * most + e], second[j * most + f]), w);
      }
  }

  // Row (i, j) of coarse = Pᵀ fine. line: a fine row with room for its halo.
  void restrict_to(int i, int j, const float* from, float* to, float* line) const {
    const int64_t n = fine.n[2];
    clear(line, n);
    gather(axis[0].node, axis[0].weight, axis[1].node, axis[1].weight, i, j, [&](int64_t row, float w) {
      for (int64_t k = 0; k < n; k += LANES) (Vf::load(line + k) + w * Vf::load(from + row + k)).store(line + k);
    });
    restrict_line(line, to + coarse.at(i, j));
  }

  // Plane i of coarse = Pᵀ fine, where axis 0 is halved, from the fine planes 2i − 1, 2i, 2i + 1.
  void restrict_between(int i, const float* const planes[3], float* to, float* line) const {
    constexpr int most = AxisTransfer::most;
    const int64_t n = fine.n[2];
    for (int j = 0; j < coarse.n[1]; ++j) {
      if (axis[1].halves() && axis[2].halves()) {
        restrict_halves(j, planes, to + coarse.at(i, j));
        continue;
      }
      for (int e = 0; e < most; ++e) {
        const float w = axis[1].weight[j * most + e];
        if (w == 0) break;
        const int64_t row = axis[1].node[j * most + e] * fine.pitch;
        const float *low = planes[0] + row, *middle = planes[1] + row, *high = planes[2] + row;
        for (int64_t k = 0; k < n; k += LANES) {
          const auto v = w * (Vf::load(middle + k) + .5f * (Vf::load(low + k) + Vf::load(high + k)));
          (e == 0 ? v : Vf::load(line + k) + v).store(line + k);
        }
      }
      restrict_line(line, to + coarse.at(i, j));
    }
  }

  // Row (i, j) of fine += P coarse. line: a coarse row with its halo.
  void prolong_to(int i, int j, const float* from, float* to, float* line) const {
    const int64_t n = coarse.n[2];
    if (axis[0].halves() && axis[1].halves() && axis[2].halves()) return prolong_halves(i, j, from, to);
    bool first = true;
    for (int s = 0; s < 2; ++s)
      for (int t = 0; t < 2; ++t) {
        const float w = (s ? axis[0].share[i] : 1 - axis[0].share[i]) * (t ? axis[1].share[j] : 1 - axis[1].share[j]);
        if (w == 0) continue;
        const float* row =
            from + coarse.at((axis[0].before[i] + s) % coarse.n[0], (axis[1].before[j] + t) % coarse.n[1]);
        for (int64_t k = 0; k < n; k += LANES)
          (first ? w * Vf::load(row + k) : Vf::load(line + k) + w * Vf::load(row + k)).store(line + k);
        first = false;
      }
    line[n] = line[0];
    float* out = to + fine.at(i, j);
    prolong_row(axis[2], line, out);
    close_row(fine, out);
  }

  // Row (i, j) of the coarse voxels' conductivities. line: two rows, `next_line` apart.
  void average(int i, int j, const float* from, float* to, float* line, int64_t next_line) const {
    const int64_t n = fine.n[2];
    float* inverse = line + next_line;
    clear(line, n);
    clear(inverse, n);
    gather(axis[0].voxel, axis[0].part, axis[1].voxel, axis[1].part, i, j, [&](int64_t row, float w) {
      for (int64_t k = 0; k < n; k += LANES) {
        const auto a = Vf::load(from + row + k);
        (Vf::load(line + k) + w * a).store(line + k);
        (Vf::load(inverse + k) + w / a).store(inverse + k);
      }
    });
    float* out = to + coarse.at(i, j);
    const AxisTransfer& t = axis[2];
    for (int c = 0; c < t.m; ++c) {
      float sum = 0, inverse_sum = 0;
      for (int e = c * AxisTransfer::most; e < (c + 1) * AxisTransfer::most && t.part[e] != 0; ++e) {
        sum += t.part[e] * line[t.voxel[e]];
        inverse_sum += t.part[e] * inverse[t.voxel[e]];
      }
      out[c] = coarse_conductivity(sum, inverse_sum);
    }
    close_row(coarse, out);
  }

 private:
  // The value that the 9 fine rows around coarse row j have at k, weighted.
  template <class V>
  static PEARLITE_INLINE V weighted(const float* const rows[3][3], int64_t k) {
    V line[3];
    for (int t = 0; t < 3; ++t) {
      V low, middle, high;
      fetch(rows[0][t] + k, low), fetch(rows[1][t] + k, middle), fetch(rows[2][t] + k, high);
      line[t] = middle + .5f * (low + high);
    }
    return line[1] + .5f * (line[0] + line[2]);
  }

  void restrict_halves(int j, const float* const planes[3], float* out) const {
    const float* rows[3][3];
    for (int s = 0; s < 3; ++s)
      for (int t = 0; t < 3; ++t) rows[s][t] = planes[s] + (t > 0 || j > 0 ? 2 * j + t - 1 : fine.n[1] - 1) * fine.pitch;
    auto before = Vf::all(weighted<float>(rows, fine.n[2] - 1));
    for (int64_t k = 0; k < coarse.n[2]; k += LANES) {
      const auto low = weighted<Vf>(rows, 2 * k);
      const auto high = 2 * k + LANES < fine.n[2] ? weighted<Vf>(rows, 2 * k + LANES) : Vf::all(0);
      Vf even, odd;
      unzip(low, high, even, odd);
      (even + .5f * (odd + shifted(before, odd))).store(out + k);
      before = odd;
    }
    clear_rest(coarse, out);
  }

  void prolong_halves(int i, int j, const float* from, float* to) const {
    const int is[2] = {i / 2, i / 2 + 1 < coarse.n[0] ? i / 2 + 1 : 0};
    const int js[2] = {j / 2, j / 2 + 1 < coarse.n[1] ? j / 2 + 1 : 0};
    const float *a = from + coarse.at(is[0], js[0]), *b = from + coarse.at(is[0], js[1]);
    const float *c = from + coarse.at(is[1], js[0]), *d = from + coarse.at(is[1], js[1]);
    float* out = to + fine.at(i, j);
    if (i % 2 == 0 && j % 2 == 0) widen(out, [=](int64_t k) { return near(a + k); });
    else if (i % 2 == 0) widen(out, [=](int64_t k) { return .5f * (near(a + k) + near(b + k)); });
    else if (j % 2 == 0) widen(out, [=](int64_t k) { return .5f * (near(a + k) + near(c + k)); });
    else widen(out, [=](int64_t k) { return .25f * ((near(a + k) + near(b + k)) + (near(c + k) + near(d + k))); });
    close_row(fine, out);
  }

  // Adds a coarse row, given by its vectors, to a fine one.
  template <class Row>
  PEARLITE_INLINE void widen(float* out, const Row& row) const {
    for (int64_t k = 0; k < coarse.n[2]; k += LANES) {
      const auto here = row(k);
      Vf low, high;
      zip(here, .5f * (here + row(k + 1)), low, high);
      (Vf::load(out + 2 * k) + low).store(out + 2 * k);
      if (2 * k + LANES < fine.n[2]) (Vf::load(out + 2 * k + LANES) + high).store(out + 2 * k + LANES);
    }
  }

  PEARLITE_INLINE void restrict_line(float* line, float* out) const {
    line[-1] = line[fine.n[2] - 1];
    line[fine.n[2]] = line[0];
    restrict_row(axis[2], line, out);
    clear_rest(coarse, out);
  }
  static PEARLITE_INLINE void clear(float* line, int64_t n) {
    for (int64_t k = 0; k < n; k += LANES) Vf::all(0).store(line + k);
  }
};

}  // namespace voxels
}  // namespace PEARLITE_ISA
}  // namespace pearlite
