// The multigrid V(1,1) cycle: operators discretized anew on averaged conductivities, and one forward
// and one backward Gauss–Seidel sweep.
//
// Where axis 0 is halved, all that is done on the way down is one pass over the planes, and all on the
// way up another: each plane is still in the cache when its neighbours want it. Threads take chunks of
// planes that begin at even ones. What is wanted across the border of two chunks is done before the
// pass, and what only then can be done, after it.
#pragma once
#include "bottom.hpp"
#include "sweeps.hpp"
#include "task.hpp"

namespace pearlite {
namespace PEARLITE_ISA {
namespace voxels {

// Small grids are not worth a thread.
template <class Body>
void share_planes(const VoxelTeam& team, const Grid& g, int64_t count, const Body& body) {
  if (g.nodes() < 8192) VoxelTeam{}(count, body);
  else team(count, body);
}

// Planes [first(c), first(c + 1)) for each chunk c, which begin at even planes. Borders cost: some
// residuals there are computed twice.
struct Chunks {
  static constexpr int most = 16;
  int planes, count;
  Chunks(const Grid& g, int threads) : planes(g.n[0]) {
    const int pairs = planes / 2, wanted = threads == 1 ? 1 : 2 * threads < most ? 2 * threads : most;
    count = g.nodes() < 8192 || pairs < 4 ? 1 : pairs / 2 < wanted ? pairs / 2 : wanted;
  }
  int first(int64_t c) const { return c == count ? planes : int(planes / 2 * c / count * 2); }
};

// Runs use(chunk, plane, fresh) over all planes, each after enter(plane) of itself and its neighbours.
// Within a chunk planes are used in turn, from the one that is `fresh`.
template <class Enter, class Use>
void pass(const VoxelTeam& team, const Grid& grid, const Enter& enter, const Use& use) {
  const Chunks chunks(grid, team.threads);
  share_planes(team, grid, chunks.count, [&](int64_t c) {
    const int first = chunks.first(c), last = chunks.first(c + 1) - 1;
    enter(first);
    if (last > first) enter(last);
  });
  share_planes(team, grid, chunks.count, [&](int64_t c) {
    const int first = chunks.first(c), last = chunks.first(c + 1) - 1;
    for (int i = first; i <= last; ++i) {
      if (i + 1 < last) enter(i + 1);
      use(c, i, i == first);
    }
  });
}

// The next coarser grid, or the same.
inline Grid coarser(const Grid& finest, const Grid& grid, const double* g) {
  int n[3];
  coarser_grid(finest.n, g, grid.n, n);
  return Grid::of(n[0], n[1], n[2]);
}

class Cycle {
 public:
  static constexpr int most = 40;
  Level level[most];  // 0 is the finest; its r is set by the caller
  int count = 0;

  // g: of the finest voxels
  void allocate(Arena& arena, const Grid& finest, const double* g, int threads) {
    Grid grid = finest;
    int64_t residuals = 0;
    zeros_ = arena.take<float>(finest.pitch + 2 * LANES);
    for (count = 0;; ++count) {
      Level& l = level[count];
      l.grid = grid;
      l.zeros = zeros_ + LANES;
      double own[3];
      voxels_of_grid(finest.n, g, grid.n, own);
      l.couplings = Couplings::of(own);
      l.a = arena.take<float>(grid.size());
      l.dinv = arena.take<float>(grid.size());
      l.z = arena.take<float>(grid.size());
      l.r = arena.take<float>(grid.size());
      const Grid coarse = coarser(finest, grid, g);
      if (coarse.nodes() == grid.nodes()) break;
      l.next.allocate(arena, grid, coarse);
      const int64_t planes = fused(l) ? ring * Chunks(grid, threads).count : grid.n[0];
      if (planes * grid.plane > residuals) residuals = planes * grid.plane;
      grid = coarse;
    }
    ++count;
    bottom_.allocate(arena, grid);
    residual_ = arena.take<float>(residuals + LANES) + (arena.base ? LANES : 0);
    lines_ = arena.take<float>((2 * int64_t(finest.n[0]) + 1) * line_pitch(finest));
    sums_ = arena.take<double>(finest.n[0]);
  }

