"""Sliced Wasserstein distances with gradients against POT, and sums over pairs against scipy.

    make bench ARGS="-k transport"

POT is given the same directions, in torch with a backward pass and in numpy, where it has values
only; all peers and the first rows of ours run on one thread. Values and gradients are compared
before anything is timed. `cells` is the number of samples and `tolerance` that of directions;
`error` is POT's time in torch over the row's.
"""

import importlib

import numpy as np
import pytest
from recorder import record
from scipy.spatial.distance import cdist
from turns import seconds

import pearlite as pl
from pearlite import _threads

ot = pytest.importorskip("ot", reason="POT is not installed")
torch = pytest.importorskip("torch", reason="torch is not installed")

pytestmark = pytest.mark.filterwarnings("ignore")
THREADS = _threads.available()
CASES = [(1000, 50), (1000, 1000), (10_000, 200), (100_000, 50)]


def data(count, directions):
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((2, count, 3))
    theta = rng.standard_normal((directions, 3))
    return x, y * [1, 2, 0.5], theta / np.linalg.norm(theta, axis=1, keepdims=True)


def peer_in_torch(x, y, theta):
    first = torch.tensor(x, requires_grad=True)
    second, projections = torch.tensor(y), torch.tensor(theta.T.copy())

    def call():
        first.grad = None
        distance = ot.sliced_wasserstein_distance(first, second, projections=projections)
        distance.backward()
        return distance.item(), first.grad.numpy()

    return call


@pytest.fixture
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(("count", "directions"), CASES, ids=str)
def test_sliced_wasserstein(benchmark, one_thread, count, directions):
    x, y, theta = data(count, directions)
    target = pl.inversion.SortedProjections(y, directions=theta)
    jacobian = np.random.default_rng(1).standard_normal((count, 3, 5))
    distance = pl.inversion.sliced_wasserstein
    options = {"gradient": True, "root": True}
    in_torch = peer_in_torch(x, y, theta)
    value, gradient = distance(x, target, **options)
    expected, slope = in_torch()
    assert value == pytest.approx(expected, rel=1e-10)
    np.testing.assert_allclose(gradient, slope, atol=1e-9 * np.abs(slope).max())
    calls = {
        "POT, torch": in_torch,
        "POT, numpy, value": lambda: ot.sliced_wasserstein_distance(x, y, projections=theta.T),
        "pearlite": lambda: distance(x, target, threads=1, **options),
        "pearlite, y not sorted": lambda: distance(x, y, directions=theta, threads=1, **options),
        "pearlite, Gauss–Newton, 5": lambda: target.gauss_newton(x, jacobian, threads=1),
        f"pearlite, {THREADS} threads": lambda: distance(x, target, **options),
    }
    assert calls["POT, numpy, value"]() == pytest.approx(value, rel=1e-10)
    benchmark.pedantic(calls["pearlite"], rounds=1)
    rounds = 3 if benchmark.enabled and count < 100_000 else 1
    taken = seconds(calls, rounds=rounds)
    for name in calls:
        record(group="sliced Wasserstein", solver=name, input="float64", cells=count,
               version=ot.__version__ if "POT" in name else pl.__version__,
               threads=THREADS if "threads" in name else 1, tolerance=float(directions),
               error=round(taken["POT, torch"] / taken[name], 3),
               ms_per_cell=1e3 * taken[name])  # fmt: skip


def plain_energy(x, y):
    return 2 * cdist(x, y).mean() - cdist(x, x).mean() - cdist(y, y).mean()


def plain_mmd(x, y):
    means = [np.exp(cdist(a, b, "sqeuclidean") / -2).mean() for a, b in ((x, x), (y, y), (x, y))]
    return means[0] + means[1] - 2 * means[2]


@pytest.mark.parametrize("count", [1000, 5000])
def test_pairs(benchmark, count):
    x, y, _ = data(count, 1)
    energy, mmd = pl.inversion.energy_distance, pl.inversion.mmd
    calls = {
        "scipy cdist, energy": lambda: plain_energy(x, y),
        "pearlite, energy": lambda: energy(x, y, threads=1),
        "pearlite, energy, gradient": lambda: energy(x, y, gradient=True, threads=1),
        "scipy cdist, mmd": lambda: plain_mmd(x, y),
        "pearlite, mmd": lambda: mmd(x, y, bandwidth=1, threads=1),
        "pearlite, mmd, gradient": lambda: mmd(x, y, bandwidth=1, gradient=True, threads=1),
    }
    assert calls["pearlite, energy"]() == pytest.approx(plain_energy(x, y), rel=1e-9)
    assert calls["pearlite, mmd"]() == pytest.approx(plain_mmd(x, y), rel=1e-9)
    benchmark.pedantic(calls["pearlite, energy"], rounds=1)
    taken = seconds(calls, rounds=3 if benchmark.enabled else 1)
    scipy = importlib.import_module("scipy")
    for name in calls:
        record(group="sums over pairs", solver=name, input="float64", cells=count, threads=1,
               version=scipy.__version__ if "scipy" in name else pl.__version__,
               ms_per_cell=1e3 * taken[name])  # fmt: skip
