"""Prescribed volumes and Lloyd's iteration: what they promise, and what they refuse."""

import numpy as np
import pytest

import pearlite as pl
from pearlite.laguerre import _newton
from pearlite.laguerre._pixels import Pixels


def seeds(count, dim, seed=0):
    return np.random.default_rng(seed).random((count, dim))


def lognormal(count, sigma, seed=1):
    volumes = np.exp(sigma * np.random.default_rng(seed).standard_normal(count))
    return volumes / volumes.sum()


def errors(sites, weights, volumes, shape, **options):
    """Differences of the volumes, in pixels."""
    labels = pl.laguerre.assign(sites, weights, shape=shape, **options)
    found = pl.laguerre.volumes(labels, volumes.shape[-1], dim=len(shape))
    return (found - volumes) * np.prod(shape)


@pytest.mark.parametrize(
    ("shape", "count", "sigma"),
    [((64, 64), 10, 0.3), ((150, 90), 60, 1.0), ((40, 36, 44), 50, 0.5), ((33, 33), 2, 2.0)],
)
@pytest.mark.parametrize("periodic", [True, False])
def test_volumes_are_those_prescribed(shape, count, sigma, periodic):
    sites, volumes = seeds(count, len(shape)), lognormal(count, sigma)
    weights = pl.laguerre.fit_volumes(sites, volumes, shape=shape, periodic=periodic)
    found = errors(sites, weights, volumes, shape, periodic=periodic)
    assert np.abs(found).max() <= 4
    assert weights.dtype == np.float64
    assert abs(weights.mean()) < 1e-12


def test_the_error_falls_below_a_pixel():
    sites, volumes = seeds(125, 3), lognormal(125, 0.5)
    weights = pl.laguerre.fit_volumes(sites, volumes, shape=(64, 64, 64), tolerance=2.5)
    found = errors(sites, weights, volumes, (64, 64, 64))
    assert np.abs(found).max() <= 2.5
    assert np.sqrt((found**2).mean()) < 1


def test_weights_of_a_diagram_are_found_again():
    """Volumes determine the weights but for a constant.

    Two pixels more along a face of 60 move it by 1/30 pixel, which at a distance of 1/4 between the
    sites is a weight of 2 · 1/4 · 1/30 · 1/400.
    """
    sites = seeds(12, 2)
    weights = 0.01 * np.random.default_rng(3).random(12)
    volumes = pl.laguerre.volumes(pl.laguerre.assign(sites, weights, shape=(400, 400)), 12)
    found = pl.laguerre.fit_volumes(sites, volumes, shape=(400, 400), tolerance=2)
    np.testing.assert_allclose(found, weights - weights.mean(), atol=4.2e-5)


@pytest.mark.parametrize("spread", [0.05, 0.01, 0.002])
def test_crowded_sites_leave_no_cell_empty(spread):
    """At weights 0 most of these cells have no pixel at all."""
    sites = 0.5 + spread * np.random.default_rng(0).standard_normal((40, 2))
    volumes = np.full(40, 1 / 40)
    start = pl.laguerre.volumes(pl.laguerre.assign(sites, shape=(64, 64)), 40)
    assert spread == 0.05 or (start == 0).any()
    weights = pl.laguerre.fit_volumes(sites, volumes, shape=(64, 64))
    assert np.abs(errors(sites, weights, volumes, (64, 64))).max() <= 4


def test_a_batch_is_its_images_and_threads_do_not_matter():
    sites, volumes = seeds(8, 2), np.stack([lognormal(8, 0.5, k) for k in range(3)])
    weights = pl.laguerre.fit_volumes(sites, volumes, shape=(64, 48), threads=2)
    assert weights.shape == (3, 8)
    for own, part in zip(weights, volumes, strict=True):
        one = pl.laguerre.fit_volumes(sites, part, shape=(64, 48), threads=1)
        np.testing.assert_array_equal(one, own)


def test_float32_seeds_have_float32_weights_that_work():
    sites = seeds(20, 2).astype(np.float32)
    volumes = lognormal(20, 0.3).astype(np.float32)
    weights = pl.laguerre.fit_volumes(sites, volumes, shape=(128, 128))
    assert weights.dtype == np.float32
    assert np.abs(errors(sites, weights, volumes, (128, 128))).max() <= 4.01


def test_one_cell_has_everything():
    assert pl.laguerre.fit_volumes([[0.2, 0.3]], [1.0], shape=(8, 8)).tolist() == [0]


