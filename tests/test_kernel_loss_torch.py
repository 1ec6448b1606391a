"""The kernel loss of torch tensors, and its derivative."""

import numpy as np
import pytest

import pearlite as pl
from pearlite.correlation import KernelTarget, kernel_loss, kernel_loss_with_gradient

torch = pytest.importorskip("torch", reason="torch is not installed")

from torch.func import grad, vmap  # noqa: E402

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning:torch", "ignore::FutureWarning:torch"
)
IMAGE = pl.microstructures.voronoi(1, (6, 9), sites=5, phases=2, seed=1)[0]
PHASES = np.arange(30).reshape(5, 6) % 7 % 3


def field(*shape, dtype=torch.float64, seed=0):
    values = np.random.default_rng(seed).random(shape)
    return torch.from_numpy(values).to(dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_values_and_gradients_are_those_of_numpy(dtype):
    target = KernelTarget(IMAGE, dtype=dtype)
    x = field(2, 6, 9, dtype=getattr(torch, dtype)).requires_grad_()
    losses = kernel_loss(x, target)
    expected, slopes = kernel_loss_with_gradient(x.detach().numpy(), target)
    assert losses.dtype == torch.float64
    np.testing.assert_array_equal(losses.detach().numpy(), expected)
    (losses * torch.tensor([1.0, 3.0])).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), slopes * np.array([1, 3])[:, None, None], rtol=1e-6)


@pytest.mark.parametrize("options", [{}, {"orders": (2, 3, 4)}, {"sharpen": 0.5}], ids=str)
def test_gradcheck(options):
    target = KernelTarget(IMAGE, dtype=np.float64, **options)
    assert torch.autograd.gradcheck(
        lambda x: kernel_loss(x, target), field(2, 6, 9).requires_grad_()
    )
    target = KernelTarget([PHASES, PHASES[::-1]], dtype=np.float64, **options)
    assert torch.autograd.gradcheck(
        lambda x: kernel_loss(x, target), field(3, 5, 6).requires_grad_()
    )


def test_opcheck():
    for image, shape in ((IMAGE, (2, 6, 9)), (PHASES, (3, 5, 6))):
        for gradient in (False, True):
            target = KernelTarget(image, dtype=np.float64, sharpen=0.5)
            p = target.prepared
            arguments = (
                field(*shape), torch.from_numpy(p.spectra), torch.from_numpy(p.weights), p.mean,
                p.power, p.scale, p.constant, list(target.field_shape), gradient, 1,
            )  # fmt: skip
            torch.library.opcheck(torch.ops.pearlite.kernel_loss, arguments)


def test_transforms():
    target = KernelTarget(IMAGE, dtype=np.float64)
    x = field(4, 6, 9)
    expected = kernel_loss_with_gradient(x.numpy(), target)
    np.testing.assert_array_equal(vmap(lambda u: kernel_loss(u, target))(x), expected[0])
    slopes = vmap(grad(lambda u: kernel_loss(u, target)))(x)
    np.testing.assert_allclose(slopes, expected[1], rtol=1e-12)
    moved = vmap(lambda u: kernel_loss(u, target), in_dims=2)(x.movedim(0, 2))
    np.testing.assert_array_equal(moved, expected[0])


def test_a_second_derivative_raises():
    x = field(6, 9).requires_grad_()
    (slope,) = torch.autograd.grad(kernel_loss(x, IMAGE), x, create_graph=True)
    with pytest.raises(NotImplementedError, match="once"):
        slope.sum().backward()


def test_references_may_be_tensors_and_mistakes_are_named():
    x = field(6, 9)
    assert kernel_loss(x, torch.from_numpy(IMAGE)).item() == kernel_loss(x.numpy(), IMAGE)
    assert not kernel_loss(x.requires_grad_(), IMAGE).detach().requires_grad
    for wrong, message in (
        (field(6, 8), "field has shape"),
        (field(6, 9).to(torch.int32), "field has dtype"),
        (field(6, 9).to(torch.float16), "field has dtype"),
    ):
        with pytest.raises((TypeError, ValueError), match=message):
            kernel_loss(wrong, IMAGE)
    with pytest.raises(TypeError, match="float64"):
        kernel_loss(field(6, 9, dtype=torch.float32), KernelTarget(IMAGE, dtype=np.float64))
