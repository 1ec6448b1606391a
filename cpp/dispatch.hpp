// Which instruction set the kernels use: the best one that this processor has, or the one that the
// environment variable PEARLITE_ISA names (base, x86-64-v3 or x86-64-v4) if the processor has it.
// Static functions: files compiled for one set include this, and shall not lend their copy to others.
#pragma once
#include <cstdlib>
#include <cstring>

namespace pearlite {

enum class Isa { base, v3, v4 };

static inline bool supported(Isa isa) {
#if defined(PEARLITE_X86_64_LEVELS)
  __builtin_cpu_init();
  if (isa == Isa::v4) return __builtin_cpu_supports("x86-64-v4");
  if (isa == Isa::v3) return __builtin_cpu_supports("x86-64-v3");
#endif
  return isa == Isa::base;
}

static inline Isa chosen_isa() {
  const Isa all[] = {Isa::v4, Isa::v3, Isa::base};
  const char* const names[] = {"x86-64-v4", "x86-64-v3", "base"};
  const char* wanted = std::getenv("PEARLITE_ISA");
  for (int k = 0; k < 3; ++k)
    if (wanted && std::strcmp(wanted, names[k]) == 0 && supported(all[k])) return all[k];
  for (const Isa isa : all)
    if (supported(isa)) return isa;
  return Isa::base;
}

static inline const char* name_of(Isa isa) {
  return isa == Isa::v4 ? "x86-64-v4" : isa == Isa::v3 ? "x86-64-v3" : "base";
}

// A table of kernels, one for each instruction set. PEARLITE_DECLARE_KERNELS(Kernels, kernels) declares
// `const Kernels& kernels()`, those of the chosen set; a file compiled for each set defines
// `extern const Kernels kernels_table` in namespace PEARLITE_ISA.
#if defined(PEARLITE_X86_64_LEVELS)
#define PEARLITE_DECLARE_KERNELS(Type, name)            \
  namespace base { extern const Type name##_table; }    \
  namespace v3 { extern const Type name##_table; }      \
  namespace v4 { extern const Type name##_table; }      \
  static inline const Type& name() {                        \
    static const Isa isa = chosen_isa();                \
    if (isa == Isa::v4) return v4::name##_table;        \
    if (isa == Isa::v3) return v3::name##_table;        \
    return base::name##_table;                          \
  }
#else
#define PEARLITE_DECLARE_KERNELS(Type, name)            \
  namespace base { extern const Type name##_table; }    \
  static inline const Type& name() { return base::name##_table; }
#endif

}  // namespace pearlite
