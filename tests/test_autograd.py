import subprocess
import sys

import numpy as np
import pytest
from tests.test_gradient import norm, scalars, tensors, weighted

import pearlite as pl
from pearlite import _arrays, corrector

torch = pytest.importorskip("torch", reason="torch is not installed")

from torch.func import vmap  # noqa: E402

TIGHT = {"rtol": 1e-10, "gradient_rtol": 1e-8}
NORM = {"rtol": 1e-6, "atol": 1e-8}
# Torch warns about code of its own.
pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning:torch", "ignore::FutureWarning:torch"
)


def field(*shape, seed=0, dtype=torch.float64):
    return torch.from_numpy(scalars(np.random.default_rng(seed), *shape)).to(dtype)


def tensor_field(*shape, seed=0):
    return torch.from_numpy(tensors(np.random.default_rng(seed), *shape))


def labelled(*shape, seed=0, count=3):
    rng = np.random.default_rng(seed)
    return torch.from_numpy(rng.integers(count, size=shape, dtype=np.uint8))


def leaf(tensor):
    return tensor.clone().requires_grad_()


def trace(x, **options):
    return pl.homogenize(x, **TIGHT, **options).diagonal(dim1=-2, dim2=-1).sum()


# Values ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_values_are_those_of_numpy(dtype):
    x = field(2, 3, 12, 9, dtype=dtype)
    for estimate in ("variational", "bracketed"):
        result = pl.homogenize(x, spacing=(1, 2), estimate=estimate)
        assert result.dtype == dtype
        assert result.shape == (2, 3, 2, 2)
        expected = pl.homogenize(x.numpy(), spacing=(1, 2), estimate=estimate)
        np.testing.assert_allclose(result.numpy(), expected, rtol=2e-6, atol=1e-6)
    tensor = tensor_field(4, 6, 5)
    for estimate in ("variational", "bracketed"):
        result = pl.homogenize(tensor, tensor=True, estimate=estimate)
        expected = pl.homogenize(tensor.numpy(), tensor=True, estimate=estimate)
        np.testing.assert_allclose(result.numpy(), expected, rtol=2e-6, atol=1e-6)


@pytest.mark.parametrize("asked", [False, True])
@pytest.mark.parametrize("kind", [torch.uint8, torch.uint16, torch.int32, torch.int64, torch.bool])
def test_labels(kind, asked):
    labels = labelled(4, 8, 8, count=2).to(kind)
    for phases in ([1, 10], (1.0, 10.0), np.array([1, 10]), torch.tensor([1, 10])):
        result = pl.homogenize(labels, phases=phases)
        assert result.dtype == torch.float64
        expected = pl.homogenize(labels.numpy(), phases=[1, 10])
        np.testing.assert_array_equal(result.numpy(), expected)
    phases = torch.rand(4, 2, dtype=torch.float32) + 0.5
    result = pl.homogenize(labels[0].numpy(), phases=phases.requires_grad_(asked))
    assert result.requires_grad == asked
    assert result.dtype == torch.float32
    expected = pl.homogenize(labels[0].numpy(), phases=phases.detach().numpy())
    np.testing.assert_allclose(result.detach().numpy(), expected, rtol=1e-5, atol=1e-6)


def test_solve_correctors():
    x = field(2, 8, 6)
    solution = pl.solve_correctors(x)
    expected = pl.solve_correctors(x.numpy())
    for name in ("effective", "correctors", "iterations", "residual", "converged"):
        np.testing.assert_array_equal(getattr(solution, name).numpy(), getattr(expected, name))
    assert not solution.effective.requires_grad
    solution = pl.solve_correctors(leaf(x))
    assert solution.effective.requires_grad
    assert solution.correctors.requires_grad
    assert not solution.residual.requires_grad


