// Evaluates score networks without Python, for the sanitizers: many sizes, widths, depths and
// threads. Images and scores are as long as they have to be and no longer, so that an access beyond
// their ends is seen. What the scores are is tested from Python; here they are the same for any
// threads and batch.
#include <cmath>
#include <cstdio>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "corrector.hpp"
#include "score/network.hpp"

namespace {

using namespace pearlite;

int failures = 0;

// Numbers from −1 to 1 that are the same everywhere.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed * 2654435761u + 1) {}
  float operator()() {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return float(double(state_ >> 11) * 0x1p-52 - 1);
  }
  std::vector<float> operator()(int64_t count) {
    std::vector<float> values(std::size_t(count), 0.f);
    for (float& value : values) value = (*this)();
    return values;
  }

 private:
  uint64_t state_;
};

ScoreNetwork network(int64_t inputs, int64_t channels, int levels) {
  Random random{uint64_t(channels)};
  std::vector<std::vector<float>> kept;
  std::vector<ScoreTensors> tensors;
  const auto some = [&](int64_t count) {
    kept.push_back(random(count));
    return kept.back().data();  // which stays where it is when `kept` grows
  };
  for (const ScoreStep& step : score_steps(inputs, channels, levels)) {
    const int64_t taps = step.kind == ScoreKind::conv ? 9 : step.kind == ScoreKind::merge ? 2 : 4;
    ScoreTensors own;
    own.weight = some(step.inputs * step.outputs * taps);
    for (const float** tensor : {&own.bias, &own.alpha, &own.gamma, &own.beta, &own.slope})
      *tensor = some(step.outputs);
    tensors.push_back(own);
  }
  return ScoreNetwork(inputs, channels, levels, tensors);
}

std::vector<float> evaluate(const ScoreNetwork& net, ScoreProblem problem, int64_t first,
                            int64_t count, int threads) {
  const int64_t size = net.inputs() * problem.n0 * problem.n1;
  const std::vector<float> image(problem.image + first * size,
                                 problem.image + (first + count) * size);
  const std::vector<float> sigma(std::size_t(count), 0.5f);
  std::vector<float> score(image.size());
  problem.image = image.data();
  problem.sigma = sigma.data();
  problem.batch = count;
  problem.threads = threads;
  if (!net.evaluate(problem, score.data())) ++failures;
  return score;
}

void same(const ScoreNetwork& net, int64_t n0, int64_t n1, bool periodic, int threads) {
  ScoreProblem problem;
  problem.n0 = n0;
  problem.n1 = n1;
  problem.periodic = periodic;
  const std::vector<float> image = Random(7)(3 * net.inputs() * n0 * n1);
  problem.image = image.data();
  const std::vector<float> all = evaluate(net, problem, 0, 3, threads);
  for (int64_t k = 0; k < 3; ++k) {
    const std::vector<float> one = evaluate(net, problem, k, 1, k == 0 ? threads : 1);
    bool good = std::memcmp(one.data(), all.data() + k * int64_t(one.size()),
                            one.size() * sizeof(float)) == 0;
    for (const float value : one) good = good && std::isfinite(value);
    if (good) continue;
    std::fprintf(stderr, "failed: %ld x %ld, periodic %d, %d threads\n", long(n0), long(n1),
                 periodic, threads);
    ++failures;
  }
}

void sizes() {
  for (const int levels : {1, 3})
    for (const int64_t channels : {2, 6, 15}) {
      const ScoreNetwork net = network(levels, channels, levels);
      const int64_t step = int64_t(1) << levels;
      for (const int64_t n0 : {step, 16 + step})
        for (const int64_t n1 : {step, 64 + step, 128 + 2 * step})
          for (const bool periodic : {true, false}) same(net, n0, n1, periodic, 1);
    }
}

void threads() {
  const ScoreNetwork net = network(1, 7, 2);
  for (const bool periodic : {true, false}) {
    same(net, 40, 72, periodic, 2);
    same(net, 32, 200, periodic, 4);
  }
  std::vector<std::thread> team;
  for (int k = 0; k < 4; ++k)
    team.emplace_back([&net, k] { same(net, 8 + 4 * k, 60 - 8 * k, true, 2); });
  for (std::thread& thread : team) thread.join();
}

}  // namespace

int main(int count, char** words) {
  const bool only_threads = count > 1 && std::string(words[1]) == "threads";
  if (!only_threads) sizes();
  threads();
  std::printf("scores on %s: %d failures\n", instruction_set(), failures);
  return failures > 0;
}
