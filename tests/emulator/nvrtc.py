"""NVIDIA's compiler, which needs no card: what each kernel takes of one."""

from __future__ import annotations

import ctypes
import functools
import importlib.util
import re
import sys
from pathlib import Path
from typing import NamedTuple

_AGE = "Architectures prior to '<compute/sm>_75' are deprecated"  # which no option turns off


class Resources(NamedTuple):
    """What a compiled kernel takes; `shared` is static shared memory."""

    registers: int
    stack: int
    spills: int
    shared: int


class Compiled(NamedTuple):
    log: str
    kernels: dict[str, Resources]
    cubin: bytes


def find(major: int) -> Path | None:
    """Return the library of NVRTC of that version, as PyPI's wheels lay it, or None."""
    package = importlib.util.find_spec("nvidia")
    for folder in package.submodule_search_locations or () if package else ():
        for library in Path(folder).glob(f"*/lib/libnvrtc.so.{major}"):
            return library
    return None


@functools.cache
def _load(library: Path) -> ctypes.CDLL:
    for builtins in library.parent.glob("libnvrtc-builtins.so.*"):
        ctypes.CDLL(str(builtins), mode=ctypes.RTLD_GLOBAL)
    return ctypes.CDLL(str(library))


def _text(nvrtc: ctypes.CDLL, program: ctypes.c_void_p, what: str) -> bytes:
    size = ctypes.c_size_t()
    getattr(nvrtc, f"nvrtcGet{what}Size")(program, ctypes.byref(size))
    buffer = ctypes.create_string_buffer(size.value)
    getattr(nvrtc, f"nvrtcGet{what}")(program, buffer)
    return buffer.raw


def compile_source(library: Path, source: str, options: list[str], architecture: int) -> Compiled:
    """Compile for one architecture; the log has warnings, and errors if it fails."""
    nvrtc = _load(library)
    program = ctypes.c_void_p()
    nvrtc.nvrtcCreateProgram(ctypes.byref(program), source.encode(), b"kernel.cu", 0, None, None)
    told = [f"--gpu-architecture=sm_{architecture}", "--ptxas-options=-v", *options]
    failed = nvrtc.nvrtcCompileProgram(
        program, len(told), (ctypes.c_char_p * len(told))(*(o.encode() for o in told))
    )
    log = _text(nvrtc, program, "ProgramLog").rstrip(b"\0").decode()
    log = "\n".join(line for line in log.splitlines() if _AGE not in line)
    cubin = b"" if failed else _text(nvrtc, program, "CUBIN")
    nvrtc.nvrtcDestroyProgram(ctypes.byref(program))
    if failed:
        raise RuntimeError(f"sm_{architecture}: {log}")
    return Compiled(log, _resources(log), cubin)


def _resources(log: str) -> dict[str, Resources]:
    """Read what ptxas reports of each kernel."""
    found = {}
    for part in re.split(r"Compiling entry function ", log)[1:]:
        name = re.match(r"'(\w+)'", part)[1]
        numbers = {
            what: sum(map(int, re.findall(pattern, part)))
            for what, pattern in {
                "registers": r"Used (\d+) registers",
                "stack": r"(\d+) bytes stack frame",
                "spills": r"(\d+) bytes spill (?:stores|loads)",
                "shared": r"(\d+) bytes smem",
            }.items()
        }
        found[name] = Resources(**numbers)
    return found


TABLE = Path(__file__).parent / "resources.csv"
COMPILERS = {70: 12, 75: 13, 80: 13, 90: 13, 100: 13}  # version of NVRTC for each architecture


def table() -> dict[tuple[str, str, int], dict[str, Resources]]:
    """Return what was committed: {(family, variant, architecture): {kernel: resources}}."""
    found: dict[tuple[str, str, int], dict[str, Resources]] = {}
    for line in TABLE.read_text().splitlines()[1:]:
        family, variant, architecture, kernel, *numbers = line.split(",")
        key = family, variant, int(architecture)
        found.setdefault(key, {})[kernel] = Resources(*map(int, numbers))
    return found


def variant_name(defines: dict[str, object]) -> str:
    """Return a variant as the table has it, such as ``DIM=2 REAL=float``."""
    return " ".join(f"{name}={value}" for name, value in sorted(defines.items()))


def compile_variant(family: str, defines: dict[str, object], architecture: int) -> Compiled:
    """Compile one variant of a family as cupy would."""
    from pearlite import _cuda

    library = find(COMPILERS[architecture])
    if library is None:
        raise ModuleNotFoundError(f"no NVRTC {COMPILERS[architecture]}")
    told = list(_cuda.options(family, **defines))
    return compile_source(library, _cuda.source(family), told, architecture)


def main(families: list[str]) -> None:
    """Write the table anew, for some families or for all."""
    from pearlite import _cuda

    found = table()
    lines = ["family,variant,architecture,kernel,registers,stack,spills,shared"]
    for family in _cuda.FAMILIES:
        for defines in _cuda.variants(family):
            for architecture in COMPILERS:
                name = variant_name(defines)
                if not families or family in families:
                    kernels = compile_variant(family, defines, architecture).kernels
                else:
                    kernels = found[family, name, architecture]
                for kernel, numbers in sorted(kernels.items()):
                    lines.append(",".join(map(str, (family, name, architecture, kernel, *numbers))))
    TABLE.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
