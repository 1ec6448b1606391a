"""Fits of models to samples of known parameters, at small size."""

from dataclasses import replace

import numpy as np
import pytest

from pearlite.inversion import DirichletLayers, PeriodicLaguerre, UniformLayers, fit, sample
from pearlite.inversion._likelihood import arrive, likelihoods, maximize, settle, shared
from pearlite.inversion._problem import Problem
from pearlite.inversion._sandwich import least_distance
from pearlite.inversion._target import directions, make_target, normal_equations

LAYERS = {"a": np.array([1.0, 4.0, 10.0]), "alpha": np.array([0.6, 0.9, 1.5])}
CELLS = {"a": np.array([1.0, 5.0]), "w": np.array([0.0, 0.1])}


def layers(count, seed=1):
    """Independent samples, from a generator of their own."""
    fractions = np.random.default_rng(seed).dirichlet(LAYERS["alpha"], count)
    return 1 / (fractions @ (1 / LAYERS["a"]))


def cells(count, seed=1):
    sites = np.random.default_rng(seed).random((count, 2, 2))
    return PeriodicLaguerre(2, (24, 24)).simulate(CELLS, sites)[0]


def test_distance_is_that_of_the_sorted_samples():
    rng = np.random.default_rng(0)
    data, samples = rng.standard_normal((60, 3)), rng.standard_normal((60, 3)) + 1
    target = make_target(data, 7, np.ones(3))
    axes = directions(3, 7)
    np.testing.assert_allclose(np.linalg.norm(axes, axis=1), 1)
    gaps = np.sort(data @ axes.T, axis=0) - np.sort(samples @ axes.T, axis=0)
    found = normal_equations(target, samples, None).loss
    np.testing.assert_allclose(found, (gaps**2).mean(), rtol=1e-12)


@pytest.mark.parametrize("count", [30, 120, 77])
def test_distance_of_unequal_sizes_is_the_integral(count):
    rng = np.random.default_rng(0)
    data, samples = rng.standard_normal((60, 1)), rng.standard_normal((count, 1))
    fine = 60 * count  # both quantile functions are constant on these intervals
    gaps = np.repeat(np.sort(data[:, 0]), fine // 60) - np.repeat(
        np.sort(samples[:, 0]), fine // count
    )
    found = normal_equations(make_target(data, 1, np.ones(1)), samples, None).loss
    np.testing.assert_allclose(found, (gaps**2).mean(), rtol=1e-10)


def test_gradient_of_the_distance_is_the_difference_quotient():
    model = PeriodicLaguerre(2, (16, 16))
    target = make_target(cells(40), 16)
    z = model.layout.coordinates({"a": np.array([1.5, 4.0]), "w": np.array([0.0, 0.05])})
    numbers = model.draw(64, seed=1)

    def half(place):
        samples, jacobian = model.samples_and_jacobian(place, numbers, epsilon=0.03)
        return normal_equations(target, samples, jacobian)

    gradient = half(z).gradient
    for k, shift in enumerate(1e-3 * np.eye(3)):
        change = (half(z + shift).loss - half(z - shift).loss) / 4e-3
        np.testing.assert_allclose(gradient[k], change, rtol=0.02, atol=2e-4)


def test_rows_with_missing_components_are_compared_where_they_can_be():
    data = cells(50)
    data[::3, 2] = np.nan
    data[1::7, 0] = np.nan
    target = make_target(data, 8, np.ones(3))
    assert sum(view.share for view in target.views) == pytest.approx(1)
    assert {tuple(view.columns) for view in target.views} == {
        (0, 1, 2),
        (0, 1),
        (1, 2),
        (1,),
    }
    one = next(view for view in target.views if tuple(view.columns) == (1,))
    assert one.axes.shape == (1, 1)
    np.testing.assert_array_equal(one.projections[0], data[one.rows, 1])


def test_influence_predicts_how_the_gradient_moves_with_the_data():
    model, data = DirichletLayers(3), layers(6000)[:, None]
    samples, jacobian = model.samples_and_jacobian(
        model.layout.coordinates(LAYERS), model.draw(8192, seed=2)
    )
    # Twice the weight for a third of the data
    twice = np.concatenate([data, data[:2000]])
    targets = [make_target(rows, 1, np.ones(1)) for rows in (data, twice)]
    gradients = [normal_equations(each, samples, jacobian).gradient for each in targets]
    found, matrix = least_distance(targets[0], np.zeros(6), samples, jacobian)
    predicted = -matrix @ found.data_influence[:2000].sum(axis=0) / len(twice)
    scatter = np.sqrt(np.diag(matrix @ found.covariance() @ matrix))
    moved = (gradients[1] - gradients[0]) / scatter
    assert np.abs(moved).max() > 0.2
    np.testing.assert_allclose(predicted / scatter, moved, atol=0.03)


