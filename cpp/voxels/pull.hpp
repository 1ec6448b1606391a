// The gradient of the effective tensor in the voxels: no adjoint solve, since the energy is stationary in
// the correctors. ∂A*_de/∂a is the mean of (e_d + ∇χ_d)·(e_e + ∇χ_e) over a voxel, over their number.
#pragma once
#include "energies.hpp"
#include "pull_lines.hpp"

namespace pearlite {
namespace PEARLITE_ISA {
namespace voxels {

template <class T>
class PullPlane {
 public:
  explicit PullPlane(const VoxelPull& task) : lines_(task) {
    double g[3];
    for (int d = 0; d < 3; ++d) g[d] = lines_.largest() * lines_.largest() / (task.spacing[d] * task.spacing[d]);
    const ModeWeights weights(g);
    for (int m = 0; m < 8; ++m) weight_[m] = T(weights.w[m]);
  }

  int64_t bytes() const { return lines_.bytes(1); }

  void run(int64_t i, void* memory) const {
    lines_.over_rows(i, static_cast<T*>(memory), [&](T* lines, int64_t n2, T* result, int64_t row) {
      for (int64_t k = 0; k < n2; k += LANES) contract(lines, k).store(result + k);
      T* out = static_cast<T*>(lines_.task().out) + row * n2;
      for (int64_t k = 0; k < n2; ++k) out[k] = result[k];
    });
  }

 private:
  Lanes<T> contract(const T* lines, int64_t k) const {
    Lanes<T> mode[3][8];
    lines_.modes(lines, k, mode);
    auto sum = Lanes<T>::all(0);
    for (int m = 1; m < 8; ++m) {
      auto energy = Lanes<T>::all(0);
      for (int d = 0; d < 3; ++d)
        energy = energy + mode[d][m] * (lines_.cotangent(d, 0) * mode[0][m] + lines_.cotangent(d, 1) * mode[1][m] +
                                        lines_.cotangent(d, 2) * mode[2][m]);
      sum = sum + weight_[m] * energy;
    }
    return sum;
  }

  PullLines<T> lines_;
  T weight_[8];
};

}  // namespace voxels
}  // namespace PEARLITE_ISA
}  // namespace pearlite
