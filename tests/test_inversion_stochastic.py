"""Random mosaics as a model of measured tensors: its samples, likelihood and information bound."""

import re

import numpy as np
import pytest
from reference import mosaic_likelihood

import pearlite as pl
from pearlite.inversion._simplex_likelihood import SimplexLikelihood
from pearlite.inversion._simplex_likelihood_grid import count_grid
from pearlite.inversion._stochastic import StochasticMosaics
from pearlite.inversion._stochastic_bound import information_bound
from pearlite.inversion._stochastic_coordinates import coordinates, log_volume, tensors
from pearlite.inversion._stochastic_local import StationarySpecimens
from pearlite.inversion._surrogate import MomentsSurrogate
from pearlite.inversion._wrapped import Noisy
from pearlite.microstructures import NeumannField

ALPHA, A = np.array([2.0, 3.0, 4.0]), np.array([1.0, 4.0, 10.0])
TRUTH = {"alpha": ALPHA, "a": A}


def model(**changes):
    return StochasticMosaics(**{"sites": 100, "shape": (32, 32), "threads": 1, **changes})


def shifted(parameters, entry, step):
    """-> parameters with one entry of both blocks shifted."""
    flat = np.concatenate([parameters["alpha"], parameters["a"]])
    flat[entry] += step
    return {"alpha": flat[: len(flat) // 2], "a": flat[len(flat) // 2 :]}


def test_jacobian_of_samples():
    mosaics = model()
    numbers = mosaics.draw(200, seed=1)
    _, jacobian = mosaics.simulate(TRUTH, numbers, jacobian=True)
    for entry in range(6):
        ends = [mosaics.simulate(shifted(TRUTH, entry, h), numbers)[0] for h in (1e-4, -1e-4)]
        found = (ends[0] - ends[1]) / 2e-4
        np.testing.assert_allclose(jacobian[:, :, entry], found, rtol=1e-3, atol=1e-3)


def test_samples_scatter_like_mosaics():
    # The untrained surrogate has typical coefficients; the mesh is coarse.
    mosaics = model(shape=(64, 64))
    truth = coordinates(mosaics.measure(TRUTH, 400, seed=1))
    samples = coordinates(mosaics.simulate(TRUTH, mosaics.draw(4096, seed=1))[0])
    assert abs(truth[:, 0].mean() - samples[:, 0].mean()) < 0.06
    np.testing.assert_allclose(truth.std(axis=0), samples.std(axis=0), rtol=0.15)


def test_measurements_do_not_depend_on_the_batch():
    whole = model().measure(TRUTH, 5, seed=3)
    part = model().measure(TRUTH, 2, seed=3, sample=3)
    np.testing.assert_allclose(part, whole[3:], rtol=1e-4, atol=1e-4)  # that of the solver


@pytest.mark.parametrize("materials", [2, 3, 4])
def test_masses_of_all_boxes(materials):
    grid = count_grid(materials, 60, 1.0, 10**5)
    alpha = np.array([0.3, 1.0, 2.5, 0.7])[:materials]
    masses = np.exp(grid.log_masses(alpha)[0])
    np.testing.assert_allclose(masses.sum(), 1, rtol=1e-10)
    np.testing.assert_allclose(masses @ grid.fractions, alpha / alpha.sum(), atol=3e-3)
    np.testing.assert_allclose(grid.fractions.sum(axis=1), 1, rtol=1e-12)


def test_slopes_of_masses():
    grid = count_grid(3, 60, 1.5, 10**5)
    alpha = np.array([0.3, 1.0, 2.5])
    _, slopes = grid.log_masses(alpha)
    for k, step in enumerate(1e-5 * np.eye(3)):
        found = (grid.log_masses(alpha + step)[0] - grid.log_masses(alpha - step)[0]) / 2e-5
        np.testing.assert_allclose(slopes[:, k], found, rtol=1e-6, atol=1e-6)


def test_a_limit_makes_the_grid_coarser():
    assert len(count_grid(3, 400, 0.5, 10**6)) > 2000
    assert len(count_grid(3, 400, 0.5, 2000)) <= 2000


def test_cells_of_one_material_are_apart():
    fractions = count_grid(3, 400, 3.0, 10**6).fractions
    for pure in np.eye(3):
        assert (fractions == pure).all(axis=1).sum() == 1


@pytest.mark.parametrize("materials", [2, 3])
def test_likelihood_by_summing_over_all_numbers(materials):
    rng = np.random.default_rng(5)
    surrogate = MomentsSurrogate(12)
    alpha, logs = np.array([0.5, 2.0, 1.0])[:materials], np.log(A[:materials])
    given = 0.3 * rng.normal(size=(30, 3)) + [0.7, 0, 0]
    fine = SimplexLikelihood(surrogate, materials, spacing=0.01, resolution=0.0)
    found = np.exp(fine.log_density(given, alpha, logs))
    exact = mosaic_likelihood.density(given, alpha, logs, surrogate)
    np.testing.assert_allclose(found, exact, rtol=1e-9)


def test_boxes_lose_little():
    mosaics = model(sites=200)
    given = coordinates(mosaics.simulate(TRUTH, mosaics.draw(500, seed=2))[0])
    coarse = SimplexLikelihood(mosaics.trained, 3).log_density(given, ALPHA, np.log(A))
    fine = SimplexLikelihood(mosaics.trained, 3, spacing=0.5).log_density(given, ALPHA, np.log(A))
    assert np.abs(coarse - fine).max() < 0.1
    assert abs((coarse - fine).mean()) < 2e-3


@pytest.mark.parametrize("noise", [None, [0.05, 0.04, 0.02]])
def test_scores(noise):
    mosaics = model()
    given = coordinates(mosaics.simulate(TRUTH, mosaics.draw(100, seed=2))[0])
    likelihood = mosaics.likelihood(None if noise is None else np.array(noise))
    point = np.concatenate([ALPHA, np.log(A)])
    values, scores = likelihood.scores(given, point[:3], point[3:])
    for entry, step in enumerate(1e-5 * np.eye(6)):
        ends = [
            likelihood.log_density(given, shifted[:3], shifted[3:])
            for shifted in (point + step, point - step)
        ]
        found = (ends[0] - ends[1]) / 2e-5
        np.testing.assert_allclose(scores[:, entry], found, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(values, likelihood.log_density(given, *np.split(point, 2)))


def test_a_fit_recovers_the_parameters():
    mosaics = model(evaluations=(60, 30))
    data = mosaics.measure(TRUTH, 400, seed=5)
    found = pl.inversion.fit(mosaics, data, restarts=2, seed=1)
    assert found.refinement == "likelihood"
    assert found.solves == 900
    for name, truth in TRUTH.items():
        distance = np.abs(found.parameters[name] - truth) / found.errors[name]
        assert distance.max() < 4
        assert np.linalg.norm(found.parameters[name] - truth) < 0.5 * np.linalg.norm(truth)
    assert found.bound["a"] < 20


def test_density_is_one_of_tensors():
    # The density of (A11, A22, A12) is that of the coordinates over their volume.
    mosaics = model()
    data, _ = mosaics.simulate(TRUTH, mosaics.draw(10, seed=2))
    place = coordinates(data)
    inner = mosaics.likelihood().log_density(place, ALPHA, np.log(A))
    np.testing.assert_allclose(mosaics.log_likelihood(TRUTH, data), inner - log_volume(place))


def test_noise_flattens_the_density():
    mosaics = model()
    given = coordinates(mosaics.simulate(TRUTH, mosaics.draw(300, seed=2))[0])
    exact, noisy = (
        mosaics.likelihood(noise).log_density(given, ALPHA, np.log(A)).mean()
        for noise in (None, np.full(3, 0.5))
    )
    assert noisy < exact - 0.5


def likelihood_drawn(mosaics, count, seed):
    """-> data (N, 3) from the likelihood's own law."""
    rng = np.random.default_rng(seed)
    counts = rng.multinomial(mosaics.sites, rng.dirichlet(ALPHA, count)) / mosaics.sites
    law = mosaics.trained.law(counts, np.log(A), counted=True)
    return tensors(law.mean + np.exp(law.log_variance / 2) * rng.normal(size=law.mean.shape))


@pytest.mark.parametrize("sigma", [None, np.full((1, 3), 0.02)])
def test_maximum_likelihood(sigma):
    mosaics = model()
    data = likelihood_drawn(mosaics, 600, seed=1)
    if sigma is not None:
        data = data + 0.02 * np.random.default_rng(2).normal(size=data.shape)
    start = {"alpha": 1.5 * ALPHA, "a": A * [1.2, 0.9, 1.1]}
    parameters, values, scores = mosaics.maximum_likelihood(start, data, sigma)
    errors = np.sqrt(np.diag(np.linalg.inv(scores.T @ scores)))
    total = np.abs(scores.sum(axis=0)) * errors  # slopes over a standard error
    assert total.max() < 0.2
    distance = np.concatenate([parameters["alpha"] - ALPHA, parameters["a"] - A]) / errors
    assert np.abs(distance).max() < 4
    if sigma is None:
        # The search's data are blurred by .1 %, which changes their likelihood little.
        np.testing.assert_allclose(
            values.sum(), mosaics.log_likelihood(parameters, data).sum(), rtol=0.02
        )
        assert values.sum() > mosaics.log_likelihood(TRUTH, data).sum() - 20


def test_known_noise_is_taken_into_account():
    mosaics = model()
    data = likelihood_drawn(mosaics, 100, seed=1)
    sigma = np.full((1, 3), 0.05)
    found = Noisy(mosaics, sigma).maximum_likelihood(TRUTH, data)
    expected = mosaics.maximum_likelihood(TRUTH, data, sigma)
    np.testing.assert_array_equal(found[0]["alpha"], expected[0]["alpha"])
    assert Noisy(mosaics, sigma, unknown=True).maximum_likelihood(TRUTH, data) is None


def test_missing_components_have_no_likelihood():
    assert model().log_likelihood(TRUTH, np.array([[1.0, np.nan, 0.0]])) is None


def test_information_bound():
    mosaics = model(sites=500)
    bound = information_bound(mosaics, TRUTH, 1000, samples=8000)
    # An earlier, independent computation found 11 and 5.5 %.
    assert bound.relative["alpha"] == pytest.approx(0.11, rel=0.1)
    assert bound.relative["a"] == pytest.approx(0.055, rel=0.12)
    assert bound.specimens("alpha", bound.relative["alpha"] / 2) == pytest.approx(4000, abs=2)
    more = information_bound(mosaics, TRUTH, 4000, samples=8000)
    assert more.relative["alpha"] == pytest.approx(bound.relative["alpha"] / 2, rel=0.05)
    assert re.fullmatch(
        r"least relative error with 1000 specimens: alpha 1\d %, a [45](\.\d)? %", str(bound)
    )


def test_information_bound_needs_a_law():
    pytest.importorskip("torch")
    with pytest.raises(ValueError, match="model has surrogate='network'; expected 'moments'"):
        information_bound(model(surrogate="network"), TRUTH, 1000)
    with pytest.raises(TypeError, match="model is a int; expected StochasticMosaics"):
        information_bound(3, TRUTH, 1000)


def test_adapting_counts_its_solves():
    mosaics = model(evaluations=(20, 5))
    assert mosaics.adapt([], 0, seed=1) == 200
    before = mosaics.trained
    assert mosaics.adapt([TRUTH, TRUTH], 1, seed=1) == 50
    assert len(mosaics.learnt) == 25
    assert not np.array_equal(before.mean, mosaics.trained.mean)
    assert np.abs(mosaics.learnt.logs[20:] - np.log(A)).max() < 0.5
    assert mosaics.adapt([], 0, seed=1) == 200  # a new fit learns anew
    np.testing.assert_array_equal(mosaics.trained.mean, before.mean)


def test_more_evaluations_for_more_data():
    mosaics, rng = model(), np.random.default_rng(0)
    data = np.tile([[1.0, 2.0, 0.1], [2.0, 1.0, 0.0]], (5000, 1))
    mosaics.start(data[:100], rng)
    assert mosaics._planned(2) == 400
    mosaics.start(data, rng)
    assert [mosaics._planned(stage) for stage in range(3)] == [150, 100, 2000]


def test_starts_enclose_the_data():
    mosaics, rng = model(), np.random.default_rng(0)
    data = mosaics.measure(TRUTH, 50, seed=1)
    starts = [mosaics.start(data, rng)["a"] for _ in range(50)]
    assert np.min(starts) < data[:, :2].min() < data[:, :2].max() < np.max(starts)
    assert all((np.diff(a) > 0).all() for a in starts)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"materials": 1}, "materials is 1; expected an integer from 2 to 16"),
        ({"sites": 1}, "sites is 1; expected an integer from 2"),
        ({"shape": (32, 1)}, "shape is 1"),
        ({"shape": 32}, "shape is 32; expected"),
        ({"shape": (8, 8, 8)}, r"shape is \(8, 8, 8\); expected 2 integers"),
        ({"estimate": "mean"}, "estimate is 'mean'; expected 'variational' or 'bracketed'"),
        ({"surrogate": "forest"}, "surrogate is 'forest'; expected 'moments' or 'network'"),
        ({"evaluations": ()}, r"evaluations is \(\); expected integers, one a stage"),
        ({"evaluations": (10, -1)}, "evaluations is -1; expected an integer from 0"),
        ({"threads": 0}, "threads is 0"),
    ],
)
def test_wrong_models(changes, message):
    with pytest.raises(ValueError, match=message):
        model(**changes)


