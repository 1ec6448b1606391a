"""Homogenization with several blocks a cell, on the emulated card, at small sizes."""

import numpy as np
import pytest
from emulator import stand_in as cupy
from homogenized_on_card import error
from test_cuda_corrector import TYPES, check, leaf, tensors, two_phases

import pearlite as pl
from pearlite import _corrector_launch, _corrector_tiles, _cuda

# Tiles of up to 4 × 6 nodes, and below, at and above one, with primes and thin cells: halos that go
# around the torus once and more, and tiles that are cut off. All but the grids of some 60 nodes
# have them; of a cell of 2 × 2 all but one node.
SHAPES = [(2, 2), (3, 2), (4, 6), (5, 7), (16, 16), (17, 33), (2, 40), (61, 3), (31, 29)]


@pytest.fixture(autouse=True)
def _card(monkeypatch):
    monkeypatch.setenv("PEARLITE_CUDA", "emulate")
    monkeypatch.setattr(cupy, "_MOST_SHARED", 8000)
    monkeypatch.setattr(_corrector_tiles, "_FEWEST_PIXELS", -(10**9))
    monkeypatch.setattr(_corrector_tiles, "_TILES", ((2, 3),))
    monkeypatch.setattr(_corrector_tiles, "_THREADS", 64)
    cupy.machine.launches.clear()


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_shapes(dtype, shape, monkeypatch):
    """Beside the CPU, and beside one block a cell: the same steps, but for the rounding of sums."""
    cells = two_phases(shape, 30, dtype)
    got = check(cells)
    kernels = {launch.kernel for launch in cupy.machine.launches}
    assert {"descend_tiles", "advance_tiles", "cycle_tail", "ascend_tiles"} <= kernels
    monkeypatch.setattr(_corrector_tiles, "_FEWEST_PIXELS", 10**9)
    alone = pl.solve_correctors(cupy.asarray(cells))
    np.testing.assert_array_equal(got.iterations.get(), alone.iterations.get())
    tolerance = 1e-5 if dtype == np.float32 else 1e-6
    for mine, theirs in ((got.effective, alone.effective), (got.correctors, alone.correctors)):
        scale = np.abs(theirs.get()).max()
        np.testing.assert_allclose(mine.get(), theirs.get(), rtol=0, atol=tolerance * scale)


@pytest.mark.parametrize("shape", [(4, 6), (17, 14), (9, 31)])
def test_to_the_last_digits(shape, monkeypatch):
    """In double precision what differs is what sums leave of their order."""
    cells = two_phases(shape, 30)
    check(cells, 3e-10, rtol=1e-10)
    found = []
    for fewest in (-(10**9), 10**9):
        monkeypatch.setattr(_corrector_tiles, "_FEWEST_PIXELS", fewest)
        found.append(pl.solve_correctors(cupy.asarray(cells), rtol=1e-10))
    for name in ("effective", "correctors"):
        mine, theirs = (getattr(one, name).get() for one in found)
        np.testing.assert_allclose(mine, theirs, rtol=0, atol=1e-11 * np.abs(theirs).max())


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("contrast", [1, 1e4])
def test_contrasts(dtype, contrast):
    """What does not converge in single precision is solved again in double."""
    check(two_phases((12, 10), contrast, dtype, seed=1))


def test_tensors_and_oblong_pixels():
    check(tensors((11, 8)), tensor=True)
    check(tensors((9, 12)).astype(np.float32), tensor=True, spacing=(2.0, 1.0))
    check(two_phases((12, 13), 10), spacing=(1.0, 2.5))


def test_labels():
    labels = np.random.default_rng(2).integers(0, 2, (3, 9, 14)).astype(np.uint16)
    check(labels, phases=np.array([1.0, 5.0], np.float32))
    turned = np.array([[[2, 0.5], [0.5, 1]], [[30, -3], [-3, 20.0]]])
    check(labels, phases=turned, tensor=True)


