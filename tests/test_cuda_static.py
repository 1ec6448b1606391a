"""clang-tidy over the CUDA sources, with the checks of cuda/.clang-tidy.

It reads them as C++ with the emulated card's language. Each variant is read with `-m slow`, as
`make sanitize` does.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from emulator import nvrtc

from pearlite import _cuda

ROOT = Path(__file__).parents[1]
VARIANTS = [(family, defines) for family in _cuda.FAMILIES for defines in _cuda.variants(family)]


def complaints(source, options):
    """Return what clang-tidy says of a file."""
    tidy = shutil.which("clang-tidy", path=str(Path(sys.executable).parent)) or shutil.which(
        "clang-tidy"
    )
    if tidy is None:
        pytest.skip("no clang-tidy (requirements/cuda.txt)")
    language = ROOT / "tests" / "emulator" / "language.hpp"
    told = [o for o in options if not o.startswith("--")]
    command = [
        tidy, "--quiet", f"--config-file={ROOT / 'cuda' / '.clang-tidy'}", str(source), "--",
        "-x", "c++", "-include", str(language), "-Wall", "-Wextra", *told,
    ]  # fmt: skip
    done = subprocess.run(command, text=True, capture_output=True, check=False)
    assert (done.returncode == 0) == ("error:" not in done.stdout), done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("family", "defines"),
    [pytest.param(f, d, id=f"{f} {nvrtc.variant_name(d)}") for f, d in VARIANTS],
)
def test_nothing_to_say(family, defines):
    found = complaints(ROOT / "cuda" / f"{family}.cu", _cuda.options(family, **defines))
    assert found == ""


@pytest.mark.slow
def test_seeded_faults_are_found(tmp_path):
    source = tmp_path / "kernel.cu"
    source.write_text("""
extern "C" __global__ void kernel(double* x, int n) {
  double sum;
  for (int k = 0; k < n; ++k) sum += x[k];
  x[blockIdx.x * blockDim.x + (long long)(threadIdx.x * n)] = sum;
}
""")
    found = complaints(source, ("-std=c++17",))
    assert "core.uninitialized" in found
    assert "bugprone-implicit-widening-of-multiplication-result" in found
