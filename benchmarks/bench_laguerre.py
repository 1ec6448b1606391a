"""Labels of Laguerre cells against what else there is.

    make bench ARGS="-k laguerre"

The peers are a k-d tree in one dimension more, which does power cells, and every site for every
pixel in numba, which does both metrics and is left out where it takes minutes. Their labels are
compared with ours before anything is timed. The calls of a case take turns; rows of results.csv
have the medians.
"""

import numpy as np
import pytest
from baselines import tessellation
from recorder import record
from turns import seconds

import pearlite as pl
from pearlite import _threads

THREADS = _threads.available()
# batch, shape, sites
JOBS = [
    (256, (64, 64), 10),
    (64, (256, 256), 400),
    (1, (128, 128, 128), 1000),
    (1, (256, 256, 256), 10_000),
]
MOST = 5e9  # pairs of a pixel and a site, for numba


def job(batch, shape, count, metric):
    """-> sites (batch, count, d), weights (batch, count) of a third of the spacing (squared)."""
    random = np.random.default_rng(0)
    spacing = count ** (-1 / len(shape))
    spread = 0.3 * spacing**2 if metric == "power" else 0.3 * spacing
    return random.random((batch, count, len(shape))), spread * random.random((batch, count))


@pytest.mark.parametrize("metric", ["power", "additive"])
@pytest.mark.parametrize("work", JOBS, ids=lambda w: f"{w[0]}x{'x'.join(map(str, w[1]))}-{w[2]}")
def test_laguerre(benchmark, work, metric):
    batch, shape, count = work
    sites, weights = job(batch, shape, count, metric)
    pixels = batch * np.prod(shape)

    def ours(threads):
        return pl.laguerre.assign(sites, weights, shape=shape, metric=metric, threads=threads)

    calls = {f"pearlite, {k} thread{'s' * (k > 1)}": lambda k=k: ours(k) for k in {1, THREADS}}
    if metric == "power":
        calls["scipy cKDTree, lifted"] = lambda: tessellation.lifted_tree(
            sites, weights, shape, THREADS
        )
    if tessellation.njit is not None and pixels * count <= MOST:
        calls["numba, brute force"] = lambda: tessellation.numba_brute_force(
            sites, weights, shape, metric == "additive"
        )
    labels = ours(THREADS)
    for name, call in calls.items():
        # Pixels at equal distances, to rounding, may differ.
        assert np.mean(call() != labels) < 1e-5, name
    benchmark.pedantic(ours, (THREADS,), rounds=3)
    if not benchmark.stats:
        return
    for name, taken in seconds(calls, rounds=5).items():
        record(group="laguerre", solver=name, version=pl.__version__, input=metric,
               shape="x".join(map(str, shape)), phases=count, cells=batch,
               ms_per_cell=1e3 * taken / batch)  # fmt: skip
        benchmark.extra_info[f"{name}, ns a pixel"] = 1e9 * taken / pixels
