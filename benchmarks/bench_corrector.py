"""pearlite against plain baselines and peers, on the same cells at the same error of A*.

    make bench                                       # everything, half an hour
    make bench ARGS="-k 'against and n64'"           # part of it
    .venv/bin/python benchmarks/report.py            # the tables of the latest run

Correctness is asserted before anything is timed. Every measurement appends a row to results.csv.
"""

import json
import subprocess
import sys
import time
from functools import lru_cache
from pathlib import Path

import cells
import numpy as np
import pytest
from recorder import record
from solvers import ERROR, SOLVERS, exact_tensors, matched_tolerance, relative_error

import pearlite as pl
from pearlite import _threads

THREADS = _threads.available()
CELLS = {64: 1000, 128: 400, 256: 100, 512: 24}  # of a call of pearlite
PEER_CELLS = {64: 16, 128: 4, 256: 2, 512: 1}  # the first of the same cells

SLOW = ("scikit-fem", "taufactor")

sizes = pytest.mark.parametrize("n", CELLS, ids="n{}".format)
contrasts = pytest.mark.parametrize("contrast", [10, 100], ids="contrast{}".format)
phase_counts = pytest.mark.parametrize("phases", [2, 5], ids="phases{}".format)


def count_of(n):
    """Cells of a call, for sizes between those of CELLS too."""
    return CELLS.get(n) or CELLS[min(CELLS, key=lambda size: abs(size - n))]


@lru_cache(maxsize=4)
def case(n, contrast, phases):
    """-> labels (B, n, n), values (phases,), fields (B, n, n) float64, exact (B, 2, 2)."""
    labels, values = cells.draw((n, n), phases, count_of(n)), cells.values(phases, contrast)
    # float32 values, so that every input is the same problem exactly.
    values = values.astype(np.float32).astype(np.float64)
    fields = values[labels]
    return labels, values, fields, exact_tensors(fields)


def inputs(n, contrast, phases):
    """-> the forms of input of one case, as arguments of homogenize."""
    labels, values, fields, _ = case(n, contrast, phases)
    return {
        "labels": ((labels,), {"phases": values}),
        "float32": ((fields.astype(np.float32),), {}),
        "float64": ((fields,), {}),
    }


def measure(benchmark, function, arguments, options=None, rounds=7):
    """-> median seconds of a call, None where timing is off. The call has been made before."""
    benchmark.pedantic(function, arguments, options or {}, rounds=rounds)
    return benchmark.stats.stats.median if benchmark.stats else None


def save(seconds, count, **row):
    if seconds is not None:
        record(ms_per_cell=1e3 * seconds / count, cells=count, **row)


def run_pearlite(benchmark, group, kind, n, contrast, phases, threads=THREADS):
    arguments, options = inputs(n, contrast, phases)[kind]
    options = options | {"threads": threads}
    error = relative_error(pl.homogenize(*arguments, **options), case(n, contrast, phases)[3])
    assert error <= ERROR
    seconds = measure(benchmark, pl.homogenize, arguments, options)
    save(seconds, count_of(n), group=group, solver="pearlite", version=pl.__version__, input=kind,
         shape=f"{n}x{n}", phases=phases, contrast=contrast, threads=threads, tolerance=1e-6,
         error=error)  # fmt: skip


@sizes
@contrasts
@phase_counts
@pytest.mark.parametrize("kind", ["labels", "float32"])
def test_against_pearlite(benchmark, n, contrast, phases, kind):
    run_pearlite(benchmark, "against", kind, n, contrast, phases)


def within_means(solver, fields, tolerance=1e-3):
    """For another problem: its entries lie between the means. -> as matched_tolerance, no error."""
    start = time.perf_counter()
    entries = solver(fields, tolerance, THREADS)[:, [0, 1], [0, 1]].T
    seconds = time.perf_counter() - start
    assert np.all((1 / (1 / fields).mean((1, 2)) <= entries) & (entries <= fields.mean((1, 2))))
    return tolerance, None, seconds


