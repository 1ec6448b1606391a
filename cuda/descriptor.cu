// Two- and three-point correlations on a list of K vectors, and their gradient. REAL is float or double.
//
//   G(r, s) = ⟨left_r(x) right_s(x)⟩ over N pixels x; Γ(y) = Σ_r what r adds at y, of Σ_s C_rs right_s(x)
//
// Both are products of matrices, K × N by N × K and K × K by K × N, one of whose factors, or both, are formed
// in shared memory where they are needed, and never stored: the field has margins, in which x + r is at a
// fixed distance from x. A thread has 8 × 8 sums in single and 4 × 4 in double precision. Every sum has one
// order, whatever runs when.
#include "common.cuh"
#include "shared/ensembles.hpp"

using namespace pearlite;

constexpr int block_threads = 256;
constexpr int across = 16;                       // threads along each side of a tile
constexpr int each = sizeof(REAL) == 4 ? 8 : 4;  // sums of a thread along each side
constexpr int side = across * each;
constexpr int depth = 16;         // of a panel: what is summed over between two barriers
constexpr int pitch = side + 2;   // of a panel's lines: writes down its columns meet no bank twice
constexpr int panel_size = depth * pitch;
constexpr int slice = 1024;       // pixels whose sum stays in registers: more would round worse

// Members of 8 bytes, as the launch packs them; of two axes the first entry is 1.
struct Window {
  Size shape[3], full[3];  // of the field, without and with its margins
  Size origin, pixels;     // where the first pixel is, and their number
  Size count, form;        // K, and a Form
  double steepness, scale, shift, at_zero;
};

__device__ static __forceinline__ Logistic<REAL> logistic_of(const Window& w) {
  return {REAL(w.steepness), REAL(w.scale), REAL(w.shift), REAL(w.at_zero)};
}

struct Pixel {
  Size i[3];
};
__device__ static __forceinline__ Pixel pixel_at(const Window& w, Size at) {
  Pixel p;
  at = divided(at, w.shape[2], p.i[2]);
  p.i[0] = divided(at, w.shape[1], p.i[1]);
  return p;
}
__device__ static __forceinline__ Size place_of(const Window& w, const Pixel& p) {
  return w.origin + (p.i[0] * w.full[1] + p.i[1]) * w.full[2] + p.i[2];
}

// One side of e_r of vector number `vector` at `here`, a value of the field with its margins.
template <Form form, bool left>
__device__ static __forceinline__ REAL ensemble(const Logistic<REAL>& f, const REAL* here, const Size* offsets,
                                                Size vector) {
  if (form == Form::product && vector == 0) return *here;
  const Ensemble<REAL, form> e{f};
  const REAL there = here[offsets[vector]];
  return left ? e.left(*here, there) : e.right(*here, there);
}

// Sums over a pair of panels (depth, pitch).
struct Tile {
  REAL sum[each][each];

  __device__ __forceinline__ void clear() {
#pragma unroll
    for (int i = 0; i < each; ++i)
#pragma unroll
      for (int j = 0; j < each; ++j) sum[i][j] = 0;
  }
  __device__ __forceinline__ void add(const REAL* left, const REAL* right) {
    const int row = threadIdx.x / across, column = threadIdx.x % across;
#pragma unroll 4
    for (int k = 0; k < depth; ++k) {
      REAL a[each], b[each];
#pragma unroll
      for (int i = 0; i < each; ++i) {
        a[i] = left[k * pitch + row + across * i];
        b[i] = right[k * pitch + column + across * i];
      }
#pragma unroll
      for (int i = 0; i < each; ++i)
#pragma unroll
        for (int j = 0; j < each; ++j) sum[i][j] += a[i] * b[j];
    }
  }
  // Calls use(row, column, sum) for those of them that are this thread's.
  template <class Use>
  __device__ __forceinline__ void visit(const Use& use) const {
    const int row = threadIdx.x / across, column = threadIdx.x % across;
#pragma unroll
    for (int i = 0; i < each; ++i)
#pragma unroll
      for (int j = 0; j < each; ++j) use(row + across * i, column + across * j, sum[i][j]);
  }
};

// A panel of `side` vectors from the first on, at `depth` pixels of which this thread has one, or none.
template <Form form, bool left>
__device__ static __forceinline__ void form_panel(REAL* panel, const Logistic<REAL>& f, const REAL* here,
                                                  const Size* offsets, Size first, Size count) {
  const int lane = threadIdx.x % depth, from = threadIdx.x / depth;
#pragma unroll 2
  for (int j = 0; j < each; ++j) {
    const int vector = from + across * j;
    const bool there = here && first + vector < count;
    panel[lane * pitch + vector] = there ? ensemble<form, left>(f, here, offsets, first + vector) : REAL(0);
  }
}

