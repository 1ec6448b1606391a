// Threads for one call: they are started for it and joined before it returns, so that nothing is
// left running when the process forks.
#pragma once
#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace pearlite {

// Calls body(worker, index) for index in [0, count), in any order, on `threads` threads of which
// the caller is worker 0. stop() is polled by every worker between its indices; once it is true, or
// a body has thrown, no further index is started. Returns false if stop() stopped it; rethrows what
// was thrown.
template <class Body, class Stop>
bool parallel_for(int64_t count, int threads, const Body& body, const Stop& stop) {
  std::atomic<int64_t> next{0};
  std::atomic<bool> stopped{false}, failed{false};
  std::exception_ptr thrown;
  std::mutex guard;
  const auto work = [&](int worker) {
    try {
      while (!failed && !stopped) {
        const int64_t index = next.fetch_add(1, std::memory_order_relaxed);
        if (index >= count) break;
        body(worker, index);
        if (stop()) stopped = true;
      }
    } catch (...) {
      const std::lock_guard<std::mutex> lock(guard);
      if (!thrown) thrown = std::current_exception();
      failed = true;
    }
  };
  std::vector<std::thread> team;
  const int64_t helpers = std::min<int64_t>(threads, count) - 1;
  team.reserve(static_cast<std::size_t>(std::max<int64_t>(helpers, 0)));  // what throws later leaves no thread behind
  try {
    for (int64_t i = 0; i < helpers; ++i) team.emplace_back(work, static_cast<int>(i) + 1);
  } catch (const std::system_error&) {
    // The system has no more threads: the ones that started do the work.
  }
  work(0);
  for (std::thread& thread : team) thread.join();
  if (thrown) std::rethrow_exception(thrown);
  return !stopped;
}

// Calls body(worker, phase, piece) for the pieces [0, counts[phase]) of each phase, in any order, on
// `threads` threads of which the caller is worker 0. A phase begins when all of the one before is
// done. Whoever is free takes the next piece, and a thread that starts late is not waited for: for
// phases of microseconds that is what matters. A body must not throw.
template <class Body>
void phased_for(const std::vector<int64_t>& counts, int threads, const Body& body) {
  struct Phase {
    std::atomic<int64_t> next{0}, done{0};
  };
  std::vector<Phase> phases(counts.size());
  const auto work = [&](int worker) {
    for (std::size_t k = 0; k < counts.size(); ++k) {
      int64_t finished = 0;
      for (int64_t piece; (piece = phases[k].next.fetch_add(1, std::memory_order_relaxed)) < counts[k]; ++finished)
        body(worker, static_cast<int>(k), piece);
      if (finished) phases[k].done.fetch_add(finished, std::memory_order_acq_rel);
      for (int spins = 0; phases[k].done.load(std::memory_order_acquire) < counts[k]; ++spins)
        if (spins > 2000) std::this_thread::yield();
    }
  };
  std::vector<std::thread> team;
  team.reserve(static_cast<std::size_t>(std::max(threads - 1, 0)));
  try {
    for (int worker = 1; worker < threads; ++worker) team.emplace_back(work, worker);
  } catch (const std::system_error&) {
    // The system has no more threads: the ones that started do the work.
  }
  work(0);
  for (std::thread& thread : team) thread.join();
}

}  // namespace pearlite