@sizes
@contrasts
@pytest.mark.parametrize(
    ("name", "phases"),
    # The slowest and the one of another problem run on two phases only.
    [(name, phases) for name in SOLVERS for phases in (2, 5) if phases == 2 or name not in SLOW],
)
@pytest.mark.filterwarnings("default")  # a peer's warnings are its own affair
def test_against_solver(benchmark, n, contrast, name, phases):
    solver = SOLVERS[name]
    pytest.importorskip(f"baselines.{solver.module}", reason=f"{solver.package} is not installed",
                        exc_type=ImportError)  # fmt: skip
    if n == 512 and not solver.same_problem:
        pytest.skip("takes minutes, and 256² shows the trend")
    fields, exact = (array[: PEER_CELLS[n]] for array in case(n, contrast, phases)[2:])
    if solver.same_problem:
        tolerance, error, first = matched_tolerance(solver, fields, exact, THREADS)
    else:
        tolerance, error, first = within_means(solver, fields[:1])
    rounds = 1 if first > 2 else 3
    seconds = measure(benchmark, solver, (fields, tolerance, THREADS), rounds=rounds)
    save(seconds, len(fields), group="against", solver=name, version=solver.version,
         input="float64", shape=f"{n}x{n}", phases=phases, contrast=contrast, error=error,
         threads=THREADS if solver.threads_option else 1, tolerance=tolerance)  # fmt: skip


@sizes
@contrasts
@pytest.mark.parametrize("kind", ["labels", "float32", "float64"])
def test_precision(benchmark, n, contrast, kind):
    run_pearlite(benchmark, "precision", kind, n, contrast, 2)


@sizes
@contrasts
@pytest.mark.parametrize("threads", [1, 2])
def test_threads(benchmark, n, contrast, threads):
    if threads > THREADS:
        pytest.skip(f"this process may use {THREADS} core")
    run_pearlite(benchmark, "threads", "float32", n, contrast, 2, threads)


@contrasts
@pytest.mark.parametrize("n", [64, 67, 127, 128, 251, 256, 509, 512], ids="n{}".format)
def test_any_size(benchmark, n, contrast):
    run_pearlite(benchmark, "any size", "float32", n, contrast, 2)


@sizes
@contrasts
@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])
def test_tensors(benchmark, n, contrast, dtype):
    """Grains with turned axes: the phases' values along them, ten times that across."""
    labels, values = case(n, contrast / 10, 5)[:2]
    angles = np.linspace(0, np.pi, 5, endpoint=False)
    axes = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    outer = axes[:, :, None] * axes[:, None, :]
    tensors = values[:, None, None] * (10 * np.eye(2) - 9 * outer)
    fields = tensors.astype(dtype)[labels]
    error = relative_error(
        pl.homogenize(fields, tensor=True),
        pl.homogenize(fields.astype(np.float64), tensor=True, rtol=1e-10),
    )
    assert error <= ERROR
    seconds = measure(benchmark, pl.homogenize, (fields,), {"tensor": True})
    save(seconds, len(fields), group="tensors", solver="pearlite", version=pl.__version__,
         input=fields.dtype.name, shape=f"{n}x{n}", phases=5, contrast=contrast, threads=THREADS,
         tolerance=1e-6, error=error)  # fmt: skip


@pytest.mark.parametrize(
    ("n", "count"),
    [(64, 1), (512, 1), (2048, 1), (64, 1000), (64, 20000)],
    ids=["64", "512", "2048", "batch1000", "batch20000"],
)
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory(benchmark, tmp_path, n, count):
    """One call in a process of its own: its time, and how far it raises the resident peak."""
    # A few cells over and over: drawing 20,000 would take longer than everything else.
    np.save(tmp_path / "labels.npy", cells.draw((n, n), 2, min(count, 32)))
    script = Path(__file__).with_name("one_call.py")
    command = [sys.executable, str(script), str(tmp_path / "labels.npy"), str(count)]

    def call():
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        return json.loads(output)

    result = benchmark.pedantic(call, rounds=1)
    if benchmark.stats:
        save(result["seconds"], count, group="memory", solver="pearlite", version=pl.__version__,
             input="float32", shape=f"{n}x{n}", phases=2, contrast=10, threads=THREADS,
             tolerance=1e-6, memory_mb=result["memory_mb"])  # fmt: skip