template <Form form>
__device__ static __forceinline__ void gram_tile(REAL* partial, const REAL* values, const Size* offsets,
                                                 Size begin, bool more, const Window& w, REAL* left) {
  REAL* const right = left + panel_size;
  const Logistic<REAL> f = logistic_of(w);
  const Size first = Size(blockIdx.x) * side, second = Size(blockIdx.y) * side;
  const Size end = begin + slice < w.pixels ? begin + slice : w.pixels;
  Tile tile;
  tile.clear();
  for (Size x = begin; x < end; x += depth) {
    const Size own = x + threadIdx.x % depth;
    const REAL* here = own < end ? values + place_of(w, pixel_at(w, own)) : nullptr;
    form_panel<form, true>(left, f, here, offsets, first, w.count);
    form_panel<form, false>(right, f, here, offsets, second, w.count);
    __syncthreads();
    tile.add(left, right);
    __syncthreads();
  }
  tile.visit([&](int row, int column, REAL sum) {
    if (first + row >= w.count || second + column >= w.count) return;
    REAL& to = partial[(first + row) * w.count + second + column];
    to = more ? to + sum : sum;
  });
}

// partial (slices, K, K): sums over a slice of pixels for each, in tiles on and above the diagonal; from slice
// number `from` on, of which the first launch is to be told 0. values (*full): the field with its margins, or
// e^(−steepness v / 2). offsets (K,): of x + r from x in it.
extern "C" __global__ void __launch_bounds__(block_threads, 2)
    gram(REAL* partial, const REAL* values, const Size* offsets, Size from, Window w) {
  PEARLITE_SHARED(REAL, panels);
  const Size begin = (from + blockIdx.z) * slice;
  if (blockIdx.y < blockIdx.x || begin >= w.pixels) return;
  const bool more = from != 0;
  partial += blockIdx.z * w.count * w.count;
  if (w.form == Size(Form::product)) gram_tile<Form::product>(partial, values, offsets, begin, more, w, panels);
  else if (w.form == Size(Form::logistic))
    gram_tile<Form::logistic>(partial, values, offsets, begin, more, w, panels);
  else gram_tile<Form::centred>(partial, values, offsets, begin, more, w, panels);
}

// out (K, K): the means, of partial (slices, K, K)
extern "C" __global__ void __launch_bounds__(block_threads)
    mirror(REAL* out, const REAL* partial, Size slices, Window w) {
  const Size all = w.count * w.count, k = Size(blockIdx.x) * blockDim.x + threadIdx.x;
  if (k >= all) return;
  Size column;
  const Size row = divided(k, w.count, column);
  const Size from = row <= column ? k : column * w.count + row;
  REAL sum = 0;
  for (Size s = 0; s < slices; ++s) sum += partial[s * all + from];
  out[k] = sum / REAL(w.pixels);
}

template <Form form>
__device__ static __forceinline__ double sum_over_pixels(const REAL* values, const Size* offsets, const Window& w) {
  const Logistic<REAL> f = logistic_of(w);
  double sum = 0;
  for (Size x = threadIdx.x; x < w.pixels; x += blockDim.x)
    sum += double(ensemble<form, true>(f, values + place_of(w, pixel_at(w, x)), offsets, blockIdx.x));
  return sum;
}

// out (K,): the means of left_r. One block a vector.
extern "C" __global__ void __launch_bounds__(block_threads)
    means(REAL* out, const REAL* values, const Size* offsets, Window w) {
  PEARLITE_SHARED(double, parts);
  double sum = 0;
  if (w.form == Size(Form::product)) sum = sum_over_pixels<Form::product>(values, offsets, w);
  else if (w.form == Size(Form::logistic)) sum = sum_over_pixels<Form::logistic>(values, offsets, w);
  else sum = sum_over_pixels<Form::centred>(values, offsets, w);
  sum = block_sum(sum, parts);
  if (threadIdx.x == 0) out[blockIdx.x] = REAL(sum / double(w.pixels));
}

