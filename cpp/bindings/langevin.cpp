// pearlite._core: Langevin steps and normal numbers. Arrays of images may have any strides.
#include "langevin.hpp"

#include <optional>
#include <vector>

#include "arrays.hpp"
#include "families.hpp"

namespace {

using Samples = Array<uint64_t>;

int64_t stride_of(const py::array& array, int axis) { return array.strides(axis) / array.itemsize(); }

// x: (batch, channels, *shape + 2 padding), of two or three axes
template <class T>
pearlite::Images images_of(const py::array_t<T, 0>& x, const std::vector<int64_t>& padding, T* data) {
  const int dim = int(x.ndim()) - 2;
  if ((dim != 2 && dim != 3) || int(padding.size()) != dim) throw py::value_error("x: wrong shape");
  pearlite::Images images;
  images.batch = x.shape(0);
  images.channels = x.shape(1);
  images.float64 = sizeof(T) == 8;
  images.x = data;
  images.strides[0] = stride_of(x, 0);
  images.strides[1] = stride_of(x, 1);
  for (int a = 0; a < dim; ++a) {
    const int to = 3 - dim + a;
    images.padding[to] = padding[std::size_t(a)];
    images.shape[to] = x.shape(2 + a) - 2 * images.padding[to];
    images.strides[2 + to] = stride_of(x, 2 + a);
    if (images.shape[to] < 1) throw py::value_error("padding: too wide");
  }
  return images;
}

pearlite::CallControl control_of(int threads) { return {threads, interruption()}; }

// Makes a step of x, in place; -> counts (batch, phases)
template <class T>
Array<int64_t> step(py::array_t<T, 0> x, const py::array_t<T, 0>& score, const Array<double>& step_size,
                    const std::optional<Array<double>>& volume_fraction, const Array<double>& sigma,
                    const std::vector<int64_t>& padding, double noise, double lower, double upper, uint64_t seed,
                    uint32_t number, const Samples& sample, int threads) {
  const pearlite::Images images = images_of<T>(x, padding, x.mutable_data());
  pearlite::LangevinStep s;
  for (int a = 0; a < int(x.ndim()); ++a)
    if (score.ndim() != x.ndim() || score.shape(a) != x.shape(a)) throw py::value_error("score: wrong shape");
  s.score = score.data();
  s.strides[0] = stride_of(score, 0);
  s.strides[1] = stride_of(score, 1);
  for (int a = 2; a < int(x.ndim()); ++a) s.strides[5 - x.ndim() + a] = stride_of(score, a);
  expect_size(step_size, images.batch, "step_size");
  expect_size(sigma, images.batch, "sigma");
  expect_size(sample, images.batch, "sample");
  if (volume_fraction) expect_size(*volume_fraction, images.batch * images.channels, "volume_fraction");
  s.step_size = step_size.data();
  s.volume_fraction = volume_fraction ? volume_fraction->data() : nullptr;
  s.sigma = sigma.data();
  s.noise = noise;
  s.lower = lower;
  s.upper = upper;
  s.seed = seed;
  s.step = number;
  s.sample = sample.data();
  Array<int64_t> counts({images.batch, pearlite::phases(images)});
  int64_t* to = counts.mutable_data();
  const auto control = control_of(threads);
  run_without_gil([&] { return pearlite::langevin_step(images, s, control, to); });
  return counts;
}

// -> counts (batch, phases)
template <class T>
Array<int64_t> count(const py::array_t<T, 0>& x, const std::vector<int64_t>& padding, int threads) {
  const pearlite::Images images = images_of<T>(x, padding, const_cast<T*>(x.data()));
  Array<int64_t> counts({images.batch, pearlite::phases(images)});
  int64_t* to = counts.mutable_data();
  const auto control = control_of(threads);
  run_without_gil([&] { return pearlite::count_phases(images, control, to); });
  return counts;
}

// -> (samples, count), float64 or float32
py::array normals(const Samples& sample, int64_t count, uint64_t seed, uint32_t step, uint32_t stream, bool float64,
                  int threads) {
  pearlite::Normals n;
  n.seed = seed;
  n.step = step;
  n.stream = stream;
  n.sample = sample.data();
  n.samples = sample.size();
  n.count = count;
  n.float64 = float64;
  py::array out(float64 ? py::dtype::of<double>() : py::dtype::of<float>(), std::vector<int64_t>{n.samples, count});
  void* to = out.mutable_data();
  const auto control = control_of(threads);
  run_without_gil([&] { return pearlite::fill_normals(n, control, to); });
  return out;
}

// counters (N, 4) and keys (N, 2) -> words (N, 4)
Array<uint32_t> philox(const Array<uint32_t>& counters, const Array<uint32_t>& keys) {
  const int64_t count = counters.size() / 4;
  expect_size(counters, 4 * count, "counters");
  expect_size(keys, 2 * count, "keys");
  Array<uint32_t> words({count, int64_t(4)});
  for (int64_t i = 0; i < count; ++i)
    pearlite::philox_block(counters.data() + 4 * i, keys.data() + 2 * i, words.mutable_data() + 4 * i);
  return words;
}

template <class T>
void bind(py::module_& module) {
  module.def("langevin_step", &step<T>, py::arg("x").noconvert(), py::arg("score").noconvert(),
             py::arg("step_size").noconvert(), py::arg("volume_fraction").noconvert(), py::arg("sigma").noconvert(),
             py::arg("padding"), py::arg("noise"), py::arg("lower"), py::arg("upper"), py::arg("seed"),
             py::arg("step"), py::arg("sample").noconvert(), py::arg("threads"));
  module.def("count_phases", &count<T>, py::arg("x").noconvert(), py::arg("padding"), py::arg("threads"));
}

}  // namespace

void bind_langevin(py::module_& module) {
  bind<float>(module);
  bind<double>(module);
  module.def("normals", &normals, py::arg("sample").noconvert(), py::arg("count"), py::arg("seed"), py::arg("step"),
             py::arg("stream"), py::arg("float64"), py::arg("threads"));
  module.def("philox", &philox, py::arg("counters").noconvert(), py::arg("keys").noconvert());
}
