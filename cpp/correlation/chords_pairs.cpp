// Pairs of pixels: of any two phases at given vectors, and of one cluster at all vectors.
#include <algorithm>
#include <thread>

#include "correlation/chords.hpp"
#include "parallel.hpp"

namespace pearlite {

namespace {

// Calls stop on the calling thread only, where signals arrive.
class Stop {
 public:
  explicit Stop(const CountOptions& options) : interrupted_(options.interrupted) {}
  bool operator()() const {
    return interrupted_ && std::this_thread::get_id() == caller_ && interrupted_(nullptr);
  }

 private:
  bool (*interrupted_)(void*);
  std::thread::id caller_ = std::this_thread::get_id();
};

// Adds the pairs of two rows. table: (4, side, side), four copies, for a counter that has just been
// written is not ready to be read.
void count_rows(const uint8_t* a, const uint8_t* b, int64_t n, int side, int64_t* table) {
  const int last = side - 1, square = side * side;
  const auto entry = [&](int64_t j) { return std::min<int>(a[j], last) * side + std::min<int>(b[j], last); };
  int64_t j = 0;
  for (; j + 4 <= n; j += 4) {
    ++table[entry(j)];
    ++table[square + entry(j + 1)];
    ++table[2 * square + entry(j + 2)];
    ++table[3 * square + entry(j + 3)];
  }
  for (; j < n; ++j) ++table[entry(j)];
}

// All pairs of one image at one vector. table: (4, side, side)
void count_image(const uint8_t* image, const std::array<int64_t, 3>& shape, Vector r, bool periodic, int side,
                 int64_t* table) {
  const auto [n0, n1, n2] = shape;
  if (periodic)
    for (int axis = 0; axis < 3; ++axis) r[axis] = (r[axis] % shape[axis] + shape[axis]) % shape[axis];
  for (int64_t i = 0; i < n0; ++i)
    for (int64_t j = 0; j < n1; ++j) {
      int64_t k = i + r[0], l = j + r[1];
      if (periodic) k -= k >= n0 ? n0 : 0, l -= l >= n1 ? n1 : 0;
      else if (k < 0 || k >= n0 || l < 0 || l >= n1) continue;
      const uint8_t *a = image + (i * n1 + j) * n2, *b = image + (k * n1 + l) * n2;
      if (r[2] >= 0) count_rows(a, b + r[2], n2 - r[2], side, table);
      else count_rows(a - r[2], b, n2 + r[2], side, table);
      if (periodic) count_rows(a + n2 - r[2], b, r[2], side, table);
    }
}

// Pixels of each cluster in flat order: cluster c has those from first[c] up to first[c + 1].
struct Clusters {
  std::vector<int64_t> first, pixels;

  Clusters(const int32_t* clusters, int64_t size, int32_t most)
      : first(static_cast<std::size_t>(most) + 2), pixels(static_cast<std::size_t>(size)) {
    for (int64_t x = 0; x < size; ++x) ++first[clusters[x] + 1];
    for (std::size_t c = 1; c < first.size(); ++c) first[c] += first[c - 1];
    std::vector<int64_t> next(first.begin(), first.end() - 1);
    for (int64_t x = 0; x < size; ++x) pixels[next[clusters[x]]++] = x;
  }
};

class ClusterPairs {
 public:
  ClusterPairs(const std::array<int64_t, 3>& shape, bool periodic) : shape_(shape), periodic_(periodic) {
    for (int axis = 0; axis < 3; ++axis) map_[axis] = periodic ? shape[axis] : 2 * shape[axis] - 1;
  }

  int64_t map_size() const { return map_[0] * map_[1] * map_[2]; }

  // pixels: (m), all of one cluster
  void add(const int64_t* pixels, int64_t m, int64_t* map) const {
    std::vector<Vector> at(static_cast<std::size_t>(m));
    for (int64_t p = 0; p < m; ++p)
      at[p] = {pixels[p] / (shape_[1] * shape_[2]), pixels[p] / shape_[2] % shape_[1], pixels[p] % shape_[2]};
    for (int64_t p = 0; p < m; ++p)
      for (int64_t q = 0; q < m; ++q) ++map[index(at[p], at[q])];
  }

 private:
  int64_t index(const Vector& from, const Vector& to) const {
    int64_t flat = 0;
    for (int axis = 0; axis < 3; ++axis) {
      int64_t by = to[axis] - from[axis];
      if (!periodic_) by += shape_[axis] - 1;
      else if (by < 0) by += shape_[axis];
      flat = flat * map_[axis] + by;
    }
    return flat;
  }

  std::array<int64_t, 3> shape_, map_;
  bool periodic_;
};

}  // namespace

bool count_pairs(const LabelImages& images, const std::vector<Vector>& vectors, const CountOptions& options,
                 int64_t* counts) {
  const int side = images.phases + 1;
  const int64_t each = static_cast<int64_t>(vectors.size()), entries = side * side;
  const auto count = [&](int, int64_t index) {
    std::vector<int64_t> table(static_cast<std::size_t>(4 * entries));
    const uint8_t* image = images.labels + index / each * images.size();
    count_image(image, images.shape, vectors[index % each], options.periodic, side, table.data());
    for (int64_t k = 0; k < 4 * entries; ++k) counts[index * entries + k % entries] += table[k];
  };
  return parallel_for(images.batch * each, options.threads, count, Stop(options));
}

bool count_cluster_pairs(const int32_t* clusters, int64_t batch, const std::array<int64_t, 3>& shape, int32_t most,
                         int64_t largest, const CountOptions& options, int64_t* counts) {
  const ClusterPairs pairs(shape, options.periodic);
  const int64_t size = shape[0] * shape[1] * shape[2];
  const auto count = [&](int, int64_t image) {
    const Clusters found(clusters + image * size, size, most);
    int64_t* map = counts + image * pairs.map_size();
    for (int32_t c = 1; c <= most; ++c) {
      const int64_t m = found.first[c + 1] - found.first[c];
      if (m > 0 && m <= largest) pairs.add(found.pixels.data() + found.first[c], m, map);
    }
  };
  return parallel_for(batch, options.threads, count, Stop(options));
}

}  // namespace pearlite
