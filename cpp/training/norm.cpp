#include "training/norm.hpp"

#include <vector>

#include "parallel.hpp"

namespace pearlite {
namespace {

void for_each_image(const NormTask& task, void (*kernel)(const NormTask&, int64_t, float*)) {
  const int64_t size = norm().work_size(task);
  std::vector<float> work(static_cast<std::size_t>(size * task.threads));
  parallel_for(
      task.batch, task.threads,
      [&](int worker, int64_t image) { kernel(task, image, work.data() + worker * size); }, [] { return false; });
}

}  // namespace

void norm_forward(const NormTask& task) { for_each_image(task, norm().forward); }
void norm_backward(const NormTask& task) { for_each_image(task, norm().backward); }

}  // namespace pearlite
