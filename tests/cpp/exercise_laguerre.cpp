// Calls the kernels of tessellations without Python, for the sanitizers: many sizes, counts of seeds,
// types and threads, against the definition. Buffers are as long as they have to be and no longer, so
// that an access beyond their ends is seen.
#include <cmath>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include "corrector.hpp"
#include "laguerre.hpp"
#include "laguerre/exact.hpp"

namespace {

using namespace pearlite;

int failures = 0;

// Numbers from 0 to 1 that are the same everywhere.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed * 2654435761u + 1) {}
  double operator()() {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return double(state_ >> 11) * 0x1p-53;
  }

 private:
  uint64_t state_;
};

struct Case {
  Tessellations cells;
  std::vector<double> sites, weights;
  int threads = 1;

  Case(int64_t batch, int64_t count, std::vector<int64_t> shape, Metric metric, bool periodic, double spread)
      : sites(batch * count * shape.size()), weights(batch * count) {
    Random random(count + shape[0]);
    for (double& x : sites) x = random();
    for (double& w : weights) w = spread * (random() - 0.5);
    cells.sites = sites.data();
    cells.weights = weights.data();
    cells.batch = batch;
    cells.count = count;
    cells.dimension = int(shape.size());
    for (std::size_t a = 0; a < shape.size(); ++a) cells.shape[a] = shape[a];
    cells.metric = metric;
    cells.periodic = periodic;
  }

  int64_t pixels() const {
    int64_t product = 1;
    for (int a = 0; a < cells.dimension; ++a) product *= cells.shape[a];
    return product;
  }

  void fail(const char* what) const {
    std::fprintf(stderr, "failed: %s: %ld cells, %ld seeds, %ld x %ld x %ld, additive %d, periodic %d, %d threads\n",
                 what, long(cells.batch), long(cells.count), long(cells.shape[0]), long(cells.shape[1]),
                 long(cells.shape[2]), cells.metric == Metric::additive, cells.periodic, threads);
    ++failures;
  }
};

// The label of pixel `index` of cell b, by the definition.
int32_t expected(const Case& c, int64_t b, int64_t index) {
  const Tessellations& t = c.cells;
  int64_t pixel[3] = {};
  for (int a = t.dimension - 1; a >= 0; --a) {
    pixel[a] = index % t.shape[a];
    index /= t.shape[a];
  }
  const ExactCell cell{t.sites + b * t.count * t.dimension, t.weights + b * t.count, t.shape, t.dimension, t.metric,
                       t.periodic};
  return exact_label(cell, pixel, nullptr, t.count);
}

template <class Label>
void label(const Case& c, LabelType type) {
  std::vector<Label> labels(std::size_t(c.cells.batch * c.pixels()));
  CallOptions options;
  options.threads = c.threads;
  if (!assign(c.cells, options, type, labels.data())) return c.fail("ended early");
  for (int64_t b = 0; b < c.cells.batch; ++b)
    for (int64_t i = 0; i < c.pixels(); ++i)
      if (int64_t(labels[b * c.pixels() + i]) != expected(c, b, i)) return c.fail("a label is wrong");
}

void label_all(const Case& c) {
  if (c.cells.count <= 256) label<uint8_t>(c, LabelType::uint8);
  label<uint16_t>(c, LabelType::uint16);
  label<int32_t>(c, LabelType::int32);
}

template <class F>
void for_each_kind(const F& use) {
  for (const Metric metric : {Metric::power, Metric::additive})
    for (const bool periodic : {true, false}) use(metric, periodic);
}

void sizes() {
  for_each_kind([](Metric metric, bool periodic) {
    for (const int64_t count : {1, 2, 9, 60})
      for (int64_t n = 2; n <= 34; n += n < 4 ? 1 : 5) {
        label_all(Case(2, count, {n, 36 - n}, metric, periodic, 0.1));
        if (n < 20) label_all(Case(1, count, {n, 21 - n, 18}, metric, periodic, 0.1));
      }
  });
}

// Lists that are long, tied, or hopeless for float32.
void extremes() {
  for_each_kind([](Metric metric, bool periodic) {
    label_all(Case(1, 3000, {9, 10}, metric, periodic, 0));
    label_all(Case(1, 2000, {4, 5, 6}, metric, periodic, 0));
    for (const double spread : {1e3, 1e30, 1e140}) label_all(Case(1, 40, {20, 33}, metric, periodic, spread));
    Case twins(1, 64, {33, 40}, metric, periodic, 0);
    for (int k = 0; k < 128; ++k) twins.sites[k] = double(k / 4 % 4) / 4;
    label_all(twins);
    Case alike(1, 40, {20, 33}, metric, periodic, 0.1);
    for (double& w : alike.weights) w += 1e100;
    label_all(alike);
    if (periodic) return;
    Case far(1, 40, {20, 33}, metric, periodic, 0);
    for (double& x : far.sites) x = 1e150 * (x - 0.5);
    label_all(far);
  });
}

void threads() {
  for_each_kind([](Metric metric, bool periodic) {
    Case one(1, 50, {300, 290}, metric, periodic, 0.01), many(30, 12, {40, 50}, metric, periodic, 0.05);
    one.threads = many.threads = 4;
    label<uint8_t>(one, LabelType::uint8);
    label<uint8_t>(many, LabelType::uint8);
  });
  std::vector<std::thread> team;
  const Case c(8, 12, {64, 66}, Metric::power, true, 0.05);
  for (int k = 0; k < 4; ++k) team.emplace_back([&] { label<uint8_t>(c, LabelType::uint8); });
  for (std::thread& thread : team) thread.join();
}

void interruption() {
  Case c(1, 200, {3000, 3000}, Metric::additive, true, 0);
  std::vector<uint8_t> labels(std::size_t(c.pixels()));
  CallOptions options;
  options.threads = 2;
  options.interrupted = [](void*) { return true; };
  const bool finished = assign(c.cells, options, LabelType::uint8, labels.data());
  if (finished) std::printf("too fast to be interrupted\n");
}

}  // namespace

int main(int count, char** arguments) {
  const std::string only = count > 1 ? arguments[1] : "";
  std::printf("%s\n", instruction_set());
  if (only != "threads") sizes();
  if (only != "threads") extremes();
  threads();
  interruption();
  if (failures) std::fprintf(stderr, "%d failures\n", failures);
  return failures ? 1 : 0;
}