@pytest.mark.parametrize("value", [0.0, np.inf])
def test_voids_and_conductors(value):
    rng = np.random.default_rng(3)
    kinds = rng.choice([1.0, 3.0], (4, 12, 13))
    cells = np.where(rng.random(kinds.shape) < 0.4, value, kinds)
    got = pl.homogenize(cupy.asarray(cells)).get()
    wanted = pl.homogenize(cells, rtol=1e-9)
    np.testing.assert_array_equal(np.isinf(got), np.isinf(wanted))
    np.testing.assert_array_equal(got == 0, wanted == 0)
    finite = np.isfinite(wanted)
    np.testing.assert_allclose(got[finite], wanted[finite], rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize("dtype", TYPES)
def test_gradients(dtype):
    cells, cotangent = two_phases((9, 8), 10, dtype), np.array([[1.0, 0.5], [-2.0, 3.0]])
    wanted = pl.homogenize_with_gradient(cells, cotangent, gradient_rtol=1e-7)
    got = pl.homogenize_with_gradient(cupy.asarray(cells), cotangent, gradient_rtol=1e-7)
    for mine, theirs in zip(got, wanted, strict=True):
        scale = np.abs(theirs).max()
        tolerance = 1e-5 if dtype == np.float32 else 1e-7
        np.testing.assert_allclose(mine.get(), theirs, rtol=0, atol=tolerance * scale)


def test_derivatives_of_torch_tensors():
    """A second one takes loads that are given."""
    torch = pytest.importorskip("torch")
    cells = leaf(1 + np.random.default_rng(6).random((1, 5, 4)))
    effective = lambda a: pl.homogenize(a, rtol=1e-10, gradient_rtol=1e-8)  # noqa: E731
    assert torch.autograd.gradcheck(effective, (cells,), fast_mode=True, atol=1e-5)
    assert torch.autograd.gradgradcheck(effective, (cells,), fast_mode=True, atol=1e-4)


def test_order_and_memory_do_not_matter(monkeypatch):
    """Whatever the order of blocks and threads, and however many cells there is room for."""
    cells = two_phases((18, 17), 30, np.float32, batch=3)
    results = []
    for order, room in ((0, 2**32), (1, 2**32), (77, 1)):
        monkeypatch.setattr(cupy.machine, "order", order)
        monkeypatch.setattr(_corrector_tiles, "MOST_WORKSPACE", room)
        results.append(pl.homogenize(cupy.asarray(cells)).get())
    assert all(np.array_equal(result, results[0]) for result in results)
    assert error(cupy.asarray(results[0]), pl.homogenize(cells.astype(float), rtol=1e-10)) < 1e-6


def test_one_does_not_wait_for_another():
    """Cells that have come to their ends are left alone, and stay as they are."""
    cells = np.concatenate([two_phases((8, 9), c, batch=1, seed=int(c)) for c in (1.1, 10, 300)])
    together = pl.solve_correctors(cupy.asarray(cells))
    alone = [pl.solve_correctors(cupy.asarray(cell)) for cell in cells]
    assert np.unique(together.iterations.get()).size == 3
    for name in ("effective", "correctors", "iterations", "residual"):
        mine = [getattr(one, name).get() for one in alone]
        np.testing.assert_array_equal(getattr(together, name).get(), mine)


def test_launches():
    """As docs/corrector-cuda.md counts them."""
    check(two_phases((24, 20), 10, np.float32, batch=1))
    kernels = [launch.kernel for launch in cupy.machine.launches]
    tiled = kernels.count("coarsen_grid") // 4
    cycles = kernels.count("cycle_tail")
    assert tiled == 2
    assert kernels.count("descend_tiles") == kernels.count("ascend_tiles") == tiled * cycles
    assert kernels.count("settle") == 2 * cycles + 2
    assert len(kernels) == 3 + (10 + 4 * tiled) + 2 * tiled * cycles + 4 * cycles - 2


@pytest.mark.parametrize(
    ("shape", "cells", "several"),
    [
        ((64, 64), 1, False), ((128, 128), 1, True), ((128, 128), 100, False),
        ((512, 512), 1, True), ((512, 512), 120, True), ((512, 512), 132, False),
    ],
)  # fmt: skip
def test_the_choice(shape, cells, several, monkeypatch):
    monkeypatch.undo()
    monkeypatch.setattr(_cuda, "properties", lambda: _cuda.Properties(132, 227 * 1024))
    checked = pl._arrays.cells(np.ones(shape), None, 2, False, None)
    problem = _corrector_launch.Problem(
        checked, None, None, np.arange(cells), np.float32, (None,) * 5
    )
    assert _corrector_tiles.better(problem) == several


@pytest.mark.parametrize(("shape", "dtype"), [((132, 128), np.float32), ((127, 131), np.float64)])
def test_as_it_is(shape, dtype, monkeypatch):
    """With the tiles and threads of a real card, which a cell of this size gets by itself."""
    monkeypatch.undo()
    monkeypatch.setenv("PEARLITE_CUDA", "emulate")
    check(two_phases(shape, 10, dtype, batch=1))
    assert "descend_tiles" in {launch.kernel for launch in cupy.machine.launches}
