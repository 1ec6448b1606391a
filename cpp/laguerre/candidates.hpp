// Which seeds can have pixels in a box: lists of candidates, culled from box to smaller box.
//
// A candidate k is dropped where a rival j beats it by more than a margin at every point of the box.
// With c the sites seen from the centre of the box, h its half sides,
//
//   |x − c_k|² − |x − c_j|² ≥ L = |c_k|² − |c_j|² − 2 Σ h |c_k − c_j|   for all x in the box,
//
// with equality in one corner. So j beats k in the metric `power` if L > w_k − w_j + margin. In the
// metric `additive`, since |x − c_k| − |x − c_j| is that difference over S = |x − c_k| + |x − c_j|, it
// does if L > (w_k − w_j + margin) S, with the bound of S in the box that suits the sign.
//
// Everything here is in double, and rounding is allowed for: what stays is all that can be within the
// margin of the least score, as the definition rounds it. Periodic images are candidates of their own.
#pragma once
#include "laguerre/lanes.hpp"
#include "shared/distances.hpp"

namespace pearlite {
namespace PEARLITE_ISA {

using Doubles = Vec<double, 8>;

// From pixel centre to pixel centre.
template <int D>
struct Box {
  double centre[D], half[D];

  double radius() const {
    double sum = 0;
    for (int a = 0; a < D; ++a) sum += half[a] * half[a];
    return __builtin_sqrt(sum);
  }
};

// The box of `count` pixels from `begin` on, of n along each axis.
template <int D>
Box<D> box_of(const int64_t* begin, const int64_t* count, const int64_t* n) {
  Box<D> box;
  for (int a = 0; a < D; ++a) {
    box.centre[a] = (double(begin[a]) + 0.5 * double(count[a])) / double(n[a]);
    box.half[a] = 0.5 * double(count[a] - 1) / double(n[a]);
  }
  return box;
}

// Seeds of one cell, axis by axis; arrays are padded to a multiple of 8 with weights of −infinity.
template <int D>
struct Seeds {
  const double* x[D];  // (count,) sites, in [0, 1) if periodic
  const double* w;     // (count,) weights
  int64_t count;
  bool periodic;
  double reach;        // bounds distances between a site (or an image in use) and a point of the cell
  double heaviest;     // bounds |w|
};

// Candidates of a box. Arrays are padded like those of Seeds.
template <int D>
struct Candidates {
  double* x[D];    // (count,) sites or images of them
  double* w;       // (count,) weights
  int32_t* index;  // (count,) of the seed
  double* scratch; // (count,)
  int64_t count;

  static constexpr int64_t entry = (D + 2) * sizeof(double) + sizeof(int32_t);
  static int64_t bytes(int64_t capacity) { return padded(capacity) * entry; }
  static int64_t capacity(int64_t bytes) { return bytes / entry < 32 ? 0 : bytes / entry / 16 * 16 - 16; }
  static int64_t padded(int64_t count) { return (count + 23) / 16 * 16; }  // 8 more than asked for, at least

  // A list for so many candidates in memory of `bytes(capacity)`, aligned to 64 bytes.
  static Candidates in(char* memory, int64_t capacity) {
    Candidates list;
    const int64_t n = padded(capacity);
    double* next = reinterpret_cast<double*>(memory);
    for (int a = 0; a < D; ++a, next += n) list.x[a] = next;
    list.w = next;
    list.scratch = next + n;
    list.index = reinterpret_cast<int32_t*>(next + 2 * n);
    list.count = 0;
    return list;
  }
  // Appends the lanes whose bits are set.
  PEARLITE_INLINE void append(const Doubles* at, const Doubles& weight, const int32_t* seed, uint32_t bits) {
    for (int a = 0; a < D; ++a) compress(at[a], bits, x[a] + count);
    compress(weight, bits, w + count);
    compress(seed, bits, index + count);
    count += __builtin_popcount(bits);
  }
  void pad() {
    for (int64_t k = count; k % Doubles::lanes; ++k) {
      for (int a = 0; a < D; ++a) x[a][k] = 0;
      w[k] = -__builtin_inf();
    }
  }
};

// By how much j must be better, for the cull to be right however the definition rounds.
struct Slack {
  double score;   // the caller's margin, and the rounding of scores
  double square;  // the rounding of L

