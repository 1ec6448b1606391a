"""Sliced Wasserstein distances against their definition and closed forms."""

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from odd_arguments import quick
from reference import transport as reference
from scipy import stats

import pearlite as pl

sliced_wasserstein = pl.inversion.sliced_wasserstein
SortedProjections = pl.inversion.SortedProjections


def samples(count, dim, seed, ties=False):
    """Normal samples, or small integers among which many are equal."""
    values = np.random.default_rng(seed).standard_normal((count, dim))
    return np.round(values) if ties else values


def directions(count, dim, seed=5):
    vectors = np.random.default_rng(seed).standard_normal((count, dim))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


SIZES = [(1, 1), (1, 7), (6, 1), (5, 5), (40, 40), (40, 41), (30, 90), (257, 100)]


@pytest.mark.parametrize("dim", [1, 2, 3, 5])
@pytest.mark.parametrize(("count", "other"), SIZES)
@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("ties", [False, True])
def test_values_against_the_definition(dim, count, other, order, ties):
    x, y = samples(count, dim, 1, ties), samples(other, dim, 2, ties) * 2
    theta = directions(4, dim)
    rng = np.random.default_rng(3)
    u, v = rng.integers(0, 3, count) + 0.0, rng.random(other)
    u[-1] = 1
    target, weighted = (SortedProjections(y, directions=theta, weights=w) for w in (None, v))
    for weights, y_weights, prepared in ((None, None, target), (u, None, target),
                                         (None, v, weighted), (u, v, weighted)):  # fmt: skip
        expected = reference.sliced(x, y, theta, order, weights, y_weights)
        got = sliced_wasserstein(
            x, y, directions=theta, order=order, weights=weights, y_weights=y_weights
        )
        assert got == pytest.approx(expected, rel=1e-12, abs=1e-14)
        again = sliced_wasserstein(x, prepared, order=order, weights=weights)
        assert again == pytest.approx(got, rel=1e-13, abs=1e-14)
        root = sliced_wasserstein(x, prepared, order=order, weights=weights, root=True)
        assert root == pytest.approx(got ** (1 / order), rel=1e-12, abs=1e-14)


def test_closed_forms():
    x = samples(1000, 1, 1)[:, 0]
    assert sliced_wasserstein(x, 3 + 2 * x) == pytest.approx(np.mean((3 + x) ** 2))
    assert sliced_wasserstein([0.0], [1.0, 3.0]) == 5
    assert sliced_wasserstein([0.0], [1.0, 3.0], order=1) == 2
    assert sliced_wasserstein([0.0, 10.0], [0.0, 10.0], weights=[1, 3], y_weights=[2, 2]) == 25
    y = samples(300, 1, 2)[:, 0]
    weights = np.random.default_rng(3).random(1000)
    got = sliced_wasserstein(x, y, order=1, weights=weights)
    assert got == pytest.approx(stats.wasserstein_distance(x, y, weights), rel=1e-12)


def test_gaussians():
    """W₂² of N(μ, σ²) and N(0, 1) is μ² + (σ − 1)²; sliced, means give |μ|²/d."""
    n = 20_000
    levels = (np.arange(n) + 0.5) / n
    normal = stats.norm.ppf(levels)
    assert sliced_wasserstein(0.5 + 2 * normal, normal) == pytest.approx(1.25, rel=2e-3)
    x = samples(2000, 3, 1)
    shift = np.array([1.0, -2.0, 0.5])
    got = sliced_wasserstein(x, x + shift, directions=2000)
    assert got == pytest.approx(shift @ shift / 3, rel=1e-3)


@pytest.mark.parametrize("method", ["quasi", "random"])
@pytest.mark.parametrize("dim", [1, 2, 3, 4, 7])
def test_directions_cover_the_sphere(dim, method):
    """The mean of θθᵀ is I/d, and that of the square of θ_0² is 3/(d (d + 2))."""
    found = SortedProjections(samples(3, dim, 1), directions=1024, method=method, seed=3).directions
    assert found.shape == (1 if dim == 1 else 1024, dim)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-14)
    scatter = 4 / np.sqrt(1024) if method == "random" else 4 / 1024 ** (0.5 if dim > 3 else 1)
    np.testing.assert_allclose(found.T @ found / len(found), np.eye(dim) / dim, atol=scatter)
    assert np.mean(found[:, 0] ** 4) == pytest.approx(3 / dim / (dim + 2), abs=scatter)


