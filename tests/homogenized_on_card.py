"""What holds of everything that is homogenized on the emulated card, beside the CPU's."""

import numpy as np
from emulator import stand_in as cupy

import pearlite as pl
from pearlite import _voxels_card


def error(got, wanted):
    """The largest relative error of a cell in the Frobenius norm."""
    difference = np.linalg.norm(got.get().astype(float) - wanted, axis=(-1, -2))
    return (difference / np.linalg.norm(wanted, axis=(-1, -2))).max()


def hold(conductivity, bound=1e-6, **options):
    """Hold the card's result against one that is far better; -> the solution, and the CPU's."""
    got = pl.solve_correctors(cupy.asarray(conductivity), **options)
    plain = conductivity if "phases" in options else conductivity.astype(float)
    exact = pl.homogenize(plain, **(options | {"rtol": 1e-10}))
    assert error(got.effective, exact) <= bound
    assert got.converged.get().all()
    assert (got.residual.get() <= options.get("rtol", 1e-6)).all()
    cpu = pl.solve_correctors(conductivity, **options)
    for name in got.__dataclass_fields__:
        mine, theirs = getattr(got, name), getattr(cpu, name)
        assert isinstance(mine, cupy.ndarray)
        assert (mine.shape, mine.dtype) == (theirs.shape, theirs.dtype)
    return got, cpu


def hold_passes(check, cells):
    """What small cells do in one block is done by passes over each grid."""
    cupy.machine.launches.clear()
    check(cells, spacing=(1.0, 0.7, 1.0))
    kernels = {launch.kernel for launch in cupy.machine.launches}
    assert {"residual", "restrict_to", "cycle", "prolong", "smooth"} <= kernels


def hold_order_and_company(monkeypatch, cells, **options):
    """Whatever the order of threads and blocks, and the other cells: equal bits."""
    results = []
    for order, room in ((0, 2**32), (1, 2**32), (77, 1)):
        monkeypatch.setattr(cupy.machine, "order", order)
        monkeypatch.setattr(_voxels_card, "_MOST_WORKSPACE", room)
        results.append(pl.homogenize(cupy.asarray(cells), **options).get())
    results.append([pl.homogenize(cupy.asarray(cell), **options).get() for cell in cells])
    assert all(np.array_equal(result, results[0]) for result in results)


def hold_correctors(some, **options):
    """-> the correctors"""
    got = pl.solve_correctors(cupy.asarray(some), rtol=1e-10, **options).correctors.get()
    wanted = pl.solve_correctors(some, rtol=1e-10, **options).correctors
    tolerance = 1e-4 if some.dtype == np.float32 else 2e-5
    np.testing.assert_allclose(got, wanted, atol=tolerance * np.abs(wanted).max())
    return got


def hold_gradients(some, cotangent, **options):
    """-> the tensors and the gradient"""
    wanted = pl.homogenize_with_gradient(some, cotangent, **options)
    got = pl.homogenize_with_gradient(cupy.asarray(some), cupy.asarray(cotangent), **options)
    for mine, theirs in zip(got, wanted, strict=True):
        assert (mine.shape, mine.dtype) == (theirs.shape, theirs.dtype)
        tolerance = 1e-5 if cotangent.dtype == np.float32 else 1e-7
        np.testing.assert_allclose(mine.get(), theirs, atol=tolerance * np.abs(theirs).max())
    return got


def with_and_without_card(monkeypatch, labels, phases, **options):
    """-> the tensors of torch tensors, and the gradient in their phases, there and on the CPU"""
    import torch

    found = []
    for card in ("emulate", ""):
        monkeypatch.setenv("PEARLITE_CUDA", card)
        phases.grad = None
        effective = pl.homogenize(torch.from_numpy(labels), phases=phases, **options)
        effective.square().sum().backward()
        found.append((effective.detach().numpy(), phases.grad.numpy().copy()))
    return zip(*found, strict=True)


def hold_transforms(effective, cells):
    """Derivatives of cells one by one, by torch.func, are those of all together."""
    import torch

    each = torch.func.vmap(torch.func.grad(lambda a: effective(a).trace()))(cells.detach())
    whole = torch.autograd.grad(effective(cells).diagonal(dim1=-1, dim2=-2).sum(), cells)[0]
    torch.testing.assert_close(each, whole)
