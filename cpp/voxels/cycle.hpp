// The multigrid V(1,1) cycle: operators discretized anew on averaged conductivities, and one forward
// and one backward Gauss–Seidel sweep.
//
// Planes of axis 0 are swept by colours, the even ones, then the odd ones, then (of an odd number) the
// last; planes of one colour do not touch. So they can be shared among threads, and the result does not
// depend on how. The rows of a plane go by colours too: a row that was just written would be read too
// early otherwise, before the processor has stored it. The nodes of a row go all at once.
#pragma once
#include "couplings.hpp"
#include "task.hpp"
#include "transfer.hpp"

namespace pearlite {
namespace PEARLITE_ISA {
namespace voxels {

struct Colours {
  int n;  // planes, or rows of a plane
  int count() const { return n < 2 ? 1 : n % 2 == 0 ? 2 : 3; }
  int of(int i) const { return n % 2 == 1 && n > 1 && i == n - 1 ? 2 : i % 2; }
  int members(int colour) const { return colour == 2 ? 1 : n < 2 ? n : colour == 0 ? n - n / 2 - n % 2 : n / 2; }
  int member(int colour, int k) const { return colour == 2 ? n - 1 : 2 * k + colour; }
};

struct Level {
  Grid grid;
  Couplings couplings;
  float *a = nullptr, *dinv = nullptr, *r = nullptr, *z = nullptr;
  Transfer next;

  // Which of its two neighbours along an axis, bit 0 the lower and bit 1 the upper, are swept before.
  int before(int axis, int i) const {
    const int n = grid.n[axis];
    const Colours colours{n};
    const int own = colours.of(i);
    return (colours.of(Grid::down(i, n)) < own ? 1 : 0) | (colours.of(Grid::up(i, n)) < own ? 2 : 0);
  }
};

// Σ c u over the neighbours that `planes` and `rows` choose (bit s, bit t), added to `sum` (a row).
template <bool Cubic>
PEARLITE_INLINE void add_neighbours(const Level& l, const Around<float>& x, int planes, int rows, float* sum) {
  const Weights<float> w(l.couplings);
  const int64_t n = l.grid.n[2];
  for (int s = 0; s < 2; ++s)
    if (planes >> s & 1)
      for (int64_t k = 0; k < n; k += LANES) (Vf::load(sum + k) + across<Cubic>(x, w, s, k)).store(sum + k);
  for (int t = 0; t < 2; ++t)
    if (rows >> t & 1)
      for (int64_t k = 0; k < n; k += LANES) (Vf::load(sum + k) + beside<Cubic>(x, w, t, k)).store(sum + k);
}

template <bool Cubic>
struct Sweeps {
  const Level& l;
  const Weights<float> w{l.couplings};
  // The diagonal that the sweeps divide by is larger than the operator's, where nodes of a row are coupled.
  const float surplus = float(.5 * (l.couplings.c001 > 0 ? l.couplings.c001 : -l.couplings.c001));

  // From zero: z = (D + L)⁻¹ r.
  void forward(int i, float* line) const {
    const int planes = l.before(0, i);
    const Colours rows{l.grid.n[1]};
    for (int c = 0; c < rows.count(); ++c)
      for (int k = 0; k < rows.members(c); ++k) forward_row(i, rows.member(c, k), planes, line);
  }

  // The residual after `forward`: what is not (D + L) z.
  void residual(int i, float* out) const {
    const int64_t n = l.grid.n[2];
    const int planes = 3 & ~l.before(0, i);
    for (int j = 0; j < l.grid.n[1]; ++j) {
      const Around<float> x(l.grid, l.z, l.a, i, j);
      float* line = out + l.grid.at(i, j);
      for (int64_t k = 0; k < n; k += LANES) Vf::all(0).store(line + k);
      add_neighbours<Cubic>(l, x, planes, 3 & ~l.before(1, j), line);
      if (!Cubic)
        for (int64_t k = 0; k < n; k += LANES)
          (Vf::load(line + k) + along(x, w, k) + surplus * surroundings(x, k) * near(x.u[1][1] + k)).store(line + k);
    }
  }

