"""The relaxed Laguerre field, forward and backward, against torch, numba and a k-d tree.

    make bench ARGS="-k relax"

Four jobs: many small cells with few seeds to one large cell with many; the faces are a quarter of
a pixel wide. pearlite runs as torch users run it, a forward and then a backward pass, in float32.
Peers run one cell, or the first rows of it where that takes too long, and instead of many small
cells one larger one of as many seeds; they and pearlite are compared with pearlite in double
precision on these pixels before anything is timed. Calls take turns, and the least time of each
counts. results.csv has milliseconds a cell.
"""

import time

import numpy as np
import pytest
from recorder import record

import pearlite as pl
from pearlite import _threads

torch = pytest.importorskip("torch", reason="torch is not installed")
relaxed = pytest.importorskip("baselines.relaxed", reason="numba is not installed")

THREADS = _threads.available()
# cells, shape, seeds; the shape of a peer's cell and its rows
JOBS = {
    "64x64": (256, (64, 64), 10, (256, 256), 256),
    "256x256": (64, (256, 256), 400, (256, 256), 16),
    "128x128x128": (1, (128, 128, 128), 1000, (128, 128, 128), 1),
    "256x256x256": (1, (256, 256, 256), 10_000, (256, 256, 256), 1),
}
SECONDS = 12  # of a case


def arguments(job, metric):
    """-> sites, weights, values, cotangent (all float32), shape, epsilon."""
    count, shape, seeds, *_ = JOBS[job]
    rng = np.random.default_rng(len(shape))
    dimension = len(shape)
    spacing = seeds ** (-1 / dimension)
    unit, epsilon = spacing, 0.25 / shape[0]
    if metric == "power":
        unit, epsilon = spacing**2, epsilon * 2 * spacing
    sites = rng.random((count, seeds, dimension), np.float32)
    weights = (0.1 * unit * rng.standard_normal((count, seeds))).astype(np.float32)
    values = rng.random((count, seeds), np.float32)
    return sites, weights, values, rng.random((count, *shape), np.float32), shape, epsilon


def forward_and_backward(sites, weights, values, cotangent, shape, epsilon, metric):
    leaves = [torch.from_numpy(x).requires_grad_() for x in (sites, weights, values)]
    field = pl.laguerre.relax(*leaves, shape=shape, epsilon=epsilon, metric=metric)
    field.backward(torch.from_numpy(cotangent))
    return field.detach().numpy(), *(leaf.grad.numpy() for leaf in leaves)


def fused(sites, weights, values, cotangent, shape, epsilon, metric):
    """Field and gradient of numpy arrays, in one pass."""
    return pl.laguerre.relax_with_gradient(
        sites, weights, values, cotangent, shape=shape, epsilon=epsilon, metric=metric
    )


def error(result, sites, weights, values, cotangent, shape, epsilon, metric):
    """-> the largest error of field and gradients, each over its largest entry."""
    whole = np.zeros((*cotangent.shape[: -len(shape)], *shape))
    rows = cotangent.shape[-len(shape)]
    whole[..., :rows, *(slice(None),) * (len(shape) - 1)] = cotangent
    field, gradient = pl.laguerre.relax_with_gradient(
        *(np.float64(x) for x in (sites, weights, values)), whole,
        shape=shape, epsilon=epsilon, metric=metric,
    )  # fmt: skip
    exact = field[..., :rows, *(slice(None),) * (len(shape) - 1)], *gradient[:3]
    parts = [
        np.abs(np.asarray(a) - b).max() / np.abs(b).max()
        for a, b in zip(result, exact, strict=True)
    ]
    return max(parts)


def least_times(calls, seconds=SECONDS):
    """-> least seconds of each call, made in turns."""
    least = dict.fromkeys(calls, np.inf)
    stop = time.perf_counter() + seconds
    while time.perf_counter() < stop:
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            least[name] = min(least[name], time.perf_counter() - start)
    return least


@pytest.mark.parametrize("metric", ["power", "additive"])
@pytest.mark.parametrize("job", JOBS)
def test_relax(benchmark, job, metric):
    count, shape, seeds, other, rows = JOBS[job]
    *batch, shape, epsilon = arguments(job, metric)
    case = (*batch, shape, epsilon, metric)
    cotangent = np.random.default_rng(0).random((rows, *other[1:]), np.float32)
    small = (*(x[0] for x in batch[:3]), cotangent, other, epsilon, metric)
    if count * np.prod(shape) < 2**22:  # else double precision takes too long
        assert error(forward_and_backward(*case), *case) < 1e-5
    peers = {n: f for n, f in relaxed.PEERS.items() if n != "kdtree" or metric == "power"}
    errors = {name: error(peer(*small), *small) for name, peer in peers.items()}
    assert max(errors.values()) < 1e-3
    benchmark.pedantic(forward_and_backward, case, rounds=3)
    if not benchmark.stats:
        return
    calls = {"pearlite": lambda: forward_and_backward(*case), "fused": lambda: fused(*case)}
    calls |= {name: lambda peer=peer: peer(*small) for name, peer in peers.items()}
    for name, seconds in least_times(calls).items():
        own = name in ("pearlite", "fused")
        pixels = count * np.prod(shape) if own else small[3].size
        nanoseconds = 1e9 * seconds / pixels
        benchmark.extra_info[name] = f"{nanoseconds:.2f} ns a pixel"
        print(f"{job} {metric} {name}: {nanoseconds:.2f} ns a pixel")
        record(group="relax", solver=name, version=pl.__version__, input="float32", shape=job,
               phases=seeds, contrast=metric, threads=THREADS, cells=count if own else 1,
               tolerance=None, error=errors.get(name),
               ms_per_cell=1e-6 * nanoseconds * float(np.prod(shape)))  # fmt: skip
