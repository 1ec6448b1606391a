// Hard labels of tessellations by weighted seeds. DIM is 2 or 3.
//
// Labels are those of the definition in double, products and sums rounded one by one as it says: this file
// is compiled without contraction. Seeds are sifted for each tile, as seeds.cuh tells.
namespace pearlite {
// One pixel a thread.
__device__ static constexpr int tile_side(int axis) {
  return DIM == 2 ? (axis == 0 ? 8 : 32) : axis < 2 ? 4 : 16;
}
}  // namespace pearlite
#include "seeds.cuh"

using namespace pearlite;

// labels (batch, *shape), each of `bytes`: the index of the seed of least score, of several the first.
// kept and counts from `sift`, or null.
extern "C" __global__ void __launch_bounds__(tile_threads, 2)
    assign(void* labels, int bytes, const void* sites, const void* weights, Cells cells, const int* kept,
           const int* counts, Size room) {
  PEARLITE_SHARED(double, memory);
  const List list(memory);
  const Seeds seeds = {sites, weights};
  Size tile;
  const Size cell = divided(blockIdx.x, tiles_of(cells, 1), tile);
  const Box box = box_of(cells, tile, 1);
  const Source from = source_of(cells, cell, box, kept, counts, room);
  const Size j = nearest_seed(list, from, seeds, cells, cell, box);
  const View best = view(seed_of(seeds, cells, cell, j), box, cells);

  Size at = cell;
  int pixel[DIM];
  double x[DIM];
  bool inside = true;
  int place = threadIdx.x;
#pragma unroll
  for (int a = DIM - 1; a >= 0; --a) {
    pixel[a] = box.first[a] + place % tile_side(a);
    place /= tile_side(a);
    inside = inside && pixel[a] < cells.shape[a];
    x[a] = pixel_centre(pixel[a], cells.shape[a]);
  }
  for (int a = 0; a < DIM; ++a) at = at * cells.shape[a] + pixel[a];
  double least = 0;
  int label = -1;
  each_list(list, from, seeds, cells, cell, box, best, 0.0, [&](int count) {
    if (!inside) return;
    for (int e = 0; e < count; ++e) {
      const Seed s = list[e];
      double sum = 0;
      for (int a = 0; a < DIM; ++a) {
        const double d = axis_distance(x[a], s.site[a], cells.periodic != 0);
        sum += d * d;
      }
      const double score = (cells.additive ? sqrt(sum) : sum) - s.weight;
      const int k = list.index[e];
      if (label < 0 || score < least || (score == least && k < label)) {
        least = score;
        label = k;
      }
    }
  });
  if (!inside) return;
  if (bytes == 1) static_cast<unsigned char*>(labels)[at] = (unsigned char)label;
  else if (bytes == 2) static_cast<unsigned short*>(labels)[at] = (unsigned short)label;
  else static_cast<int*>(labels)[at] = label;
}
