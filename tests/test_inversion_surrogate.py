"""Surrogates of random mosaics: their symmetries, bounds and slopes, and what they learn."""

import numpy as np
import pytest

import pearlite as pl
from pearlite.inversion import _surrogate as surrogate_module
from pearlite.inversion._stochastic_coordinates import (
    check_tensors,
    coordinates,
    log_volume,
    tensor_jacobian,
    tensors,
)
from pearlite.inversion._surrogate import MomentsSurrogate
from pearlite.inversion._surrogate_truth import Evaluations, TrueMap, shares_of
from pearlite.microstructures import DirichletMosaic

RNG = np.random.default_rng(0)
ANY = MomentsSurrogate(300, np.array([0.01, -0.04, 0.002, 0.003, -0.001]))


def draws(count=50, materials=3, contrast=1.0):
    rng = np.random.default_rng(1)
    return rng.dirichlet(np.ones(materials), count), contrast * rng.normal(size=(count, materials))


def differences(function, point, step=1e-6):
    """-> (..., P), central differences of a function of (N, P) along the last axis."""
    columns = []
    for shift in step * np.eye(point.shape[1]):
        columns.append((function(point + shift) - function(point - shift)) / (2 * step))
    return np.stack(columns, axis=-1)


def test_coordinates_are_undone():
    places = RNG.normal(size=(100, 3))
    np.testing.assert_allclose(coordinates(tensors(places)), places, atol=1e-12)


def test_coordinates_of_a_known_tensor():
    # det = 4, (A11 − A22)/2 = 1.5
    found = coordinates(np.array([[4.0, 1.0, 0.0]]))
    np.testing.assert_allclose(found, [[np.log(2), 0.75, 0]], atol=1e-15)


def test_tensor_jacobian():
    places = RNG.normal(size=(20, 3))
    np.testing.assert_allclose(
        tensor_jacobian(places), differences(tensors, places), rtol=1e-6, atol=1e-7
    )
    sizes = np.log(np.abs(np.linalg.det(tensor_jacobian(places))))
    np.testing.assert_allclose(log_volume(places), sizes, atol=1e-10)


@pytest.mark.parametrize(
    "bad", [[1.0, 1.0, 1.1], [-1.0, -1.0, 0.0], [1.0, np.nan, 0.0], [np.inf, 1.0, 0.0]]
)
def test_tensors_that_are_not_positive(bad):
    with pytest.raises(ValueError, match=r"data has in row 1 .* positive definite"):
        check_tensors("data", [[1.0, 1.0, 0.0], bad])


def test_tensors_of_other_shapes():
    with pytest.raises(ValueError, match=r"data has shape \(3,\); expected \(N, 3\)"):
        check_tensors("data", [1.0, 2.0, 3.0])
    with pytest.raises(TypeError, match="data has dtype bool"):
        check_tensors("data", np.ones((2, 3), bool))


