"""Two-sided bounds on the emulated card, beside the CPU's."""

import numpy as np
import pytest
from emulator import stand_in as cupy
from test_cuda_corrector import TYPES, tensors, two_phases

import pearlite as pl
from pearlite import _volume_bounds


@pytest.fixture(autouse=True)
def _card(monkeypatch):
    monkeypatch.setenv("PEARLITE_CUDA", "emulate")


def beside_the_cpu(conductivity, tolerance, **options):
    """Hold bounds, their mean and its error against the CPU's; -> those of the card."""
    got = pl.bounds(cupy.asarray(conductivity), **options)
    wanted = pl.bounds(conductivity, **options)
    for name in ("lower", "upper", "estimate", "half_width"):
        mine, theirs = getattr(got, name), getattr(wanted, name)
        assert isinstance(mine, cupy.ndarray)
        assert (mine.shape, mine.dtype) == (theirs.shape, np.float64)
        assert np.abs(mine.get() - theirs).max(initial=0) <= tolerance * np.abs(wanted.upper).max()
    return got


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("shape", [(2, 2), (5, 31), (16, 16), (17, 12)])
def test_fields(dtype, shape):
    cells = two_phases(shape, 30, dtype)
    beside_the_cpu(cells, 3e-9, rtol=1e-10)
    lower, upper = beside_the_cpu(cells, 2e-6, rtol=1e-6)
    # Looser ones enclose tighter ones, and are as near as they promise.
    within = pl.bounds(cells, rtol=1e-10)
    for gap in (upper.get() - within.upper, within.lower - lower.get()):
        assert np.linalg.eigvalsh(gap).min() >= -1e-9 * np.linalg.norm(within.upper)


def test_in_single_precision():
    """Rounding of float32 is in the bounds."""
    cells = two_phases((12, 14), 10, np.float32)
    got, within = pl.bounds(cupy.asarray(cells), rtol=1e-3), pl.bounds(cells, rtol=1e-10)
    for gap in (got.upper.get() - within.upper, within.lower - got.lower.get()):
        assert np.linalg.eigvalsh(gap).min() >= 0
        assert np.abs(gap).max() <= 2e-3 * np.abs(within.upper).max()


def test_tensors_and_oblong_pixels():
    beside_the_cpu(tensors((6, 7)), 1e-8, tensor=True, rtol=1e-10)
    beside_the_cpu(tensors((6, 7)).astype(np.float32), 1e-8, tensor=True, rtol=1e-10)
    beside_the_cpu(two_phases((8, 9), 10), 1e-8, spacing=(1.0, 2.5), rtol=1e-10)


@pytest.mark.parametrize("kind", ["uint8", "uint16", "int32", "int64", "bool"])
def test_labels(kind):
    rng = np.random.default_rng(2)
    labels = rng.integers(0, 2, (2, 9, 8)).astype(kind)
    for phases in ([1.0, 5.0, 1e30], np.array([1.0, 5.0], np.float32), rng.random((2, 3)) + 0.5):
        beside_the_cpu(labels, 1e-8, phases=phases, rtol=1e-10)
    turned = np.array([[[2, 0.5], [0.5, 1]], [[30, -3], [-3, 20.0]]])
    got = beside_the_cpu(labels, 1e-8, phases=turned, tensor=True, rtol=1e-10)
    alike = pl.bounds(cupy.asarray(labels), phases=cupy.asarray(turned), tensor=True, rtol=1e-10)
    np.testing.assert_array_equal(got.lower.get(), alike.lower.get())


def test_torch_tensors(monkeypatch):
    torch = pytest.importorskip("torch")
    labels = torch.from_numpy(np.random.default_rng(7).integers(0, 2, (2, 6, 7)))
    phases = torch.tensor([1.0, 9.0], requires_grad=True)
    found = []
    for card in ("emulate", ""):
        monkeypatch.setenv("PEARLITE_CUDA", card)
        cupy.machine.launches.clear()
        both = pl.bounds(labels, phases=phases, rtol=1e-10)
        assert bool(cupy.machine.launches) == (card == "emulate")
        for part in (both.lower, both.upper, both.estimate, both.half_width):
            assert isinstance(part, torch.Tensor)
            assert (part.shape, part.dtype) == ((2, 2, 2), torch.float64)
            assert not part.requires_grad
            found.append(part.numpy())
    for mine, theirs in zip(found[:4], found[4:], strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=0, atol=1e-8)


