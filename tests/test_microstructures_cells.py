"""Cells of one seed a material, mosaics of random fractions, and the quantiles behind them."""

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference.microstructures import grid_points, scores
from scipy import stats

import pearlite as pl
from pearlite import microstructures as ms

# Statistical tests have fixed seeds, and reject at a probability that a right sampler meets in one
# of a thousand tests.
UNLIKELY = 1e-3

WEIGHTS = {"additive": [0.0, -0.1, -0.05], "power": [0.0, -0.05, 0.03]}


@pytest.mark.parametrize("metric", WEIGHTS)
@pytest.mark.parametrize("shape", [(9, 14), (5, 6, 7)])
def test_laguerre_cells_are_those_of_the_least_score(metric, shape):
    cells = ms.LaguerreCells(shape, 3, metric)
    sites = cells.draw(4, seed=1)
    labels = cells.labels(sites, WEIGHTS[metric])
    assert labels.dtype == np.uint8
    for own, image in zip(sites, labels, strict=True):
        expected = scores(own, WEIGHTS[metric], grid_points(shape), metric).argmin(axis=-1)
        np.testing.assert_array_equal(image, expected)


def test_a_lag_of_growth_is_a_weight_of_the_other_sign():
    cells = ms.LaguerreCells((16, 16), 3)
    sites, lags = cells.draw(1, seed=2), np.array([0.0, 0.1, 0.05])
    arrival = scores(sites[0], 0, grid_points(cells.shape), "additive") + lags
    np.testing.assert_array_equal(cells.labels(sites, -lags)[0], arrival.argmin(axis=-1))


def test_how_often_a_material_is_missing():
    """A seed that others have reached before it starts has no cell.

    With lags 0, .1, .05 that is when seed 1 is within .1 of seed 0 (probability a = π/100) or .05
    of seed 2 (b = π/400), or seed 2 within .05 of seed 0 (b). Any two of the distances are
    independent, and the last two events imply the first: the union has a + 2b − 2ab.
    """
    cells, count = ms.LaguerreCells((96, 96), 3), 4000
    labels = cells.sample(count, [0.0, -0.1, -0.05], seed=6)
    missing = sum(len(np.unique(image)) < 3 for image in labels)
    a, b = np.pi / 100, np.pi / 400
    assert stats.binomtest(missing, count, a + 2 * b - 2 * a * b).pvalue > UNLIKELY


def test_many_materials_have_wide_labels():
    assert ms.LaguerreCells((4, 4), 256).sample(1, seed=0).dtype == np.uint8
    assert ms.LaguerreCells((4, 4), 257).sample(1, seed=0).dtype == np.uint16


def test_relaxed_cells_become_sharp():
    cells = ms.LaguerreCells((16, 12), 3)
    values, weights = np.array([1.0, 4.0, 10.0]), np.array([0.0, -0.1, -0.05])
    sites = cells.draw(3, seed=1)
    sharp = values[cells.labels(sites, weights)]
    np.testing.assert_allclose(cells.field(sites, values, weights, epsilon=1e-7), sharp)
    soft = cells.field(sites, values, weights, epsilon=0.02)
    score = scores(sites[0], weights, grid_points(cells.shape), "additive")
    share = np.exp(-(score - score.min(axis=-1, keepdims=True)) / 0.02)
    expected = (share * values).sum(axis=-1) / share.sum(axis=-1)
    np.testing.assert_allclose(soft[0], expected, rtol=1e-9)


def test_relaxed_cells_have_gradients():
    torch = pytest.importorskip("torch")
    cells = ms.LaguerreCells((16, 12), 3)
    sites = torch.from_numpy(cells.draw(2, seed=1))
    values = torch.tensor([1.0, 4.0, 10.0], dtype=torch.float64, requires_grad=True)
    weights = torch.tensor([0.0, -0.1, -0.05], dtype=torch.float64, requires_grad=True)
    pl.homogenize(cells.field(sites, values, weights, epsilon=0.02))[..., 0, 0].sum().backward()
    assert (values.grad > 0).all()
    assert abs(weights.grad.sum()) < 1e-6 * abs(weights.grad).max()  # a common shift does nothing
    assert weights.grad[2] > 0 > weights.grad[0]  # more of the best conductor, of the worst


