"""The CUDA kernels that homogenize voxels, on the emulated card, beside the CPU's."""

import numpy as np
import pytest
from emulator import stand_in as cupy
from homogenized_on_card import (
    hold,
    hold_correctors,
    hold_gradients,
    hold_order_and_company,
    hold_passes,
    hold_transforms,
    with_and_without_card,
)

import pearlite as pl
from pearlite import _voxels_card

TYPES = [np.float32, np.float64]
# Primes, thin ones, one grid only and several, below and above a block's columns.
SHAPES = [
    (2, 2, 2),
    (2, 3, 2),
    (4, 4, 4),
    (5, 7, 3),
    (8, 8, 8),
    (3, 2, 33),
    (9, 6, 11),
    (13, 10, 4),
]


@pytest.fixture(autouse=True)
def _card(monkeypatch):
    monkeypatch.setenv("PEARLITE_CUDA", "emulate")


@pytest.fixture
def passes(monkeypatch):
    """No grid but the last ones of a cell is small enough for one block."""
    monkeypatch.setattr(_voxels_card, "_MOST_SHARED_NODES", 70)


def two_phases(shape, contrast, dtype=np.float64, batch=2, seed=0):
    """-> (batch, *shape)"""
    rng = np.random.default_rng(seed)
    return np.where(rng.random((batch, *shape)) < 0.4, contrast, 1.0).astype(dtype)


def check(conductivity, bound=1e-6, **options):
    """Hold the card's result against one that is far better; -> the solution."""
    got, cpu = hold(conductivity, bound, dim=3, **options)
    # All nodes move at once, in place of rows by colours: some steps more.
    assert (got.iterations.get() <= 1.35 * cpu.iterations + 1).all()
    return got


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_shapes(dtype, shape):
    check(two_phases(shape, 30, dtype))


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("shape", [(9, 7, 5), (16, 8, 12), (3, 2, 33)])
def test_large_grids(dtype, shape, passes):
    """What small cells do in one block, by passes over each grid."""
    hold_passes(check, two_phases(shape, 30, dtype, batch=1))


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("contrast", [1, 10, 1e3, 1e4])
def test_contrasts(dtype, contrast):
    """What does not converge in single precision is solved again in double."""
    check(two_phases((8, 9, 10), contrast, dtype, seed=1))


@pytest.mark.parametrize("rtol", [1e-3, 1e-8, 1e-10])
def test_tolerances(rtol):
    check(two_phases((6, 5, 8), 10), max(rtol, 3e-10), rtol=rtol)


@pytest.mark.parametrize("spacing", [(1, 1, 2.5), (0.3, 1, 1), (3, 1, 0.4), 7.0])
def test_voxels_of_any_proportions(spacing):
    check(two_phases((6, 9, 8), 10), spacing=spacing)
    check(two_phases((6, 9, 8), 10, np.float32), spacing=spacing)


@pytest.mark.parametrize("kind", ["uint8", "uint16", "int32", "int64", "bool"])
def test_labels(kind):
    rng = np.random.default_rng(2)
    labels = rng.integers(0, 2, (3, 4, 5, 7)).astype(kind)
    check(labels, phases=np.array([1.0, 5.0]))
    check(labels, phases=np.array([1.0, 5.0], np.float32))
    check(labels, phases=rng.random((3, 4)) + 0.5)


