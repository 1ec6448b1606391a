// Threads of a block as threads of the operating system, for ThreadSanitizer. What orders them is what
// orders them on a card, and no more: barriers, and what a warp does together. Two blocks run at a time.
// Divergence is left to the fibers, which find it where this would wait for ever.
#pragma once
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>

#include "machine.hpp"

namespace emulator {

// Where `count` threads meet; what they give is taken by all before any of them can meet again.
class Meeting {
 public:
  void meet(int count, const uint64_t* give, int place, uint64_t* take) {
    std::unique_lock<std::mutex> lock(mutex_);
    if (give) given_[place] = *give;
    const unsigned int turn = turn_;
    if (++arrived_ < count) {
      changed_.wait(lock, [&] { return turn_ != turn; });
    } else {
      arrived_ = 0;
      ++turn_;
      std::memcpy(shown_[turn_ % 2], given_, sizeof given_);
      any_[turn_ % 2] = votes_;
      votes_ = false;
      changed_.notify_all();
    }
    if (take) std::memcpy(take, shown_[(turn + 1) % 2], sizeof given_);
  }
  bool meet_or(int count, bool p) {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      votes_ = votes_ || p;
    }
    meet(count, nullptr, 0, nullptr);
    std::lock_guard<std::mutex> lock(mutex_);
    return any_[turn_ % 2];
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int arrived_ = 0;
  unsigned int turn_ = 0;
  bool votes_ = false, any_[2] = {};
  uint64_t given_[warp_size] = {}, shown_[2][warp_size] = {};
};

struct Block {
  explicit Block(std::size_t shared_bytes, int count)
      : shared(shared_bytes), threads(count), warps(std::size_t((count + 31) / 32)) {}
  SharedMemory shared;
  int threads;
  Meeting all;
  std::vector<Meeting> warps;
};

struct Worker : Thread {
  Block* block = nullptr;
  uint64_t values[warp_size] = {};
};

inline Worker*& worker() {
  static thread_local Worker* now = nullptr;
  return now;
}

inline Thread& thread() { return *worker(); }
inline unsigned char* shared_memory() { return worker()->block->shared.get(); }
inline void fail(const std::string& message) {
  std::fprintf(stderr, "emulator: %s (thread %d)\n", message.c_str(), worker()->rank);
  std::abort();
}
inline void wait_block(int) {
  Block& b = *worker()->block;
  b.all.meet(b.threads, nullptr, 0, nullptr);
}
inline bool block_or(int, bool p) {
  Block& b = *worker()->block;
  return b.all.meet_or(b.threads, p);
}
inline void wait_warp(int, unsigned int mask) {
  Worker& w = *worker();
  w.block->warps[std::size_t(w.rank / 32)].meet(__builtin_popcount(mask), &w.given, w.rank % 32, w.values);
}

inline std::string run(const Launch& launch) {
  const int threads = int(launch.block.x * launch.block.y * launch.block.z);
  const int blocks = int(launch.grid.x * launch.grid.y * launch.grid.z);
  std::vector<std::unique_ptr<Block>> all;
  for (int b = 0; b < blocks; ++b) all.emplace_back(new Block(launch.shared, threads));
  const std::vector<int> order = places(blocks, launch.order);
  const auto work = [&](int rank, int first) {
    Worker self;
    worker() = &self;
    for (int i = first; i < blocks; i += 2) {
      static_cast<Thread&>(self) = Thread{};
      self.index = unravelled(uint64_t(rank), launch.block);
      self.block_index = unravelled(uint64_t(order[std::size_t(i)]), launch.grid);
      self.block_size = launch.block;
      self.grid_size = launch.grid;
      self.rank = rank;
      self.taken = self.values;
      self.block = all[std::size_t(i)].get();
      launch.body(launch.arguments);
    }
  };
  std::vector<std::thread> running;
  for (int first = 0; first < 2 && first < blocks; ++first)
    for (int rank = 0; rank < threads; ++rank) running.emplace_back(work, rank, first);
  for (std::thread& t : running) t.join();
  return "";
}

}  // namespace emulator
