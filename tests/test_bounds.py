"""Two-sided bounds: their order on every microstructure, forms of input, refusals."""

import json
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from reference import microstructures

import pearlite as pl
from pearlite.cli import main, terminal

RTOL = 1e-8
some = settings(max_examples=20, deadline=None)


@st.composite
def cells(draw):
    """Arguments of `bounds` for one cell of any family: a field, labels or tensors."""
    shape = draw(st.integers(16, 28)), draw(st.integers(16, 28))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    contrast = 10 ** draw(st.floats(0, 4))
    spacing = draw(st.none() | st.tuples(st.floats(0.3, 3), st.floats(0.3, 3)))
    count = draw(st.integers(2, 6))
    labels = microstructures.GEOMETRIES[draw(st.sampled_from([*microstructures.GEOMETRIES]))](
        rng, shape, count
    )
    if draw(st.booleans()):
        tensors = microstructures.phase_tensors(rng, count, contrast)
        return {"conductivity": tensors[labels], "tensor": True, "spacing": spacing}
    values = microstructures.phase_values(rng, count, contrast)
    if draw(st.booleans()):
        return {"conductivity": labels, "phases": values, "spacing": spacing}
    return {"conductivity": values[labels], "spacing": spacing}


def pixels_of(arguments):
    """Tensors (n0, n1, 2, 2)."""
    pixels = arguments["conductivity"]
    if "phases" in arguments:
        pixels = arguments["phases"][pixels]
    return pixels if "tensor" in arguments else pixels[..., None, None] * np.eye(2)


def assert_ordered(lower, upper, slack=0.0):
    """Lower ≤ upper as quadratic forms; `slack` is relative."""
    least = np.linalg.eigvalsh(upper - lower)[..., 0]
    assert np.all(least >= -(slack + 1e-15) * np.linalg.norm(upper, axis=(-2, -1)))


@some
@given(cells())
def test_ordering(arguments):
    """Reuss ≤ lower ≤ estimate ≤ upper ≤ Voigt, and `homogenize` gives the upper bound."""
    bounds = pl.bounds(**arguments, rtol=RTOL, threads=1)
    tensors = pixels_of(arguments)
    inverses = np.linalg.inv(tensors).mean((0, 1))
    assert_ordered(np.linalg.inv(bounds.lower), inverses, slack=3 * RTOL)
    assert_ordered(bounds.lower, bounds.estimate)
    assert_ordered(bounds.estimate, bounds.upper)
    assert_ordered(bounds.upper, tensors.mean((0, 1)), slack=3 * RTOL)
    for entries in bounds:
        assert_array_equal(entries, entries.T)
        assert np.all(np.abs(entries - bounds.estimate) <= bounds.half_width)
    effective = pl.homogenize(**arguments, rtol=RTOL, threads=1)
    assert np.linalg.norm(effective - bounds.upper) <= 3 * RTOL * np.linalg.norm(effective)


@some
@given(cells())
def test_finer_pixels_narrow_the_bracket(arguments):
    coarse = pl.bounds(**arguments, rtol=RTOL, threads=1)
    finer = dict(arguments)
    finer["conductivity"] = np.repeat(np.repeat(arguments["conductivity"], 2, 0), 2, 1)
    fine = pl.bounds(**finer, rtol=RTOL, threads=1)
    assert_ordered(fine.upper, coarse.upper, slack=3 * RTOL)
    dual = [np.linalg.inv(lower) for lower in (fine.lower, coarse.lower)]
    assert_ordered(*dual, slack=3 * RTOL)
    # Every pair brackets the same tensor.
    assert_ordered(fine.lower, coarse.upper)
    assert_ordered(coarse.lower, fine.upper)


