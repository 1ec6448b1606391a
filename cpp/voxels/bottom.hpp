// The coarsest grid of the multigrid, solved directly.
#pragma once
#include "grid.hpp"

namespace pearlite {
namespace PEARLITE_ISA {
namespace voxels {

// The last grid, at most 4³ nodes: its inverse, regularized along the constants.
struct Bottom {
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

  // element(place, matrix): the matrix (8, 8) of the voxel at an offset, by the bits of its corners
  template <class Element>
  void setup(const Element& element) {
    const int n = int(grid.nodes());
    for (int k = 0; k < n * n; ++k) matrix[k] = 0;
    for (int i = 0; i < grid.n[0]; ++i)
      for (int j = 0; j < grid.n[1]; ++j)
        for (int k = 0; k < grid.n[2]; ++k) {
          double own[8][8];
          element(grid.at(i, j) + k, own);
          for (int p = 0; p < 8; ++p)
            for (int q = 0; q < 8; ++q) matrix[corner(i, j, k, p) * n + corner(i, j, k, q)] += own[p][q];
        }
    double trace = 0;
    for (int x = 0; x < n; ++x) trace += matrix[x * n + x];
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

  // z = the solution for r, without its mean. Returns Σ r z.
  double solve(const float* r, float* z) const {
    const int n = int(grid.nodes());
    float mean = 0;
    for (int x = 0; x < n; ++x) mean += values[x] = r[place(x)];
    mean /= float(n);
    float* const found = values + n;
    for (int x = 0; x < n; ++x) values[x] -= mean, found[x] = 0;
    for (int x = 0; x < n; ++x)  // the inverse is symmetric
      for (int y = 0; y < n; ++y) found[y] += values[x] * inverse[x * n + y];
    double rz = 0;
    for (int x = 0; x < n; ++x) {
      z[place(x)] = found[x];
      rz += double(values[x]) * found[x];
    }
    for (int i = 0; i < grid.n[0]; ++i)
      for (int j = 0; j < grid.n[1]; ++j) close_row(grid, z + grid.at(i, j));
    return rz;
  }
};

}  // namespace voxels
}  // namespace PEARLITE_ISA
}  // namespace pearlite
