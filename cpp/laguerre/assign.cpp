// A batch of cells, shared among threads.
#include <algorithm>

#include "laguerre.hpp"
#include "laguerre/exact.hpp"
#include "parallel.hpp"

namespace pearlite {
namespace {

template <class Label>
void assign_row(const ExactCell& cell, int64_t row, int64_t count, Label* out) {
  int64_t pixel[3] = {};
  for (int a = cell.dimension - 2; a >= 0; --a) {
    pixel[a] = row % cell.shape[a];
    row /= cell.shape[a];
  }
  const int last = cell.dimension - 1;
  for (int64_t i = 0; i < cell.shape[last]; ++i) {
    pixel[last] = i;
    out[i] = static_cast<Label>(exact_label(cell, pixel, nullptr, count));
  }
}

template <class Label>
bool assign_all(const Tessellations& t, const CallOptions& options, Label* labels) {
  const int64_t length = t.shape[t.dimension - 1];
  int64_t rows = 1;
  for (int a = 0; a + 1 < t.dimension; ++a) rows *= t.shape[a];
  const auto body = [&](int, int64_t index) {
    const int64_t b = index / rows;
    const ExactCell cell{t.sites + b * t.count * t.dimension, t.weights + b * t.count, t.shape,
                         t.dimension, t.metric, t.periodic};
    assign_row(cell, index % rows, t.count, labels + index * length);
  };
  return parallel_for(t.batch * rows, options.threads, body, [&] {
    return options.interrupted && options.interrupted(options.context);
  });
}

}  // namespace

bool assign(const Tessellations& t, const CallOptions& options, LabelType type, void* labels) {
  switch (type) {
    case LabelType::uint8: return assign_all(t, options, static_cast<uint8_t*>(labels));
    case LabelType::uint16: return assign_all(t, options, static_cast<uint16_t*>(labels));
    default: return assign_all(t, options, static_cast<int32_t*>(labels));
  }
}

}  // namespace pearlite