def test_strides_and_sharing(monkeypatch):
    x = field(3, 8, 8)
    for view in (x.mT, x[:, ::2], x.permute(1, 2, 0), x.expand(2, 3, 8, 8), torch._neg_view(-x)):
        same = view.clone(memory_format=torch.contiguous_format).resolve_neg()
        assert torch.equal(pl.homogenize(view), pl.homogenize(same))
    seen = []
    cells = _arrays.cells
    monkeypatch.setattr(_arrays, "cells", lambda *a: seen.append(cells(*a)) or seen[-1])
    pl.homogenize(x)
    assert seen[0].pixels.ctypes.data == x.data_ptr()  # no copy


def test_empty_batch():
    x = torch.ones(0, 4, 5, requires_grad=True)
    pl.homogenize(x).sum().backward()
    assert x.grad.shape == x.shape


def test_modes():
    x = leaf(field(8, 8))
    with torch.no_grad():
        assert not pl.homogenize(x).requires_grad
    with torch.inference_mode():
        assert not pl.homogenize(x).requires_grad
    assert pl.homogenize(x * 2).requires_grad
    with torch.autocast("cpu", dtype=torch.bfloat16):
        single = leaf(x.detach().float())
        result = pl.homogenize(single)
        assert result.dtype == torch.float32
        result.sum().backward()
    assert single.grad.dtype == torch.float32
    np.testing.assert_allclose(
        single.grad, torch.autograd.grad(pl.homogenize(x).sum(), x)[0], rtol=1e-4, atol=1e-6
    )


def test_accuracy_is_raised_only_for_gradients():
    """gradient_rtol costs iterations, which only those pay who ask for a gradient."""
    x = field(32, 32)

    def iterations(x):
        solution = pl.solve_correctors(x, rtol=1e-2, gradient_rtol=1e-8)
        return int(solution.iterations)

    assert iterations(leaf(x)) > iterations(x)
    seen = []
    vmap(lambda x: seen.append(pl.solve_correctors(x, rtol=1e-2).correctors) or x)(x[None])
    assert not seen[0].requires_grad


def test_threads():
    x = field(40, 32, 32)
    values = []
    for threads in (1, 2, None):
        y = leaf(x)
        pl.homogenize(y, threads=threads).sum().backward()
        values.append(y.grad)
    for value in values[1:]:
        torch.testing.assert_close(value, values[0], rtol=1e-10, atol=1e-13)


def test_deterministic():
    phases = leaf(torch.tensor([1.0, 5.0, 20.0]))
    labels = labelled(20, 32, 32)
    torch.use_deterministic_algorithms(True)
    try:
        gradients = [
            torch.autograd.grad(pl.homogenize(labels, phases=phases).sum(), phases)[0]
            for _ in range(3)
        ]
    finally:
        torch.use_deterministic_algorithms(False)
    assert all(torch.equal(gradient, gradients[0]) for gradient in gradients)


# Derivatives -------------------------------------------------------------------------------------

INPUTS = {
    "scalars": lambda: (leaf(field(2, 5, 4)), lambda x: x, {}),
    "one cell": lambda: (leaf(field(4, 3)), lambda x: x, {}),
    "oblongs": lambda: (leaf(field(2, 5, 4)), lambda x: x, {"spacing": (0.1, 0.3)}),
    "tensors": lambda: (
        leaf(torch.randn(1, 4, 3, 2, 2, dtype=torch.float64)),
        lambda q: q @ q.mT + 0.5 * torch.eye(2),
        {"tensor": True, "spacing": (1, 0.7)},
    ),
    "bracketed": lambda: (leaf(field(2, 5, 4)), lambda x: x, {"estimate": "bracketed"}),
    "bracketed tensors": lambda: (
        leaf(torch.randn(3, 4, 2, 2, dtype=torch.float64)),
        lambda q: q @ q.mT + 0.5 * torch.eye(2),
        {"tensor": True, "estimate": "bracketed"},
    ),
}


