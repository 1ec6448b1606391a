// Memory that one worker keeps from group to group.
#pragma once
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <utility>

#if defined(__linux__)
#include <sys/mman.h>
#endif
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

namespace pearlite {

// Zeroed at first, aligned to cache lines. Large ones ask for huge pages: sweeps over tens of
// megabytes would else miss the translation cache at every row.
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
  int64_t size() const { return size_; }

 private:
  static constexpr std::size_t page = std::size_t(2) << 20;

  void allocate(std::size_t bytes) {
#if defined(__linux__)
    if (bytes >= page / 2) return map(bytes);
#endif
    const std::size_t rounded = (bytes + 63) / 64 * 64;
    memory_ = static_cast<char*>(::operator new(rounded, std::align_val_t(64)));
    std::memset(memory_, 0, rounded);
  }

  void release() {
    if (mapped_ == 0) {
#if defined(__SANITIZE_ADDRESS__)
      if (memory_) __asan_unpoison_memory_region(memory_, static_cast<std::size_t>(size_));
#endif
      ::operator delete(memory_, std::align_val_t(64));
    }
#if defined(__linux__)
    else {
#if defined(__SANITIZE_ADDRESS__)
      __asan_unpoison_memory_region(mapping_, mapped_);
#endif
      munmap(mapping_, mapped_);
    }
#endif
    memory_ = nullptr;
    mapped_ = 0;
    size_ = 0;
  }

#if defined(__linux__)
  void map(std::size_t bytes) {
    mapping_ = mmap(nullptr, bytes + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapping_ == MAP_FAILED) throw std::bad_alloc();
    mapped_ = bytes + page;
    const auto address = reinterpret_cast<std::uintptr_t>(mapping_);
    memory_ = static_cast<char*>(mapping_) + (page - address % page) % page;
    madvise(memory_, bytes, MADV_HUGEPAGE);
  }
  void* mapping_ = nullptr;
#endif
  std::size_t mapped_ = 0;  // 0: what there is comes from the heap
  char* memory_ = nullptr;
  int64_t size_ = 0;
};

// The same, and the calling thread's next one takes it over as it is, unless it is large: the system takes
// as long to hand out and clear 10 MB as a core to solve a tenth of a cell that needs them.
class KeptWorkspace {
 public:
  KeptWorkspace() : own_(std::move(idle())) {
    if (!own_) own_ = std::make_unique<Workspace>();
  }
  KeptWorkspace(const KeptWorkspace&) = delete;
  KeptWorkspace& operator=(const KeptWorkspace&) = delete;
  ~KeptWorkspace() {
    if (own_->size() <= most) idle() = std::move(own_);
  }
  Workspace& get() { return *own_; }

 private:
  static constexpr int64_t most = int64_t(32) << 20;

  // Empty while it is in use: a signal's handler may call in between.
  static std::unique_ptr<Workspace>& idle() {
    thread_local std::unique_ptr<Workspace> workspace;
    return workspace;
  }
  std::unique_ptr<Workspace> own_;
};

}  // namespace pearlite
