"""Every variant of the CUDA kernels by NVIDIA's compilers, which need no card.

No warning, no spill, no stack frame, no static shared memory, and the registers that
tests/emulator/resources.csv says: `python -m emulator.nvrtc` in tests/ writes it anew. One variant
of each family is compiled for one architecture each time, all for all with `-m slow`, as
`make sanitize` does.
"""

import shutil
import subprocess

import pytest
from emulator import nvrtc

from pearlite import _cuda

OFTEN = 90
VARIANTS = [(family, defines) for family in _cuda.FAMILIES for defines in _cuda.variants(family)]
ALL = [
    pytest.param(
        family, defines, architecture, id=f"{family} {nvrtc.variant_name(defines)} {architecture}",
        marks=[] if (architecture, defines) == (OFTEN, _cuda.variants(family)[-1]) else
        pytest.mark.slow,
    )
    for family, defines in VARIANTS
    for architecture in nvrtc.COMPILERS
]  # fmt: skip


@pytest.mark.parametrize(("family", "defines", "architecture"), ALL)
def test_compiles(family, defines, architecture):
    version = nvrtc.COMPILERS[architecture]
    if nvrtc.find(version) is None:
        pytest.skip(f"no NVRTC {version} (requirements/cuda.txt)")
    compiled = nvrtc.compile_variant(family, defines, architecture)
    assert "warning" not in compiled.log, compiled.log
    assert compiled.cubin[:4] == b"\x7fELF"
    wanted = nvrtc.table()[family, nvrtc.variant_name(defines), architecture]
    assert compiled.kernels == wanted
    for kernel, taken in compiled.kernels.items():
        assert (taken.stack, taken.spills, taken.shared) == (0, 0, 0), kernel


def test_the_table_has_no_more():
    variants = {(family, nvrtc.variant_name(defines)) for family, defines in VARIANTS}
    assert set(nvrtc.table()) == {(*v, a) for v in variants for a in nvrtc.COMPILERS}


@pytest.mark.slow
@pytest.mark.parametrize(("family", "defines"), VARIANTS)
def test_nvcc(family, defines, tmp_path):
    """The other front end of the compiler has other warnings."""
    nvcc = shutil.which("nvcc")
    if nvcc is None:
        pytest.skip("no nvcc on the path")
    code = tmp_path / "kernel.cu"
    code.write_text(_cuda.source(family))
    command = [
        nvcc, *_cuda.options(family, **defines), "-Werror=all-warnings", "-arch=sm_80", "-ptx",
        str(code), "-o", str(tmp_path / "kernel.ptx"),
    ]  # fmt: skip
    done = subprocess.run(command, text=True, capture_output=True, check=False)
    assert (done.returncode, done.stderr.strip()) == (0, "")


def test_a_spill_and_a_warning_are_seen():
    library = nvrtc.find(13)
    if library is None:
        pytest.skip("no NVRTC 13 (requirements/cuda.txt)")
    source = """
    extern "C" __global__ void f(float* x, int n) {
      int unused;
      float many[9];
      for (int i = 0; i < n; ++i) many[i % 9] += x[i];
      for (int i = 0; i < n; ++i) x[i] = many[x[i] > 0 ? i % 9 : 1];
    }"""
    compiled = nvrtc.compile_source(library, source, [], 90)
    assert "warning" in compiled.log
    assert compiled.kernels["f"].stack > 0
