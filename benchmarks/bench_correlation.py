"""Two-point correlations, the bispectrum and annealing against what else there is.

    make bench ARGS="-k correlation"

Every peer's map is compared with one in double precision before it is timed. PoreSpy gives radial
averages only and MCRpy two dimensions only. The calls of a case take turns; rows of results.csv
have the medians.
"""

import os
import time

import numpy as np
import pytest
from recorder import record
from scipy import fft
from turns import seconds

import pearlite as pl
from pearlite import _core, _threads
from pearlite.reconstruction._correlations import doubled_transform

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# Peers warn of what they depend on.
pytestmark = pytest.mark.filterwarnings("ignore")

THREADS = _threads.available()
SHAPES = [(64, 64), (256, 256), (1024, 1024), (128, 128, 128)]


def image(shape):
    return (np.random.default_rng(0).random(shape) < 0.4).astype(np.float32)


def scipy_map(x, workers):
    spectrum = fft.rfftn(x, workers=workers)
    power = spectrum.real**2 + spectrum.imag**2
    return fft.irfftn(power, x.shape, workers=workers) / x.size


def peers(x):
    """-> {name: function of no arguments}, and which part of the map each gives."""
    double = x.astype(np.float64)
    calls = {
        f"scipy float32, {w} worker{'s' * (w > 1)}": lambda w=w: scipy_map(x, w) for w in (1, 2)
    }
    calls["scipy float64, 2 workers"] = lambda: scipy_map(double, 2)
    try:
        from pymks import two_point_stats

        calls["pymks"] = lambda: np.asarray(two_point_stats(double[None], double[None]))[0]
    except ImportError:
        pass
    if x.ndim == 2:
        try:
            from mcrpy.descriptors.FFTCorrelations import FFTCorrelations

            whole = FFTCorrelations.make_singlephase_descriptor(x.shape, limit_to=x.shape[0] // 2)
            calls["mcrpy"] = lambda: whole(double).numpy()
        except ImportError:
            pass
    return calls


def agrees(got, expected):
    """Whole maps, or centred ones without their first row and column."""
    if got.shape != expected.shape:
        got, expected = got, np.fft.fftshift(expected)[(slice(1, None),) * expected.ndim]
    return np.abs(got - expected).max()


@pytest.mark.parametrize("shape", SHAPES, ids=lambda s: "x".join(map(str, s)))
def test_two_point(benchmark, shape):
    x = image(shape)
    expected = scipy_map(x.astype(np.float64), 1)
    calls = {
        f"pearlite, {k} thread{'s' * (k > 1)}": lambda k=k: pl.correlation.two_point(
            x, dim=len(shape), threads=k
        )
        for k in range(1, THREADS + 1)
    } | peers(x)
    for name, call in calls.items():
        worst = agrees(call(), expected)
        assert worst < 1e-6, name
    try:
        import porespy

        if x.size <= 2**21:
            calls["porespy, radial"] = lambda: porespy.metrics.two_point_correlation(x > 0)
    except ImportError:
        pass
    benchmark.pedantic(calls[f"pearlite, {THREADS} threads"], rounds=3)
    if benchmark.stats:
        report("two_point", shape, calls)


@pytest.mark.parametrize("shape", [(64, 64), (64, 48)], ids=lambda s: "x".join(map(str, s)))
def test_bispectrum(benchmark, shape):
    rng = np.random.default_rng(1)
    field, other = rng.random((2, *shape))
    goal = _core.bispectrum(doubled_transform(other).astype(np.float32), THREADS)
    transform = doubled_transform(field)
    exact, _ = _core.bispectrum_loss(transform, goal.astype(np.float64), THREADS)
    single = transform.astype(np.float32)
    loss, _ = _core.bispectrum_loss(single, goal, THREADS)
    assert loss == pytest.approx(exact, rel=1e-5)
    benchmark.pedantic(_core.bispectrum_loss, (single, goal, THREADS), rounds=3)
    if benchmark.stats:
        calls = {
            f"pearlite, {k} thread{'s' * (k > 1)}": lambda k=k: _core.bispectrum_loss(
                single, goal, k
            )
            for k in range(1, THREADS + 1)
        }
        report("bispectrum", shape, calls)


@pytest.mark.parametrize("n", [64, 128, 256])
def test_annealing(benchmark, n):
    """Proposals a second on one core, close to the target, where most are refused."""
    rng = np.random.default_rng(2)
    aim = (rng.random((n, 1, n)) < 0.5).astype(np.int32)
    goal = pl.correlation.two_point(aim == 1, dim=3, counts=True)[None]
    start = rng.permutation(aim.ravel()).reshape(aim.shape)
    chain = _core.Annealer(start, goal, 1)
    chain.run(200_000, 1.0, 1.0, 0, 0, 0)
    count = 4000

    def propose(first):
        began = time.perf_counter()
        chain.run(count, 1.0, 1.0, 0, 0, first)
        return time.perf_counter() - began

    times = [propose(10**6 + k * count) for k in range(15)]
    labels = chain.labels()
    counts = pl.correlation.two_point(labels == 1, dim=3, counts=True)
    assert chain.energy == ((counts - goal) ** 2).sum()
    benchmark.pedantic(propose, (0,), rounds=3)
    if benchmark.stats:
        each = 1e3 * float(np.median(times)) / count
        record(group="annealing", solver="pearlite", version=pl.__version__, shape=f"{n}x{n}",
               threads=1, cells=count, ms_per_cell=each)  # fmt: skip


def report(group, shape, calls):
    """Time the calls, and keep a row of each."""
    for name, taken in seconds(calls).items():
        record(group=group, solver=name, version=pl.__version__, input="float32",
               shape="x".join(map(str, shape)), cells=1, ms_per_cell=1e3 * taken)  # fmt: skip
