"""What only a card can show, in one run: parity, derivatives and times, in one report.

``make gpu-check`` runs it on the card that cupy finds, and writes gpu-report.json. Times are
medians of events in a warm loop whose inputs rotate through more than the second cache holds. They
stand beside the bytes that an operation must move at the speed of a plain copy, and its
multiply-adds at that of a product of matrices, both on the same card in the same run; and beside
the same operation composed of cupy's own.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import numpy as np

import pearlite as pl
from pearlite import _cuda
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
    # So many bytes of a voxel, whatever its type: see docs/voxels-cuda.md.
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


def error_of(case: Case, cupy: Any) -> float:
    """Return the largest error of the card, relative to the largest entry of the CPU's result."""
    got = case.call(**{k: cupy.asarray(v) for k, v in case.arrays.items()})
    wanted = case.call(**{k: v.copy() for k, v in case.arrays.items()})
    pairs = zip(*(r if isinstance(r, tuple) else (r,) for r in (got, wanted)), strict=True)
    worst = 0.0
    for mine, theirs in pairs:
        scale = max(float(np.abs(theirs).max()), 1e-300) if case.bound else 1.0
        difference = mine.get().astype(np.float64) - np.asarray(theirs, np.float64)
        worst = max(worst, float(np.abs(difference).max()) / scale)
    return worst


def time_of(work: Callable[..., Any], turns: list[tuple[Any, ...]], cupy: Any, runs: int) -> float:
    """Return the median of the milliseconds of a call, warm, with inputs that rotate."""
    for arguments in turns:
        work(*arguments)
    times = []
    for k in range(runs):
        begin, end = cupy.cuda.Event(), cupy.cuda.Event()
        begin.record()
        work(*turns[k % len(turns)])
        end.record()
        end.synchronize()
        times.append(cupy.cuda.get_elapsed_time(begin, end))
    return statistics.median(times)


def copy_speed(cupy: Any, small: bool, runs: int) -> float:
    """Return the bytes a millisecond that a copy reads and writes."""
    size = 2**12 if small else 2**28
    source = cupy.zeros(size, np.float32)
    return 8 * size / time_of(lambda a: a.copy(), [(source,)], cupy, runs)


def product_speed(cupy: Any, dtype: Any, small: bool, runs: int) -> float:
    """Return the multiply-adds a millisecond of a product of matrices."""
    size = 32 if small else 4096
    factor = cupy.zeros((size, size), dtype)
    return size**3 / time_of(cupy.matmul, [(factor, factor)], cupy, runs)


def timings(case: Case, cupy: Any, small: bool, runs: int) -> dict[str, float]:
    """Return times beside the floor and the composition of cupy's operations."""
    each = sum(a.nbytes for a in case.arrays.values())
    count = 2 if small else max(2, min(16, -(-2 * 64 * 2**20 // each)))
    turns = [tuple(cupy.asarray(a) for a in case.arrays.values()) for _ in range(count)]
    found = {"pearlite": time_of(case.call, turns, cupy, runs)}
    if case.graphs:
        with mock.patch.dict(os.environ, {"PEARLITE_CUDA_GRAPHS": "0"}):
            found["one by one"] = time_of(case.call, turns, cupy, runs)
    if case.baseline is not None:
        baseline = case.baseline
        found["cupy"] = time_of(lambda *a: baseline(cupy, *a), turns, cupy, runs)
    return found


def derivatives() -> str:
    """Hold gradients of tensors on the card against differences."""
    try:
        import torch
    except ImportError:
        return "skipped: torch is not installed"
    device = "cpu" if _cuda.emulated() else "cuda"
    if device == "cuda" and not torch.cuda.is_available():
        return "skipped: torch sees no card"
    generator = torch.Generator().manual_seed(0)

    def leaf(*shape: int) -> Any:
        made = torch.rand(*shape, generator=generator, dtype=torch.float64)
        return made.to(device).requires_grad_()

    def relaxed(sites: Any, values: Any) -> Any:
        return pl.laguerre.relax(sites, None, values, shape=(5, 6), epsilon=0.05)

    check = torch.autograd.gradcheck
    check(relaxed, (leaf(4, 2), leaf(4)), fast_mode=True, nondet_tol=1e-12)
    check(pl.correlation.two_point, (leaf(4, 5), leaf(4, 5)), fast_mode=True)
    target = pl.correlation.bispectrum(leaf(4, 5).detach())
    check(lambda u: pl.correlation.bispectrum_loss(u, target), (leaf(4, 5),), fast_mode=True)
    check(lambda u: pl.correlation.descriptor(u, radius=1).gram, (leaf(4, 5),), fast_mode=True)
    return "passed"


def report(small: bool, runs: int) -> dict[str, Any]:
    """Run everything."""
    cupy = _cuda.library()
    speed = copy_speed(cupy, small, runs)
    products = {np.dtype(kind).name: product_speed(cupy, kind, small, runs) for kind in TYPES}
    rows = []
    for case in cases(small):
        first = next(iter(case.arrays.values()))
        rate = products.get(first.dtype.name, products["float32"])
        error = error_of(case, cupy)
        rows.append(
            {
                "operation": case.name,
                "dtype": first.dtype.name,
                "shape": [a.shape for a in case.arrays.values()],
                "error": error,
                "passed": error <= case.bound,
                "milliseconds": timings(case, cupy, small, runs),
                "floor": max(case.moved / speed, case.work / rate),
            }
        )
    return {
        "device": "emulated" if _cuda.emulated() else _device_name(cupy),
        "pearlite": pl.__version__,
        "cupy": cupy.__version__,
        "copy_gigabytes_a_second": speed / 1e6,
        "product_gigaoperations_a_second": {kind: v / 1e6 for kind, v in products.items()},
        "gradients": derivatives(),
        "rows": rows,
    }


def _device_name(cupy: Any) -> str:
    return str(cupy.cuda.runtime.getDeviceProperties(0)["name"].decode())


def main(arguments: list[str] | None = None) -> int:
    """Write the report; tell what failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="sizes for an emulated card")
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--output", type=Path, default=Path("gpu-report.json"))
    options = parser.parse_args(arguments)
    if not _cuda.emulated():
        try:
            count = _cuda.library().cuda.runtime.getDeviceCount()
        except Exception as error:
            print(f"no card: {error}", file=sys.stderr)
            return 2
        print(f"{count} card(s)")
    found = report(options.small, options.runs)
    fresh = options.output.with_name(options.output.name + ".part")
    fresh.write_text(json.dumps(found, indent=1) + "\n")
    fresh.replace(options.output)
    print(f"{found['device']}: a copy moves {found['copy_gigabytes_a_second']:.0f} GB/s")
    for row in found["rows"]:
        times = ", ".join(f"{k} {v:.3f} ms" for k, v in row["milliseconds"].items())
        verdict = "passed" if row["passed"] else "FAILED"
        print(
            f"{row['operation']:24}{row['dtype']:9}{verdict}  error {row['error']:.1e}  "
            f"{times}, floor {row['floor']:.3f} ms"
        )
    print(f"gradients: {found['gradients']}; written to {options.output}")
    return 0 if all(row["passed"] for row in found["rows"]) else 1


if __name__ == "__main__":
    sys.exit(main())
