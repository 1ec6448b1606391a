import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference import laguerre_relaxed as reference

import pearlite as pl

METRICS = ["power", "additive"]
NAMES = ("sites", "weights", "values", "epsilon")


def problem(seed, shape, count, metric, batch=(), pixels=0.25):
    """Arguments of a call, with epsilon a fraction of a pixel in length, and a cotangent."""
    rng = np.random.default_rng(seed)
    spacing, h = count ** (-1 / len(shape)), 1 / max(shape)
    unit = 2 * spacing if metric == "power" else 1
    spread = 0.2 * spacing * (spacing if metric == "power" else 1)
    return {
        "sites": rng.random((*batch, count, len(shape))),
        "weights": spread * rng.normal(size=(*batch, count)),
        "values": rng.normal(size=(*batch, count)),
        "epsilon": pixels * h * unit,
    }, rng.normal(size=(*batch, *shape))


def exact(arguments, cotangent, shape, **options):
    """The reference in extended precision."""
    wide = {name: np.asarray(value, np.longdouble) for name, value in arguments.items()}
    return reference.relax(
        **wide, shape=shape, cotangent=cotangent.astype(np.longdouble), **options
    )


def check(results, expected, rtol, arguments, cotangent):
    """Compare in the norm of the largest entry, and of what weights below 1e-17 can add.

    The terms of the gradient in epsilon have both signs: compare it with the sum of their sizes.
    """
    total = np.abs(cotangent).sum()
    most = float(total * np.ptp(arguments["values"]) / np.min(arguments["epsilon"]))
    additions = 1.0, most, most, total, most
    for i, (got, right) in enumerate(zip(results, expected, strict=True)):
        assert got.shape == np.shape(right)
        scale = np.abs(right).max() + 1e-16 * additions[i] / rtol if i < 4 else most
        assert np.abs(got - right).max() <= rtol * scale


def flat(result):
    field, gradient = result
    return field, *gradient


# Values and gradients -----------------------------------------------------------------------------


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize(
    ("shape", "count"),
    [
        ((17, 33), 6),
        ((64, 64), 60),
        ((50, 41), 1),
        ((2, 2), 3),
        ((9, 10, 21), 8),
        ((10, 18, 40), 60),
    ],
)
def test_reference(shape, count, metric, periodic):
    for seed, pixels in enumerate([0.25, 0.02, 2.0]):
        arguments, cotangent = problem(seed, shape, count, metric, pixels=pixels)
        options = {"metric": metric, "periodic": periodic}
        expected = exact(arguments, cotangent, shape, **options)
        result = pl.laguerre.relax_with_gradient(
            **arguments, cotangent=cotangent, shape=shape, **options
        )
        # Exponents are as large as a distance over epsilon, and their rounding with them.
        rtol = 4e-15 * max(4, 1 / pixels)
        check(flat(result), expected, rtol, arguments, cotangent)
        field = pl.laguerre.relax(**arguments, shape=shape, **options)
        np.testing.assert_array_equal(field, result[0])


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(("shape", "count"), [((64, 48), 20), ((17, 16, 30), 30)])
def test_single_precision(shape, count, metric):
    arguments, cotangent = problem(3, shape, count, metric)
    single = {name: np.float32(value) for name, value in arguments.items()}
    g = cotangent.astype(np.float32)
    result = pl.laguerre.relax_with_gradient(**single, cotangent=g, shape=shape, metric=metric)
    assert all(part.dtype == np.float32 for part in flat(result))
    expected = exact(single, g, shape, metric=metric)
    check(flat(result), expected, 4e-6, single, g)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("periodic", [True, False])
def test_gradient_by_differences(metric, periodic):
    shape = (11, 14)
    arguments, cotangent = problem(5, shape, 7, metric, pixels=1.0)
    options = {"shape": shape, "metric": metric, "periodic": periodic}
    _, gradient = pl.laguerre.relax_with_gradient(**arguments, cotangent=cotangent, **options)
    rng = np.random.default_rng(0)
    for name in NAMES:
        step = rng.normal(size=np.shape(arguments[name])) * 1e-6 * arguments["epsilon"]
        ends = [
            pl.laguerre.relax(**(arguments | {name: arguments[name] + sign * step}), **options)
            for sign in (1, -1)
        ]
        change = (cotangent * (ends[0] - ends[1])).sum() / 2
        assert change == pytest.approx((getattr(gradient, name) * step).sum(), rel=1e-6)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("shape", [(40, 56), (16, 20, 24)])
