"""Models of layers, whose laws are known."""

import numpy as np
import pytest
from scipy import special, stats

from pearlite.inversion import DirichletLayers, UniformLayers
from pearlite.inversion._dirichlet_law import mean_below, mean_excess
from pearlite.inversion._gamma import log_gamma_quantiles, places
from pearlite.microstructures import log_gamma_quantile

A = np.array([1.0, 4.0, 10.0])
SHARES = np.array([0.2, 0.3, 0.5])


def dirichlet(total):
    return {"a": A, "alpha": total * SHARES}


@pytest.mark.parametrize("alpha", [0.02, 0.3, 1.0, 7.0, 300.0])
def test_gamma_quantiles_between_nodes(alpha):
    uniforms = np.concatenate([[1e-12, 1 - 1e-12], np.random.default_rng(1).random(2000)])
    logs, slopes = log_gamma_quantiles(alpha, places(uniforms), slopes=True)
    exact = log_gamma_quantile(alpha, uniforms)
    step = 1e-4 * alpha
    ends = [log_gamma_quantile(alpha + s, uniforms) for s in (step, -step)]
    np.testing.assert_allclose(logs, exact, atol=2e-5 * max(1, 0.3 / alpha))
    # Where x is tiny the slope is as large as log x/α
    np.testing.assert_allclose(slopes, (ends[0] - ends[1]) / (2 * step), rtol=3e-3, atol=1e-5)


@pytest.mark.parametrize("total", [0.1, 1.0, 10.0])
def test_dirichlet_samples_have_the_moments_of_the_law(total):
    model = DirichletLayers(3)
    samples, _ = model.simulate(dirichlet(total), model.draw(2**15, seed=1))
    inverse = 1 / samples[:, 0]
    mean = SHARES @ (1 / A)
    variance = SHARES @ (1 / A - mean) ** 2 / (total + 1)
    assert abs(inverse.mean() - mean) < 2e-3
    assert abs(inverse.var() / variance - 1) < 0.01
    for t in (0.5, 2.0):  # E (1 + tM)^(−α0) = Π (1 + t b_k)^(−α_k)
        exact = np.prod((1 + t / A) ** -(total * SHARES))
        assert abs(((1 + t * inverse) ** -total).mean() - exact) < 1e-3


@pytest.mark.parametrize("total", [0.2, 1.0, 20.0])
def test_jacobian_of_dirichlet_layers(total):
    model = DirichletLayers(3)
    z = model.layout.coordinates(dirichlet(total))
    numbers = model.draw(256, seed=3)
    _, jacobian = model.samples_and_jacobian(z, numbers)
    differences = model._differences(z, numbers, None)
    np.testing.assert_allclose(jacobian, differences, atol=1e-4 * np.abs(differences).max())


def test_mean_of_two_fractions_is_beta_distributed():
    points = np.linspace(0.001, 0.999, 50)
    for alpha in ([0.02, 0.05], [1.0, 1.0], [3.0, 7.0], [40.0, 90.0]):
        below, _, _ = mean_below(np.array([0.0, 1.0]), np.array(alpha), points)
        exact = special.betainc(alpha[1], alpha[0], points)
        np.testing.assert_allclose(below, exact, atol=2e-8)


@pytest.mark.parametrize("total", [0.3, 3.0, 30.0])
def test_dirichlet_law_is_that_of_the_samples(total):
    model = DirichletLayers(3)
    samples, _ = model.simulate(dirichlet(total), model.draw(2**14, seed=5))
    points = np.quantile(samples, [0.05, 0.3, 0.5, 0.7]) * (1 + 1e-9)
    below, jacobian = model.distribution(dirichlet(total), points)
    counted = (samples <= points).mean(axis=0)
    np.testing.assert_allclose(below, counted, atol=3e-3)
    layout = model.layout
    flat = layout.flat(dirichlet(total))
    for k, shift in enumerate(1e-5 * np.diag(flat)):
        ends = [model.distribution(layout.split(flat + s * shift), points)[0] for s in (1, -1)]
        change = (ends[0] - ends[1]) / (2e-5 * flat[k])
        np.testing.assert_allclose(jacobian[:, k], change, rtol=1e-4, atol=1e-6)


