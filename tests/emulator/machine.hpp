// A card that runs one block after the other, each thread of a block on a fiber of its own. With
// PEARLITE_EMULATOR_THREADS each has a thread of the operating system instead, and two blocks run at a
// time, so that ThreadSanitizer sees what nothing orders.
#pragma once
#include <stdint.h>
#include <string.h>

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace emulator {

struct dim3 {
  unsigned int x = 1, y = 1, z = 1;
};

constexpr int warp_size = 32;

// Why a thread does not go on, and where. `line` 0: at no such place.
enum class Wait { none, barrier, warp };

struct Thread {
  dim3 index, block_index, block_size, grid_size;
  int rank = 0;  // in its block
  Wait wait = Wait::none;
  int line = 0;
  unsigned int mask = 0;
  bool done = false;
  uint64_t given = 0;  // to the warp, or to a barrier that reduces
  uint64_t* taken = nullptr;  // (32): what its warp gave
};

struct Launch {
  dim3 grid, block;
  std::size_t shared = 0;
  void (*body)(const void*) = nullptr;
  const void* arguments = nullptr;
  unsigned int order = 0;  // of blocks and threads: 0 ascending, 1 descending, else shuffled by it
};

// Dynamic shared memory of a block, of which nothing may be read before it is written. AddressSanitizer
// knows where it ends; without it, what lies beyond is looked at when the block has ended.
class SharedMemory {
 public:
  explicit SharedMemory(std::size_t bytes)
      : bytes_(bytes), base_(static_cast<unsigned char*>(std::malloc(bytes + 2 * guard))) {
    if (!base_) std::abort();
    std::memset(base_, 0xa5, guard);
    std::memset(base_ + guard, 0xff, bytes);
    std::memset(base_ + guard + bytes, 0xa5, guard);
  }
  SharedMemory(const SharedMemory&) = delete;
  ~SharedMemory() { std::free(base_); }
  unsigned char* get() const { return base_ + guard; }
  bool overrun() const {
    for (std::size_t i = 0; i < guard; ++i)
      if (base_[i] != 0xa5 || base_[guard + bytes_ + i] != 0xa5) return true;
    return false;
  }

 private:
#if defined(__SANITIZE_ADDRESS__)
  static constexpr std::size_t guard = 0;
#else
  static constexpr std::size_t guard = 256;
#endif
  std::size_t bytes_;
  unsigned char* base_;
};

Thread& thread();
unsigned char* shared_memory();
// Ends the launch; does not return where threads are fibers.
void fail(const std::string& message);
// Waits for the block, or the threads of a mask in this warp.
void wait_block(int line);
void wait_warp(int line, unsigned int mask);
bool block_or(int line, bool p);

inline int lane() { return thread().rank % warp_size; }
inline int below_32(int lane_wished) { return lane_wished < warp_size ? lane_wished : lane(); }
inline int not_negative(int lane_wished) { return lane_wished >= 0 ? lane_wished : lane(); }
inline unsigned int mask_of(unsigned int mask = 0xffffffffu) { return mask; }

inline void barrier(int line) { wait_block(line); }
inline int barrier_or(int line, bool p) { return block_or(line, p); }

// The lanes of a warp that exist, of the mask.
inline unsigned int existing(unsigned int mask) {
  const dim3 size = thread().block_size;
  const int threads = int(size.x * size.y * size.z), first = thread().rank - lane();
  const unsigned int there = threads - first >= warp_size ? 0xffffffffu : (1u << (threads - first)) - 1;
  if (mask & ~there) fail("a warp's mask names lanes that the block has not");
  if (!(mask >> lane() & 1)) fail("a thread takes part in an operation whose mask leaves it out");
  return mask & there;
}

inline void sync_warp(int line, unsigned int mask) {
  // Alone it may name all lanes of a warp that has fewer.
  const dim3 size = thread().block_size;
  const int left = int(size.x * size.y * size.z) - (thread().rank - lane());
  wait_warp(line, existing(left >= warp_size ? mask : mask & ((1u << left) - 1)));
}

template <class T>
T shuffle(int line, unsigned int mask, T value, int from) {
  static_assert(sizeof(T) <= 8, "");
  Thread& self = thread();
  self.given = 0;
  std::memcpy(&self.given, &value, sizeof value);
  wait_warp(line, existing(mask));
  if (!(mask >> from & 1)) fail("a shuffle reads lane " + std::to_string(from) + ", which its mask leaves out");
  std::memcpy(&value, &self.taken[from], sizeof value);
  return value;
}

inline unsigned int ballot(int line, unsigned int mask, bool p) {
  Thread& self = thread();
  self.given = p;
  wait_warp(line, existing(mask));
  unsigned int votes = 0;
  for (int i = 0; i < warp_size; ++i)
    if (mask >> i & 1) votes |= (unsigned int)(self.taken[i] & 1) << i;
  return votes;
}

// Runs all blocks; -> what went wrong, or nothing.
std::string run(const Launch& launch);

// A kernel's arguments as a launch passes them: the address of each.
template <class... A, std::size_t... I>
std::string launch_with(void (*kernel)(A...), void* const* arguments, Launch launch, std::index_sequence<I...>) {
  const auto call = [&] { kernel(*static_cast<std::remove_reference_t<A>*>(arguments[I])...); };
  launch.arguments = &call;
  launch.body = [](const void* what) { (*static_cast<const decltype(call)*>(what))(); };
  return run(launch);
}

template <class... A>
int launch_kernel(void (*kernel)(A...), void* const* arguments, const unsigned int* sizes, std::size_t shared,
                  unsigned int order, char* message, std::size_t message_size) {
  Launch launch;
  launch.grid = {sizes[0], sizes[1], sizes[2]};
  launch.block = {sizes[3], sizes[4], sizes[5]};
  launch.shared = shared;
  launch.order = order;
  const std::string said = launch_with(kernel, arguments, launch, std::index_sequence_for<A...>());
  std::snprintf(message, message_size, "%s", said.c_str());
  return said.empty() ? 0 : 1;
}

template <class... A>
int parameter_sizes(void (*)(A...), std::size_t* sizes) {
  const std::size_t all[] = {sizeof(A)..., 0};
  for (std::size_t i = 0; i < sizeof...(A); ++i) sizes[i] = all[i];
  return int(sizeof...(A));
}

// The places of a run in its order.
inline std::vector<int> places(int count, unsigned int order) {
  std::vector<int> found(std::size_t(count), 0);
  for (int i = 0; i < count; ++i) found[std::size_t(i)] = order == 1 ? count - 1 - i : i;
  uint64_t state = order;
  for (int i = count - 1; order > 1 && i > 0; --i) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    std::swap(found[std::size_t(i)], found[std::size_t((state >> 33) % uint64_t(i + 1))]);
  }
  return found;
}

inline dim3 unravelled(uint64_t at, const dim3& size) {
  return {(unsigned int)(at % size.x), (unsigned int)(at / size.x % size.y), (unsigned int)(at / size.x / size.y)};
}

}  // namespace emulator

#if defined(PEARLITE_EMULATOR_THREADS)
#include "threads.hpp"
#else
#include "fibers.hpp"
#endif