def test_small_epsilon_meets_labels(shape, metric):
    arguments, cotangent = problem(8, shape, 25, metric)
    sites, weights = arguments["sites"], arguments["weights"]
    labels = pl.laguerre.assign(sites, weights, shape=shape, metric=metric)
    arguments["epsilon"] = 1e-12
    field, gradient = pl.laguerre.relax_with_gradient(
        **arguments, cotangent=cotangent, shape=shape, metric=metric
    )
    np.testing.assert_array_equal(field, arguments["values"][labels])
    sums = np.bincount(labels.ravel(), cotangent.ravel(), 25)
    np.testing.assert_allclose(gradient.values, sums, rtol=1e-13, atol=1e-13)
    for part in (gradient.sites, gradient.weights, gradient.epsilon):
        assert not part.any()


def test_large_epsilon_is_the_mean():
    arguments, _ = problem(1, (6, 7), 5, "power")
    arguments["epsilon"] = 1e12
    field = pl.laguerre.relax(**arguments, shape=(6, 7))
    np.testing.assert_allclose(field, arguments["values"].mean(), rtol=1e-10)


# What a field must be -----------------------------------------------------------------------------


@given(
    st.integers(0, 10**6),
    st.sampled_from([(12, 9), (33, 20), (5, 6, 18)]),
    st.sampled_from(METRICS),
    st.sampled_from([1, 2, 7, 40]),
    st.sampled_from([0.1, 0.5, 5.0]),
)
def test_symmetries(seed, shape, metric, count, pixels):
    arguments, _ = problem(seed, shape, count, metric, pixels=pixels)
    options = {"shape": shape, "metric": metric, "threads": 1}
    field = pl.laguerre.relax(**arguments, **options)
    values = arguments["values"]
    assert values.min() - 1e-12 <= field.min()
    assert field.max() <= values.max() + 1e-12
    close = {"rtol": 1e-9, "atol": 1e-9}

    shifted = pl.laguerre.relax(**(arguments | {"weights": arguments["weights"] + 0.5}), **options)
    np.testing.assert_allclose(shifted, field, **close)

    order = np.random.default_rng(seed).permutation(count)
    permuted = {name: arguments[name][order] for name in NAMES[:3]}
    np.testing.assert_allclose(
        pl.laguerre.relax(**(arguments | permuted), **options), field, **close
    )

    by = [3, -2, 4][: len(shape)]
    moved = arguments["sites"] + np.array(by) / shape
    translated = pl.laguerre.relax(**(arguments | {"sites": moved}), **options)
    axes = tuple(range(len(shape)))
    np.testing.assert_allclose(translated, np.roll(field, by, axes), **close)

    turned = arguments | {"sites": arguments["sites"][:, ::-1]}
    transposed = pl.laguerre.relax(**turned, **(options | {"shape": shape[::-1]}))
    np.testing.assert_allclose(transposed, field.T, **close)


@pytest.mark.parametrize("metric", METRICS)
def test_gradients_of_a_rigid_motion(metric):
    """A shift of all weights changes nothing; the values' shares add up to the cotangent."""
    arguments, cotangent = problem(2, (40, 32), 30, metric)
    _, gradient = pl.laguerre.relax_with_gradient(
        **arguments, cotangent=cotangent, shape=(40, 32), metric=metric
    )
    assert abs(gradient.weights.sum()) < 1e-12 * np.abs(gradient.weights).max()
    assert gradient.values.sum() == pytest.approx(cotangent.sum())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("metric", METRICS)
def test_batch_and_threads_change_nothing(metric, dtype):
    for shape, count in (((150, 140), 60), ((40, 33, 70), 50)):
        arguments, cotangent = problem(4, shape, count, metric, batch=(2, 2))
        arguments = {name: np.asarray(value, dtype) for name, value in arguments.items()}
        g = cotangent.astype(dtype)
        call = {"shape": shape, "metric": metric}
        whole = pl.laguerre.relax_with_gradient(**arguments, cotangent=g, **call, threads=1)
        again = pl.laguerre.relax_with_gradient(**arguments, cotangent=g, **call, threads=5)
        for first, second in zip(flat(whole), flat(again), strict=True):
            np.testing.assert_array_equal(first, second)
        alone = {name: arguments[name][1, 0] for name in NAMES[:3]}
        cell = pl.laguerre.relax_with_gradient(
            **alone, epsilon=float(arguments["epsilon"]), cotangent=g[1, 0], **call
        )
        for first, second in zip(flat(whole)[:4], flat(cell)[:4], strict=True):
            np.testing.assert_array_equal(first[1, 0], second)