template <Form form>
__device__ static __forceinline__ void sums_tile(REAL* out, const REAL* values, const Size* offsets,
                                                 const REAL* cotangent, Size from, Size rows, const Window& w,
                                                 REAL* left) {
  REAL* const right = left + panel_size;
  const Logistic<REAL> f = logistic_of(w);
  const Size first = Size(blockIdx.y) * side, pixel = Size(blockIdx.x) * side;
  const int lane = threadIdx.x % side, line = threadIdx.x / side;
  const Size own = pixel + lane, row = first + lane;
  const REAL* here = own < w.pixels ? values + place_of(w, pixel_at(w, own)) : nullptr;
  Tile tile;
  tile.clear();
  for (Size s = 0; s < w.count; s += depth) {
    for (int k = line; k < depth; k += block_threads / side) {
      const bool there = s + k < w.count;
      left[k * pitch + lane] = there && row < rows ? cotangent[(s + k) * w.count + from + row] : REAL(0);
      right[k * pitch + lane] = there && here ? ensemble<form, false>(f, here, offsets, s + k) : REAL(0);
    }
    __syncthreads();
    tile.add(left, right);
    __syncthreads();
  }
  tile.visit([&](int i, int j, REAL sum) {
    if (first + i < rows && pixel + j < w.pixels) out[(first + i) * w.pixels + pixel + j] = sum;
  });
}

// out (rows, pixels): Σ_s C_rs right_s(x) of the vectors r from `from` on. cotangent (K, K): C, symmetric.
extern "C" __global__ void __launch_bounds__(block_threads, 2)
    sums(REAL* out, const REAL* values, const Size* offsets, const REAL* cotangent, Size from, Size rows,
         Window w) {
  PEARLITE_SHARED(REAL, panels);
  if (w.form == Size(Form::product)) sums_tile<Form::product>(out, values, offsets, cotangent, from, rows, w, panels);
  else if (w.form == Size(Form::logistic))
    sums_tile<Form::logistic>(out, values, offsets, cotangent, from, rows, w, panels);
  else sums_tile<Form::centred>(out, values, offsets, cotangent, from, rows, w, panels);
}

template <Form form>
__device__ static __forceinline__ REAL pulled(const REAL* sums, const REAL* values, const Size* offsets,
                                              const Size* vectors, const REAL* linear, Size from, Size rows,
                                              const Window& w, Size pixel) {
  const Logistic<REAL> f = logistic_of(w);
  const Ensemble<REAL, form> e{f};
  const Pixel y = pixel_at(w, pixel);
  const REAL* const at_y = values + place_of(w, y);
  REAL total = 0;
  for (Size k = threadIdx.x / warp_threads; k < rows; k += block_threads / warp_threads) {
    const Size r = from + k;
    const REAL c = linear[r], sum = sums[k * w.pixels + pixel];
    if (form == Form::product && r == 0) {
      total += c + (sum + sum);
      continue;
    }
    REAL own, other;
    e.pull(*at_y, at_y[offsets[r]], sum, c, own, other);
    total += own;
    Pixel x;  // y − r
    for (int a = 0; a < 3; ++a) {
      x.i[a] = y.i[a] - vectors[3 * r + a];
      if (x.i[a] < 0) x.i[a] += w.shape[a];
    }
    const Size place = (x.i[0] * w.shape[1] + x.i[1]) * w.shape[2] + x.i[2];
    e.pull(values[place_of(w, x)], *at_y, sums[k * w.pixels + place], c, own, other);
    total += other;
  }
  return total;
}

// Adds to gradient (pixels,) what the vectors r from `from` on give, of sums (rows, pixels). vectors (K, 3):
// r modulo the field's shape; linear (K,): the cotangent of the means. A warp has 32 pixels and every
// eighth vector.
extern "C" __global__ void __launch_bounds__(block_threads)
    pull(REAL* gradient, const REAL* sums, const REAL* values, const Size* offsets, const Size* vectors,
         const REAL* linear, Size from, Size rows, Window w) {
  PEARLITE_SHARED(REAL, parts);
  const Size pixel = Size(blockIdx.x) * warp_threads + threadIdx.x % warp_threads;
  REAL total = 0;
  if (pixel < w.pixels) {
    if (w.form == Size(Form::product))
      total = pulled<Form::product>(sums, values, offsets, vectors, linear, from, rows, w, pixel);
    else if (w.form == Size(Form::logistic))
      total = pulled<Form::logistic>(sums, values, offsets, vectors, linear, from, rows, w, pixel);
    else total = pulled<Form::centred>(sums, values, offsets, vectors, linear, from, rows, w, pixel);
  }
  parts[threadIdx.x] = total;
  __syncthreads();
  if (threadIdx.x >= warp_threads || pixel >= w.pixels) return;
  for (int k = 1; k < block_threads / warp_threads; ++k) total += parts[k * warp_threads + threadIdx.x];
  gradient[pixel] += total / REAL(w.pixels);
}
