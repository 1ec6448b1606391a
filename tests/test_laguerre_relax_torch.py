import numpy as np
import pytest
from tests.test_laguerre_relax import METRICS, NAMES, problem

import pearlite as pl

torch = pytest.importorskip("torch", reason="torch is not installed")

from torch.func import grad, hessian, jacrev, jvp, vjp, vmap  # noqa: E402

# Torch warns about code of its own.
pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning:torch", "ignore::FutureWarning:torch"
)
OPERATORS = torch.ops.pearlite
NORM = {"rtol": 1e-11, "atol": 1e-12}


def tensors(seed, shape, count, metric, batch=(), pixels=1.0):
    """Sites, weights, values and epsilon, one for each cell."""
    arguments, _ = problem(seed, shape, count, metric, batch, pixels)
    arguments["epsilon"] = np.full(batch, arguments["epsilon"])
    return [torch.from_numpy(np.asarray(arguments[name])) for name in NAMES]


def leaves(inputs):
    return [x.clone().requires_grad_() for x in inputs]


def relaxed(shape, **options):
    def field(sites, weights, values, epsilon):
        return pl.laguerre.relax(sites, weights, values, shape=shape, epsilon=epsilon, **options)

    return field


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("metric", METRICS)
def test_values_and_gradients_are_those_of_numpy(metric, dtype):
    shape = (12, 19)
    inputs = [x.to(dtype) for x in tensors(0, shape, 6, metric, batch=(3,))]
    cotangent = torch.rand(3, *shape, dtype=dtype)
    field, gradient = pl.laguerre.relax_with_gradient(
        *(x.numpy() for x in inputs[:3]),
        cotangent.numpy(),
        shape=shape,
        epsilon=inputs[3].numpy(),
        metric=metric,
    )
    leaf = leaves(inputs)
    result = relaxed(shape, metric=metric)(*leaf)
    assert result.dtype == dtype
    np.testing.assert_array_equal(result.detach().numpy(), field)
    result.backward(cotangent)
    for x, part in zip(leaf, gradient, strict=True):
        np.testing.assert_array_equal(x.grad.numpy(), part)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("shape", [(6, 5), (4, 3, 5)])
def test_gradcheck(metric, periodic, shape):
    inputs = leaves(tensors(1, shape, 4, metric, batch=(2,)))
    field = relaxed(shape, metric=metric, periodic=periodic)
    assert torch.autograd.gradcheck(field, inputs, check_batched_grad=True)


def test_numbers_and_lists():
    shape = (8, 9)
    sites, weights, values, _ = tensors(2, shape, 3, "power")
    expected = pl.laguerre.relax(sites, weights, values, shape=shape, epsilon=0.01)
    assert not expected.requires_grad
    mixed = pl.laguerre.relax(sites, weights.tolist(), values.numpy(), shape=shape, epsilon=0.01)
    torch.testing.assert_close(mixed, expected)
    single = pl.laguerre.relax(sites.float(), None, [1, 2, 3], shape=list(shape), epsilon=0.01)
    assert single.dtype == torch.float32
    view = sites.T.contiguous().T.requires_grad_()
    pl.laguerre.relax(view, weights, values, shape=shape, epsilon=0.01).sum().backward()
    assert view.grad.shape == sites.shape
    empty = torch.ones(0, 3, 2, requires_grad=True)
    pl.laguerre.relax(empty, None, [1, 2, 3], shape=shape, epsilon=1).sum().backward()
    assert empty.grad.shape == (0, 3, 2)


