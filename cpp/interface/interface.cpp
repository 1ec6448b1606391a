// The C interface: checks what came, calls the kernels' drivers, and turns exceptions into a status.
#include "interface/pearlite.h"

#include <cmath>
#include <limits>
#include <new>
#include <string>
#include <thread>
#include <vector>

#include "corrector.hpp"
#include "correlation/two_point.hpp"
#include "laguerre.hpp"
#include "langevin.hpp"

#ifndef PEARLITE_VERSION
#error "PEARLITE_VERSION is set by the build"
#endif

struct pearlite_grid {
  int dim = 2;
  int64_t shape[3] = {1, 1, 1};
  double spacing[3] = {1, 1, 1};
  double rtol = 1e-6;
  int threads = 1;
  int (*asked)(void*) = nullptr;
  void* context = nullptr;

  int64_t size() const { return shape[0] * shape[1] * shape[2]; }
};

namespace {

constexpr int64_t largest_cell = std::numeric_limits<int32_t>::max() / 4;

thread_local std::string last_error;
thread_local const pearlite_grid* running = nullptr;  // for drivers whose poll takes no context

pearlite_status fail(pearlite_status status, const std::string& what) {
  last_error = what;
  return status;
}

pearlite_status invalid(const std::string& what) { return fail(PEARLITE_INVALID, what); }

std::string text(double value) {
  char digits[32];
  std::snprintf(digits, sizeof digits, "%g", value);
  return digits;
}

bool poll(void*) { return running && running->asked && running->asked(running->context) != 0; }


std::string place_in(const pearlite_grid& grid, int64_t flat) {
  int64_t index[3];
  for (int k = 2; k >= 0; --k) index[k] = flat % grid.shape[k], flat /= grid.shape[k];
  std::string out = "(" + std::to_string(index[0]) + ", " + std::to_string(index[1]);
  return grid.dim == 3 ? out + ", " + std::to_string(index[2]) + ")" : out + ")";
}

// Runs a call with its polling; what it throws becomes a status.
template <class Call>
pearlite_status guarded(const pearlite_grid* grid, const Call& call) {
  running = grid;
  pearlite_status status = PEARLITE_OK;
  try {
    status = call();
  } catch (const std::bad_alloc&) {
    status = fail(PEARLITE_NO_MEMORY, "not enough memory");
  } catch (const std::exception& error) {
    status = invalid(error.what());
  }
  running = nullptr;
  return status;
}

pearlite_status check_batch(const pearlite_grid* grid, const void* pixels, int64_t batch, const void* out) {
  if (!grid) return invalid("grid is NULL");
  if (batch < 0 || batch > (int64_t{1} << 46) / grid->size())
    return invalid("batch is " + std::to_string(batch) + "; expected 0 to 2^46 pixels in all");
  if (batch > 0 && (!pixels || !out)) return invalid("an array is NULL");
  return PEARLITE_OK;
}

pearlite_status check_type(pearlite_type type, bool phases) {
  if (type < PEARLITE_FLOAT32 || type > PEARLITE_INT32)
    return invalid("type is " + std::to_string(int(type)) + "; expected a pearlite_type");
  const bool labels = type >= PEARLITE_UINT8;
  if (labels == phases) return PEARLITE_OK;
  return invalid(labels ? "phases is missing: labels need it" : "phases is for labels, and pixels are numbers");
}

pearlite_status tell(const pearlite_grid& grid, const pearlite::Finding& found) {
  const char* what = "none";
  switch (found.defect) {
    case pearlite::Defect::none: break;
    case pearlite::Defect::not_finite: what = "not a number"; break;
    case pearlite::Defect::not_positive: what = "negative"; break;
    case pearlite::Defect::not_symmetric: what = "not symmetric"; break;
    case pearlite::Defect::not_definite: what = "not positive definite"; break;
    case pearlite::Defect::no_phase: what = "a label without a phase"; break;
  }
  if (found.in_phases) return invalid("phases[" + std::to_string(found.pixel) + "] is " + what);
  return invalid("pixels: cell " + std::to_string(found.cell) + ", pixel " + place_in(grid, found.pixel) + " is " +
                 what);
}

pearlite_status homogenize(const pearlite_grid& grid, pearlite::Microstructures cells, double* effective,
                           uint8_t* converged) {
  const std::size_t batch = std::size_t(cells.batch);
  std::vector<int32_t> iterations(batch);
  std::vector<double> residual(batch);
  std::vector<uint8_t> reached(batch);
  pearlite::SolveOptions options;
  options.rtol = grid.rtol;
  options.threads = grid.threads;
  options.interrupted = &poll;
  pearlite::Solution solution;
  solution.effective = effective;
  solution.iterations = iterations.data();
  solution.residual = residual.data();
  solution.converged = reached.data();
  switch (pearlite::solve_correctors(cells, options, solution)) {
    case pearlite::Outcome::interrupted: return fail(PEARLITE_INTERRUPTED, "interrupted");
    case pearlite::Outcome::defective: return tell(grid, pearlite::inspect(cells, grid.threads));
    case pearlite::Outcome::finished: break;
  }
  std::size_t failed = 0, first = batch;
  for (std::size_t k = batch; k-- > 0;)
    if (!reached[k]) ++failed, first = k;
  if (converged) std::copy(reached.begin(), reached.end(), converged);
  if (failed == 0) return PEARLITE_OK;
  return fail(PEARLITE_NOT_CONVERGED, std::to_string(failed) + " cells did not reach rtol " + text(grid.rtol) +
                                          "; the first is " + std::to_string(first));
}

pearlite_status correlate(const pearlite_grid& grid, const void* pixels, pearlite_type type, int64_t batch,
                          const int64_t* phases, int count, double* out) {
  const int fields = count ? count : 1;
  std::vector<const void*> field(std::size_t(fields), pixels);
  std::vector<int> left, right;
  for (int a = 0; a < fields; ++a)
    for (int b = 0; b < fields; ++b) left.push_back(a), right.push_back(b);
  pearlite::TwoPointProblem problem;
  problem.batch = batch;
  const int64_t shape[3] = {grid.shape[0], grid.dim == 3 ? grid.shape[1] : 1, grid.shape[grid.dim - 1]};
  for (int k = 0; k < 3; ++k) problem.field_shape[k] = problem.shape[k] = shape[k];
  problem.type = pearlite::FieldType(int(type));
  problem.fields = fields;
  problem.field = field.data();
  problem.phase = phases;
  problem.pairs = fields * fields;
  problem.left = left.data();
  problem.right = right.data();
  problem.scale = 1.0 / double(grid.size());
  problem.threads = grid.threads;
  problem.interrupted = &poll;
  return pearlite::two_point(problem, out) ? PEARLITE_OK : fail(PEARLITE_INTERRUPTED, "interrupted");
}

}  // namespace

