// Threads that stay for one call and share phases of tens of microseconds.
#pragma once
#include <atomic>
#include <cstdint>
#include <system_error>
#include <thread>
#include <vector>

#include "corrector/running.hpp"
#include "voxels/task.hpp"

namespace pearlite {

class Team {
 public:
  explicit Team(int threads) {
    try {
      for (int k = 1; k < threads; ++k) members_.emplace_back([this] { serve(); });
    } catch (const std::system_error&) {
      // The system has no more threads: the ones that started do the work.
    }
  }
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;
  ~Team() {
    leave_ = true;
    phase_.fetch_add(1, std::memory_order_release);
    for (std::thread& member : members_) member.join();
  }

  VoxelTeam handle() { return {members_.empty() ? nullptr : run, this, int(members_.size()) + 1}; }

 private:
  using Body = void (*)(void* context, int64_t piece);

  static void run(void* self, int64_t count, Body body, void* context) {
    static_cast<Team*>(self)->share(count, body, context);
  }

  void share(int64_t count, Body body, void* context) {
    body_ = body;
    context_ = context;
    count_ = count;
    next_.store(0, std::memory_order_relaxed);
    busy_.store(static_cast<int>(members_.size()), std::memory_order_relaxed);
    phase_.fetch_add(1, std::memory_order_release);
    work();
    wait([this] { return busy_.load(std::memory_order_acquire) == 0; });
  }

  void work() {
    for (int64_t piece; (piece = next_.fetch_add(1, std::memory_order_relaxed)) < count_;) body_(context_, piece);
  }

  void serve() {
    const FlushToZero flush;
    for (int64_t seen = 0;;) {
      wait([&] { return phase_.load(std::memory_order_acquire) != seen; });
      ++seen;
      if (leave_) return;
      work();
      busy_.fetch_sub(1, std::memory_order_release);
    }
  }

  template <class Done>
  static void wait(const Done& done) {
    for (int spins = 0; !done(); ++spins)
      if (spins > 1000) std::this_thread::yield();
  }

  Body body_ = nullptr;
  void* context_ = nullptr;
  int64_t count_ = 0;
  std::atomic<int64_t> next_{0}, phase_{0};
  std::atomic<int> busy_{0};
  std::atomic<bool> leave_{false};
  std::vector<std::thread> members_;
};

}  // namespace pearlite
