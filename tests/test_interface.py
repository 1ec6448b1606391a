"""The C interface, called from ctypes: the same numbers as from Python, and errors in words."""

import ctypes
import threading

import numpy as np
import pytest

import pearlite as pl
from pearlite import _core

OK, INVALID, NOT_CONVERGED, INTERRUPTED = 0, 1, 2, 3
TYPES = {"f4": 0, "f8": 1, "u1": 2, "u2": 3, "i4": 4}


@pytest.fixture(scope="module")
def library():
    lib = ctypes.CDLL(_core.__file__)
    for name in ("version", "instruction_set", "last_error"):
        getattr(lib, f"pearlite_{name}").restype = ctypes.c_char_p
    lib.pearlite_grid_new.restype = ctypes.c_void_p
    lib.pearlite_grid_new.argtypes = [ctypes.c_int32, ctypes.c_void_p]
    lib.pearlite_grid_free.argtypes = [ctypes.c_void_p]
    lib.pearlite_grid_set_spacing.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
    lib.pearlite_grid_set_rtol.argtypes = [ctypes.c_void_p, ctypes.c_double]
    lib.pearlite_grid_set_threads.argtypes = [ctypes.c_void_p, ctypes.c_int32]
    lib.pearlite_grid_set_interrupt.argtypes = [ctypes.c_void_p] * 3
    lib.pearlite_homogenize.argtypes = [
        ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_int64, ctypes.c_void_p,
        ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p,
    ]  # fmt: skip
    lib.pearlite_assign.argtypes = [
        ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64,
        ctypes.c_int, ctypes.c_int32, ctypes.c_void_p,
    ]  # fmt: skip
    lib.pearlite_two_point.argtypes = [
        ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_int64, ctypes.c_void_p,
        ctypes.c_int64, ctypes.c_void_p,
    ]  # fmt: skip
    lib.pearlite_normals.argtypes = [
        ctypes.c_uint64, ctypes.c_uint32, ctypes.c_uint64, ctypes.c_int64, ctypes.c_int64,
        ctypes.c_void_p,
    ]  # fmt: skip
    return lib


class Grid:
    """A handle that is freed."""

    def __init__(self, library, shape):
        self.library = library
        sizes = np.array(shape, np.int64)
        self.handle = library.pearlite_grid_new(len(shape), sizes.ctypes.data)
        assert self.handle, self.error()

    def __del__(self):
        self.library.pearlite_grid_free(getattr(self, "handle", None))

    def error(self):
        return self.library.pearlite_last_error().decode()

    def homogenize(self, pixels, phases=None, dim=2):
        pixels = np.ascontiguousarray(pixels)
        table = None if phases is None else np.array(phases, np.float64)
        effective, converged = np.zeros((len(pixels), dim, dim)), np.zeros(len(pixels), np.uint8)
        status = self.library.pearlite_homogenize(
            self.handle, pixels.ctypes.data, TYPES[pixels.dtype.str[1:]], len(pixels),
            None if table is None else table.ctypes.data, 0 if table is None else len(table),
            effective.ctypes.data, converged.ctypes.data,
        )  # fmt: skip
        return status, effective, converged


def test_versions(library):
    assert library.pearlite_abi() == 1
    assert library.pearlite_version().decode() == pl.__version__
    assert library.pearlite_instruction_set().decode() == _core.instruction_set()


@pytest.mark.parametrize("dtype", ["u1", "u2", "i4"])
@pytest.mark.parametrize("shape", [(16, 12), (6, 8, 5)])
def test_homogenize_labels(library, shape, dtype):
    cells = np.random.default_rng(1).integers(3, size=(5, *shape)).astype(dtype)
    phases, spacing = [1.0, 7.0, 0.3], np.arange(1.0, len(shape) + 1)
    grid = Grid(library, shape)
    assert library.pearlite_grid_set_spacing(grid.handle, spacing.ctypes.data) == OK
    assert library.pearlite_grid_set_rtol(grid.handle, 1e-8) == OK
    status, effective, converged = grid.homogenize(cells, phases, len(shape))
    assert status == OK
    assert converged.all()
    expected = pl.homogenize(
        cells, phases=phases, dim=len(shape), spacing=tuple(spacing), rtol=1e-8
    )
    np.testing.assert_array_equal(effective, expected)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_homogenize_conductivities(library, dtype):
    fields = np.random.default_rng(2).uniform(1, 5, (3, 16, 16)).astype(dtype)
    status, effective, _ = Grid(library, (16, 16)).homogenize(fields)
    assert status == OK
    np.testing.assert_array_equal(effective.astype(dtype), pl.homogenize(fields))


@pytest.mark.parametrize("metric", ["power", "additive"])
@pytest.mark.parametrize("periodic", [True, False])
def test_assign(library, metric, periodic):
    rng = np.random.default_rng(3)
    sites, weights = rng.random((2, 9, 2)), rng.uniform(0, 0.01, (2, 9))
    labels = np.zeros((2, 20, 30), np.int32)
    grid = Grid(library, (20, 30))
    status = library.pearlite_assign(
        grid.handle, sites.ctypes.data, weights.ctypes.data, 2, 9, metric == "additive", periodic,
        labels.ctypes.data,
    )  # fmt: skip
    assert status == OK
    expected = pl.laguerre.assign(sites, weights, shape=(20, 30), metric=metric, periodic=periodic)
    np.testing.assert_array_equal(labels, expected)


