"""Labels of tessellations against numba, a k-d tree and DAMASK, on the same weighted seeds.

    make bench ARGS="-k assign"

Four jobs, from many small cells with few seeds to one large cell with many. Peers run one cell, or
the first rows of it where that takes too long; those of one small cell run a few. Correctness comes
first: pearlite's labels are the same as those of the loop over all seeds in float64, to the last
pixel; the labels of the others, who round elsewhere, but for one in 100,000. Then calls take turns,
and the least time of each counts. results.csv has milliseconds a cell.
"""

import time
from importlib.metadata import version

import numpy as np
import pytest
from recorder import record

import pearlite as pl
from pearlite import _threads

peers = pytest.importorskip("baselines.tessellations", reason="numba is not installed")

THREADS = _threads.available()
# cells, shape, seeds; rows of a peer's cell, and of the brute force's
JOBS = {
    "64x64": (256, (64, 64), 10, 64, 64),
    "256x256": (64, (256, 256), 400, 256, 64),
    "128x128x128": (1, (128, 128, 128), 1000, 32, 2),
    "256x256x256": (1, (256, 256, 256), 10_000, 8, 1),
}
SMALL_CELLS = 32  # of a call of a peer, where cells are small
SECONDS = 10  # of a case


def seeds(job, metric):
    """-> sites (B, K, d), weights (B, K), the latter a tenth of a spacing, or of its square."""
    count, shape, number, *_ = JOBS[job]
    rng = np.random.default_rng(len(shape))
    spacing = number ** (-1 / len(shape))
    unit = spacing**2 if metric == "power" else spacing
    sites = rng.random((count, number, len(shape)))
    return sites, 0.1 * unit * rng.standard_normal((count, number))


def cases(job, metric):
    """-> {peer: (function, cells, rows)}."""
    count, shape, _, rows, few = JOBS[job]
    cells = min(count, SMALL_CELLS) if len(shape) == 2 and shape[0] < 128 else 1
    chosen = {name: (peers.PEERS[name], cells, rows) for name in ("numba bins", "kdtree")}
    chosen["numba"] = peers.PEERS["numba"], cells, few
    if len(shape) == 3 and metric == "power":
        try:
            version("damask")
        except ImportError:
            return chosen
        chosen["DAMASK"] = peers.PEERS["DAMASK"], 1, shape[0]
    return chosen


def least_times(calls):
    """-> least seconds of each call; slow ones are made less often than quick ones, but once."""
    least, spent = {}, dict.fromkeys(calls, 0.0)
    while min(spent.values()) < SECONDS / len(calls):
        for name, call in calls.items():
            if spent[name] > SECONDS / len(calls):
                continue
            start = time.perf_counter()
            call()
            taken = time.perf_counter() - start
            spent[name] += taken
            least[name] = min(least.get(name, np.inf), taken)
    return least


def check(labels, name, found):
    """Assert that a peer's labels are pearlite's."""
    same = labels[tuple(slice(n) for n in found.shape)] == found
    if name == "numba":
        assert same.all()
    assert (~same).sum() <= 1e-5 * same.size + 1


@pytest.mark.parametrize("metric", ["power", "additive"])
@pytest.mark.parametrize("job", JOBS)
def test_assign(benchmark, job, metric):
    count, shape, number, *_ = JOBS[job]
    sites, weights = seeds(job, metric)
    options = {"shape": shape, "metric": metric}
    labels = pl.laguerre.assign(sites, weights, **options)
    calls, sizes = {}, {"pearlite": labels.size}
    calls["pearlite"] = lambda: pl.laguerre.assign(sites, weights, **options)
    for name, (peer, cells, rows) in cases(job, metric).items():

        def call(peer=peer, cells=cells, rows=rows):
            return [peer(sites[b], weights[b], shape, rows, metric) for b in range(cells)]

        found = np.stack(call())
        check(labels, name, found)
        calls[name], sizes[name] = call, found.size
    benchmark.pedantic(calls["pearlite"], rounds=3)
    if not benchmark.stats:
        return
    for name, seconds in least_times(calls).items():
        nanoseconds = 1e9 * seconds / sizes[name]
        benchmark.extra_info[name] = f"{nanoseconds:.2f} ns a pixel"
        print(f"{job} {metric} {name}: {nanoseconds:.2f} ns a pixel")
        package = {"pearlite": "pearlite", "kdtree": "scipy", "DAMASK": "damask"}.get(name, "numba")
        record(group="assign", solver=name, version=version(package), input=labels.dtype.name,
               shape=job, phases=number, contrast=metric, threads=THREADS,
               cells=count if name == "pearlite" else cases(job, metric)[name][1],
               ms_per_cell=1e-6 * nanoseconds * float(np.prod(shape)))  # fmt: skip