@some
@given(cells())
def test_duality(arguments):
    """Bounds of the turned inverse conductivity are the turned inverses of the bounds."""
    turn = np.array([[0, -1], [1, 0]])
    bounds = pl.bounds(**arguments, rtol=RTOL, threads=1)
    inverse = turn @ np.linalg.inv(pixels_of(arguments)) @ turn.T
    dual = pl.bounds(inverse, tensor=True, spacing=arguments["spacing"], rtol=RTOL, threads=1)
    for ours, theirs in zip(bounds, dual[::-1], strict=True):
        expected = turn @ np.linalg.inv(theirs) @ turn.T
        slack = 5 * RTOL * np.linalg.cond(expected)
        assert np.linalg.norm(ours - expected) <= slack * np.linalg.norm(expected)


# Forms of input.


def batch(shape=(20, 24), count=6):
    """Labels (count, n0, n1) and phases (4,)."""
    rng = np.random.default_rng(2)
    labels = [microstructures.voronoi(rng, shape, 4) for _ in range(count)]
    return np.stack(labels).astype(np.uint8), np.array([1.0, 3.0, 50.0, 7.0])


def assert_same(bounds, expected, tolerance=1e-12):
    for first, second in zip(bounds, expected, strict=True):
        assert_allclose(first, second, rtol=0, atol=tolerance * np.max(np.abs(second)))


def test_result_unpacks_and_pickles():
    labels, phases = batch(count=1)
    bounds = pl.bounds(labels, phases=phases)
    lower, upper = bounds
    assert isinstance(bounds, pl.Bounds)
    assert lower is bounds.lower
    assert upper is bounds.upper
    assert bounds.estimate.shape == bounds.half_width.shape == (1, 2, 2)
    assert_array_equal(pickle.loads(pickle.dumps(bounds)).upper, upper)


def test_labels_equal_fields():
    labels, phases = batch()
    expected = pl.bounds(phases[labels], rtol=1e-9)
    for dtype in (np.uint8, np.uint16, np.int32):
        assert_same(pl.bounds(labels.astype(dtype), phases=phases, rtol=1e-9), expected, 1e-11)
    # A phase that no pixel has may be anything.
    unused = np.append(phases, 1e30)
    assert_same(pl.bounds(labels, phases=unused, rtol=1e-9), expected, 1e-11)