@pytest.mark.parametrize("kind", INPUTS)
def test_gradcheck(kind):
    torch.manual_seed(1)
    x, conductivity, options = INPUTS[kind]()

    def effective(x):
        return pl.homogenize(conductivity(x), **options, **TIGHT)

    assert torch.autograd.gradcheck(effective, (x,), check_batched_grad=True)
    assert torch.autograd.gradgradcheck(effective, (x,), check_batched_grad=True)


@pytest.mark.parametrize("tensor", [False, True])
@pytest.mark.parametrize(("own", "batch"), [((), ()), ((2,), ()), ((), (2,)), ((2, 1), (3,))])
def test_gradcheck_of_phases(own, batch, tensor):
    torch.manual_seed(2)
    labels = labelled(*batch, 4, 5)
    entry = (2, 2) if tensor else ()
    x = leaf(torch.rand(*own, 3, *entry, dtype=torch.float64))

    def effective(x):
        phases = x @ x.mT + 0.5 * torch.eye(2) if tensor else x + 0.5
        return pl.homogenize(labels, phases=phases, tensor=tensor, **TIGHT)

    assert torch.autograd.gradcheck(effective, (x,))
    assert torch.autograd.gradgradcheck(effective, (x,))


@pytest.mark.parametrize("tensor", [False, True])
def test_gradcheck_of_correctors(tensor):
    torch.manual_seed(3)
    x = leaf(torch.rand(2, 4, 5, *((2, 2) if tensor else ()), dtype=torch.float64))

    def solve(x):
        a = x @ x.mT + 0.5 * torch.eye(2) if tensor else x + 0.5
        solution = pl.solve_correctors(a, tensor=tensor, spacing=(0.5, 0.3), **TIGHT)
        return solution.effective, solution.correctors

    assert torch.autograd.gradcheck(solve, (x,))


@pytest.mark.parametrize("tensor", [False, True])
def test_gradient_is_that_of_numpy(tensor):
    rng = np.random.default_rng(4)
    values = tensors(rng, 3, 8, 6) if tensor else scalars(rng, 3, 8, 6)
    cotangent = rng.standard_normal((3, 2, 2))
    x = leaf(torch.from_numpy(values))
    pl.homogenize(x, tensor=tensor).backward(torch.from_numpy(cotangent))
    expected = pl.homogenize_with_gradient(values, cotangent, tensor=tensor)[1]
    np.testing.assert_array_equal(x.grad.numpy(), expected)


@pytest.mark.parametrize("contrast", [2.0, 1e2, 1e4])
@pytest.mark.parametrize("gradient_rtol", [1e-2, 1e-4, 1e-6])
def test_accuracy_of_hessian_products(contrast, gradient_rtol):
    rng = np.random.default_rng(5)
    values = scalars(rng, 8, 24, 24, contrast=contrast)
    x = leaf(torch.from_numpy(values))
    change = values * rng.uniform(-1, 1, values.shape)
    cotangent = torch.from_numpy(rng.standard_normal((8, 2, 2)))

    def product(**options):
        effective = pl.homogenize(x, **options)
        (gradient,) = torch.autograd.grad(effective, x, cotangent, create_graph=True)
        return torch.autograd.grad(gradient, x, torch.from_numpy(change))[0].numpy()

    exact = product(**TIGHT)
    error = weighted(values, product(rtol=1e-2, gradient_rtol=gradient_rtol) - exact, tensor=False)
    effective = pl.homogenize(values)
    allowed = 3.2 * gradient_rtol * norm(cotangent.numpy()) * norm(effective)
    assert (error <= allowed * np.abs(change / values).max(axis=(1, 2))).all()


