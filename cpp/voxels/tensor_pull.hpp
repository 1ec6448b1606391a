// The gradient of the effective tensor in the tensors of voxels: ∂A*_de/∂a_kl is the mean of
// (e_d + ∇χ_d)_k (e_e + ∇χ_e)_l over a voxel, over their number; here its symmetric part.
#pragma once
#include "pull_lines.hpp"
#include "tensor_element.hpp"

namespace pearlite {
namespace PEARLITE_ISA {
namespace voxels {

template <class T>
class TensorPull {
 public:
  explicit TensorPull(const VoxelPull& task) : lines_(task) {
    for (int k = 0; k < 3; ++k)
      for (int l = 0; l < 3; ++l)
        factor_[k][l] = T(lines_.largest() * lines_.largest() / (16 * task.spacing[k] * task.spacing[l]));
  }

  int64_t bytes() const { return lines_.bytes(ENTRIES); }

  void run(int64_t i, void* memory) const {
    lines_.over_rows(i, static_cast<T*>(memory), [&](T* lines, int64_t n2, T* results, int64_t row) {
      for (int64_t k = 0; k < n2; k += LANES) contract(lines, k, results + k);
      T* out = static_cast<T*>(lines_.task().out) + 9 * row * n2;
      for (int64_t k = 0; k < n2; ++k)
        for (int c = 0; c < 9; ++c) out[9 * k + c] = results[entry_of(c / 3, c % 3) * lines_.pitch() + k];
    });
  }

 private:
  void contract(const T* lines, int64_t k, T* results) const {
    Lanes<T> mode[3][8];
    lines_.modes(lines, k, mode);
    // Σ_de G_de m_d n_e of two modes
    const auto product = [&](int m, int n) {
      auto sum = Lanes<T>::all(0);
      for (int d = 0; d < 3; ++d)
        sum = sum + mode[d][m] * (lines_.cotangent(d, 0) * mode[0][n] + lines_.cotangent(d, 1) * mode[1][n] +
                                  lines_.cotangent(d, 2) * mode[2][n]);
      return sum;
    };
    pull_tensor<T>(product, [&](int i, int j, const Lanes<T>& v) { store(results, i, j, v); });
  }

  PEARLITE_INLINE void store(T* results, int k, int l, const Lanes<T>& v) const {
    (factor_[k][l] * v).store(results + entry_of(k, l) * lines_.pitch());
  }

  PullLines<T> lines_;
  T factor_[3][3];
};

}  // namespace voxels
}  // namespace PEARLITE_ISA
}  // namespace pearlite