def test_broadcasting():
    rng = np.random.default_rng(0)
    sites, weights = rng.random((3, 1, 5, 2)), 0.01 * rng.random((4, 5))
    values, epsilon = rng.random(5), rng.random((3, 1)) * 0.02 + 0.01
    cotangent = rng.random((3, 4, 8, 9))
    field, gradient = pl.laguerre.relax_with_gradient(
        sites, weights, values, cotangent, shape=(8, 9), epsilon=epsilon
    )
    assert field.shape == (3, 4, 8, 9)
    sums = [np.zeros(np.shape(x)) for x in (sites, weights, values, epsilon)]
    for i in range(3):
        for j in range(4):
            one, parts = pl.laguerre.relax_with_gradient(
                sites[i, 0],
                weights[j],
                values,
                cotangent[i, j],
                shape=(8, 9),
                epsilon=epsilon[i, 0],
            )
            np.testing.assert_array_equal(field[i, j], one)
            for total, part, index in zip(sums, parts, [(i, 0), (j,), (), (i, 0)], strict=True):
                total[index] += part
    for got, expected in zip(gradient, sums, strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-14)
    nothing = pl.laguerre.relax(np.zeros((0, 5, 2)), None, values, shape=(8, 9), epsilon=1)
    assert nothing.shape == (0, 8, 9)


# Degenerate input ---------------------------------------------------------------------------------


@pytest.mark.parametrize("metric", METRICS)
def test_one_seed(metric):
    field, gradient = pl.laguerre.relax_with_gradient(
        [[0.3, 0.4]], [0.1], [7.0], np.ones((5, 6)), shape=(5, 6), epsilon=0.01, metric=metric
    )
    assert (field == 7).all()
    assert gradient.values == pytest.approx(30)
    assert not gradient.sites.any()
    assert gradient.epsilon == 0


@pytest.mark.parametrize("metric", METRICS)
def test_duplicate_seeds_share_their_cell(metric):
    sites = [[0.2, 0.3], [0.2, 0.3], [0.7, 0.6]]
    call = {"shape": (20, 20), "epsilon": 1e-3, "metric": metric}
    field, gradient = pl.laguerre.relax_with_gradient(
        sites, None, [1, 3, 2], np.ones((20, 20)), **call
    )
    np.testing.assert_allclose(field, 2, rtol=1e-12)
    assert gradient.values[0] == gradient.values[1]


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_seed_at_a_pixel(metric, dtype):
    """Where |x − c| has no derivative the gradient is finite, and zero by symmetry."""
    sites = np.array([[0.5, 0.5], [0.0, 0.0]], dtype)
    cotangent = np.zeros((9, 9), dtype)
    cotangent[4, 4] = 1
    _, gradient = pl.laguerre.relax_with_gradient(
        sites, None, np.array([1, 2], dtype), cotangent, shape=(9, 9), epsilon=0.5, metric=metric
    )
    assert np.isfinite(gradient.sites).all()
    assert (gradient.sites[0] == 0).all()


@pytest.mark.parametrize("metric", METRICS)
def test_heavy_weights_and_empty_cells(metric):
    shape = (30, 24)
    arguments, cotangent = problem(6, shape, 12, metric)
    arguments["weights"][3] += 1e3  # this seed's cell is all
    result = pl.laguerre.relax_with_gradient(
        **arguments, cotangent=cotangent, shape=shape, metric=metric
    )
    assert (result[0] == arguments["values"][3]).all()
    arguments["weights"] += 1e6
    arguments["weights"][3] -= 2e3  # and now none
    rest = {name: np.delete(arguments[name], 3, axis=0) for name in NAMES[:3]}
    field = pl.laguerre.relax(**arguments, shape=shape, metric=metric)
    expected = pl.laguerre.relax(**(arguments | rest), shape=shape, metric=metric)
    np.testing.assert_allclose(field, expected, rtol=1e-12)


