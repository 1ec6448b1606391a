import numpy as np
import pytest

import pearlite as pl

torch = pytest.importorskip("torch")
two_point = pl.correlation.two_point


def fields(*shape):
    values = np.random.default_rng(0).standard_normal((2, *shape))
    return [torch.tensor(value, requires_grad=True) for value in values]


@pytest.mark.parametrize("shape", [(4, 5), (2, 3, 4), (3, 2, 5)])
@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("masked", [True, False])
def test_gradients(shape, periodic, masked):
    first, second = fields(*shape)
    dim = 3 if shape[0] == 3 else 2  # the other one is a batch
    mask = torch.tensor(np.random.default_rng(1).random(shape[-dim:]) < 0.9) if masked else None

    def correlate(*arguments):
        result = two_point(*arguments, dim=dim, periodic=periodic, mask=mask)
        return result[torch.isfinite(result)]

    assert torch.autograd.gradcheck(correlate, (first,))
    assert torch.autograd.gradcheck(correlate, (first, second))
    assert torch.autograd.gradgradcheck(correlate, (first, second))
    expected = two_point(
        first.detach().numpy(), second.detach().numpy(), dim=dim, periodic=periodic,
        mask=None if mask is None else mask.numpy(),
    )  # fmt: skip
    got = two_point(first, second, dim=dim, periodic=periodic, mask=mask).detach().numpy()
    np.testing.assert_allclose(got, expected, atol=1e-13)


def test_labels_and_plain_tensors():
    labels = np.random.default_rng(2).integers(0, 3, (6, 7)).astype(np.uint8)
    got = two_point(torch.tensor(labels), phases=[0, 1, 2], counts=True)
    np.testing.assert_array_equal(got.numpy(), two_point(labels, phases=[0, 1, 2], counts=True))
    field = torch.rand(6, 7)
    assert torch.equal(two_point(field), torch.from_numpy(two_point(field.numpy())))


def test_operator():
    first, second = (field.detach() for field in fields(4, 6))
    torch.library.opcheck(torch.ops.pearlite.two_point.default, (first, second, 2, None))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch.compile's own
def test_vmap_and_compile():
    first, second = fields(3, 4, 6)

    def loss(field, other):
        return (two_point(field, other) ** 2).sum()

    batched = torch.func.vmap(torch.func.grad(loss))(first.detach(), second.detach())
    for i in range(3):
        alone = torch.func.grad(loss)(first[i].detach(), second[i].detach())
        torch.testing.assert_close(batched[i], alone)
    compiled = torch.compile(loss, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(first, second), loss(first, second))
