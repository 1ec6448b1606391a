// Simulated annealing of labels towards two-point counts, one chain a block.
//
// The energy E = Σ_i Σ_r D_i(r)², D_i = C_i − T_i over all shifts of the periodic cell, is of whole numbers, and
// so are its changes. Each warp of a block weighs a proposal of its own, all as if those before it were refused;
// the first that is accepted is made by the whole block, and those after it are proposed again. So a chain is
// the same for any number of warps, and the one that the CPU has. While few are accepted, which is most of the
// time, that costs two barriers for as many proposals as there are warps.
#include "common.cuh"
#include "shared/exchange.hpp"

using namespace pearlite;

constexpr int block_threads = 256;
constexpr int warps = block_threads / warp_threads;

// Members of 8 bytes, as the launch packs them; of two axes the middle entry is 1.
struct Chains {
  Size shape[3];
  Size pixels, half;   // N, and the shifts of the first half of the planes
  Size phases, first;  // labels first … first + phases − 1 have counts
  Size number, proposals;
  unsigned long long seed;
  double cooling;
};

// Of 32 bits, since a card has no division of 64; N < 2^31.
struct Place {
  int x[3];
};
__device__ static __forceinline__ Place place_of(const Chains& c, Size pixel) {
  Size line, x2, x1;
  line = divided(pixel, c.shape[2], x2);
  const Size x0 = divided(line, c.shape[1], x1);
  return {{int(x0), int(x1), int(x2)}};
}

// Shifts k, k + 32, … as a lane of a warp takes them, or k, k + 256, … as a thread of a block.
struct Shift {
  int k, r[3], step[3], by;

  __device__ __forceinline__ Shift(const Chains& c, int from, int stride) : k(from), by(stride) {
    const Place p = place_of(c, from), s = place_of(c, stride);
    for (int a = 0; a < 3; ++a) {
      r[a] = p.x[a];
      step[a] = s.x[a];
    }
  }
  __device__ __forceinline__ void advance(const int* n) {
    k += by;
    r[2] += step[2];
    const int carry = r[2] >= n[2];
    r[2] -= carry ? n[2] : 0;
    r[1] += step[1] + carry;
    const int more = r[1] >= n[1];
    r[1] -= more ? n[1] : 0;
    r[0] += step[0] + more;
  }
};

// The change of the counts C(r) of a phase that leaves p and comes to q,
//   M(q + r) + M(q − r) − M(p + r) − M(p − r) + 2 [r = 0] − [r = q − p] − [r = p − q],
// and what moves the other way has the same with p and q exchanged.
struct Move {
  const unsigned char* labels;
  int n[3];
  Place p, q;
  int ahead, behind;  // numbers of the shifts q − p and p − q

  __device__ __forceinline__ Move(const Chains& c, const unsigned char* own, const Exchange& e)
      : labels(own), n{int(c.shape[0]), int(c.shape[1]), int(c.shape[2])}, p(place_of(c, e.p)), q(place_of(c, e.q)) {
    int d[3], b[3];
    for (int a = 0; a < 3; ++a) {
      d[a] = q.x[a] - p.x[a];
      if (d[a] < 0) d[a] += n[a];
      b[a] = d[a] ? n[a] - d[a] : 0;
    }
    ahead = (d[0] * n[1] + d[1]) * n[2] + d[2];
    behind = (b[0] * n[1] + b[1]) * n[2] + b[2];
  }
  __device__ __forceinline__ int label(const Place& x, const int* r, int sign) const {
    int y[3];
    for (int a = 0; a < 3; ++a) {
      y[a] = x.x[a] + sign * r[a];
      y[a] = y[a] < 0 ? y[a] + n[a] : y[a] >= n[a] ? y[a] - n[a] : y[a];
    }
    return labels[(y[0] * n[1] + y[1]) * n[2] + y[2]];
  }
  // Of phase a, which leaves p, and b, which leaves q.
  __device__ __forceinline__ void changes(const Shift& s, int a, int b, int& of_a, int& of_b) const {
    const int q0 = label(q, s.r, 1), q1 = label(q, s.r, -1), p0 = label(p, s.r, 1), p1 = label(p, s.r, -1);
    const int met = 2 * (s.k == 0) - (s.k == ahead) - (s.k == behind);
    of_a = (q0 == a) + (q1 == a) - (p0 == a) - (p1 == a) + met;
    of_b = (p0 == b) + (p1 == b) - (q0 == b) - (q1 == b) + met;
  }
};

// D (phases, half) of a label, or null if it has no counts.
__device__ static __forceinline__ int* counts_of(const Chains& c, int* differences, int label) {
  const Size phase = label - c.first;
  return phase >= 0 && phase < c.phases ? differences + phase * c.half : nullptr;
}