def test_quasi_random_directions_are_better():
    x, y = samples(400, 3, 1), samples(400, 3, 2) * [1, 2, 3]
    exact = sliced_wasserstein(x, y, directions=100_000)
    errors = {
        method: [
            sliced_wasserstein(x, y, directions=100, method=method, seed=seed) / exact - 1
            for seed in range(20)
        ]
        for method in ("quasi", "random")
    }
    assert np.std(errors["quasi"]) < 0.2 * np.std(errors["random"])


@pytest.mark.parametrize(("count", "other"), [(6, 6), (7, 5), (5, 9)])
@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("dim", [1, 3])
@pytest.mark.parametrize("root", [False, True])
def test_gradients_against_differences(count, other, order, dim, root):
    x, y = samples(count, dim, 1), samples(other, dim, 2)
    u, v = np.random.default_rng(3).random((2, 10)) + 0.1
    step = 1e-6
    for weights in ({}, {"weights": u[:count], "y_weights": v[:other]}):
        options = {"order": order, "directions": directions(5, dim), "root": root} | weights
        value, gradient = sliced_wasserstein(x, y, gradient=True, **options)
        assert value == sliced_wasserstein(x, y, **options)
        for i, c in np.ndindex(x.shape):
            shift = np.zeros_like(x)
            shift[i, c] = step
            ends = [sliced_wasserstein(x + s, y, **options) for s in (shift, -shift)]
            assert gradient[i, c] == pytest.approx((ends[0] - ends[1]) / 2 / step, abs=1e-8)


@pytest.mark.parametrize("count", [1000, 3000])
def test_float32_and_layouts(count):
    x, y = (v.astype("f4") for v in (samples(count, 3, 1), samples(count - 1, 3, 2)))
    single, slope = sliced_wasserstein(x, y, gradient=True)
    x, y = x.astype(float), y.astype(float)
    value, gradient = sliced_wasserstein(x, y, gradient=True)
    assert single == value
    np.testing.assert_array_equal(slope, gradient.astype("f4"))
    for other in (np.asfortranarray(x), np.repeat(x, 2, 0)[::2], x.astype(">f8")):
        assert sliced_wasserstein(other, y) == value


def test_directions_in_any_layout():
    x, y, theta = samples(50, 3, 1), samples(40, 3, 2), np.eye(3)[:2]
    expected = sliced_wasserstein(x, y, directions=theta)
    assert sliced_wasserstein(x, y, directions=np.asfortranarray(theta)) == expected


