#include <type_traits>
#include <vector>

#include "parallel.hpp"
#include "task.hpp"
#include "voxels.hpp"
#include "workspace.hpp"

namespace pearlite {

template <class T>
void pull_back_voxels(const VoxelShape& s, const T* correctors, const double* cotangent, T* out) {
  const int64_t size = s.n[0] * s.n[1] * s.n[2];
  std::vector<Workspace> workspaces(static_cast<std::size_t>(s.threads));
  const int threads = s.batch * size < (1 << 14) ? 1 : s.threads;
  const auto body = [&](int worker, int64_t index) {
    const int64_t cell = index / s.n[0], plane = index % s.n[0];
    VoxelPull task;
    for (int d = 0; d < 3; ++d) task.n[d] = s.n[d], task.spacing[d] = s.spacing[d];
    task.correctors = correctors + 3 * cell * size;
    task.cotangent = cotangent + 9 * cell;
    task.out = out + cell * size * (s.tensor ? 9 : 1);
    task.float64 = std::is_same_v<T, double>;
    const VoxelPulls& kernels = s.tensor ? tensor_pulls() : voxel_pulls();
    kernels.plane(task, plane, workspaces[static_cast<std::size_t>(worker)].get(kernels.workspace(task)));
  };
  parallel_for(s.batch * s.n[0], threads, body, [] { return false; });
}

template void pull_back_voxels(const VoxelShape&, const float*, const double*, float*);
template void pull_back_voxels(const VoxelShape&, const double*, const double*, double*);

}  // namespace pearlite
