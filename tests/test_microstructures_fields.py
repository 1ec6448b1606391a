"""Gaussian fields on extended domains, their copulas, and specimens made of them."""

import numpy as np
import pytest
from reference.microstructures import (
    grid_points,
    neumann_covariance,
    neumann_limit,
    neumann_value,
    scores,
)
from scipy import stats

from pearlite import microstructures as ms

UNLIKELY = 1e-3  # a probability below which statistical tests, whose seeds are fixed, reject
SMALL = ms.NeumannField(tau=5.0, beta=2.5, modes=7, extension=0.3)
PLACES = np.array([[0.0, 0.0], [0.0, 0.37], [0.5, 0.5], [0.81, 0.13], [1.0, 1.0]])


def test_fields_are_their_series():
    normals = SMALL.draw(2, seed=1)
    values = SMALL.at(PLACES, normals)
    expected = [[neumann_value(SMALL, own, point) for point in PLACES] for own in normals]
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-14 * np.abs(expected).max())
    np.testing.assert_array_equal(values, SMALL.sample(PLACES, 2, seed=1))


def test_covariances_are_their_series():
    expected = [[neumann_covariance(SMALL, x, y) for y in PLACES] for x in PLACES]
    covariance = SMALL.covariance(PLACES[:, None], PLACES)
    np.testing.assert_allclose(covariance, expected, rtol=0, atol=1e-14 * np.max(expected))
    np.testing.assert_array_equal(SMALL.variance(PLACES), covariance.diagonal())


@pytest.mark.parametrize("field", [SMALL, ms.NeumannField()])
def test_grids_are_points(field):
    window = ((0.2, 0.5), (0.0, 1.0))
    normals = field.draw(4, seed=1).reshape(2, 2, field.modes, field.modes)
    for kind in ("", "standard", "uniform"):
        at = getattr(field, kind or "at")
        on_grid = getattr(field, f"{kind}_on_grid".lstrip("_"))
        points = grid_points((6, 9)) * [0.3, 1.0] + [0.2, 0.0]
        expected = at(points, normals)
        assert expected.shape == (2, 2, 6, 9)
        values = on_grid((6, 9), normals, window=window)
        np.testing.assert_allclose(values, expected, rtol=0, atol=1e-12 * np.abs(expected).max())


def test_many_points_are_evaluated_in_parts():
    normals, points = SMALL.draw(2, seed=1), grid_points((100, 90))
    np.testing.assert_allclose(
        SMALL.at(points, normals), SMALL.on_grid((100, 90), normals), rtol=0, atol=1e-12
    )
    variance = SMALL.variance(points)
    np.testing.assert_allclose(variance[77, 45], SMALL.variance(points[77, 45]), rtol=1e-12)


@pytest.mark.parametrize(
    "field",
    [
        ms.NeumannField(tau=10.0, beta=3.0, modes=300, extension=0.25),
        ms.NeumannField(tau=3.0, beta=4.0, modes=100, extension=0.0),
    ],
)
def test_covariances_tend_to_those_of_the_whole_operator(field):
    """Matérn's closed form with images, without what the missing modes j = 0 or k = 0 carry."""
    pairs = [((0.4, 0.5), (0.45, 0.52)), ((0.0, 0.1), (0.2, 0.0)), ((0.3, 0.3), (0.6, 0.9))]
    for first, second in pairs:
        expected = neumann_limit(field, first, second)
        error = field.covariance(first, second) - expected
        assert abs(error) < 1e-6 * field.variance(first)


def test_the_correlation_length_is_that_of_matern():
    """Far from the boundary correlation falls to ½ where Matérn's does."""
    field = ms.NeumannField(tau=100.0, beta=4.0, modes=1000, extension=4.5)
    lag = 2.6017838101 / 100  # (τr)³ K₃(τr) is half of its limit 2² Γ(3) at τr = 2.60
    centre = (0.5, 0.5)
    correlation = field.covariance(centre, (0.5 + lag, 0.5)) / field.variance(centre)
    # The missing modes j = 0 or k = 0 carry a share of the variance of the order of 1/(τL) = .001.
    np.testing.assert_allclose(correlation, 0.5, atol=4e-3)


def test_any_scale_of_the_operator_gives_the_same_copula():
    """Powers of τ that underflow drop out of the copula."""
    field = ms.NeumannField(tau=1e10, beta=40.0, modes=4)
    assert field.variance([0.5, 0.5]) == 0  # 10^−800
    u = field.uniform_on_grid((5, 5), field.draw(3, seed=1))
    assert ((u > 0) & (u < 1)).all()
    assert np.isfinite(ms.NeumannField(tau=1e-10).uniform([0.5, 0.5], np.ones((40, 40))))


def test_samples_have_the_covariance():
    count = 4000
    values = SMALL.sample(PLACES, count, seed=3)
    covariance = SMALL.covariance(PLACES[:, None], PLACES)
    whitened = np.linalg.solve(np.linalg.cholesky(covariance), values.T)
    assert stats.kstest(whitened.ravel(), "norm").pvalue > UNLIKELY
    products = np.sqrt(count) * (whitened @ whitened.T / count)[np.triu_indices(5, 1)]
    assert stats.chi2.sf((products**2).sum(), 10) > UNLIKELY


