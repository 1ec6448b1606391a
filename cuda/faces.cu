// Faces between the cells of labelled images. DIM is 2 or 3.
//
// A block adds up the pixel faces of its tile by pair of cells, and by the images of these that meet, in shared
// memory, and hands them on to a table in global memory for each image. The host sorts the keys, so that
// results have one order; all sums over pixels are of integers.
#include "images.cuh"
#include "shared/contacts.hpp"
#include "tally.cuh"

using namespace pearlite;

typedef unsigned long long Count;

constexpr int contact_slots = 512;       // of a block's table
constexpr int contact_width = 2 * DIM;   // along each axis, the faces that look down it and up it
constexpr int contact_tries = 128;

// territories (batch, count, DIM); centres (batch, count, DIM) in pixels, not a number for an empty cell
extern "C" __global__ void __launch_bounds__(image_threads)
    find_territories(Territory* territories, const double* centres, Images images) {
  const Size task = Size(blockIdx.x) * image_threads + threadIdx.x;
  if (task >= images.batch * images.count * DIM) return;
  const double n = double(images.side(int(task % DIM)));
  double centre = centres[task];
  if (!(centre - centre == 0)) centre = 0;
  // A centre may lie within the half pixel below the first.
  if (images.periodic && centre >= n - 0.5) centre -= n;
  territories[task] = territory(centre, n);
}

// The contacts of each image.
struct Table {
  Count* keys;      // (batch, room), of zeros at first
  Count* numbers;   // (batch, room, contact_width), of zeros at first
  int* used;        // (batch + 1,), of zeros at first: how many keys there are; the last tells that room is short
  Size room;        // a power of two

  // Adds the faces of one kind to a key.
  __device__ __forceinline__ void add(Size image, Size batch, Count key, const int* faces) const {
    bool fresh;
    const Size at = place_of(keys + image * room, room, key, contact_tries, fresh);
    if (at < 0 || (fresh && atomicAdd(used + image, 1) >= room / 2)) atomicExch(used + batch, 1);
    if (at < 0) return;
    for (int v = 0; v < contact_width; ++v)
      if (faces[v]) atomicAdd(numbers + (image * room + at) * contact_width + v, Count(faces[v]));
  }
};

// Pixel k at `here`, and `other` beyond its face up an axis at `there`: how many periods lie between their
// cells' images, as a code.
__device__ static __forceinline__ int offset_code(const Territory* k, const Territory* other, const int* here,
                                                  const int* there, const bool* wraps) {
  int code = 0;
  for (int a = 0; a < DIM; ++a)
    code = code * contact_base + other[a].period(there[a]) + int(wraps[a]) - k[a].period(here[a]);
  return contact_nowhere + code;
}

// territories (batch, count, DIM) from `find_territories`, or null if the image is no torus
extern "C" __global__ void __launch_bounds__(image_threads, 4)
    add_contacts(Table table, const Territory* territories, const void* labels, Images images) {
  PEARLITE_SHARED(Count, memory);
  const Tally tally(memory, contact_slots, contact_width);
  tally.clear([](int) { return 0; });
  const Column column = column_of(images);
  const Size before = column.image * images.pixels();
  Size strides[DIM];
  strides[DIM - 1] = 1;
  for (int a = DIM - 2; a >= 0; --a) strides[a] = strides[a + 1] * images.shape[a + 1];

  const auto meet = [&](int k, int other, int axis, int i, bool wrap) {
    int code = contact_nowhere;
    if (images.periodic) {
      int here[DIM], there[DIM];
      bool wraps[DIM];
      for (int a = 0; a < DIM; ++a) {
        here[a] = there[a] = a == 0 ? i : column.first[a];
        wraps[a] = a == axis && wrap;
        if (a == axis) there[a] = wrap ? 0 : here[a] + 1;
      }
      const Territory* all = territories + column.image * images.count * DIM;
      code = offset_code(all + Size(k) * DIM, all + Size(other) * DIM, here, there, wraps);
    }
    const Count key = contact_key(k, other, code);
    const int kind = 2 * axis + int(k < other);
    int* numbers = tally.of(key);
    if (numbers) {
      atomicAdd(numbers + kind, 1);
      return;
    }
    int faces[contact_width];
    for (int v = 0; v < contact_width; ++v) faces[v] = v == kind ? 1 : 0;
    table.add(column.image, images.batch, key, faces);
  };
  if (column.inside) {
    int k = label_at(labels, images, before + column.first_place);
    for (int i = column.first[0]; i < column.end; ++i) {
      const Size at = before + column.place(i);
      int next = k;
#pragma unroll
      for (int a = DIM - 1; a >= 0; --a) {
        const int x = a == 0 ? i : column.first[a];
        const bool wrap = x + 1 == images.shape[a];
        if (wrap && !images.periodic) continue;
        const int other = label_at(labels, images, at + strides[a] * (wrap ? -x : 1));
        if (other != k) meet(k, other, a, i, wrap);
        if (a == 0) next = other;
      }
      k = next;
    }
  }
  tally.each([&](Count key, const int* faces) { table.add(column.image, images.batch, key, faces); });
}

