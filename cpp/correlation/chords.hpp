// Counts along lines, between pixels and within clusters of labelled images: what statistics of
// microstructures are computed from. All counts are exact integers.
#pragma once
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <vector>

namespace pearlite {

// labels: (batch, n0, n1, n2) with n0 = 1 in 2D. places: (256), the number of each label's phase from 0,
// or `phases` where it is none of them.
struct LabelImages {
  const uint8_t* labels = nullptr;
  const uint8_t* places = nullptr;
  int64_t batch = 0;
  std::array<int64_t, 3> shape{};
  int phases = 0;

  int64_t size() const { return shape[0] * shape[1] * shape[2]; }
};

using Vector = std::array<int64_t, 3>;

struct CountOptions {
  bool periodic = true;
  int threads = 1;
  bool (*interrupted)(void*) = nullptr;  // polled on the calling thread; true stops the count
};

// The chords of one image in one direction, by phase: maximal runs x, x + d, ..., of pixels of one phase.
struct ChordCounts {
  std::vector<std::vector<int64_t>> whole;  // [phase][pixels of the chord]: both ends lie inside
  std::vector<std::vector<int64_t>> cut;    // ... those that the border cuts, unless periodic
  std::vector<int64_t> around;  // [phase]: pixels of closed lines of that phase alone, if periodic
};

// counts[image][direction]. False if it was interrupted.
bool count_chords(const LabelImages& images, const std::vector<Vector>& directions, const CountOptions& options,
                  std::vector<std::vector<ChordCounts>>& counts);

// How often a pixel of phase a has one of another phase b at x + r; `phases` stands for all that are none.
// counts: (batch, vectors, phases + 1, phases + 1), zero before.
bool count_interfaces(const LabelImages& images, const std::vector<Vector>& vectors, const CountOptions& options,
                 int64_t* counts);

// Pairs of pixels of one cluster by the vector between them, over all clusters of up to `largest` pixels.
// clusters: (batch, n0, n1, n2), numbers from 1 to `most`, or 0 for none; counts: (batch, *map), zero before: a
// map has the shape of the image if periodic, else 2n−1 along each axis with the zero vector at n−1.
bool count_cluster_pairs(const int32_t* clusters, int64_t batch, const std::array<int64_t, 3>& shape, int32_t most,
                         int64_t largest, const CountOptions& options, int64_t* counts);

// Calls differs(k) for each k with a[k] != b[k], in order; eight labels at a time, for most are equal.
template <class Differs>
void for_each_difference(const uint8_t* a, const uint8_t* b, int64_t n, const Differs& differs) {
  int64_t k = 0;
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  for (; k + 8 <= n; k += 8) {
    uint64_t first, second;
    std::memcpy(&first, a + k, 8);
    std::memcpy(&second, b + k, 8);
    for (uint64_t bits = first ^ second; bits != 0;) {
      const int byte = __builtin_ctzll(bits) / 8;
      differs(k + byte);
      bits &= ~(uint64_t{255} << (8 * byte));
    }
  }
#endif
  for (; k < n; ++k)
    if (a[k] != b[k]) differs(k);
}

// So many threads are worth starting for work on so many pixels.
inline int worthwhile_threads(int threads, int64_t pixels) {
  return static_cast<int>(std::min<int64_t>(threads, 1 + pixels / (1 << 18)));
}

}  // namespace pearlite