@pytest.mark.parametrize("metric", METRICS)
def test_sites_outside_of_the_cell(metric):
    arguments, cotangent = problem(7, (13, 21), 9, metric)
    moved = arguments | {"sites": arguments["sites"] + [[3.0, -2.0]]}
    call = {"shape": (13, 21), "metric": metric}
    np.testing.assert_allclose(
        pl.laguerre.relax(**moved, **call), pl.laguerre.relax(**arguments, **call), atol=1e-11
    )
    result = pl.laguerre.relax_with_gradient(**moved, cotangent=cotangent, periodic=False, **call)
    expected = exact(moved, cotangent, (13, 21), metric=metric, periodic=False)
    check(flat(result), expected, 1e-12, moved, cotangent)


def test_all_seeds_everywhere():
    """More candidates than there is room for at first."""
    arguments, cotangent = problem(9, (7, 9, 8), 300, "additive", pixels=500)
    for metric in METRICS:
        result = pl.laguerre.relax_with_gradient(
            **arguments, cotangent=cotangent, shape=(7, 9, 8), metric=metric
        )
        expected = exact(arguments, cotangent, (7, 9, 8), metric=metric)
        check(flat(result), expected, 1e-12, arguments, cotangent)


def test_strided_arrays():
    arguments, cotangent = problem(10, (8, 9), 4, "power")
    field = pl.laguerre.relax(**arguments, shape=(8, 9))
    strided = {name: np.repeat(arguments[name], 2, axis=0)[::2] for name in NAMES[:3]}
    strided["epsilon"] = arguments["epsilon"]
    np.testing.assert_array_equal(pl.laguerre.relax(**strided, shape=(8, 9)), field)
    turned = np.asfortranarray(cotangent)
    first = pl.laguerre.relax_with_gradient(**arguments, cotangent=cotangent, shape=(8, 9))
    second = pl.laguerre.relax_with_gradient(**strided, cotangent=turned, shape=(8, 9))
    for one, other in zip(flat(first), flat(second), strict=True):
        np.testing.assert_array_equal(one, other)


GOOD = {
    "sites": np.array([[0.2, 0.3], [0.7, 0.6]]),
    "weights": np.zeros(2),
    "values": np.ones(2),
    "shape": (4, 5),
    "epsilon": 0.01,
}


@pytest.mark.parametrize(
    ("name", "value", "error", "message"),
    [
        ("sites", np.zeros(2), ValueError, "sites has shape"),
        ("sites", np.zeros((2, 4)), ValueError, "sites has shape"),
        ("sites", np.full((2, 2), np.nan), ValueError, r"sites\[0, 0\] is nan"),
        ("sites", np.zeros((2, 2), np.float32), TypeError, "weights has dtype float64"),
        ("weights", np.zeros(3), ValueError, "weights has shape"),
        ("weights", np.array([0, np.inf]), ValueError, r"weights\[1\] is inf"),
        ("values", np.ones(3), ValueError, "values has shape"),
        ("values", np.array([np.nan, 0]), ValueError, r"values\[0\] is nan"),
        ("values", np.ones(2, np.float32), TypeError, "values has dtype float32; expected float64"),
        ("values", np.ones((3, 2)), None, ""),
        ("values", np.ones(2, int), TypeError, "values has dtype int64"),
        ("epsilon", 0, ValueError, "epsilon is 0"),
        ("epsilon", -1.0, ValueError, "epsilon is -1"),
        ("epsilon", np.nan, ValueError, "epsilon is nan"),
        ("epsilon", 1e-300, ValueError, "epsilon is 1e-300; expected at least"),
        ("epsilon", "wide", TypeError, "epsilon has dtype"),
        ("epsilon", np.ones(3, np.float32), TypeError, "epsilon has dtype float32"),
        ("shape", (4,), ValueError, "shape is"),
        ("shape", (4, 1), ValueError, "shape is"),
        ("shape", 4, TypeError, "shape is"),
        ("metric", "taxi", ValueError, "metric is 'taxi'"),
        ("periodic", 1, TypeError, "periodic is a int"),
        ("threads", 0, ValueError, "threads is 0"),
    ],
)
def test_bad_input(name, value, error, message):
    arguments = GOOD | {name: value}
    if error is None:
        assert pl.laguerre.relax(**arguments).shape == (3, 4, 5)
        return
    with pytest.raises(error, match=message):
        pl.laguerre.relax(**arguments)


@pytest.mark.parametrize(
    ("value", "error"),
    [(np.ones((4, 4)), ValueError), (np.ones((4, 5), np.float32), TypeError), ("g", TypeError)],
)
def test_bad_cotangent(value, error):
    with pytest.raises(error, match="cotangent has"):
        pl.laguerre.relax_with_gradient(**GOOD, cotangent=value)
