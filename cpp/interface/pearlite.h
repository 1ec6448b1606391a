/* pearlite in C: the effective conductivity, tessellations, correlations and normal numbers of pearlite,
 * for programs without Python.
 *
 * Every function that can fail returns a pearlite_status, and pearlite_last_error() tells in one line
 * which argument was wrong, what came and what was expected. Functions may be called from any thread; one
 * grid must not be changed by one thread while another one uses it. Arrays are contiguous, the last axis
 * counts fastest. What is declared here keeps its meaning as long as PEARLITE_ABI is the same.
 */
#ifndef PEARLITE_H
#define PEARLITE_H

#include <stdint.h>

#define PEARLITE_ABI 1

#if defined(_WIN32)
#define PEARLITE_API
#else
#define PEARLITE_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
  PEARLITE_OK = 0,
  PEARLITE_INVALID = 1,       /* an argument has no meaning */
  PEARLITE_NOT_CONVERGED = 2, /* results are the best estimates; `converged` tells of which cells */
  PEARLITE_INTERRUPTED = 3,   /* the caller's function asked for it; results are incomplete */
  PEARLITE_NO_MEMORY = 4
} pearlite_status;

typedef enum {
  PEARLITE_FLOAT32 = 0,
  PEARLITE_FLOAT64 = 1,
  PEARLITE_UINT8 = 2,
  PEARLITE_UINT16 = 3,
  PEARLITE_INT32 = 4
} pearlite_type;

typedef enum { PEARLITE_POWER = 0, PEARLITE_ADDITIVE = 1 } pearlite_metric;

/* PEARLITE_ABI of the library, to be compared with that of this header. */
PEARLITE_API int32_t pearlite_abi(void);
/* Such as "0.1.0". */
PEARLITE_API const char* pearlite_version(void);
/* Which instructions the kernels use: "base", "x86-64-v3" or "x86-64-v4". */
PEARLITE_API const char* pearlite_instruction_set(void);
/* The last error of this thread; "" if there was none. */
PEARLITE_API const char* pearlite_last_error(void);

/* A periodic grid of pixels (dim = 2) or voxels (dim = 3), and how to compute on it. */
typedef struct pearlite_grid pearlite_grid;

/* shape: dim sizes >= 2. NULL if it has no meaning. By default pixels are squares, rtol is 1e-6, and all
 * cores are used. */
PEARLITE_API pearlite_grid* pearlite_grid_new(int32_t dim, const int64_t* shape);
PEARLITE_API void pearlite_grid_free(pearlite_grid* grid);
/* Physical sizes of a pixel along the axes, > 0. */
PEARLITE_API pearlite_status pearlite_grid_set_spacing(pearlite_grid* grid, const double* spacing);
/* Relative error of effective tensors, from 1e-10 to 0.1. */
PEARLITE_API pearlite_status pearlite_grid_set_rtol(pearlite_grid* grid, double rtol);
PEARLITE_API pearlite_status pearlite_grid_set_threads(pearlite_grid* grid, int32_t threads);
/* Asked now and then on the calling thread; what is not 0 ends the call. NULL: never. */
PEARLITE_API void pearlite_grid_set_interrupt(pearlite_grid* grid, int (*asked)(void*), void* context);

/* Effective conductivity of a batch of cells.
 *   pixels      (batch, shape): conductivities > 0, 0 (a void) or infinite, float32 or float64;
 *               or labels 0 ... phase_count - 1
 *   phases      (phase_count) conductivities of the labels; NULL and 0 without labels
 *   effective   (batch, dim, dim)
 *   converged   (batch) 0 or 1, or NULL */
PEARLITE_API pearlite_status pearlite_homogenize(const pearlite_grid* grid, const void* pixels, pearlite_type type,
                                                 int64_t batch, const double* phases, int64_t phase_count,
                                                 double* effective, uint8_t* converged);

/* Labels of tessellations by weighted seeds: of each pixel's centre the seed of least |x - s|^2 - w (power)
 * or |x - s| - w (additive), in the unit cell.
 *   sites       (batch, count, dim), in [0, 1) if periodic
 *   weights     (batch, count), or NULL for zeros
 *   labels      (batch, shape) */
PEARLITE_API pearlite_status pearlite_assign(const pearlite_grid* grid, const double* sites, const double* weights,
                                             int64_t batch, int64_t count, pearlite_metric metric, int32_t periodic,
                                             int32_t* labels);

/* Two-point correlations, the mean of M_a(x) M_b(x + r) over x, for all shifts r of a periodic image.
 *   pixels      (batch, shape): numbers, or labels
 *   phases      (phase_count) labels, for the correlations of all pairs of them; NULL and 0 for numbers
 *   out         (batch, phase_count, phase_count, shape), or (batch, shape) of numbers */
PEARLITE_API pearlite_status pearlite_two_point(const pearlite_grid* grid, const void* pixels, pearlite_type type,
                                                int64_t batch, const int64_t* phases, int64_t phase_count,
                                                double* out);

/* Standard normal numbers (samples, count) of samples first_sample, ..., the same in any batch. */
PEARLITE_API pearlite_status pearlite_normals(uint64_t seed, uint32_t step, uint64_t first_sample, int64_t samples,
                                              int64_t count, double* out);

#ifdef __cplusplus
}
#endif
#endif
