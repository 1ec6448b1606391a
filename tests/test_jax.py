"""JAX arrays: values, derivatives and transformations agree with numpy and with differences."""

import numpy as np
import pytest

import pearlite as pl

jax = pytest.importorskip("jax")
jnp = jax.numpy

import pearlite.jax  # noqa: E402 (needs jax)

RNG = np.random.default_rng(0)
FIELDS = RNG.uniform(1, 5, (3, 8, 6))
LABELS = RNG.integers(3, size=(3, 8, 6)).astype(np.uint8)
PHASES = np.array([1.0, 4.0, 9.0])


@pytest.fixture(autouse=True)
def double_precision():
    with jax.enable_x64(True):
        yield


def test_values_and_dtypes():
    np.testing.assert_array_equal(pl.jax.homogenize(FIELDS), pl.homogenize(FIELDS))
    found = pl.jax.homogenize(jnp.asarray(FIELDS, jnp.float32))
    assert found.dtype == jnp.float32
    np.testing.assert_array_equal(found, pl.homogenize(FIELDS.astype(np.float32)))
    found = pl.jax.homogenize(LABELS, phases=PHASES, spacing=(1.0, 2.0))
    expected = pl.homogenize(LABELS, phases=PHASES, spacing=(1.0, 2.0))
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    volumes = RNG.uniform(1, 5, (2, 4, 6, 5))
    found = pl.jax.homogenize(volumes, dim=3)
    np.testing.assert_array_equal(found, pl.homogenize(volumes, dim=3))


def weighted(effective):
    """A function of tensors that is not symmetric in its entries."""
    d = effective.shape[-1]
    weights = jnp.arange(1.0, d * d + 1).reshape(d, d)
    return (weights * effective).sum()


@pytest.mark.parametrize("dim", [2, 3])
def test_gradient_in_pixels(dim):
    field = FIELDS[0] if dim == 2 else RNG.uniform(1, 5, (4, 5, 3))
    options = {"dim": dim, "rtol": 1e-9, "gradient_rtol": 1e-7}
    found = jax.grad(lambda a: weighted(pl.jax.homogenize(a, **options)))(jnp.asarray(field))
    weights = np.arange(1.0, dim * dim + 1).reshape(dim, dim)
    _, expected = pl.homogenize_with_gradient(field, weights, **options)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)
    direction = RNG.standard_normal(field.shape)
    step = 1e-4
    ends = [pl.homogenize(field + s * direction, dim=dim, rtol=1e-10) for s in (step, -step)]
    slope = (weights * (ends[0] - ends[1])).sum() / (2 * step)
    np.testing.assert_allclose((found * direction).sum(), slope, rtol=1e-4)


def test_gradient_in_phases_that_cells_share():
    options = {"rtol": 1e-9, "gradient_rtol": 1e-7}

    def total(phases):
        return weighted(pl.jax.homogenize(LABELS, phases=phases, **options))

    found = jax.grad(total)(jnp.asarray(PHASES))
    weights = np.arange(1.0, 5).reshape(2, 2)
    _, expected = pl.homogenize_with_gradient(LABELS, weights, phases=PHASES, **options)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    step = 1e-4 * np.array([0, 1, 0])
    slope = (total(PHASES + step) - total(PHASES - step)) / 2e-4
    np.testing.assert_allclose(found[1], slope, rtol=1e-4)


def test_jit_and_vmap():
    def value(a):
        return weighted(pl.jax.homogenize(a, rtol=1e-8))

    expected = [jax.grad(value)(a) for a in jnp.asarray(FIELDS)]
    close = {"rtol": 1e-3, "atol": 1e-4}  # another batch, and a gradient_rtol of 1e-4
    np.testing.assert_allclose(jax.jit(jax.grad(value))(FIELDS[0]), expected[0], **close)
    np.testing.assert_allclose(jax.vmap(jax.grad(value))(FIELDS), expected, **close)
    np.testing.assert_allclose(jax.jit(jax.vmap(jax.grad(value)))(FIELDS), expected, **close)
    mapped = jax.vmap(lambda x: pl.jax.homogenize(x, phases=PHASES))(LABELS)
    np.testing.assert_allclose(mapped, pl.homogenize(LABELS, phases=PHASES), atol=1e-5)


def test_each_cell_with_its_phases():
    table = RNG.uniform(1, 5, (3, 3))
    found = pl.jax.homogenize(LABELS, phases=table)
    np.testing.assert_allclose(found, pl.homogenize(LABELS, phases=table), rtol=1e-12)
    every = pl.jax.homogenize(LABELS[0], phases=table)
    expected = np.stack([pl.homogenize(LABELS[0], phases=row) for row in table])
    np.testing.assert_allclose(every, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (FIELDS[0, 0], {}, "conductivity has shape"),
        (LABELS, {}, "labels need phases"),
        (FIELDS, {"dim": 4}, "dim is 4"),
        (FIELDS, {"rtol": 2.0}, "rtol"),
        (LABELS, {"phases": 3.0}, "phases has no axis"),
        (FIELDS, {"spacing": -1.0}, "spacing"),
    ],
)
def test_errors(arguments, options, message):
    with pytest.raises((TypeError, ValueError), match=message):
        pl.jax.homogenize(arguments, **options)


def test_what_the_kernels_refuse_is_quoted():
    with pytest.raises(Exception, match="expected"):
        np.asarray(pl.jax.homogenize(-FIELDS))