  // Scores and L are sums of at most 8 terms, no term above what is bounded here; 2^-48 is 16 times
  // the rounding of each of two such sums.
  template <Metric M, int D>
  static Slack of(const Seeds<D>& seeds, double margin) {
    constexpr double rounding = 0x1p-48;
    const double far = seeds.reach, square = far * far;
    const double score = (M == Metric::power ? square : far) + seeds.heaviest;
    return {margin + rounding * score, rounding * (square + (M == Metric::power ? 1 : far) * seeds.heaviest)};
  }
};

// Tells what one candidate beats everywhere in a box. All is seen from the centre of the box.
template <Metric M, int D>
class Rival {
 public:
  // at: (D,) its offset; w its weight
  Rival(const double* at, double w, const Box<D>& box, const Slack& slack)
      : lead_(Doubles::all(w - slack.score)), slack_(Doubles::all(slack.square)) {
    double q = 0;
    for (int a = 0; a < D; ++a) {
      q += at[a] * at[a];
      c_[a] = Doubles::all(at[a]);
      side_[a] = Doubles::all(2 * box.half[a]);
    }
    q_ = Doubles::all(q);
    if (M == Metric::power) return;
    d_ = Doubles::all(__builtin_sqrt(q));
    diameter_ = Doubles::all(2 * box.radius());
  }

  // Lanes that it beats by more than the slack. Of each: offset (D,), its square, weight, and in the
  // metric `additive` the offset's length.
  PEARLITE_INLINE uint32_t beats(const Doubles* c, const Doubles& q, const Doubles& w, const Doubles& d) const {
    Doubles least = q - q_;
    for (int a = 0; a < D; ++a) least = least - side_[a] * abs(c[a] - c_[a]);
    const Doubles lead = w - lead_;
    if constexpr (M == Metric::power) {
      return bits_below(lead + slack_, least);
    } else {
      const Doubles zero = Doubles::all(0), sum = d + d_;
      const Doubles bound = where_below(lead, zero, max(sum - diameter_, zero), sum + diameter_);
      return bits_below(lead * bound + slack_, least);
    }
  }

 private:
  Doubles c_[D], side_[D], q_, lead_, slack_, d_, diameter_;
};

// Finds the least score at the centre of a box, lane by lane.
struct Leader {
  Doubles score = Doubles::all(__builtin_inf()), place = Doubles::all(-1);