extern "C" {

int32_t pearlite_abi(void) { return PEARLITE_ABI; }
const char* pearlite_version(void) { return PEARLITE_VERSION; }
const char* pearlite_instruction_set(void) { return pearlite::instruction_set(); }
const char* pearlite_last_error(void) { return last_error.c_str(); }

pearlite_grid* pearlite_grid_new(int32_t dim, const int64_t* shape) {
  if (dim != 2 && dim != 3) return invalid("dim is " + std::to_string(dim) + "; expected 2 or 3"), nullptr;
  if (!shape) return invalid("shape is NULL"), nullptr;
  double pixels = 1;
  for (int k = 0; k < dim; ++k) {
    if (shape[k] < 2) return invalid("shape has " + std::to_string(shape[k]) + "; expected sizes >= 2"), nullptr;
    pixels *= double(shape[k]);
  }
  if (pixels > double(largest_cell)) return invalid("shape: expected at most 2^29 pixels"), nullptr;
  auto* grid = new (std::nothrow) pearlite_grid;
  if (!grid) return fail(PEARLITE_NO_MEMORY, "not enough memory"), nullptr;
  grid->dim = dim;
  for (int k = 0; k < dim; ++k) grid->shape[k] = shape[k];
  const unsigned cores = std::thread::hardware_concurrency();
  grid->threads = cores > 0 ? int(cores) : 1;
  return grid;
}

void pearlite_grid_free(pearlite_grid* grid) { delete grid; }

pearlite_status pearlite_grid_set_spacing(pearlite_grid* grid, const double* spacing) {
  if (!grid || !spacing) return invalid("grid or spacing is NULL");
  for (int k = 0; k < grid->dim; ++k)
    if (!std::isnormal(spacing[k]) || spacing[k] < 0)
      return invalid("spacing has " + text(spacing[k]) + "; expected finite sizes > 0");
  for (int k = 0; k < grid->dim; ++k) grid->spacing[k] = spacing[k];
  return PEARLITE_OK;
}

pearlite_status pearlite_grid_set_rtol(pearlite_grid* grid, double rtol) {
  if (!grid) return invalid("grid is NULL");
  if (!(rtol >= 1e-10 && rtol <= 0.1)) return invalid("rtol is " + text(rtol) + "; expected a number from 1e-10 to 0.1");
  grid->rtol = rtol;
  return PEARLITE_OK;
}

pearlite_status pearlite_grid_set_threads(pearlite_grid* grid, int32_t threads) {
  if (!grid) return invalid("grid is NULL");
  if (threads < 1 || threads > 4096) return invalid("threads is " + std::to_string(threads) + "; expected 1 to 4096");
  grid->threads = threads;
  return PEARLITE_OK;
}

void pearlite_grid_set_interrupt(pearlite_grid* grid, int (*asked)(void*), void* context) {
  if (!grid) return;
  grid->asked = asked;
  grid->context = context;
}

pearlite_status pearlite_homogenize(const pearlite_grid* grid, const void* pixels, pearlite_type type, int64_t batch,
                                    const double* phases, int64_t phase_count, double* effective, uint8_t* converged) {
  if (const auto status = check_batch(grid, pixels, batch, effective)) return status;
  if (const auto status = check_type(type, phases && phase_count > 0)) return status;
  if (batch == 0) return PEARLITE_OK;
  pearlite::Microstructures cells;
  cells.pixels = pixels;
  cells.dtype = pearlite::Dtype(int(type));
  cells.phases = phases;
  cells.phase_count = phase_count;
  cells.dim = grid->dim;
  cells.batch = batch;
  cells.n0 = grid->shape[0];
  cells.n1 = grid->shape[1];
  cells.n2 = grid->shape[2];
  for (int k = 0; k < 3; ++k) cells.spacing[k] = grid->spacing[k];
  return guarded(grid, [&] { return homogenize(*grid, cells, effective, converged); });
}

pearlite_status pearlite_assign(const pearlite_grid* grid, const double* sites, const double* weights, int64_t batch,
                                int64_t count, pearlite_metric metric, int32_t periodic, int32_t* out) {
  if (const auto status = check_batch(grid, sites, batch, out)) return status;
  if (count < 1 || count > std::numeric_limits<int32_t>::max())
    return invalid("count is " + std::to_string(count) + "; expected an integer >= 1");
  if (metric != PEARLITE_POWER && metric != PEARLITE_ADDITIVE)
    return invalid("metric is " + std::to_string(int(metric)) + "; expected a pearlite_metric");
  for (int64_t k = 0; k < batch * count * grid->dim; ++k)
    if (!std::isfinite(sites[k]) || (periodic && !(sites[k] >= 0 && sites[k] < 1)))
      return invalid("sites has " + text(sites[k]) + (periodic ? "; expected [0, 1)" : "; expected finite numbers"));
  for (int64_t k = 0; weights && k < batch * count; ++k)
    if (!std::isfinite(weights[k])) return invalid("weights has " + text(weights[k]) + "; expected finite numbers");
  return guarded(grid, [&] {
    std::vector<double> zeros;
    if (!weights) zeros.resize(std::size_t(batch * count));
    pearlite::Tessellations cells;
    cells.sites = sites;
    cells.weights = weights ? weights : zeros.data();
    cells.batch = batch;
    cells.count = count;
    cells.dimension = grid->dim;
    for (int k = 0; k < 3; ++k) cells.shape[k] = grid->shape[k];
    cells.metric = metric == PEARLITE_ADDITIVE ? pearlite::Metric::additive : pearlite::Metric::power;
    cells.periodic = periodic != 0;
    pearlite::CallOptions options;
    options.threads = grid->threads;
    options.interrupted = &poll;
    const bool done = pearlite::assign(cells, options, pearlite::LabelType::int32, out);
    return done ? PEARLITE_OK : fail(PEARLITE_INTERRUPTED, "interrupted");
  });
}

pearlite_status pearlite_two_point(const pearlite_grid* grid, const void* pixels, pearlite_type type, int64_t batch,
                                   const int64_t* phases, int64_t phase_count, double* out) {
  if (const auto status = check_batch(grid, pixels, batch, out)) return status;
  if (const auto status = check_type(type, phases && phase_count > 0)) return status;
  if (phase_count > pearlite::most_fields)
    return invalid("phase_count is " + std::to_string(phase_count) + "; expected at most 256");
  if (type == PEARLITE_FLOAT32) return invalid("type is PEARLITE_FLOAT32; expected PEARLITE_FLOAT64 or labels");
  if (batch == 0) return PEARLITE_OK;
  return guarded(grid, [&] { return correlate(*grid, pixels, type, batch, phases, int(phase_count), out); });
}

pearlite_status pearlite_normals(uint64_t seed, uint32_t step, uint64_t first_sample, int64_t samples, int64_t count,
                                 double* out) {
  if (samples < 0 || count < 0) return invalid("samples or count is negative");
  if (samples * count > 0 && !out) return invalid("out is NULL");
  return guarded(nullptr, [&] {
    std::vector<uint64_t> number(std::size_t(samples), first_sample);
    for (std::size_t k = 0; k < number.size(); ++k) number[k] += k;
    pearlite::Normals normals;
    normals.seed = seed;
    normals.step = step;
    normals.sample = number.data();
    normals.samples = samples;
    normals.count = count;
    normals.float64 = true;
    pearlite::fill_normals(normals, {}, out);
    return PEARLITE_OK;
  });
}

}  // extern "C"
