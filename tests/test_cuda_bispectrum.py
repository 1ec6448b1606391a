"""Bispectra and their distances on the emulated card, beside the CPU's."""

import numpy as np
import pytest
from emulator import stand_in as cupy

import pearlite as pl
from pearlite.correlation import _bispectrum_card

bispectrum, loss_of = pl.correlation.bispectrum, pl.correlation.bispectrum_loss
with_gradient = pl.correlation.bispectrum_loss_with_gradient
TYPES = [np.float32, np.float64]
# Lines whose rows of k1 are fewer than a group of four, as many, and more; pixels below, at and
# above a warp and a block.
SHAPES = [(1, 1), (2, 2), (4, 5), (5, 6), (3, 17), (16, 16), (2, 3, 4), (3, 2, 5), (5, 6, 9)]


@pytest.fixture(autouse=True)
def _card(monkeypatch):
    monkeypatch.setenv("PEARLITE_CUDA", "emulate")


def fields(shape, dtype, seed=0):
    return np.random.default_rng(seed).standard_normal((2, *shape)).astype(dtype)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_beside_the_cpu(dtype, shape):
    field, other = fields(shape, dtype)
    target = bispectrum(other, threads=1)
    sent = cupy.asarray(field), bispectrum(cupy.asarray(other))
    assert isinstance(sent[1], cupy.ndarray)
    assert sent[1].dtype == dtype
    eps = np.finfo(dtype).eps
    largest = np.abs(target).max()
    np.testing.assert_allclose(sent[1].get(), target, atol=8 * eps * largest)
    loss, gradient = with_gradient(*sent)
    wanted, slope = with_gradient(field, target, threads=1)
    assert isinstance(loss, cupy.ndarray)
    assert (loss.shape, loss.dtype, gradient.dtype) == ((), np.float64, dtype)
    assert abs(loss.get() - wanted) <= 20 * eps * wanted
    assert np.abs(gradient.get() - slope).max() <= 40 * eps * np.abs(slope).max()
    np.testing.assert_array_equal(loss_of(*sent).get(), loss.get())


@pytest.mark.parametrize("dtype", TYPES)
def test_a_target_that_no_field_has(dtype):
    """Without the symmetry B(k1, k2) = B(k2, k1); and a block takes several groups of k1."""
    field, _ = fields((6, 10), dtype, 1)
    rng = np.random.default_rng(2)
    target = rng.standard_normal((6, 1, 6, 2, 6, 1, 10)).astype(dtype)
    wanted, slope = with_gradient(field, target)
    eps = np.finfo(dtype).eps
    for blocks in (1, 3, 5):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(_bispectrum_card, "_MOST_BLOCKS", blocks)
            loss, gradient = with_gradient(cupy.asarray(field), cupy.asarray(target))
        assert abs(loss.get() - wanted) <= 20 * eps * wanted
        assert np.abs(gradient.get() - slope).max() <= 40 * eps * np.abs(slope).max()


def test_the_same_twice_and_in_any_order(monkeypatch):
    field, other = fields((16, 18), np.float32, 3)
    sent = cupy.asarray(field), bispectrum(cupy.asarray(other))
    once = with_gradient(*sent)
    monkeypatch.setattr(cupy.machine, "order", 9)
    again = with_gradient(*sent)
    np.testing.assert_array_equal(once[0].get(), again[0].get())
    np.testing.assert_array_equal(once[1].get(), again[1].get())


def test_where_it_runs():
    with cupy.cuda.Device(1):
        field = cupy.asarray(fields((4, 6), np.float64)[0])
    cupy.machine.launches.clear()
    with cupy.cuda.Stream(78):
        target = bispectrum(field)
        loss, gradient = with_gradient(field, target)
    assert target.device.id == loss.device.id == gradient.device.id == 1
    assert {(k.kernel, k.device, k.stream) for k in cupy.machine.launches} == {
        (kernel, 1, 78) for kernel in ("bispectrum", "distance", "gather")
    }


def test_tensors_and_their_derivatives():
    torch = pytest.importorskip("torch")
    field, other = (torch.from_numpy(a) for a in fields((4, 6), np.float64))
    target = bispectrum(other)
    cupy.machine.launches.clear()
    leaf = field.clone().requires_grad_()
    loss = loss_of(leaf, target)
    loss.backward()
    assert {launch.kernel for launch in cupy.machine.launches} == {"distance", "gather"}
    wanted, slope = with_gradient(field.numpy(), target.numpy())
    assert loss.item() == pytest.approx(wanted, rel=1e-14)
    np.testing.assert_allclose(leaf.grad.numpy(), slope, rtol=1e-12, atol=1e-14)
    assert torch.autograd.gradcheck(lambda u: loss_of(u, target), (leaf,), fast_mode=True)


def test_what_is_refused():
    field = cupy.asarray(fields((4, 4), np.float64)[0])
    target = bispectrum(field)
    with pytest.raises(TypeError, match="field has dtype int64"):
        bispectrum(field.astype(np.int64))
    with pytest.raises(ValueError, match=r"field has shape \(4,\)"):
        bispectrum(field[0])
    with pytest.raises(TypeError, match="target is a ndarray; expected a cupy array"):
        loss_of(field, target.get())
    with pytest.raises(TypeError, match="field is a ndarray; expected a cupy array"):
        loss_of(field.get(), target)
    with pytest.raises(TypeError, match="target has dtype float32"):
        loss_of(field, target.astype(np.float32))
    with pytest.raises(ValueError, match="target has shape"):
        loss_of(field, target[:3])
    with cupy.cuda.Device(1):
        other = cupy.asarray(np.zeros(target.shape))
    with pytest.raises(ValueError, match="target is on device 1; expected 0, that of field"):
        loss_of(field, other)
    with pytest.raises(ValueError, match="threads is 0"):
        loss_of(field, target, threads=0)