@pytest.mark.parametrize("shape", [(10, 12), (4, 6, 5)])
def test_two_point(library, shape):
    labels = np.random.default_rng(4).integers(3, size=(2, *shape), dtype=np.uint8)
    wanted, out = np.array([0, 2]), np.zeros((2, 2, 2, *shape))
    grid = Grid(library, shape)
    status = library.pearlite_two_point(
        grid.handle, labels.ctypes.data, TYPES["u1"], 2, wanted.ctypes.data, 2, out.ctypes.data
    )
    assert status == OK
    expected = pl.correlation.two_point(labels, phases=[0, 2], dim=len(shape))
    np.testing.assert_allclose(out, expected, atol=1e-13)
    field, out = np.random.default_rng(5).random((2, *shape)), np.zeros((2, *shape))
    status = library.pearlite_two_point(
        grid.handle, field.ctypes.data, TYPES["f8"], 2, None, 0, out.ctypes.data
    )
    assert status == OK
    np.testing.assert_allclose(out, pl.correlation.two_point(field, dim=len(shape)), atol=1e-13)


def test_normals(library):
    out = np.zeros((3, 50))
    assert library.pearlite_normals(7, 2, 10, 3, 50, out.ctypes.data) == OK
    expected = pl.langevin.normal(50, seed=7, step=2, sample=np.arange(10, 13))
    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize(
    ("pixels", "phases", "message"),
    [
        (np.ones((1, 4, 4), np.uint8), [1.0], "cell 0, pixel (0, 0) is a label without a phase"),
        (np.full((1, 4, 4), np.nan), None, "pixels: cell 0, pixel (0, 0) is not a number"),
        (-np.eye(4)[None] + 0.5, None, "pixel (0, 0) is negative"),
        (np.zeros((1, 4, 4), np.uint8), None, "phases is missing: labels need it"),
        (np.ones((1, 4, 4)), [1.0], "phases is for labels"),
        (np.zeros((1, 4, 4), np.uint8), [np.nan], "phases[0] is not a number"),
    ],
)
def test_what_is_wrong_is_said(library, pixels, phases, message):
    grid = Grid(library, (4, 4))
    status, *_ = grid.homogenize(pixels, phases)
    assert status == INVALID
    assert message in grid.error()


def test_wrong_grids_and_options(library):
    for shape, message in [((1, 4), "expected sizes >= 2"), ((2**20, 2**20), "at most 2^29")]:
        sizes = np.array(shape, np.int64)
        assert library.pearlite_grid_new(2, sizes.ctypes.data) is None
        assert message in library.pearlite_last_error().decode()
    assert library.pearlite_grid_new(4, None) is None
    grid = Grid(library, (4, 4))
    assert library.pearlite_grid_set_rtol(grid.handle, 2.0) == INVALID
    assert grid.error() == "rtol is 2; expected a number from 1e-10 to 0.1"
    assert library.pearlite_grid_set_threads(grid.handle, 0) == INVALID
    sizes = np.array([1.0, np.inf])
    assert library.pearlite_grid_set_spacing(grid.handle, sizes.ctypes.data) == INVALID
    assert library.pearlite_homogenize(None, None, 0, 1, None, 0, None, None) == INVALID
    sites, labels = np.array([[0.5, 1.0]]), np.zeros((4, 4), np.int32)
    place = (sites.ctypes.data, None, 1, 1, 0)
    assert library.pearlite_assign(grid.handle, *place, 1, labels.ctypes.data) == INVALID
    assert grid.error() == "sites has 1; expected [0, 1)"
    assert library.pearlite_assign(grid.handle, *place, 0, labels.ctypes.data) == OK


def test_cells_that_do_not_converge_and_interruption(library):
    rng = np.random.default_rng(6)
    grid = Grid(library, (64, 64))
    fields = 10.0 ** rng.uniform(-150, 150, (2, 64, 64))
    fields[0] = 1
    status, effective, converged = grid.homogenize(fields)
    assert (status, converged.tolist()) == (NOT_CONVERGED, [1, 0])
    assert grid.error() == "1 cells did not reach rtol 1e-06; the first is 1"
    np.testing.assert_allclose(effective[0], np.eye(2), atol=1e-9)
    asked = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)(lambda context: 1)
    library.pearlite_grid_set_interrupt(grid.handle, ctypes.cast(asked, ctypes.c_void_p), None)
    many = rng.integers(2, size=(4000, 64, 64), dtype=np.uint8)
    assert grid.homogenize(many, [1.0, 1e4])[0] == INTERRUPTED


def test_errors_belong_to_their_thread(library):
    assert library.pearlite_grid_new(9, None) is None
    seen = []
    thread = threading.Thread(target=lambda: seen.append(library.pearlite_last_error()))
    thread.start()
    thread.join()
    assert seen == [b""]
    assert b"dim is 9" in library.pearlite_last_error()