def test_what_is_refused():
    with pytest.raises(ValueError, match="conductivity ranges from 0 to 2; for two-sided"):
        pl.bounds(cupy.asarray(np.eye(4) + np.eye(4)[::-1] * 2))
    voids = np.ones((3, 4, 2))
    voids[1, 2] = 0
    with pytest.raises(ValueError, match="conductivity ranges from 0 to 1; for two-sided"):
        pl.bounds(cupy.asarray(voids), dim=3)
    with pytest.raises(ValueError, match=r"conductivity\[0, 0\] is nan"):
        pl.bounds(cupy.full((3, 4), np.nan))
    with pytest.raises(ValueError, match="rtol is 1"):
        pl.bounds(cupy.ones((3, 4)), rtol=1)
    with pytest.raises(TypeError, match="conductivity is a ndarray; expected a cupy array"):
        pl.bounds(np.zeros((2, 2), int), phases=cupy.ones(2))
    nearly = np.broadcast_to([[1, 1 - 1e-14], [1 - 1e-14, 1]], (3, 4, 4, 2, 2))
    with pytest.raises(pl.ConvergenceError, match=r"3 of 3 cells"):
        pl.bounds(cupy.asarray(nearly), tensor=True)
    empty = pl.bounds(cupy.zeros((0, 5, 5)))
    assert empty.lower.shape == empty.estimate.shape == empty.half_width.shape == (0, 2, 2)


# Voxels ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("shape", [(2, 3, 2), (4, 4, 2), (8, 8, 4), (6, 7, 13)])
def test_voxels(dtype, shape):
    cells = two_phases(shape, 30, dtype)
    beside_the_cpu(cells, 3e-9, dim=3, rtol=1e-10)
    lower, upper = beside_the_cpu(cells, 3e-6, dim=3)
    within = pl.bounds(cells, dim=3, rtol=1e-10)
    for gap in (upper.get() - within.upper, within.lower - lower.get()):
        assert np.linalg.eigvalsh(gap).min() >= -1e-9 * np.linalg.norm(within.upper)


@pytest.mark.parametrize("spacing", [(1.0, 2.0, 0.5), 3.0])
def test_voxels_of_any_proportions(spacing):
    beside_the_cpu(two_phases((5, 4, 6), 10), 3e-9, dim=3, spacing=spacing, rtol=1e-10)


@pytest.mark.parametrize("kind", ["uint8", "uint16", "int32", "int64", "bool"])
def test_labels_of_voxels(kind):
    rng = np.random.default_rng(2)
    labels = rng.integers(0, 2, (2, 3, 5, 4)).astype(kind)
    for phases in ([1.0, 5.0, 1e30], np.array([1.0, 5.0], np.float32), rng.random((2, 3)) + 0.5):
        beside_the_cpu(labels, 3e-9, dim=3, phases=phases, rtol=1e-10)


def test_company_does_not_matter(monkeypatch):
    """Cells of any contrast and a uniform one, all at once or one after the other."""
    cells = np.concatenate([two_phases((5, 6, 4), c, seed=int(c)) for c in (1, 3, 90)])
    found = []
    for room in (2**32, 1):
        monkeypatch.setattr(_volume_bounds, "_MOST_WORKSPACE", room)
        found.append(pl.bounds(cupy.asarray(cells), dim=3))
    for mine, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(mine.get(), theirs.get(), rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(found[0].lower.get()[0], np.eye(3), atol=1e-11)


def test_voxels_that_do_not_converge():
    cells = two_phases((5, 4, 4), 2)
    cells[1] = np.where(cells[1] > 1, 1e15, 1.0)
    with pytest.raises(pl.ConvergenceError, match=r"1 of 2 cells"):
        pl.bounds(cupy.asarray(cells), dim=3)
    got = pl.bounds(cupy.asarray(cells), dim=3, on_failure="nan")
    for part in got:
        assert np.isnan(part.get()[1]).all()
        assert np.isfinite(part.get()[0]).all()
    empty = pl.bounds(cupy.zeros((0, 3, 4, 2)), dim=3)
    assert empty.lower.shape == empty.estimate.shape == empty.half_width.shape == (0, 3, 3)


def test_torch_tensors_of_voxels(monkeypatch):
    torch = pytest.importorskip("torch")
    labels = torch.from_numpy(np.random.default_rng(7).integers(0, 2, (2, 4, 3, 5)))
    phases = torch.tensor([1.0, 9.0], requires_grad=True)
    found = []
    for card in ("emulate", ""):
        monkeypatch.setenv("PEARLITE_CUDA", card)
        cupy.machine.launches.clear()
        both = pl.bounds(labels, phases=phases, dim=3, rtol=1e-10)
        assert bool(cupy.machine.launches) == (card == "emulate")
        for part in (both.lower, both.upper, both.estimate, both.half_width):
            assert (type(part), part.dtype) == (torch.Tensor, torch.float64)
            found.append(part.numpy())
    for mine, theirs in zip(found[:4], found[4:], strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=0, atol=3e-8)


def test_voxels_on_another_device():
    with cupy.cuda.Device(1):
        cells = cupy.asarray(two_phases((4, 5, 3), 3))
    got = pl.bounds(cells, dim=3)
    for part in (got.lower, got.upper, got.estimate, got.half_width):
        assert part.device.id == 1