def test_moving_all_sites_by_whole_pixels_changes_nothing():
    sites, volumes = seeds(15, 2), lognormal(15, 0.4)
    moved = sites + np.array([3, 7]) / 64
    first, second = (pl.laguerre.fit_volumes(x, volumes, shape=(64, 64)) for x in (sites, moved))
    np.testing.assert_allclose(first, second, atol=2e-3)


@pytest.mark.parametrize("dim", [2, 3])
def test_the_derivative_is_that_of_exact_volumes(dim):
    """Finite differences over changes that move faces by several pixels."""
    shape = (512, 512) if dim == 2 else (96, 96, 96)
    sites, count = seeds(6, dim, 4), 6
    problem = _newton.Problem(
        sites, np.full(count, 1 / count), Pixels(shape, True, 2), np.dtype(np.float64)
    )
    state = _newton._evaluate(problem, np.zeros(count))
    edges = _newton._edges(problem, state)
    derivative = np.zeros((count, count))
    derivative[edges.pairs] = -edges.slopes
    derivative += derivative.T
    derivative -= np.diag(derivative.sum(axis=0))
    change = 4e-3
    for k in range(count):
        step = change * np.eye(count)[k]
        up, down = (_newton._evaluate(problem, sign * step).volumes for sign in (1, -1))
        slope = (up - down) / (2 * change)
        np.testing.assert_allclose(slope, derivative[k], atol=0.04 * derivative.max())


# What does not converge --------------------------------------------------------------------------


def lattice():
    return np.stack(np.meshgrid(*[np.arange(4) / 4] * 2, indexing="ij"), -1).reshape(-1, 2)


def test_a_lattice_cannot_have_any_volumes():
    """Its faces move by whole rows of pixels at once."""
    volumes = lognormal(16, 0.3)
    with pytest.raises(
        pl.ConvergenceError, match=r"image \[\] did not reach tolerance=4"
    ) as caught:
        pl.laguerre.fit_volumes(lattice(), volumes, shape=(64, 64), max_iterations=20)
    assert caught.value.index == ()
    assert 4 < caught.value.residual < 64


def test_failed_images_are_nan_if_asked_for():
    sites = np.stack([lattice(), seeds(16, 2)])
    options = {"shape": (64, 64), "max_iterations": 20}
    with pytest.raises(pl.ConvergenceError) as caught:
        pl.laguerre.fit_volumes(sites[::-1], lognormal(16, 0.3), **options)
    assert caught.value.index == (1,)
    weights = pl.laguerre.fit_volumes(sites, lognormal(16, 0.3), on_failure="nan", **options)
    np.testing.assert_array_equal(np.isnan(weights).all(axis=1), [True, False])


# Lloyd -------------------------------------------------------------------------------------------


def test_lloyd_lowers_the_energy_and_evens_the_volumes():
    sites = seeds(40, 2)
    found = pl.laguerre.lloyd(sites, shape=(128, 128), iterations=30)
    assert np.all(np.diff(found.energy) <= 1e-12)
    assert found.movement[-1] < 0.1 * found.movement[0]
    assert np.all((found.sites >= 0) & (found.sites < 1))
    np.testing.assert_array_equal(found.weights, 0)
    spreads = [
        pl.laguerre.volumes(pl.laguerre.assign(x, shape=(128, 128))).std()
        for x in (sites, found.sites)
    ]
    assert spreads[1] < 0.4 * spreads[0]


def test_the_energy_is_the_mean_squared_distance():
    sites = seeds(9, 3)
    shape = (20, 24, 16)
    energy = pl.laguerre.lloyd(sites, shape=shape, iterations=1).energy[0]
    centres = (np.moveaxis(np.indices(shape), 0, -1) + 0.5) / shape
    apart = np.abs(centres[..., None, :] - sites)
    apart = np.minimum(apart, 1 - apart)
    assert energy == pytest.approx((apart**2).sum(-1).min(-1).mean(), rel=1e-12)


@pytest.mark.parametrize("metric", ["power", "additive"])
def test_one_move_goes_to_the_centroids(metric):
    sites, weights = seeds(10, 2), 0.02 * np.random.default_rng(5).random(10)
    options = {"shape": (64, 80), "metric": metric}
    moved = pl.laguerre.lloyd(sites, weights, iterations=1, **options)
    labels = pl.laguerre.assign(sites, weights, **options)
    np.testing.assert_allclose(moved.sites, pl.laguerre.centroids(labels, 10), atol=1e-14)
    np.testing.assert_array_equal(moved.weights, weights)


