// Phases from fields: each in its turn takes its number of the largest pixels that are free.
#pragma once
#include <cstdint>

namespace pearlite {

struct LargestProblem {
  int64_t count = 0;                // images
  int64_t size = 0;                 // pixels of one
  int turns = 0;                    // phases that choose
  const float* fields = nullptr;    // (count, turns, size): finite
  const uint8_t* phases = nullptr;  // (turns + 1): those that choose, and the one that has the rest
  const int64_t* numbers = nullptr; // (turns): pixels of each
  int threads = 1;
  bool (*interrupted)(void*) = nullptr;
};

// labels: (count, size). Of equal pixels the first ones are taken. False if interrupted.
bool largest(const LargestProblem& problem, uint8_t* labels);

}  // namespace pearlite
