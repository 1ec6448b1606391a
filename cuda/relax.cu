// Relaxed tessellations, the softmax of what seeds compete by, and their gradients. REAL is float or
// double, DIM 2 or 3.
//
// Logits count in base 2, −s/ε relative to a seed j that is near the tile's middle m. For "power" and seeds
// with one image in the tile they are linear in t = x − m, as t² is common to all:
//   −(s_k(m) − s_j(m)) c − 2 c (δ_k − δ_j) · t,  c = log2(e)/ε,
// whose two parts are rounded to REAL only when the large terms have cancelled in double. So a seed costs a
// pixel DIM + 1 fused operations and a power.
namespace pearlite {
// Two pixels a thread, one half of the first side apart.
__device__ static constexpr int tile_side(int axis) {
  return DIM == 2 ? (axis == 0 ? 16 : 32) : axis == 0 ? 8 : axis == 1 ? 4 : 16;
}
}  // namespace pearlite
#include "seeds.cuh"

using namespace pearlite;

constexpr int pixels_each = 2;
constexpr int resident = DIM == 3 && sizeof(REAL) == 8 ? 1 : 2;  // blocks, with their registers

// 1e-12 and 1e-17 of the largest weight are left out: in nats, by which the host multiplies ε for `sift`.
__device__ static __forceinline__ double truncation() { return sizeof(REAL) == 4 ? 27.631021 : 39.143947; }

// One seed as all pixels of the tile see it.
struct Competitor {
  double away[DIM];  // of the middle
  double lead;       // w + s_j(m)
  REAL level, slope[DIM];
  bool linear;
};
__device__ static __forceinline__ Competitor competitor(const Seed& s, const View& best, const Box& box,
                                                        const Cells& cells, double c) {
  Competitor k;
  const View v = view(s, box, cells);
  k.linear = !cells.additive && stable(v, box, cells.periodic);
  k.lead = s.weight + best.score;
  k.level = REAL(cells.additive ? c * k.lead : -c * (v.score - best.score));
  for (int a = 0; a < DIM; ++a) {
    k.away[a] = v.away[a];
    k.slope[a] = REAL(-2 * c * (v.away[a] - best.away[a]));
  }
  return k;
}

// The logit at t, and x − c there.
__device__ static __forceinline__ REAL logit(const Competitor& k, const View& best, const REAL* t, double c,
                                             Size additive, Size periodic) {
  if (k.linear) {
    REAL u = k.level;
    for (int a = 0; a < DIM; ++a) u += k.slope[a] * t[a];
    return u;
  }
  if (additive) {
    REAL square = 0;
    for (int a = 0; a < DIM; ++a) {
      const REAL d = nearest(REAL(k.away[a]) + t[a], periodic);
      square += d * d;
    }
    return k.level - REAL(c) * root(square);
  }
  double s = -k.lead;  // two images of a seed meet in this tile
  for (int a = 0; a < DIM; ++a) {
    const double d = nearest(k.away[a] + double(t[a]), periodic);
    s += d * d - (2 * best.away[a] + double(t[a])) * double(t[a]);
  }
  return REAL(-c * s);
}

struct Pixel {
  REAL t[DIM];
  Size at;
  bool inside;
  REAL top, total, moment;
};

__device__ static __forceinline__ void place(Pixel& p, int which, const Box& box, const Cells& cells, Size cell) {
  int at = threadIdx.x, i[DIM];
#pragma unroll
  for (int a = DIM - 1; a > 0; --a) {
    i[a] = at % tile_side(a);
    at /= tile_side(a);
  }
  i[0] = at + which * (tile_side(0) / pixels_each);
  p.inside = true;
  p.at = cell;
  for (int a = 0; a < DIM; ++a) {
    const int pixel = box.first[a] + i[a];
    p.inside = p.inside && pixel < cells.shape[a];
    p.at = p.at * cells.shape[a] + pixel;
    p.t[a] = REAL((double(i[a]) + 0.5) / double(cells.shape[a]) - box.half[a]);
  }
  p.top = 0;
  p.total = 0;
  p.moment = 0;
}

// Adds a seed to a softmax whose largest logit is not known yet.
__device__ static __forceinline__ void add(Pixel& p, REAL u, REAL value) {
  if (p.total == 0) {
    p.top = u;
  } else if (u > p.top) {
    const REAL shrunk = power_of_two(p.top - u);
    p.total *= shrunk;
    p.moment *= shrunk;
    p.top = u;
  }
  const REAL e = power_of_two(u - p.top);
  p.total += e;
  p.moment += value * e;
}

__device__ static __forceinline__ REAL warp_sum(REAL x) {
  for (int k = warp_threads / 2; k > 0; k /= 2) x += __shfl_xor_sync(whole_warp, x, k);
  return x;
}