def test_empty_cells_stay_where_they_are():
    sites, weights = seeds(5, 2), np.array([0, 0, -1.0, 0, 0])
    moved = pl.laguerre.lloyd(sites, weights, shape=(32, 32), iterations=3)
    np.testing.assert_array_equal(moved.sites[2], sites[2])
    assert np.isfinite(moved.energy).all()


def test_lloyd_with_prescribed_volumes():
    sites, volumes = seeds(30, 2), lognormal(30, 0.5)
    found = pl.laguerre.lloyd(sites, volumes=volumes, shape=(128, 128), iterations=8)
    assert np.abs(errors(found.sites, found.weights, volumes, (128, 128))).max() <= 4
    assert found.energy[-1] < found.energy[0]
    labels = pl.laguerre.assign(found.sites, found.weights, shape=(128, 128))
    apart = (pl.laguerre.centroids(labels, 30) - found.sites + 0.5) % 1 - 0.5
    assert np.abs(apart).max() < 0.03


def test_no_iteration_of_a_batch():
    sites = seeds(12, 2).reshape(3, 4, 2)
    found = pl.laguerre.lloyd(sites, shape=(16, 16), iterations=0)
    np.testing.assert_array_equal(found.sites, sites)
    assert found.energy.shape == found.movement.shape == (3, 0)
    three = pl.laguerre.lloyd(sites, shape=(16, 16), iterations=2)
    one = pl.laguerre.lloyd(sites[1], shape=(16, 16), iterations=2)
    np.testing.assert_array_equal(three.sites[1], one.sites)
    np.testing.assert_array_equal(three.energy[1], one.energy)


# Bad input ---------------------------------------------------------------------------------------

GOOD = {"sites": seeds(3, 2), "volumes": [0.2, 0.3, 0.5], "shape": (16, 16)}


@pytest.mark.parametrize(
    ("replaced", "error", "words"),
    [
        ({"volumes": [0.2, 0.3, 0.4]}, ValueError, "volumes sum to 0.9; expected 1"),
        ({"volumes": [0.7, 0.5, -0.2]}, ValueError, r"\[2\] is -0.2; expected fractions > 0"),
        ({"volumes": [0.5, 0.5, 0]}, ValueError, r"volumes\[2\] is 0"),
        ({"volumes": [0.5, 0.499, 0.001]}, ValueError, "at least a pixel, 0.00391"),
        ({"volumes": [0.5, np.nan, 0.5]}, ValueError, r"volumes\[1\] is nan"),
        ({"volumes": [0.5, 0.5]}, ValueError, r"volumes has shape \(2,\)"),
        ({"volumes": np.array([1, 1, 1])}, TypeError, "volumes has dtype int64"),
        ({"sites": [[0.1, 0.2], [0.5, 0.5], [1.1, 0.2]]}, ValueError, r"s\[2\] is the same"),
        ({"sites": np.zeros((2, 2, 2))}, ValueError, "volumes has shape"),
        ({"shape": (16,)}, ValueError, "shape is"),
        ({"tolerance": 0}, ValueError, "tolerance is 0"),
        ({"tolerance": "1"}, TypeError, "tolerance is '1'"),
        ({"max_iterations": -1}, ValueError, "max_iterations is -1"),
        ({"on_failure": "skip"}, ValueError, "on_failure is 'skip'"),
        ({"periodic": 1}, TypeError, "periodic is a int"),
    ],
)  # fmt: skip
def test_bad_arguments(replaced, error, words):
    with pytest.raises(error, match=words):
        pl.laguerre.fit_volumes(**{**GOOD, **replaced})


@pytest.mark.parametrize(
    ("replaced", "error", "words"),
    [
        ({"weights": [0.0, 0, 0]}, ValueError, "volumes go without weights"),
        ({"metric": "additive"}, ValueError, "volumes go without weights, and with metric"),
        ({"iterations": 1.5}, TypeError, "iterations is 1.5"),
        ({"volumes": [1.0, 0, 0]}, ValueError, r"volumes\[1\] is 0"),
    ],
)
def test_bad_arguments_of_lloyd(replaced, error, words):
    with pytest.raises(error, match=words):
        pl.laguerre.lloyd(**{**GOOD, **replaced})
