"""Weights for given volumes, and Lloyd's iteration, with their pixels on the emulated card."""

import numpy as np
import pytest
from emulator import stand_in as cupy

import pearlite as pl

TYPES = [np.float32, np.float64]


@pytest.fixture(autouse=True)
def _card(monkeypatch):
    monkeypatch.setenv("PEARLITE_CUDA", "emulate")


def problem(count, dimension, dtype=np.float64, batch=(), seed=0):
    """-> sites (*batch, K, d) and volumes (*batch, K) that sum to 1"""
    rng = np.random.default_rng(seed)
    sites = rng.random((*batch, count, dimension)).astype(dtype)
    volumes = rng.uniform(0.5, 1.5, (*batch, count))
    return sites, (volumes / volumes.sum(axis=-1, keepdims=True)).astype(dtype)


def kernels():
    return {launch.kernel for launch in cupy.machine.launches}


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("shape", [(40, 50), (33, 260), (16, 20, 18)])
@pytest.mark.parametrize("periodic", [True, False])
def test_weights(dtype, shape, periodic):
    """They are those of the CPU: all that is counted is equal."""
    sites, volumes = problem(9, len(shape), dtype)
    options = {"shape": shape, "periodic": periodic, "tolerance": 12}
    cupy.machine.launches.clear()
    got = pl.laguerre.fit_volumes(cupy.asarray(sites), cupy.asarray(volumes), **options)
    assert {"assign", "count_pixels", "add_contacts"} <= kernels()
    assert isinstance(got, cupy.ndarray)
    assert got.dtype == dtype
    wanted = pl.laguerre.fit_volumes(sites, volumes, **options)
    np.testing.assert_array_equal(got.get(), wanted)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("shape", [(40, 50), (12, 16, 18)])
@pytest.mark.parametrize("metric", ["power", "additive"])
def test_lloyd(dtype, shape, metric):
    sites, _ = problem(9, len(shape), dtype, (2,))
    weights = (1e-3 * np.arange(9)).astype(dtype)
    options = {"shape": shape, "metric": metric, "iterations": 3, "periodic": metric == "power"}
    cupy.machine.launches.clear()
    got = pl.laguerre.lloyd(cupy.asarray(sites), cupy.asarray(weights), **options)
    assert {"assign", "add_moments"} <= kernels()
    wanted = pl.laguerre.lloyd(sites, weights, **options)
    for name in ("sites", "weights", "energy", "movement"):
        mine, theirs = getattr(got, name), getattr(wanted, name)
        assert mine.dtype == theirs.dtype
        np.testing.assert_array_equal(mine.get(), theirs)


def test_lloyd_with_volumes():
    sites, volumes = problem(7, 2)
    options = {"shape": (60, 70), "iterations": 2, "tolerance": 8}
    got = pl.laguerre.lloyd(cupy.asarray(sites), volumes=cupy.asarray(volumes), **options)
    wanted = pl.laguerre.lloyd(sites, volumes=volumes, **options)
    np.testing.assert_array_equal(got.sites.get(), wanted.sites)
    np.testing.assert_array_equal(got.weights.get(), wanted.weights)


def test_thin_images_devices_and_failures():
    """A coarser grid may have one row, which no caller may ask for."""
    sites, volumes = problem(2, 2)
    options = {"shape": (2, 400), "on_failure": "nan"}
    wanted = pl.laguerre.fit_volumes(sites, volumes, **options)
    with cupy.cuda.Device(1):
        there = cupy.asarray(sites), cupy.asarray(volumes)
    got = pl.laguerre.fit_volumes(*there, **options)
    assert got.device.id == 1
    np.testing.assert_array_equal(got.get(), wanted)
    sites[:] = [[0.5, 0.5], [0.5, 0.75]]
    with pytest.raises(pl.ConvergenceError, match="did not reach tolerance"):
        pl.laguerre.fit_volumes(*map(cupy.asarray, (sites, volumes)), shape=(8, 8), tolerance=0.1)


@pytest.mark.parametrize("emulated", [True, False])
def test_tensors(emulated, monkeypatch):
    torch = pytest.importorskip("torch")
    if not emulated:
        monkeypatch.delenv("PEARLITE_CUDA")
    sites, volumes = problem(5, 2)
    given = torch.from_numpy(sites).requires_grad_(), torch.from_numpy(volumes)
    options = {"shape": (40, 40), "tolerance": 12}
    got = pl.laguerre.fit_volumes(*given, **options)
    assert isinstance(got, torch.Tensor)
    np.testing.assert_array_equal(got.numpy(), pl.laguerre.fit_volumes(sites, volumes, **options))
    moved = pl.laguerre.lloyd(given[0], shape=(40, 40), iterations=2)
    wanted = pl.laguerre.lloyd(sites, shape=(40, 40), iterations=2)
    np.testing.assert_array_equal(moved.sites.numpy(), wanted.sites)
    np.testing.assert_array_equal(moved.energy.numpy(), wanted.energy)


def test_what_is_refused():
    sites, volumes = problem(3, 2)
    there = cupy.asarray(sites)
    with pytest.raises(TypeError, match="volumes is a ndarray; expected a cupy array"):
        pl.laguerre.fit_volumes(there, volumes, shape=(8, 8))
    with pytest.raises(TypeError, match="sites is a ndarray; expected a cupy array"):
        pl.laguerre.lloyd(sites, volumes=cupy.asarray(volumes), shape=(8, 8))
    with pytest.raises(ValueError, match=r"volumes has shape \(2,\); expected \(..., 3\)"):
        pl.laguerre.fit_volumes(there, cupy.zeros(2), shape=(8, 8))
    with pytest.raises(ValueError, match=r"sites\[0, 0\] is nan; expected a finite number"):
        pl.laguerre.lloyd(cupy.asarray(np.full((3, 2), np.nan)), shape=(8, 8))
    with pytest.raises(ValueError, match="iterations is -1; expected an integer"):
        pl.laguerre.lloyd(there, shape=(8, 8), iterations=-1)
