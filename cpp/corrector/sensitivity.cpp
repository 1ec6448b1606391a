#include "sensitivity.hpp"

#include "parallel.hpp"
#include "shared/slopes.hpp"
#include "task.hpp"

namespace pearlite {
namespace {

// The correctors of one cell, pixel by pixel, each with its unit mean gradient.
template <class T>
class Fields {
 public:
  Fields(const CellShape& s, const T* fields)
      : scales(pixel_scales<T>(s.spacing)), n0_(s.n0), n1_(s.n1), fields_(fields) {}

  Slope<T> at(int load, int64_t i, int64_t j) const {
    const int64_t i1 = i + 1 == n0_ ? 0 : i + 1, j1 = j + 1 == n1_ ? 0 : j + 1;
    const T *south = fields_ + (load * n0_ + i) * n1_, *north = fields_ + (load * n0_ + i1) * n1_;
    return slope_of(scales, south[j], south[j1], north[j], north[j1], T(load == 0), T(load == 1));
  }

  const PixelScales<T> scales;

 private:
  int64_t n0_, n1_;
  const T* fields_;
};

template <class Use>
void each_cell(const CellShape& s, const Use& use) {
  const int threads = s.batch * s.n0 * s.n1 < (1 << 15) ? 1 : s.threads;
  parallel_for(s.batch, threads, [&](int, int64_t cell) { use(cell); }, [] { return false; });
}

inline void pull_cell(const CellShape& s, const float* correctors, const float* change, const double* g, float* out) {
  kernels().pull32(s, correctors, change, g, out);
}
inline void pull_cell(const CellShape& s, const double* correctors, const double* change, const double* g, double* out) {
  kernels().pull64(s, correctors, change, g, out);
}

template <class T>
void pull(const CellShape& s, const T* correctors, const T* change, const double* cotangent, T* out) {
  const int64_t size = s.n0 * s.n1, width = s.tensor ? 4 : 1;
  each_cell(s, [&](int64_t cell) {
    pull_cell(s, correctors + 2 * cell * size, change ? change + 2 * cell * size : nullptr, cotangent + 4 * cell,
              out + cell * size * width);
  });
}

}  // namespace

template <class T>
void pull_back(const CellShape& s, const T* correctors, const double* cotangent, T* out) {
  pull<T>(s, correctors, nullptr, cotangent, out);
}

template <class T>
void pull_back_change(const CellShape& s, const T* correctors, const T* change, const double* cotangent, T* out) {
  pull(s, correctors, change, cotangent, out);
}

template <class T>
void push_forward(const CellShape& s, const T* correctors, const T* direction, double* out) {
  const int64_t size = s.n0 * s.n1, width = s.tensor ? 4 : 1;
  each_cell(s, [&](int64_t cell) {
    const Fields<T> chi(s, correctors + 2 * cell * size);
    double sum[2][2] = {};
    for (int64_t i = 0; i < s.n0; ++i)
      for (int64_t j = 0; j < s.n1; ++j) {
        const Slope<T> p[2] = {chi.at(0, i, j), chi.at(1, i, j)};
        const T* v = direction + (cell * size + i * s.n1 + j) * width;
        for (int b = 0; b < 2; ++b) {
          const Flux<T> f = flux_of(v, s.tensor, p[b]);
          for (int a = 0; a < 2; ++a) sum[a][b] += double(energy_of(chi.scales, p[a], f));
        }
      }
    for (int a = 0; a < 2; ++a)
      for (int b = 0; b < 2; ++b) out[4 * cell + 2 * a + b] = sum[a][b] / double(size);
  });
}

template <class T>
void direction_loads(const CellShape& s, const T* correctors, const T* direction, T* out) {
  const int64_t size = s.n0 * s.n1, width = s.tensor ? 4 : 1;
  each_cell(s, [&](int64_t cell) {
    const Fields<T> chi(s, correctors + 2 * cell * size);
    for (int load = 0; load < 2; ++load) {
      T* f = out + (2 * cell + load) * size;
      for (int64_t k = 0; k < size; ++k) f[k] = 0;
      for (int64_t i = 0; i < s.n0; ++i)
        for (int64_t j = 0; j < s.n1; ++j) {
          const T* v = direction + (cell * size + i * s.n1 + j) * width;
          const Flux<T> q = flux_of(v, s.tensor, chi.at(load, i, j));
          T corner[4];
          corner_loads(chi.scales, q, corner);
          const int64_t i1 = i + 1 == s.n0 ? 0 : i + 1, j1 = j + 1 == s.n1 ? 0 : j + 1;
          f[i * s.n1 + j] += corner[0];
          f[i * s.n1 + j1] += corner[1];
          f[i1 * s.n1 + j] += corner[2];
          f[i1 * s.n1 + j1] += corner[3];
        }
    }
  });
}

#define PEARLITE_INSTANTIATE(T)                                                            \
  template void pull_back(const CellShape&, const T*, const double*, T*);                  \
  template void pull_back_change(const CellShape&, const T*, const T*, const double*, T*); \
  template void push_forward(const CellShape&, const T*, const T*, double*);               \
  template void direction_loads(const CellShape&, const T*, const T*, T*);
PEARLITE_INSTANTIATE(float)
PEARLITE_INSTANTIATE(double)

}  // namespace pearlite