@pytest.mark.parametrize("refine", [None, "likelihood", "score"])
def test_layers_are_found(refine):
    found = fit(DirichletLayers(3), layers(2000), restarts=4, refine=refine, seed=1)
    assert found.refinement == refine
    for name, truth in LAYERS.items():
        gap = (found.parameters[name] - truth) / found.errors[name]
        assert np.abs(gap).max() < 3.5
    assert found.relative_errors["a"] < 12
    if refine:
        assert found.bound["a"] < 1.05 * found.relative_errors["a"]
    assert found.loss < 5e-3
    assert "alpha_3" in found.summary()
    assert len(found.history.losses) == len(found.history.parameters["a"])


def test_likelihood_is_nearer_than_distance():
    data = layers(2000)
    errors = [
        fit(DirichletLayers(3), data, restarts=3, refine=refine).relative_errors["alpha"]
        for refine in ("likelihood", None)
    ]
    assert errors[0] < errors[1]


def test_likelihood_is_climbed_past_local_maxima():
    """Of α0 = 1 the density has a pole within the data, at the second material."""
    model, truth = DirichletLayers(3), {"a": LAYERS["a"], "alpha": np.array([0.2, 0.3, 0.5])}
    data = sample(model, truth, 4000, seed=3)
    place = model.layout.coordinates(truth)
    finest = likelihoods(model, data, place)[-1]
    best = maximize(finest, model.layout.coordinates(model.feasible(truth, data)))[1].total
    scatter = np.array([0.005, 0.02, 0.005, 0.1, 0.1, 0.1])
    for seed in range(6):
        start = place + scatter * np.random.default_rng(seed).standard_normal(6)
        assert arrive(model, data, start)[1].total > best - 0.1 / len(data)


def test_shared_bins_know_where_a_pole_is():
    """Errors of the material whose pole is within the data are what the influences say."""
    model, truth = DirichletLayers(3), {"a": LAYERS["a"], "alpha": np.array([0.2, 0.3, 0.5])}
    place = model.layout.coordinates(truth)
    off = []
    for seed in range(10):
        data = sample(model, truth, 3000, seed=seed)
        start = place + 1e-3 * np.random.default_rng(seed).standard_normal(6)
        found = settle(model, data, arrive(model, data, start)[0])
        error = np.sqrt(found.covariance()[1, 1])
        off.append((found.coordinates[1] - place[1]) / error)
    assert np.sqrt(np.mean(np.square(off))) < 1.5  # with sharp bins it is 2


