import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pearlite as pl
from pearlite import corrector

TIGHT = {"rtol": 1e-10, "gradient_rtol": 1e-8}
SPACINGS = [None, (0.1, 0.25)]


def scalars(rng, *shape, contrast=10.0):
    """Fields of blobs of three phases and some noise."""
    smooth = rng.standard_normal(shape)
    for axis in (-1, -2):
        smooth = smooth + np.roll(smooth, 1, axis) + np.roll(smooth, -1, axis)
    return contrast ** (np.digitize(smooth, [-1.0, 1.5]) / 2) * rng.uniform(0.8, 1, shape)


def tensors(rng, *shape):
    factor = rng.standard_normal((*shape, 2, 2))
    return factor @ factor.swapaxes(-1, -2) + 0.3 * np.eye(2)


def weighted(conductivity, gradient, tensor):
    """The norm that gradient_rtol is about: Σ a |g| over the pixels of each cell."""
    if not tensor:
        return (conductivity * np.abs(gradient)).sum(axis=(-1, -2))
    root = np.linalg.cholesky(conductivity.astype(np.float64))
    values = np.linalg.eigvalsh(root.swapaxes(-1, -2) @ gradient @ root)
    return np.abs(values).sum(axis=(-1, -2, -3))


def norm(tensors):
    return np.linalg.norm(tensors, axis=(-2, -1))


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("tensor", [False, True])
def test_finite_differences(tensor, spacing):
    rng = np.random.default_rng(1)
    field = tensors(rng, 3, 9, 6) if tensor else scalars(rng, 3, 9, 6)
    cotangent = rng.standard_normal((3, 2, 2))
    direction = tensors(rng, 3, 9, 6) - 1 if tensor else rng.standard_normal((3, 9, 6))
    options = {"tensor": tensor, "spacing": spacing, **TIGHT}
    effective, gradient = pl.homogenize_with_gradient(field, cotangent, **options)
    np.testing.assert_allclose(effective, pl.homogenize(field, **options), rtol=1e-9, atol=1e-11)
    step = 1e-4
    ends = [pl.homogenize(field + s * step * direction, **options) for s in (1, -1)]
    expected = (cotangent * (ends[0] - ends[1])).sum() / (2 * step)
    np.testing.assert_allclose((gradient * direction).sum(), expected, rtol=1e-6)