@pytest.mark.parametrize("field", [SMALL, ms.NeumannField(modes=10, extension=0.0)])
def test_copulas_are_uniform_at_every_point(field):
    for column in field.uniform(PLACES, field.draw(2000, seed=3)).T:
        assert stats.kstest(column, "uniform").pvalue > UNLIKELY


# Specimens ---------------------------------------------------------------------------------------

CELL = ms.LaguerreCells((6, 8), 3)
PERIODIC = ms.LocallyPeriodic(CELL, (5, 4), SMALL)
WEIGHTS = np.array([0.0, -0.1, -0.05])


def test_seeds_are_the_copulas_at_the_centres():
    normals = PERIODIC.draw(2, seed=1)
    sites = PERIODIC.sites(normals)
    assert sites.shape == (2, 5, 4, 3, 2)
    u = SMALL.uniform([2.5 / 5, 1.5 / 4], normals[1, 2, 0])
    np.testing.assert_allclose(sites[1, 2, 1, 2, 0], u, rtol=1e-12)
    points = grid_points((5, 4)).reshape(-1, 2)
    np.testing.assert_allclose(PERIODIC.sites(normals, points), sites.reshape(2, 20, 3, 2))


def test_labels_are_those_of_the_cells():
    normals = PERIODIC.draw(2, seed=1)
    labels = PERIODIC.labels(normals, WEIGHTS)
    assert labels.shape == (2, 5, 4, 6, 8)
    assert labels.dtype == np.uint8
    expected = CELL.labels(PERIODIC.sites(normals)[1, 2, 3], WEIGHTS)
    np.testing.assert_array_equal(labels[1, 2, 3], expected)


def test_seeds_of_a_specimen_are_uniform_and_its_fields_independent():
    sites = PERIODIC.sites(PERIODIC.draw(1500, seed=2), [[0.2, 0.7]])[:, 0].reshape(1500, 6)
    for column in sites.T:
        assert stats.kstest(column, "uniform").pvalue > UNLIKELY
    correlation = np.corrcoef(sites.T)[np.triu_indices(6, 1)] * np.sqrt(1500)
    assert stats.chi2.sf((correlation**2).sum(), 15) > UNLIKELY


@pytest.mark.parametrize("metric", ["additive", "power"])
def test_a_window_has_the_seeds_of_each_pixel(metric):
    cell = ms.LaguerreCells((6, 8), 3, metric)
    specimen = ms.LocallyPeriodic(cell, (5, 4), SMALL)
    normals = specimen.draw(1, seed=1)[0]
    window = specimen.window(normals, WEIGHTS, first=(1, 2), cells=(2, 1))
    assert window.shape == (12, 8)
    whole = specimen.window(normals, WEIGHTS)
    np.testing.assert_array_equal(window, whole[6:18, 16:24])
    points = grid_points((30, 32))
    for pixel in [(0, 0), (7, 20), (29, 31), (13, 5)]:
        sites = specimen.sites(normals, points[pixel][None])[0]
        local = points[pixel] * (5, 4) % 1
        assert whole[pixel] == scores(sites, WEIGHTS, local, metric).argmin()


def test_a_window_of_constant_seeds_is_periodic():
    """On a domain a million times larger the fields hardly vary over the specimen."""
    field = ms.NeumannField(tau=1e-6, beta=3.0, modes=4, extension=1e6)
    specimen = ms.LocallyPeriodic(CELL, (5, 4), field)
    normals = specimen.draw(1, seed=1)[0]
    labels = specimen.labels(normals, WEIGHTS)
    assert len(np.unique(labels)) == 3
    np.testing.assert_array_equal(specimen.window(normals, WEIGHTS), np.tile(labels[0, 0], (5, 4)))


def test_neighbouring_cells_are_alike():
    specimen = ms.LocallyPeriodic(ms.LaguerreCells((8, 8), 3), (100, 100))
    sites = specimen.sites(specimen.draw(1, seed=1)[0])
    far = np.abs(sites[50:] - sites[:50]).mean()
    assert np.abs(np.diff(sites, axis=0)).mean() < 0.15 * far
    assert 0.25 < far < 0.42  # 1/3 for independent uniform numbers


FRACTIONS = ms.DirichletField(SMALL, 3)
ALPHA = np.array([0.5, 1.5, 3.0])


def test_fraction_fields_have_their_marginals():
    v = FRACTIONS.at(PLACES, FRACTIONS.draw(1500, seed=1), ALPHA)
    assert v.shape == (1500, 5, 3)
    np.testing.assert_allclose(v.sum(axis=-1), 1, rtol=1e-14)
    for place in range(5):
        for k in range(3):
            law = stats.beta(ALPHA[k], ALPHA.sum() - ALPHA[k])
            assert stats.kstest(v[:, place, k], law.cdf).pvalue > UNLIKELY