@pytest.mark.parametrize("contrast", [1.0, 8.0])  # 8: some means are at the bounds
@pytest.mark.parametrize("counted", [False, True])
def test_slopes_of_the_law(contrast, counted):
    fractions, logs = draws(contrast=contrast)
    law = ANY.law(fractions, logs, counted=counted, width=0.1, slopes=True)

    def both(point):
        there = ANY.law(point[:, :3], point[:, 3:], counted=counted, width=0.1)
        return np.stack([there.mean, there.log_variance], axis=1)

    found = differences(both, np.concatenate([fractions, logs], axis=1))  # (N, 2, 3, 6)
    np.testing.assert_allclose(law.mean_slope, found[:, 0], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(law.log_variance_slope, found[:, 1], rtol=1e-5, atol=1e-5)


def test_slopes_of_samples():
    fractions, logs = draws()
    noise = np.random.default_rng(2).normal(size=(len(fractions), 3))
    _, slopes = ANY.samples(fractions, logs, noise, slopes=True)
    found = differences(
        lambda point: ANY.samples(point[:, :3], point[:, 3:], noise)[0],
        np.concatenate([fractions, logs], axis=1),
    )
    np.testing.assert_allclose(slopes, found, rtol=1e-5, atol=1e-6)


def test_materials_may_change_places():
    fractions, logs = draws(materials=4)
    turn = [2, 0, 3, 1]
    law, turned = ANY.law(fractions, logs), ANY.law(fractions[:, turn], logs[:, turn])
    np.testing.assert_allclose(turned.mean, law.mean, atol=1e-13)
    np.testing.assert_allclose(turned.log_variance, law.log_variance, atol=1e-10)


def test_homogeneous_of_degree_one():
    fractions, logs = draws()
    noise = RNG.normal(size=(len(fractions), 3))
    once, thrice = (ANY.samples(fractions, logs + s, noise)[0] for s in (0, np.log(3)))
    np.testing.assert_allclose(thrice, 3 * once, rtol=1e-11)


@pytest.mark.parametrize("contrast", [1.0, 5.0, 30.0])
def test_within_the_bounds_of_reuss_and_voigt(contrast):
    fractions, logs = draws(500, contrast=contrast)
    a = np.exp(logs)
    mean = np.exp(ANY.law(fractions, logs).mean[:, 0])
    assert np.all(mean >= 1 / (fractions / a).sum(axis=1) * (1 - 1e-12))
    assert np.all(mean <= (fractions * a).sum(axis=1) * (1 + 1e-12))


def test_keller_duality():
    fractions, logs = draws()
    odd = MomentsSurrogate(300, np.array([0.0, -0.04, 0.0, -0.003, 0.001]))
    law, dual = odd.law(fractions, logs), odd.law(fractions, -logs)
    np.testing.assert_allclose(dual.mean, -law.mean, atol=1e-13)
    np.testing.assert_allclose(dual.log_variance, law.log_variance, atol=1e-10)


def test_learns_its_own_coefficients():
    rng = np.random.default_rng(3)
    truth = MomentsSurrogate(
        400, np.array([0.01, -0.06, 0.003, -0.005, 0.002]), np.array([0.4, 0.01, 0.2, 0.012, 0.24])
    )
    fractions, logs = rng.dirichlet(np.ones(3), 400), rng.uniform(-1.5, 1.5, (400, 3))
    counts = rng.multinomial(400, np.repeat(fractions, 10, axis=0)) / 400  # (4000, 3)
    wide = np.repeat(logs, 10, axis=0)
    law = truth.law(counts, wide, counted=True)
    variance = np.exp(law.log_variance) - surrogate_module._FLOOR
    cells = law.mean + np.sqrt(variance) * rng.normal(size=law.mean.shape)
    # Areas that tell all of x but the correction of the mean and a tenth of the scatter.
    shift = cells[:, 0] - 0.9 * (cells[:, 0] - law.mean[:, 0]) - law.mean[:, 0]
    first = (counts * wide).sum(axis=1)
    rest = cells[:, 0] - (law.mean[:, 0] - first) - shift  # Σ φ l
    areas = counts + ((rest - first) / (wide**2).sum(axis=1))[:, None] * wide
    evaluations = Evaluations(
        fractions, logs, *(e.reshape(400, 10, 3) for e in (cells, areas, counts))
    )
    found = MomentsSurrogate.fitted(evaluations, 400)
    np.testing.assert_allclose(found.mean, truth.mean, atol=1.5e-3)
    np.testing.assert_allclose(found.scatter, truth.scatter, rtol=0.12, atol=3e-3)


def test_too_few_evaluations_leave_it_typical():
    evaluations = Evaluations(
        np.ones((1, 2)) / 2, np.zeros((1, 2)), np.zeros((1, 9, 3)), *np.ones((2, 1, 9, 2)) / 2
    )
    found = MomentsSurrogate.fitted(evaluations, 100)
    np.testing.assert_array_equal(found.mean, MomentsSurrogate(100).mean)


def small_map(**changes):
    return TrueMap(DirichletMosaic((24, 24), sites=30, materials=3), threads=1, **changes)


def test_true_map_of_equal_materials():
    found = small_map(cells=4).evaluate(np.full((2, 3), 1 / 3), np.full((2, 3), 7.0), seed=1)
    np.testing.assert_allclose(found.cells[..., 0], np.log(7), rtol=1e-3)
    np.testing.assert_allclose(found.cells[..., 1:], 0, atol=1e-3)
    np.testing.assert_allclose(found.areas.sum(axis=2), 1, rtol=1e-12)
    np.testing.assert_allclose(found.counts.sum(axis=2), 1, rtol=1e-12)
    assert found.solves == 8


def test_true_map_agrees_with_homogenize():
    fractions = np.array([[0.2, 0.5, 0.3], [0.6, 0.2, 0.2]])
    a = np.array([[1.0, 4.0, 10.0], [2.0, 5.0, 1.0]])
    found = small_map(cells=3).evaluate(fractions, a, seed=5, sample=6)
    mosaic = small_map().mosaic
    labels = mosaic.labels(mosaic.draw(6, seed=5, sample=6), np.repeat(fractions, 3, axis=0))
    exact = pl.homogenize(labels, phases=np.repeat(a, 3, axis=0), estimate="bracketed")
    tensor = tensors(found.cells.reshape(-1, 3))
    np.testing.assert_allclose(tensor[:, 0], exact[:, 0, 0], rtol=1e-4)
    np.testing.assert_allclose(tensor[:, 2], exact[:, 0, 1], atol=1e-4)
    np.testing.assert_allclose(found.areas.reshape(6, 3), shares_of(labels, 3), rtol=1e-12)


def test_true_map_is_dual():
    # The mean of both bounds of a cell and of its dual are inverses, rotated by a right angle.
    fractions, a = np.full((5, 3), 1 / 3), np.tile([1.0, 4.0, 10.0], (5, 1))
    found, dual = (small_map(cells=2).evaluate(fractions, b, seed=2) for b in (a, 1 / a))
    np.testing.assert_allclose(dual.cells[..., 0], -found.cells[..., 0], atol=2e-3)


def test_joined_evaluations():
    one = small_map(cells=2).evaluate(np.full((2, 3), 1 / 3), np.ones((2, 3)), seed=1)
    both = one.joined(small_map(cells=2).evaluate(np.eye(3), np.ones((3, 3)), seed=1))
    assert len(both) == 5
    assert both.counts.shape == (5, 2, 3)


def test_network_learns_the_mean():
    pytest.importorskip("torch")
    from pearlite.inversion._surrogate_network import NetworkSurrogate

    rng = np.random.default_rng(4)
    count = 100
    fractions, logs = rng.dirichlet(np.ones(2), count), rng.uniform(-1, 1, (count, 2))
    law = surrogate_module.MomentsSurrogate(10**6).law(fractions, logs)
    cells = np.repeat(law.mean[:, None], 2, axis=1)
    nothing = np.zeros((count, 2, 2))
    network = NetworkSurrogate(2)
    voigt, slopes = network.samples(fractions[:5], logs[:5], np.zeros((5, 3)), slopes=True)
    np.testing.assert_allclose(voigt[:, 0], (fractions * np.exp(logs)).sum(axis=1)[:5])
    assert slopes.shape == (5, 3, 4)
    network.trained(Evaluations(fractions, logs, cells, nothing, nothing))
    found, slopes = network.samples(fractions, logs, np.zeros((count, 3)), slopes=True)
    exact = tensors(law.mean)
    assert np.sqrt(((found - exact) ** 2).mean()) < 0.1 * exact[:, 0].std()
    wanted = differences(
        lambda point: network.samples(point[:, :2], point[:, 2:], np.zeros((count, 3)))[0],
        np.concatenate([fractions, logs], axis=1),
    )
    np.testing.assert_allclose(slopes, wanted, atol=1e-6)
