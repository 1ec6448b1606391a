"""Programs in C and C++ find the installed library by CMake, and run without Python."""

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import pearlite as pl
from pearlite import _core

EXAMPLE = Path(__file__).parents[1] / "examples" / "embed_cpp"
NATIVE = Path(_core.__file__).parent / "native"

pytestmark = [
    pytest.mark.skipif(not NATIVE.is_dir(), reason="the package is not installed"),
    pytest.mark.skipif(shutil.which("cmake") is None, reason="no cmake"),
]


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    build = tmp_path_factory.mktemp("embed")
    configure = ["cmake", "-S", EXAMPLE, "-B", build, f"-DCMAKE_PREFIX_PATH={NATIVE}"]
    for command in (configure, ["cmake", "--build", build]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    return build


def run(program):
    bare = {"PATH": os.environ["PATH"]}
    return subprocess.run([program], capture_output=True, text=True, check=True, env=bare).stdout


def test_cpp(programs):
    shown = run(programs / "polycrystal").splitlines()
    k = np.arange(1, 13)
    sites = np.stack([k * 0.7548776662466927 % 1, k * 0.5698402909980532 % 1], axis=1)
    grains = pl.laguerre.assign(sites, np.zeros(12), shape=(128, 128))
    a = pl.homogenize(grains, phases=np.where(np.arange(12) % 3 == 0, 10.0, 1.0))
    assert shown[0] == f"A11 {a[0, 0]:.6f}  A22 {a[1, 1]:.6f}  A12 {a[0, 1]:.6f}"
    assert shown[1].startswith("refused: pixels: cell 0, pixel (0, ")
    assert shown[1].endswith("is a label without a phase")


def test_c(programs):
    shown = run(programs / "composite")
    assert shown.startswith(f"pearlite {pl.__version__}, ")
    assert "across 1.818182 (20/11), along 5.500000 (11/2)" in shown
    assert "fraction of phase 1: 0.500" in shown
