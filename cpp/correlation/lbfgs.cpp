#include "correlation/lbfgs.hpp"

#include <algorithm>
#include <type_traits>
#include <vector>

#include "parallel.hpp"

namespace pearlite {
namespace {

template <class T>
const LbfgsKernels<T>& kernels() {
  if constexpr (std::is_same_v<T, float>) return lbfgs32();
  else return lbfgs64();
}

// Pieces do not depend on the threads, and neither do the sums of theirs.
constexpr int64_t piece = 1 << 15;
constexpr int64_t worth_threads = 1 << 17;

template <class Part, class Run>
std::vector<Part> in_pieces(int64_t n, int threads, const Run& run) {
  const int64_t count = (n + piece - 1) / piece;
  std::vector<Part> parts(static_cast<std::size_t>(count));
  phased_for({count}, n < worth_threads ? 1 : threads, [&](int, int, int64_t k) {
    run(k * piece, std::min(n, (k + 1) * piece), parts[std::size_t(k)]);
  });
  return parts;
}

}  // namespace

template <class T>
LbfgsProducts lbfgs_products(const LbfgsTask<T>& task, int threads) {
  LbfgsProducts sum;
  for (const LbfgsProducts& part : in_pieces<LbfgsProducts>(task.n, threads, [&](int64_t a, int64_t b, LbfgsProducts& out) {
         kernels<T>().products(task, a, b, out);
       })) {
    sum.step_change += part.step_change;
    sum.change_change += part.change_change;
    sum.largest = std::max(sum.largest, part.largest);
    for (int p = 0; p < task.pairs; ++p) {
      sum.step_gradient[p] += part.step_gradient[p];
      sum.change_gradient[p] += part.change_gradient[p];
      sum.step_new_change[p] += part.step_new_change[p];
      sum.change_new_change[p] += part.change_new_change[p];
      sum.change_new_step[p] += part.change_new_step[p];
    }
  }
  return sum;
}

template <class T>
LbfgsSlopes lbfgs_step(const LbfgsTask<T>& task, int threads) {
  LbfgsSlopes sum;
  for (const LbfgsSlopes& part : in_pieces<LbfgsSlopes>(task.n, threads, [&](int64_t a, int64_t b, LbfgsSlopes& out) {
         kernels<T>().step(task, a, b, out);
       })) {
    sum.slope += part.slope;
    sum.promised += part.promised;
  }
  return sum;
}

template LbfgsProducts lbfgs_products(const LbfgsTask<float>&, int);
template LbfgsProducts lbfgs_products(const LbfgsTask<double>&, int);
template LbfgsSlopes lbfgs_step(const LbfgsTask<float>&, int);
template LbfgsSlopes lbfgs_step(const LbfgsTask<double>&, int);

}  // namespace pearlite
