"""The projected L-BFGS against scipy's, on problems whose minimum is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize as scipy_minimize

from pearlite.reconstruction._lbfgs import minimize


def quadratic(seed, size, condition=100.0):
    """-> matrix, right side of ½ x·A x − b·x."""
    rng = np.random.default_rng(seed)
    q, _ = np.linalg.qr(rng.standard_normal((size, size)))
    return (q * np.geomspace(1, condition, size)) @ q.T, 10 * rng.standard_normal(size)


def of(matrix, b):
    def function(x):
        x = x.astype(np.float64)
        return float(x @ matrix @ x / 2 - b @ x), matrix @ x - b

    return function


@pytest.mark.parametrize("seed", range(5))
def test_finds_the_minimum_within_bounds(seed):
    matrix, b = quadratic(seed, 30)
    found = minimize(of(matrix, b), np.full(30, 0.5), evaluations=3000)
    expected = scipy_minimize(
        of(matrix, b), np.full(30, 0.5), jac=True, method="L-BFGS-B", bounds=[(0, 1)] * 30,
        options={"maxiter": 5000, "ftol": 1e-15, "gtol": 1e-10},
    )  # fmt: skip
    assert found.loss <= expected.fun + 1e-9 * abs(expected.fun)
    np.testing.assert_allclose(found.x, expected.x, atol=1e-5)
    gradient = matrix @ found.x - b
    inside = (found.x > 0) & (found.x < 1)
    assert np.all(np.abs(gradient[inside]) < 1e-4 * np.abs(b).max())
    assert np.all(gradient[found.x == 0] >= 0)
    assert np.all(gradient[found.x == 1] <= 0)
    assert 0 < inside.sum() < 30  # else the bounds were not put to the test


def test_unbounded_quadratic_takes_few_evaluations():
    matrix, b = quadratic(1, 200)
    found = minimize(
        of(matrix, b), np.zeros(200), lower=-1e9, upper=1e9, evaluations=500,
        tolerance=float(-b @ np.linalg.solve(matrix, b) / 2) + 1e-6,
    )  # fmt: skip
    assert found.why == "tolerance"
    assert found.evaluations < 120
    np.testing.assert_allclose(found.x, np.linalg.solve(matrix, b), atol=1e-2)


def test_rosenbrock():
    def rosenbrock(x):
        a, b = x
        loss = (1 - a) ** 2 + 100 * (b - a * a) ** 2
        return loss, np.array([-2 * (1 - a) - 400 * a * (b - a * a), 200 * (b - a * a)])

    found = minimize(rosenbrock, np.array([-1.2, 1.0]), lower=-2, upper=2, tolerance=1e-12)
    assert found.why == "tolerance"
    np.testing.assert_allclose(found.x, 1, atol=1e-5)
    assert found.evaluations < 80


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_keeps_dtype_and_shape_and_the_start(dtype):
    start = np.full((3, 4), 0.25, dtype)
    found = minimize(
        lambda x: (float(((x - 0.5) ** 2).sum()), 2 * (x - dtype(0.5))), start, tolerance=1e-9
    )
    assert found.x.dtype == dtype
    assert found.x.shape == (3, 4)
    np.testing.assert_allclose(found.x, 0.5, atol=1e-4)
    np.testing.assert_array_equal(start, dtype(0.25))


def test_gradient_may_be_one_buffer():
    matrix, b = quadratic(3, 12)
    buffer = np.empty(12)

    def function(x):
        loss, buffer[:] = of(matrix, b)(x)
        return loss, buffer

    found = minimize(function, np.full(12, 0.5), evaluations=400)
    again = minimize(of(matrix, b), np.full(12, 0.5), evaluations=400)
    np.testing.assert_array_equal(found.x, again.x)


def test_losses_that_are_watched_fall_and_the_watch_can_stop():
    matrix, b = quadratic(4, 50)
    losses = []

    def watch(evaluations, loss, x):
        losses.append(loss)
        assert loss == of(matrix, b)(x)[0]
        return len(losses) == 7

    found = minimize(of(matrix, b), np.full(50, 0.5), watch=watch)
    assert found.why == "stopped"
    assert len(losses) == 7
    assert losses == sorted(losses, reverse=True)


def test_limit_of_evaluations():
    matrix, b = quadratic(5, 50, condition=1e6)
    calls = []

    def function(x):
        calls.append(1)
        return of(matrix, b)(x)

    found = minimize(function, np.full(50, 0.5), evaluations=9)
    assert len(calls) == found.evaluations == 9
    assert found.why == "evaluations"


def test_interrupt_returns_the_best_so_far():
    matrix, b = quadratic(6, 50)
    calls = []

    def function(x):
        calls.append(of(matrix, b)(x)[0])
        if len(calls) == 6:
            raise KeyboardInterrupt
        return of(matrix, b)(x)

    found = minimize(function, np.full(50, 0.5))
    assert found.why == "interrupted"
    assert found.loss == min(calls[:5]) == of(matrix, b)(found.x)[0]


def test_at_a_minimum_it_stays():
    found = minimize(lambda x: (float(x.sum()), np.ones_like(x)), np.zeros(5))
    assert found.why == "stalled"
    assert found.evaluations == 1


@given(st.integers(0, 10**6), st.integers(1, 12), st.sampled_from([np.float32, np.float64]))
def test_never_leaves_the_bounds_nor_rises(seed, size, dtype):
    matrix, b = quadratic(seed, size)
    function = of(matrix, b)
    rng = np.random.default_rng(seed)
    start = rng.random(size).astype(dtype)

    def inside(x):
        assert x.dtype == dtype
        assert np.all((x >= 0) & (x <= 1))
        loss, gradient = function(x)
        return loss, gradient.astype(dtype)

    found = minimize(inside, start, evaluations=60)
    assert found.loss <= function(start)[0]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_bounds_may_differ_from_one_unknown_to_the_next(dtype):
    matrix, b = quadratic(2, 40)
    rng = np.random.default_rng(0)
    lower, upper = -rng.random(40), rng.random(40)
    found = minimize(
        lambda x: (of(matrix, b)(x)[0], of(matrix, b)(x)[1].astype(dtype)),
        np.zeros(40, dtype), lower=lower, upper=upper.astype(dtype), evaluations=2000,
    )  # fmt: skip
    expected = scipy_minimize(of(matrix, b), np.zeros(40), jac=True, method="L-BFGS-B",
                              bounds=list(zip(lower, upper, strict=True)))  # fmt: skip
    np.testing.assert_allclose(found.x, expected.x, atol=2e-3)
    at = (found.x == lower.astype(dtype)) | (found.x == upper.astype(dtype))
    assert 5 < at.sum() < 40
    half = minimize(of(matrix, b), np.zeros(40), lower=-1e9, upper=upper)
    assert np.all(half.x <= upper)
    assert half.x.min() < -1
