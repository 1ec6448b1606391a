// A score network with its weights packed for this processor's kernels.
#pragma once
#include <memory>
#include <mutex>
#include <vector>

#include "score/score.hpp"
#include "workspace.hpp"

namespace pearlite {

// A layer's tensors as torch lays them out; those of the norm are null for the last layer.
struct ScoreTensors {
  const float* weight = nullptr;  // (outputs, inputs, k, k), of `up` (inputs, outputs, 2, 2)
  const float* bias = nullptr;    // (outputs), as the following
  const float *alpha = nullptr, *gamma = nullptr, *beta = nullptr, *slope = nullptr;
};

struct ScoreProblem {
  int64_t batch = 1, n0 = 1, n1 = 1;  // multiples of 2^levels
  const float* image = nullptr;       // (batch, inputs, n0, n1)
  const float* sigma = nullptr;       // (batch)
  bool periodic = false;
  int threads = 1;
  bool (*interrupted)(void*) = nullptr;
};

// A layer in its place: what it reads and where it leaves its values.
struct ScoreStep {
  ScoreKind kind = ScoreKind::conv;
  int64_t inputs = 0, outputs = 0;  // channels of each source, and of the result
  int level = 0, to_level = 0;      // of the source, and of the result
  int source[2] = {-1, -1};         // steps whose values are read; −1: the image
  int slot = 0;                     // of the memory of to_level
  std::vector<float> packed;        // weights
  std::vector<float> bias, alpha, gamma, beta, slope;
};

class ScoreNetwork {
 public:
  // tensors: one for each layer, in the order of `steps`.
  ScoreNetwork(int64_t inputs, int64_t channels, int levels,
               const std::vector<ScoreTensors>& tensors);

  static std::size_t layer_count(int levels);
  // score: (batch, inputs, n0, n1). Any number of calls may run at a time. False if interrupted.
  bool evaluate(const ScoreProblem& problem, float* score) const;

  int64_t inputs() const { return inputs_; }
  int levels() const { return levels_; }

 private:
  friend class ScoreCall;
  using Memory = std::unique_ptr<Workspace>;
  // Memory outlives a call, for its pages take as long to get as a small image.
  Memory take() const;
  void give(Memory memory) const;

  int64_t inputs_;
  int levels_;
  std::vector<ScoreStep> steps_;
  mutable std::mutex guard_;
  mutable std::vector<Memory> idle_;
};

// The layers of a network, in order, without weights.
std::vector<ScoreStep> score_steps(int64_t inputs, int64_t channels, int levels);
// Fills in a step's weights.
void pack(const ScoreTensors& tensors, ScoreStep& step);

}  // namespace pearlite
