"""Voxels whose conductivities are tensors, on the emulated card, beside the CPU's."""

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
from test_cuda_bounds import beside_the_cpu
from test_cuda_corrector import TYPES
from test_voxels_tensors import hold_defects, random_field, random_tensors

import pearlite as pl
from pearlite import _voxels_card

# Primes, thin ones, one grid and several; below, at and above a warp, columns of a block, a block.
SHAPES = [(2, 2, 2), (2, 3, 2), (4, 4, 2), (4, 8, 8), (5, 7, 3), (3, 2, 33), (9, 6, 11)]
GIVEN = {"dim": 3, "tensor": True}


@pytest.fixture(autouse=True)
def _card(monkeypatch):
    monkeypatch.setenv("PEARLITE_CUDA", "emulate")


@pytest.fixture
def passes(monkeypatch):
    """No grid but the last ones of a cell is small enough for one block."""
    monkeypatch.setattr(_voxels_card, "_MOST_SHARED_NODES", 70)


def fields(shape, spread, dtype=np.float64, seed=0):
    """-> (2, *shape, 3, 3): one with eigenvalues up to `spread`, and one nearly isotropic."""
    return np.stack([random_field(shape, spread, seed), random_field(shape, 2.0, seed)]).astype(
        dtype
    )


def check(conductivity, bound=1e-6, **options):
    """Hold the card's result against one that is far better; -> the solution."""
    got, cpu = hold(conductivity, bound, **GIVEN, **options)
    # The same smoother; but what a load leaves of its tolerance is not passed on to the next.
    assert (abs(got.iterations.get() - cpu.iterations) <= 1).all()
    return got


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_shapes(dtype, shape):
    check(fields(shape, 30.0, dtype))


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("shape", [(9, 7, 5), (16, 8, 12), (3, 2, 33)])
def test_large_grids(dtype, shape, passes):
    """What small cells do in one block, by passes over each grid."""
    hold_passes(check, fields(shape, 30.0, dtype))


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("spread", [1.0, 10.0, 1e3, 1e4])
def test_ratios_of_eigenvalues(dtype, spread):
    """What does not converge in single precision is solved again in double."""
    check(fields((6, 5, 8), spread, dtype, seed=1))


@pytest.mark.parametrize("rtol", [1e-3, 1e-8, 1e-10])
def test_tolerances(rtol):
    check(fields((6, 5, 8), 30.0), max(rtol, 3e-10), rtol=rtol)


@pytest.mark.parametrize("spacing", [(1, 1, 2.5), (0.3, 1, 1), (3, 1, 0.4), 7.0])
def test_voxels_of_any_proportions(spacing):
    for dtype in TYPES:
        check(fields((6, 9, 4), 10.0, dtype), spacing=spacing)


@pytest.mark.parametrize("kind", ["uint8", "uint16", "int32", "int64", "bool"])
def test_labels(kind):
    labels = np.random.default_rng(2).integers(0, 2, (3, 4, 5, 7)).astype(kind)
    phases = random_tensors(2, 20.0)
    check(labels, phases=phases)
    check(labels, phases=phases.astype(np.float32))
    check(labels, phases=np.stack([phases, 3 * phases, phases[::-1]]))


def test_axes_that_conduct_less_are_halved_later(monkeypatch):
    """Cells of different grids and smoothers in one batch, in any company and order: equal bits."""
    base = random_field((8, 9, 6), 3.0)
    cells = np.stack([base * np.outer(s, s) for s in ([1, 1, 1], [3, 1, 1], [1, 1, 4], [1, 1, 1])])
    cells[3] = random_field((8, 9, 6), 30.0)
    cells = cells.astype(np.float32)
    check(cells)
    hold_order_and_company(monkeypatch, cells, **GIVEN)


@pytest.mark.parametrize("share", [0.3, 0.7, 0.9])
def test_voids(share):
    """Exact zeros, whichever way the rest percolates."""
    cells = random_field((4, 6, 5, 7), 10.0)
    cells[np.random.default_rng(3).random(cells.shape[:4]) < share] = 0
    cells[3] = 0
    cells[3, :, 1:3, 2:4] = random_tensors(1, 10.0)[0]  # a rod along axis 0
    for some in (cells, cells.astype(np.float32)):
        got = pl.homogenize(cupy.asarray(some), **GIVEN).get()
        wanted = pl.homogenize(some.astype(float), rtol=1e-9, **GIVEN)
        np.testing.assert_array_equal(got == 0, wanted == 0)
        np.testing.assert_allclose(got, wanted, rtol=2e-6, atol=2e-6)


