import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from odd_arguments import quick
from reference.two_point import two_point as reference

import pearlite as pl

two_point = pl.correlation.two_point


def assert_matches(got, first, second, valid, periodic, rtol):
    sums, numbers = reference(first, second, valid, periodic)
    with np.errstate(invalid="ignore"):
        expected = sums / numbers
    scale = np.sqrt(np.mean(first**2) * np.mean(second**2)) * first.size
    known = numbers > 0
    assert np.all(np.isnan(got[~known]))
    error = np.abs(got - expected)[known] * numbers[known]
    assert error.max() <= rtol * scale


FLAT = [(1, 1), (2, 2), (3, 5), (1, 7), (6, 1), (8, 9), (13, 4), (2, 17)]
SHAPES = [*FLAT, (3, 4, 5), (1, 2, 6), (4, 1, 3)]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("periodic", [True, False])
def test_fields_against_sums(shape, dtype, periodic):
    rng = np.random.default_rng(1)
    first, second = rng.standard_normal((2, *shape)).astype(dtype)
    rtol = 1e-6 if dtype == np.float32 else 2e-15
    options = {"dim": len(shape), "periodic": periodic}
    everything = np.ones(shape, bool)
    cross = two_point(first, second, **options)
    assert cross.dtype == dtype
    assert_matches(cross, first, second, everything, periodic, rtol)
    assert_matches(two_point(first, **options), first, first, everything, periodic, rtol)
    known = rng.random(shape) < 0.6
    masked = two_point(first, second, mask=known, **options)
    assert masked.dtype == dtype
    assert_matches(masked, first, second, known, periodic, rtol)


@pytest.mark.parametrize("shape", [(8, 8), (5, 7), (37, 3), (64, 33), (2, 3, 4)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int64])
@pytest.mark.parametrize("periodic", [True, False])
def test_labels_are_counted_exactly(shape, dtype, periodic):
    rng = np.random.default_rng(2)
    labels = rng.integers(0, 4, shape).astype(dtype)
    known = rng.random(shape) < 0.8
    phases = [2, 0, 1]
    for mask in (None, known):
        options = {"dim": len(shape), "periodic": periodic, "mask": mask, "phases": phases}
        counts = two_point(labels, counts=True, **options)
        means = two_point(labels, **options)
        assert counts.dtype == np.int64
        assert means.dtype == np.float64
        valid = np.ones(shape, bool) if mask is None else mask
        small = np.prod(shape) <= 64
        for i, j in itertools.product(range(3), repeat=2):
            one, two = labels == phases[i], labels == phases[j]
            if small:
                sums, numbers = reference(one, two, valid, periodic)
                np.testing.assert_array_equal(counts[i, j], sums)
                with np.errstate(invalid="ignore"):
                    np.testing.assert_allclose(means[i, j], sums / numbers, atol=1e-14)
            cross = two_point(one, two, dim=len(shape), periodic=periodic, mask=mask, counts=True)
            np.testing.assert_array_equal(counts[i, j], cross)


@quick
@given(
    shape=st.lists(st.integers(1, 40), min_size=2, max_size=3),
    phases=st.integers(1, 5),
    periodic=st.booleans(),
    seed=st.integers(0, 99),
)
def test_the_matrix_adds_up(shape, phases, periodic, seed):
    labels = np.random.default_rng(seed).integers(0, phases, shape).astype(np.uint8)
    dim = len(shape)
    options = {"dim": dim, "periodic": periodic, "counts": True}
    counts = two_point(labels, phases=range(phases), **options)
    everything = two_point(np.ones(shape, bool), **options)
    np.testing.assert_array_equal(counts.sum(axis=(0, 1)), everything)
    zero = (0,) * dim if periodic else tuple(n - 1 for n in shape)
    fractions = np.bincount(labels.ravel(), minlength=phases)
    np.testing.assert_array_equal(counts[(..., *zero)], np.diag(fractions))
    axes = tuple(range(-dim, 0))
    opposite = np.flip(counts, axes)
    if periodic:
        opposite = np.roll(opposite, (1,) * dim, axes)
    np.testing.assert_array_equal(counts.swapaxes(0, 1), opposite)


