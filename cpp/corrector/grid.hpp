// Where values live: a periodic grid of nodes, stored by rows with a halo of one node, and in
// each node a short vector of LANES values. A lane is one load of one strip of one cell:
//
//   lane = load * C + cell * strips + strip,      C = LANES / loads coefficient lanes
//
// Small cells are one strip each, and C cells are solved side by side. A large cell is cut along
// axis 0 into `strips` pieces of equal height that go in lockstep: the row north of a strip's last
// row is the first row of the next strip, one lane further. Rows of different strips that are
// swept together never touch (a strip has at least two rows where it is smoothed), so a
// Gauss-Seidel sweep over the rows remains an exact Gauss-Seidel sweep, in another order.
#pragma once
#include "shared/simd.hpp"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

namespace pearlite {
namespace PEARLITE_ISA {

constexpr int LANES = 16;
template <class T>
using Lanes = Vec<T, LANES>;
using Vf = Lanes<float>;

// The value at node j of a row, given its node 0.
template <class T>
PEARLITE_INLINE Lanes<T> field(const T* row, int64_t j) { return Lanes<T>::load(row + j * LANES); }

struct Grid {
  int rows = 0, cols = 0;  // rows: of one strip
  int strips = 1;

  PEARLITE_INLINE int64_t pitch() const { return cols + 2; }
  // Nodes with their halo, from row -1, column -1 to row `rows`, column `cols`.
  int64_t size() const { return int64_t(rows + 2) * pitch(); }
  PEARLITE_INLINE int64_t at(int64_t i, int64_t j) const { return (i + 1) * pitch() + j + 1; }
};

// Hands out pieces of one block of memory, aligned to cache lines. With no block, it only counts.
struct Arena {
  char* base = nullptr;
  int64_t used = 0;

  template <class T>
  T* take(int64_t count) {
    T* p = reinterpret_cast<T*>(base + used);
    // An odd number of lines between arrays keeps their rows from falling into the same cache sets.
    const int64_t begin = used, bytes = count * int64_t(sizeof(T));
    used += (bytes + 63) / 64 * 64 + 192;
#if defined(__SANITIZE_ADDRESS__)
    // The gap is a red zone. Another layout may have put one where this array lies.
    if (base) {
      __asan_unpoison_memory_region(base + begin, std::size_t(bytes));
      __asan_poison_memory_region(base + begin + bytes, std::size_t(used - begin - bytes));
    }
#endif
    return base ? p : nullptr;
  }
};

// Lane tables for the strip to the north (one further) and to the south.
struct StripLanes {
  alignas(64) int32_t north[LANES];
  alignas(64) int32_t south[LANES];

  explicit StripLanes(int strips) {
    for (int lane = 0; lane < LANES; ++lane) {
      const int first = lane / strips * strips, strip = lane - first;
      north[lane] = first + (strip + 1) % strips;
      south[lane] = first + (strip + strips - 1) % strips;
    }
  }
};

// N values a node, in P pieces (a field has one piece; a stencil several of C lanes each).
template <class T, int N, int P = 1>
struct Halo {
  static constexpr int node = N * P;

  static PEARLITE_INLINE void copy(const T* from, T* to) {
    for (int p = 0; p < P; ++p) Vec<T, N>::load(from + p * N).store(to + p * N);
  }
  static PEARLITE_INLINE void columns(const Grid& g, T* row) {  // row: its node 0
    copy(row + int64_t(g.cols - 1) * node, row - node);
    copy(row, row + int64_t(g.cols) * node);
  }
  // Copies a whole row, halo columns too, to the neighbouring strip's lane.
  static void row(const Grid& g, const T* from, T* to, const int32_t* lanes) {
    for (int64_t k = -node; k < int64_t(g.cols + 1) * node; k += N) {
      const auto v = Vec<T, N>::load(from + k);
      (g.strips == 1 ? v : permute(v, lanes)).store(to + k);
    }
  }
  static void north(const Grid& g, T* f) {
    row(g, f + g.at(0, 0) * node, f + g.at(g.rows, 0) * node, StripLanes(g.strips).north);
  }
  static void south(const Grid& g, T* f) {
    row(g, f + g.at(g.rows - 1, 0) * node, f + g.at(-1, 0) * node, StripLanes(g.strips).south);
  }
  static void all(const Grid& g, T* f) {
    for (int i = 0; i < g.rows; ++i) columns(g, f + g.at(i, 0) * node);
    north(g, f);
    south(g, f);
  }
};

}  // namespace PEARLITE_ISA
}  // namespace pearlite