@pytest.mark.parametrize("tensor", [False, True])
def test_phases(tensor):
    """Gradients in phases are sums over their pixels, also where cells share phases or labels."""
    rng = np.random.default_rng(2)
    entry = (2, 2) if tensor else ()
    for own, batch in [((), ()), ((), (4,)), ((3, 1), (2,)), ((1,), (4,)), ((3, 2), (1,))]:
        labels = rng.integers(3, size=(*batch, 5, 8), dtype=np.uint8)
        phases = tensors(rng, *own, 4) if tensor else rng.uniform(1, 5, (*own, 4))
        common = np.broadcast_shapes(own, batch)
        cotangent = rng.standard_normal((*common, 2, 2))
        options = {"tensor": tensor, **TIGHT}
        effective, gradient = pl.homogenize_with_gradient(
            labels, cotangent, phases=phases, **options
        )
        table = np.broadcast_to(phases, (*common, 4, *entry))
        places = np.broadcast_to(labels, (*common, 5, 8))
        pixels = np.empty((*common, 5, 8, *entry))
        for cell in np.ndindex(common):
            pixels[cell] = table[cell][places[cell]]
        same, by_pixel = pl.homogenize_with_gradient(pixels, cotangent, **options)
        expected = np.zeros((*common, 4, *entry))
        for cell in np.ndindex(common):
            np.add.at(expected[cell], places[cell], by_pixel[cell])
        while expected.ndim > phases.ndim:
            expected = expected.sum(axis=0)
        for axis, size in enumerate(own):
            if size == 1:
                expected = expected.sum(axis=axis, keepdims=True)
        assert gradient.shape == phases.shape
        np.testing.assert_allclose(effective, same, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(gradient, expected, rtol=1e-7, atol=1e-9)
        assert (gradient[..., 3] if not tensor else gradient[..., 3, :, :]).max() == 0  # not there


@given(
    st.integers(0, 2**31),
    st.sampled_from(
        [(contrast, rtol) for contrast in (2.0, 1e2, 1e4) for rtol in (1e-2, 1e-4, 1e-6)]
        + [(1e6, 1e-2), (1e6, 1e-4)]  # beyond, double precision ends
    ),
    st.sampled_from([(32, 32), (12, 40), (7, 5)]),
    st.sampled_from(SPACINGS),
)
def test_gradient_rtol(seed, case, shape, spacing):
    contrast, gradient_rtol = case
    rng = np.random.default_rng(seed)
    field = scalars(rng, 4, *shape, contrast=contrast)
    cotangent = rng.standard_normal((4, 2, 2))
    check_accuracy(field, cotangent, gradient_rtol, tensor=False, spacing=spacing)


@given(st.integers(0, 2**31), st.sampled_from([1e-2, 1e-4, 1e-6]), st.sampled_from(SPACINGS))
def test_gradient_rtol_of_tensors(seed, gradient_rtol, spacing):
    rng = np.random.default_rng(seed)
    cotangent = rng.standard_normal((4, 2, 2))
    check_accuracy(tensors(rng, 4, 16, 24), cotangent, gradient_rtol, tensor=True, spacing=spacing)


@pytest.mark.parametrize("contrast", [2.0, 1e2, 1e4])
def test_gradient_rtol_in_single_precision(contrast):
    rng = np.random.default_rng(3)
    field = scalars(rng, 4, 64, 64, contrast=contrast).astype(np.float32)
    for gradient_rtol in (1e-2, 1e-4, 1e-5):
        check_accuracy(field, np.eye(2), gradient_rtol, tensor=False)


def check_accuracy(field, cotangent, gradient_rtol, tensor, spacing=None):
    options = {"tensor": tensor, "spacing": spacing}
    exact = field.astype(np.float64)
    effective, expected = pl.homogenize_with_gradient(
        exact, cotangent, **options, rtol=1e-9, gradient_rtol=max(gradient_rtol / 100, 1e-8)
    )
    gradient = pl.homogenize_with_gradient(
        field, cotangent, **options, rtol=1e-2, gradient_rtol=gradient_rtol
    )[1]
    assert gradient.dtype == field.dtype
    error = weighted(exact, gradient - expected, tensor)
    assert (error <= 0.99 * gradient_rtol * norm(cotangent) * norm(effective)).all()


@given(st.integers(0, 2**31), st.sampled_from([1.0, 1e3]))
def test_gradient_of_a_homogeneous_function(seed, contrast):
    """A* has degree 1 in the conductivities, so that Σ a ∂A*/∂a = A* (Euler)."""
    rng = np.random.default_rng(seed)
    field = scalars(rng, 8, 11, contrast=contrast)
    cotangent = rng.standard_normal((2, 2))
    effective, gradient = pl.homogenize_with_gradient(field, cotangent, **TIGHT)
    size = norm(cotangent) * norm(effective)
    np.testing.assert_allclose(
        (field * gradient).sum(), (cotangent * effective).sum(), atol=1e-7 * size
    )


def test_layers():
    """Exact: ∂h/∂a = h²/a²/n for the harmonic mean of n layers, and 1/n along them."""
    layers = np.array([1.0, 3.0, 7.0, 0.2])
    field = np.repeat(layers[:, None], 5, axis=1)
    effective, across = pl.homogenize_with_gradient(field, [[1, 0], [0, 0]], **TIGHT)
    along = pl.homogenize_with_gradient(field, [[0, 0], [0, 1]], **TIGHT)[1]
    np.testing.assert_allclose(across.sum(axis=1), effective[0, 0] ** 2 / layers**2 / 4, rtol=1e-6)
    np.testing.assert_allclose(along, 1 / 20, rtol=1e-6)


def test_voids():
    """Derivatives in the pixels that conduct are right; an isolated void is no obstacle."""
    rng = np.random.default_rng(7)
    field = scalars(rng, 12, 10)
    field[3:6, 2:5] = 0
    direction = rng.standard_normal(field.shape) * (field > 0)
    effective, gradient = pl.homogenize_with_gradient(field, np.eye(2), **TIGHT)
    ends = [np.trace(pl.homogenize(field + s * 1e-5 * direction, **TIGHT)) for s in (1, -1)]
    np.testing.assert_allclose((gradient * direction).sum(), (ends[0] - ends[1]) / 2e-5, rtol=1e-5)
    np.testing.assert_allclose((field * gradient).sum(), np.trace(effective), rtol=1e-7)


def test_cotangent_broadcasts_and_only_its_symmetric_part_counts():
    rng = np.random.default_rng(4)
    field = scalars(rng, 2, 3, 8, 8)
    cotangent = rng.standard_normal((3, 2, 2))
    gradient = pl.homogenize_with_gradient(field, cotangent, **TIGHT)[1]
    whole = np.broadcast_to(cotangent.swapaxes(-1, -2), (2, 3, 2, 2))
    np.testing.assert_allclose(
        gradient, pl.homogenize_with_gradient(field, whole, **TIGHT)[1], rtol=1e-12, atol=1e-14
    )
    assert gradient.shape == field.shape


def test_threads_and_empty_batches():
    rng = np.random.default_rng(5)
    field = scalars(rng, 20, 64, 64)
    one, two = (pl.homogenize_with_gradient(field, np.eye(2), threads=t)[1] for t in (1, 2))
    np.testing.assert_allclose(one, two, rtol=1e-12)
    effective, gradient = pl.homogenize_with_gradient(field[:0], np.eye(2))
    assert effective.shape == (0, 2, 2)
    assert gradient.shape == (0, 64, 64)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        (
            {"cotangent": np.ones(2)},
            ValueError,
            r"cotangent has shape \(2,\); expected \(3, 2, 2\)",
        ),
        ({"cotangent": np.ones((4, 2, 2))}, ValueError, "cotangent has shape"),
        ({"cotangent": np.ones((1, 3, 2, 2))}, ValueError, "cotangent has shape"),
        ({"cotangent": 1j * np.eye(2)}, TypeError, "cotangent has dtype complex128"),
        ({"gradient_rtol": "a"}, TypeError, "gradient_rtol is 'a'; expected a number from 1e-08"),
        ({"gradient_rtol": 1e-9}, ValueError, "gradient_rtol is 1e-09; expected"),
        ({"gradient_rtol": np.nan}, ValueError, "gradient_rtol is nan; expected"),
        ({"rtol": 1.0}, ValueError, "rtol is 1.0; expected"),
    ],
)
def test_refused(changes, error, message):
    arguments = {"conductivity": np.ones((3, 4, 4)), "cotangent": np.eye(2)} | changes
    with pytest.raises(error, match=message):
        pl.homogenize_with_gradient(**arguments)


def test_not_converged(monkeypatch):
    monkeypatch.setattr(corrector, "_MAX_ITERATIONS", 2)
    field = np.ones((2, 32, 32))
    field[1] = scalars(np.random.default_rng(6), 32, 32, contrast=100.0)
    with pytest.raises(pl.ConvergenceError, match="did not reach gradient_rtol=1e-08") as caught:
        pl.homogenize_with_gradient(field, np.eye(2), **TIGHT)
    assert caught.value.index == (1,)
    effective, gradient = pl.homogenize_with_gradient(field, np.eye(2), on_failure="nan", **TIGHT)
    assert np.isfinite(effective[0]).all()
    assert np.isfinite(gradient[0]).all()
    assert np.isnan(effective[1]).all()
    assert np.isnan(gradient[1]).all()