@pytest.mark.parametrize("metric", METRICS)
def test_transforms(metric):
    shape = (5, 6)
    inputs = tensors(3, shape, 4, metric, batch=(3,))
    field = relaxed(shape, metric=metric)

    def loss(*inputs):
        return field(*inputs).square().sum()

    every = (0, 1, 2, 3)
    expected = torch.autograd.grad(loss(*(x := leaves(inputs))), x)
    for got in (grad(loss, every)(*inputs), vmap(grad(loss, every))(*inputs)):
        for one, other in zip(got, expected, strict=True):
            torch.testing.assert_close(one, other, **NORM)
    # Values that all cells share have a gradient for each under vmap, and its sum without.
    shared = inputs[2][0]
    total = grad(loss, 2)(*inputs[:2], shared, inputs[3])
    each = vmap(grad(loss, 2), in_dims=(0, 0, None, 0))(*inputs[:2], shared, inputs[3])
    torch.testing.assert_close(each.sum(0), total, **NORM)
    # The mapped axis is not one that other batch axes broadcast with.
    more = torch.stack([inputs[3], 2 * inputs[3]])
    mapped = vmap(field, in_dims=(None, None, None, 0))(*inputs[:3], more)
    torch.testing.assert_close(mapped[1], field(*inputs[:3], more[1]), **NORM)
    pair = vmap(field, in_dims=(0, None, None, None))(inputs[0], *(x[0] for x in inputs[1:]))
    torch.testing.assert_close(pair[2], field(inputs[0][2], *(x[0] for x in inputs[1:])), **NORM)
    one = [x[0] for x in inputs]
    jacobian = jacrev(field, argnums=1)(*one)
    assert jacobian.shape == (*shape, 4)
    value, pull = vjp(lambda w: field(one[0], w, *one[2:]), one[1])
    torch.testing.assert_close(value, field(*one))
    torch.testing.assert_close(pull(torch.ones(shape).double())[0], jacobian.sum((0, 1)), **NORM)


@pytest.mark.parametrize("dynamic", [False, True])
def test_compile(dynamic):
    inputs = tensors(4, (6, 7), 4, "additive", batch=(2,))

    def loss(*inputs):
        return relaxed((6, 7), metric="additive", threads=1)(*inputs).square().sum() * 2

    compiled = torch.compile(loss, fullgraph=True, backend="aot_eager", dynamic=dynamic)
    first, second = leaves(inputs), leaves(inputs)
    result = compiled(*first)
    result.backward()
    expected = loss(*second)
    expected.backward()
    torch.testing.assert_close(result, expected)
    for one, other in zip(first, second, strict=True):
        torch.testing.assert_close(one.grad, other.grad)
    number = torch.compile(
        lambda s, v: pl.laguerre.relax(s, None, v, shape=(4, 5), epsilon=0.02),
        fullgraph=True,
        backend="aot_eager",
    )
    torch.testing.assert_close(
        number(inputs[0], inputs[2]),
        pl.laguerre.relax(inputs[0], None, inputs[2], shape=(4, 5), epsilon=0.02),
    )


@pytest.mark.parametrize("metric", METRICS)
def test_opcheck(metric):
    inputs = tensors(5, (4, 5), 3, metric, batch=(2,))
    inputs[2] = inputs[2][0]
    cotangent = torch.rand(2, 4, 5, dtype=torch.float64)
    torch.library.opcheck(OPERATORS.relax.default, (*inputs, [4, 5], metric, True, None))
    torch.library.opcheck(OPERATORS.relax_gradient.default, (*inputs, cotangent, metric, False, 1))


def test_what_is_not_there():
    inputs = tensors(6, (4, 5), 3, "power")
    field = relaxed((4, 5))

    def of_sites(sites):
        return field(sites, *inputs[1:])

    for call in (
        lambda: jvp(of_sites, (inputs[0],), (inputs[0],)),
        lambda: hessian(of_sites)(inputs[0]),
    ):
        with pytest.raises(NotImplementedError, match="no forward-mode derivatives"):
            call()
    x = inputs[0].clone().requires_grad_()
    (first,) = torch.autograd.grad(of_sites(x).square().sum(), x, create_graph=True)
    with pytest.raises(NotImplementedError, match="first derivatives only"):
        first.sum().backward()


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"sites": torch.zeros(2)}, ValueError, "sites has shape"),
        ({"values": torch.ones(3)}, TypeError, "values has dtype float32"),
        ({"values": torch.ones(3, dtype=torch.float64)}, ValueError, "values has shape"),
        ({"epsilon": torch.tensor(-1.0).double()}, ValueError, "epsilon is -1"),
        ({"weights": torch.zeros(2, dtype=torch.float16)}, TypeError, "weights has dtype"),
        ({"shape": (4,)}, ValueError, "shape is"),
        ({"metric": "taxi"}, ValueError, "metric is 'taxi'"),
        ({"threads": -1}, ValueError, "threads is -1"),
    ],
)
def test_bad_input(change, error, message):
    good = {
        "sites": torch.zeros(2, 2, dtype=torch.float64),
        "weights": None,
        "values": [1, 2],
        "shape": (4, 5),
        "epsilon": 0.1,
    }
    with pytest.raises(error, match=message):
        pl.laguerre.relax(**(good | change))