def test_batches():
    labels, phases = batch()
    bounds = pl.bounds(labels.reshape(2, 3, 20, 24), phases=phases)
    assert bounds.lower.shape == bounds.half_width.shape == (2, 3, 2, 2)
    for cell in range(6):
        one = pl.bounds(labels[cell], phases=phases)
        assert one.upper.shape == (2, 2)
        assert_same(one, [entries[cell // 3, cell % 3] for entries in bounds])
    tables = phases * np.array([[1.0], [2.0]])
    tabled = pl.bounds(labels.reshape(2, 3, 20, 24), phases=tables[:, None])
    assert_same([b[0] for b in tabled], [b[0] for b in bounds])
    assert_same([b[1] for b in tabled], [2 * b[1] for b in bounds])
    empty = pl.bounds(np.empty((0, 5, 5)))
    assert empty.lower.shape == empty.estimate.shape == empty.half_width.shape == (0, 2, 2)


def test_tensor_phases():
    labels, _ = batch()
    phases = microstructures.phase_tensors(np.random.default_rng(0), 4, 100)
    expected = pl.bounds(phases[labels], tensor=True, rtol=1e-9)
    assert_same(pl.bounds(labels, phases=phases, tensor=True, rtol=1e-9), expected, 1e-11)
    isotropic = np.array([1.0, 2.0, 3.0, 4.0])
    tensors = pl.bounds(labels, phases=isotropic[:, None, None] * np.eye(2), tensor=True)
    assert_same(tensors, pl.bounds(labels, phases=isotropic), 1e-6)


def test_spacing():
    labels, phases = batch(count=2)
    stretched = pl.bounds(labels, phases=phases, spacing=(1, 2.5), rtol=1e-9)
    assert_same(pl.bounds(labels, phases=phases, spacing=(2, 5), rtol=1e-9), stretched, 1e-11)
    # Oblong pixels are those of a tensor on square ones.
    sizes = np.array([1, 2.5])
    tensors = phases[:, None, None] * np.diag(1 / sizes**2)
    squares = pl.bounds(labels, phases=tensors, tensor=True, rtol=1e-9)
    assert_same([sizes[:, None] * b * sizes for b in squares], stretched, 1e-8)
    with pytest.raises(ValueError, match="spacing"):
        pl.bounds(labels, phases=phases, spacing=(1, 0))


def test_threads_do_not_matter():
    labels, phases = batch()
    one = pl.bounds(labels, phases=phases, threads=1)
    for threads in (2, 3):
        assert_same(pl.bounds(labels, phases=phases, threads=threads), one)


@pytest.mark.parametrize("tensor", [False, True], ids=["scalar", "tensor"])
def test_float32_is_bounded_in_float64(tensor):
    """float32 numbers are numbers: the same cell in float64 has the same bounds."""
    labels, phases = batch()
    phases = (phases[:, None, None] * [[1, 0.3], [0.3, 0.7]] if tensor else phases) / 3
    single = phases.astype(np.float32)
    fields = pl.bounds(single[labels], tensor=tensor)
    assert fields.lower.dtype == fields.upper.dtype == np.float64
    wide = single.astype(np.float64)
    assert_same(fields, pl.bounds(wide[labels], tensor=tensor))
    assert_same(pl.bounds(labels, phases=single, tensor=tensor), fields)
    # Halves that differ by rounding are taken as their mean, here and in the dual.
    if tensor:
        single[:, 0, 1] *= np.float32(1 + 2e-7)
        assert_same(pl.bounds(single[labels], tensor=True), fields, 1e-6)


def test_estimates():
    labels, phases = batch()
    bounds = pl.bounds(labels, phases=phases)
    mean = pl.homogenize(labels, phases=phases, estimate="bracketed")
    assert_same([mean], [bounds.estimate], 2e-6)
    variational = pl.homogenize(labels, phases=phases, estimate="variational")
    assert_array_equal(variational, pl.homogenize(labels, phases=phases))
    single = pl.homogenize(phases.astype(np.float32)[labels], estimate="bracketed")
    assert single.dtype == np.float32
    with pytest.raises(ValueError, match="estimate is 'median'; expected 'variational' or"):
        pl.homogenize(labels, phases=phases, estimate="median")


# Refusals.


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"conductivity": np.eye(4)}, ValueError, "conductivity ranges from 0 to 1; for two-sided"),
        ({"conductivity": 1 / (np.eye(3) + 1e-50)}, pl.ConvergenceError, "did not reach"),
        ({"conductivity": np.full((4, 4), np.nan)}, ValueError, r"conductivity\[0, 0\] is nan"),
        ({"conductivity": np.ones((4, 4), int)}, TypeError, "labels need phases"),
        ({"conductivity": np.full((4, 4), 1e-40)}, ValueError, "1e-40 to 1e-40; for two-sided"),
        ({"conductivity": np.full((4, 4), 1e37)}, ValueError, "expected values from 1e-36 to"),
        ({"conductivity": np.ones((4, 4, 2, 2)), "tensor": True}, ValueError, "positive definite"),
        (
            {"conductivity": np.zeros((4, 4, 2, 2)), "tensor": True},
            ValueError,
            "ranges from 0 to 0",
        ),
        ({"conductivity": np.ones(4)}, ValueError, r"shape \(4,\)"),
        ({"dim": 4}, ValueError, "dim is 4"),
        ({"rtol": 1.0}, ValueError, "rtol is 1.0"),
        ({"rtol": "1"}, TypeError, "rtol is '1'"),
        ({"on_failure": "pass"}, ValueError, "on_failure is 'pass'"),
        ({"threads": 0}, ValueError, "threads"),
    ],
    ids=str,
)
def test_bad_input(change, error, message):
    with pytest.raises(error, match=message):
        pl.bounds(**{"conductivity": np.ones((4, 4)), **change})