def test_threads_change_nothing():
    x, y = samples(5000, 3, 1), SortedProjections(samples(4000, 3, 2), directions=70)
    jacobian = np.random.default_rng(3).random((5000, 3, 2))
    one, two, five = (
        [*sliced_wasserstein(x, y, gradient=True, threads=t),
         *vars(y.gauss_newton(x, jacobian, threads=t)).values()]
        for t in (1, 2, 5)
    )  # fmt: skip
    for a, b, c in zip(one, two, five, strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(a, c)


@pytest.mark.parametrize("count", [3, 2047, 2048, 2049, 30_000])
@pytest.mark.parametrize(
    "law", ["normal", "cauchy", "lognormal", "one far", "equal", "two", "tiny", "huge", "ascending"]
)
def test_anything_is_sorted(count, law):
    rng = np.random.default_rng(4)
    values = {
        "normal": rng.standard_normal(count),
        "cauchy": rng.standard_cauchy(count),
        "lognormal": np.exp(5 * rng.standard_normal(count)),
        "one far": np.append(rng.standard_normal(count - 1), 1e100),
        "equal": np.full(count, 7.5),
        "two": rng.integers(0, 2, count) * 1.0,
        "tiny": rng.integers(-5, 5, count) * 5e-324,
        "huge": rng.uniform(-1e150, 1e150, count),
        "ascending": np.arange(count) * 1.0,
    }[law]
    found = SortedProjections(values)
    np.testing.assert_array_equal(found.sorted[0], np.sort(values))
    weights = rng.random(count)
    found = SortedProjections(values, weights=weights)
    expected = np.cumsum(weights[np.argsort(values, kind="stable")]) / weights.sum()
    np.testing.assert_allclose(found._levels[0], expected, rtol=1e-12)


@quick
@given(st.integers(1, 30), st.integers(1, 30), st.integers(1, 4), st.integers(0, 2**32))
def test_properties(count, other, dim, seed):
    x, y = samples(count, dim, seed), samples(other, dim, seed + 1)
    theta = directions(6, dim)

    def distance(a, b, **options):
        return sliced_wasserstein(a, b, directions=theta, root=True, **options)

    there = distance(x, y)
    assert there >= 0
    assert distance(x, x[::-1]) == 0
    assert distance(y, x) == pytest.approx(there)
    assert distance(x + 3, y + 3) == pytest.approx(there)
    assert distance(2 * x, 2 * y) == pytest.approx(2 * there)
    assert distance(x, np.repeat(y, 3, 0)) == pytest.approx(there)
    assert distance(np.repeat(x, 2, 0), y, weights=np.ones(2 * count)) == pytest.approx(there)
    z = samples(9, dim, seed + 2)
    assert there <= distance(x, z) + distance(z, y) + 1e-12
    assert distance(x, y, order=1) <= there + 1e-12


@pytest.mark.parametrize("dim", [1, 3])
def test_gauss_newton_against_sums(dim):
    x, y = samples(60, dim, 1), samples(60, dim, 2)
    jacobian = np.random.default_rng(3).standard_normal((60, dim, 4))
    target = SortedProjections(y, directions=directions(7, dim))
    found = target.gauss_newton(x, jacobian, bins=60)
    product, matrix = reference.gauss_newton(x, y, jacobian, target.directions)
    assert found.value == target.distance(x)
    np.testing.assert_allclose(found.product, product, rtol=1e-12)
    np.testing.assert_allclose(found.matrix, matrix, rtol=1e-12)
    same = target.gauss_newton(x, jacobian, bins=60, weights=np.full(60, 0.3))
    np.testing.assert_allclose(same.matrix, matrix, rtol=1e-12)
    np.testing.assert_allclose(same.product, product, rtol=1e-12)


@pytest.mark.parametrize("other", [60, 47])
def test_gauss_newton_product_is_half_the_gradient(other):
    """In the parameters of x(t) = x + Σ t_p J_p, also for sizes that differ and weights."""
    x, y = samples(60, 2, 1), samples(other, 2, 2)
    jacobian = np.random.default_rng(3).standard_normal((60, 2, 3))
    weights = np.random.default_rng(4).random(60)
    target = SortedProjections(y, directions=9)
    for options in ({}, {"weights": weights}):
        found = target.gauss_newton(x, jacobian, **options)
        for p in range(3):
            step = 1e-6 * jacobian[:, :, p]
            ends = [target.distance(x + s, **options) for s in (step, -step)]
            assert found.product[p] == pytest.approx((ends[0] - ends[1]) / 4e-6, abs=1e-7)


def test_bins_give_the_curvature():
    """For x = s √2 cos φ + t √2 sin φ, a law of s² + t² alone, the Jacobian scatters beside x.

    At s = 1, t = 0 the quantiles do not move with t, and JᵀJ must not see it: samples that move
    apart exchange their ranks.
    """
    phi = np.random.default_rng(1).uniform(0, 2 * np.pi, 40_000)
    jacobian = np.sqrt(2) * np.stack([np.cos(phi), np.sin(phi)], axis=1)
    x = jacobian[:, 0]
    target = SortedProjections(x)
    found = target.gauss_newton(x, jacobian).matrix
    assert found[0, 0] == pytest.approx(1, abs=0.02)
    assert found[1, 1] < 0.01
    naive = target.gauss_newton(x, jacobian, bins=40_000).matrix
    assert naive[1, 1] == pytest.approx(1, abs=0.02)


def test_steps_find_a_shift_and_scales():
    z = samples(4000, 3, 1)
    scales, shift = np.array([2.0, 1.0, 0.5]), np.array([1.0, 2.0, 3.0])
    target = SortedProjections(z * scales + shift, directions=200)
    p = np.concatenate([np.ones(3), np.zeros(3)])
    jacobian = np.concatenate([np.einsum("ic,cp->icp", z, np.eye(3)),
                               np.broadcast_to(np.eye(3), (4000, 3, 3))], axis=2)  # fmt: skip
    for bins in [None] * 3 + [4000] * 5:  # the last steps exchange no ranks
        found = target.gauss_newton(z * p[:3] + p[3:], jacobian, bins=bins)
        p = p - np.linalg.solve(found.matrix, found.product)
        if bins is None:
            first = p
    np.testing.assert_allclose(first, [*scales, *shift], atol=0.01)
    np.testing.assert_allclose(p, [*scales, *shift], rtol=1e-5)


X = np.ones((4, 3))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"x": np.ones((0, 3))}, ValueError, "x has shape"),
        ({"x": np.ones((4, 3, 1))}, ValueError, "x has shape"),
        ({"x": np.ones((4, 2))}, ValueError, "x has 2 components"),
        ({"x": np.ones((4, 3), int)}, TypeError, "x has dtype int64"),
        ({"x": np.ones((4, 3), "f4")}, TypeError, "x has dtype float32; expected float64 as y"),
        ({"x": X * np.nan}, ValueError, "x has entries that are not finite"),
        ({"y": X * 1e200}, ValueError, "y has entries of 1e\\+200"),
        ({"weights": [1, 2]}, ValueError, "weights has shape"),
        ({"weights": [0, 0, 0, 0]}, ValueError, "weights has entries"),
        ({"weights": [1, 1, 1, -1]}, ValueError, "weights has entries"),
        ({"y_weights": [1, 1, 1, np.inf]}, ValueError, "y_weights has entries"),
        ({"directions": 0}, ValueError, "directions is 0"),
        ({"directions": np.ones((2, 3))}, ValueError, "directions\\[0\\] has length"),
        ({"directions": np.ones((2, 2))}, ValueError, "directions has shape"),
        ({"method": "random"}, ValueError, "seed is None"),
        ({"method": "sobol"}, ValueError, "method is 'sobol'"),
        ({"order": 3}, ValueError, "order is 3"),
        ({"root": 1}, TypeError, "root is a int"),
        ({"gradient": "yes"}, TypeError, "gradient is a str"),
        ({"threads": 0}, ValueError, "threads is 0"),
        ({"y": SortedProjections(X), "seed": 1}, ValueError, "seed is given"),
        ({"y": SortedProjections(X[:, :2])}, ValueError, "x has 3 components"),
    ],
)
def test_errors_name_the_argument(arguments, error, message):
    with pytest.raises(error, match=message):
        sliced_wasserstein(**{"x": X, "y": X} | arguments)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"jacobian": np.ones((4, 2))}, ValueError, "jacobian has shape"),
        ({"jacobian": np.ones((4, 3, 0))}, ValueError, "jacobian has shape"),
        ({"jacobian": np.ones((4, 3, 2), int)}, TypeError, "jacobian has dtype"),
        ({"jacobian": np.full((4, 3, 2), np.nan)}, ValueError, "jacobian has entries"),
        ({"bins": 5}, ValueError, "bins is 5"),
        ({"bins": 0}, ValueError, "bins is 0"),
    ],
)
def test_errors_of_gauss_newton(arguments, error, message):
    with pytest.raises(error, match=message):
        SortedProjections(X).gauss_newton(X, **{"jacobian": np.ones((4, 3, 2))} | arguments)


SCRIPT = """
import os
import subprocess
import sys

import numpy as np
import pearlite as pl
x, y = np.random.default_rng(1).standard_normal((2, 3000, 3))
target = pl.inversion.SortedProjections(y[:2000], directions=9, weights=np.arange(1, 2001))
jacobian = np.random.default_rng(2).standard_normal((3000, 3, 2))
found = target.gauss_newton(x, jacobian)
values = [found.value, *found.product, *found.matrix.ravel(), pl.inversion.energy_distance(x, y),
          *pl.inversion.mmd(x, y, gradient=True)[1][:9].ravel()]
print(*(float(v).hex() for v in values))
"""


def test_instruction_sets_agree():
    found = []
    for name in ("base", "x86-64-v3", "x86-64-v4"):
        process = subprocess.run(
            [sys.executable, "-c", SCRIPT], env=os.environ | {"PEARLITE_ISA": name},
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        found.append([float.fromhex(text) for text in process.stdout.split()])
    np.testing.assert_allclose(found[1], found[0], rtol=1e-10)
    np.testing.assert_allclose(found[2], found[0], rtol=1e-10)
