"""Unusual input through the public functions that is right, and what becomes of it."""

import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import pearlite as pl
from pearlite import _threads

RNG = np.random.default_rng(1)
FIELD = RNG.uniform(1, 10, (3, 5, 6))
LABELS = RNG.integers(3, size=(3, 5, 6)).astype(np.uint8)
PHASES = np.array([1.0, 2.0, 5.0])
TENSORS = np.einsum("...,ij->...ij", FIELD, [[2.0, 0.5], [0.5, 1.0]])


@pytest.fixture(params=[pl.homogenize, pl.solve_correctors], ids=lambda f: f.__name__)
def solve(request):
    return request.param


# Input that is unusual but right -----------------------------------------------------------------


def unusual_layouts(array):
    """Yield arrays equal to `array`, each laid out in another way."""
    yield np.asfortranarray(array)
    yield np.repeat(array, 2, axis=0)[::2]
    yield array[::-1, :, ::-1].copy()[::-1, :, ::-1]
    yield array.astype(array.dtype.newbyteorder("S"))
    buffer = np.frombuffer(b"\0" + array.tobytes(), np.uint8)[1:]  # not aligned, and read-only
    yield buffer.view(array.dtype).reshape(array.shape)
    read_only = array.copy()
    read_only.flags.writeable = False
    yield read_only


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("tensor", [False, True])
def test_layouts_of_conductivity(dtype, tensor):
    field = (TENSORS if tensor else FIELD).astype(dtype)
    expected = pl.homogenize(field, tensor=tensor)
    for same in unusual_layouts(field):
        before = same.copy()
        assert_array_equal(pl.homogenize(same, tensor=tensor), expected, strict=True)
        assert_array_equal(same, before)


@pytest.mark.parametrize("dtype", ["u1", "u2", "i4"])
def test_layouts_of_labels(dtype):
    expected = pl.homogenize(LABELS, phases=PHASES)
    for same in unusual_layouts(LABELS.astype(dtype)):
        assert_array_equal(pl.homogenize(same, phases=PHASES), expected, strict=True)
    per_cell = np.stack([PHASES] * 3)
    for same in unusual_layouts(per_cell[..., np.newaxis]):
        assert_array_equal(pl.homogenize(LABELS, phases=same[..., 0]), expected, strict=True)


@pytest.mark.parametrize("dtype", ["?", "i1", "i2", "u4", "i8", "u8", "i4", ">u2"])
def test_integer_types_of_labels(dtype):
    labels = np.minimum(LABELS, 1)
    expected = pl.homogenize(labels, phases=[1.0, 10.0])
    assert_array_equal(pl.homogenize(labels.astype(dtype), phases=[1.0, 10.0]), expected)


def test_labels_and_fields_agree():
    expected = pl.homogenize(PHASES[LABELS])
    assert_allclose(pl.homogenize(LABELS, phases=PHASES), expected, rtol=1e-6, atol=1e-7)
    tensors = np.einsum("p,ij->pij", PHASES, [[2.0, 0.5], [0.5, 1.0]])
    assert_allclose(
        pl.homogenize(LABELS, phases=tensors, tensor=True),
        pl.homogenize(tensors[LABELS], tensor=True),
        rtol=1e-6,
        atol=1e-7,
    )


def test_batch_axes_of_labels_and_phases_broadcast():
    phases = RNG.uniform(1, 10, (4, 1, 3))
    effective = pl.homogenize(LABELS, phases=phases)
    assert effective.shape == (4, 3, 2, 2)
    for i in range(4):
        single = pl.homogenize(LABELS, phases=phases[i, 0])
        assert_allclose(effective[i], single, rtol=2e-6, atol=1e-6)
    assert pl.homogenize(LABELS[0], phases=phases).shape == (4, 1, 2, 2)
    tensors = phases[..., np.newaxis, np.newaxis] * np.eye(2)
    same = pl.homogenize(LABELS, phases=tensors, tensor=True)
    assert_allclose(same, effective, rtol=2e-6, atol=1e-6)


