// The lines of an image along its last axis, whatever its strides, and its periodic padding.
#pragma once
#include <cstddef>
#include <cstdint>

#include "langevin/task.hpp"
#include "shared/simd.hpp"

namespace pearlite {
namespace PEARLITE_ISA {

// Pixels side by side in a line, counted in C order: `first`, and `count` of them from pixel `start` of
// the line on.
struct Piece {
  int64_t first, count, line, start;
  bool ends_line;
};

// Chunks begin where tiles of noise do.
inline int64_t end_of_chunk(int64_t begin, int64_t end, int64_t chunk) {
  const int64_t next = begin - begin % normal_tile + chunk;
  return next < end ? next : end;
}

template <class T>
class Lines {
 public:
  // image (channels, *shape + 2 padding), strides in elements
  Lines(T* image, const int64_t* strides, const ImageTask& task) : task_(task), strides_(strides), interior_(image) {
    for (int a = 0; a < 3; ++a) interior_ += task.padding[a] * strides[1 + a];
  }

  bool dense() const { return strides_[3] == 1; }
  int64_t channel_stride() const { return strides_[0]; }

  template <class Use>
  PEARLITE_INLINE void each_piece(int64_t begin, int64_t end, const Use& use) const {
    const int64_t n = task_.shape[2];
    int64_t line = begin / n, start = begin % n;
    while (begin < end) {
      const int64_t left = n - start, count = left < end - begin ? left : end - begin;
      use(Piece{begin, count, line, start, count == left});
      begin += count;
      start = 0;
      ++line;
    }
  }

  T* at(int64_t channel, const Piece& piece) const {
    return line_of(channel, piece.line) + piece.start * strides_[3];
  }

  template <class To>
  void gather(int64_t channel, const Piece& piece, To* to) const {
    const T* from = at(channel, piece);
    for (int64_t k = 0; k < piece.count; ++k) to[k] = from[k * strides_[3]];
  }
  template <class From>
  void scatter(int64_t channel, const Piece& piece, const From* from) const {
    T* to = at(channel, piece);
    for (int64_t k = 0; k < piece.count; ++k) to[k * strides_[3]] = from[k];
  }

  // Lets the padding repeat a line: past its ends, and in all lines that are its images.
  void repeat(int64_t line) const {
    const int64_t* p = task_.padding;
    if (p[0] + p[1] + p[2] == 0) return;
    const int64_t i0 = line / task_.shape[1], i1 = line % task_.shape[1];
    for (int64_t c = 0; c < task_.channels; ++c) {
      T* from = line_of(c, line);
      const int64_t n = task_.shape[2], s = strides_[3];
      for (int64_t k = 1; k <= p[2]; ++k) from[-k * s] = from[(n - k % n) % n * s];
      for (int64_t k = 0; k < p[2]; ++k) from[(n + k) * s] = from[k % n * s];
      for (int64_t j0 = lowest(i0, 0); j0 < task_.shape[0] + p[0]; j0 += task_.shape[0])
        for (int64_t j1 = lowest(i1, 1); j1 < task_.shape[1] + p[1]; j1 += task_.shape[1])
          if (j0 != i0 || j1 != i1) copy(from, channel_at(c) + j0 * strides_[1] + j1 * strides_[2]);
    }
  }

 private:
  const ImageTask& task_;
  const int64_t* strides_;
  T* interior_;  // its first pixel

  T* channel_at(int64_t channel) const { return interior_ + channel * strides_[0]; }
  T* line_of(int64_t channel, int64_t line) const {
    return channel_at(channel) + line / task_.shape[1] * strides_[1] + line % task_.shape[1] * strides_[2];
  }
  // The first image of place i along an axis, which may lie in the padding before 0.
  int64_t lowest(int64_t i, int axis) const {
    return i - (i + task_.padding[axis]) / task_.shape[axis] * task_.shape[axis];
  }
  // A line with its padding.
  void copy(const T* from, T* to) const {
    const int64_t p = task_.padding[2], n = task_.shape[2] + 2 * p, s = strides_[3];
    if (s == 1) __builtin_memcpy(to - p, from - p, std::size_t(n) * sizeof(T));
    else
      for (int64_t k = -p; k < n - p; ++k) to[k * s] = from[k * s];
  }
};

}  // namespace PEARLITE_ISA
}  // namespace pearlite
