#include "correlation/bispectrum.hpp"

#include <limits>
#include <type_traits>
#include <vector>

#include "parallel.hpp"

namespace pearlite {
namespace {

// Rows go to so many parts, whose gradients are added in order: the result does not depend on the
// number of threads.
constexpr int64_t parts = 16;

template <class T>
const BispectrumKernels<T>& kernels() {
  if constexpr (std::is_same_v<T, float>) return bispectrum32();
  else return bispectrum64();
}

template <class T>
struct Part {
  double loss = 0;
  std::vector<T> second, third;  // (2, n0 m, n), (2, n0 m, 2 n)
};

}  // namespace

template <class T>
double bispectrum_loss(const BispectrumProblem<T>& p, double* gradient) {
  const int64_t rows = p.n0 * p.m, half = p.n / 2 + 1, size = rows * p.n, count = rows * half;
  std::vector<Part<T>> part(parts);
  const bool done = parallel_for(
      parts, p.threads,
      [&](int, int64_t k) {
        part[std::size_t(k)].second.assign(std::size_t(2 * size), T(0));
        part[std::size_t(k)].third.assign(std::size_t(4 * size), T(0));
        for (int64_t i = count * k / parts; i < count * (k + 1) / parts; ++i)
          part[std::size_t(k)].loss += kernels<T>().add_row(p, i / half, i % half, part[std::size_t(k)].second.data(),
                                                            part[std::size_t(k)].third.data());
      },
      [&] { return p.interrupted && p.interrupted(nullptr); });
  if (!done) return std::numeric_limits<double>::quiet_NaN();
  const double scale = 1 / (double(size) * double(size));
  double loss = 0;
  for (int64_t k = 0; k < 2 * size; ++k) gradient[k] = 0;
  for (const Part<T>& one : part) {
    loss += one.loss;
    for (int64_t row = 0; row < 2 * rows; ++row)
      for (int64_t d = 0; d < p.n; ++d) {
        const T *twice = one.third.data() + row * 2 * p.n, *once = one.second.data() + row * p.n;
        gradient[row * p.n + d] += scale * (double(once[d]) + double(twice[d]) + double(twice[p.n + d]));
      }
  }
  return scale * loss;
}

template <class T>
bool bispectrum(const BispectrumProblem<T>& p, T* out) {
  const int64_t rows = p.n0 * p.m, half = p.n / 2 + 1;
  return parallel_for(
      rows, p.threads,
      [&](int, int64_t a) {
        for (int64_t b = 0; b < half; ++b) kernels<T>().row(p, a, b, out + (a * half + b) * 2 * rows * p.n);
      },
      [&] { return p.interrupted && p.interrupted(nullptr); });
}

template double bispectrum_loss(const BispectrumProblem<float>&, double*);
template double bispectrum_loss(const BispectrumProblem<double>&, double*);
template bool bispectrum(const BispectrumProblem<float>&, float*);
template bool bispectrum(const BispectrumProblem<double>&, double*);

}  // namespace pearlite
