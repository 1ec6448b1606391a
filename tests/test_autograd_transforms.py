import pytest

import pearlite as pl

torch = pytest.importorskip("torch", reason="torch is not installed")

from tests.test_autograd import (  # noqa: E402
    NORM,
    TIGHT,
    field,
    labelled,
    leaf,
    tensor_field,
    trace,
)
from torch.func import grad, hessian, jacrev, jvp, vjp, vmap  # noqa: E402

# Torch warns about code of its own.
pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning:torch", "ignore::FutureWarning:torch"
)


def test_transforms():
    x = field(3, 5, 4)
    expected = torch.autograd.grad(trace(y := leaf(x)), y)[0]
    torch.testing.assert_close(grad(trace)(x), expected, **NORM)
    torch.testing.assert_close(vmap(grad(trace))(x), expected, **NORM)
    torch.testing.assert_close(vmap(grad(trace), in_dims=2)(x.movedim(0, 2)), expected, **NORM)
    torch.testing.assert_close(grad(lambda x: vmap(trace)(x).sum())(x), expected, **NORM)
    inner = vmap(vmap(trace))(x.expand(2, 3, 5, 4))
    torch.testing.assert_close(inner[1], vmap(trace)(x))
    vmap(trace)(y := leaf(x)).sum().backward()
    torch.testing.assert_close(y.grad, expected, **NORM)
    value, pull = vjp(lambda x: pl.homogenize(x, **TIGHT), x)
    torch.testing.assert_close(value, pl.homogenize(x, **TIGHT))
    torch.testing.assert_close(pull(torch.eye(2).double().expand(3, 2, 2))[0], expected, **NORM)
    jacobian = jacrev(lambda x: pl.homogenize(x, **TIGHT))(x[0])
    assert jacobian.shape == (2, 2, 5, 4)
    torch.testing.assert_close(jacobian.diagonal().sum(-1), expected[0], **NORM)


def test_hessians():
    x = field(4, 3)
    expected = torch.autograd.functional.hessian(trace, x)
    for second in (jacrev(grad(trace)), jacrev(jacrev(trace))):
        torch.testing.assert_close(second(x), expected, **NORM)
    torch.testing.assert_close(vmap(jacrev(grad(trace)))(x[None])[0], expected, **NORM)
    # A* has degree 1, so that its Hessian takes the field itself to zero.
    torch.testing.assert_close(torch.einsum("ijkl,kl", expected, x), 0 * x, rtol=0, atol=1e-7)


@pytest.mark.parametrize("tensor", [False, True])
def test_transforms_of_phases(tensor):
    torch.manual_seed(6)
    labels = labelled(4, 5, 4)
    entry = (2, 2) if tensor else ()
    root = torch.rand(4, 3, *entry, dtype=torch.float64)
    phases = root @ root.mT + torch.eye(2) if tensor else root + 0.5

    def total(labels, phases):
        return pl.homogenize(labels, phases=phases, tensor=tensor, **TIGHT).sum()

    expected = grad(total, argnums=1)(labels, phases)
    torch.testing.assert_close(vmap(grad(total, argnums=1))(labels, phases), expected, **NORM)
    mapped = grad(lambda phases: vmap(total)(labels, phases).sum())(phases)
    torch.testing.assert_close(mapped, expected, **NORM)
    # One of the two alone is mapped, or has axes of its own.
    one = vmap(total, in_dims=(None, 0))(labels[0], phases)
    torch.testing.assert_close(one, torch.stack([total(labels[0], p) for p in phases]))
    one = vmap(total, in_dims=(0, None))(labels, phases[0])
    torch.testing.assert_close(one, torch.stack([total(k, phases[0]) for k in labels]))
    pair = torch.stack([phases, 2 * phases])
    both = vmap(total, in_dims=(None, 0))(labels, pair)
    torch.testing.assert_close(both, torch.stack([total(labels, p) for p in pair]))
    both = vmap(grad(total, argnums=1), in_dims=(0, None))(labels, phases)
    expected = torch.stack([grad(total, argnums=1)(k, phases) for k in labels])
    torch.testing.assert_close(both, expected, **NORM)