  // z += (D + U)⁻¹ (r − A z). Returns Σ r z of the plane.
  double backward(int i, float* line) const {
    auto dot = Lanes<double>::all(0);
    const Colours rows{l.grid.n[1]};
    for (int c = rows.count() - 1; c >= 0; --c)
      for (int k = rows.members(c) - 1; k >= 0; --k)
        dot = dot + convert<double>(backward_row(i, rows.member(c, k), line));
    return total(dot);
  }

  // dinv of a row
  void diagonal(int i, int j) const {
    const Around<float> x(l.grid, l.a, l.a, i, j);
    float* out = l.dinv + l.grid.at(i, j);
    const float factor = float(l.couplings.diagonal()) + surplus;
    for (int64_t k = 0; k < l.grid.n[2]; k += LANES) inverse_or_zero(factor * surroundings(x, k)).store(out + k);
    clear_rest(l.grid, out);
  }

 private:
  PEARLITE_INLINE void forward_row(int i, int j, int planes, float* line) const {
    const Around<float> x(l.grid, l.z, l.a, i, j);
    const int64_t n = l.grid.n[2], at = l.grid.at(i, j);
    for (int64_t k = 0; k < n; k += LANES) Vf::load(l.r + at + k).store(line + k);
    add_neighbours<Cubic>(l, x, planes, l.before(1, j), line);
    for (int64_t k = 0; k < n; k += LANES) (Vf::load(l.dinv + at + k) * Vf::load(line + k)).store(l.z + at + k);
    close_row(l.grid, l.z + at);
  }

  PEARLITE_INLINE Vf backward_row(int i, int j, float* line) const {
    const Around<float> x(l.grid, l.z, l.a, i, j);
    const int64_t n = l.grid.n[2], at = l.grid.at(i, j);
    auto sum = Vf::all(0);
    for (int64_t k = 0; k < n; k += LANES) {
      auto v = Vf::load(l.r + at + k);
      v = v + ((across<Cubic>(x, w, 0, k) + across<Cubic>(x, w, 1, k)) +
               (beside<Cubic>(x, w, 0, k) + beside<Cubic>(x, w, 1, k)));
      if (!Cubic) v = v + along(x, w, k) + surplus * surroundings(x, k) * near(x.u[1][1] + k);
      v = Vf::load(l.dinv + at + k) * v;
      sum = sum + Vf::load(l.r + at + k) * v;
      v.store((Cubic ? l.z + at : line) + k);
    }
    if (!Cubic)
      for (int64_t k = 0; k < n; k += LANES) Vf::load(line + k).store(l.z + at + k);
    close_row(l.grid, l.z + at);
    return sum;
  }
};

// The last grid, at most 4³ nodes: its inverse, regularized along the constants.
struct Bottom {
  static constexpr int widest = 4, most = 64;
  Grid grid;
  double* matrix = nullptr;  // (nodes, nodes)
  float* inverse = nullptr;  // (nodes, nodes)
  float* values = nullptr;   // (2, nodes)

  void allocate(Arena& arena, const Grid& g) {
    grid = g;
    matrix = arena.take<double>(g.nodes() * g.nodes());
    inverse = arena.take<float>(g.nodes() * g.nodes());
    values = arena.take<float>(2 * g.nodes());
  }

  int64_t place(int node) const {
    const int n2 = grid.n[2], row = node / n2;
    return grid.at(row / grid.n[1], row % grid.n[1]) + node % n2;
  }
  int corner(int i, int j, int k, int bits) const {
    const int x = (i + (bits >> 2 & 1)) % grid.n[0], y = (j + (bits >> 1 & 1)) % grid.n[1];
    return (x * grid.n[1] + y) * grid.n[2] + (k + (bits & 1)) % grid.n[2];
  }

