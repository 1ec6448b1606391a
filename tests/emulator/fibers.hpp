// Threads of a block as fibers: one runs until it waits, then the next. When all wait, what they wait for
// is let happen if they agree on it; if they do not, the launch ends with a report.
#pragma once
#include <sys/mman.h>

#include <memory>

#include "machine.hpp"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#if !defined(__x86_64__)
#include <ucontext.h>
#endif

namespace emulator {

constexpr std::size_t stack_bytes = 256 * 1024;

// A stack, and what to continue on it.
struct Context {
#if defined(__x86_64__)
  void* pointer = nullptr;
#else
  ucontext_t registers;
#endif
  void* stack = nullptr;
  void* fake = nullptr;  // AddressSanitizer's own
};

#if defined(__x86_64__)
// Keeps the registers that a call leaves alone on the stack, and takes those of another stack.
extern "C" void emulator_switch(void** from, void* to);
__asm__(R"(
.pushsection .text
.weak emulator_switch
.type emulator_switch, @function
emulator_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size emulator_switch, .-emulator_switch
.popsection
)");
#endif

struct Fiber;
struct Scheduler;
inline Scheduler*& scheduler() {
  static thread_local Scheduler* now = nullptr;
  return now;
}

struct Fiber : Thread {
  Context context;
};

struct Scheduler {
  const Launch& launch;
  int threads;
  std::vector<Fiber> fibers;
  std::vector<uint64_t> taken;  // (warps, 32)
  std::vector<void*> stacks;    // to be used again
  std::unique_ptr<SharedMemory> shared;
  Fiber* current = nullptr;
  Context home;
  std::string failure;
  bool reduced = false;

  explicit Scheduler(const Launch& of)
      : launch(of), threads(int(of.block.x * of.block.y * of.block.z)), fibers(std::size_t(threads)),
        taken(std::size_t((threads + 31) / 32 * 32)) {}
  ~Scheduler() {
    for (Fiber& f : fibers)
      if (f.context.stack) stacks.push_back(f.context.stack);
    for (void* stack : stacks) {
#if defined(__SANITIZE_ADDRESS__)
      __asan_unpoison_memory_region(stack, stack_bytes);  // it would be whoever's has this place next
#endif
      munmap(stack, stack_bytes);
    }
  }

  static void entry() {
    finish_switch(nullptr);
    Scheduler& s = *scheduler();
    s.launch.body(s.launch.arguments);
    s.current->done = true;
    s.leave();
    std::abort();  // nobody goes on with a thread that is done
  }

  void change(Context& from, Context& to) {
#if defined(__SANITIZE_ADDRESS__)
    const void* bottom = to.stack ? to.stack : home_bottom;
    __sanitizer_start_switch_fiber(&from == &home || !current->done ? &from.fake : nullptr, bottom, to.stack ? stack_bytes : home_size);
#endif
#if defined(__x86_64__)
    emulator_switch(&from.pointer, to.pointer);
#else
    swapcontext(&from.registers, &to.registers);
#endif
    finish_switch(from.fake);
  }
  const void* home_bottom = nullptr;
  std::size_t home_size = 0;

  static void finish_switch([[maybe_unused]] void* fake) {
#if defined(__SANITIZE_ADDRESS__)
    Scheduler& s = *scheduler();
    const void* bottom;
    std::size_t size;
    __sanitizer_finish_switch_fiber(fake, &bottom, &size);
    if (!fake && !s.home_bottom) {
      s.home_bottom = bottom;
      s.home_size = size;
    }
#endif
  }

  void leave() { change(current->context, home); }

