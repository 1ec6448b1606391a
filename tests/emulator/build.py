"""Compiles a kernel's source, as it is, for the emulated card.

``PEARLITE_EMULATOR`` names the instruments: nothing, ``address`` (with undefined behaviour) or
``thread`` (each CUDA thread one of the operating system).
"""

import ctypes
import hashlib
import os
import re
import shlex
import subprocess
from pathlib import Path

HERE = Path(__file__).parent
FOLDER = HERE.parents[1] / "build" / "emulator"
KERNEL = re.compile(r'extern "C" __global__ void\s*(?:__launch_bounds__\([^)]*\)\s*)?(\w+)\s*\(')
FLAGS = {
    "": ["-O1"],
    "address": [
        "-O1", "-g1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all",
        "-fno-omit-frame-pointer",
    ],
    "thread": ["-O1", "-g1", "-fsanitize=thread", "-DPEARLITE_EMULATOR_THREADS", "-pthread"],
}  # fmt: skip


class EmulatorError(RuntimeError):
    """A kernel did what a card does not allow, or promises nothing for."""


def kernels(source: str, options: tuple[str, ...] = ()) -> list[str]:
    """Return the names of the kernels in a source and what it includes beside it."""
    found = KERNEL.findall(source)
    # Of an installed package both folders of headers are one.
    folders = dict.fromkeys(Path(option[2:]) for option in options if option.startswith("-I"))
    for name in re.findall(r'#include "(\w+\.cuh)"', source):
        for path in (folder / name for folder in folders):
            found += KERNEL.findall(path.read_text()) if path.exists() else []
    return found


def program(source: str, options: tuple[str, ...] = ()) -> str:
    """Return the C++ program that has a source's kernels and what launches them."""
    names = kernels(source, options)
    # A kernel may be called as a function of the C library is, which would be run in its place.
    own = [f"#define {name} emulated_{name}" for name in names]
    lines = [f'#include "{HERE / "language.hpp"}"', *own, '#line 1 "kernel.cu"', source]
    for name in names:
        lines.append(f"""
extern "C" int launch_{name}(void* const* arguments, const unsigned* sizes, std::size_t shared,
                             unsigned order, char* message, std::size_t size) {{
  return emulator::launch_kernel(&{name}, arguments, sizes, shared, order, message, size);
}}
extern "C" int sizes_{name}(std::size_t* sizes) {{
  return emulator::parameter_sizes(&{name}, sizes);
}}
""")
    return "\n".join(lines)


def compile_library(source: str, options: tuple[str, ...], instruments: str | None = None) -> Path:
    """Return the library with a source's kernels, compiled unless it is there already."""
    if instruments is None:
        instruments = os.environ.get("PEARLITE_EMULATOR", "")
    text = program(source, options)
    compiler = shlex.split(os.environ.get("CXX", "g++"))
    command = [
        *compiler, "-std=c++17", "-x", "c++", "-", "-shared", "-fPIC", "-ffp-contract=off",
        "-Wall", "-Wextra", "-Werror", "-Wno-unknown-pragmas", *FLAGS[instruments], *options,
    ]  # fmt: skip
    folders = [Path(option[2:]) for option in options if option.startswith("-I")]
    parts = [text, *command]
    for folder in [HERE, *folders]:
        parts += [p.read_text() for p in sorted(folder.rglob("*.*h*")) if p.suffix != ".pyc"]
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]
    library = FOLDER / f"{digest}.so"
    if not library.exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        fresh = FOLDER / f"{digest}.{os.getpid()}.so"
        done = subprocess.run(
            [*command, "-o", str(fresh)], input=text, text=True, capture_output=True, check=False
        )
        if done.returncode:
            raise EmulatorError(f"the kernel does not compile:\n{done.stderr}")
        fresh.replace(library)
    return library


class Module:
    """Kernels of one source, to be launched."""

    def __init__(self, source: str, options: tuple[str, ...], instruments: str | None = None):
        self._library = ctypes.CDLL(str(compile_library(source, options, instruments)))
        self.names = kernels(source, options)

    def parameters(self, name: str) -> list[int]:
        """Return the bytes of each parameter."""
        sizes = (ctypes.c_size_t * 128)()
        count = self._library[f"sizes_{name}"](sizes)
        return list(sizes[:count])

    def launch(
        self,
        name: str,
        grid: tuple[int, int, int],
        block: tuple[int, int, int],
        arguments: list[bytes],
        shared: int = 0,
        order: int = 0,
    ) -> None:
        """Run a kernel; `arguments` are the bytes of each."""
        wanted = self.parameters(name)
        got = [len(a) for a in arguments]
        if got != wanted:
            raise EmulatorError(f"{name} has parameters of {wanted} bytes; got {got}")
        buffers = [ctypes.create_string_buffer(a, len(a)) for a in arguments]
        places = (ctypes.c_void_p * max(1, len(buffers)))(*map(ctypes.addressof, buffers))
        message = ctypes.create_string_buffer(500)
        failed = self._library[f"launch_{name}"](
            places, (ctypes.c_uint * 6)(*grid, *block), ctypes.c_size_t(shared),
            ctypes.c_uint(order), message, ctypes.c_size_t(len(message)),
        )  # fmt: skip
        if failed:
            raise EmulatorError(f"{name}: {message.value.decode()}")


def run_program(source: str, main: str, instruments: str) -> subprocess.CompletedProcess[str]:
    """Run kernels under instruments, in a process of their own: `main` launches them."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    text = program(source) + f"\n#include <cstdio>\nint main() {{\n{main}\n}}\n"
    digest = hashlib.sha256((text + instruments).encode()).hexdigest()[:24]
    binary = FOLDER / f"{digest}.{os.getpid()}"
    compiler = shlex.split(os.environ.get("CXX", "g++"))
    flags = ["-std=c++17", f"-I{HERE}", "-Wall", "-Wextra", *FLAGS[instruments]]
    try:
        subprocess.run(
            [*compiler, *flags, "-x", "c++", "-", "-o", str(binary)], input=text, text=True,
            check=True,
        )  # fmt: skip
        return subprocess.run([str(binary)], text=True, capture_output=True, check=False)
    finally:
        binary.unlink(missing_ok=True)