def test_no_bounds_where_rounding_decides():
    """A tensor so near to a singular one that its inverse has no certain digit."""
    pixels = np.broadcast_to([[1, 1 - 1e-14], [1 - 1e-14, 1]], (3, 4, 4, 2, 2))
    with pytest.raises(pl.ConvergenceError, match=r"3 of 3 cells"):
        pl.bounds(pixels, tensor=True)


def test_not_converged(monkeypatch):
    monkeypatch.setattr("pearlite.corrector._MAX_ITERATIONS", 1)
    rng = np.random.default_rng(1)
    hard = 1e4 ** microstructures.random_pixels(rng, (32, 32), 2)
    cells = np.stack([np.full((32, 32), 3.0), hard])
    with pytest.raises(pl.ConvergenceError, match="1 of 2 cells"):
        pl.bounds(cells)
    bounds = pl.bounds(cells, on_failure="nan")
    for entries in (*bounds, bounds.estimate, bounds.half_width):
        assert_allclose(entries[0, [0, 1], [0, 1]], 3 if entries[0, 0, 0] > 1 else 0, atol=1e-9)
        assert np.isnan(entries[1]).all()


# The command line.


@pytest.fixture
def homogenize(tmp_path, monkeypatch, capfd):
    """Run `pearlite homogenize --bounds` on a batch; return what it prints."""
    monkeypatch.chdir(tmp_path)
    labels, _ = batch()
    np.save("cells.npy", labels.reshape(2, 3, 20, 24))

    def run(*arguments):
        with pytest.raises(SystemExit) as caught:
            main(["homogenize", "cells.npy", "-c", "1,3,50,7", "--bounds", *arguments])
        assert caught.value.code == 0
        return capfd.readouterr().out

    return run


def test_command_line_prints_values_and_errors(homogenize):
    labels, phases = batch()
    bounds = pl.bounds(labels, phases=phases)
    lines = [line.split("  ") for line in homogenize().splitlines()[1:7]]
    for cell, line in enumerate(lines):
        entries = [[float(x) for x in text.split(" ± ")] for text in line if "±" in text]
        for (value, error), (i, j) in zip(entries, [(0, 0), (1, 1), (0, 1)], strict=True):
            distance = abs(value - bounds.estimate[cell, i, j])
            assert distance + bounds.half_width[cell, i, j] <= error
            assert error < 1.2 * bounds.half_width[cell, i, j]


def test_command_line_writes_values_and_errors(homogenize):
    labels, phases = batch()
    bounds = pl.bounds(labels, phases=phases)
    shown = json.loads(homogenize("--json", "-o", "t.csv"))["cells"]
    assert_allclose([cell["A12"] for cell in shown], bounds.estimate[:, 0, 1])
    assert_allclose([cell["A22_half_width"] for cell in shown], bounds.half_width[:, 1, 1])
    table = np.genfromtxt("t.csv", delimiter=",", names=True, dtype=None, encoding="utf-8")
    for name in ("A11", "A12_half_width"):
        assert_array_equal(table[name], [cell[name] for cell in shown])
    assert homogenize("--quiet", "-o", "t.npy") == ""
    arrays = np.load("t.npy")
    assert arrays.shape == (2, 2, 3, 2, 2)
    assert_allclose(arrays[1].reshape(6, 2, 2), bounds.half_width)


@given(st.floats(-1e6, 1e6), st.floats(1e-15, 1e6), st.integers(0, 12))
def test_printed_errors_enclose_the_rounding_of_the_value(value, error, digits):
    shown, printed = (
        float(text) for text in terminal._enclosing(value, error, digits).split(" ± ")
    )
    assert abs(value - shown) + error <= printed * (1 + 1e-12)
