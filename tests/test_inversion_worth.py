"""What estimates are worth: identifiability, bootstrap, goodness of fit, profiles, locality."""

import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import pearlite as pl
from pearlite.inversion import DirichletLayers, PeriodicLaguerre, UniformLayers, fit, sample
from pearlite.inversion._score import make_features, project_score, solve_scores
from pearlite.inversion._target import binned, mean_square_slopes
from pearlite.inversion._wrapped import Known, Noisy, Wrapped

LAYERS = {"a": np.array([1.0, 4.0, 10.0]), "alpha": np.array([0.6, 0.9, 1.5])}
PAIR = {"a": np.array([1.0, 5.0]), "alpha": np.array([2.0, 3.0])}
CELLS = {"a": np.array([1.0, 5.0]), "w": np.array([0.0, 0.1])}


@pytest.fixture(scope="module")
def pair():
    """A fit of two layers."""
    return fit(DirichletLayers(2), sample(DirichletLayers(2), PAIR, 600, seed=1), restarts=2)


@pytest.fixture(scope="module")
def distant():
    """A fit of two layers without refinement."""
    data = sample(DirichletLayers(2), PAIR, 600, seed=1)
    return fit(DirichletLayers(2), data, restarts=2, refine=None)


def test_information_falls_with_the_count():
    few, many = (
        pl.inversion.identifiability(DirichletLayers(3), LAYERS, count) for count in (100, 10_000)
    )
    assert few.exact
    for name in ("a", "alpha"):
        np.testing.assert_allclose(few.bound[name], 10 * many.bound[name])
        np.testing.assert_allclose(few.needed[name], many.needed[name])
        assert many.bound[name] < many.distance[name]
    assert (np.diff(many.errors) <= 0).all()
    np.testing.assert_allclose(np.linalg.norm(many.combinations, axis=1), 1)
    assert "alpha_3" in many.summary()


def test_bound_of_a_beta_law_is_known():
    """With a known, the fraction of one of two layers is Beta-distributed."""
    from scipy.special import polygamma

    known = {"a": PAIR["a"]}
    found = pl.inversion.identifiability(DirichletLayers(2), PAIR, 1000, known=known)
    trigamma = polygamma(1, [2.0, 3.0, 5.0])
    information = np.diag(trigamma[:2]) - trigamma[2]
    exact = np.sqrt(np.trace(np.linalg.inv(information)) / 1000) / np.linalg.norm(PAIR["alpha"])
    np.testing.assert_allclose(found.bound["alpha"], 100 * exact, rtol=0.01)


def test_projected_score_has_nearly_the_information_of_the_law():
    model = DirichletLayers(2)
    place = model.layout.coordinates(PAIR)
    samples, jacobian = model.samples_and_jacobian(place, model.draw(8192, seed=1))
    scores, matrix = project_score(samples, jacobian, 0).scores_and_matrix(samples, jacobian)
    inverse = np.linalg.inv(matrix)
    covariance = inverse @ np.cov(scores.T) @ inverse.T
    slopes = model.layout.jacobian(place)[2:]
    error = 100 * np.sqrt(np.trace(slopes @ covariance @ slopes.T) / 1000) / 13**0.5
    exact = pl.inversion.identifiability(model, PAIR, 1000).bound["alpha"]
    assert 0.98 * exact < error < 1.15 * exact


def test_few_samples_lead_where_many_do(pair):
    """Scores solved from afar end where those end that are solved from nearby."""
    model, ticks = DirichletLayers(2), []
    best = pair.estimate.coordinates
    ends, calls = [], []
    for start in (best, best + 0.1):
        found = solve_scores(model, pair.data, start, 8000, 4000, 1, lambda: ticks.append(1))
        assert found is not None
        ends.append(found[0].coordinates)
        calls.append(len(ticks))
    errors = np.sqrt(np.diag(pair.coordinate_covariance))
    assert (np.abs(np.diff(ends, axis=0)) < 0.25 * errors).all()
    assert (np.abs(ends[1] - best) < errors).all()
    assert calls[0] >= 4  # two rounds, each with its lesson