def test_uniform_crystals():
    tensor = random_tensors(1, 100.0)[0]
    cells = np.broadcast_to(tensor, (4, 6, 5, 3, 3))
    got = check(cells, 1e-12, spacing=(1.0, 3.0, 0.5), rtol=1e-10)
    np.testing.assert_allclose(got.effective.get(), tensor, rtol=1e-12)


@pytest.mark.parametrize("dtype", TYPES)
def test_correctors(dtype):
    some = fields((6, 5, 7), 10.0, dtype)
    for options in ({}, {"spacing": (1.0, 2.0, 0.5)}):
        hold_correctors(some, **GIVEN, **options)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("spacing", [None, (1.0, 2.0, 0.7)])
def test_gradients(dtype, spacing):
    rng = np.random.default_rng(5)
    labels = rng.integers(0, 3, (2, 5, 4, 6)).astype(np.uint16)
    cases = [
        (fields((5, 4, 6), 10.0, dtype), {}),
        (labels, {"phases": random_tensors(3, 10.0).astype(dtype)}),
        (labels, {"phases": random_tensors(6, 10.0).reshape(2, 3, 3, 3).astype(dtype)}),
    ]
    cotangent = rng.normal(size=(2, 3, 3)).astype(dtype)
    for some, options in cases:
        options = GIVEN | options | {"spacing": spacing, "gradient_rtol": 1e-7}
        hold_gradients(some, cotangent, **options)


def test_derivatives_of_torch_tensors():
    torch = pytest.importorskip("torch")
    roots = torch.from_numpy(random_field((2, 3, 4, 2), 3.0)).requires_grad_()
    settings = GIVEN | {"rtol": 1e-10, "gradient_rtol": 1e-8, "spacing": (1.0, 1.5, 1.0)}
    effective = lambda a: pl.homogenize((a + a.mT) / 2, **settings)  # noqa: E731
    cupy.machine.launches.clear()
    assert torch.autograd.gradcheck(effective, (roots,), fast_mode=True, atol=1e-5)
    kernels = {launch.kernel for launch in cupy.machine.launches}
    assert {"survey_tensors", "load", "cycle", "product", "pull_back"} <= kernels
    hold_transforms(effective, roots)


def test_phases_of_torch_tensors(monkeypatch):
    torch = pytest.importorskip("torch")
    labels = np.random.default_rng(7).integers(0, 3, (2, 4, 3, 5))
    phases = torch.from_numpy(random_tensors(3, 5.0)).requires_grad_()
    settings = GIVEN | {"gradient_rtol": 1e-7}
    for mine, theirs in with_and_without_card(monkeypatch, labels, phases, **settings):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=3e-6)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("shape", [(2, 3, 2), (4, 4, 2), (5, 4, 13)])
def test_bounds(dtype, shape):
    cells = fields(shape, 10.0, dtype)
    beside_the_cpu(cells, 3e-9, rtol=1e-10, spacing=(1.0, 0.5, 2.0), **GIVEN)


def test_bounds_of_labels():
    labels = np.random.default_rng(2).integers(0, 2, (2, 3, 5, 4))
    for phases in (random_tensors(2, 10.0), random_tensors(4, 10.0).reshape(2, 2, 3, 3)):
        beside_the_cpu(labels, 3e-9, rtol=1e-10, phases=phases, **GIVEN)


def test_what_is_refused():
    hold_defects(cupy)
    with pytest.raises(ValueError, match=r"phases\[1\] is"):
        pl.homogenize(cupy.zeros((2, 3, 2), np.uint8), phases=[np.eye(3), -np.eye(3)], **GIVEN)
    with pytest.raises(ValueError, match=r"conductivity\[0, 0, 0\] is 3; expected a label"):
        pl.homogenize(cupy.full((2, 2, 2), 3), phases=[np.eye(3)], **GIVEN)
    cells = np.broadcast_to(np.eye(3), (2, 4, 4, 4, 3, 3)).copy()
    cells[0, 1] = 0
    with pytest.raises(ValueError, match="conductivity ranges from 0 to 1; for two-sided"):
        pl.bounds(cupy.asarray(cells), **GIVEN)
    empty = pl.solve_correctors(cupy.zeros((0, 3, 4, 2, 3, 3)), **GIVEN)
    assert (empty.effective.shape, empty.correctors.shape) == ((0, 3, 3), (0, 3, 3, 4, 2))
