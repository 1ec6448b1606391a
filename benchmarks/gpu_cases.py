"""The operations that `gpu_check` runs on a card: their inputs, bytes, work and plain baselines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import pearlite as pl
from pearlite.correlation._window import half_window

TYPES = (np.float32, np.float64)


class Case(NamedTuple):
    """An operation: on the CPU and on the card it is the same call, but for its arrays."""

    name: str
    arrays: dict[str, np.ndarray[Any, Any]]
    call: Callable[..., Any]
    bound: float  # of the error, relative to the largest entry of the result; 0: equal
    moved: int  # bytes that have to be
    baseline: Callable[..., Any] | None = None  # takes cupy and the arrays
    work: float = 0.0  # multiply-adds that have to be, or as many operations on integers
    graphs: bool = False  # whether launches are repeated, by graphs of CUDA


def step_case(dtype: Any, shape: tuple[int, ...], batch: int) -> Case:
    """One step of Langevin dynamics, of images with one channel."""
    rng = np.random.default_rng(0)
    x, score = rng.normal(size=(2, batch, 1, *shape)).astype(dtype)

    def call(x: Any, score: Any) -> Any:
        return pl.langevin.step(x, score, 1e-3, seed=1, step=2), x

    def plain(cupy: Any, x: Any, score: Any) -> Any:
        noise = cupy.random.standard_normal(x.shape, dtype=x.dtype)
        return x + 1e-3 * score + 0.0447 * noise

    bound = 4 * float(np.finfo(dtype).eps)
    return Case("langevin.step", {"x": x, "score": score}, call, bound, 3 * x.nbytes, plain)


def assign_case(dtype: Any, shape: tuple[int, ...], seeds: int) -> Case:
    """Labels of one cell."""
    sites = np.random.default_rng(0).random((seeds, len(shape))).astype(dtype)
    call = lambda sites: pl.laguerre.assign(sites, shape=shape)  # noqa: E731
    moved = int(np.prod(shape)) * (1 if seeds <= 256 else 2)
    return Case("laguerre.assign", {"sites": sites}, call, 0, moved)


def relax_case(dtype: Any, shape: tuple[int, ...], seeds: int) -> Case:
    """A relaxed cell and its gradient."""
    rng = np.random.default_rng(0)
    sites, values = rng.random((seeds, len(shape))).astype(dtype), rng.normal(size=seeds)
    cotangent = rng.normal(size=shape).astype(dtype)
    epsilon = 0.05 * seeds ** (-2 / len(shape))

    def call(sites: Any, values: Any, cotangent: Any) -> Any:
        field, gradient = pl.laguerre.relax_with_gradient(
            sites, None, values, cotangent, shape=shape, epsilon=epsilon
        )
        return field, gradient.sites, gradient.values

    arrays = {"sites": sites, "values": values.astype(dtype), "cotangent": cotangent}
    bound = 1e-4 if dtype == np.float32 else 1e-10
    return Case("laguerre.relax", arrays, call, bound, 2 * cotangent.nbytes)


def two_point_case(dtype: Any, shape: tuple[int, ...], batch: int) -> Case:
    """Autocorrelations of a batch."""
    field = np.random.default_rng(0).normal(size=(batch, *shape)).astype(dtype)
    call = lambda field: pl.correlation.two_point(field, dim=len(shape))  # noqa: E731

    def plain(cupy: Any, field: Any) -> Any:
        axes = tuple(range(-len(shape), 0))
        spectrum = cupy.fft.rfftn(field, axes=axes)
        return cupy.fft.irfftn(abs(spectrum) ** 2, s=shape, axes=axes)

    bound = 1e-5 if dtype == np.float32 else 1e-12
    return Case("correlation.two_point", {"field": field}, call, bound, 2 * field.nbytes, plain)


def descriptor_case(dtype: Any, shape: tuple[int, ...], radius: int) -> Case:
    """Three-point correlations on a window."""
    field = np.random.default_rng(0).random(shape).astype(dtype)
    vectors = half_window((radius,) * len(shape))

    def call(field: Any) -> Any:
        found = pl.correlation.descriptor(field, radius=radius, levels=1)
        return found.gram, found.s2

    def plain(cupy: Any, field: Any) -> Any:
        u = field - field.mean()
        axes = tuple(range(field.ndim))
        moved = [cupy.roll(u, tuple(-v), axes).ravel() for v in vectors]
        factors = cupy.stack(moved)
        return cupy.matmul(factors * u.ravel(), factors.T)

    bound = 1e-5 if dtype == np.float32 else 1e-12
    work = 0.5 * len(vectors) ** 2 * field.size
    return Case(
        "correlation.descriptor", {"field": field}, call, bound, 2 * field.nbytes, plain, work
    )


def bispectrum_case(dtype: Any, shape: tuple[int, ...]) -> Case:
    """The distance of all three-point correlations, and its gradient."""
    field, other = np.random.default_rng(0).standard_normal((2, *shape)).astype(dtype)
    target = pl.correlation.bispectrum(other)
    call = pl.correlation.bispectrum_loss_with_gradient
    bound = 1e-4 if dtype == np.float32 else 1e-12
    arrays = {"field": field, "target": target}
    return Case("correlation.bispectrum_loss", arrays, call, bound, target.nbytes)


def measures_case(shape: tuple[int, ...], seeds: int) -> Case:
    """Volumes and centroids of the cells of one image."""
    sites = np.random.default_rng(0).random((seeds, len(shape)))
    labels = pl.laguerre.assign(sites, shape=shape)
    dim = len(shape)

    def call(labels: Any) -> Any:
        measures = pl.laguerre.volumes, pl.laguerre.centroids
        return tuple(measure(labels, seeds, dim=dim) for measure in measures)

    def plain(cupy: Any, labels: Any) -> Any:
        return cupy.bincount(labels.ravel(), minlength=seeds)

    moved = 5 * labels.nbytes  # two looks, volumes, and centroids in two passes
    return Case("laguerre.volumes and centroids", {"labels": labels}, call, 0, moved, plain)


def faces_case(shape: tuple[int, ...], seeds: int) -> Case:
    """Faces between the cells of one image, with their areas."""
    sites = np.random.default_rng(0).random((seeds, len(shape)))
    labels = pl.laguerre.assign(sites, shape=shape)

    def call(labels: Any, sites: Any) -> Any:
        faces = pl.laguerre.face_areas(labels, seeds, sites=sites, dim=len(shape))
        return faces.pairs, faces.areas

    arrays = {"labels": labels, "sites": sites}
    return Case("laguerre.face_areas", arrays, call, 1e-14, 2 * labels.nbytes)


def annealing_case(shape: tuple[int, ...], chains: int, proposals: int) -> Case:
    """Chains of simulated annealing, one a block."""
    image = (np.indices(shape).sum(axis=0) // 2 % 2).astype(np.uint8)

    def call(image: Any) -> Any:
        return pl.reconstruction.match(
            image, method="annealing", seed=1, chains=chains, evaluations=proposals,
            temperature=float(image.size), cooling=0.999,
        ).image  # fmt: skip

    work = 85 * image.size / 2 * chains * proposals
    return Case("annealing", {"image": image}, call, 0, image.nbytes, None, work)


def corrector_case(dtype: Any, shape: tuple[int, ...], batch: int) -> Case:
    """Effective tensors of cells of pixels or voxels with two phases, and a gradient."""
    rng = np.random.default_rng(0)
    cells = np.where(rng.random((batch, *shape)) < 0.5, 1, 10).astype(dtype)
    dim = len(shape)
    cotangent = np.eye(dim)

    def call(cells: Any) -> Any:
        return pl.homogenize_with_gradient(cells, cotangent, dim=dim, gradient_rtol=1e-3)

    if dim == 2:
        return Case("homogenize_with_gradient", {"cells": cells}, call, 2e-3, 2 * cells.nbytes)
    # 365 numbers a voxel move where a cell does not fit into a cache: see docs/voxels-cuda.md.
    name = "homogenize_with_gradient, voxels"
    return Case(name, {"cells": cells}, call, 2e-3, 365 * cells.nbytes, graphs=True)


def crystals_case(dtype: Any, shape: tuple[int, ...], batch: int) -> Case:
    """Effective tensors of cells of voxels with two crystals, and a gradient."""
    rng = np.random.default_rng(0)
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    phases = np.stack([np.diag([1.0, 1.0, 4.0]), turn * [1.0, 3.0, 9.0] @ turn.T])
    cells = phases[rng.integers(0, 2, (batch, *shape))].astype(dtype)
    cells = (cells + cells.swapaxes(-1, -2)) / 2

    def call(cells: Any) -> Any:
        settings = {"dim": 3, "tensor": True, "gradient_rtol": 1e-3}
        return pl.homogenize_with_gradient(cells, np.eye(3), **settings)

    # 665 numbers a voxel move: see docs/voxels-cuda.md.
    moved = 665 * cells.nbytes // 9
    return Case("homogenize_with_gradient, tensors of voxels", {"cells": cells}, call, 2e-3, moved)


def bounds_case(dtype: Any, shape: tuple[int, ...], batch: int) -> Case:
    """Two-sided bounds of a batch of cells of pixels or voxels with two phases."""
    rng = np.random.default_rng(0)
    cells = np.where(rng.random((batch, *shape)) < 0.5, 1, 10).astype(dtype)
    dim = len(shape)
    call = lambda cells: tuple(pl.bounds(cells, dim=dim))  # noqa: E731
    if dim == 2:
        return Case("bounds", {"cells": cells}, call, 4e-6, cells.nbytes)
    # So many bytes of a voxel, whatever its type: see docs/voxels-bounds.md.
    return Case("bounds, voxels", {"cells": cells}, call, 4e-6, 43_000 * cells.size)


def large_cell_case(dtype: Any, shape: tuple[int, ...]) -> Case:
    """One cell, which several blocks share."""
    cell = np.where(np.random.default_rng(0).random(shape) < 0.5, 1, 10).astype(dtype)
    call = lambda cell: pl.homogenize(cell)  # noqa: E731
    return Case("homogenize, one cell", {"cell": cell}, call, 2e-6, cell.nbytes, graphs=True)


def kernel_loss_case(dtype: Any, shape: tuple[int, ...], batch: int) -> Case:
    """The distance of all p-point correlations of a batch, and its gradient."""
    rng = np.random.default_rng(0)
    field = rng.random((batch, *shape)).astype(dtype)
    target = pl.correlation.KernelTarget(rng.integers(0, 2, shape), dtype=dtype)
    call = lambda field: pl.correlation.kernel_loss_with_gradient(field, target)  # noqa: E731
    bound = 1e-5 if dtype == np.float32 else 1e-11
    return Case("correlation.kernel_loss", {"field": field}, call, bound, 2 * field.nbytes)


def cases(small: bool) -> list[Case]:
    """All operations, types and dimensions, at sizes for a card or for its emulation."""
    found = []
    for dtype in TYPES:
        for plane in (True, False):
            shape = (
                ((24, 24) if plane else (8, 8, 12))
                if small
                else ((1024,) * 2 if plane else (192,) * 3)
            )
            many, seeds = (2, 20) if small else (16 if plane else 2, 2000)
            found += [
                step_case(dtype, shape, many), assign_case(dtype, shape, seeds),
                relax_case(dtype, shape, seeds), two_point_case(dtype, shape, many),
            ]  # fmt: skip
            cell = (
                ((8, 9) if plane else (4, 5, 3)) if small else ((64,) * 2 if plane else (16,) * 3)
            )
            radius = 2 if small else 31 if plane else 7
            found += [descriptor_case(dtype, cell, radius), bispectrum_case(dtype, cell)]
    for cell in ((8, 10), (4, 4, 6)) if small else ((64, 64), (16, 16, 16)):
        found.append(annealing_case(cell, *((2, 20) if small else (432, 2000))))
    for shape in ((24, 24), (8, 8, 12)) if small else ((4096, 4096), (256, 256, 256)):
        seeds = 20 if small else 5000
        found += [measures_case(shape, seeds), faces_case(shape, seeds)]
    for dtype in TYPES:
        cells: list[tuple[tuple[int, ...], int]] = [((64, 64), 4096), ((512, 512), 64)]
        cells += [((16,) * 3, 4096), ((64,) * 3, 1), ((64,) * 3, 64), ((256,) * 3, 1)]
        sizes = [((12, 13), 3), ((4, 5, 6), 2)] if small else cells
        found += [corrector_case(dtype, shape, batch) for shape, batch in sizes]
        found.append(crystals_case(dtype, *(((4, 5, 6), 2) if small else ((64,) * 3, 16))))
        found.append(bounds_case(dtype, *sizes[0]))
        found.append(bounds_case(dtype, *(((3, 4, 5), 2) if small else ((64,) * 3, 16))))
        large = [(128, 128)] if small else [(512, 512), (1024, 1024)]
        found += [large_cell_case(dtype, shape) for shape in large]
        found.append(kernel_loss_case(dtype, (12, 13) if small else (1024, 1024), 2))
    return found