def test_fraction_fields_are_quantiles_of_the_copulas():
    normals = FRACTIONS.draw(2, seed=1)
    expected = ms.dirichlet(ALPHA, np.moveaxis(SMALL.uniform(PLACES, normals), 1, -1))
    np.testing.assert_allclose(FRACTIONS.at(PLACES, normals, ALPHA), expected, rtol=1e-12)
    grid = FRACTIONS.on_grid((4, 5), normals, ALPHA)
    np.testing.assert_allclose(FRACTIONS.at(grid_points((4, 5)), normals, ALPHA), grid, rtol=1e-12)


STATIONARY = ms.LocallyStationary(ms.DirichletMosaic((6, 8), sites=9, materials=3), (5, 4), SMALL)


def test_a_cell_does_not_depend_on_which_others_are_wanted():
    whole = STATIONARY.draw(seed=3, sample=2)
    labels = STATIONARY.labels(whole, ALPHA)
    assert labels.shape == (20, 6, 8)
    np.testing.assert_array_equal(whole.cells[:6], [[0, 0], [0, 1], [0, 2], [0, 3], [1, 0], [1, 1]])
    wanted = [(4, 3), (0, 1), (0, 2), (2, 2)]
    some = STATIONARY.draw(seed=3, sample=2, cells=wanted)
    np.testing.assert_array_equal(some.normals, whole.normals)
    np.testing.assert_array_equal(some.sites, whole.sites[[19, 1, 2, 10]])
    np.testing.assert_array_equal(STATIONARY.labels(some, ALPHA), labels[[19, 1, 2, 10]])
    other = STATIONARY.draw(seed=3, sample=3)
    assert not np.isin(other.sites, whole.sites).any()


def test_grains_have_the_fractions_of_their_place():
    draws = STATIONARY.draw(seed=3, cells=[(3, 1)])
    labels = STATIONARY.labels(draws, ALPHA)[0]
    v = FRACTIONS.at((draws.sites[0] + [3, 1]) / [5, 4], draws.normals, ALPHA)
    np.testing.assert_allclose(STATIONARY.fractions(draws, ALPHA)[0], v, rtol=1e-12)
    materials = (draws.grains[0][:, None] >= np.cumsum(v, axis=1)[:, :-1]).sum(axis=1)
    nearest = scores(draws.sites[0], 0, grid_points((6, 8)), "power").argmin(axis=-1)
    np.testing.assert_array_equal(labels, materials[nearest])


NORMALS = PERIODIC.draw(1, seed=1)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: ms.NeumannField(tau=0.0), ValueError, "tau is 0.0"),
        (lambda: ms.NeumannField(beta=1.0), ValueError, "beta is 1.0"),
        (lambda: ms.NeumannField(modes=0), ValueError, "modes is 0"),
        (lambda: ms.NeumannField(modes=2.5), TypeError, "modes is 2.5"),
        (lambda: ms.NeumannField(extension=-1), ValueError, "extension is -1"),
        (lambda: SMALL.at([[0.5, 1.1]], np.zeros((7, 7))), ValueError, "points has entries"),
        (lambda: SMALL.at([0.5], np.zeros((7, 7))), ValueError, r"points has shape \(1,\)"),
        (lambda: SMALL.at([0.5, 0.5], np.zeros((7, 6))), ValueError, "normals has shape"),
        (lambda: SMALL.on_grid((4,), np.zeros((7, 7))), ValueError, "shape is"),
        (
            lambda: SMALL.on_grid((4, 4), np.zeros((7, 7)), window=((0, 1), (0.5, 0.2))),
            ValueError,
            "window is",
        ),
        (lambda: SMALL.covariance(PLACES, PLACES[:2]), ValueError, "second has shape"),
        (lambda: ms.LocallyPeriodic(SMALL), TypeError, "cell is a NeumannField"),
        (
            lambda: ms.LocallyPeriodic(ms.LaguerreCells((4, 4, 4), 2)),
            ValueError,
            r"cell has shape \(4, 4, 4\)",
        ),
        (lambda: ms.LocallyPeriodic(CELL, (0, 4)), ValueError, "cells is 0"),
        (lambda: ms.LocallyPeriodic(CELL, (4, 4), None), TypeError, "field is a NoneType"),
        (lambda: PERIODIC.window(NORMALS), ValueError, "normals has shape"),
        (lambda: PERIODIC.window(NORMALS[0], first=(5, 0)), ValueError, "first is 5"),
        (lambda: PERIODIC.window(NORMALS[0], cells=(6, 1)), ValueError, "cells is 6"),
        (lambda: ms.DirichletField(SMALL, 0), ValueError, "materials is 0"),
        (lambda: FRACTIONS.at(PLACES, np.zeros((3, 7, 7)), [1, 2]), ValueError, "alpha has shape"),
        (lambda: STATIONARY.draw(seed=1, cells=[(5, 0)]), ValueError, "cells has an entry"),
        (lambda: STATIONARY.draw(seed=1, sample=-1), ValueError, "sample is -1"),
    ],
)
def test_bad_arguments_are_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