// Where a gradient goes, zero before: doubles of the shapes of the arguments, with the batch in full.
struct Gradient {
  double *sites, *weights, *values, *epsilon;
};

// What a seed's part in two pixels adds to the gradient: summed over a warp, of which one thread writes.
__device__ static __forceinline__ void differentiate(const Competitor& k, Size at, REAL value, const Pixel* pixels,
                                                     const REAL* slope, const View& best, double c,
                                                     double epsilon, const Cells& cells, const Gradient& to,
                                                     REAL& spread) {
  REAL shares = 0, pulls = 0, moves[DIM] = {};
  for (int i = 0; i < pixels_each; ++i) {
    const Pixel& p = pixels[i];
    const REAL u = logit(k, best, p.t, c, cells.additive, cells.periodic) - p.top;
    const REAL share = slope[i] * power_of_two(u);  // slope: the cotangent over the total, 0 outside
    REAL pull = share * (value - p.moment);         // moment: the field by now
    shares += share;
    pulls += pull;
    spread += pull * u;
    REAL d[DIM], square = 0;
    for (int a = 0; a < DIM; ++a) {
      d[a] = nearest(REAL(k.away[a]) + p.t[a], cells.periodic);
      square += d[a] * d[a];
    }
    if (cells.additive) pull = square > 0 ? pull / root(square) : REAL(0);
    for (int a = 0; a < DIM; ++a) moves[a] += pull * d[a];
  }
  if (!__any_sync(whole_warp, shares != 0)) return;
  shares = warp_sum(shares);
  pulls = warp_sum(pulls);
  for (int a = 0; a < DIM; ++a) moves[a] = warp_sum(moves[a]);
  if (threadIdx.x % warp_threads != 0) return;
  atomicAdd(to.values + at, double(shares));
  atomicAdd(to.weights + at, double(pulls) / epsilon);
  for (int a = 0; a < DIM; ++a)
    atomicAdd(to.sites + at * DIM + a, (cells.additive ? 1 : 2) * double(moves[a]) / epsilon);
}

// field (batch, *shape) or null; with a cotangent (batch, *shape) its gradient. values (batch, count) of
// the seeds' type, epsilon (batch,); kept and counts from `sift`, or null.
extern "C" __global__ void __launch_bounds__(tile_threads, resident)
    relax(REAL* field, const REAL* cotangent, const void* sites, const void* weights, const void* values,
          const double* epsilon, Cells cells, const int* kept, const int* counts, Size room, Gradient to) {
  PEARLITE_SHARED(double, memory);
  const List list(memory);
  const Seeds seeds = {sites, weights};
  Size tile;
  const Size cell = divided(blockIdx.x, tiles_of(cells, 1), tile);
  const Box box = box_of(cells, tile, 1);
  const Source from = source_of(cells, cell, box, kept, counts, room);
  const Size j = nearest_seed(list, from, seeds, cells, cell, box);
  const View best = view(seed_of(seeds, cells, cell, j), box, cells);
  const double width = epsilon[cell], c = 1.4426950408889634 / width;

  Pixel pixels[pixels_each];
#pragma unroll
  for (int i = 0; i < pixels_each; ++i) place(pixels[i], i, box, cells, cell);
  int held = 0;
  const bool once = each_list(list, from, seeds, cells, cell, box, best, truncation() * width, [&](int count) {
    held = count;
    for (int e = 0; e < count; ++e) {
      const Competitor k = competitor(list[e], best, box, cells, c);
      const REAL value = REAL(number(values, cell * cells.count + list.index[e], cells.single));
#pragma unroll
      for (int i = 0; i < pixels_each; ++i)
        add(pixels[i], logit(k, best, pixels[i].t, c, cells.additive, cells.periodic), value);
    }
  });
  REAL slope[pixels_each];
#pragma unroll
  for (int i = 0; i < pixels_each; ++i) {
    Pixel& p = pixels[i];
    p.moment /= p.total;
    if (field && p.inside) field[p.at] = p.moment;
    slope[i] = cotangent && p.inside ? cotangent[p.at] / p.total : REAL(0);
  }
  if (!cotangent) return;
  REAL spread = 0;
  const auto back = [&](int count) {
    for (int e = 0; e < count; ++e) {
      const Competitor k = competitor(list[e], best, box, cells, c);
      const Size at = cell * cells.count + list.index[e];
      const REAL value = REAL(number(values, at, cells.single));
      differentiate(k, at, value, pixels, slope, best, c, width, cells, to, spread);
    }
  };
  if (once) back(held);  // the list is as it was
  else each_list(list, from, seeds, cells, cell, box, best, truncation() * width, back);
  spread = warp_sum(spread);
  if (threadIdx.x % warp_threads == 0) atomicAdd(to.epsilon + cell, -0.6931471805599453 * double(spread) / width);
}