@pytest.mark.parametrize(
    "model",
    [
        ms.LaguerreCells((8, 8), 3),
        ms.LaguerreCells((4, 4, 4), 5),
        ms.DirichletMosaic((8, 8), sites=7, materials=3),
        ms.NeumannField(modes=5),
        ms.DirichletField(ms.NeumannField(modes=5), 2),
        ms.LocallyPeriodic(ms.LaguerreCells((8, 8), 3), (4, 4), ms.NeumannField(modes=5)),
    ],
    ids=lambda model: type(model).__name__,
)
def test_numbers_do_not_depend_on_the_batch(model):
    def draw(count, **kw):
        drawn = model.draw(count, **kw)
        parts = drawn if isinstance(drawn, tuple) else (drawn,)
        return np.concatenate([part.reshape(count, -1) for part in parts], axis=1)

    batch = draw(6, seed=7)
    assert len(np.unique(batch)) == batch.size
    np.testing.assert_array_equal(batch[:2], draw(2, seed=7))
    np.testing.assert_array_equal(batch[3:], draw(3, seed=7, sample=3))
    assert not np.isin(draw(6, seed=8), batch).any()
    late = draw(3, seed=7, sample=2**62)  # the counter passes 2^64
    np.testing.assert_array_equal(late[1:], draw(2, seed=7, sample=2**62 + 1))


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 9), st.integers(1, 20), st.integers(0, 2**64 - 1))
def test_uniform_numbers_are_uniform_and_within_the_interval(count, materials, seed):
    sites = ms.LaguerreCells((2, 2), materials).draw(count, seed=seed)
    assert sites.shape == (count, materials, 2)
    assert ((sites > 0) & (sites < 1)).all()


def test_seeds_are_uniform_and_independent():
    sites = ms.LaguerreCells((2, 2), 3).draw(4000, seed=5).reshape(4000, 6)
    for column in sites.T:
        assert stats.kstest(column, "uniform").pvalue > UNLIKELY
    correlation = np.corrcoef(sites.T)[np.triu_indices(6, 1)] * np.sqrt(4000)
    assert stats.chi2.sf((correlation**2).sum(), 15) > UNLIKELY


# Quantiles of the gamma distribution -------------------------------------------------------------

ALPHAS = (1e-3, 0.01, 0.1, 0.5, 1.0, 2.5, 30.0, 1e4)


def error_of_log(alpha, log_x, lower, upper):
    """The error of log x at P(α, x) = `lower` = 1 − `upper`: one step of Newton in 60 digits."""
    alpha, log_x = mpmath.mpf(alpha), mpmath.mpf(log_x)
    x = mpmath.exp(log_x)
    density = mpmath.exp(alpha * log_x - x) / mpmath.gamma(alpha)  # of log x
    if log_x < -100:
        reached = mpmath.exp(alpha * log_x) / mpmath.gamma(alpha + 1)  # with an error of e^−100
        return float((reached - lower) / density)
    if upper < lower:
        return float((upper - mpmath.gammainc(alpha, x, mpmath.inf, regularized=True)) / density)
    return float((mpmath.gammainc(alpha, 0, x, regularized=True) - lower) / density)


@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("uniform", [2**-53, 1e-9, 0.01, 0.3, 0.5, 0.7, 0.99, 1 - 1e-9, 1 - 2**-53])
def test_gamma_quantiles(alpha, uniform):
    log_x = float(ms.log_gamma_quantile(alpha, uniform))
    with mpmath.workdps(60):
        lower = mpmath.mpf(uniform)
        error = error_of_log(alpha, log_x, lower, 1 - lower)
    assert abs(error) < 3e-14 * max(1, abs(log_x))


