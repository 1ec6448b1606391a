// The forming of ensembles: panels of them as the blocked products read them.
#pragma once
#include "correlation/descriptor.hpp"
#include "shared/simd.hpp"

namespace pearlite {
namespace PEARLITE_ISA {

// A tile of a product: `rows` broadcast values times two registers of columns fill the registers.
#if defined(__AVX512F__)
constexpr int rows = 12;
#else
constexpr int rows = 6;
#endif
constexpr int row_lanes = rows == 12 ? 16 : 8;  // what is written at once for `rows` values
template <class T>
constexpr int columns = 2 * PEARLITE_REGISTER_BYTES / int(sizeof(T));
template <class T>
using Columns = Vec<T, columns<T>>;

// From and to any address.
template <class T, int N>
PEARLITE_INLINE Vec<T, N> read(const T* p) {
  Vec<T, N> v;
  for (int i = 0; i < Vec<T, N>::registers; ++i)
    __builtin_memcpy(&v.r[i], p + i * Vec<T, N>::per_register, sizeof v.r[i]);
  return v;
}
template <class T, int N>
PEARLITE_INLINE void write(const Vec<T, N>& v, T* p) {
  for (int i = 0; i < Vec<T, N>::registers; ++i)
    __builtin_memcpy(p + i * Vec<T, N>::per_register, &v.r[i], sizeof v.r[i]);
}

// Calls use(values at its first pixel, pixels before it, its pixels) for each piece of a line in pixels
// [first, first + count), counted line by line.
template <class T, class Use>
PEARLITE_INLINE void for_pieces(const Ensembles<T>& task, int64_t first, int64_t count, const Use& use) {
  int64_t line = first / task.line_length, from = first % task.line_length;
  for (int64_t done = 0; done < count; ++line, from = 0) {
    const int64_t left = count - done, rest = task.line_length - from;
    const int64_t length = left < rest ? left : rest;
    use(task.values + task.lines[line] + from, done, length);
    done += length;
  }
}

// panel[x * stride + j] = e of vector `vector` + j for `count` pixels x from `first`, j < stride.
// Vectors that follow each other along the last axis are neighbours in memory: each such run is read and
// written as one vector of `lanes` ≥ stride lanes, and what that overwrites behind the run is written later.
template <class T, Form form, bool left, int stride, int lanes>
void form_panel(const Ensembles<T>& task, int64_t first, int64_t count, int64_t vector, T* panel) {
  int64_t offset[stride], start[stride];
  int runs = 0;
  for (int j = 0; j < stride && vector + j < task.count; ++j) {
    const int64_t* at = task.offsets + vector + j;
    if (j > 0 && at[0] == at[-1] + 1) continue;
    offset[runs] = at[0];
    start[runs++] = j;
  }
  const Ensemble<T, form> ensemble{task.logistic};
  for_pieces(task, first, count, [&](const T* values, int64_t done, int64_t length) {
    T* to = panel + done * stride;
    for (int64_t x = 0; x < length; ++x, to += stride) {
      for (int k = 0; k < runs; ++k) {
        const auto there = read<T, lanes>(values + x + offset[k]);
        write(left ? ensemble.left(values[x], there) : ensemble.right(values[x], there), to + start[k]);
      }
      if (form == Form::product && vector == 0) to[0] = values[x];
    }
  });
}

}  // namespace PEARLITE_ISA
}  // namespace pearlite
