// Calls the kernels of voxels without Python, for the sanitizers: sizes that are halved and that are
// not, all types, threads and options, on laminates, whose effective tensor is known. Buffers are as
// long as they have to be and no longer, so that an access beyond their ends is seen.
#include <cmath>
#include <cstdio>
#include <cstring>
#include <vector>

#include "corrector.hpp"
#include "voxels/voxels.hpp"

namespace {

using namespace pearlite;

int failures = 0;

struct Case {
  int64_t batch = 1, n[3] = {2, 2, 2};
  double contrast = 10, spacing[3] = {1, 1, 1}, rtol = 1e-6;
  int threads = 1, axis = 0;  // axis: the one across the layers
  bool correctors = false, correctors_float64 = false;
  int64_t size() const { return n[0] * n[1] * n[2]; }
};

void fail(const Case& c, const char* what, double error) {
  std::fprintf(stderr, "failed: %s, %ld cells of %ld x %ld x %ld, axis %d, contrast %g, %d threads: %g\n", what,
               long(c.batch), long(c.n[0]), long(c.n[1]), long(c.n[2]), c.axis, c.contrast, c.threads, error);
  ++failures;
}

// Every third layer is another one.
bool other(const Case& c, int64_t voxel) {
  const int64_t place[3] = {voxel / (c.n[1] * c.n[2]), voxel / c.n[2] % c.n[1], voxel % c.n[2]};
  return place[c.axis] % 3 == 1;
}

// Cells differ by a factor, so that one that gets another's result is noticed.
double factor(int64_t cell) { return 1 + double(cell % 7); }

template <class T>
std::vector<T> field(const Case& c, bool labels) {
  std::vector<T> voxels;
  voxels.reserve(std::size_t(c.batch * c.size()));
  for (int64_t b = 0; b < c.batch; ++b)
    for (int64_t k = 0; k < c.size(); ++k)
      voxels.push_back(labels ? T(other(c, k)) : T(factor(b) * (other(c, k) ? c.contrast : 1)));
  return voxels;
}

void check(const Case& c, const std::vector<double>& effective, bool one_factor) {
  double sum = 0, inverse = 0;
  const int64_t n = c.n[c.axis];
  for (int64_t i = 0; i < n; ++i) {
    const double v = i % 3 == 1 ? c.contrast : 1;
    sum += v / double(n), inverse += 1 / v / double(n);
  }
  for (int64_t b = 0; b < c.batch; ++b) {
    double error = 0;
    for (int k = 0; k < 9; ++k) {
      const double exact = k % 4 ? 0 : k / 4 == c.axis ? 1 / inverse : sum;
      error = std::fmax(error, std::fabs(effective[std::size_t(9 * b + k)] / (one_factor ? 1 : factor(b)) - exact));
    }
    if (!(error <= (1.01 * c.rtol + 2e-7) * 1.8 * sum)) fail(c, "effective", error);
  }
}

// The same conductivities as multiples of the unit tensor.
template <class T>
std::vector<T> tensors(const std::vector<T>& scalars) {
  std::vector<T> out(9 * scalars.size());
  for (std::size_t k = 0; k < scalars.size(); ++k)
    for (std::size_t d = 0; d < 3; ++d) out[9 * k + 4 * d] = scalars[k];
  return out;
}

void solve(const Case& c, const void* voxels, Dtype dtype, const std::vector<double>* table, bool tensor = false) {
  Microstructures cells;
  cells.tensor = tensor;
  cells.pixels = voxels, cells.dtype = dtype, cells.dim = 3, cells.batch = c.batch;
  cells.n0 = c.n[0], cells.n1 = c.n[1], cells.n2 = c.n[2];
  std::memcpy(cells.spacing, c.spacing, sizeof c.spacing);
  if (table) cells.phases = table->data(), cells.phase_count = 2;
  SolveOptions options;
  options.rtol = c.rtol, options.threads = c.threads;
  std::vector<double> effective(std::size_t(9 * c.batch)), residual(std::size_t(c.batch)), wide;
  std::vector<float> narrow;
  std::vector<int32_t> iterations(static_cast<std::size_t>(c.batch));
  std::vector<uint8_t> converged(static_cast<std::size_t>(c.batch));
  Solution out;
  out.effective = effective.data(), out.residual = residual.data();
  out.iterations = iterations.data(), out.converged = converged.data();
  out.correctors_float64 = c.correctors_float64;
  if (c.correctors && c.correctors_float64) wide.resize(std::size_t(3 * c.batch * c.size())), out.correctors = wide.data();
  if (c.correctors && !c.correctors_float64) narrow.resize(std::size_t(3 * c.batch * c.size())), out.correctors = narrow.data();
  if (solve_correctors(cells, options, out) != Outcome::finished) fail(c, "outcome", 0);
  for (const uint8_t each : converged)
    if (!each) fail(c, "convergence", residual[0]);
  check(c, effective, table != nullptr);
}

void all_types(const Case& c) {
  const std::vector<double> table = {1, c.contrast};
  solve(c, field<float>(c, false).data(), Dtype::float32, nullptr);
  solve(c, field<double>(c, false).data(), Dtype::float64, nullptr);
  solve(c, field<uint8_t>(c, true).data(), Dtype::uint8, &table);
  solve(c, field<int32_t>(c, true).data(), Dtype::int32, &table);
  const std::vector<double> tensor_table = tensors(table);
  solve(c, tensors(field<float>(c, false)).data(), Dtype::float32, nullptr, true);
  solve(c, tensors(field<double>(c, false)).data(), Dtype::float64, nullptr, true);
  solve(c, field<uint8_t>(c, true).data(), Dtype::uint8, &tensor_table, true);
}

// The gradient of the trace in the voxels, for correctors that vanish, is 3 / voxels everywhere; in the
// tensors it is the unit tensor / voxels.
template <class T>
void pull_back(const Case& c, bool tensor) {
  VoxelShape shape;
  shape.tensor = tensor;
  shape.batch = c.batch, shape.threads = c.threads;
  for (int d = 0; d < 3; ++d) shape.n[d] = c.n[d], shape.spacing[d] = c.spacing[d];
  const std::vector<T> correctors(std::size_t(3 * c.batch * c.size()));
  std::vector<T> out(std::size_t(c.batch * c.size()) * (tensor ? 9 : 1));
  std::vector<double> unit(std::size_t(9 * c.batch));
  for (std::size_t k = 0; k < unit.size(); ++k) unit[k] = k % 9 % 4 == 0;
  pull_back_voxels(shape, correctors.data(), unit.data(), out.data());
  for (std::size_t k = 0; k < out.size(); ++k) {
    const double exact = !tensor ? 3 : k % 9 % 4 == 0;
    if (!(std::fabs(double(out[k]) * double(c.size()) - exact) < 1e-5)) return fail(c, "gradient", double(out[k]));
  }
}

void run(Case c, int threads) {
  c.threads = threads;
  for (c.axis = 0; c.axis < 3; ++c.axis) {
    c.correctors = c.axis > 0, c.correctors_float64 = c.axis == 2;
    all_types(c);
  }
  for (const bool tensor : {false, true}) {
    pull_back<float>(c, tensor);
    pull_back<double>(c, tensor);
  }
}

}  // namespace

int main(int count, char**) {
  const bool threads = count > 1;  // only what has several threads at work
  const int64_t sizes[][3] = {{2, 2, 2}, {3, 2, 5},  {4, 4, 4},    {6, 7, 8},    {9, 9, 9},   {16, 16, 16},
                              {5, 8, 17}, {12, 20, 33}, {24, 24, 24}, {32, 18, 21}, {10, 40, 31}};
  for (const auto& n : sizes) {
    Case c;
    std::memcpy(c.n, n, sizeof c.n);
    if (threads && c.size() < 8192) continue;
    run(c, threads ? 3 : 1);
    if (threads) continue;
    c.contrast = 1e4, c.rtol = 1e-9;
    run(c, 1);
    c.contrast = 30, c.rtol = 1e-6, c.spacing[1] = .3, c.spacing[2] = 2;
    run(c, 2);
  }
  Case batch;
  batch.batch = 9, batch.n[0] = 6, batch.n[1] = 5, batch.n[2] = 7;
  run(batch, 3);
  if (failures == 0) std::printf("voxels: as expected\n");
  return failures != 0;
}