  // The finest level's a is set.
  void setup(const VoxelTeam& team) {
    for (int64_t k = 0; k < level[0].grid.pitch + 2 * LANES; ++k) zeros_[k] = 0;
    for (int l = 0; l < count; ++l) {
      Level& here = level[l];
      share_planes(team, here.grid, here.grid.n[0], [&](int64_t i) {
        for (int j = 0; j < here.grid.n[1]; ++j) with(here, [&](const auto& s) { s.diagonal(int(i), j); });
      });
      if (l + 1 == count) break;
      here.next.fill();
      share_planes(team, here.grid, level[l + 1].grid.n[0], [&](int64_t i) {
        for (int j = 0; j < level[l + 1].grid.n[1]; ++j)
          here.next.average(int(i), j, here.a, level[l + 1].a, line(2 * i), line_pitch(level[0].grid));
      });
    }
    const Level& last = level[count - 1];
    bottom_.setup([&](int64_t place, double matrix[8][8]) {
      for (int p = 0; p < 8; ++p)
        for (int q = 0; q < 8; ++q) matrix[p][q] = last.a[place] * last.couplings.entry(p ^ q);
    });
  }

  // z = V r on the finest level; prepare(i) sets plane i of r, once for each. Returns Σ r z.
  template <class Prepare>
  double run(const VoxelTeam& team, const Prepare& prepare) {
    if (count == 1)
      for (int i = 0; i < level[0].grid.n[0]; ++i) prepare(i);
    for (int l = 0; l + 1 < count; ++l) {
      if (l == 0) down(team, l, prepare);
      else down(team, l, [](int) {});
    }
    double rz = bottom_.solve(level[count - 1].r, level[count - 1].z);
    for (int l = count - 2; l >= 0; --l) rz = up(team, l);
    return rz;
  }

 private:
  static constexpr int ring = 4;  // planes of a residual that a chunk keeps

  static int64_t line_pitch(const Grid& g) { return (int64_t(g.n[2]) + 3 * LANES) / LANES * LANES + 3 * LANES; }
  float* line(int64_t plane) const { return lines_ + plane * line_pitch(level[0].grid) + LANES; }

  template <class Use>
  static void with(const Level& l, const Use& use) {
    if (l.couplings.cubic) use(Sweeps<true>{l});
    else use(Sweeps<false>{l});
  }

  static bool fused(const Level& l) { return l.next.axis[0].halves() && l.grid.n[0] > 2; }

  template <class Prepare>
  void down(const VoxelTeam& team, int l, const Prepare& prepare) {
    if (fused(level[l])) with(level[l], [&](const auto& s) { down_fused(team, level[l], level[l + 1], s, prepare); });
    else down_by_colours(team, level[l], level[l + 1], prepare);
  }

  double up(const VoxelTeam& team, int l) {
    if (fused(level[l])) with(level[l], [&](const auto& s) { up_fused(team, level[l], level[l + 1], s); });
    else up_by_colours(team, level[l], level[l + 1]);
    double rz = 0;
    for (int i = 0; i < level[l].grid.n[0]; ++i) rz += sums_[i];
    return rz;
  }

  // The residual's planes around an even plane, and what they give the coarse plane there.
  template <class Sweep>
  void restrict_plane(const Level& here, const Level& next, const Sweep& s, int64_t chunk, int plane,
                      bool lower_known) const {
    float* const base = residual_ + chunk * ring * here.grid.plane;
    const float* planes[3];
    for (int e = -1; e <= 1; ++e) {
      float* slot = base + ((plane + e + ring) % ring) * here.grid.plane;
      if (e >= 0 || !lower_known) s.residual((plane + e + here.grid.n[0]) % here.grid.n[0], slot);
      planes[e + 1] = slot;
    }
    here.next.restrict_between(plane / 2, planes, next.r, line(chunk));
  }

