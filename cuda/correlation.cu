// Two-point correlations: the passes before, between and behind cuFFT's transforms. REAL is float or
// double.
//
//   S(r) = Σ_x M(x) M'(x + r) = F⁻¹[conj(F M) F M']
//
// Each pass reads and writes its numbers once; they are what a transform moves as well, so that a
// correlation of F fields and P pairs takes about (2 F + 2 P) transforms' worth of memory.
#include "common.cuh"

using namespace pearlite;

constexpr int block_threads = 256;

// Members of 8 bytes, as the launch packs them; of two axes the first entry is 1.
struct Shapes {
  Size shape[3], padded[3];  // of fields, and of their transforms
  Size items, fields, pairs;
  Size centred;              // whether maps have 2 n − 1 shifts, and the zero shift in their middle
  double scale;
};

__device__ static __forceinline__ Size volume(const Size* n) { return n[0] * n[1] * n[2]; }

__device__ static __forceinline__ void unravel(Size at, const Size* n, Size* i) {
  at = divided(at, n[2], i[2]);
  i[0] = divided(at, n[1], i[1]);
}

enum { of_float = 0, of_double = 1, of_uint8 = 2, of_uint16 = 3, of_int32 = 4, of_int64 = 5 };

__device__ static __forceinline__ long long label_of(const void* field, int type, Size at) {
  switch (type) {
    case of_uint8: return static_cast<const unsigned char*>(field)[at];
    case of_uint16: return static_cast<const unsigned short*>(field)[at];
    case of_int32: return static_cast<const int*>(field)[at];
    default: return static_cast<const long long*>(field)[at];
  }
}

// out (items, fields, *padded), of them `each` from `first` on: the field's numbers, or where it has each of
// the labels, 0 where it is not known and in the padding. field and known (items, *shape), labels (each,);
// the last two may be null.
extern "C" __global__ void __launch_bounds__(block_threads)
    expand(REAL* out, const void* field, int type, const unsigned char* known, const long long* labels,
           Size first, Size each, Shapes s) {
  const Size all = s.items * volume(s.padded), stride = Size(gridDim.x) * blockDim.x;
  for (Size k = Size(blockIdx.x) * blockDim.x + threadIdx.x; k < all; k += stride) {
    Size at, i[3];
    const Size item = divided(k, volume(s.padded), at);
    unravel(at, s.padded, i);
    const bool inside = i[0] < s.shape[0] && i[1] < s.shape[1] && i[2] < s.shape[2];
    const Size from = ((item * s.shape[0] + i[0]) * s.shape[1] + i[1]) * s.shape[2] + i[2];
    const bool valid = inside && (!known || known[from]);
    for (Size f = 0; f < each; ++f) {
      REAL value = 0;
      if (valid) {
        if (labels) value = REAL(label_of(field, type, from) == labels[f] ? 1 : 0);
        else if (type == of_float) value = REAL(static_cast<const float*>(field)[from]);
        else value = REAL(static_cast<const double*>(field)[from]);
      }
      out[(item * s.fields + first + f) * volume(s.padded) + at] = value;
    }
  }
}

// out (items, pairs, half) = conj(u) v scale of spectra (items, fields, half); pair (pairs, 2). Complex
// numbers are two REALs side by side.
extern "C" __global__ void __launch_bounds__(block_threads)
    products(REAL* out, const REAL* spectra, const int* pair, Size half, Shapes s) {
  const Size all = s.items * half, stride = Size(gridDim.x) * blockDim.x;
  const REAL scale = REAL(s.scale);
  for (Size k = Size(blockIdx.x) * blockDim.x + threadIdx.x; k < all; k += stride) {
    Size at;
    const Size item = divided(k, half, at);
    for (Size p = 0; p < s.pairs; ++p) {
      const REAL* u = spectra + 2 * ((item * s.fields + pair[2 * p]) * half + at);
      const REAL* v = spectra + 2 * ((item * s.fields + pair[2 * p + 1]) * half + at);
      REAL* to = out + 2 * ((item * s.pairs + p) * half + at);
      to[0] = scale * (u[0] * v[0] + u[1] * v[1]);
      to[1] = scale * (u[0] * v[1] - u[1] * v[0]);
    }
  }
}

// Maps in the order in which they are asked for: out (items, maps, *wide) of found (items, pairs,
// *padded). source (maps, 2): which pair, and whether at −r. With counts, whole numbers (int64); with
// overlaps (items, *wide), sums over how many, NaN where there are none; with `means`, over those that a
// field without mask has.
extern "C" __global__ void __launch_bounds__(block_threads)
    arrange(void* out, const REAL* found, const int* source, const long long* overlaps, Size maps, int counts,
            int means, Shapes s) {
  Size wide[3];
  for (int a = 0; a < 3; ++a) wide[a] = s.centred ? 2 * s.shape[a] - 1 : s.shape[a];
  const Size each = volume(wide), all = s.items * maps * each, stride = Size(gridDim.x) * blockDim.x;
  for (Size k = Size(blockIdx.x) * blockDim.x + threadIdx.x; k < all; k += stride) {
    Size at, map, i[3];
    const Size item = divided(divided(k, each, at), maps, map);
    unravel(at, wide, i);
    Size from = item * s.pairs + source[2 * map], joint = 1;
    for (int a = 0; a < 3; ++a) {
      Size r = s.centred ? i[a] - (s.shape[a] - 1) : i[a];
      joint *= s.shape[a] - (r < 0 ? -r : r);
      if (source[2 * map + 1]) r = -r;
      if (r < 0) r += s.padded[a];
      from = from * s.padded[a] + r;
    }
    const REAL sum = found[from];
    if (counts) {
      static_cast<long long*>(out)[k] = (long long)rint(double(sum));
      continue;
    }
    REAL value = sum;
    if (overlaps) {
      const long long over = overlaps[item * each + at];
      value = over > 0 ? sum / REAL(over) : REAL(0) / REAL(0);
    } else if (means && s.centred) {
      value = sum / REAL(joint);
    }
    static_cast<REAL*>(out)[k] = value;
  }
}
