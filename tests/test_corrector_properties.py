"""Bounds, symmetries and invariances that hold for every microstructure, on random ones."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from reference import microstructures

import pearlite as pl

QUARTER_TURN = np.array([[0, -1], [1, 0]])
RTOL = 1e-8

many = settings(max_examples=40, deadline=None)


@st.composite
def scalar_fields(draw, largest=40):
    """(n0, n1) float64 fields of every family, contrast to 1e4."""
    shape = draw(st.integers(16, largest)), draw(st.integers(16, largest))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    contrast = 10 ** draw(st.floats(0, 4))
    family = draw(st.sampled_from([*microstructures.GEOMETRIES, "lognormal"]))
    if family == "lognormal":
        return microstructures.lognormal(rng, shape, contrast)
    count = draw(st.integers(2, 6))
    labels = microstructures.GEOMETRIES[family](rng, shape, count)
    return microstructures.phase_values(rng, count, contrast)[labels]


@st.composite
def tensor_fields(draw):
    """(n0, n1, 2, 2) float64 fields of grains with turned axes."""
    shape = draw(st.integers(2, 32)), draw(st.integers(2, 32))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    count = draw(st.integers(2, 6))
    labels = microstructures.voronoi(rng, shape, count)
    return microstructures.phase_tensors(rng, count, 10 ** draw(st.floats(0, 4)))[labels]


def turned(tensors):
    """R A Rᵀ for tensors (..., 2, 2)."""
    return QUARTER_TURN @ tensors @ QUARTER_TURN.T


def assert_ordered(lower, upper):
    """Lower ≤ upper as quadratic forms, within the solver's tolerance of either."""
    slack = 3 * RTOL * np.linalg.norm(upper)
    assert np.linalg.eigvalsh(upper - lower)[0] >= -slack


def assert_close(effective, expected):
    """Equal but for the tolerance of either."""
    assert np.linalg.norm(effective - expected) <= 2.5 * RTOL * np.linalg.norm(expected)


@many
@given(scalar_fields())
def test_kellers_bracket(field):
    """The discrete tensor bounds the continuum's from above, that of 1/k gives a lower bound."""
    upper = pl.homogenize(field, rtol=RTOL)
    dual = pl.homogenize(1 / field, rtol=RTOL)
    assert_ordered(QUARTER_TURN.T @ np.linalg.inv(dual) @ QUARTER_TURN, upper)


@many
@given(tensor_fields())
def test_kellers_bracket_of_tensors(field):
    upper = pl.homogenize(field, tensor=True, rtol=RTOL)
    dual = pl.homogenize(turned(np.linalg.inv(field)), tensor=True, rtol=RTOL)
    assert_ordered(QUARTER_TURN.T @ np.linalg.inv(dual) @ QUARTER_TURN, upper)


@many
@given(scalar_fields())
def test_voigt_and_reuss_bounds(field):
    effective = pl.homogenize(field, rtol=RTOL)
    assert_ordered(effective, field.mean() * np.eye(2))
    assert_ordered(np.eye(2) / np.mean(1 / field), effective)


@many
@given(tensor_fields())
def test_voigt_and_reuss_bounds_of_tensors(field):
    effective = pl.homogenize(field, tensor=True, rtol=RTOL)
    assert_ordered(effective, field.mean((0, 1)))
    assert_ordered(np.linalg.inv(np.linalg.inv(field).mean((0, 1))), effective)


@many
@given(scalar_fields(largest=24))
def test_finer_pixels_lower_the_energy(field):
    """Bilinear functions on the pixels are bilinear on their quarters too."""
    finer = np.repeat(np.repeat(field, 2, axis=0), 2, axis=1)
    assert_ordered(pl.homogenize(finer, rtol=RTOL), pl.homogenize(field, rtol=RTOL))


@many
@given(scalar_fields(), st.integers(0, 100), st.integers(0, 100))
def test_translation(field, i, j):
    moved = pl.homogenize(np.roll(field, (i, j), (0, 1)), rtol=RTOL)
    assert_close(moved, pl.homogenize(field, rtol=RTOL))


@many
@given(scalar_fields())
def test_reflections_and_quarter_turn(field):
    effective = pl.homogenize(field, rtol=RTOL)
    mirror = np.diag([-1, 1])
    assert_close(pl.homogenize(field[::-1], rtol=RTOL), mirror @ effective @ mirror)
    assert_close(pl.homogenize(field[:, ::-1], rtol=RTOL), mirror @ effective @ mirror)
    assert_close(pl.homogenize(field.T, rtol=RTOL), effective[::-1, ::-1])
    assert_close(pl.homogenize(np.rot90(field), rtol=RTOL), turned(effective))


@many
@given(tensor_fields(), st.integers(0, 100))
def test_translation_reflection_and_quarter_turn_of_tensors(field, shift):
    def homogenize(cell):
        return pl.homogenize(cell, tensor=True, rtol=RTOL)

    effective = homogenize(field)
    mirror = np.diag([-1, 1])
    assert_close(homogenize(np.roll(field, shift, 1)), effective)
    assert_close(homogenize(mirror @ field[::-1] @ mirror), mirror @ effective @ mirror)
    assert_close(homogenize(turned(np.rot90(field))), turned(effective))