def test_specimens():
    specimens = StationarySpecimens(model(sites=20, shape=(16, 16)), sites=4, specimens=2)
    data = specimens.measure(TRUTH, seed=1)
    assert data.shape == (32, 3)
    assert (data[:, 0] * data[:, 1] > data[:, 2] ** 2).all()
    assert specimens.chosen.tolist()[:2] == [[12, 12], [12, 37]]
    np.testing.assert_array_equal(specimens.measure(TRUTH, seed=1), data)
    assert np.abs(specimens.measure(TRUTH, seed=2) - data).max() > 0.1


def test_noise_of_specimens():
    exact, noisy = (
        StationarySpecimens(model(sites=20, shape=(16, 16)), sites=10, noise=noise).measure(
            TRUTH, seed=1
        )
        for noise in (0.0, 0.2)
    )
    np.testing.assert_allclose((noisy - exact).std(axis=0), 0.2 * exact.std(axis=0), rtol=0.25)


def test_effective_sites():
    field = NeumannField(tau=15.0, modes=12)
    specimens = StationarySpecimens(model(), field, sites=3, cells=7, specimens=2)
    centres = (specimens.chosen + 0.5) / 7
    covariance = field.covariance(centres[:, None], centres[None])
    deviation = np.sqrt(np.diag(covariance))
    correlation = covariance / np.outer(deviation, deviation)
    expected = 2 * 81 / (correlation**2).sum()
    assert specimens.effective_sites() == pytest.approx(expected, rel=1e-3)


