// Calls the corrector kernels without Python, for the sanitizers: every size from 2 × 2 on, all
// types, strips, threads and options, on laminates, whose effective tensor is known. Buffers are as
// long as they have to be and no longer, so that an access beyond their ends is seen.
#include <atomic>
#include <cmath>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "corrector.hpp"

namespace {

using namespace pearlite;

std::atomic<int> failures{0};

void fail(const std::string& what) {
  std::fprintf(stderr, "failed: %s\n", what.c_str());
  ++failures;
}

struct Case {
  int64_t batch = 1, n0 = 2, n1 = 2;
  double contrast = 10, spacing[2] = {1, 1};
  double rtol = 1e-6;
  int threads = 1, axis = 0;  // axis: the one across the layers
  bool tensor = false, correctors = false, correctors_float64 = false, phases_per_cell = false;

  std::string name() const {
    char text[200];
    std::snprintf(text, sizeof text, "%ld cells of %ld x %ld, axis %d, contrast %g, spacing %g %g, rtol %g, tensor %d, %d threads",
                  long(batch), long(n0), long(n1), axis, contrast, spacing[0], spacing[1], rtol, tensor, threads);
    return text;
  }
};

// The layer of a pixel: every third one is 1.
int layer(const Case& c, int64_t i, int64_t j) { return (c.axis == 0 ? i : j) % 3 == 1; }

// Cells differ by a factor, so that one that gets another's result is noticed.
double factor(int64_t cell) { return 1 + double(cell % 7); }

double value(const Case& c, int64_t cell, int which) { return factor(cell) * (which ? c.contrast : 1); }

// (2, 2) entries of a tensor pixel: the conductivity times [[1, 0], [0, 2]].
double entry(bool tensor, int k) { return !tensor || k == 0 ? 1 : k == 3 ? 2 : 0; }

template <class T>
std::vector<T> field(const Case& c) {
  std::vector<T> pixels;
  const int width = c.tensor ? 4 : 1;
  pixels.reserve(std::size_t(c.batch * c.n0 * c.n1 * width));
  for (int64_t b = 0; b < c.batch; ++b)
    for (int64_t i = 0; i < c.n0; ++i)
      for (int64_t j = 0; j < c.n1; ++j)
        for (int k = 0; k < width; ++k) pixels.push_back(T(entry(c.tensor, k) * value(c, b, layer(c, i, j))));
  return pixels;
}

template <class T>
std::vector<T> labels(const Case& c) {
  std::vector<T> pixels;
  for (int64_t b = 0; b < c.batch; ++b)
    for (int64_t i = 0; i < c.n0; ++i)
      for (int64_t j = 0; j < c.n1; ++j) pixels.push_back(T(layer(c, i, j)));
  return pixels;
}

std::vector<double> phases(const Case& c) {
  std::vector<double> table;
  for (int64_t b = 0; b < (c.phases_per_cell ? c.batch : 1); ++b)
    for (int which = 0; which < 2; ++which)
      for (int k = 0; k < (c.tensor ? 4 : 1); ++k) table.push_back(entry(c.tensor, k) * value(c, b, which));
  return table;
}

// Harmonic mean across the layers, arithmetic along them.
void expected(const Case& c, int64_t cell, double* a) {
  const int64_t n = c.axis == 0 ? c.n0 : c.n1;
  double sum = 0, inverse = 0;
  for (int64_t i = 0; i < n; ++i) {
    const double v = value(c, cell, layer(c, i, i));
    sum += v / double(n);
    inverse += 1 / v / double(n);
  }
  a[0] = entry(c.tensor, 0) * (c.axis == 0 ? 1 / inverse : sum);
  a[3] = entry(c.tensor, 3) * (c.axis == 0 ? sum : 1 / inverse);
  a[1] = a[2] = 0;
}

struct Results {
  std::vector<double> effective, residual, wide;
  std::vector<float> narrow;
  std::vector<int32_t> iterations;
  std::vector<uint8_t> converged;
  Solution out;