@pytest.mark.parametrize("alpha", ALPHAS[::2])
@pytest.mark.parametrize("normal", [-37.0, -9.0, 0.0, 9.0, 37.0])
def test_gamma_quantiles_of_normal_numbers(alpha, normal):
    """Far out Φ is 1 in floats, and no u could tell."""
    log_x = float(ms.log_gamma_of_normal(alpha, normal))
    with mpmath.workdps(400):
        upper = mpmath.erfc(mpmath.mpf(normal) / mpmath.sqrt(2)) / 2
        error = error_of_log(alpha, log_x, 1 - upper, upper)
    # ndtr and log_ndtr have errors of some units in the last place, which 1/α multiplies.
    assert abs(error) < 3e-14 * max(1, abs(log_x), 0.01 / alpha)


def test_dirichlet_fractions_have_their_moments_and_marginals():
    alpha = np.array([0.3, 1.0, 2.5])
    total = alpha.sum()
    v = ms.dirichlet(alpha, ms.LaguerreCells((2, 2, 2), 1).draw(5000, seed=3).reshape(5000, 3))
    np.testing.assert_allclose(v.sum(axis=1), 1, rtol=1e-15)
    mean, covariance = alpha / total, -np.outer(alpha, alpha) / (total**2 * (total + 1))
    covariance += np.diag(alpha) / (total * (total + 1))
    deviation = np.linalg.solve(covariance[:2, :2], (v.mean(axis=0) - mean)[:2])
    assert stats.chi2.sf(5000 * deviation @ (v.mean(axis=0) - mean)[:2], 2) > UNLIKELY
    np.testing.assert_allclose(np.cov(v.T), covariance, atol=4 * 0.1 / np.sqrt(5000))
    for k in range(3):
        assert stats.kstest(v[:, k], stats.beta(alpha[k], total - alpha[k]).cdf).pvalue > UNLIKELY


def test_dirichlet_fractions_of_tiny_parameters():
    """Almost all the mass is on one material, though most gamma numbers are below any float."""
    v = ms.dirichlet(np.full(3, 1e-4), ms.LaguerreCells((2, 2, 2), 1).draw(900, seed=3)[:, 0])
    assert np.isfinite(v).all()
    largest = v.argmax(axis=1)
    assert stats.chisquare(np.bincount(largest)).pvalue > UNLIKELY
    assert np.quantile(v.max(axis=1), 0.01) > 0.99


# Mosaics -----------------------------------------------------------------------------------------


def test_categorical_frequencies():
    v = np.array([0.2, 0.0, 0.5, 0.3, 0.0])
    numbers = ms.LaguerreCells((2, 2), 1).draw(5000, seed=3).ravel()
    counts = np.bincount(ms.categorical(v, numbers), minlength=5)
    assert counts[1] == counts[4] == 0
    assert stats.chisquare(counts[v > 0], 10_000 * v[v > 0]).pvalue > UNLIKELY


def test_categorical_of_partial_sums_below_one():
    thirds = np.full(3, np.nextafter(1 / 3, 0))
    np.testing.assert_array_equal(ms.categorical(thirds, [0.0, 1 - 2**-53]), [0, 2])


@pytest.mark.parametrize("shape", [(8, 11), (4, 5, 6)])
def test_a_grain_has_the_material_of_its_seed(shape):
    mosaic = ms.DirichletMosaic(shape, sites=9, materials=4)
    draws = mosaic.draw(3, seed=1)
    v = mosaic.fractions(draws, [0.5, 1.0, 2.0, 3.0])
    labels = mosaic.labels(draws, v)
    for k in range(3):
        nearest = scores(draws.sites[k], 0, grid_points(shape), "power").argmin(axis=-1)
        materials = (draws.grains[k][:, None] >= np.cumsum(v[k])[:-1]).sum(axis=1)
        np.testing.assert_array_equal(labels[k], materials[nearest])