def test_effective_sites_by_scores():
    field = NeumannField(tau=5.0)
    specimens = StationarySpecimens(model(), field, sites=4, specimens=3)
    assert 3 < specimens.effective_sites(TRUTH) < 44
    far = StationarySpecimens(model(), NeumannField(tau=200.0), sites=4)
    assert far.effective_sites(TRUTH) == pytest.approx(16, rel=0.1)


def test_far_sites_are_independent():
    near, far = (
        StationarySpecimens(model(), NeumannField(tau=tau), sites=4).effective_sites()
        for tau in (5.0, 200.0)
    )
    assert near < 8
    assert 14 < far <= 16


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"model": 1}, TypeError, "model is a int; expected a StochasticMosaics"),
        ({"field": 1}, TypeError, "field is a int; expected a NeumannField"),
        ({"sites": 200}, ValueError, "sites is 200; expected an integer from 1 to 100"),
        ({"specimens": 0}, ValueError, "specimens is 0"),
        ({"noise": -0.1}, ValueError, "noise is -0.1; expected a number from 0 to below 1"),
    ],
)
def test_wrong_specimens(changes, error, message):
    with pytest.raises(error, match=message):
        StationarySpecimens(**{"model": model(), **changes})


def test_wrong_parameters():
    with pytest.raises(ValueError, match="alpha is"):
        model().measure({"alpha": [1.0, -2.0, 3.0], "a": A}, 3, seed=1)
    with pytest.raises(ValueError, match="parameters has"):
        information_bound(model(), {"a": A}, 100)
    with pytest.raises(ValueError, match="count is 0"):
        information_bound(model(), TRUTH, 0)
    with pytest.raises(ValueError, match="name is 'w'; expected 'alpha' or 'a'"):
        information_bound(model(), TRUTH, 10, samples=64).specimens("w", 0.1)


def test_voronoi_areas():
    # The areas of Poisson-Voronoi cells have a second moment of 1.280, of which s_0 is the excess.
    mosaics = model(sites=400, shape=(128, 128), evaluations=(40,))
    mosaics.adapt([], 0, seed=2)
    assert mosaics.trained.scatter[0] == pytest.approx(0.28, rel=0.2)