  void setup(const Level& l) {
    const int n = int(grid.nodes());
    const Couplings& c = l.couplings;
    const double coupling[8] = {0, c.c001, c.c010, c.c011, c.c100, c.c101, c.c110, c.c111};
    for (int k = 0; k < n * n; ++k) matrix[k] = 0;
    double trace = 0;
    for (int i = 0; i < grid.n[0]; ++i)
      for (int j = 0; j < grid.n[1]; ++j)
        for (int k = 0; k < grid.n[2]; ++k)
          for (int p = 0; p < 8; ++p)
            for (int q = 0; q < p; ++q) {
              const int x = corner(i, j, k, p), y = corner(i, j, k, q);
              const double v = coupling[p ^ q] * l.a[grid.at(i, j) + k];
              if (x == y) continue;
              matrix[x * n + x] += v;
              matrix[y * n + y] += v;
              matrix[x * n + y] -= v;
              matrix[y * n + x] -= v;
              trace += 2 * v;
            }
    for (int k = 0; k < n * n; ++k) matrix[k] += trace / (double(n) * n);
    invert(n, 1e-13 * trace);
  }

  // Gauss–Jordan without exchanges. Rows and columns whose pivots vanish, of voids, become zero.
  void invert(int n, double smallest) {
    for (int k = 0; k < n; ++k) {
      double* row = matrix + k * n;
      const double pivot = row[k] > smallest ? 1 / row[k] : 0;
      row[k] = 1;
      for (int y = 0; y < n; ++y) row[y] *= pivot;
      for (int x = 0; x < n; ++x) {
        if (x == k) continue;
        double* other = matrix + x * n;
        const double factor = other[k];
        other[k] = 0;
        for (int y = 0; y < n; ++y) other[y] -= factor * row[y];
      }
    }
    for (int k = 0; k < n * n; ++k) inverse[k] = float(matrix[k]);
  }

  // Returns Σ r z.
  double solve(const Level& l) const {
    const int n = int(grid.nodes());
    float mean = 0;
    for (int x = 0; x < n; ++x) mean += values[x] = l.r[place(x)];
    mean /= float(n);
    float* z = values + n;
    for (int x = 0; x < n; ++x) values[x] -= mean, z[x] = 0;
    for (int x = 0; x < n; ++x)  // the inverse is symmetric
      for (int y = 0; y < n; ++y) z[y] += values[x] * inverse[x * n + y];
    double rz = 0;
    for (int x = 0; x < n; ++x) {
      l.z[place(x)] = z[x];
      rz += double(values[x]) * z[x];
    }
    for (int i = 0; i < grid.n[0]; ++i)
      for (int j = 0; j < grid.n[1]; ++j) close_row(grid, l.z + grid.at(i, j));
    return rz;
  }
};

class Cycle {
 public:
  static constexpr int most = 40;
  Level level[most];  // 0 is the finest; its r is set by the caller
  int count = 0;

  // g: of the finest voxels
  void allocate(Arena& arena, const Grid& finest, const double* g) {
    Grid grid = finest;
    for (count = 0;; ++count) {
      Level& l = level[count];
      l.grid = grid;
      l.couplings = Couplings::of(scaled(finest, grid, g).g);
      l.a = arena.take<float>(grid.size());
      l.dinv = arena.take<float>(grid.size());
      l.z = arena.take<float>(grid.size());
      l.r = arena.take<float>(grid.size());
      const Grid coarse = coarser(finest, grid, g);
      if (coarse.nodes() == grid.nodes()) break;
      l.next.allocate(arena, grid, coarse);
      grid = coarse;
    }
    ++count;
    bottom_.allocate(arena, grid);
    residual_ = arena.take<float>(finest.size());
    lines_ = arena.take<float>((int64_t(finest.n[0]) + 1) * line_pitch(finest));
    sums_ = arena.take<double>(finest.n[0]);
  }

  // The finest level's a is set.
  void setup(const VoxelTeam& team) {
    for (int l = 0; l < count; ++l) {
      Level& here = level[l];
      planes(team, here.grid, here.grid.n[0], [&](int64_t i) {
        for (int j = 0; j < here.grid.n[1]; ++j) with(here, [&](const auto& s) { s.diagonal(int(i), j); });
      });
      if (l + 1 == count) break;
      here.next.fill();
      planes(team, here.grid, level[l + 1].grid.n[0], [&](int64_t i) {
        for (int j = 0; j < level[l + 1].grid.n[1]; ++j) here.next.average(int(i), j, here.a, level[l + 1].a, line(i));
      });
    }
    bottom_.setup(level[count - 1]);
  }

