"""Homogenization of voxels: one cell a call, beside conjugate gradients with numpy's kind of FFT.

    .venv/bin/python -m pytest benchmarks/bench_voxels.py -s

Both solve the same discrete problem; correctness is asserted before anything is timed, and the
other one gets the loosest tolerance at which its error is at most 1e-6. Calls take turns.
"""

import json
import subprocess
import sys

import numpy as np
import pytest
from baselines import numpy_fft_voxels
from scipy.spatial import cKDTree
from turns import seconds

import pearlite as pl
from pearlite import _threads

THREADS = _threads.available()
ERROR = 1e-6
GRAINS = 50


def cell(n, contrast):
    """-> conductivities (n, n, n) float32 of periodic Voronoi grains of two phases."""
    rng = np.random.default_rng(0)
    axis = (np.arange(n) + 0.5) / n
    places = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    grain = cKDTree(rng.random((GRAINS, 3)), boxsize=1).query(places)[1]
    phases = np.where(rng.random(GRAINS) < 0.5, contrast, 1.0).astype(np.float32)
    return phases[grain].reshape(n, n, n)


def error_of(effective, exact):
    return float(np.linalg.norm(effective - exact) / np.linalg.norm(exact))


def matched(field, exact):
    """-> the loosest tolerance at which the baseline's error is at most ERROR."""
    for tolerance in 10.0 ** -np.arange(1, 6, 0.25):
        effective = numpy_fft_voxels.homogenize(field, tolerance, workers=THREADS)
        if error_of(effective, exact) <= ERROR:
            return tolerance
    raise AssertionError("no tolerance brings the error below 1e-6")


@pytest.mark.parametrize("contrast", [10, 100])
@pytest.mark.parametrize("n", [32, 64])
def test_beside_numpy(n, contrast):
    field = cell(n, contrast)
    exact = pl.homogenize(field.astype(np.float64), dim=3, rtol=1e-10)
    error = error_of(pl.homogenize(field, dim=3), exact)
    assert error <= ERROR
    tolerance = matched(field, exact)
    times = seconds(
        {
            "pearlite": lambda: pl.homogenize(field, dim=3),
            "numpy FFT-CG": lambda: numpy_fft_voxels.homogenize(field, tolerance, workers=THREADS),
        },
        rounds=5,
    )
    ratio = times["numpy FFT-CG"] / times["pearlite"]
    print(f"\n{n}³, contrast {contrast}: {1e3 * times['pearlite']:.1f} ms, error {error:.0e}; "
          f"numpy FFT-CG {1e3 * times['numpy FFT-CG']:.0f} ms, {ratio:.0f} times")  # fmt: skip


CALL = """
import json, pathlib, sys, time
import numpy as np
import pearlite as pl
def peak():
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
field = np.load(sys.argv[1])
before = peak()
wall, cpu = time.perf_counter(), time.process_time()
effective = pl.homogenize(field, dim=3)
wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
print(json.dumps([effective.tolist(), wall, cpu, (peak() - before) / 1024]))
"""


@pytest.mark.parametrize("contrast", [10, 100])
@pytest.mark.parametrize("n", [128, 256])
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_large(n, contrast, tmp_path):
    """In a process of its own: time and how far the call raises the resident peak."""
    field = cell(n, contrast)
    np.save(tmp_path / "cell.npy", field)
    command = [sys.executable, "-c", CALL, str(tmp_path / "cell.npy")]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    effective, wall, cpu, memory = json.loads(output)
    if n <= 128:
        exact = pl.homogenize(field.astype(np.float64), dim=3, rtol=1e-9)
        assert error_of(np.array(effective), exact) <= ERROR
    print(f"\n{n}³, contrast {contrast}: {wall:.2f} s, {cpu:.2f} s of CPU, {memory:.0f} MB")
