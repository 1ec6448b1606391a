// What a running solve needs besides its numbers.
#pragma once
#include <atomic>
#include <chrono>
#include <thread>

#include "corrector.hpp"

#if defined(__SSE__)
#include <immintrin.h>
#endif

namespace pearlite {

// Values below the smallest normal number count as zero: corrections of an almost exact solution
// would otherwise take the processor's slow path.
class FlushToZero {
 public:
#if defined(__SSE__)
  FlushToZero() : saved_(_mm_getcsr()) { _mm_setcsr(saved_ | 0x8040); }
  ~FlushToZero() { _mm_setcsr(saved_); }

 private:
  unsigned saved_;
#endif
};

// Asks the caller's `interrupted` a few times a second, on the calling thread only.
class Interrupt {
 public:
  explicit Interrupt(const SolveOptions& options) : options_(options), caller_(std::this_thread::get_id()) {}

  bool operator()() {
    using namespace std::chrono;
    if (options_.interrupted && std::this_thread::get_id() == caller_) {
      const auto now = steady_clock::now();
      if (now - last_ > milliseconds(50)) {
        last_ = now;
        if (options_.interrupted(options_.context)) stopped_ = true;
      }
    }
    return stopped_;
  }
  static bool ask(void* self) { return (*static_cast<Interrupt*>(self))(); }

 private:
  const SolveOptions& options_;
  std::thread::id caller_;
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
  std::atomic<bool> stopped_{false};
};

}  // namespace pearlite
