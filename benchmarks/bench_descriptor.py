"""Descriptors against matrix products, and reconstruction from them alone.

    make bench ARGS="-k descriptor"

A Gram matrix of K vectors and N pixels takes K (K + 1) N operations and its gradient 2 K² N; their
rates are compared with that of numpy's matrix product in the same dtype, of K × 2048 by 2048 × K,
in calls that take turns. The forms are checked against plain products first. The memory is the peak
of the process over a call, beyond the Gram matrix.
"""

import resource
import subprocess
import sys
import time

import numpy as np
import pytest
from recorder import record
from tests.reference import descriptor as reference
from turns import seconds

import pearlite as pl
from pearlite import _threads
from pearlite.correlation import _window

THREADS = _threads.available()
FORMS = ("centred", "product", "logistic")
CASES = [(64, 8), (64, 12), (64, 31), (256, 12)]
SEEDS = 10


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("n", "radius"), CASES, ids=lambda v: str(v))
def test_descriptor_rate(benchmark, n, radius, dtype):
    """-> ms of a Gram matrix and of a gradient; `error` has the rate over that of the product."""
    kind = np.dtype(dtype).type
    field = np.random.default_rng(0).random((n, n)).astype(kind)
    vectors = _window.half_window((radius, radius))
    count = len(vectors)
    left = np.random.default_rng(1).random((count, 2048)).astype(kind)
    right = np.ascontiguousarray(left.T)
    calls, work = {"numpy matmul": lambda: left @ right}, {"numpy matmul": 2 * count**2 * 2048}
    for form in FORMS:
        gram, s2 = _window.correlate(field, vectors, form, THREADS)
        if count < 500:
            exact, _ = reference.descriptor(field.astype(np.float64), vectors, form)
            assert np.abs(gram - exact).max() < (3e-6 if dtype == "float32" else 1e-12)
        weights = gram + gram.T
        calls[f"{form} gram"] = lambda f=form: _window.correlate(field, vectors, f, THREADS)
        calls[f"{form} gradient"] = lambda f=form, g=weights, s=s2: _window.pull_back(
            field, vectors, f, g, s, THREADS
        )
        work[f"{form} gram"] = count * (count + 1) * n**2
        work[f"{form} gradient"] = 2 * count**2 * n**2
    taken = seconds(calls, rounds=9 if benchmark.enabled else 1)
    benchmark.pedantic(calls["centred gram"], rounds=1)
    rate = {name: work[name] / taken[name] for name in calls}
    for name in calls:
        record(group="descriptor", solver=name, version=pl.__version__, input=dtype,
               shape=f"{n}x{n}", cells=count, threads=THREADS, ms_per_cell=1e3 * taken[name],
               error=round(rate[name] / rate["numpy matmul"], 3))  # fmt: skip


MEMORY = """
import resource, numpy as np, pearlite as pl
field = np.random.default_rng(0).random(({n}, {n})).astype(np.float32)
pl.correlation.descriptor(field, radius=1)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
found = pl.correlation.descriptor(field, radius={radius}, levels=1)
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print((after - before) / 1024 - found.gram.nbytes / 2**20)
"""


@pytest.mark.parametrize(("n", "radius"), [(64, 31), (256, 31)])
def test_descriptor_memory(benchmark, n, radius):
    assert resource is not None
    script = MEMORY.format(n=n, radius=radius)
    out = benchmark.pedantic(
        lambda: subprocess.run([sys.executable, "-c", script], capture_output=True, text=True,
                               check=True).stdout, rounds=1)  # fmt: skip
    # The result is allocated once for all levels and once by the kernel.
    record(group="descriptor memory", solver="pearlite", version=pl.__version__, input="float32",
           shape=f"{n}x{n}", threads=THREADS, memory_mb=float(out))  # fmt: skip


def images(n):
    """-> {name: labels}: structures made here, and micrographs where PEARLITE_DATA has them."""
    import os
    from pathlib import Path

    found = {
        "checkerboard": pl.microstructures.checkerboard((n, n), tiles=8),
        "noise": pl.microstructures.thresholded_noise(1, (n, n), length=2, seed=3)[0],
    }
    folder = Path(os.environ.get("PEARLITE_DATA", "data"))
    for path in sorted(folder.glob("**/*.npy")):
        labels = np.load(path)
        if labels.shape == (n, n):
            found[path.stem] = labels
    return found


@pytest.mark.parametrize(("n", "radius", "seeds"), [(64, 12, SEEDS), (128, 12, 3), (256, 16, 1)])
def test_reconstruction_from_descriptor(benchmark, n, radius, seeds):
    """-> ms of a reconstruction from statistics alone, all of them without a wrong pixel."""
    for name, labels in images(n).items():
        target = pl.correlation.descriptor(labels, radius=radius)
        taken = []
        for seed in range(seeds if benchmark.enabled else 1):
            start = time.perf_counter()
            result = pl.reconstruction.match(target, seed=seed)
            taken.append(time.perf_counter() - start)
            assert result.exact
            assert pl.reconstruction.overlap(result.image, labels).best == 1
        for kind, value in (("fastest", min(taken)), ("median", np.median(taken)),
                            ("slowest", max(taken))):  # fmt: skip
            record(group="reconstruction from descriptor", solver=f"pearlite, {kind} seed",
                   version=pl.__version__, input=name, shape=f"{n}x{n}", threads=THREADS,
                   cells=len(target.vectors), error=0, ms_per_cell=1e3 * value)  # fmt: skip
    benchmark.pedantic(lambda: None, rounds=1)