def test_mean_excess_of_two_fractions_is_that_of_the_beta_law():
    points = np.linspace(0.001, 0.999, 50)
    for alpha in ([0.02, 0.05], [1.0, 1.0], [3.0, 7.0], [40.0, 90.0]):
        mean = alpha[1] / sum(alpha)
        # E max(0, v − m) = E v P'(v > m) − m P(v > m), with one more in the shape of v in P'
        above = [1 - special.betainc(alpha[1] + more, alpha[0], points) for more in (1, 0)]
        excess, _, _ = mean_excess(np.array([0.0, 1.0]), np.array(alpha), points)
        np.testing.assert_allclose(excess, mean * above[0] - points * above[1], atol=1e-12)


@pytest.mark.parametrize("total", [0.3, 3.0, 30.0])
def test_excess_falls_by_what_is_above(total):
    model, truth = DirichletLayers(3), dirichlet(total)
    points = np.array([0.13, 0.27, 0.4, 0.8])
    step = 1e-4
    ends = [model.excess(truth, points + s * step)[0] for s in (-1, 1)]
    below = model.distribution(truth, 1 / points)[0]  # of a*, above of 1/a*
    np.testing.assert_allclose((ends[0] - ends[1]) / (2 * step), below, atol=1e-5)
    layout = model.layout
    flat, jacobian = layout.flat(truth), model.excess(truth, points)[1]
    for k, shift in enumerate(1e-5 * np.diag(flat)):
        ends = [model.excess(layout.split(flat + s * shift), points)[0] for s in (1, -1)]
        change = (ends[0] - ends[1]) / (2e-5 * flat[k])
        np.testing.assert_allclose(jacobian[:, k], change, rtol=1e-5, atol=1e-8)


def uniform(inverse, delta):
    inverse = np.asarray(inverse, float)
    return {"a": 1 / inverse[:-1], "a_last": 1 / inverse[-1:], "delta": np.asarray(delta)}


def test_exchange_of_widths_gives_the_same_law():
    """Caution: shares are found up to an exchange where materials lie on one side of the last."""
    model = UniformLayers(3)
    one, two = uniform([1, 0.6, 0.1], [0.3, 0.2]), uniform([1, 0.6, 0.1], [1 / 9, 0.54])
    points = np.linspace(1.5, 9, 40)
    same = [model.distribution(each, points)[0] for each in (one, two)]
    np.testing.assert_allclose(same[0], same[1], atol=1e-12)
    numbers = model.draw(2**14, seed=1)
    first, second = (np.sort(model.simulate(each, numbers)[0][:, 0]) for each in (one, two))
    assert np.abs(first / second - 1)[100:-100].max() < 5e-3
    other = model.distribution(uniform([1, 0.6, 0.1], [0.2, 0.3]), points)[0]
    assert np.abs(other - same[0]).max() > 0.05


def test_exchange_across_the_last_material_changes_the_law():
    """On different sides of the last material the sum of the shifts tells widths apart."""
    model = UniformLayers(3)
    points = np.linspace(1.0, 4, 200)
    # widths .3 and .08: at b − b_K = .6 and −.4 they come from (.5, .2), or from (.1333, .75)
    laws = [
        model.distribution(uniform([1, 0.1, 0.5], delta), points)[0]
        for delta in ([0.3, 0.2], [0.16, 0.375])
    ]
    assert np.abs(laws[0] - laws[1]).max() > 0.1


def test_uniform_law_is_that_of_the_samples():
    model = UniformLayers(4)
    truth = uniform([1, 0.6, 0.05, 0.2], [0.3, 0.2, 0.4])
    samples, _ = model.simulate(truth, model.draw(2**14, seed=2))
    test = stats.kstest(samples[:, 0], lambda t: model.distribution(truth, t)[0])
    assert test.statistic < 2e-3  # 2^-7 = 8e-3 for independent samples


def test_jacobian_of_uniform_layers():
    model = UniformLayers(3)
    z = model.layout.coordinates(uniform([1, 0.6, 0.1], [0.3, 0.2]))
    numbers = model.draw(64, seed=1)
    _, jacobian = model.samples_and_jacobian(z, numbers)
    np.testing.assert_allclose(jacobian, model._differences(z, numbers, None), rtol=1e-5, atol=1e-7)