def test_mosaics_have_the_variance_of_dirichlet_and_of_their_grains():
    """Var f = Var v + E[v (1 − v)] E Σ a², with the areas a of the grains."""
    alpha, count = np.array([2.0, 3.0, 4.0]), 3000
    total, mean = alpha.sum(), alpha / alpha.sum()
    mosaic = ms.DirichletMosaic((16, 16), sites=20, materials=3)
    draws = mosaic.draw(count, seed=4)
    labels = mosaic.labels(draws, mosaic.fractions(draws, alpha))
    areas = pl.laguerre.assign(draws.sites, shape=(16, 16)).reshape(count, -1)
    crowd = np.mean([(np.bincount(a) ** 2).sum() for a in areas]) / 256**2
    for k in range(3):
        fraction = (labels == k).mean(axis=(1, 2))
        spread = mean[k] * (1 - mean[k]) / (total + 1)
        variance = spread + (mean[k] * (1 - mean[k]) - spread) * crowd
        z = (fraction.mean() - mean[k]) / np.sqrt(variance / count)
        assert 2 * stats.norm.sf(abs(z)) > UNLIKELY
        scatter = np.std((fraction - mean[k]) ** 2) / np.sqrt(count)
        z = (np.mean((fraction - mean[k]) ** 2) - variance) / scatter
        assert 2 * stats.norm.sf(abs(z)) > UNLIKELY


def test_mosaics_share_their_numbers():
    """The same numbers and nearly the same parameters give nearly the same mosaics."""
    mosaic = ms.DirichletMosaic((16, 16), sites=30, materials=3)
    one = mosaic.sample(50, [2.0, 3.0, 4.0], seed=1)
    other = mosaic.sample(50, [2.0 + 1e-4, 3.0, 4.0], seed=1)
    assert 0 < (one != mosaic.sample(50, [2.5, 3.0, 4.0], seed=1)).mean() < 0.1
    assert (one != other).mean() < 2e-3


def test_fractions_may_be_given():
    mosaic = ms.DirichletMosaic((8, 8), sites=30, materials=3)
    draws = mosaic.draw(5, seed=1)
    assert (mosaic.labels(draws, [0.0, 1.0, 0.0]) == 1).all()
    each = mosaic.labels(draws, np.eye(3)[[0, 1, 2, 1, 0]])
    np.testing.assert_array_equal(each[:, 0, 0], [0, 1, 2, 1, 0])
    many = mosaic.labels(draws, np.full((4, 1, 3), 1 / 3))
    assert many.shape == (4, 5, 8, 8)


CELLS, MOSAIC = ms.LaguerreCells((4, 4), 3), ms.DirichletMosaic((4, 4), sites=5, materials=3)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: ms.LaguerreCells((4,), 3), ValueError, "shape is"),
        (lambda: ms.LaguerreCells((4, 4), 0), ValueError, "materials is 0"),
        (lambda: ms.LaguerreCells((4, 4), 3, "euclidean"), ValueError, "metric is 'euclidean'"),
        (lambda: CELLS.draw(0, seed=1), ValueError, "count is 0"),
        (lambda: CELLS.draw(1, seed=-1), ValueError, "seed is -1"),
        (lambda: CELLS.labels(np.zeros((3, 3))), ValueError, "shape"),
        (lambda: CELLS.sample(2, [0.0, np.nan, 0.0], seed=1), ValueError, r"weights\[1\] is nan"),
        (lambda: ms.DirichletMosaic((4, 4), 0, 3), ValueError, "sites is 0"),
        (lambda: ms.DirichletMosaic((4, 4), 5, 257), ValueError, "materials is 257"),
        (lambda: MOSAIC.sample(1, [1.0, 2.0], seed=1), ValueError, "alpha has shape"),
        (lambda: MOSAIC.sample(1, [1.0, 2.0, 0.0], seed=1), ValueError, "alpha has an entry 0.0"),
        (lambda: MOSAIC.sample(1, "abc", seed=1), TypeError, "alpha has dtype"),
        (lambda: ms.log_gamma_quantile(1.0, 1.0), ValueError, "uniform has entries outside"),
        (lambda: ms.log_gamma_quantile(np.inf, 0.5), ValueError, "alpha has entries that"),
        (lambda: ms.categorical([0.5, 0.6], [0.1]), ValueError, "fractions has entries that"),
        (lambda: ms.categorical([[0.5, 0.5]] * 2, [0.1] * 3), ValueError, "fractions has shape"),
    ],
)
def test_bad_arguments_are_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
