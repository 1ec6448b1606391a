// Linear interpolation between two uniform periodic grids of n ≥ m nodes along one axis: fine node f
// lies at f m / n in units of the coarse grid. Half the size is the usual case; odd sizes take
// (n + 1) / 2, and no pair of coarse nodes is closer than the others.
#pragma once
#include "grid.hpp"

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
      const int64_t place = int64_t(f) * m;
      before[f] = int32_t(place / n);
      share[f] = float(place % n) / float(n);
      add(node, weight, before[f], f, 1 - share[f]);
      add(node, weight, (before[f] + 1) % m, f, share[f]);
    }
    // Coarse voxel c covers [c n, (c + 1) n) and fine voxel f [f m, (f + 1) m), in units of 1 / (n m).
    for (int c = 0; c < m; ++c)
      for (int64_t f = int64_t(c) * n / m; f * m < (int64_t(c) + 1) * n; ++f) {
        const int64_t low = f * m > int64_t(c) * n ? f * m : int64_t(c) * n;
        const int64_t high = (f + 1) * m < (int64_t(c) + 1) * n ? (f + 1) * m : (int64_t(c) + 1) * n;
        if (high > low) add(voxel, part, c, int(f), float(high - low) / float(n));
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

  // Row (i, j) of the coarse voxels' mean conductivity.
  void average(int i, int j, const float* from, float* to, float* line) const {
    const int64_t n = fine.n[2];
    clear(line, n);
    gather(axis[0].voxel, axis[0].part, axis[1].voxel, axis[1].part, i, j, [&](int64_t row, float w) {
      for (int64_t k = 0; k < n; k += LANES) (Vf::load(line + k) + w * Vf::load(from + row + k)).store(line + k);
    });
    float* out = to + coarse.at(i, j);
    const AxisTransfer& t = axis[2];
    for (int c = 0; c < t.m; ++c) {
      float sum = 0;
      for (int e = 0; e < AxisTransfer::most; ++e)
        sum += t.part[c * AxisTransfer::most + e] * line[t.voxel[c * AxisTransfer::most + e]];
      out[c] = sum;
    }
    close_row(coarse, out);
  }

 private:
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
