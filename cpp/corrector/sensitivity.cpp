#include "sensitivity.hpp"

#include "parallel.hpp"
#include "task.hpp"

namespace pearlite {
namespace {

// Mean slopes along both axes and twist of one bilinear field on one pixel, over the pixel sizes.
template <class T>
struct Slope {
  T m[2];  // physical
  T c[2];  // twist / (√12 h_k)
};

// The correctors of one cell, pixel by pixel, each with its unit mean gradient.
template <class T>
class Fields {
 public:
  Fields(const CellShape& s, const T* fields) : n0_(s.n0), n1_(s.n1), fields_(fields) {
    for (int k = 0; k < 2; ++k) {
      half_[k] = T(.5 / s.spacing[k]);
      twist_[k] = T(.28867513459481287 / s.spacing[k]);  // 1/√12
      for (int i = 0; i < 2; ++i) load_[i][k] = i == k ? T(1) : T(0);
    }
  }

  Slope<T> at(int load, int64_t i, int64_t j) const {
    const int64_t i1 = i + 1 == n0_ ? 0 : i + 1, j1 = j + 1 == n1_ ? 0 : j + 1;
    const T* f = fields_ + load * n0_ * n1_;
    const T u00 = f[i * n1_ + j], u10 = f[i1 * n1_ + j], u01 = f[i * n1_ + j1], u11 = f[i1 * n1_ + j1];
    const T west = u10 - u00, east = u11 - u01, along = (u01 - u00) + (u11 - u10), c = east - west;
    return {{load_[load][0] + half_[0] * (west + east), load_[load][1] + half_[1] * along},
            {twist_[0] * c, twist_[1] * c}};
  }

 private:
  int64_t n0_, n1_;
  const T* fields_;
  T half_[2], twist_[2], load_[2][2];
};

template <class Use>
void each_cell(const CellShape& s, const Use& use) {
  const int threads = s.batch * s.n0 * s.n1 < (1 << 15) ? 1 : s.threads;
  parallel_for(s.batch, threads, [&](int, int64_t cell) { use(cell); }, [] { return false; });
}

// V S of one pixel: the flux of mean slopes, and of the twist.
template <class T>
Slope<T> flux(const T* v, bool tensor, const Slope<T>& s) {
  if (!tensor) return {{v[0] * s.m[0], v[0] * s.m[1]}, {v[0] * s.c[0], v[0] * s.c[1]}};
  const T cross = T(.5) * (v[1] + v[2]);
  return {{v[0] * s.m[0] + cross * s.m[1], cross * s.m[0] + v[3] * s.m[1]}, {v[0] * s.c[0], v[3] * s.c[1]}};
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
          const Slope<T> f = flux(v, s.tensor, p[b]);
          for (int a = 0; a < 2; ++a)
            sum[a][b] += double(p[a].m[0] * f.m[0] + p[a].m[1] * f.m[1] + p[a].c[0] * f.c[0] + p[a].c[1] * f.c[1]);
        }
      }
    for (int a = 0; a < 2; ++a)
      for (int b = 0; b < 2; ++b) out[4 * cell + 2 * a + b] = sum[a][b] / double(size);
  });
}

template <class T>
void direction_loads(const CellShape& s, const T* correctors, const T* direction, T* out) {
  const int64_t size = s.n0 * s.n1, width = s.tensor ? 4 : 1;
  const T half0 = T(.5 / s.spacing[0]), half1 = T(.5 / s.spacing[1]);
  const T twist0 = T(.28867513459481287 / s.spacing[0]), twist1 = T(.28867513459481287 / s.spacing[1]);
  each_cell(s, [&](int64_t cell) {
    const Fields<T> chi(s, correctors + 2 * cell * size);
    for (int load = 0; load < 2; ++load) {
      T* f = out + (2 * cell + load) * size;
      for (int64_t k = 0; k < size; ++k) f[k] = 0;
      for (int64_t i = 0; i < s.n0; ++i)
        for (int64_t j = 0; j < s.n1; ++j) {
          const T* v = direction + (cell * size + i * s.n1 + j) * width;
          const Slope<T> q = flux(v, s.tensor, chi.at(load, i, j));
          const T a = half0 * q.m[0], b = half1 * q.m[1], c = twist0 * q.c[0] + twist1 * q.c[1];
          const int64_t i1 = i + 1 == s.n0 ? 0 : i + 1, j1 = j + 1 == s.n1 ? 0 : j + 1;
          f[i * s.n1 + j] += a + b - c;
          f[i1 * s.n1 + j] -= a - b - c;
          f[i * s.n1 + j1] += a - b + c;
          f[i1 * s.n1 + j1] -= a + b + c;
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
