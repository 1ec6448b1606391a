"""A million cells from a file to a table, beside the kernel alone on slices of the mapped file.

    make bench ARGS="-k bench_batch"                      # 100,000 cells of 64² of each kind
    PEARLITE_CELLS=1000000 make bench ARGS="-k bench_batch and noise"

Two kinds of cells, at a contrast of 10: the Voronoi grains of the other tables, and thresholded
noise of correlation lengths from 1 to 8 pixels, which takes more iterations. The batch runs in a
process of its own, whose largest memory is told, between two runs of the kernel. A sample of the
table is compared with `homogenize` before anything is reported.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from cells import draw
from recorder import record

import pearlite as pl
from pearlite import _threads

CELLS = int(os.environ.get("PEARLITE_CELLS", "100000"))
PIXELS = 64
SLICE = 1024
PHASES = [1.0, 10.0]

# The largest memory is not getrusage's, which a process inherits from the one that started it.
PROGRAM = """
import json, re, sys
import pearlite as pl
report = pl.batch.homogenize(sys.argv[1], sys.argv[2], phases=[1.0, 10.0])
peak = int(re.search(r"VmHWM:\\s*(\\d+) kB", open("/proc/self/status").read())[1]) / 1024
print(json.dumps({"seconds": report.seconds, "failed": report.failed, "memory_mb": peak}))
"""


def noise():
    """-> labels (256, 64, 64) of four correlation lengths."""
    shape = (PIXELS, PIXELS)
    return np.concatenate(
        [
            pl.microstructures.thresholded_noise(
                64, shape, length=length, fractions=(0.6, 0.4), seed=1
            )
            for length in (1, 2, 4, 8)
        ]
    )


def grains():
    """-> labels (256, 64, 64) of Voronoi grains."""
    return draw((PIXELS, PIXELS), 2, 256)


KINDS = {"grains": grains, "noise": noise}


def write_cells(path, kind):
    """Write shifts of 256 drawn cells: what they hold makes no difference to the file."""
    drawn = KINDS[kind]()
    rng = np.random.default_rng(1)
    cells = np.lib.format.open_memmap(path, "w+", np.uint8, (CELLS, PIXELS, PIXELS))
    for start in range(0, CELLS, SLICE):
        chosen = drawn[rng.integers(len(drawn), size=min(SLICE, CELLS - start))]
        cells[start : start + SLICE] = np.roll(chosen, rng.integers(PIXELS, size=2), (1, 2))
    cells.flush()


def kernel_alone(path):
    cells = np.load(path, mmap_mode="r")
    began = time.perf_counter()
    for start in range(0, CELLS, SLICE):
        pl.homogenize(cells[start : start + SLICE], phases=PHASES)
    return time.perf_counter() - began


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_of_cells(kind, tmp_path):
    source, target = tmp_path / "cells.npy", tmp_path / "tensors.npy"
    write_cells(source, kind)
    alone = kernel_alone(source)
    command = [sys.executable, "-c", PROGRAM, str(source), str(target)]
    told = json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout)
    again = kernel_alone(source)
    assert told["failed"] == 0
    found, cells = np.load(target, mmap_mode="r"), np.load(source, mmap_mode="r")
    sample = np.linspace(0, CELLS - 1, 50).astype(int)
    exact = pl.homogenize(cells[sample], phases=PHASES, rtol=1e-9)
    error = np.linalg.norm(found[sample] - exact, axis=(1, 2)) / np.linalg.norm(exact, axis=(1, 2))
    assert error.max() <= 1e-6
    steps = pl.solve_correctors(cells[:SLICE], phases=PHASES).iterations
    print(f"\n{kind}: {steps.mean():.2f} iterations, at most {steps.max()}")
    parts = {"": told["seconds"], " kernel": alone, " kernel again": again}
    for name, seconds in parts.items():
        print(f"batch{name}: {CELLS} cells in {seconds:.2f} s, {1e3 * seconds / CELLS:.4f} ms each")
    print(f"memory {told['memory_mb']:.0f} MB, file {Path(source).stat().st_size / 1e6:.0f} MB")
    source.unlink()
    record(
        group="batch", solver="pearlite", version=pl.__version__, input=f"npy, {kind}",
        shape=f"{PIXELS}x{PIXELS}", phases=2, contrast=10, threads=_threads.available(),
        cells=CELLS, tolerance=1e-6, error=error.max(),
        ms_per_cell=1e3 * told["seconds"] / CELLS, memory_mb=told["memory_mb"],
    )  # fmt: skip


@pytest.mark.filterwarnings("ignore")  # of the cluster's own shutdown
@pytest.mark.parametrize("kind", ["grains"])
def test_one_and_two_processes(kind, tmp_path):
    """Cells a second between the first and the last chunk: a cluster takes seconds to start."""
    pytest.importorskip("distributed")
    source = tmp_path / "cells.npy"
    write_cells(source, kind)
    rates, tables = {}, {}
    for workers in (1, 2):
        seen = []
        target = tmp_path / f"{workers}.npy"
        pl.batch.homogenize(
            source,
            target,
            phases=PHASES,
            workers=workers,
            chunk=SLICE,
            progress=lambda done, _, seen=seen: seen.append((time.perf_counter(), done)),
        )
        (begin, first), (end, last) = seen[1], seen[-1]
        rates[workers], tables[workers] = (last - first) / (end - begin), np.load(target)
    np.testing.assert_array_equal(tables[1], tables[2])
    print(f"\nprocesses of one thread: {rates[1]:.0f} and {rates[2]:.0f} cells/s, "
          f"{rates[2] / rates[1]:.2f} times")  # fmt: skip
