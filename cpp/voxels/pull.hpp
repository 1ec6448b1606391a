// The gradient of the effective tensor in the voxels: no adjoint solve, since the energy is stationary in
// the correctors. ∂A*_de/∂a is the mean of (e_d + ∇χ_d)·(e_e + ∇χ_e) over a voxel, over their number.
#pragma once
#include "energies.hpp"

namespace pearlite {
namespace PEARLITE_ISA {
namespace voxels {

template <class T>
class PullPlane {
 public:
  explicit PullPlane(const VoxelPull& task) : task_(task), pitch_((task.n[2] + 3 * LANES) / LANES * LANES) {
    for (int d = 0; d < 3; ++d) largest_ = task.spacing[d] > largest_ ? task.spacing[d] : largest_;
    double g[3];
    for (int d = 0; d < 3; ++d) g[d] = largest_ * largest_ / (task.spacing[d] * task.spacing[d]);
    const ModeWeights weights(g);
    for (int m = 0; m < 8; ++m) weight_[m] = T(weights.w[m]);
    const double voxels = double(task.n[0]) * double(task.n[1]) * double(task.n[2]);
    for (int d = 0; d < 3; ++d)
      for (int e = 0; e < 3; ++e) {
        const double g_de = .5 * (task.cotangent[3 * d + e] + task.cotangent[3 * e + d]);
        cotangent_[d][e] = T(g_de * task.spacing[d] * task.spacing[e] / (largest_ * largest_ * voxels));
      }
  }

  int64_t bytes() const { return (3 * 4 + 1) * pitch_ * int64_t(sizeof(T)); }

  void run(int64_t i, void* memory) const {
    T* const lines = static_cast<T*>(memory);
    T* const result = lines + 12 * pitch_;
    const int64_t n1 = task_.n[1], n2 = task_.n[2];
    for (int64_t j = 0; j < n1; ++j) {
      for (int d = 0; d < 3; ++d)
        for (int corner = 0; corner < 4; ++corner) copy(d, i + corner / 2, j + corner % 2, lines + (4 * d + corner) * pitch_);
      for (int64_t k = 0; k < n2; k += LANES) contract(lines, k).store(result + k);
      T* out = static_cast<T*>(task_.out) + (i * n1 + j) * n2;
      for (int64_t k = 0; k < n2; ++k) out[k] = result[k];
    }
  }

 private:
  // A row of a corrector in units of the pixel, and its first node again behind the last.
  void copy(int d, int64_t i, int64_t j, T* line) const {
    const int64_t n2 = task_.n[2];
    i = i == task_.n[0] ? 0 : i;
    j = j == task_.n[1] ? 0 : j;
    const T* row = static_cast<const T*>(task_.correctors) + ((d * task_.n[0] + i) * task_.n[1] + j) * n2;
    const T factor = T(1 / task_.spacing[d]);
    for (int64_t k = 0; k < n2; ++k) line[k] = factor * row[k];
    line[n2] = line[0];
  }

  Lanes<T> contract(const T* lines, int64_t k) const {
    Lanes<T> mode[3][8];
    for (int d = 0; d < 3; ++d) {
      const T* own = lines + 4 * d * pitch_;
      const T* const rows[2][2] = {{own, own + pitch_}, {own + 2 * pitch_, own + 3 * pitch_}};
      modes_of(rows, k, mode[d]);
      mode[d][4 >> d] = mode[d][4 >> d] + Lanes<T>::all(4);
    }
    auto sum = Lanes<T>::all(0);
    for (int m = 1; m < 8; ++m) {
      auto energy = Lanes<T>::all(0);
      for (int d = 0; d < 3; ++d)
        energy = energy + mode[d][m] * (cotangent_[d][0] * mode[0][m] + cotangent_[d][1] * mode[1][m] +
                                        cotangent_[d][2] * mode[2][m]);
      sum = sum + weight_[m] * energy;
    }
    return sum;
  }

  const VoxelPull& task_;
  int64_t pitch_;
  double largest_ = 0;
  T weight_[8], cotangent_[3][3];
};

}  // namespace voxels
}  // namespace PEARLITE_ISA
}  // namespace pearlite