  template <class Sweep, class Prepare>
  void down_fused(const VoxelTeam& team, const Level& here, const Level& next, const Sweep& s,
                  const Prepare& prepare) const {
    const Chunks chunks(here.grid, team.threads);
    const auto enter = [&](int i) { prepare(i), s.forward(i); };
    share_planes(team, here.grid, chunks.count, [&](int64_t c) { enter(chunks.first(c)); });
    share_planes(team, here.grid, chunks.count, [&](int64_t c) {
      const int begin = chunks.first(c), end = chunks.first(c + 1);
      for (int i = begin + 2; i <= end; i += 2) {
        if (i < end) enter(i);
        enter(i - 1);
        if (i - 2 > begin) restrict_plane(here, next, s, c, i - 2, i - 4 > begin);
      }
    });
    share_planes(team, here.grid, chunks.count,
                 [&](int64_t c) { restrict_plane(here, next, s, c, chunks.first(c), false); });
  }

  template <class Sweep>
  void up_fused(const VoxelTeam& team, const Level& here, const Level& next, const Sweep& s) const {
    const Chunks chunks(here.grid, team.threads);
    const auto prolong = [&](int i, int64_t c) {
      for (int j = 0; j < here.grid.n[1]; ++j) here.next.prolong_to(i, j, next.z, here.z, line(c));
    };
    const auto sweep = [&](int i) { sums_[i] = s.backward(i); };
    share_planes(team, here.grid, chunks.count, [&](int64_t c) { prolong(chunks.first(c), c); });
    share_planes(team, here.grid, chunks.count, [&](int64_t c) {
      const int begin = chunks.first(c), end = chunks.first(c + 1);
      for (int i = begin + 1; i < end; i += 2) {
        prolong(i, c);
        if (i + 1 < end) prolong(i + 1, c);
        sweep(i);
        if (i - 1 > begin) sweep(i - 1);
      }
    });
    share_planes(team, here.grid, chunks.count, [&](int64_t c) { sweep(chunks.first(c)); });
  }

  // The same for axes that are not halved: one thing after the other.
  template <class Prepare>
  void down_by_colours(const VoxelTeam& team, const Level& here, const Level& next, const Prepare& prepare) const {
    const Colours colours{here.grid.n[0]};
    for (int c = 0; c < colours.count(); ++c)
      share_planes(team, here.grid, colours.members(c), [&](int64_t k) {
        const int i = colours.member(c, int(k));
        prepare(i);
        with(here, [&](const auto& s) { s.forward(i); });
      });
    share_planes(team, here.grid, here.grid.n[0], [&](int64_t i) {
      with(here, [&](const auto& s) { s.residual(int(i), residual_ + i * here.grid.plane); });
    });
    share_planes(team, here.grid, next.grid.n[0], [&](int64_t i) {
      for (int j = 0; j < next.grid.n[1]; ++j)
        here.next.restrict_to(int(i), j, residual_ - LANES, next.r, line(i));
    });
  }

  void up_by_colours(const VoxelTeam& team, const Level& here, const Level& next) const {
    share_planes(team, here.grid, here.grid.n[0], [&](int64_t i) {
      for (int j = 0; j < here.grid.n[1]; ++j) here.next.prolong_to(int(i), j, next.z, here.z, line(i));
    });
    const Colours colours{here.grid.n[0]};
    for (int c = colours.count() - 1; c >= 0; --c)
      share_planes(team, here.grid, colours.members(c), [&](int64_t k) {
        const int i = colours.member(c, int(k));
        with(here, [&](const auto& s) { sums_[i] = s.backward(i); });
      });
  }

  Bottom bottom_;
  float* zeros_ = nullptr;
  float* residual_ = nullptr;  // planes, of a ring for each chunk or of the whole grid
  float* lines_ = nullptr;     // (2 planes + 1, line pitch)
  double* sums_ = nullptr;     // (planes,)
};

}  // namespace voxels
}  // namespace PEARLITE_ISA
}  // namespace pearlite
