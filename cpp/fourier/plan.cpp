#include "plan.hpp"

#include <atomic>
#include <cmath>
#include <complex>
#include <memory>
#include <vector>

namespace pearlite {
namespace {

constexpr double pi = 3.141592653589793238462643383279502884;
constexpr int64_t largest_radix = 13;

// exp(−2πi k / n), from an angle within an eighth of a turn so that it is right to the last digit.
std::complex<double> root(int64_t k, int64_t n) {
  k %= n;
  const int64_t eighths = 8 * k / n;
  const auto turned = [&](int64_t num, int64_t den) { return 2 * pi * double(num) / double(den); };
  switch (eighths) {
    case 0: return {std::cos(turned(k, n)), -std::sin(turned(k, n))};
    case 1: case 2: {
      const double a = turned(4 * k - n, 4 * n);  // from a quarter turn
      return {-std::sin(a), -std::cos(a)};
    }
    case 3: case 4: {
      const double a = turned(2 * k - n, 2 * n);
      return {-std::cos(a), std::sin(a)};
    }
    case 5: case 6: {
      const double a = turned(4 * k - 3 * n, 4 * n);
      return {std::sin(a), std::cos(a)};
    }
    default: {
      const double a = turned(k - n, n);
      return {std::cos(a), -std::sin(a)};
    }
  }
}

// Few passes, each of as many points as the registers hold.
std::vector<int> factors(int64_t n) {
  std::vector<int> found;
  while (n % 8 == 0 && n != 16) found.push_back(8), n /= 8;
  while (n % 4 == 0) found.push_back(4), n /= 4;
  for (int r = 2; r <= largest_radix; ++r)
    while (n % r == 0) found.push_back(r), n /= r;
  if (n > 1) found.clear();
  return found;
}

template <class T>
struct StoredPlan {
  AxisPlan<T> plan;
  std::vector<std::vector<T>> tables;

  const T* keep(std::vector<T> table) {
    tables.push_back(std::move(table));
    return tables.back().data();
  }
};

template <class T>
void push(std::vector<T>& table, std::complex<double> z) {
  table.push_back(T(z.real()));
  table.push_back(T(z.imag()));
}

template <class T>
void plan_passes(StoredPlan<T>& stored, const std::vector<int>& radices) {
  int64_t left = stored.plan.n;
  for (const int r : radices) {
    std::vector<T> table;
    for (int64_t p = 0; p < left / r; ++p)
      for (int t = 1; t < r; ++t) push(table, root(p * t, left));
    stored.plan.radix[stored.plan.passes] = r;
    stored.plan.twiddles[stored.plan.passes++] = stored.keep(std::move(table));
    left /= r;
  }
}

// The transform of conj(c), straight from its definition by fast passes in double precision.
std::vector<std::complex<double>> transformed(std::vector<std::complex<double>> x) {
  const std::size_t n = x.size();  // a power of two
  for (std::size_t half = n / 2, stride = 1; half >= 1; half /= 2, stride *= 2) {
    std::vector<std::complex<double>> y(n);
    for (std::size_t p = 0; p < half; ++p)
      for (std::size_t q = 0; q < stride; ++q) {
        const auto a = x[q + stride * p], b = x[q + stride * (p + half)];
        y[q + stride * 2 * p] = a + b;
        y[q + stride * (2 * p + 1)] = (a - b) * root(int64_t(p), int64_t(2 * half));
      }
    x.swap(y);
  }
  return x;
}

template <class T>
void plan_chirp(StoredPlan<T>& stored) {
  const int64_t n = stored.plan.n;
  int64_t m = 1;
  while (m < 2 * n - 1) m *= 2;
  std::vector<T> chirp, spectrum;
  std::vector<std::complex<double>> filter(std::size_t(m), 0.0);
  for (int64_t j = 0; j < n; ++j) {
    const auto c = root(j * j % (2 * n), 2 * n);
    push(chirp, c);
    filter[std::size_t(j)] = filter[std::size_t((m - j) % m)] = std::conj(c);
  }
  for (const auto z : transformed(std::move(filter))) push(spectrum, z / double(m));
  stored.plan.chirp = stored.keep(std::move(chirp));
  stored.plan.spectrum = stored.keep(std::move(spectrum));
  stored.plan.padded = &axis_plan<T>(m);
}

}  // namespace

template <class T>
const AxisPlan<T>& axis_plan(int64_t n) {
  // A list that only grows, and no lock that a fork could leave taken: two threads may both make a
  // plan, and then both are kept.
  struct Node {
    StoredPlan<T> stored;
    Node* next;
  };
  static std::atomic<Node*> first{nullptr};
  for (Node* node = first.load(std::memory_order_acquire); node; node = node->next)
    if (node->stored.plan.n == n) return node->stored.plan;
  auto made = std::make_unique<Node>();
  made->stored.plan.n = n;
  const std::vector<int> radices = factors(n);
  if (n > 1 && radices.empty()) plan_chirp(made->stored);
  else plan_passes(made->stored, radices);
  Node* node = made.release();
  node->next = first.load(std::memory_order_relaxed);
  while (!first.compare_exchange_weak(node->next, node, std::memory_order_release)) continue;
  return node->stored.plan;
}

template const AxisPlan<float>& axis_plan<float>(int64_t);
template const AxisPlan<double>& axis_plan<double>(int64_t);

int64_t good_size(int64_t n) {
  for (;; ++n) {
    int64_t left = n;
    for (const int r : {2, 3, 5})
      while (left % r == 0) left /= r;
    if (left == 1) return n;
  }
}

}  // namespace pearlite
