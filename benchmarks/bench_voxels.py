"""Homogenization of voxels: one cell a call, beside conjugate gradients with FFTs, and muGrid.

    .venv/bin/python -m pytest benchmarks/bench_voxels.py -s

All solve the same discrete problem; correctness is asserted before anything is timed, and the
others get the loosest tolerance at which their error is at most 1e-6. Calls take turns. pearlite
and scipy.fft use all cores; numpy.fft and muGrid know one only.
"""

import json
import subprocess
import sys
from bisect import bisect_left
from functools import partial
from importlib.util import find_spec

import numpy as np
import pytest
from baselines import numpy_fft_voxels
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation
from turns import seconds

import pearlite as pl
from pearlite import _threads

THREADS = _threads.available()
ERROR = 1e-6
GRAINS = 50


def grains(n):
    """-> numbers (n, n, n) of periodic Voronoi grains."""
    rng = np.random.default_rng(0)
    axis = (np.arange(n) + 0.5) / n
    places = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    return cKDTree(rng.random((GRAINS, 3)), boxsize=1).query(places)[1].reshape(n, n, n)


def cell(n, contrast):
    """-> conductivities (n, n, n) float32 of grains of two phases."""
    rng = np.random.default_rng(0)
    rng.random((GRAINS, 3))  # the seeds of `grains`
    phases = np.where(rng.random(GRAINS) < 0.5, contrast, 1.0)
    return phases.astype(np.float32)[grains(n)]


def error_of(effective, exact):
    return float(np.linalg.norm(effective - exact) / np.linalg.norm(exact))


def baselines(n):
    """-> {name: function of (field, tolerance)}; muGrid from 64³ on"""
    solvers = {
        "scipy.fft CG": lambda x, rtol: numpy_fft_voxels.homogenize(x, rtol, workers=THREADS),
        "numpy.fft CG": lambda x, rtol: numpy_fft_voxels.homogenize(x, rtol, library=np.fft),
    }
    if n >= 64 and find_spec("muGrid"):
        from baselines import mugrid

        for dtype in (np.float32, np.float64):
            solvers[f"muGrid {np.dtype(dtype).name}"] = lambda x, rtol, dtype=dtype: (
                mugrid.homogenize(x[np.newaxis].astype(np.float64), rtol, dtype=dtype)[0]
            )
    return solvers


def matched(solver, field, exact):
    """-> the loosest tolerance of a ladder at which a baseline's error is at most ERROR."""
    ladder = 10.0 ** -np.arange(1, 6, 0.25)
    place = bisect_left(ladder, True, key=lambda x: error_of(solver(field, x), exact) <= ERROR)
    assert place < len(ladder), "no tolerance brings the error below 1e-6"
    return ladder[place]


@pytest.mark.parametrize("contrast", [10, 100])
@pytest.mark.parametrize("n", [32, 64])
def test_beside_others(n, contrast):
    field = cell(n, contrast)
    exact = pl.homogenize(field.astype(np.float64), dim=3, rtol=1e-10)
    error = error_of(pl.homogenize(field, dim=3), exact)
    assert error <= ERROR
    calls = {"pearlite": lambda: pl.homogenize(field, dim=3)}
    for name, solver in baselines(n).items():
        tolerance = matched(solver, field, exact)
        calls[name] = partial(solver, field, tolerance)
    times = seconds(calls, rounds=3)
    own = times.pop("pearlite")
    print(f"\n{n}³, contrast {contrast}: {1e3 * own:.1f} ms, error {error:.0e}")
    for name, taken in times.items():
        print(f"  {name} {1e3 * taken:.0f} ms, {taken / own:.0f} times")


def crystals(n, ratio):
    """-> tensors (n, n, n, 3, 3) float32 of periodic Voronoi grains, turned at random."""
    turns = Rotation.random(GRAINS, rng=np.random.default_rng(1)).as_matrix()
    values = np.diag([1.0, np.sqrt(ratio), ratio])
    tensors = turns @ values @ turns.swapaxes(-1, -2)
    return ((tensors + tensors.swapaxes(-1, -2)) / 2)[grains(n)].astype(np.float32)


@pytest.mark.parametrize("ratio", [3, 10, 100])
@pytest.mark.parametrize("n", [32, 64])
def test_tensors(n, ratio):
    """Beside scalars of the same contrast on the same grains."""
    tensors, scalars = crystals(n, ratio), cell(n, ratio)
    exact = pl.homogenize(tensors.astype(np.float64), dim=3, tensor=True, rtol=1e-9)
    solution = pl.solve_correctors(tensors, dim=3, tensor=True)
    assert error_of(solution.effective, exact) <= ERROR
    times = seconds(
        {
            "tensors": lambda: pl.homogenize(tensors, dim=3, tensor=True),
            "scalars": lambda: pl.homogenize(scalars, dim=3),
        },
        rounds=3,
    )
    print(f"\n{n}³, crystals with eigenvalues 1 to {ratio}: {1e3 * times['tensors']:.1f} ms, "
          f"{int(solution.iterations)} iterations, "
          f"{times['tensors'] / times['scalars']:.1f} times as long as scalars")  # fmt: skip


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
