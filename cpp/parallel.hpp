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

// Threads that meet between the phases of one call. They spin while they wait, for a phase lasts
// microseconds, and let others run if it lasts longer.
class Barrier {
 public:
  explicit Barrier(int threads) : threads_(threads) {}

  void wait() {
    const int64_t phase = phase_.load(std::memory_order_acquire);
    if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == threads_) {
      arrived_.store(0, std::memory_order_relaxed);
      phase_.store(phase + 1, std::memory_order_release);
      return;
    }
    for (int64_t spins = 0; phase_.load(std::memory_order_acquire) == phase; ++spins)
      if (spins > 2000) std::this_thread::yield();
  }

 private:
  const int threads_;
  std::atomic<int> arrived_{0};
  std::atomic<int64_t> phase_{0};
};

// Calls body(worker, threads, barrier) on `threads` threads at once, of which the caller is worker 0;
// fewer, if the system has no more. A body must not throw, since others would wait for it for ever.
template <class Body>
void team(int threads, const Body& body) {
  if (threads <= 1) {
    Barrier alone(1);
    body(0, 1, alone);
    return;
  }
  std::atomic<int> count{0};  // 0: not known yet
  std::atomic<Barrier*> barrier{nullptr};
  std::vector<std::thread> members;
  members.reserve(static_cast<std::size_t>(threads - 1));
  const auto work = [&](int worker) {
    while (!barrier.load(std::memory_order_acquire)) std::this_thread::yield();
    body(worker, count.load(), *barrier.load());
  };
  try {
    for (int i = 1; i < threads; ++i) members.emplace_back(work, i);
  } catch (const std::system_error&) {
  }
  count = static_cast<int>(members.size()) + 1;
  Barrier shared(count);
  barrier.store(&shared, std::memory_order_release);
  body(0, count, shared);
  for (std::thread& member : members) member.join();
}

}  // namespace pearlite
