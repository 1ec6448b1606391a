"""The model of periodic cells."""

import numpy as np
import pytest

import pearlite as pl
from pearlite.inversion import PeriodicLaguerre

TRUTH = {"a": np.array([1.0, 4.0, 10.0]), "w": np.array([0.0, 0.1, 0.05])}


@pytest.mark.parametrize("metric", ["additive", "power"])
@pytest.mark.parametrize("mixing", ["geometric", "arithmetic"])
def test_jacobian_of_relaxed_cells(metric, mixing):
    model = PeriodicLaguerre(3, (16, 12), metric=metric, mixing=mixing)
    z = model.layout.coordinates(TRUTH)
    numbers = model.draw(8, seed=1)
    _, jacobian = model.samples_and_jacobian(z, numbers, epsilon=0.03)
    differences = model._differences(z, numbers, 0.03)
    np.testing.assert_allclose(jacobian, differences, atol=2e-3 * np.abs(differences).max())


@pytest.mark.parametrize("metric", ["additive", "power"])
@pytest.mark.parametrize("mixing", ["geometric", "arithmetic"])
def test_relaxed_cells_are_those_of_the_tessellation(metric, mixing):
    model = PeriodicLaguerre(3, (20, 24), metric=metric, mixing=mixing)
    sites = model.draw(4, seed=2)
    samples, _ = model.simulate(TRUTH, sites, epsilon=0.02)
    geometric = mixing == "geometric"
    values = np.log(TRUTH["a"]) if geometric else TRUTH["a"]
    options = {"shape": (20, 24), "epsilon": 0.02, "metric": metric}
    field = pl.laguerre.relax(sites, -TRUTH["w"], values, **options)
    field = np.exp(field) if geometric else field
    tensor = pl.homogenize(field, rtol=1e-8)
    expected = np.stack([tensor[:, 0, 0], tensor[:, 1, 1], tensor[:, 0, 1]], axis=1)
    np.testing.assert_allclose(samples, expected, rtol=3e-4, atol=3e-4)


def test_sharp_cells_are_those_of_the_microstructures():
    model = PeriodicLaguerre(3, (24, 24))
    sites = model.draw(4, seed=2)
    samples, _ = model.simulate(TRUTH, sites)
    labels = pl.microstructures.LaguerreCells((24, 24), 3).labels(sites, -TRUTH["w"])
    tensor = pl.homogenize(labels, phases=TRUTH["a"], estimate="bracketed")
    np.testing.assert_allclose(samples[:, 0], tensor[:, 0, 0], rtol=3e-4)


def test_a_material_without_a_cell_tells_nothing():
    """The second seed is too late to grow, and the others grow as if it were not there."""
    model, two = PeriodicLaguerre(3, (24, 24)), PeriodicLaguerre(2, (24, 24))
    sites = model.draw(6, seed=3)
    sites[:, 1] = sites[:, 0] + 0.01
    samples, jacobian = model.simulate(TRUTH, sites, jacobian=True)
    rest = [0, 2]
    others = {"a": TRUTH["a"][rest], "w": TRUTH["w"][rest]}
    expected, slopes = two.simulate(others, sites[:, rest], jacobian=True)
    np.testing.assert_allclose(samples, expected, rtol=1e-3, atol=1e-3)
    assert (jacobian[..., [1, 4]] == 0).all()
    np.testing.assert_allclose(jacobian[..., [0, 2, 3, 5]], slopes, atol=1e-2)


def test_a_larger_lag_makes_a_smaller_cell():
    model = PeriodicLaguerre(2, (16, 16))
    sites = model.draw(64, seed=1)
    late = {"a": np.array([1.0, 5.0]), "w": np.array([0.0, 0.2])}
    early = {"a": np.array([1.0, 5.0]), "w": np.array([0.0, -0.2])}
    assert model.simulate(late, sites)[0].mean() < model.simulate(early, sites)[0].mean()


def test_stages_end_with_the_law():
    assert PeriodicLaguerre(3).stages == (0.04, 0.015, 0.005, None)
    assert PeriodicLaguerre(4, metric="power").stages == (0.04, 0.015, 0.005, None)


def test_even_numbers_are_uniform_and_differ_with_the_seed():
    model = PeriodicLaguerre(3)
    first, second = model.draw(1000, seed=1), model.draw(1000, seed=2)
    assert first.shape == (1000, 3, 2)
    assert 0 < first.min() < first.max() < 1
    np.testing.assert_allclose(first.mean(axis=0), 0.5, atol=5e-3)
    assert np.abs(first - second).max() > 0.1


@pytest.mark.parametrize(
    "arguments",
    [{"materials": 1}, {"shape": (16,)}, {"metric": "o"}, {"mixing": "o"}, {"coarse": (1, 1)}],
)
def test_bad_models_are_refused(arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        PeriodicLaguerre(**arguments)
