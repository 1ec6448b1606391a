// Which instruction set the kernels use: the best one that this processor has, or the one that the
// environment variable PEARLITE_ISA names (base, x86-64-v3 or x86-64-v4) if the processor has it.
#pragma once
#include <cstdlib>
#include <cstring>

namespace pearlite {

enum class Isa { base, v3, v4 };

inline bool supported(Isa isa) {
#if defined(PEARLITE_X86_64_LEVELS)
  __builtin_cpu_init();
  if (isa == Isa::v4) return __builtin_cpu_supports("x86-64-v4");
  if (isa == Isa::v3) return __builtin_cpu_supports("x86-64-v3");
#endif
  return isa == Isa::base;
}

inline Isa chosen_isa() {
  const Isa all[] = {Isa::v4, Isa::v3, Isa::base};
  const char* const names[] = {"x86-64-v4", "x86-64-v3", "base"};
  const char* wanted = std::getenv("PEARLITE_ISA");
  for (int k = 0; k < 3; ++k)
    if (wanted && std::strcmp(wanted, names[k]) == 0 && supported(all[k])) return all[k];
  for (const Isa isa : all)
    if (supported(isa)) return isa;
  return Isa::base;
}

inline const char* name_of(Isa isa) {
  return isa == Isa::v4 ? "x86-64-v4" : isa == Isa::v3 ? "x86-64-v3" : "base";
}

}  // namespace pearlite
