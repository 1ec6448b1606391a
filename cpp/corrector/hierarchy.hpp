// All coarser grids of a group of cells, and the V(1,1) cycle over them.
#pragma once
#include "coarsen.hpp"

namespace pearlite {
namespace PEARLITE_ISA {

// The last grid, at most 4×4 nodes: its inverse, regularized along the constants.
template <int C>
struct Bottom {
  Grid grid;
  float* inverse = nullptr;  // (nodes, nodes, C)
  double* work = nullptr;    // (nodes, nodes, C)

  int nodes() const { return grid.rows * grid.cols; }

  void allocate(Arena& arena, const Grid& g) {
    grid = g;
    inverse = arena.take<float>(int64_t(nodes()) * nodes() * C);
    work = arena.take<double>(int64_t(nodes()) * nodes() * C);
  }

  // Returns the trace.
  Vec<double, C> assemble(const StencilOperator<float, C>& a) {
    using V = Vec<double, C>;
    const int n = nodes();
    const auto entry = [&](int x, int y) { return work + (int64_t(x) * n + y) * C; };
    const auto add = [&](int x, int y, const V& c) { (V::load(entry(x, y)) + c).store(entry(x, y)); };
    for (int64_t k = 0; k < int64_t(n) * n * C; ++k) work[k] = 0;
    V trace = V::all(0);
    const int step[4][2] = {{0, 1}, {1, 0}, {1, 1}, {1, -1}};
    for (int i = 0; i < grid.rows; ++i)
      for (int j = 0; j < grid.cols; ++j)
        for (int s = 0; s < 4; ++s) {
          const V c = convert<double>(Vec<float, C>::load(a.stencil + grid.at(i, j) * a.node + s * C));
          const int x = i * grid.cols + j, y = (i + step[s][0]) % grid.rows * grid.cols +
                                               (j + step[s][1] + grid.cols) % grid.cols;
          if (x == y) continue;
          add(x, x, c);
          add(y, y, c);
          add(x, y, V::all(0) - c);
          add(y, x, V::all(0) - c);
          trace = trace + c + c;
        }
    const V shift = (1. / (double(n) * n)) * trace;
    for (int x = 0; x < n; ++x)
      for (int y = 0; y < n; ++y) add(x, y, shift);
    return trace;
  }

  // Gauss-Jordan without exchanges: the matrix is positive definite, but for voids and parts that
  // float in them, whose pivots vanish. Their rows and columns become zero, which leaves a
  // generalized inverse.
  void invert(const Vec<double, C>& smallest) {
    using V = Vec<double, C>;
    const int n = nodes();
    const auto entry = [&](int x, int y) { return work + (int64_t(x) * n + y) * C; };
    for (int k = 0; k < n; ++k) {
      const V own = V::load(entry(k, k)), pivot = inverse_or_zero(select_above(own, smallest));
      V::all(1).store(entry(k, k));
      for (int y = 0; y < n; ++y) (V::load(entry(k, y)) * pivot).store(entry(k, y));
      for (int x = 0; x < n; ++x) {
        if (x == k) continue;
        const V factor = V::load(entry(x, k));
        V::all(0).store(entry(x, k));
        for (int y = 0; y < n; ++y)
          (V::load(entry(x, y)) - factor * V::load(entry(k, y))).store(entry(x, y));
      }
    }
    for (int64_t k = 0; k < int64_t(n) * n * C; ++k) inverse[k] = float(work[k]);
  }

  void setup(const StencilOperator<float, C>& a) {
    if (nodes() == 1) return;
    invert(1e-13 * assemble(a));
  }

