// The lines of an image along its last axis, whatever its strides, and its periodic padding.
#pragma once
#include <cstddef>
#include <cstdint>

#include "langevin/task.hpp"
#include "shared/simd.hpp"

namespace pearlite {
namespace PEARLITE_ISA {

// A pixel: its line (i0, i1) along the first axes, and its place in it.
struct Cursor {
  int64_t i0, i1, start;
};

// Pixels side by side in a line from a cursor on; `offset` counts from the chunk's first one.
struct Piece {
  Cursor at;
  int64_t offset, count;
  bool ends_line;
};

// Chunks begin where pairs of tiles of noise do.
inline int64_t end_of_chunk(int64_t begin, int64_t end, int64_t chunk) {
  const int64_t next = begin - begin % (2 * normal_tile) + chunk;
  return next < end ? next : end;
}

// Memory that is wanted soon: it is asked for while noise is made, which needs none.
struct Ahead {
  uintptr_t begin = 0;
  int64_t bytes = 0;  // of a pair of tiles

  // Into the first cache, or the second.
  template <int cache>
  PEARLITE_INLINE void fetch(int64_t pixel) const {
    const uintptr_t from = begin + uintptr_t(pixel / (2 * normal_tile) * bytes);
    for (int64_t k = 0; k < bytes; k += 64)
      __builtin_prefetch(reinterpret_cast<const void*>(from + uintptr_t(k)), 0, cache == 1 ? 3 : 2);
  }
};

template <class T>
class Lines {
 public:
  // image (channels, *shape + 2 padding), strides in elements
  Lines(T* image, const int64_t* strides, const ImageTask& task) : task_(task), strides_(strides), interior_(image) {
    for (int a = 0; a < 3; ++a) interior_ += task.padding[a] * strides[1 + a];
  }

  bool dense() const { return strides_[3] == 1; }
  int64_t channel_stride() const { return strides_[0]; }

  Cursor cursor(int64_t pixel) const {
    const int64_t line = pixel / task_.shape[2];
    return {line / task_.shape[1], line % task_.shape[1], pixel % task_.shape[2]};
  }

  // Calls use(piece) for all pieces of `count` pixels; -> the pixel after them
  template <class Use>
  PEARLITE_INLINE Cursor each_piece(Cursor at, int64_t count, const Use& use) const {
    for (int64_t done = 0; done < count;) {
      const int64_t left = task_.shape[2] - at.start, now = left < count - done ? left : count - done;
      use(Piece{at, done, now, now == left});
      done += now;
      at.start += now;
      if (now < left) continue;
      at.start = 0;
      if (++at.i1 == task_.shape[1]) {
        at.i1 = 0;
        ++at.i0;
      }
    }
    return at;
  }

  T* at(int64_t channel, const Cursor& c) const { return line_of(channel, c) + c.start * strides_[3]; }

  // From where a cursor is, `pixels` further on; nothing where pixels are far apart.
  Ahead ahead(int64_t channel, const Cursor& c, int64_t pixels) const {
    const int64_t apart = strides_[3] * int64_t(sizeof(T));
    if (apart < 1 || apart > 64 || (interleaved() && channel > 0)) return {};
    // Padding is read and written as well, so that a line counts with its own.
    const int64_t pitch = (task_.shape[2] + 2 * task_.padding[2]) * apart;
    const int64_t bytes = 2 * normal_tile * pitch / task_.shape[2];
    return {reinterpret_cast<uintptr_t>(at(channel, c)) + uintptr_t(pixels / (2 * normal_tile) * bytes), bytes};
  }

  // Channels next to each other, as those of channels-last tensors.
  bool interleaved() const { return task_.channels > 1 && strides_[0] == 1 && strides_[3] == task_.channels; }

  // to (channels, count) of a piece, `pitch` from one channel to the next; and back
  template <class To>
  void gather(const Piece& piece, To* to, int64_t pitch) const {
    const T* from = at(0, piece.at);
    if (interleaved() && task_.channels == 2) return gather_fixed<2>(from, piece.count, to, pitch);
    if (interleaved() && task_.channels == 3) return gather_fixed<3>(from, piece.count, to, pitch);
    for (int64_t c = 0; c < task_.channels; ++c)
      for (int64_t k = 0; k < piece.count; ++k) to[c * pitch + k] = from[c * strides_[0] + k * strides_[3]];
  }
  void scatter(const Piece& piece, const T* from, int64_t pitch) const {
    T* to = at(0, piece.at);
    if (interleaved() && task_.channels == 2) return scatter_fixed<2>(from, pitch, piece.count, to);
    if (interleaved() && task_.channels == 3) return scatter_fixed<3>(from, pitch, piece.count, to);
    for (int64_t c = 0; c < task_.channels; ++c)
      for (int64_t k = 0; k < piece.count; ++k) to[c * strides_[0] + k * strides_[3]] = from[c * pitch + k];
  }

  // Lets the padding repeat a line: past its ends, and in all lines that are its images.
  void repeat(const Cursor& line) const {
    const int64_t* p = task_.padding;
    if (p[0] + p[1] + p[2] == 0) return;
    const int64_t i0 = line.i0, i1 = line.i1;
    for (int64_t c = 0; c < (interleaved() ? 1 : task_.channels); ++c) {
      T* from = line_of(c, line);
      const int64_t n = task_.shape[2], s = strides_[3];
      for (int64_t k = 0; k < p[2]; k += n) {
        const int64_t part = p[2] - k < n ? p[2] - k : n;
        copy(from + (n - part) * s, from - (k + part) * s, part);
        copy(from, from + (n + k) * s, part);
      }
      for (int64_t j0 = lowest(i0, 0); j0 < task_.shape[0] + p[0]; j0 += task_.shape[0])
        for (int64_t j1 = lowest(i1, 1); j1 < task_.shape[1] + p[1]; j1 += task_.shape[1])
          if (j0 != i0 || j1 != i1)
            copy(from - p[2] * s, channel_at(c) + j0 * strides_[1] + j1 * strides_[2] - p[2] * s, n + 2 * p[2]);
    }
  }

 private:
  const ImageTask& task_;
  const int64_t* strides_;
  T* interior_;  // its first pixel

  T* channel_at(int64_t channel) const { return interior_ + channel * strides_[0]; }
  T* line_of(int64_t channel, const Cursor& c) const {
    return channel_at(channel) + c.i0 * strides_[1] + c.i1 * strides_[2];
  }
  // The first image of place i along an axis, which may lie in the padding before 0.
  int64_t lowest(int64_t i, int axis) const {
    return i - (i + task_.padding[axis]) / task_.shape[axis] * task_.shape[axis];
  }
  // Pixels of a channel, or of all where they are interleaved.
  void copy(const T* from, T* to, int64_t count) const {
    const int64_t s = strides_[3];
    if (s == 1 || interleaved()) __builtin_memcpy(to, from, std::size_t(count * s) * sizeof(T));
    else
      for (int64_t k = 0; k < count; ++k) to[k * s] = from[k * s];
  }
  template <int C, class To>
  static void gather_fixed(const T* __restrict from, int64_t count, To* __restrict to, int64_t pitch) {
    for (int64_t k = 0; k < count; ++k)
      for (int c = 0; c < C; ++c) to[c * pitch + k] = from[k * C + c];
  }
  template <int C>
  static void scatter_fixed(const T* __restrict from, int64_t pitch, int64_t count, T* __restrict to) {
    for (int64_t k = 0; k < count; ++k)
      for (int c = 0; c < C; ++c) to[k * C + c] = from[c * pitch + k];
  }
};

}  // namespace PEARLITE_ISA
}  // namespace pearlite