def test_compile():
    x = field(2, 6, 4)
    whole = torch.compile(lambda x: pl.homogenize(2 * x, spacing=(1, 2)).sum() * 3, fullgraph=True)
    eager, compiled = leaf(x), leaf(x)
    (pl.homogenize(2 * eager, spacing=(1, 2)).sum() * 3).backward()
    result = whole(compiled)
    result.backward()
    torch.testing.assert_close(compiled.grad, eager.grad)
    torch.testing.assert_close(whole(x), result.detach())  # without a gradient: compiled anew


@pytest.mark.parametrize("dynamic", [False, True])
def test_compile_more(dynamic):
    """What has no need of a C++ compiler."""
    options = {"fullgraph": True, "backend": "aot_eager", "dynamic": dynamic}
    labels, phases = labelled(3, 6, 4), torch.tensor([1.0, 3.0, 9.0])

    def f(labels, phases):
        return pl.homogenize(labels, phases=phases, threads=1, estimate="bracketed").sum()

    compiled = torch.compile(f, **options)
    torch.testing.assert_close(compiled(labels, phases), f(labels, phases))
    assert torch.isfinite(compiled(labels[:, :4], phases))  # another shape
    y, z = leaf(phases), leaf(phases)
    compiled(labels, y).backward()
    f(labels, z).backward()
    torch.testing.assert_close(y.grad, z.grad)
    solve = torch.compile(lambda x: pl.solve_correctors(x).correctors, **options)
    torch.testing.assert_close(solve(field(6, 4)), pl.solve_correctors(field(6, 4)).correctors)
    with pytest.raises(ValueError, match=r"conductivity\[0, 0\] is -1"):
        solve(-torch.ones(6, 4))


OPERATORS = torch.ops.pearlite
COMMON = (None, 1e-6, 1, "raise", 1e-4)  # spacing, rtol, threads, on_failure, gradient_rtol


@pytest.mark.parametrize("tensor", [False, True])
def test_opcheck(tensor):
    a = tensor_field(2, 4, 5) if tensor else field(2, 4, 5)
    phases = tensor_field(3) if tensor else torch.tensor([1, 2, 3])
    labels = labelled(2, 4, 5)
    chi = pl.solve_correctors(a, tensor=tensor).correctors
    cotangent = torch.eye(2).expand(2, 2, 2)
    kernel = (tensor, (0.1, 0.2), 1)
    for arguments in [(a, None, tensor), (labels, phases, tensor)]:
        for gradients, fields in [(False, False), (False, True), (True, True)]:
            check(OPERATORS.solve_correctors, *arguments, *COMMON, gradients, fields)
    check(OPERATORS.phase_indices, labels, phases, tensor, None)
    check(OPERATORS.pull_back, chi, None, cotangent, *kernel)
    check(OPERATORS.pull_back, chi, chi, cotangent, *kernel)
    check(OPERATORS.push_forward, chi, a, *kernel)
    check(OPERATORS.direction_loads, chi, a, *kernel)
    check(OPERATORS.solve_loads, a, chi, tensor, *COMMON)


def check(operator, *arguments):
    torch.library.opcheck(operator.default, arguments)


def test_forward_mode():
    x = field(4, 4)
    for call in (
        lambda: jvp(trace, (x,), (x,)),
        lambda: hessian(trace)(x),
        lambda: vmap(lambda x: jvp(trace, (x,), (x,))[1])(x[None]),
        lambda: jvp(vmap(trace), (x[None],), (x[None],)),
    ):
        with pytest.raises(NotImplementedError, match="no forward-mode derivatives"):
            call()
    with torch.autograd.forward_ad.dual_level():
        dual = torch.autograd.forward_ad.make_dual(x, x)
        with pytest.raises(NotImplementedError, match="no forward-mode derivatives"):
            trace(dual)
        phases = torch.autograd.forward_ad.make_dual(torch.ones(3), torch.ones(3))
        with pytest.raises(NotImplementedError, match="no forward-mode derivatives"):
            pl.homogenize(labelled(4, 4), phases=phases)


def test_third_derivatives():
    x = leaf(field(4, 4))
    (first,) = torch.autograd.grad(trace(x), x, create_graph=True)
    (second,) = torch.autograd.grad(first.square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="no autograd formula"):
        second.sum().backward()
    correctors = pl.solve_correctors(x).correctors
    (first,) = torch.autograd.grad(correctors.square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="no autograd formula"):
        first.sum().backward()
