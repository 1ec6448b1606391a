"""Sliced Wasserstein distances of torch tensors."""

import numpy as np
import pytest

import pearlite as pl

torch = pytest.importorskip("torch", reason="torch is not installed")

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning:torch", "ignore::FutureWarning:torch"
)
sliced_wasserstein = pl.inversion.sliced_wasserstein
SortedProjections = pl.inversion.SortedProjections


def samples(count, dim, seed, dtype=torch.float64):
    values = np.random.default_rng(seed).standard_normal((count, dim))
    return torch.from_numpy(values).to(dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("other", [40, 31])
@pytest.mark.parametrize("options", [{}, {"order": 1}, {"root": True}], ids=str)
def test_values_and_gradients_are_those_of_numpy(dtype, other, options):
    kind = getattr(torch, dtype)
    x, y = samples(40, 3, 1, kind).requires_grad_(), samples(other, 3, 2, kind).requires_grad_()
    value = sliced_wasserstein(x, y, **options)
    assert value.dtype == torch.float64
    (3 * value).backward()
    first, second = x.detach().numpy(), y.detach().numpy()
    expected, slope = sliced_wasserstein(first, second, gradient=True, **options)
    assert value.item() == expected
    np.testing.assert_allclose(x.grad.numpy(), 3 * slope, rtol=1e-6)
    mirrored = sliced_wasserstein(second, first, gradient=True, **options)[1]
    np.testing.assert_allclose(y.grad.numpy(), 3 * mirrored, rtol=1e-6)
    x.grad = None
    prepared = SortedProjections(second)
    (3 * sliced_wasserstein(x, prepared, **options)).backward()
    np.testing.assert_allclose(x.grad.numpy(), 3 * slope, rtol=1e-6)
    found = sliced_wasserstein(x, prepared, gradient=True, **options)
    np.testing.assert_array_equal(found[1].numpy(), slope)


@pytest.mark.parametrize("dim", [1, 2, 4])
@pytest.mark.parametrize(("count", "other"), [(9, 9), (8, 5)])
def test_gradcheck(dim, count, other):
    x, y = samples(count, dim, 1).requires_grad_(), samples(other, dim, 2).requires_grad_()
    weights = torch.linspace(1, 2, count, dtype=torch.float64)
    for options in ({}, {"weights": weights}, {"root": True}):
        assert torch.autograd.gradcheck(
            lambda a, b, o=options: sliced_wasserstein(a, b, directions=7, **o), (x, y)
        )
    prepared = SortedProjections(y.detach().numpy(), directions=7)
    assert torch.autograd.gradcheck(lambda a: sliced_wasserstein(a, prepared), x)


def test_one_component():
    x = samples(9, 1, 1)[:, 0].requires_grad_()
    sliced_wasserstein(x, [0.0, 1.0]).backward()
    expected = sliced_wasserstein(x.detach().numpy(), [0.0, 1.0], gradient=True)[1]
    np.testing.assert_array_equal(x.grad.numpy(), expected)


def test_opcheck():
    x, y = samples(6, 2, 1), samples(5, 2, 2)
    target = SortedProjections(y.numpy(), directions=3)
    theta, ascending = torch.from_numpy(target.directions), torch.from_numpy(target.sorted)
    weights = torch.ones(6, dtype=torch.float64)
    for gradient in (False, True):
        arguments = (x, y, theta, weights, None, 2, False, gradient, 1)
        torch.library.opcheck(torch.ops.pearlite.sliced_wasserstein, arguments)
        arguments = (x, theta, ascending, None, None, 0.0, weights, 2, True, gradient, 1)
        torch.library.opcheck(torch.ops.pearlite.sliced_wasserstein_sorted, arguments)


def test_a_descent_finds_the_other_sample():
    x, y = samples(60, 2, 1).requires_grad_(), samples(60, 2, 2) + 2
    start = sliced_wasserstein(x, y).item()
    optimizer = torch.optim.SGD([x], lr=30)
    for _ in range(60):
        optimizer.zero_grad()
        value = sliced_wasserstein(x, y)
        value.backward()
        optimizer.step()
    assert value.item() < 1e-4 * start


def test_what_has_no_derivative_says_so():
    x, y = samples(6, 2, 1).requires_grad_(), samples(6, 2, 2)
    (slope,) = torch.autograd.grad(sliced_wasserstein(x, y), x, create_graph=True)
    with pytest.raises(NotImplementedError, match="once"):
        slope.sum().backward()
    with pytest.raises(ValueError, match="weights requires a gradient"):
        sliced_wasserstein(x, y, weights=torch.ones(6, requires_grad=True))


def test_errors_name_the_argument():
    x = samples(6, 2, 1)
    with pytest.raises(TypeError, match="x has dtype"):
        sliced_wasserstein(x.half(), x)
    with pytest.raises(TypeError, match="x has dtype float32; expected float64"):
        sliced_wasserstein(x.float(), SortedProjections(x.numpy()))
    with pytest.raises(ValueError, match="x has 2 components; expected 3"):
        sliced_wasserstein(x, samples(6, 3, 1))
    with pytest.raises(ValueError, match="x has entries"):
        sliced_wasserstein(x * torch.nan, SortedProjections(x.numpy()))