  PEARLITE_INLINE void meet(const Doubles& other, int64_t block) {
    place = where_below(other, score, Doubles::all(double(block)), place);
    score = min(other, score);
  }
  // -> the position of the least; 0 if there is none
  PEARLITE_INLINE int64_t position() const {
    alignas(64) double places[8];
    place.store(places);
    const int lane = least_lane(score);
    return places[lane] < 0 ? 0 : int64_t(places[lane]) + lane;
  }
};

// The bits of a block of 8 that starts at k, of `count` in all.
PEARLITE_INLINE uint32_t real_lanes(int64_t k, int64_t count) { return count - k < 8 ? (1u << (count - k)) - 1 : 0xff; }

// Culls `from` to what matters in a smaller box; `to` has room for all of `from`.
template <Metric M, int D>
void cull(const Candidates<D>& from, const Box<D>& box, const Slack& slack, Candidates<D>& to) {
  Doubles centre[D];
  for (int a = 0; a < D; ++a) centre[a] = Doubles::all(box.centre[a]);
  Leader leader;
  for (int64_t k = 0; k < from.count; k += 8) {
    Doubles q = Doubles::all(0);
    for (int a = 0; a < D; ++a) {
      const Doubles c = Doubles::load(from.x[a] + k) - centre[a];
      q = q + c * c;
    }
    if constexpr (M == Metric::additive) {
      q = sqrt(q);
      q.store(from.scratch + k);
    }
    leader.meet(q - Doubles::load(from.w + k), k);
  }
  const int64_t j = leader.position();
  double at[D];
  for (int a = 0; a < D; ++a) at[a] = from.x[a][j] - box.centre[a];
  const Rival<M, D> rival(at, from.w[j], box, slack);

  Candidates<D> kept = to;  // of its own, so that no store can change what the loop reads
  kept.count = 0;
  for (int64_t k = 0; k < from.count; k += 8) {
    Doubles x[D], c[D], q = Doubles::all(0), d = q;
    for (int a = 0; a < D; ++a) {
      x[a] = Doubles::load(from.x[a] + k);
      c[a] = x[a] - centre[a];
      q = q + c[a] * c[a];
    }
    const Doubles w = Doubles::load(from.w + k);
    if constexpr (M == Metric::additive) d = Doubles::load(from.scratch + k);
    kept.append(x, w, from.index + k, ~rival.beats(c, q, w, d) & real_lanes(k, from.count));
  }
  kept.pad();
  to = kept;
}

// Culls a short list in place by every one of its members.
template <Metric M, int D>
void prune(Candidates<D>& list, const Box<D>& box, const Slack& slack) {
  constexpr int most = 4;  // vectors
  const int64_t blocks = (list.count + 7) / 8;
  if (blocks > most || list.count < 3) return;  // of two, the leader has been the rival of the other
  Doubles c[most][D], q[most], w[most], d[most];
  for (int64_t b = 0; b < blocks; ++b) {
    q[b] = Doubles::all(0);
    for (int a = 0; a < D; ++a) {
      c[b][a] = Doubles::load(list.x[a] + 8 * b) - Doubles::all(box.centre[a]);
      q[b] = q[b] + c[b][a] * c[b][a];
    }
    w[b] = Doubles::load(list.w + 8 * b);
    d[b] = M == Metric::additive ? sqrt(q[b]) : q[b];
  }
  uint32_t alive = list.count == 32 ? ~0u : (1u << list.count) - 1;
  for (int64_t j = 0; j < list.count; ++j) {
    if (!(alive >> j & 1)) continue;  // what it beats, its own rival beats
    double at[D];
    for (int a = 0; a < D; ++a) at[a] = list.x[a][j] - box.centre[a];
    const Rival<M, D> rival(at, list.w[j], box, slack);
    for (int64_t b = 0; b < blocks; ++b) alive &= ~(rival.beats(c[b], q[b], w[b], d[b]) << (8 * b));
  }
  list.count = 0;
  for (int64_t b = 0; b < blocks; ++b) {
    Doubles x[D];
    for (int a = 0; a < D; ++a) x[a] = Doubles::load(list.x[a] + 8 * b);
    list.append(x, w[b], list.index + 8 * b, alive >> (8 * b) & 0xff);
  }
  list.pad();
}

// Candidates straight from the seeds. A seed's nearest image to the centre is one; where the box
// reaches over the middle between that and the next image along an axis, so is that one.
template <Metric M, int D>
class Root {
 public:
  Root(const Seeds<D>& seeds, const Box<D>& box, const Slack& slack) : seeds_(seeds), box_(box), slack_(slack) {
    for (int a = 0; a < D; ++a) centre_[a] = Doubles::all(box.centre[a]);
  }

  // Fills `list` as far as its capacity goes; returns the number of candidates there are.
  int64_t find(Candidates<D>& list, int64_t capacity) {
    const int64_t j = leader();
    double at[D], farthest = 0;
    for (int a = 0; a < D; ++a) {
      const double c = seeds_.x[a][j] - box_.centre[a];
      at[a] = !seeds_.periodic ? c : c > 0.5 ? c - 1 : c < -0.5 ? c + 1 : c;
      const double side = __builtin_fabs(at[a]) + box_.half[a];
      farthest += side * side;
    }
    const Rival<M, D> rival(at, seeds_.w[j], box_, slack_);
    // What an image of k must reach somewhere in the box to matter, less w_k.
    const double worst = (M == Metric::power ? farthest : __builtin_sqrt(farthest)) - seeds_.w[j];
    const Doubles limit = Doubles::all(worst + slack_.score + slack_.square);
    int64_t found = 0;
    list.count = 0;
    for (int64_t k = 0; k < seeds_.count; k += 8) look(k, rival, limit, list, capacity, found);
    list.pad();
    return found;
  }