  void solve(const float* r, float* z) const {
    const int n = nodes();
    const auto at = [&](int x) { return grid.at(x / grid.cols, x % grid.cols) * LANES; };
    Vf mean = Vf::all(0);
    for (int x = 0; x < n; ++x) mean = mean + Vf::load(r + at(x));
    mean = (1.f / float(n)) * mean;
    for (int x = 0; x < n; ++x) {
      Vf sum = Vf::all(0);
      for (int y = 0; n > 1 && y < n; ++y)
        sum = sum + load_repeated<LANES, C>(inverse + (int64_t(x) * n + y) * C) * (Vf::load(r + at(y)) - mean);
      sum.store(z + at(x));
    }
  }
};

// When each strip is down to one row, its rows become a grid of their own, one strip high, that
// every lane of the cell holds alike.
struct Gather {
  template <class T, int N>
  static void spread(const Grid& from, const T* in, int node, const Grid& to, T* out) {
    const int s = from.strips;
    for (int strip = 0; strip < s; ++strip) {
      alignas(64) int32_t lane[LANES];
      for (int k = 0; k < LANES; ++k) lane[k] = k / s * s + strip;
      for (int64_t j = 0; j < from.cols; ++j)
        for (int piece = 0; piece < node; piece += N)
          permute(Vec<T, N>::load(in + from.at(0, j) * node + piece), lane)
              .store(out + to.at(strip, j) * node + piece);
    }
  }
  static void collect(const Grid& from, const float* in, const Grid& to, float* out) {
    for (int64_t j = 0; j < to.cols; ++j)
      for (int lane = 0; lane < LANES; ++lane)
        out[to.at(0, j) * LANES + lane] = in[from.at(lane % to.strips, j) * LANES + lane];
  }
};

template <int C>
struct Level {
  StencilOperator<float, C> a;  // with its grid; unused on the finest level
  Interpolation<C> p;           // to the next level, unless that gathers
  bool gather = false;          // the next level is this one with its strips put together
  float* r = nullptr;           // grid with halo, LANES
  float* z = nullptr;
};

template <int C, class Finest>
struct Hierarchy {
  static constexpr int most = 40;
  Level<C> level[most];  // 0 is the finest
  int count = 0;
  Bottom<C> bottom;
  float* scratch = nullptr;  // one fine row

  void allocate(Arena& arena, const Grid& fine) {
    Grid g = fine;
    int odd_rows = 0, odd_cols = 0;
    scratch = arena.take<float>(g.pitch() * LANES);
    for (count = 0;; ++count) {
      Level<C>& here = level[count];
      here.a.grid = g;
      here.z = arena.take<float>(g.size() * LANES);
      if (count > 0) {
        here.a.stencil = arena.take<float>(g.size() * here.a.node);
        here.r = arena.take<float>(g.size() * LANES);
      }
      if (count > 0 && g.strips == 1 && g.rows <= widest_bottom && g.cols <= widest_bottom) break;
      here.gather = g.strips > 1 && g.rows == 1;
      if (here.gather) {
        g.rows = g.strips;
        g.strips = 1;
        continue;
      }
      here.p.rows = coarsen(g.rows, odd_rows);
      here.p.cols = coarsen(g.cols, odd_cols);
      odd_rows += g.rows % 2;
      odd_cols += g.cols % 2;
      g.rows = here.p.rows.count;
      g.cols = here.p.cols.count;
      here.p.grid = g;
      here.p.weights = arena.take<float>(g.size() * here.p.node);
    }
    ++count;
    bottom.allocate(arena, g);
  }

  template <class Poll>
  void setup(const Finest& finest, const Poll& poll) {
    for (int l = 0; l + 1 < count; ++l) {
      Level<C>&here = level[l], &next = level[l + 1];
      if (here.gather) {
        Gather::spread<float, C>(here.a.grid, here.a.stencil, here.a.node, next.a.grid, next.a.stencil);
        complete(next.a);
      } else if (l == 0) {
        galerkin(finest, here.p, next.a, poll);
      } else {
        galerkin(here.a, here.p, next.a, poll);
      }
    }
    bottom.setup(level[count - 1].a);
  }

  // z = V r on the finest level, r given row by row by down(i) and again by up(i). Returns Σ r z.
  template <class Down, class Up>
  Vec<double, LANES> cycle(const Finest& finest, Down&& down, Up&& up) {
    smooth_down(finest, transfer(0), level[0].z, level[1].r, scratch, down);
    for (int l = 1; l + 1 < count; ++l) {
      Level<C>&here = level[l], &next = level[l + 1];
      if (here.gather)
        Gather::spread<float, LANES>(here.a.grid, here.r, LANES, next.a.grid, next.r);
      else
        smooth_down(here.a, transfer(l), here.z, next.r, scratch, rows_of(here));
    }
    bottom.solve(level[count - 1].r, level[count - 1].z);
    for (int l = count - 2; l >= 1; --l) {
      Level<C>&here = level[l], &next = level[l + 1];
      if (here.gather)
        Gather::collect(next.a.grid, next.z, here.a.grid, here.z);
      else
        smooth_up(here.a, transfer(l), here.z, next.z, rows_of(here));
    }
    return smooth_up(finest, transfer(0), level[0].z, level[1].z, up);
  }

 private:
  Transfer<C> transfer(int l) const { return {level[l].p, level[l].a.grid}; }
  static auto rows_of(const Level<C>& here) {
    return [&here](int i) { return here.r + here.a.grid.at(i, 0) * LANES; };
  }
};

}  // namespace PEARLITE_ISA
}  // namespace pearlite