@pytest.mark.parametrize("value", [0.0, np.inf])
@pytest.mark.parametrize("share", [0.25, 0.7, 0.9])
def test_voids_and_conductors(value, share):
    """Exact zeros and infinities, whichever way they percolate."""
    rng = np.random.default_rng(3)
    kinds = rng.choice([1.0, 3.0], (6, 6, 5, 7))
    cells = np.where(rng.random(kinds.shape) < share, value, kinds)
    channels = np.ones((3, 6, 7, 5))
    channels[0, 3] = channels[1, 2:4, 1:3] = channels[2, np.arange(6), np.arange(6)] = value
    for some in (cells, cells.astype(np.float32), channels):
        got = pl.homogenize(cupy.asarray(some), dim=3).get()
        wanted = pl.homogenize(some.astype(float), dim=3, rtol=1e-9)
        np.testing.assert_array_equal(np.isinf(got), np.isinf(wanted))
        np.testing.assert_array_equal(got == 0, wanted == 0)
        finite = np.isfinite(wanted)
        np.testing.assert_allclose(got[finite], wanted[finite], rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize("seed", range(8))
def test_windings(seed):
    """Diagonal lines and planes, alone, crossing and side by side, in the torus."""
    rng = np.random.default_rng(seed)
    shape = rng.integers(3, 7, 3)
    cell = np.zeros(shape)
    for _ in range(rng.integers(1, 3)):
        at, steps = np.arange(4 * shape.prod()), rng.integers(-1, 2, 3)
        begin = rng.integers(0, shape)
        cell[tuple((begin[:, None] + steps[:, None] * at) % shape[:, None])] = 1
    for value in (1.0, np.inf):
        some = np.where(cell > 0, value, 0.0 if value == 1 else 1.0)
        got = pl.homogenize(cupy.asarray(some), dim=3).get()
        wanted = pl.homogenize(some, dim=3)
        np.testing.assert_array_equal(np.isinf(got), np.isinf(wanted))
        finite = np.isfinite(wanted)
        np.testing.assert_allclose(got[finite], wanted[finite], atol=2e-6)


def test_more_turns_than_the_card_counts():
    """A line that goes around 3000 times along axis 0: such a cell is the CPU's."""
    cell = np.zeros((2, 4, 2, 12000), np.float32)
    at = np.arange(12000)
    cell[0, at % 4, 1, at] = 1
    cell[1, 1, 1] = 1
    cupy.machine.launches.clear()
    got = pl.solve_correctors(cupy.asarray(cell), dim=3)
    kernels = {launch.kernel for launch in cupy.machine.launches if launch.grid[1] == 2}
    assert "join" in kernels
    assert "take" not in kernels  # there is only the other one to solve
    wanted = pl.solve_correctors(cell, dim=3)
    for mine, theirs in ((got.effective, wanted.effective), (got.correctors, wanted.correctors)):
        np.testing.assert_array_equal(mine.get()[0], theirs[0])
        np.testing.assert_allclose(mine.get()[1], theirs[1], atol=1e-5)


def test_nothing_conducts_and_all_does():
    cells = np.array([0.0, np.inf, 2.0])[:, None, None, None] * np.ones((3, 4, 5))
    got = pl.solve_correctors(cupy.asarray(cells), dim=3)
    wanted = pl.solve_correctors(cells, dim=3)
    for name in got.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(got, name).get(), getattr(wanted, name))


@pytest.mark.parametrize("dtype", TYPES)
def test_correctors(dtype):
    some = two_phases((6, 5, 7), 10, dtype)
    for options in ({}, {"spacing": (1.0, 2.0, 0.5)}):
        got = hold_correctors(some, dim=3, **options)
        np.testing.assert_allclose(got.mean(axis=(-1, -2, -3)), 0, atol=1e-6 * np.abs(got).max())


def test_order_and_company_do_not_matter(monkeypatch, passes):
    """Whatever the order of threads and blocks, and the other cells: equal bits."""
    cells = np.concatenate(
        [two_phases((9, 8, 6), c, np.float32, seed=int(c)) for c in (3, 30, 900)]
    )
    hold_order_and_company(monkeypatch, cells, dim=3)


# Gradients ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("spacing", [None, (1.0, 2.0, 0.7)])
def test_gradients(dtype, spacing):
    rng = np.random.default_rng(5)
    labels = rng.integers(0, 3, (2, 5, 4, 6)).astype(np.uint16)
    cases = [
        (two_phases((5, 4, 6), 10, dtype), {}),
        (labels, {"phases": np.array([1.0, 5.0, 20.0], dtype)}),
        (labels, {"phases": (rng.random((2, 3)) + 0.5).astype(dtype)}),
    ]
    cotangent = rng.normal(size=(2, 3, 3)).astype(dtype)
    for some, options in cases:
        options = options | {"spacing": spacing, "gradient_rtol": 1e-7, "dim": 3}
        got = hold_gradients(some, cotangent, **options)
    alike = pl.homogenize_with_gradient(cupy.asarray(some), cotangent, **options)
    np.testing.assert_array_equal(alike[1].get(), got[1].get())