// What areas of faces are made of; members of 8 bytes.
struct Estimate {
  Size kind;         // 0: all pixel faces; 1: |S|; 2: |S · ν|, ν between the sites
  double pixel[3];   // area of a pixel's face normal to each axis
  double period[3];  // of the torus along each axis
};

// areas (total,) of contacts; begins (total,): whether the pair of cells is another one than that of the contact
// before. keys (total,) sorted in each image, numbers (total, contact_width), images (total,); sites (batch,
// count, DIM) for kind 2
extern "C" __global__ void __launch_bounds__(image_threads)
    measure_contacts(double* areas, unsigned char* begins, const Count* keys, const Count* numbers,
                     const long long* images, const double* sites, Size count, Estimate estimate, Size total) {
  const Size m = Size(blockIdx.x) * image_threads + threadIdx.x;
  if (m >= total) return;
  const Count key = keys[m];
  begins[m] = (unsigned char)(m == 0 || images[m - 1] != images[m] || keys[m - 1] >> contact_bits != key >> contact_bits);
  double area = 0, square = 0;
  int offset[3];
  contact_offset(key, DIM, offset);
  for (int a = 0; a < DIM; ++a) {
    const Count* faces = numbers + m * contact_width + Size(2 * a);
    const Size down = Size(faces[0]), up = Size(faces[1]);
    const double facing = double(estimate.kind == 0 ? up + down : up - down) * estimate.pixel[a];
    if (estimate.kind == 0) area += facing;
    if (estimate.kind == 1) square += facing * facing;
    if (estimate.kind < 2) continue;
    const Size first = images[m] * count + contact_first(key), second = images[m] * count + contact_second(key);
    const double way = sites[second * DIM + a] - sites[first * DIM + a] + offset[a];
    const double normal = way / estimate.period[a];
    square += normal * normal;
    area += facing * normal;
  }
  if (estimate.kind == 1) area = sqrt(square);
  if (estimate.kind == 2) area = fabs(area) / (square > 0 ? sqrt(square) : 1);  // no plane between equal sites
  areas[m] = area;
}

// pairs (faces, 2) and their areas (faces,): those of contacts from each of `begins` (faces,) to the next, added
// in order.
extern "C" __global__ void __launch_bounds__(image_threads)
    join_contacts(int* pairs, double* sums, const long long* begins, Size faces, const Count* keys, const double* areas,
                  Size total) {
  const Size f = Size(blockIdx.x) * image_threads + threadIdx.x;
  if (f >= faces) return;
  const Size begin = begins[f], end = f + 1 < faces ? begins[f + 1] : total;
  double sum = 0;
  for (Size m = begin; m < end; ++m) sum += areas[m];
  pairs[2 * f] = int(contact_first(keys[begin]));
  pairs[2 * f + 1] = int(contact_second(keys[begin]));
  sums[f] = sum;
}