  void start(Fiber& f) {
    Context& c = f.context;
    if (!c.stack) {
      if (stacks.empty()) {
        void* fresh = mmap(nullptr, stack_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (fresh == MAP_FAILED) std::abort();
        stacks.push_back(fresh);
      }
      c.stack = stacks.back();
      stacks.pop_back();
    }
#if defined(__x86_64__)
    void** top = reinterpret_cast<void**>(static_cast<char*>(c.stack) + stack_bytes) - 1;
    *--top = reinterpret_cast<void*>(&Scheduler::entry);  // with the stack as after a call
    c.pointer = top - 6;
#else
    getcontext(&c.registers);
    c.registers.uc_stack.ss_sp = c.stack;
    c.registers.uc_stack.ss_size = stack_bytes;
    makecontext(&c.registers, &Scheduler::entry, 0);
#endif
  }

  // Lets one go on until it waits or is done.
  void resume(Fiber& f) {
    current = &f;
    change(home, f.context);
    if (f.done && failure.empty()) {  // the next thread may have its stack
      stacks.push_back(f.context.stack);
      f.context.stack = nullptr;
    }
  }

  void block(const dim3& index, const std::vector<int>& order) {
    shared.reset(new SharedMemory(launch.shared));
    for (int r = 0; r < threads; ++r) {
      Fiber& f = fibers[std::size_t(r)];
      static_cast<Thread&>(f) = Thread{};
      f.index = unravelled(uint64_t(r), launch.block);
      f.block_index = index;
      f.block_size = launch.block;
      f.grid_size = launch.grid;
      f.rank = r;
      f.taken = taken.data() + r / 32 * 32;
    }
    for (int r : order) {  // those that wait for nothing are done before the next begins
      start(fibers[std::size_t(r)]);
      resume(fibers[std::size_t(r)]);
      if (!failure.empty()) return;
    }
    for (;;) {
      bool any = false;
      for (int r : order) {
        Fiber& f = fibers[std::size_t(r)];
        if (f.done || f.wait != Wait::none) continue;
        any = true;
        resume(f);
        if (!failure.empty()) return;
      }
      if (any) continue;
      if (release_warps()) continue;
      if (!release_block()) return;
    }
  }

  bool release_warps() {
    bool released = false;
    for (Fiber& f : fibers) {
      if (f.done || f.wait != Wait::warp) continue;
      const int first = f.rank / 32 * 32;
      bool all = true;
      for (int i = 0; i < 32; ++i) {
        if (!(f.mask >> i & 1)) continue;
        const Fiber& other = fibers[std::size_t(first + i)];
        all = all && !other.done && other.wait == Wait::warp && other.line == f.line && other.mask == f.mask;
      }
      if (!all) continue;
      for (int i = 0; i < 32; ++i) {
        if (!(f.mask >> i & 1)) continue;
        Fiber& other = fibers[std::size_t(first + i)];
        other.taken[i] = other.given;
        if (&other != &f) other.wait = Wait::none;
      }
      f.wait = Wait::none;
      released = true;
    }
    return released;
  }

  // -> whether any thread is left to go on
  bool release_block() {
    const Fiber* waiting = nullptr;
    const Fiber* odd = nullptr;
    for (const Fiber& f : fibers) {
      if (!f.done && !waiting) waiting = &f;
    }
    if (!waiting) return false;
    for (const Fiber& f : fibers)
      if (f.done || f.wait != Wait::barrier || f.line != waiting->line) odd = &f;
    if (waiting->wait != Wait::barrier || odd) {
      report(*waiting, odd);
      return false;
    }
    reduced = false;
    for (const Fiber& f : fibers) reduced = reduced || f.given;
    for (Fiber& f : fibers) f.wait = Wait::none;
    return true;
  }

  static std::string told(const Fiber& f) {
    const std::string who = "thread " + std::to_string(f.rank);
    if (f.done) return who + " has ended";
    return who + (f.wait == Wait::barrier ? " waits at the barrier" : " waits for its warp") + " in line " +
           std::to_string(f.line);
  }
  void report(const Fiber& one, const Fiber* odd) {
    for (const Fiber& f : fibers)
      if (!odd || (odd == &one && &f != &one)) odd = &f;
    failure = std::string(one.wait == Wait::barrier ? "divergent barrier" : "divergent warp") + " in block (" +
              std::to_string(one.block_index.x) + ", " + std::to_string(one.block_index.y) + ", " +
              std::to_string(one.block_index.z) + "): " + told(one) + ", " + told(*odd);
  }
};

inline Thread& thread() { return *scheduler()->current; }
inline unsigned char* shared_memory() { return scheduler()->shared->get(); }

inline void fail(const std::string& message) {
  Scheduler& s = *scheduler();
  s.failure = message + " (thread " + std::to_string(s.current->rank) + ")";
  s.leave();
}

inline void wait_block(int line) {
  Scheduler& s = *scheduler();
  s.current->wait = Wait::barrier;
  s.current->line = line;
  s.current->given = 0;
  s.leave();
}

inline bool block_or(int line, bool p) {
  Scheduler& s = *scheduler();
  s.current->wait = Wait::barrier;
  s.current->line = line;
  s.current->given = p;
  s.leave();
  return s.reduced;
}

inline void wait_warp(int line, unsigned int mask) {
  Scheduler& s = *scheduler();
  s.current->wait = Wait::warp;
  s.current->line = line;
  s.current->mask = mask;
  s.leave();
}

inline std::string run(const Launch& launch) {
  Scheduler s(launch);
  Scheduler* const outer = scheduler();
  scheduler() = &s;
  const int blocks = int(launch.grid.x * launch.grid.y * launch.grid.z);
  const std::vector<int> order = places(s.threads, launch.order);
  for (int b : places(blocks, launch.order)) {
    s.block(unravelled(uint64_t(b), launch.grid), order);
    if (s.failure.empty() && s.shared->overrun())
      s.failure = "block " + std::to_string(b) + " wrote outside of its shared memory";
    if (!s.failure.empty()) break;
  }
  scheduler() = outer;
  return s.failure;
}

}  // namespace emulator