def test_derivatives_of_torch_tensors():
    torch = pytest.importorskip("torch")
    cells = torch.from_numpy(1 + np.random.default_rng(6).random((2, 3, 4, 2))).requires_grad_()
    settings = {"dim": 3, "rtol": 1e-10, "gradient_rtol": 1e-8, "spacing": (1.0, 1.5, 1.0)}
    cupy.machine.launches.clear()
    effective = lambda a: pl.homogenize(a, **settings)  # noqa: E731
    assert torch.autograd.gradcheck(effective, (cells,), fast_mode=True, atol=1e-5)
    kernels = {launch.kernel for launch in cupy.machine.launches}
    assert {"survey", "classify", "take", "cycle", "product", "pull_back"} <= kernels
    with pytest.raises(NotImplementedError, match="first derivatives of effective tensors only"):
        pl.solve_correctors(cells, **settings).correctors.sum().backward()
    hold_transforms(effective, cells)


def test_phases_of_torch_tensors(monkeypatch):
    torch = pytest.importorskip("torch")
    labels = np.random.default_rng(7).integers(0, 3, (2, 4, 3, 5))
    phases = torch.tensor([1.0, 4.0, 9.0], dtype=torch.float64, requires_grad=True)
    settings = {"dim": 3, "gradient_rtol": 1e-7}
    for mine, theirs in with_and_without_card(monkeypatch, labels, phases, **settings):
        np.testing.assert_allclose(mine, theirs, rtol=3e-6)


def test_streams_and_devices(monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(cupy.machine, "torch_stream", 4711)
    cupy.machine.launches.clear()
    pl.homogenize(torch.from_numpy(two_phases((4, 5, 3), 3)), dim=3)
    assert {launch.stream for launch in cupy.machine.launches} == {4711}
    cupy.machine.launches.clear()
    with cupy.cuda.Device(1):
        cells = cupy.asarray(two_phases((4, 5, 3), 3))
    with cupy.cuda.Stream() as stream:
        got = pl.homogenize(cells, dim=3)
    assert got.device.id == 1
    assert {(at.device, at.stream) for at in cupy.machine.launches} == {(1, stream.ptr)}


# What is refused ---------------------------------------------------------------------------------


def test_failures():
    """Contrasts beyond double precision: an error that names the worst cell, or NaN."""
    cells = two_phases((5, 4, 4), 2)
    cells[1] = np.where(cells[1] > 1, 1e15, 1.0)
    with pytest.raises(pl.ConvergenceError, match=r"1 of 2 cells did not reach rtol=1e-06.*\[1\]"):
        pl.homogenize(cupy.asarray(cells), dim=3)
    got = pl.solve_correctors(cupy.asarray(cells), dim=3, on_failure="nan")
    assert got.converged.get().tolist() == [True, False]
    assert np.isnan(got.effective.get()[1]).all()
    assert np.isnan(got.correctors.get()[1]).all()
    assert np.isfinite(got.effective.get()[0]).all()


def test_empty_batches():
    got = pl.solve_correctors(cupy.zeros((0, 3, 4, 2)), dim=3)
    assert got.effective.shape == (0, 3, 3)
    assert got.correctors.shape == (0, 3, 3, 4, 2)
    labels = cupy.zeros((0, 3, 4, 2), np.uint8)
    settings = {"phases": [1.0, 2.0], "dim": 3}
    effective, gradient = pl.homogenize_with_gradient(labels, np.eye(3), **settings)
    assert (effective.shape, gradient.get().tolist()) == ((0, 3, 3), [0, 0])


def test_what_is_refused():
    cells = np.ones((2, 3, 4, 2))
    cells[1, 2, 1, 0] = -1
    expected = r"conductivity\[1, 2, 1, 0\] is -1.0; expected a normal number"
    with pytest.raises(ValueError, match=expected):
        pl.homogenize(cupy.asarray(cells), dim=3)
    with pytest.raises(ValueError, match=r"conductivity\[0, 0, 0\] is 3; expected a label"):
        pl.homogenize(cupy.full((2, 2, 2), 3), phases=[1.0, 2.0], dim=3)
    with pytest.raises(ValueError, match=r"phases\[1\] is"):
        pl.homogenize(cupy.zeros((2, 3, 2), np.uint8), phases=[1.0, -2.0], dim=3)
    with pytest.raises(ValueError, match="dim is 3; estimate='bracketed'"):
        pl.homogenize(cupy.ones((2, 2, 2)), dim=3, estimate="bracketed")
    with pytest.raises(ValueError, match="conductivity has shape"):
        pl.homogenize(cupy.ones((2, 2, 1)), dim=3)
    with pytest.raises(ValueError, match="cotangent has shape"):
        pl.homogenize_with_gradient(cupy.ones((2, 2, 2)), np.eye(2), dim=3)