def test_large_fields_against_float64_transforms():
    rng = np.random.default_rng(3)
    for shape in [(256, 256), (509, 64), (100, 1000), (1031, 5), (64, 30, 48)]:
        field = rng.random(shape, dtype=np.float32)
        spectrum = np.fft.rfftn(field.astype(np.float64))
        expected = np.fft.irfftn(np.abs(spectrum) ** 2, shape, range(len(shape))) / field.size
        got = two_point(field, dim=len(shape))
        np.testing.assert_allclose(got, expected, atol=3e-7)
        double = two_point(field.astype(np.float64), dim=len(shape))
        np.testing.assert_allclose(double, expected, atol=1e-15)


def test_checkerboard_and_stripes_and_noise():
    board = np.indices((16, 16)).sum(axis=0) % 2 == 1
    counts = two_point(board, counts=True)
    np.testing.assert_array_equal(counts, np.where(np.indices((16, 16)).sum(axis=0) % 2, 0, 128))
    noise = np.random.default_rng(4).random((512, 512)) < 0.3
    means = two_point(noise)
    spread = 0.3 * 0.7 / 512  # of a product of independent pixels
    assert abs(means[0, 0] - 0.3) < 5 * np.sqrt(0.21) / 512
    assert np.abs(means.ravel()[1:] - means[0, 0] ** 2).max() < 6 * spread


@pytest.mark.parametrize("shape", [(40, 50), (256, 300), (20, 30, 40)])
def test_batches_and_threads_change_nothing(shape):
    fields = np.random.default_rng(5).random((2, 3, *shape))
    dim = len(shape)
    together = two_point(fields, fields[:1], dim=dim, threads=2)
    for i, j in np.ndindex(2, 3):
        alone = two_point(fields[i, j], fields[0, j], dim=dim, threads=1)
        np.testing.assert_array_equal(together[i, j], alone)


def test_strided_and_swapped_input():
    field = np.random.default_rng(6).random((12, 20))
    expected = two_point(np.ascontiguousarray(field[::2, ::-1]))
    np.testing.assert_array_equal(two_point(field[::2, ::-1]), expected)
    np.testing.assert_array_equal(two_point(field[::2, ::-1].astype(">f8")), expected)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"field": np.ones((4, 4), int)}, TypeError, "phases"),
        ({"field": np.ones(4)}, ValueError, "field has shape"),
        ({"field": np.ones((4, 4)), "dim": 3}, ValueError, "field has shape"),
        ({"field": np.ones((4, 4)), "dim": 4}, ValueError, "dim is 4"),
        ({"field": np.ones((0, 4))}, ValueError, "field has shape"),
        ({"field": np.ones((4, 4)), "counts": True}, TypeError, "counts"),
        ({"field": np.full((4, 4), np.nan)}, ValueError, "finite"),
        ({"field": np.ones((4, 4)), "other": np.ones((4, 5))}, ValueError, "other has shape"),
        ({"field": np.ones((4, 4)), "other": np.ones((4, 4), "f4")}, TypeError, "other has dtype"),
        ({"field": np.ones((4, 4)), "mask": np.ones((4, 4))}, TypeError, "mask has dtype"),
        ({"field": np.ones((4, 4)), "mask": np.ones((4, 5), bool)}, ValueError, "mask has shape"),
        ({"field": np.ones((4, 4), int), "phases": [1, 1]}, ValueError, "differ"),
        ({"field": np.ones((4, 4), int), "phases": []}, ValueError, "phases"),
        ({"field": np.ones((4, 4)), "phases": [1]}, TypeError, "field has dtype"),
        ({"field": np.ones((4, 4), complex)}, TypeError, "field has dtype"),
        ({"field": np.ones((4, 4)), "periodic": "no"}, TypeError, "periodic"),
        ({"field": np.ones((4, 4)), "threads": 0}, ValueError, "threads"),
    ],
)
def test_errors_name_the_argument(arguments, error, message):
    with pytest.raises(error, match=message):
        two_point(**arguments)