def test_scores_that_jump_are_solved_as_nearly_as_they_can_be(pair, monkeypatch):
    """Where the means never agree the nearest place is taken, and none that is far."""
    start = pair.estimate.coordinates + 0.05
    model = DirichletLayers(2)
    monkeypatch.setattr("pearlite.inversion._score._ARRIVED", 0.0)
    found = solve_scores(model, pair.data, start, 4000, 2000, 1, lambda: None)
    assert found is not None
    errors = np.sqrt(np.diag(pair.coordinate_covariance))
    assert (np.abs(found[0].coordinates - pair.estimate.coordinates) < 1.5 * errors).all()
    monkeypatch.setattr("pearlite.inversion._score._CLOSE", 0.0)
    assert solve_scores(model, pair.data, start, 4000, 2000, 1, lambda: None) is None


class Meshed(Wrapped):
    """A model whose samples are too large by a pixel."""

    def __init__(self, inner, pixels):
        super().__init__(inner)
        self.pixels = pixels

    def simulate(self, parameters, numbers, *, epsilon=None, jacobian=False):
        parts = self.inner.simulate(parameters, numbers, epsilon=epsilon, jacobian=jacobian)
        return tuple(None if part is None else part * (1 + 1 / self.pixels) for part in parts)

    def coarser(self):
        return Meshed(self.inner, self.pixels // 2)


def test_the_error_of_the_mesh_is_taken_off(pair, monkeypatch):
    model = Meshed(DirichletLayers(2), 16)
    ends = []
    for each in (model.inner, model, Noisy(Known(model, {}), np.full((1, 1), 1e-9))):
        found = solve_scores(
            each, pair.data, pair.estimate.coordinates, 8000, 4000, 1, lambda: None
        )
        assert found is not None
        ends.append(found[0].coordinates)
    monkeypatch.setattr(Meshed, "coarser", lambda self: None)
    off, _ = solve_scores(model, pair.data, pair.estimate.coordinates, 8000, 4000, 1, lambda: None)
    errors = np.sqrt(np.diag(pair.coordinate_covariance))
    assert np.abs((off.coordinates - ends[0]) / errors).max() > 0.5
    for end in ends[1:]:
        assert np.abs((end - ends[0]) / errors).max() < 0.1


def test_coarser_cells():
    fine = PeriodicLaguerre(3, (128, 96), metric="power")
    half = fine.coarser()
    assert (half.shape, half.metric, half.coarse) == ((64, 48), "power", fine.coarse)
    assert half.coarser() is None  # of 24 pixels
    assert PeriodicLaguerre(3, (64, 65)).coarser() is None
    noisy = Noisy(fine, np.full((1, 3), 0.1)).coarser()
    assert (noisy.inner.shape, noisy.sigma.shape) == ((64, 48), (1, 3))
    assert DirichletLayers(2).coarser() is None


def test_an_exchange_is_a_combination_that_data_do_not_tell():
    """Conductivities and widths of uniform fractions only count by their products."""
    truth = {"a": np.ones(1), "a_last": np.array([4.0]), "delta": np.array([0.6])}
    found = pl.inversion.identifiability(UniformLayers(2), truth, 1000)
    assert found.errors[0] > 1e3 * found.errors[1]


def test_information_of_cells():
    model = PeriodicLaguerre(2, (16, 16))
    found = pl.inversion.identifiability(model, CELLS, 500, samples=6000, sigma=0.01)
    assert not found.exact
    assert found.bound["a"] < 5
    assert found.bound["w"] > found.bound["a"]


def test_mean_square_of_slopes_has_no_bias():
    rng = np.random.default_rng(0)
    place = np.linspace(0, 1, 4000)
    true = np.stack([np.ones(4000), place], axis=1)
    slopes = true[None] + 3 * rng.standard_normal((40, 4000, 2))
    exact = true.T @ true / 4000
    flat = binned(slopes).reshape(-1, 2)
    assert np.abs(flat.T @ flat / len(flat) - exact).max() > 0.2
    np.testing.assert_allclose(mean_square_slopes(slopes), exact, atol=0.03)


def test_features_know_their_slopes():
    model = PeriodicLaguerre(2, (16, 16))
    place = model.layout.coordinates(CELLS)
    numbers = model.draw(64, seed=1)
    samples, jacobian = model.samples_and_jacobian(place, numbers, epsilon=0.05)
    features = make_features(samples, 1)
    _, slopes = features.values_and_mean_slopes(samples, jacobian)
    step = np.array([0, 0, 1e-3])
    ends = [model.samples_and_jacobian(place + s, numbers, epsilon=0.05)[0] for s in (step, -step)]
    change = (features.values(ends[0]) - features.values(ends[1])).mean(axis=0) / 2e-3
    np.testing.assert_allclose(slopes[:, 2], change, atol=0.04 * np.abs(change).max())
    mirrored = samples * [1, 1, -1]
    turned = samples[:, [1, 0, 2]]
    np.testing.assert_allclose(features.values(mirrored), features.values(samples), atol=1e-12)
    np.testing.assert_allclose(features.values(turned), features.values(samples), atol=1e-12)


def test_bootstrap_agrees_with_the_covariance(pair, distant):
    for found in (pair, distant):
        again = pl.inversion.bootstrap(found, 100, seed=1)
        for name in ("a", "alpha"):
            assert again.parameters[name].shape == (100, 2)
            ratio = again.errors[name] / found.errors[name]
            assert ((ratio > 0.6) & (ratio < 1.4)).all()
            assert (again.intervals[name][:, 0] < found.parameters[name]).all()
            assert (again.intervals[name][:, 1] > found.parameters[name]).all()


def test_bootstrap_draws_whole_specimens():
    groups = np.repeat(np.arange(40), 10)
    data = np.repeat(sample(DirichletLayers(2), PAIR, 40, seed=3), 10, axis=0)
    data = data * np.exp(0.01 * np.random.default_rng(0).standard_normal(data.shape))
    options = {"restarts": 2, "known": {"a": PAIR["a"]}, "refine": None}
    alone = fit(DirichletLayers(2), data, **options)
    grouped = fit(DirichletLayers(2), data, groups=groups, **options)
    errors = [pl.inversion.bootstrap(each, 60).errors["alpha"] for each in (grouped, alone)]
    assert (errors[0] > 1.7 * errors[1]).all()


def test_goodness_tells_a_wrong_model(pair):
    right = pl.inversion.goodness(pair, 39)
    assert right.probability > 0.05
    assert right.floor.shape == (39,)
    assert right.fits
    assert right.verdict.startswith("The model fits: ")
    assert pair.misfit < 1
    assert "does not fit" not in pair.summary()
    # Two humps that no Beta distribution has
    rng = np.random.default_rng(2)
    humps = np.where(rng.random(600) < 0.5, 2.0, 3.2) * np.exp(0.05 * rng.standard_normal(600))
    wrong = fit(DirichletLayers(2), humps, restarts=2, refine=None)
    found = pl.inversion.goodness(wrong, 39)
    assert found.probability < 0.05
    assert not found.fits
    assert found.verdict.startswith("The model does not fit: it is ")
    assert found.verdict.endswith("more restarts.")


def test_what_is_said_of_a_fit(pair):
    fine = pl.inversion.goodness(pair, 49)
    close = replace(fine, distance=2 * np.median(fine.floor), probability=0.02)
    assert not close.fits
    assert "differ from it by more than chance: " in close.verdict
    far = replace(fine, misfit=2.0)
    assert not far.fits
    assert "2 times as far from the data as halves of them" in far.verdict
    lost = replace(pair, loss=2.0 * pair.loss / pair.misfit)
    assert lost.misfit == pytest.approx(2)
    assert far.verdict in lost.summary()


def test_rows_of_one_specimen_are_not_worth_many():
    """50 specimens, 6 equal rows of each, are as far from the model as 50 data are."""
    data, specimen = (
        np.repeat(values, 6, axis=0)
        for values in (sample(DirichletLayers(2), PAIR, 50, seed=3), np.arange(50))
    )
    known = fit(DirichletLayers(2), data, restarts=2, groups=specimen)
    assert known.problem.independent == pytest.approx(50)
    right = pl.inversion.goodness(known, 39)
    assert right.fits
    wrong = fit(DirichletLayers(2), data, restarts=2)
    assert wrong.problem.independent == 300
    assert pl.inversion.goodness(wrong, 39).probability < right.probability


def six_times(parameters, *, seed):
    """-> (300,): 50 specimens, 6 equal rows of each"""
    return np.repeat(sample(DirichletLayers(2), parameters, 50, seed=seed), 6, axis=0)


def test_data_that_depend_on_each_other_are_measured_again():
    """What a number of independent data would tell, the measurement does: no false alarm."""
    blind = fit(DirichletLayers(2), six_times(PAIR, seed=3), restarts=2)
    alone = pl.inversion.goodness(blind, 39)
    told = pl.inversion.goodness(blind, 39, measure=six_times)
    assert alone.probability < 0.05 < told.probability
    assert told.distance == alone.distance
    assert np.median(told.floor) > 3 * np.median(alone.floor)  # 6 in the mean
    again = pl.inversion.goodness(blind, 39, measure=six_times)
    np.testing.assert_array_equal(told.floor, again.floor)


@pytest.mark.parametrize(
    ("measure", "error", "message"),
    [
        (3, TypeError, "measure is 3; expected a function"),
        (lambda parameters, seed: np.ones(7), ValueError, r"measure returned .*shape \(600, 1\)"),
        (lambda parameters, seed: np.full(600, np.nan), ValueError, "expected finite numbers"),
    ],
)
def test_what_measures_wrongly(pair, measure, error, message):
    with pytest.raises(error, match=message):
        pl.inversion.goodness(pair, 3, measure=measure)


def test_floor_is_the_distance_of_data_of_the_model(distant):
    """The floor has no excess of its own: it is as high as distances of fresh data."""
    floor = pl.inversion.goodness(distant, 59).floor
    truth = distant.parameters
    fresh = [
        fit(
            DirichletLayers(2),
            sample(DirichletLayers(2), truth, 600, seed=50 + k),
            restarts=1,
            refine=None,
        ).loss
        for k in range(12)
    ]
    assert 0.6 < np.median(floor) / np.median(fresh) < 1.6


def test_profile_rises_to_the_threshold_at_the_ends_of_the_interval(distant):
    curve = pl.inversion.profile(distant, "alpha_1", count=7, width=2.5)
    assert curve.losses.argmin() == 3
    assert curve.losses[0] > curve.threshold < curve.losses[-1]
    inside = curve.losses < curve.threshold
    ends = curve.values[inside][[0, -1]]
    low, high = distant.intervals["alpha"][0]
    assert low * 0.93 < ends[0] < ends[1] < high * 1.07
    np.testing.assert_allclose(curve.others["alpha"][:, 0], curve.values)


@pytest.mark.parametrize("name", ["b_1", "a"])
def test_profiles_are_of_single_parameters(pair, name):
    with pytest.raises(ValueError, match=f"name is '{name}'"):
        pl.inversion.profile(pair, name)


def test_profiles_need_a_coordinate():
    data = sample(PeriodicLaguerre(2, (16, 16)), CELLS, 20, seed=1)
    found = fit(
        PeriodicLaguerre(2, (16, 16), widths=(0.05,)),
        data,
        restarts=1,
        iterations=1,
        refine=None,
        samples=20,
    )
    with pytest.raises(ValueError, match="name is 'w_1'"):
        pl.inversion.profile(found, "w_1")


def test_distant_cells_are_independent():
    model = PeriodicLaguerre(2, (12, 12))
    cell = pl.microstructures.LaguerreCells((12, 12), 2)
    points = np.array([[0.1, 0.1], [0.1, 0.9], [0.9, 0.5]])

    def count(tau, where, specimens=1):
        field = pl.microstructures.NeumannField(tau=tau, modes=24)
        specimen = pl.microstructures.LocallyPeriodic(cell, field=field)
        return pl.inversion.effective_count(model, CELLS, specimen, where, specimens=specimens)

    assert count(40.0, points) == pytest.approx(3, abs=0.1)
    assert count(40.0, np.repeat(points[:1], 3, axis=0)) == pytest.approx(1)
    near = points[0] + np.array([[0, 0], [0, 0.01], [0.01, 0]])
    assert count(40.0, near, specimens=5) == pytest.approx(5 * count(40.0, near))
    assert 1 < count(40.0, near) < 2.5


def test_a_model_of_ones_own():
    path = Path(__file__).parents[1] / "examples" / "inversion_custom_model.py"
    spec = importlib.util.spec_from_file_location("inversion_custom_model", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    truth = {"radius": np.array([0.12]), "spread": np.array([0.2])}
    model = module.Discs(16, discs=4)
    data = sample(model, truth, 150, seed=1)
    found = fit(model, data, restarts=1, samples=150, refine=None)
    for name, value in truth.items():
        assert np.abs((found.parameters[name] - value) / found.errors[name]).max() < 3.5
    assert found.relative_errors["radius"] < 10
