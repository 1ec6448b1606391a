"""The distance of all p-point correlations on the emulated card, beside the CPU's."""

import numpy as np
import pytest
from emulator import stand_in as cupy

import pearlite as pl
from pearlite.correlation import KernelTarget, kernel_loss, kernel_loss_with_gradient

TYPES = [np.float32, np.float64]


@pytest.fixture(autouse=True)
def _card(monkeypatch):
    monkeypatch.setenv("PEARLITE_CUDA", "emulate")


def labels(shape, phases=2, seed=0):
    return np.random.default_rng(seed).integers(0, phases, shape).astype(np.uint8)


def fields(target, batch=(2,), seed=1):
    """Values about those of the references -> (*batch, [P,] *shape)"""
    numbers = np.random.default_rng(seed).random((*batch, *target.field_shape))
    return numbers.astype(target.dtype)


def beside_the_cpu(field, target):
    tolerance = 2e-6 if target.dtype == np.float32 else 1e-12
    losses, gradient = kernel_loss_with_gradient(cupy.asarray(field), target)
    wanted, slope = kernel_loss_with_gradient(field, target)
    assert losses.dtype == np.float64
    assert gradient.dtype == field.dtype
    for mine, theirs in ((losses.get(), np.asarray(wanted)), (gradient.get(), slope)):
        assert mine.shape == theirs.shape
        scale = np.abs(theirs).max()
        np.testing.assert_allclose(mine, theirs, rtol=0, atol=5 * tolerance * scale)
    alone = kernel_loss(cupy.asarray(field), target)
    np.testing.assert_array_equal(alone.get(), losses.get())


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("shape", [(8, 9), (4, 5, 6)])
def test_targets_of_images_on_a_card(dtype, shape):
    """Prepared of a copy; with fields of either place they give what those of numpy do."""
    images = [labels(shape, 3, seed) for seed in range(2)]
    there = [cupy.asarray(image) for image in images]
    for given, own in ((images, there), (images[0], there[0])):
        wanted = KernelTarget(given, phases=3, dtype=dtype, sharpen=0.5)
        target = KernelTarget(own, phases=3, dtype=dtype, sharpen=0.5)
        assert repr(target) == repr(wanted)
        field = fields(target)
        np.testing.assert_array_equal(kernel_loss(field, target), kernel_loss(field, wanted))
        beside_the_cpu(field, target)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("orders", [(2,), (2, 3), (2, 3, 4)])
@pytest.mark.parametrize("shape", [(2, 2), (7, 9), (16, 16), (33, 20), (3, 4, 5), (6, 5, 8)])
def test_beside_the_cpu(dtype, orders, shape):
    target = KernelTarget(labels(shape), orders=orders, dtype=dtype)
    beside_the_cpu(fields(target), target)
    beside_the_cpu(fields(target, ()), target)


@pytest.mark.parametrize("dtype", TYPES)
def test_several_references_and_phases(dtype, monkeypatch):
    from pearlite.correlation import _kernel_card

    images = [labels((9, 10), 3, seed) for seed in range(2)]
    target = KernelTarget(images, phases=3, dtype=dtype, sharpen=0.5)
    field = fields(target, (2, 2))
    beside_the_cpu(field, target)
    whole = kernel_loss(cupy.asarray(field), target).get()
    monkeypatch.setattr(_kernel_card, "_MOST_NUMBERS", 1)
    np.testing.assert_allclose(kernel_loss(cupy.asarray(field), target).get(), whole, rtol=1e-6)


def test_references_on_the_card():
    image = labels((8, 9))
    field = np.random.default_rng(0).random((8, 9))
    wanted = kernel_loss(field, image)
    for reference in (image, cupy.asarray(image), [cupy.asarray(image)]):
        got = kernel_loss(cupy.asarray(field), reference)
        np.testing.assert_allclose(got.get(), wanted, rtol=1e-12)
    with pytest.raises(TypeError, match="field is a ndarray; expected a cupy array"):
        kernel_loss(field, cupy.asarray(image))
    with pytest.raises(TypeError, match="field has dtype int64; expected float32 or float64"):
        kernel_loss(cupy.zeros((8, 9), np.int64), image)
    with pytest.raises(ValueError, match=r"field has shape \(8, 8\); expected"):
        kernel_loss(cupy.zeros((8, 8)), image)


def test_devices():
    """A target is taken to each device that asks for it."""
    image = labels((8, 9))
    target = KernelTarget(image, dtype=np.float64)
    field = np.random.default_rng(0).random((8, 9))
    found = []
    for device in (0, 1):
        with cupy.cuda.Device(device):
            there = cupy.asarray(field)
        loss = kernel_loss(there, target)
        assert loss.device.id == device
        found.append(loss.get())
    assert found[0] == found[1]


@pytest.mark.parametrize("dtype", TYPES)
def test_torch_tensors(dtype):
    torch = pytest.importorskip("torch")
    target = KernelTarget(labels((6, 7)), dtype=dtype, sharpen=0.3)
    field = fields(target)
    leaf = torch.from_numpy(field.copy()).requires_grad_()
    losses = kernel_loss(leaf, target)
    losses.sum().backward()
    wanted, slope = kernel_loss_with_gradient(field, target)
    tolerance = 1e-5 if dtype == np.float32 else 1e-12
    np.testing.assert_allclose(losses.detach().numpy(), wanted, rtol=tolerance)
    scale = np.abs(slope).max()
    np.testing.assert_allclose(leaf.grad.numpy(), slope, rtol=0, atol=tolerance * scale)
    if dtype == np.float64:
        check = torch.autograd.gradcheck
        assert check(lambda u: pl.correlation.kernel_loss(u, target), (leaf,), fast_mode=True)
    image = torch.from_numpy(labels((6, 7)))
    assert kernel_loss(leaf.detach(), image).shape == (2,)
    made = KernelTarget([image, image + 1], dtype=dtype)
    assert repr(made) == repr(KernelTarget([image.numpy(), image.numpy() + 1], dtype=dtype))