  // z = V r on the finest level. Returns Σ r z.
  double run(const VoxelTeam& team) {
    for (int l = 0; l + 1 < count; ++l) down(team, l);
    double rz = bottom_.solve(level[count - 1]);
    for (int l = count - 2; l >= 0; --l) rz = up(team, l);
    return rz;
  }

  float* line(int64_t plane) const { return lines_ + plane * line_pitch(level[0].grid) + LANES; }

 private:
  struct Geometry {
    double g[3];
  };

  static int64_t line_pitch(const Grid& g) { return (int64_t(g.n[2]) + 3 * LANES) / LANES * LANES + 3 * LANES; }

  // g of the voxels of a coarser grid, which are larger.
  static Geometry scaled(const Grid& finest, const Grid& grid, const double* g) {
    double ratio[3], volume = 1;
    for (int d = 0; d < 3; ++d) volume *= ratio[d] = double(finest.n[d]) / grid.n[d];
    Geometry out;
    for (int d = 0; d < 3; ++d) out.g[d] = g[d] * volume / (ratio[d] * ratio[d]);
    return out;
  }

  // Axes that are coupled more weakly than others wait until those have become as coarse.
  static Grid coarser(const Grid& finest, const Grid& grid, const double* g) {
    const Geometry here = scaled(finest, grid, g);
    double strongest = 0;
    for (int d = 0; d < 3; ++d)
      if (grid.n[d] > Bottom::widest && here.g[d] > strongest) strongest = here.g[d];
    int n[3];
    for (int d = 0; d < 3; ++d)
      n[d] = grid.n[d] > Bottom::widest && here.g[d] > .4 * strongest ? (grid.n[d] + 1) / 2 : grid.n[d];
    return Grid::of(n[0], n[1], n[2]);
  }

  template <class Use>
  static void with(const Level& l, const Use& use) {
    if (l.couplings.cubic) use(Sweeps<true>{l});
    else use(Sweeps<false>{l});
  }

  // Small levels are not worth a thread.
  template <class Body>
  static void planes(const VoxelTeam& team, const Grid& g, int64_t count, const Body& body) {
    if (g.nodes() < 8192) VoxelTeam{}(count, body);
    else team(count, body);
  }

  void down(const VoxelTeam& team, int l) {
    Level &here = level[l], &next = level[l + 1];
    const Colours colours{here.grid.n[0]};
    for (int c = 0; c < colours.count(); ++c)
      planes(team, here.grid, colours.members(c), [&](int64_t k) {
        const int i = colours.member(c, int(k));
        with(here, [&](const auto& s) { s.forward(i, line(i)); });
      });
    planes(team, here.grid, here.grid.n[0],
           [&](int64_t i) { with(here, [&](const auto& s) { s.residual(int(i), residual_); }); });
    planes(team, here.grid, next.grid.n[0], [&](int64_t i) {
      for (int j = 0; j < next.grid.n[1]; ++j) here.next.restrict_to(int(i), j, residual_, next.r, line(i));
    });
  }

  double up(const VoxelTeam& team, int l) {
    Level &here = level[l], &next = level[l + 1];
    planes(team, here.grid, here.grid.n[0], [&](int64_t i) {
      for (int j = 0; j < here.grid.n[1]; ++j) here.next.prolong_to(int(i), j, next.z, here.z, line(i));
    });
    const Colours colours{here.grid.n[0]};
    for (int c = colours.count() - 1; c >= 0; --c)
      planes(team, here.grid, colours.members(c), [&](int64_t k) {
        const int i = colours.member(c, int(k));
        with(here, [&](const auto& s) { sums_[i] = s.backward(i, line(i)); });
      });
    double rz = 0;
    for (int i = 0; i < here.grid.n[0]; ++i) rz += sums_[i];
    return rz;
  }

  Bottom bottom_;
  float* residual_ = nullptr;  // finest grid
  float* lines_ = nullptr;     // (planes + 1, line pitch)
  double* sums_ = nullptr;     // (planes,)
};

}  // namespace voxels
}  // namespace PEARLITE_ISA
}  // namespace pearlite
