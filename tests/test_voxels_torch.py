"""Torch tensors of voxels: values, first derivatives and transforms."""

import numpy as np
import pytest

import pearlite as pl

torch = pytest.importorskip("torch")

TIGHT = {"dim": 3, "rtol": 1e-10, "gradient_rtol": 1e-8}


def random_tensor(*shape, seed=0):
    values = np.random.default_rng(seed).uniform(1, 9, shape)
    return torch.tensor(values, requires_grad=True)


def test_values_are_those_of_numpy():
    voxels = random_tensor(2, 4, 5, 6).detach()
    effective = pl.homogenize(voxels, dim=3)
    assert np.array_equal(effective, pl.homogenize(voxels.numpy(), dim=3))
    solution = pl.solve_correctors(voxels, dim=3)
    assert solution.correctors.shape == (2, 3, 4, 5, 6)
    assert solution.converged.all()


@pytest.mark.parametrize("spacing", [None, (1.0, 0.5, 2.0)])
def test_gradient_in_voxels(spacing):
    voxels = random_tensor(2, 3, 2, 3)
    assert torch.autograd.gradcheck(
        lambda x: pl.homogenize(x, spacing=spacing, **TIGHT), (voxels,), atol=1e-6
    )


@pytest.mark.parametrize("shape", [(3,), (2, 3)])
def test_gradient_in_phases(shape):
    labels = torch.tensor(np.random.default_rng(1).integers(3, size=(2, 3, 4, 3), dtype=np.uint8))
    phases = random_tensor(*shape, seed=2)
    assert torch.autograd.gradcheck(
        lambda x: pl.homogenize(labels, phases=x, **TIGHT), (phases,), atol=1e-6
    )


def random_tensors(*shape, seed=0):
    """Symmetric positive definite (*shape, 3, 3)."""
    factors = np.random.default_rng(seed).normal(size=(*shape, 3, 3))
    return torch.tensor(factors @ factors.swapaxes(-1, -2) + np.eye(3), requires_grad=True)


def symmetric(x):
    return (x + x.mT) / 2


@pytest.mark.parametrize("spacing", [None, (1.0, 0.5, 2.0)])
def test_gradient_in_tensors(spacing):
    voxels = random_tensors(2, 2, 3, 2)
    settings = {"tensor": True, "spacing": spacing, **TIGHT}

    def solve(x):
        return pl.homogenize(symmetric(x), **settings)

    assert torch.autograd.gradcheck(solve, (voxels,), atol=1e-6)
    found = pl.homogenize(voxels.detach().numpy(), **settings)
    assert np.allclose(solve(voxels).detach(), found, rtol=1e-14)


def test_gradient_in_phases_that_are_tensors():
    labels = torch.tensor(np.random.default_rng(1).integers(2, size=(3, 2, 3), dtype=np.uint8))
    phases = random_tensors(2, 2, seed=2)

    def solve(x):
        return pl.homogenize(labels, phases=x, tensor=True, **TIGHT)

    assert torch.autograd.gradcheck(lambda x: solve(symmetric(x)), (phases,), atol=1e-6)
    mapped = torch.func.vmap(solve)(phases.detach())
    assert torch.allclose(mapped, solve(phases.detach()), rtol=1e-12)


def test_gradient_is_that_of_numpy():
    voxels = random_tensor(4, 3, 5)
    pl.homogenize(voxels, dim=3)[0, 1].backward()
    cotangent = np.zeros((3, 3))
    cotangent[0, 1] = 1
    _, gradient = pl.homogenize_with_gradient(voxels.detach().numpy(), cotangent, dim=3)
    assert np.array_equal(voxels.grad, gradient)


def test_transforms():
    voxels = random_tensor(3, 4, 3, 5).detach()
    per_cell = torch.func.vmap(torch.func.grad(lambda x: pl.homogenize(x, dim=3).trace()))(voxels)
    for cell, gradient in zip(voxels, per_cell, strict=True):
        own = cell.clone().requires_grad_()
        pl.homogenize(own, dim=3).trace().backward()
        assert torch.allclose(own.grad, gradient, rtol=1e-12)
    labels = torch.tensor(np.random.default_rng(3).integers(2, size=(4, 3, 3), dtype=np.uint8))
    tables = random_tensor(2, 2, seed=4).detach()
    mapped = torch.func.vmap(lambda x: pl.homogenize(labels, phases=x, dim=3))(tables)
    assert torch.equal(mapped, pl.homogenize(labels, phases=tables, dim=3))


def test_what_is_not_there_raises():
    voxels = random_tensor(3, 3, 3)
    solution = pl.solve_correctors(voxels, dim=3)
    with pytest.raises(NotImplementedError, match="first derivatives of effective tensors only"):
        solution.correctors.sum().backward()
    (gradient,) = torch.autograd.grad(pl.homogenize(voxels, dim=3)[0, 0], voxels, create_graph=True)
    with pytest.raises(NotImplementedError, match="no second ones"):
        gradient.sum().backward()
    with pytest.raises(ValueError, match="estimate='bracketed' is there in two dimensions only"):
        pl.homogenize(voxels, dim=3, estimate="bracketed")
    with pytest.raises(ValueError, match="spacing has shape"):
        pl.homogenize(voxels, dim=3, spacing=(1.0, 2.0))