@many
@given(scalar_fields(), st.floats(1e-12, 1e12))
def test_scaling(field, factor):
    scaled = pl.homogenize(field * factor, rtol=RTOL)
    assert_close(scaled / factor, pl.homogenize(field, rtol=RTOL))


@many
@given(scalar_fields(largest=20), st.integers(1, 3), st.integers(1, 3))
def test_repetition(field, times0, times1):
    """A cell of several periods has the tensor of one."""
    tiled = np.tile(field, (times0, times1))
    assert_close(pl.homogenize(tiled, rtol=RTOL), pl.homogenize(field, rtol=RTOL))


@many
@given(scalar_fields(), st.floats(0.2, 5), st.floats(1e-6, 1e6))
def test_oblong_pixels_are_tensors_on_square_ones(field, ratio, unit):
    sizes = np.array([1, ratio])
    stretched = pl.homogenize(field, spacing=sizes * unit, rtol=RTOL)
    tensors = field[..., None, None] * np.diag(1 / sizes**2)
    squares = pl.homogenize(tensors, tensor=True, rtol=RTOL)
    # rtol bounds the error of `squares` in its own norm, which differs by the stretch.
    slack = RTOL * (np.linalg.norm(stretched) + max(sizes) ** 2 * np.linalg.norm(squares))
    assert np.linalg.norm(np.diag(sizes) @ squares @ np.diag(sizes) - stretched) <= 1.1 * slack


@many
@given(scalar_fields())
def test_isotropic_tensors_equal_scalars(field):
    tensors = field[..., None, None] * np.eye(2)
    effective = pl.homogenize(tensors, tensor=True, rtol=RTOL)
    assert_close(effective, pl.homogenize(field, rtol=RTOL))


def mixed_batch(shape=(31, 40), count=37):
    """Cells of all families and contrasts, so that some finish long before others."""
    rng = np.random.default_rng(11)
    families = list(microstructures.GEOMETRIES.values())
    cells = []
    for index in range(count):
        labels = families[index % len(families)](rng, shape, 4)
        cells.append(microstructures.phase_values(rng, 4, 10 ** (index % 5))[labels])
    return np.stack(cells)


def largest_change(effective, expected):
    change = np.linalg.norm(effective - expected, axis=(-2, -1))
    return np.max(change / np.linalg.norm(expected, axis=(-2, -1)))


# Cells are solved one by one in an order of operations of their own: equal to rounding, which
# these bounds allow without asking for the last bit.
ROUNDING = 1e-12


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rtol", [1e-6, 1e-10])
def test_a_cell_does_not_depend_on_its_batch(rtol, dtype):
    fields = mixed_batch().astype(dtype)
    effective = pl.homogenize(fields, rtol=rtol)
    order = np.random.default_rng(0).permutation(len(fields))
    shuffled = pl.homogenize(fields[order], rtol=rtol)
    assert largest_change(shuffled, effective[order]) <= ROUNDING
    for size in (1, 2, 5, 16):
        parts = [pl.homogenize(fields[i : i + size], rtol=rtol) for i in range(0, 37, size)]
        assert largest_change(np.concatenate(parts), effective) <= ROUNDING


@pytest.mark.parametrize("shape", [(31, 40), (128, 130), (256, 250)], ids=str)
def test_thread_count_does_not_matter(shape):
    for count in (1, 9):
        fields = mixed_batch(shape, count)
        one = pl.homogenize(fields, threads=1)
        for threads in (2, 3, 8):
            assert largest_change(pl.homogenize(fields, threads=threads), one) <= ROUNDING


def test_repeated_calls_agree_exactly():
    fields = mixed_batch()
    assert_array_equal(pl.homogenize(fields), pl.homogenize(fields))


def test_inputs_are_left_alone():
    fields = mixed_batch()
    labels = np.random.default_rng(0).integers(3, size=(4, 20, 20)).astype(np.uint8)
    copies = fields.copy(), labels.copy()
    pl.homogenize(fields)
    pl.homogenize(labels, phases=[1.0, 2.0, 5.0])
    assert_array_equal(fields, copies[0])
    assert_array_equal(labels, copies[1])


@pytest.mark.parametrize("layout", ["fortran", "strided", "reversed", "readonly", "byteswapped"])
def test_memory_layout_does_not_matter(layout):
    field = mixed_batch((20, 24), 6)
    expected = pl.homogenize(field)
    if layout == "fortran":
        view = np.asfortranarray(field)
    elif layout == "strided":
        view = np.repeat(field, 2, axis=2)[..., ::2]
    elif layout == "reversed":
        view = np.ascontiguousarray(field[:, ::-1])[:, ::-1]
    elif layout == "readonly":
        view = field.copy()
        view.flags.writeable = False
    else:
        view = field.astype(field.dtype.newbyteorder())
    assert_allclose(pl.homogenize(view), expected, rtol=0, atol=0)