def test_lists_are_float64():
    effective = pl.homogenize([[1, 1], [10, 10]])
    assert effective.dtype == np.float64
    assert_allclose(effective, [[20 / 11, 0], [0, 5.5]], rtol=1e-6, atol=1e-6)
    assert_allclose(
        pl.homogenize([[0, 0], [1, 1]], phases=[1, 10]), effective, rtol=1e-6, atol=1e-6
    )


@pytest.mark.parametrize(
    ("phases", "dtype"),
    [
        (PHASES.astype(np.float32), np.float32),
        (PHASES, np.float64),
        ([1, 2, 5], np.float64),
        (np.array([1, 2, 5], np.uint8), np.float64),
    ],
    ids=["float32", "float64", "list", "integers"],
)
def test_result_type_follows_phases(phases, dtype):
    solution = pl.solve_correctors(LABELS, phases=phases)
    assert solution.effective.dtype == solution.correctors.dtype == dtype


@pytest.mark.parametrize("batch", [(), (1,), (3,), (2, 3), (2, 1, 2)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_shapes_and_types_of_results(batch, dtype):
    field = RNG.uniform(1, 10, (*batch, 4, 7)).astype(dtype)
    solution = pl.solve_correctors(field)
    assert solution.effective.shape == (*batch, 2, 2)
    assert solution.correctors.shape == (*batch, 2, 4, 7)
    assert solution.effective.dtype == solution.correctors.dtype == dtype
    assert solution.iterations.shape == solution.residual.shape == solution.converged.shape == batch
    assert solution.iterations.dtype == np.int32
    assert solution.residual.dtype == np.float64
    assert solution.converged.dtype == bool
    assert solution.converged.all()
    assert_array_equal(pl.homogenize(field), solution.effective, strict=True)


# Failure to converge -----------------------------------------------------------------------------


@pytest.fixture
def failing(monkeypatch):
    """Make cells 1 and 4 of the next call fail, the latter with the larger error."""
    compiled = pl.corrector._core.solve_correctors

    def solve_correctors(*args):
        solution = compiled(*args)
        residual, converged = solution[3:]
        residual[[1, 4]] = 1e-3, 0.5
        converged[[1, 4]] = False
        return solution

    monkeypatch.setattr(pl.corrector._core, "solve_correctors", solve_correctors)


@pytest.mark.usefixtures("failing")
def test_failure_raises(solve):
    with pytest.raises(pl.ConvergenceError, match=r"2 of 6 cells .* cell \[1, 1\]") as caught:
        solve(np.stack([FIELD, FIELD]))
    assert caught.value.index == (1, 1)
    assert caught.value.residual == 0.5
    # As a pool of processes hands it on.
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (str(copy), copy.index, copy.residual) == (str(caught.value), (1, 1), 0.5)


@pytest.mark.usefixtures("failing")
def test_failure_gives_nan():
    solution = pl.solve_correctors(np.stack([FIELD, FIELD]), on_failure="nan")
    assert solution.converged.tolist() == [[True, False, True], [True, False, True]]
    failed = np.isnan(solution.effective).all(axis=(-1, -2))
    assert_array_equal(failed, ~solution.converged)
    assert_array_equal(np.isnan(solution.correctors).all(axis=(-1, -2, -3)), ~solution.converged)
    assert np.isfinite(solution.effective[solution.converged]).all()


# Threads -----------------------------------------------------------------------------------------


def test_default_threads(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(6)), raising=False)
    for wished, expected in [
        (None, 6),
        ("4", 4),
        ("9", 6),
        ("2,1", 2),
        ("0", 6),
        ("-3", 6),
        ("many", 6),
        ("", 6),
    ]:
        if wished is None:
            monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
        else:
            monkeypatch.setenv("OMP_NUM_THREADS", wished)
        assert _threads.count(None) == expected
    assert _threads.count(np.int64(3)) == 3


def test_import_is_light():
    code = "import sys, pearlite; print(*sorted({m.partition('.')[0] for m in sys.modules}))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"torch", "cupy", "matplotlib", "scipy", "numpy", "dask"} & set(loaded)
