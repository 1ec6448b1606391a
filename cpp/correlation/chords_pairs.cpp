// Pairs of pixels: of two phases at given vectors, and of one cluster at all vectors.
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

// Counts the pixels of one image with another phase at one vector from them.
class Interfaces {
 public:
  Interfaces(const LabelImages& images, bool periodic, int64_t* counts)
      : images_(images), periodic_(periodic), counts_(counts) {}

  void count(const uint8_t* image, Vector r) const {
    const auto [n0, n1, n2] = images_.shape;
    if (periodic_)
      for (int axis = 0; axis < 3; ++axis) r[axis] = wrapped(r[axis], images_.shape[axis]);
    for (int64_t i = 0; i < n0; ++i)
      for (int64_t j = 0; j < n1; ++j) {
        int64_t k = i + r[0], l = j + r[1];
        if (periodic_) k -= k >= n0 ? n0 : 0, l -= l >= n1 ? n1 : 0;
        else if (k < 0 || k >= n0 || l < 0 || l >= n1) continue;
        const uint8_t *a = image + (i * n1 + j) * n2, *b = image + (k * n1 + l) * n2;
        if (r[2] >= 0) count_rows(a, b + r[2], n2 - r[2]);
        else count_rows(a - r[2], b, n2 + r[2]);
        if (periodic_) count_rows(a + n2 - r[2], b, r[2]);
      }
  }

 private:
  static int64_t wrapped(int64_t r, int64_t n) { return (r % n + n) % n; }

  void count_rows(const uint8_t* a, const uint8_t* b, int64_t n) const {
    const int side = images_.phases + 1;
    const uint8_t* places = images_.places;
    for_each_difference(a, b, n, [&](int64_t k) { ++counts_[places[a[k]] * side + places[b[k]]]; });
  }

  const LabelImages& images_;
  bool periodic_;
  int64_t* counts_;  // (phases + 1, phases + 1)
};

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

bool count_interfaces(const LabelImages& images, const std::vector<Vector>& vectors, const CountOptions& options,
                      int64_t* counts) {
  const int64_t each = static_cast<int64_t>(vectors.size()), entries = (images.phases + 1) * (images.phases + 1);
  const auto count = [&](int, int64_t index) {
    const Interfaces interfaces(images, options.periodic, counts + index * entries);
    interfaces.count(images.labels + index / each * images.size(), vectors[index % each]);
  };
  const int threads = worthwhile_threads(options.threads, images.batch * each * images.size());
  return parallel_for(images.batch * each, threads, count, Stop(options));
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
