// The layers of a network in order, and their weights as the kernels read them.
#include <algorithm>
#include <cmath>

#include "score/network.hpp"

namespace pearlite {
namespace {

// How often a 3×3 convolution stands on each side of a level.
int repeats(int level) { return level == 0 ? 2 : 1; }

class Plan {
 public:
  Plan(int64_t inputs, int64_t channels) : inputs_(inputs), channels_(channels) {}

  // A layer that reads `first` (and `second`), and writes where neither they nor `kept` are. What
  // merges may take the place of `first`: a row is read before it is written.
  int add(ScoreKind kind, int level, int to_level, int first, int second = -1, int kept = -1) {
    ScoreStep step;
    step.kind = kind;
    step.inputs = first < 0 ? inputs_ : channels_;
    step.outputs = channels_;
    step.level = level;
    step.to_level = to_level;
    step.source[0] = first;
    step.source[1] = second;
    const auto used = [&](int slot) {
      for (const int other : {kind == ScoreKind::merge ? -1 : first, second, kept})
        if (other >= 0 && steps[std::size_t(other)].to_level == to_level &&
            steps[std::size_t(other)].slot == slot)
          return true;
      return false;
    };
    while (used(step.slot)) ++step.slot;
    steps.push_back(step);
    return int(steps.size()) - 1;
  }
  int convolve(int level, int from, int count) {
    for (int k = 0; k < count; ++k) from = add(ScoreKind::conv, level, level, from);
    return from;
  }

  std::vector<ScoreStep> steps;

 private:
  int64_t inputs_, channels_;
};

// G of winograd.hpp: (6, 3).
void weight_transform(double (&g)[6][3]) {
  const double points[5] = {0, std::sqrt(0.5), -std::sqrt(0.5), std::sqrt(2.), -std::sqrt(2.)};
  for (int i = 0; i < 5; ++i) {
    double product = 1;
    for (int j = 0; j < 5; ++j)
      if (j != i) product *= points[i] - points[j];
    for (int k = 0; k < 3; ++k) g[i][k] = std::pow(points[i], k) / product;
  }
  for (int k = 0; k < 3; ++k) g[5][k] = k == 2;
}

// G g Gᵀ of one pair of channels: (36).
void transform(const float* weight, double* out) {
  double g[6][3];
  weight_transform(g);
  for (int i = 0; i < 6; ++i)
    for (int j = 0; j < 6; ++j) {
      double sum = 0;
      for (int k = 0; k < 3; ++k)
        for (int l = 0; l < 3; ++l) sum += g[i][k] * double(weight[3 * k + l]) * g[j][l];
      out[6 * i + j] = sum;
    }
}

// packed: blocks of outputs (blocks, count, depth, size), where value(o, k, values) gives the
// `count` weights of an output and one of the values that enter it.
template <class Value>
std::vector<float> packed(int64_t outputs, int64_t depth, int count, const Value& value) {
  const int64_t size = score_block(outputs, score_kernels().block);
  std::vector<float> to(std::size_t(outputs * depth * count));
  double values[positions];
  for (int64_t o = 0; o < outputs; ++o)
    for (int64_t k = 0; k < depth; ++k) {
      const int64_t first = o / size * size, own = std::min(size, outputs - first);
      value(o, k, values);
      for (int p = 0; p < count; ++p)
        to[std::size_t((first * count + p * own) * depth + k * own + o - first)] = float(values[p]);
    }
  return to;
}

}  // namespace

std::vector<ScoreStep> score_steps(int64_t inputs, int64_t channels, int levels) {
  Plan plan(inputs, channels);
  std::vector<int> skips;
  int last = plan.add(ScoreKind::conv, 0, 0, -1);
  for (int level = 0; level < levels; ++level) {
    skips.push_back(last = plan.convolve(level, last, repeats(level)));
    last = plan.add(ScoreKind::down, level, level + 1, last);
  }
  last = plan.convolve(levels, last, 2);
  for (int level = levels - 1; level >= 0; --level) {
    const int skip = skips[std::size_t(level)];
    last = plan.add(ScoreKind::up, level + 1, level, last, -1, skip);
    last = plan.add(ScoreKind::merge, level, level, last, skip);
    last = plan.convolve(level, last, repeats(level));
  }
  plan.add(ScoreKind::conv, 0, 0, last);
  plan.steps.back().outputs = inputs;
  return plan.steps;
}

void pack(const ScoreTensors& tensors, ScoreStep& step) {
  const float* w = tensors.weight;
  const int64_t inputs = step.inputs, outputs = step.outputs;
  switch (step.kind) {
    case ScoreKind::conv:
      step.packed = packed(outputs, inputs, positions, [&](int64_t o, int64_t k, double* to) {
        transform(w + (o * inputs + k) * 9, to);
      });
      break;
    case ScoreKind::merge:
      step.packed = packed(outputs, 2 * inputs, 1,
                           [&](int64_t o, int64_t k, double* to) { *to = w[o * 2 * inputs + k]; });
      break;
    case ScoreKind::down:
      step.packed = packed(outputs, 4 * inputs, 1,
                           [&](int64_t o, int64_t k, double* to) { *to = w[o * 4 * inputs + k]; });
      break;
    case ScoreKind::up:
      step.packed = packed(outputs, inputs, 4, [&](int64_t o, int64_t k, double* to) {
        std::copy_n(w + (k * outputs + o) * 4, 4, to);
      });
  }
  const auto copy = [&](const float* from) {
    return from ? std::vector<float>(from, from + outputs) : std::vector<float>();
  };
  step.bias = copy(tensors.bias);
  step.alpha = copy(tensors.alpha);
  step.gamma = copy(tensors.gamma);
  step.beta = copy(tensors.beta);
  step.slope = copy(tensors.slope);
}

}  // namespace pearlite
