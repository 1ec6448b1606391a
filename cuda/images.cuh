// Labelled images, and how blocks share them. DIM is 2 or 3; a block has a tile of 32 × 256 or 32 × 8 × 32
// pixels, of which each thread goes along a column, down axis 0.
#pragma once
#include "common.cuh"

namespace pearlite {

constexpr int image_threads = 256, column_length = 32;

__device__ static constexpr int image_side(int axis) {
  return axis == 0 ? column_length : DIM == 2 ? image_threads : axis == 1 ? 8 : 32;
}

// Members of 8 bytes, as the launch packs them; of two axes the first two entries count.
struct Images {
  Size batch, count, shape[3];
  Size bytes, periodic;  // of a label; whether the image is a torus

  __device__ __forceinline__ Size pixels() const { return shape[0] * shape[1] * (DIM == 3 ? shape[2] : 1); }
  // The sides are picked, not indexed, since that would put them into memory.
  __device__ __forceinline__ Size side(int axis) const {
    return axis == 0 ? shape[0] : axis == 1 || DIM == 2 ? shape[1] : shape[2];
  }
};

// labels (batch, *shape)
__device__ static __forceinline__ int label_at(const void* labels, const Images& images, Size at) {
  if (images.bytes == 1) return static_cast<const unsigned char*>(labels)[at];
  if (images.bytes == 2) return static_cast<const unsigned short*>(labels)[at];
  return static_cast<const int*>(labels)[at];
}

// What a thread goes along: pixels from `first` on, to `end` along axis 0.
struct Column {
  Size image, stride;     // stride: of axis 0, in pixels
  int tile[DIM];          // the first pixel of the block's tile
  int first[DIM], end;
  bool inside;            // whether there are any

  // The place of its pixel i along axis 0, among those of the image.
  __device__ __forceinline__ Size place(int i) const { return first_place + Size(i - first[0]) * stride; }
  Size first_place;
};

__device__ static __forceinline__ Column column_of(const Images& images) {
  Column column;
  unsigned int rest = blockIdx.x;
  int own = threadIdx.x;
#pragma unroll
  for (int a = DIM - 1; a >= 0; --a) {
    const int side = image_side(a);
    const unsigned int tiles = ((unsigned int)images.shape[a] + side - 1) / side;
    column.tile[a] = int(rest % tiles) * side;
    rest /= tiles;
    column.first[a] = column.tile[a];
    if (a > 0) {
      column.first[a] += own % side;
      own /= side;
    }
  }
  column.image = rest;
  column.end = column.tile[0] + column_length;
  if (column.end > images.shape[0]) column.end = int(images.shape[0]);
  column.inside = true;
  column.first_place = 0;
  column.stride = 1;
  for (int a = 0; a < DIM; ++a) {
    column.inside = column.inside && column.first[a] < images.shape[a];
    column.first_place = column.first_place * images.shape[a] + column.first[a];
    if (a > 0) column.stride *= images.shape[a];
  }
  return column;
}

// Calls use(label, from, to) for each run of equal labels down the column.
template <class Use>
__device__ static __forceinline__ void each_run(const void* labels, const Images& images, const Column& column,
                                                const Use& use) {
  if (!column.inside) return;
  const Size before = column.image * images.pixels();
  int from = column.first[0], label = label_at(labels, images, before + column.first_place);
  for (int i = from + 1; i < column.end; ++i) {
    const int next = label_at(labels, images, before + column.place(i));
    if (next == label) continue;
    use(label, from, i);
    from = i;
    label = next;
  }
  use(label, from, column.end);
}

}  // namespace pearlite