# What is refused ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"conductivity": torch.ones(4, 4, dtype=torch.bfloat16)}, TypeError, "torch.bfloat16"),
        ({"conductivity": torch.ones(4, 4, dtype=torch.float16)}, TypeError, "torch.float16"),
        ({"conductivity": torch.ones(4, 4, dtype=torch.complex64)}, TypeError, "complex64"),
        ({"conductivity": torch.ones(4, 4).to_sparse()}, TypeError, "layout torch.sparse_coo"),
        ({"conductivity": torch.ones(4, 4, dtype=torch.int32)}, TypeError, "labels need phases"),
        ({"conductivity": torch.ones(4)}, ValueError, "conductivity has shape"),
        ({"conductivity": -leaf(torch.ones(4, 4))}, ValueError, r"conductivity\[0, 0\] is -1"),
        ({"dim": 4}, ValueError, "dim is 4"),
        ({"rtol": "a"}, TypeError, "rtol is 'a'"),
        ({"gradient_rtol": 0.5}, ValueError, "gradient_rtol is 0.5"),
        ({"threads": 0}, ValueError, "threads is 0"),
        ({"spacing": (1, 2, 3)}, ValueError, "spacing has shape"),
        ({"tensor": 1}, TypeError, "tensor is a int"),
        ({"on_failure": "x"}, ValueError, "on_failure is 'x'"),
        ({"estimate": "x"}, ValueError, "estimate is 'x'"),
        ({"phases": torch.ones(2)}, TypeError, "expected labels"),
    ],
)
def test_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        pl.homogenize(**({"conductivity": torch.ones(4, 4)} | arguments))


@pytest.mark.parametrize("asked", [False, True])
def test_refused_phases(asked):
    """Labels are checked by the same code whether a gradient is asked for or not."""
    labels = labelled(4, 4)
    for phases, message in [
        ([1.0, -2.0, 3.0], r"phases\[1\] is -2.0"),
        ([1.0, 2.0], "with an entry in phases"),
        ([], "with at least one phase"),
    ]:
        with pytest.raises(ValueError, match=message):
            pl.homogenize(labels, phases=torch.tensor(phases).requires_grad_(asked))
    below = labels.to(torch.int64) - 1
    with pytest.raises(ValueError, match="with an entry in phases"):
        pl.homogenize(below, phases=torch.ones(3).requires_grad_(asked))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda():
    with pytest.raises(ValueError, match=r"on device cuda:0; .* expected a tensor on the CPU"):
        pl.homogenize(torch.ones(4, 4, device="cuda"))


def test_meta():
    x = torch.ones(3, 4, 5, device="meta", requires_grad=True)
    result = pl.homogenize(x)
    assert (result.device.type, result.shape) == ("meta", (3, 2, 2))
    result.sum().backward()
    assert x.grad.shape == x.shape


def test_not_converged(monkeypatch):
    x = leaf(field(2, 32, 32))
    effective = pl.homogenize(x, **TIGHT)
    (gradient,) = torch.autograd.grad(effective.sum(), x, create_graph=True)
    lenient = pl.homogenize(x, on_failure="nan", **TIGHT)
    (other,) = torch.autograd.grad(lenient.sum(), x, create_graph=True)
    monkeypatch.setattr(corrector, "_MAX_ITERATIONS", 2)
    with pytest.raises(pl.ConvergenceError, match="did not reach gradient_rtol=1e-08"):
        gradient.square().sum().backward()
    assert torch.autograd.grad(other.square().sum(), x)[0].isnan().all()
    with pytest.raises(pl.ConvergenceError, match="gradient_rtol"):
        pl.homogenize(x, **TIGHT)
    lost = pl.homogenize(x, on_failure="nan", **TIGHT)
    assert lost.isnan().all()
    assert torch.autograd.grad(lost.sum(), x)[0].isnan().all()


def test_front_imports_torch_only_for_tensors():
    code = (
        "import sys, numpy, pearlite; pearlite.homogenize(numpy.ones((4, 4)));"
        "assert 'torch' not in sys.modules; import torch;"
        "pearlite.homogenize(torch.ones(4, 4))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
