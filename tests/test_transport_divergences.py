"""Energy distances and maximum mean discrepancies."""

import numpy as np
import pytest
from reference import transport as reference
from scipy import stats
from scipy.spatial.distance import cdist

import pearlite as pl

energy_distance, mmd = pl.inversion.energy_distance, pl.inversion.mmd
SIZES = [(1, 1), (2, 5), (30, 30), (17, 300), (600, 40)]


def samples(count, dim, seed):
    return np.random.default_rng(seed).standard_normal((count, dim))


@pytest.mark.parametrize(("count", "other"), SIZES[:-1])
@pytest.mark.parametrize("dim", [1, 2, 3])
def test_against_the_definition(count, other, dim):
    x, y = samples(count, dim, 1), samples(other, dim, 2) * 2
    assert energy_distance(x, y) == pytest.approx(reference.energy(x, y), rel=1e-12)
    assert mmd(x, y, bandwidth=0.7) == pytest.approx(reference.mmd(x, y, 0.7), rel=1e-12)
    if count > 1:
        got = mmd(x, y, bandwidth=0.7, unbiased=True)
        assert got == pytest.approx(reference.mmd(x, y, 0.7, unbiased=True), rel=1e-11)


@pytest.mark.parametrize(("count", "other"), SIZES)
def test_weights_against_scipy(count, other):
    x, y = samples(count, 1, 1), samples(other, 1, 2)
    u, v = np.random.default_rng(3).random((2, 1000))
    weights = {"weights": u[:count], "y_weights": v[:other]}
    expected = stats.energy_distance(x[:, 0], y[:, 0], u[:count], v[:other]) ** 2
    assert energy_distance(x, y, **weights) == pytest.approx(expected, rel=1e-10)
    # The same points on a line in space, all pairs instead of sorting
    line = np.array([[0.6, 0.0, -0.8]])
    assert energy_distance(x * line, y * line, **weights) == pytest.approx(expected, rel=1e-10)
    a, b = u[:count] / u[:count].sum(), v[:other] / v[:other].sum()
    kernels = [np.exp(-2 * cdist(p, q) ** 2) for p, q in ((x, x), (y, y), (x, y))]
    expected = a @ kernels[0] @ a + b @ kernels[1] @ b - 2 * a @ kernels[2] @ b
    assert mmd(x, y, bandwidth=0.5, **weights) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("dim", [1, 3])
@pytest.mark.parametrize("name", ["energy", "mmd", "unbiased"])
@pytest.mark.parametrize("weighted", [False, True])
def test_gradients_against_differences(dim, name, weighted):
    x, y = samples(7, dim, 1), samples(5, dim, 2)
    u, v = np.random.default_rng(3).random((2, 7))
    options = {"weights": u, "y_weights": v[:5]} if weighted else {}
    if name != "energy":
        options |= {"bandwidth": 1.3, "unbiased": name == "unbiased"}
    function = energy_distance if name == "energy" else mmd
    value, gradient = function(x, y, gradient=True, **options)
    assert value == pytest.approx(function(x, y, **options), rel=1e-12)
    for i, c in np.ndindex(x.shape):
        shift = np.zeros_like(x)
        shift[i, c] = 1e-6
        ends = [function(x + s, y, **options) for s in (shift, -shift)]
        assert gradient[i, c] == pytest.approx((ends[0] - ends[1]) / 2e-6, abs=1e-8)


def test_closed_forms():
    """Of normal laws: E|X − Y| = 2/√π for equal ones; k integrates to a normal density."""
    levels = (np.arange(4000) + 0.5) / 4000
    z = stats.norm.ppf(levels)
    shift = 0.8  # E|Z − Z' + s| of a normal difference of variance 2
    cross = 2 / np.sqrt(np.pi) * np.exp(-(shift**2) / 4) + shift * (
        2 * stats.norm.cdf(shift / np.sqrt(2)) - 1
    )
    expected = 2 * cross - 4 / np.sqrt(np.pi)
    assert energy_distance(z + shift, z) == pytest.approx(expected, rel=1e-3)
    expected = 2 / np.sqrt(3) * (1 - np.exp(-(shift**2) / 6))
    assert mmd(z + shift, z, bandwidth=1) == pytest.approx(expected, rel=1e-3)
    assert energy_distance(z, z[::-1]) == 0
    assert mmd(z, z[::-1], bandwidth=1) == pytest.approx(0, abs=1e-14)


def test_ties_do_not_push():
    x = np.array([[1.0, 2.0], [1.0, 2.0], [4.0, 6.0]])
    value, gradient = energy_distance(x, x[:1], gradient=True)
    assert value == pytest.approx(2 * 5 / 3 - 2 * 2 * 5 / 9)
    push = (2 / 3 - 2 / 3 * 2 / 3) * np.array([0.6, 0.8])
    np.testing.assert_allclose(gradient[2], push)
    np.testing.assert_allclose(gradient[0], 2 / 3 * 1 / 3 * np.array([0.6, 0.8]))
    line = energy_distance(x[:, :1], x[:1, :1], gradient=True)[1]
    np.testing.assert_allclose(line[:, 0], [2 / 9, 2 / 9, 2 / 9])


def test_threads_and_float32():
    x, y = samples(900, 3, 1).astype("f4"), samples(800, 3, 2).astype("f4")
    for function in (energy_distance, mmd):
        one = function(x, y, gradient=True, threads=1)
        three = function(x, y, gradient=True, threads=3)
        assert one[0] == three[0]
        np.testing.assert_array_equal(one[1], three[1])
        double = function(x.astype(float), y.astype(float), gradient=True)
        assert one[1].dtype == np.float32
        assert one[0] == pytest.approx(double[0], rel=1e-12)
        np.testing.assert_allclose(one[1], double[1], atol=1e-9)


@pytest.mark.parametrize(
    ("function", "arguments", "error", "message"),
    [
        (energy_distance, {"x": np.ones((3, 2))}, ValueError, "x has 2 components"),
        (energy_distance, {"weights": [1]}, ValueError, "weights has shape"),
        (energy_distance, {"gradient": 1}, TypeError, "gradient is a int"),
        (mmd, {"bandwidth": 0}, ValueError, "bandwidth is 0"),
        (mmd, {"bandwidth": "1"}, TypeError, "bandwidth is '1'"),
        (mmd, {"y": np.ones((9, 3))}, ValueError, "bandwidth is None"),
        (mmd, {"x": np.ones((1, 3)), "unbiased": True}, ValueError, "x has one sample"),
        (mmd, {"unbiased": None}, TypeError, "unbiased is a NoneType"),
    ],
)
def test_errors_name_the_argument(function, arguments, error, message):
    with pytest.raises(error, match=message):
        function(**{"x": samples(4, 3, 1), "y": samples(6, 3, 2)} | arguments)