// The change of E, of which each lane has a part.
__device__ static __forceinline__ long long rise_of(const Chains& c, const unsigned char* labels, int* differences,
                                                    const Exchange& e, int lane) {
  const Move move(c, labels, e);
  const int a = labels[e.p], b = labels[e.q];
  const int *of_a = counts_of(c, differences, a), *of_b = counts_of(c, differences, b);
  long long rise = 0;
  for (Shift s(c, lane, warp_threads); s.k < int(c.half); s.advance(move.n)) {
    int change_a, change_b;
    move.changes(s, a, b, change_a, change_b);
    long long here = 0;
    if (of_a) here += (long long)change_a * (2 * (long long)of_a[s.k] + change_a);
    if (of_b) here += (long long)change_b * (2 * (long long)of_b[s.k] + change_b);
    rise += multiplicity(s.r[0], move.n[0]) * here;
  }
  for (int k = warp_threads / 2; k > 0; k /= 2) rise += __shfl_xor_sync(whole_warp, rise, k);
  return rise;
}

__device__ static __forceinline__ void make(const Chains& c, unsigned char* labels, int* differences,
                                            const Exchange& e) {
  const Move move(c, labels, e);
  const unsigned char a = labels[e.p], b = labels[e.q];
  int *of_a = counts_of(c, differences, a), *of_b = counts_of(c, differences, b);
  for (Shift s(c, threadIdx.x, block_threads); s.k < int(c.half); s.advance(move.n)) {
    int change_a, change_b;
    move.changes(s, a, b, change_a, change_b);
    if (of_a) of_a[s.k] += change_a;
    if (of_b) of_b[s.k] += change_b;
  }
  __syncthreads();  // until all have read the labels
  if (threadIdx.x == 0) {
    labels[e.p] = b;
    labels[e.q] = a;
  }
  __syncthreads();
}

// What a warp found of its proposal.
struct Verdict {
  long long rise;
  Exchange exchange;
  long long accepted;
};

// Makes proposals number … number + proposals − 1, or those until E = 0. labels (chains, pixels), differences
// (chains, phases, half), energy (chains,), sample (chains,): whose numbers they draw; temperature (chains,):
// of the first proposal. found (chains, 3): how many were made, accepted, and the lowest energy met. With
// `kept` the labels of a chain are in shared memory meanwhile.
extern "C" __global__ void __launch_bounds__(block_threads)
    anneal(unsigned char* labels, int* differences, long long* energy, const long long* sample,
           const double* temperature, long long* found, int kept, Chains c) {
  PEARLITE_SHARED(Verdict, verdicts);
  const Size chain = blockIdx.x;
  const int warp = threadIdx.x / warp_threads;
  unsigned char* const own = labels + chain * c.pixels;
  unsigned char* const near = kept ? reinterpret_cast<unsigned char*>(verdicts + warps) : own;
  if (kept)
    for (Size k = threadIdx.x; k < c.pixels; k += blockDim.x) near[k] = own[k];
  differences += chain * c.phases * c.half;
  long long now = energy[chain], best = now, made = 0, accepted_ones = 0;
  double t = temperature[chain];
  __syncthreads();
  while (made < c.proposals && now > 0) {
    const int together = int(c.proposals - made < warps ? c.proposals - made : warps);
    if (warp < together) {
      double own_t = t;
      for (int k = 0; k < warp; ++k) own_t *= c.cooling;
      const Exchange e = proposed(near, (unsigned long long)c.pixels, (unsigned long long)(c.number + made + warp),
                                  c.seed, (unsigned int)sample[chain]);
      const long long rise = rise_of(c, near, differences, e, threadIdx.x % warp_threads);
      if (threadIdx.x % warp_threads == 0) verdicts[warp] = {rise, e, accepted(rise, own_t, e.uniform)};
    }
    __syncthreads();
    int k = 0;
    while (k < together && !verdicts[k].accepted) {
      t *= c.cooling;
      ++k;
    }
    made += k;
    if (k == together) {
      __syncthreads();  // until all have read the verdicts
      continue;
    }
    const Verdict verdict = verdicts[k];
    make(c, near, differences, verdict.exchange);
    now += verdict.rise;
    best = now < best ? now : best;
    t *= c.cooling;
    ++made;
    ++accepted_ones;
  }
  if (kept)
    for (Size k = threadIdx.x; k < c.pixels; k += blockDim.x) own[k] = near[k];
  if (threadIdx.x != 0) return;
  energy[chain] = now;
  found[3 * chain] = made;
  found[3 * chain + 1] = accepted_ones;
  found[3 * chain + 2] = best;
}