def test_score_of_shared_bins_is_the_slope_of_the_likelihood():
    data = layers(500)
    model = DirichletLayers(3)
    law = shared(model, 1 / data, 40)
    place = model.layout.coordinates(LAYERS) + 0.02
    here = law(place)
    steps = 1e-5 * np.eye(6)
    slopes = [(law(place + d).total - law(place - d).total) / 2e-5 for d in steps]
    np.testing.assert_allclose(here.score, slopes, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(here.influence.mean(axis=0), here.score, atol=1e-12)


def test_starts_far_from_the_data_are_not_the_last(monkeypatch):
    data = layers(300)
    options = {"restarts": 2, "refine": None, "iterations": 3}
    assert len(fit(DirichletLayers(3), data, **options).restarts) == 2
    monkeypatch.setattr(Problem, "own_distance", lambda problem, seed: 0.0)
    starts = [
        each.start["a"].tolist() for each in fit(DirichletLayers(3), data, **options).restarts
    ]
    assert len(starts) == 6
    assert len({tuple(start) for start in starts}) == 6


def test_a_bar_moves_on_to_its_end():
    told = []
    options = {"restarts": 2, "progress": lambda fraction, what: told.append((fraction, what))}
    fit(DirichletLayers(3), layers(300), **options)
    fractions, works = zip(*told, strict=True)
    assert (np.diff(fractions) >= 0).all()
    assert (fractions[0], told[-1]) == (0, (1.0, "done"))
    assert np.diff(fractions).max() < 0.4
    assert {"starts", "stage 1, start 2", "refinement"} < set(works)


def test_a_parameter_that_vanishes_has_an_interval():
    """Of a third material that is not there, without a warning."""
    found = fit(DirichletLayers(3), layers(2000), restarts=2, seed=1)
    coordinates = found.estimate.coordinates.copy()
    coordinates[-1] = -600.0
    tiny = replace(found, parameters=found.model.layout.parameters(coordinates))
    low, high = tiny.intervals["alpha"][-1]
    assert low == 0
    assert high == np.inf


def test_cells_are_found():
    model = PeriodicLaguerre(2, (24, 24))
    found = fit(model, cells(200), restarts=2, seed=1, samples=512)
    assert found.refinement == "score"
    for name, truth in CELLS.items():
        error = np.where(found.errors[name] > 0, found.errors[name], 1)
        assert np.abs((found.parameters[name] - truth) / error).max() < 3.5
    assert found.parameters["w"][0] == 0
    assert found.relative_errors["a"] < 5
    assert found.solves > 5_000


def test_known_conductivities_leave_the_fractions():
    model = UniformLayers(2)
    known = {"a": [1.0], "a_last": [4.0]}
    truth = {"a": np.ones(1), "a_last": np.array([4.0]), "delta": np.array([0.6])}
    data, _ = model.simulate(truth, np.random.default_rng(3).random((500, 1)))
    found = fit(model, data, known=known, restarts=2)
    assert abs(found.parameters["delta"][0] - 0.6) < 0.02
    assert found.errors["a"][0] == 0
    assert "known" in found.summary()


def test_unknown_noise_is_found():
    data = layers(3000)
    noisy = data + 0.3 * data.std() * np.random.default_rng(5).standard_normal(len(data))
    noisy = noisy[noisy > 0]
    known = {"a": LAYERS["a"]}
    found = fit(DirichletLayers(3), noisy, sigma="unknown", known=known, restarts=3, refine=None)
    assert abs(found.parameters["noise"][0] * noisy.std() / data.std() - 0.3) < 0.1


def test_specimens_widen_the_intervals():
    groups = np.repeat(np.arange(50), 8)
    data = np.repeat(layers(50), 8) * np.exp(
        0.01 * np.random.default_rng(1).standard_normal(400)
    )  # eight readings of one thing
    options = {"restarts": 2, "refine": None, "known": {"a": LAYERS["a"]}}
    alone = fit(DirichletLayers(3), data, **options)
    grouped = fit(DirichletLayers(3), data, groups=groups, **options)
    worth = fit(DirichletLayers(3), data, effective=50, **options)
    ratio = [each.errors["alpha"] / alone.errors["alpha"] for each in (grouped, worth)]
    assert (ratio[0] > 1.7).all()
    assert (ratio[1] > 1.7).all()


def test_adam_goes_down():
    found = fit(DirichletLayers(2), layers(400), method="adam", iterations=120, restarts=2)
    losses = found.history.losses
    assert losses[-20:].mean() < losses[:20].mean()
    assert found.refinement is None


def test_the_lowest_loss_is_selected():
    found = fit(DirichletLayers(3), layers(500), restarts=5, refine=None, seed=3)
    assert found.selected == int(np.argmin([each.loss for each in found.restarts])) or (
        found.restarts[found.selected].loss < 2 * min(each.loss for each in found.restarts)
    )


def test_a_seed_repeats_a_fit():
    one, two = (fit(DirichletLayers(2), layers(300), restarts=2, seed=4) for _ in range(2))
    np.testing.assert_array_equal(one.parameters["a"], two.parameters["a"])


GOOD = np.random.default_rng(0).uniform(1, 2, (30, 3)) * [1, 1, 0.1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d[:, :2], r"data has shape \(30, 2\); expected \(N, 3\): A11, A22, A12"),
        (lambda d: d[:2], "data has 2 rows; expected more than the 3 parameters"),
        (lambda d: d * [1, 1, 0], r"data\[:, 2\] is constant"),
        (lambda d: d - [0, 0, 5], r"data\[0\] is .* expected a positive definite tensor"),
        (lambda d: -d, r"data\[0\] is .* expected a positive definite tensor"),
        (lambda d: np.where(np.arange(90).reshape(30, 3) == 7, np.nan, d), r"data\[2, 1\] is nan"),
        (lambda d: d * np.inf, r"data\[0, 0\] is inf"),
    ],
)
def test_bad_data_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        fit(PeriodicLaguerre(2, (16, 16)), change(GOOD))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "newton"}, "method is 'newton'"),
        ({"refine": "more"}, "refine is 'more'"),
        ({"known": {"b": 1}}, r"known has \['b'\]"),
        ({"known": {"a": [1, -2]}}, "known: a is "),
        ({"groups": np.zeros(30)}, "groups has one value only"),
        ({"groups": [1, 2]}, r"groups has shape \(2,\)"),
        ({"effective": 100}, "effective is 100"),
        ({"sigma": [1.0, -1, 2]}, "sigma has entries"),
        ({"level": 90}, "level is 90"),
        ({"restarts": 0}, "restarts is 0"),
    ],
)
def test_bad_options_are_named(options, message):
    with pytest.raises((ValueError, TypeError), match=message):
        fit(PeriodicLaguerre(2, (16, 16)), GOOD, **options)
