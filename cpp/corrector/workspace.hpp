// Memory that one worker keeps from group to group.
#pragma once
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>

#if defined(__linux__)
#include <sys/mman.h>
#endif
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

namespace pearlite {

// Zeroed at first, aligned to cache lines. It asks for huge pages: sweeps over tens of megabytes
// would else miss the translation cache at every row.
class Workspace {
 public:
  Workspace() = default;
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;
  ~Workspace() { release(); }

  void* get(int64_t bytes) {
    if (bytes > size_) {
      release();
      allocate(static_cast<std::size_t>(bytes));
      size_ = bytes;
    }
    return memory_;
  }

 private:
#if defined(__linux__)
  static constexpr std::size_t page = std::size_t(2) << 20;

  void allocate(std::size_t bytes) {
    mapped_ = bytes + page;
    mapping_ = mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapping_ == MAP_FAILED) {
      mapping_ = nullptr;
      throw std::bad_alloc();
    }
    const auto address = reinterpret_cast<std::uintptr_t>(mapping_);
    memory_ = static_cast<char*>(mapping_) + (page - address % page) % page;
    madvise(memory_, bytes, MADV_HUGEPAGE);
  }
  void release() {
#if defined(__SANITIZE_ADDRESS__)
    if (mapping_) __asan_unpoison_memory_region(mapping_, mapped_);
#endif
    if (mapping_) munmap(mapping_, mapped_);
    mapping_ = nullptr;
    size_ = 0;
  }
  void* mapping_ = nullptr;
  std::size_t mapped_ = 0;
#else
  void allocate(std::size_t bytes) {
    const std::size_t rounded = (bytes + 63) / 64 * 64;
    memory_ = static_cast<char*>(::operator new(rounded, std::align_val_t(64)));
    std::memset(memory_, 0, rounded);
  }
  void release() {
    ::operator delete(memory_, std::align_val_t(64));
    memory_ = nullptr;
    size_ = 0;
  }
#endif
  char* memory_ = nullptr;
  int64_t size_ = 0;
};

}  // namespace pearlite
