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

  static int64_t bytes(int64_t capacity) { return padded(capacity) * int64_t((D + 2) * sizeof(double) + sizeof(int32_t)); }
  static int64_t padded(int64_t count) { return (count + 15) / 16 * 16; }

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
  PEARLITE_INLINE void push(const double* at, double weight, int32_t seed) {
    for (int a = 0; a < D; ++a) x[a][count] = at[a];
    w[count] = weight;
    index[count++] = seed;
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

// One candidate, seen from the centre of a box.
template <int D>
struct Rival {
  double c[D], q, w, d;  // offset, its square, weight, its length (additive only)
};

// Lanes that the rival beats everywhere in the box, by more than the slack.
template <Metric M, int D>
PEARLITE_INLINE uint32_t beaten(const Doubles* c, const Doubles& q, const Doubles& w, const Doubles& d,
                                const Rival<D>& rival, const Box<D>& box, double radius, const Slack& slack) {
  Doubles least = q - Doubles::all(rival.q);
  for (int a = 0; a < D; ++a) least = least - 2 * box.half[a] * abs(c[a] - Doubles::all(rival.c[a]));
  const Doubles lead = w - Doubles::all(rival.w - slack.score);
  if constexpr (M == Metric::power) {
    return bits_below(lead + Doubles::all(slack.square), least);
  } else {
    const Doubles zero = Doubles::all(0), sum = d + Doubles::all(rival.d);
    const Doubles most = sum + Doubles::all(2 * radius), fewest = max(sum - Doubles::all(2 * radius), zero);
    return bits_below(lead * where_below(lead, zero, fewest, most) + Doubles::all(slack.square), least);
  }
}

// Finds the least score at the centre of a box, lane by lane.
struct Leader {
  Doubles score = Doubles::all(__builtin_inf()), place = Doubles::all(-1);

  PEARLITE_INLINE void meet(const Doubles& other, int64_t block) {
    place = where_below(other, score, Doubles::all(double(block)), place);
    score = min(other, score);
  }
  // -> the position of the least; 0 if there is none
  PEARLITE_INLINE int64_t position() const {
    alignas(64) double scores[8], places[8];
    score.store(scores);
    place.store(places);
    int lane = 0;
    for (int k = 1; k < 8; ++k)
      if (scores[k] < scores[lane]) lane = k;
    return places[lane] < 0 ? 0 : int64_t(places[lane]) + lane;
  }
};

// Culls `from` to what matters in a smaller box; `to` has room for all of `from`.
template <Metric M, int D>
void cull(const Candidates<D>& from, const Box<D>& box, const Slack& slack, Candidates<D>& to) {
  Leader leader;
  for (int64_t k = 0; k < from.count; k += 8) {
    Doubles q = Doubles::all(0);
    for (int a = 0; a < D; ++a) {
      const Doubles c = Doubles::load(from.x[a] + k) - Doubles::all(box.centre[a]);
      q = q + c * c;
    }
    if constexpr (M == Metric::additive) {
      q = sqrt(q);
      q.store(from.scratch + k);
    }
    leader.meet(q - Doubles::load(from.w + k), k);
  }
  const int64_t j = leader.position();
  Rival<D> rival{{}, 0, from.w[j], M == Metric::additive ? from.scratch[j] : 0};
  for (int a = 0; a < D; ++a) rival.c[a] = from.x[a][j] - box.centre[a];
  for (int a = 0; a < D; ++a) rival.q += rival.c[a] * rival.c[a];

  const double radius = box.radius();
  to.count = 0;
  for (int64_t k = 0; k < from.count; k += 8) {
    Doubles c[D], q = Doubles::all(0), d = q;
    for (int a = 0; a < D; ++a) {
      c[a] = Doubles::load(from.x[a] + k) - Doubles::all(box.centre[a]);
      q = q + c[a] * c[a];
    }
    if constexpr (M == Metric::additive) d = Doubles::load(from.scratch + k);
    uint32_t kept = ~beaten<M, D>(c, q, Doubles::load(from.w + k), d, rival, box, radius, slack) & 0xff;
    if (from.count - k < 8) kept &= (1u << (from.count - k)) - 1;
    for (; kept; kept &= kept - 1) {
      const int64_t i = k + __builtin_ctz(kept);
      double at[D];
      for (int a = 0; a < D; ++a) at[a] = from.x[a][i];
      to.push(at, from.w[i], from.index[i]);
    }
  }
  to.pad();
}

// Culls a short list in place by every one of its members.
template <Metric M, int D>
void prune(Candidates<D>& list, const Box<D>& box, const Slack& slack) {
  constexpr int most = 4;  // vectors
  const int64_t blocks = (list.count + 7) / 8;
  if (blocks > most || list.count < 3) return;  // of two, the leader has been the rival of the other
  Doubles c[most][D], q[most], w[most], d[most];
  alignas(64) double squares[most * 8], lengths[most * 8];
  for (int64_t b = 0; b < blocks; ++b) {
    q[b] = Doubles::all(0);
    for (int a = 0; a < D; ++a) {
      c[b][a] = Doubles::load(list.x[a] + 8 * b) - Doubles::all(box.centre[a]);
      q[b] = q[b] + c[b][a] * c[b][a];
    }
    w[b] = Doubles::load(list.w + 8 * b);
    d[b] = M == Metric::additive ? sqrt(q[b]) : q[b];
    q[b].store(squares + 8 * b);
    d[b].store(lengths + 8 * b);
  }
  const double radius = box.radius();
  uint32_t alive = list.count == 32 ? ~0u : (1u << list.count) - 1;
  for (int64_t j = 0; j < list.count; ++j) {
    if (!(alive >> j & 1)) continue;  // what it beats, its own rival beats
    Rival<D> rival{{}, squares[j], list.w[j], lengths[j]};
    for (int a = 0; a < D; ++a) rival.c[a] = list.x[a][j] - box.centre[a];
    for (int64_t b = 0; b < blocks; ++b)
      alive &= ~(beaten<M, D>(c[b], q[b], w[b], d[b], rival, box, radius, slack) << (8 * b));
  }
  int64_t count = 0;
  for (; alive; alive &= alive - 1, ++count) {
    const int64_t i = __builtin_ctz(alive);
    for (int a = 0; a < D; ++a) list.x[a][count] = list.x[a][i];
    list.w[count] = list.w[i];
    list.index[count] = list.index[i];
  }
  list.count = count;
  list.pad();
}

// Candidates straight from the seeds. A seed's nearest image to the centre is one; where the box
// reaches over the middle between that and the next image along an axis, so is that one.
template <Metric M, int D>
class Root {
 public:
  Root(const Seeds<D>& seeds, const Box<D>& box, const Slack& slack)
      : seeds_(seeds), box_(box), slack_(slack), radius_(box.radius()) {}

  // Fills `list` as far as its capacity goes; returns the number of candidates there are.
  int64_t find(Candidates<D>& list, int64_t capacity) {
    find_rival();
    list_ = &list;
    capacity_ = capacity;
    found_ = list.count = 0;
    for (int64_t k = 0; k < seeds_.count; k += 8) look(k);
    list.pad();
    return found_;
  }

 private:
  // The offset of the nearest image of 8 seeds.
  PEARLITE_INLINE Doubles offset(int a, int64_t k) const {
    const Doubles c = Doubles::load(seeds_.x[a] + k) - Doubles::all(box_.centre[a]);
    if (!seeds_.periodic) return c;
    const Doubles half = Doubles::all(0.5), one = Doubles::all(1), zero = Doubles::all(0);
    return c - where_below(half, c, one, zero) + where_below(c, zero - half, one, zero);
  }

  void find_rival() {
    Leader leader;
    for (int64_t k = 0; k < seeds_.count; k += 8) {
      Doubles q = Doubles::all(0);
      for (int a = 0; a < D; ++a) {
        const Doubles c = offset(a, k);
        q = q + c * c;
      }
      leader.meet((M == Metric::power ? q : sqrt(q)) - Doubles::load(seeds_.w + k), k);
    }
    const int64_t j = leader.position();
    rival_ = Rival<D>{{}, 0, seeds_.w[j], 0};
    double farthest = 0;
    for (int a = 0; a < D; ++a) {
      rival_.c[a] = nearest_offset(a, j);
      rival_.q += rival_.c[a] * rival_.c[a];
      const double side = __builtin_fabs(rival_.c[a]) + box_.half[a];
      farthest += side * side;
    }
    rival_.d = __builtin_sqrt(rival_.q);
    // What an image of k must reach somewhere in the box to matter, less w_k.
    worst_ = (M == Metric::power ? farthest : __builtin_sqrt(farthest)) - rival_.w + slack_.score + slack_.square;
  }

  double nearest_offset(int a, int64_t k) const {
    const double c = seeds_.x[a][k] - box_.centre[a];
    return !seeds_.periodic ? c : c > 0.5 ? c - 1 : c < -0.5 ? c + 1 : c;
  }

  PEARLITE_INLINE void look(int64_t k) {
    const Doubles zero = Doubles::all(0), w = Doubles::load(seeds_.w + k);
    Doubles c[D], q = zero, least = zero;
    uint32_t seam = 0;
    for (int a = 0; a < D; ++a) {
      c[a] = offset(a, k);
      q = q + c[a] * c[a];
      const Doubles size = abs(c[a]), gap = max(size - Doubles::all(box_.half[a]), zero);
      least = least + gap * gap;
      seam |= bits_below(Doubles::all(0.5 - box_.half[a] - 1e-12), size);
    }
    const Doubles d = M == Metric::additive ? sqrt(q) : q;
    const uint32_t real = seeds_.count - k < 8 ? (1u << (seeds_.count - k)) - 1 : 0xff;
    uint32_t kept = ~beaten<M, D>(c, q, w, d, rival_, box_, radius_, slack_) & real;
    for (; kept; kept &= kept - 1) {
      const int64_t i = k + __builtin_ctz(kept);
      double at[D];
      for (int a = 0; a < D; ++a) at[a] = nearest_offset(a, i);
      push(at, i);
    }
    if (!seeds_.periodic) return;
    // No image comes nearer to the box than `least`.
    const Doubles limit = w + Doubles::all(worst_);
    uint32_t matter = seam & real;
    if constexpr (M == Metric::power) matter &= ~bits_below(limit, least);
    else matter &= ~bits_below(limit, zero) & ~bits_below(limit * limit + Doubles::all(slack_.square), least);
    for (; matter; matter &= matter - 1) other_images(k + __builtin_ctz(matter));
  }

  // The images of a seed beyond the seams, on the other side along one or more axes.
  void other_images(int64_t k) {
    double near[D], far[D];
    uint32_t crossed = 0;
    for (int a = 0; a < D; ++a) {
      near[a] = nearest_offset(a, k);
      far[a] = near[a] > 0 ? near[a] - 1 : near[a] + 1;
      if (__builtin_fabs(near[a]) > 0.5 - box_.half[a] - 1e-12) crossed |= 1u << a;
    }
    for (uint32_t set = crossed; set; set = (set - 1) & crossed) {
      double at[D];
      for (int a = 0; a < D; ++a) at[a] = set >> a & 1 ? far[a] : near[a];
      if (!is_beaten(at, seeds_.w[k])) push(at, k);
    }
  }

  bool is_beaten(const double* at, double w) const {
    Doubles c[D], q = Doubles::all(0);
    for (int a = 0; a < D; ++a) {
      c[a] = Doubles::all(at[a]);
      q = q + c[a] * c[a];
    }
    const Doubles d = M == Metric::additive ? sqrt(q) : q;
    return beaten<M, D>(c, q, Doubles::all(w), d, rival_, box_, radius_, slack_) & 1;
  }

  PEARLITE_INLINE void push(const double* offset, int64_t k) {
    if (found_++ >= capacity_) return;
    double at[D];
    // The image itself, not what rounding made of it on the way from the centre.
    for (int a = 0; a < D; ++a) {
      const double from_site = offset[a] - (seeds_.x[a][k] - box_.centre[a]);
      at[a] = seeds_.x[a][k] + (from_site > 0.5 ? 1 : from_site < -0.5 ? -1 : 0);
    }
    list_->push(at, seeds_.w[k], int32_t(k));
  }

  const Seeds<D>& seeds_;
  const Box<D>& box_;
  const Slack& slack_;
  double radius_, worst_ = 0;
  Rival<D> rival_{};
  Candidates<D>* list_ = nullptr;
  int64_t capacity_ = 0, found_ = 0;
};

}  // namespace PEARLITE_ISA
}  // namespace pearlite