 private:
  // The offset of the nearest image of 8 seeds.
  PEARLITE_INLINE Doubles offset(int a, int64_t k) const {
    const Doubles c = Doubles::load(seeds_.x[a] + k) - centre_[a];
    if (!seeds_.periodic) return c;
    const Doubles half = Doubles::all(0.5), one = Doubles::all(1), zero = Doubles::all(0);
    return c - where_below(half, c, one, zero) + where_below(c, zero - half, one, zero);
  }

  // The position of the least score at the centre.
  int64_t leader() const {
    Leader leader;
    for (int64_t k = 0; k < seeds_.count; k += 8) {
      Doubles q = Doubles::all(0);
      for (int a = 0; a < D; ++a) {
        const Doubles c = offset(a, k);
        q = q + c * c;
      }
      leader.meet((M == Metric::power ? q : sqrt(q)) - Doubles::load(seeds_.w + k), k);
    }
    return leader.position();
  }

  PEARLITE_INLINE void look(int64_t k, const Rival<M, D>& rival, const Doubles& limit, Candidates<D>& list,
                            int64_t capacity, int64_t& found) const {
    const Doubles zero = Doubles::all(0), w = Doubles::load(seeds_.w + k);
    Doubles c[D], least = zero;
    uint32_t crossed[D], seam = 0;  // where the box reaches over the middle, along each axis and any
    for (int a = 0; a < D; ++a) {
      c[a] = offset(a, k);
      const Doubles size = abs(c[a]), gap = max(size - Doubles::all(box_.half[a]), zero);
      least = least + gap * gap;
      crossed[a] = bits_below(Doubles::all(0.5 - box_.half[a] - 1e-12), size);
      seam |= crossed[a];
    }
    const uint32_t real = real_lanes(k, seeds_.count);
    add(k, c, real, rival, list, capacity, found);
    if (!seeds_.periodic || !(seam & real)) return;
    // No image comes nearer to the box than `least`.
    const Doubles most = w + limit;
    seam &= real;
    if constexpr (M == Metric::power) seam &= ~bits_below(most, least);
    else seam &= ~bits_below(most, zero) & ~bits_below(most * most + Doubles::all(slack_.square), least);
    for (uint32_t set = 1; seam && set < 1u << D; ++set) {
      uint32_t bits = seam;
      Doubles image[D];
      for (int a = 0; a < D; ++a) {
        image[a] = c[a];
        if (!(set >> a & 1)) continue;
        bits &= crossed[a];
        image[a] = c[a] + where_below(zero, c[a], zero - Doubles::all(1), Doubles::all(1));
      }
      if (bits) add(k, image, bits, rival, list, capacity, found);
    }
  }

  // Adds those of 8 seeds, or images at the offsets c, whose bits are set, unless they are beaten.
  PEARLITE_INLINE void add(int64_t k, const Doubles* c, uint32_t bits, const Rival<M, D>& rival, Candidates<D>& list,
                           int64_t capacity, int64_t& found) const {
    Doubles q = Doubles::all(0), at[D];
    for (int a = 0; a < D; ++a) q = q + c[a] * c[a];
    const Doubles w = Doubles::load(seeds_.w + k);
    bits &= ~rival.beats(c, q, w, M == Metric::additive ? sqrt(q) : q);
    found += __builtin_popcount(bits);
    if (!bits || found > capacity) return;
    for (int a = 0; a < D; ++a) {
      // The image itself, not what rounding made of it on the way from the centre.
      const Doubles site = Doubles::load(seeds_.x[a] + k), moved = c[a] - (site - centre_[a]);
      const Doubles half = Doubles::all(0.5), one = Doubles::all(1), zero = Doubles::all(0);
      at[a] = site + where_below(half, moved, one, zero) - where_below(moved, zero - half, one, zero);
    }
    alignas(32) int32_t seed[8];
    for (int i = 0; i < 8; ++i) seed[i] = int32_t(k) + i;
    list.append(at, w, seed, bits);
  }

  const Seeds<D>& seeds_;
  const Box<D>& box_;
  const Slack& slack_;
  Doubles centre_[D];
};

}  // namespace PEARLITE_ISA
}  // namespace pearlite
