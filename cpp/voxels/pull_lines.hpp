// The correctors around a row of voxels, as the gradients of the effective tensor need them.
#pragma once
#include "energies.hpp"
#include "task.hpp"

namespace pearlite {
namespace PEARLITE_ISA {
namespace voxels {

template <class T>
class PullLines {
 public:
  explicit PullLines(const VoxelPull& task) : task_(task), pitch_((task.n[2] + 3 * LANES) / LANES * LANES) {
    for (int d = 0; d < 3; ++d) largest_ = task.spacing[d] > largest_ ? task.spacing[d] : largest_;
    const double voxels = double(task.n[0]) * double(task.n[1]) * double(task.n[2]);
    for (int d = 0; d < 3; ++d)
      for (int e = 0; e < 3; ++e) {
        const double g_de = .5 * (task.cotangent[3 * d + e] + task.cotangent[3 * e + d]);
        cotangent_[d][e] = T(g_de * task.spacing[d] * task.spacing[e] / (largest_ * largest_ * voxels));
      }
  }

  const VoxelPull& task() const { return task_; }
  double largest() const { return largest_; }
  // G_de of the correctors' own units, over the number of voxels.
  PEARLITE_INLINE T cotangent(int d, int e) const { return cotangent_[d][e]; }

  // With so many lines of results.
  int64_t bytes(int results) const { return (3 * 4 + results) * pitch_ * int64_t(sizeof(T)); }
  int64_t pitch() const { return pitch_; }

  // Calls use(lines, n2, results, row) for the rows of plane i.
  template <class Use>
  void over_rows(int64_t i, T* memory, const Use& use) const {
    const int64_t n1 = task_.n[1];
    for (int64_t j = 0; j < n1; ++j) {
      for (int d = 0; d < 3; ++d)
        for (int corner = 0; corner < 4; ++corner)
          copy(d, i + corner / 2, j + corner % 2, memory + (4 * d + corner) * pitch_);
      use(memory, task_.n[2], memory + 12 * pitch_, i * n1 + j);
    }
  }

  // The modes of x_d + χ_d in units of voxels.
  PEARLITE_INLINE void modes(const T* lines, int64_t k, Lanes<T> mode[3][8]) const {
    for (int d = 0; d < 3; ++d) {
      const T* own = lines + 4 * d * pitch_;
      const T* const rows[2][2] = {{own, own + pitch_}, {own + 2 * pitch_, own + 3 * pitch_}};
      modes_at(rows, k, mode[d]);
      mode[d][4 >> d] = mode[d][4 >> d] + Lanes<T>::all(4);
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

  const VoxelPull& task_;
  int64_t pitch_;
  double largest_ = 0;
  T cotangent_[3][3];
};

}  // namespace voxels
}  // namespace PEARLITE_ISA
}  // namespace pearlite
