// The relaxed Laguerre field: each seed's value, weighted by the softmax of minus its distance.
//
//   A(x) = Σ_k p_k v_k,   p_k = exp(-s_k/ε) / Σ_j exp(-s_j/ε),   s_k = d_k(x) - w_k
//
// d_k is |x - c_k|² (power) or |x - c_k| (additive), on the torus to the nearest image, which is the
// nearest one along each axis: a seed counts once.
#pragma once
#include <cstdint>

namespace pearlite {

struct RelaxedCells {
  int64_t batch = 0;
  int dim = 2;
  int64_t shape[3] = {1, 1, 1};     // pixels; of two axes the last two
  int64_t seeds = 0;
  bool float64 = false;             // the type of the field and the cotangent
  bool additive = false, periodic = true;
  const double* sites = nullptr;    // (batch, seeds, dim), in units of the cell's sides
  const double* weights = nullptr;  // (batch, seeds)
  const double* values = nullptr;   // (batch, seeds)
  const double* epsilon = nullptr;  // (batch,)
  int threads = 1;
  bool (*interrupted)(void*) = nullptr;  // polled between blocks of pixels; null: never
};

// The gradient of Σ_x g(x) A(x), g the cotangent.
struct RelaxGradient {
  const void* cotangent = nullptr;  // (batch, *shape), in the type of the field
  double* sites = nullptr;          // (batch, seeds, dim)
  double* weights = nullptr;        // (batch, seeds)
  double* values = nullptr;         // (batch, seeds)
  double* epsilon = nullptr;        // (batch,)
};

// Writes the field (batch, *shape), float or double, unless it is null, and the gradient if there is a
// cotangent. The same for any number of threads. False if interrupted.
bool relax(const RelaxedCells& cells, void* field, const RelaxGradient& gradient);

}  // namespace pearlite