  explicit Results(const Case& c)
      : effective(4 * c.batch), residual(c.batch), iterations(c.batch), converged(c.batch) {
    out.effective = effective.data();
    out.residual = residual.data();
    out.iterations = iterations.data();
    out.converged = converged.data();
    out.correctors_float64 = c.correctors_float64;
    const int64_t size = c.batch * 2 * c.n0 * c.n1;
    if (!c.correctors) return;
    if (c.correctors_float64) wide.resize(size);
    else narrow.resize(size);
    out.correctors = c.correctors_float64 ? static_cast<void*>(wide.data()) : narrow.data();
  }
};

Microstructures cells_of(const Case& c, const void* pixels, Dtype dtype, const std::vector<double>* table) {
  Microstructures cells;
  cells.pixels = pixels;
  cells.dtype = dtype;
  cells.tensor = c.tensor;
  cells.batch = c.batch;
  cells.n0 = c.n0;
  cells.n1 = c.n1;
  for (int k = 0; k < 2; ++k) cells.spacing[k] = c.spacing[k];
  if (!table) return cells;
  cells.phases = table->data();
  cells.phase_count = 2;
  cells.phases_per_cell = c.phases_per_cell;
  return cells;
}

void check_laminate(const Case& c, const Results& got, bool one_table) {
  for (int64_t b = 0; b < c.batch; ++b) {
    double a[4], error = 0, norm = 0;
    expected(c, one_table ? 0 : b, a);
    for (int k = 0; k < 4; ++k) {
      error += (got.effective[4 * b + k] - a[k]) * (got.effective[4 * b + k] - a[k]);
      norm += a[k] * a[k];
    }
    if (!got.converged[b] || !(std::sqrt(error / norm) <= 1.01 * c.rtol + 2e-7))
      return fail(c.name() + ", cell " + std::to_string(b) + ": error " + std::to_string(std::sqrt(error / norm)));
  }
}

void solve(const Case& c, const void* pixels, Dtype dtype, const std::vector<double>* table) {
  const Microstructures cells = cells_of(c, pixels, dtype, table);
  SolveOptions options;
  options.rtol = c.rtol;
  options.threads = c.threads;
  Results results(c);
  if (inspect(cells, c.threads).defect != Defect::none) fail(c.name() + ": inspect finds a defect");
  if (solve_correctors(cells, options, results.out) != Outcome::finished) fail(c.name() + ": not finished");
  check_laminate(c, results, table && !c.phases_per_cell);
}

template <class T>
void solve_field(const Case& c, Dtype dtype) {
  const std::vector<T> pixels = field<T>(c);
  solve(c, pixels.data(), dtype, nullptr);
}

template <class T>
void solve_labels(const Case& c, Dtype dtype) {
  const std::vector<T> pixels = labels<T>(c);
  const std::vector<double> table = phases(c);
  solve(c, pixels.data(), dtype, &table);
}

void solve_every_type(const Case& c) {
  solve_field<float>(c, Dtype::float32);
  solve_field<double>(c, Dtype::float64);
  solve_labels<uint8_t>(c, Dtype::uint8);
  solve_labels<uint16_t>(c, Dtype::uint16);
  solve_labels<int32_t>(c, Dtype::int32);
}

// Options go round with the sizes, so that they meet in all ways.
Case numbered(int number, int64_t n0, int64_t n1) {
  Case c;
  c.n0 = n0;
  c.n1 = n1;
  c.batch = number % 3 == 0 ? 9 : 1 + number % 3;
  c.axis = number % 2;
  c.tensor = number / 2 % 2;
  c.correctors = number / 3 % 2;
  c.correctors_float64 = number / 5 % 2;
  c.phases_per_cell = number / 7 % 2;
  c.spacing[0] = number / 11 % 2 ? 1.5 : 1;
  c.rtol = number / 4 % 2 ? 1e-9 : 1e-6;
  c.contrast = number % 5 == 4 ? 1e4 : 10;
  c.threads = 1 + number % 4;
  return c;
}

void sizes() {
  int number = 0;
  for (int64_t n0 = 2; n0 <= 17; ++n0)
    for (int64_t n1 = 2; n1 <= 17; ++n1) solve_every_type(numbered(number++, n0, n1));
  // Two, four and eight strips; one load a thread; long and narrow ones; odd grids below even ones.
  const int64_t large[][2] = {{32, 31}, {64, 64},  {128, 64}, {64, 130}, {128, 128}, {144, 114},
                              {2, 300}, {300, 2}, {96, 97},  {160, 3},  {3, 160},   {256, 70}};
  for (const auto& n : large)
    for (int k = 0; k < 2; ++k) {
      Case c = numbered(number++, n[0], n[1]);
      c.batch = 1 + k;
      c.threads = 2 + k;
      if (k) solve_field<float>(c, Dtype::float32);
      else solve_labels<uint8_t>(c, Dtype::uint8);
      solve_field<double>(c, Dtype::float64);
    }
}

bool at_once(void* count) { return ++*static_cast<int*>(count) > 0; }

// Stopped by the caller: an outcome, whatever the threads were at.
void interruption() {
  for (int threads = 1; threads <= 4; ++threads) {
    Case c = numbered(0, 64, 64);
    c.batch = 400;
    const std::vector<float> pixels = field<float>(c);
    SolveOptions options;
    options.threads = threads;
    options.rtol = 1e-10;
    int asked = 0;
    options.interrupted = at_once;
    options.context = &asked;
    Results results(c);
    const Outcome outcome = solve_correctors(cells_of(c, pixels.data(), Dtype::float32, nullptr), options, results.out);
    if (asked && outcome != Outcome::interrupted) fail("an interrupted call finished");
  }
}

bool thrower(void*) { throw std::runtime_error("thrown"); }

// What the caller's function throws reaches the caller, and every thread has ended before. It is
// asked a few times a second, hence batches that grow until it was.
void exceptions() {
  for (int threads = 1; threads <= 4; ++threads) {
    bool thrown = false;
    for (int64_t batch = 200; !thrown && batch <= 12800; batch *= 2) {
      Case c = numbered(0, 64, 64);
      c.batch = batch;
      const std::vector<float> pixels = field<float>(c);
      SolveOptions options;
      options.threads = threads;
      options.rtol = 1e-10;
      options.interrupted = thrower;
      Results results(c);
      try {
        solve_correctors(cells_of(c, pixels.data(), Dtype::float32, nullptr), options, results.out);
      } catch (const std::runtime_error&) {
        thrown = true;
      }
    }
    if (!thrown) fail("an exception is lost");
  }
}

template <class T>
void expect_defect(const Case& c, Dtype dtype, int64_t place, T bad, Defect defect, const std::vector<double>* table) {
  std::vector<T> pixels;
  if constexpr (std::is_integral_v<T>) pixels = labels<T>(c);
  else pixels = field<T>(c);
  pixels[std::size_t(place)] = bad;
  const Microstructures cells = cells_of(c, pixels.data(), dtype, table);
  Results results(c);
  SolveOptions options;
  options.threads = c.threads;
  const Finding found = inspect(cells, c.threads);
  if (found.defect != defect || found.cell * c.n0 * c.n1 + found.pixel != place) fail(c.name() + ": a defect is missed");
  if (solve_correctors(cells, options, results.out) != Outcome::defective) fail(c.name() + ": a defect is solved");
}

// At the first and at the last pixel, where a wrong length would show.
void defects() {
  const double nan = std::nan("");
  for (int threads = 1; threads <= 4; threads += 3) {
    Case c;
    c.batch = 5;
    c.n0 = 7;
    c.n1 = 131;
    c.threads = threads;
    const int64_t last = c.batch * c.n0 * c.n1 - 1;
    const std::vector<double> table = phases(c);
    for (const int64_t place : {int64_t{0}, last}) {
      expect_defect<float>(c, Dtype::float32, place, float(nan), Defect::not_finite, nullptr);
      expect_defect<double>(c, Dtype::float64, place, nan, Defect::not_finite, nullptr);
      expect_defect<double>(c, Dtype::float64, place, -1, Defect::not_positive, nullptr);
      expect_defect<uint8_t>(c, Dtype::uint8, place, 2, Defect::no_phase, &table);
      expect_defect<uint16_t>(c, Dtype::uint16, place, 65535, Defect::no_phase, &table);
      expect_defect<int32_t>(c, Dtype::int32, place, -1, Defect::no_phase, &table);
    }
  }
}

// Eight callers, each with threads of its own.
void callers() {
  std::vector<std::thread> team;
  std::vector<Case> cases;
  for (int k = 0; k < 8; ++k) cases.push_back(numbered(k + 20, 24 + k, 33));
  for (const Case& c : cases)
    team.emplace_back([&c] {
      for (int k = 0; k < 3; ++k) solve_field<double>(c, Dtype::float64);
    });
  for (std::thread& thread : team) thread.join();
}

}  // namespace

int main(int count, char** arguments) {
  const std::string only = count > 1 ? arguments[1] : "";
  std::printf("%s\n", instruction_set());
  if (only != "threads") sizes();
  defects();
  interruption();
  exceptions();
  callers();
  if (failures) std::fprintf(stderr, "%d failures\n", failures.load());
  return failures ? 1 : 0;
}
