// Runs of equal labels, in which cells are measured: a cell some pixels wide costs a fraction of a
// step per pixel.
#pragma once
#include <cstdint>
#include <cstring>

namespace pearlite {

// The first index in which two arrays of length n differ, or n; eight bytes at a time.
template <class Label>
int64_t first_difference(const Label* x, const Label* y, int64_t n) {
  constexpr int64_t at_once = sizeof(uint64_t) / sizeof(Label);
  int64_t i = 0;
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  for (; i + at_once <= n; i += at_once) {
    uint64_t a, b;
    std::memcpy(&a, x + i, sizeof a);
    std::memcpy(&b, y + i, sizeof b);
    if (a != b) return i + __builtin_ctzll(a ^ b) / (8 * int64_t(sizeof(Label)));
  }
#endif
  while (i < n && x[i] == y[i]) ++i;
  return i;
}

// Calls body(label, begin, end) for each run of a row.
template <class Label, class Body>
void for_each_run(const Label* row, int64_t length, const Body& body) {
  for (int64_t begin = 0; begin < length;) {
    const int64_t end = begin + 1 + first_difference(row + begin, row + begin + 1, length - begin - 1);
    body(static_cast<int64_t>(row[begin]), begin, end);
    begin = end;
  }
}

// Calls body(label, other, begin, end) for each run of equal pairs of different labels of two rows.
template <class Label, class Body>
void for_each_difference(const Label* row, const Label* other, int64_t length, const Body& body) {
  for (int64_t begin = 0;;) {
    begin += first_difference(row + begin, other + begin, length - begin);
    if (begin == length) return;
    const Label a = row[begin], b = other[begin];
    int64_t end = begin + 1;
    while (end < length && row[end] == a && other[end] == b) ++end;
    body(static_cast<int64_t>(a), static_cast<int64_t>(b), begin, end);
    begin = end;
  }
}

}  // namespace pearlite
