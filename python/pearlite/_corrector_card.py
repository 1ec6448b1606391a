"""Homogenization on a card: what `pearlite.corrector` does with arrays of cupy.

The host learns twice of what the card has found: which cells are defective, and which of them need
double precision; and at the end whether all have converged. Nothing else goes back and forth.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pearlite import _arrays, _bounds, _card_cells, _core, _cuda, corrector

_HEAD = 4608  # bytes of a solver's shared memory beside a cell's fields
_SMALL = 48 * 48  # pixels of a cell that a block of few threads solves
_MOST_WORKSPACE = 2**32  # bytes
_FLOAT32_ITERATIONS = 20


class Wanted(NamedTuple):
    """What a solve is asked for."""

    rtol: float
    corrector_rtol: float
    loads: Any = None  # (batch, 2, n0, n1) instead of unit mean gradients


def homogenize(
    conductivity: Any,
    phases: Any,
    dim: int,
    tensor: bool,
    spacing: float | Sequence[float] | None,
    options: corrector._Options,
    estimate: str,
) -> Any:  # (..., 2, 2)
    """Return effective tensors of arrays of cupy; see `pearlite.homogenize`."""
    with _card_cells.home(conductivity) as cupy:
        checked = _card_cells.cells(conductivity, phases, dim, tensor, spacing)
        if estimate == "variational":
            return solve(checked, options, fields=False).effective
        if estimate != "bracketed":
            raise ValueError(f"estimate is {estimate!r}; expected 'variational' or 'bracketed'")
        double = replace(checked, dtype=np.dtype(np.float64))
        upper = solve(double, options, fields=False).effective
        dual = solve(_dual(cupy, double), options, fields=False).effective
        mean = _geometric_mean(cupy, _turned_inverse(dual), upper)
        return mean.astype(checked.dtype, copy=False)


def solve_correctors(
    conductivity: Any,
    phases: Any,
    dim: int,
    tensor: bool,
    spacing: float | Sequence[float] | None,
    options: corrector._Options,
) -> corrector.Correctors:
    """Return correctors of arrays of cupy; see `pearlite.solve_correctors`."""
    with _card_cells.home(conductivity):
        checked = _card_cells.cells(conductivity, phases, dim, tensor, spacing)
        return solve(checked, options, fields=True)


def _dual(cupy: Any, checked: _arrays.Cells) -> _arrays.Cells:
    """Return cells of R k⁻¹ Rᵀ, R the quarter turn; their values have passed the solver."""
    name = "conductivity" if checked.phases is None else "phases"
    values: Any = checked.pixels if checked.phases is None else checked.phases
    smallest, largest = values, values
    if checked.tensor:
        largest = values[..., 0, 0] + values[..., 1, 1]
        smallest = cupy.where(largest > 0, _determinant(values) / largest, 0)
    if values.size:
        low, high = float(smallest.min().get()), float(largest.max().get())
        _bounds.check_range(name, low, high)
    values = values.astype(np.float64, copy=False)
    inverse = _turned_inverse(values) if checked.tensor else 1 / values
    if checked.phases is None:
        return replace(checked, pixels=inverse)
    return replace(checked, phases=inverse)


def _determinant(tensors: Any) -> Any:
    return tensors[..., 0, 0] * tensors[..., 1, 1] - tensors[..., 0, 1] * tensors[..., 1, 0]


def _turned_inverse(tensors: Any) -> Any:
    """Return R t⁻¹ Rᵀ = t / det t of symmetric tensors (..., 2, 2)."""
    return tensors / _determinant(tensors)[..., None, None]


def _geometric_mean(cupy: Any, first: Any, second: Any) -> Any:
    """Return the matrix mean of positive definite tensors (..., 2, 2)."""
    roots = [cupy.sqrt(_determinant(t))[..., None, None] for t in (first, second)]
    total = first / roots[0] + second / roots[1]
    return total * cupy.sqrt(roots[0] * roots[1] / _determinant(total)[..., None, None])


def solve(
    checked: _arrays.Cells, options: corrector._Options, fields: bool, gradients: bool = False
) -> corrector.Correctors:
    """Solve checked cells; as `corrector._solve`."""
    share = corrector._GRADIENT_SHARE * options.gradient_rtol if gradients else 1.0
    cupy = _cuda.library()
    solution = _solve(cupy, checked, Wanted(options.rtol, share), fields)
    effective, correctors, iterations, residual, converged = solution
    missed = f"rtol={options.rtol:g}"
    if share**2 < options.rtol:
        missed = f"gradient_rtol={options.gradient_rtol:g}"
    if _check_convergence(residual, converged, missed, checked, options):
        mask = converged.reshape(-1, 1)
        effective = cupy.where(mask, effective, np.nan)
        mask = mask.reshape((-1,) + (1,) * (correctors.ndim - 1))
        correctors = cupy.where(mask, correctors, checked.dtype.type(np.nan))
    batch = checked.batch
    return corrector.Correctors(
        effective=effective.astype(checked.dtype, copy=False).reshape(*batch, 2, 2),
        correctors=correctors.reshape(*batch, *correctors.shape[1:]),
        iterations=iterations.reshape(batch),
        residual=residual.reshape(batch),
        converged=converged.reshape(batch),
    )


def solve_loads(checked: _arrays.Cells, loads: Any, options: corrector._Options) -> Any:
    """Solve for other loads (cells, 2, n0, n1) than unit mean gradients."""
    cupy = _cuda.library()
    share = corrector._GRADIENT_SHARE * options.gradient_rtol
    given = cupy.ascontiguousarray(loads)
    _, found, _, residual, converged = _solve(cupy, checked, Wanted(1.0, share, given), True)
    missed = f"gradient_rtol={options.gradient_rtol:g}"
    if _check_convergence(residual, converged, missed, checked, options):
        found = cupy.where(converged.reshape(-1, 1, 1, 1), found, checked.dtype.type(np.nan))
    return found


def _check_convergence(
    residual: Any,
    converged: Any,
    missed: str,
    checked: _arrays.Cells,
    options: corrector._Options,
) -> bool:
    """Tell whether a cell has not converged, or raise if that is asked for."""
    reached = converged.get()
    if reached.all():
        return False
    if options.on_failure == "raise":
        raise corrector._failure(residual.get(), reached, missed, checked.batch)
    return True


def _solve(cupy: Any, checked: _arrays.Cells, wanted: Wanted, fields: bool) -> tuple[Any, ...]:
    """Return effective (batch, 4), correctors, iterations, residual and converged (batch,)."""
    batch = len(checked.pixels)
    found = _card_cells.find(checked, wanted.rtol, wanted.corrector_rtol, wanted.loads is not None)
    shape = (batch, 2, *checked.shape) if fields else (batch, 0)
    correctors = cupy.zeros(shape, checked.dtype)
    if fields and (found.kinds == _card_cells.IRREGULAR).any():
        irregular = np.flatnonzero(found.kinds == _card_cells.IRREGULAR)
        correctors[cupy.asarray(irregular)] = np.nan
    effective, residual = cupy.zeros((batch, 4), np.float64), cupy.zeros((batch,), np.float64)
    iterations, converged = cupy.zeros((batch,), np.int32), cupy.ones((batch,), np.uint8)
    results = effective, residual, iterations, converged, correctors if fields else None
    single = np.flatnonzero(found.kinds == _card_cells.SINGLE)
    double = np.flatnonzero(found.kinds == _card_cells.DOUBLE)
    if single.size:
        _launch(cupy, checked, wanted, found, single, np.float32, results)
        double = np.concatenate([double, np.flatnonzero(converged.get() == 0)])
    if double.size:
        _launch(cupy, checked, wanted, found, double, np.float64, results)
    if wanted.loads is None:
        _card_cells.launch(
            "limits",
            (_card_cells.pixels(checked), np.int64(batch), found.ranges, found.flags, found.keys,
             found.known, effective),
            _cuda.blocks(batch, _card_cells.BLOCK),
        )  # fmt: skip
    return effective, correctors, iterations, residual, converged.view(np.bool_)


def _launch(
    cupy: Any,
    checked: _arrays.Cells,
    wanted: Wanted,
    found: _card_cells.Found,
    members: NDArray[np.intp],
    real: Any,
    results: tuple[Any, ...],
) -> None:
    """Solve some of the cells in one precision of conjugate gradients."""
    planar = checked.tensor or checked.spacing[0] != checked.spacing[1]
    pieces = 4 if planar else 1
    levels, floats = _levels(*checked.shape)
    size = math.prod(checked.shape)
    field = memory_bytes(size, floats, np.dtype(real).itemsize, pieces)
    shared, workspace, blocks = _HEAD + field, None, members.size
    properties = _cuda.properties()
    if shared > properties.shared:
        shared = _HEAD
        at_once = min(2 * properties.multiprocessors, max(1, _MOST_WORKSPACE // field))
        blocks = min(members.size, at_once)
        workspace = cupy.empty((blocks, field), np.uint8)
    most = corrector._MAX_ITERATIONS if real is np.float64 else _FLOAT32_ITERATIONS
    # Very small tolerances leave half of it to rounding.
    rtol = 0.5 * wanted.rtol if wanted.rtol < 1e-8 else wanted.rtol
    loads = wanted.loads
    asked = _cuda.packed(rtol, wanted.corrector_rtol, most, int(loads is not None), wanted.rtol)
    pointers = [0 if a is None else a.data.ptr for a in (*results, loads)]
    wide = int(checked.dtype == np.float64)
    spacing = [float(size) for size in checked.spacing]
    _cuda.launch(
        "corrector", "solve",
        (_card_cells.pixels(checked), asked, _cuda.packed(pointers, wide, spacing),
         cupy.asarray(levels), np.int32(len(levels)), found.known,
         cupy.asarray(members.astype(np.int64)), np.int32(members.size),
         cupy.zeros((1,), np.int32), workspace, np.int64(field)),
        grid=(min(blocks, 2**31 - 1),), block=256 if size <= _SMALL else 512, shared=shared,
        dtype=real, TENSOR=int(planar),
    )  # fmt: skip


def memory_bytes(size: int, floats: int, width: int, pieces: int) -> int:
    """Return the bytes of a cell's fields, which the kernel's Memory hands out."""
    fields = size * (3 * 2 * width + 2 * 4 + (2 * width if width == 8 else 0))
    even = size + size % 2
    couplings = even * (pieces * width + 4)
    return -(-(fields + couplings + 4 * floats) // 16) * 16


@functools.lru_cache(maxsize=64)
def _levels(n0: int, n1: int) -> tuple[NDArray[np.int32], int]:
    """Return the grids of a cell as the kernel's Level has them, and the floats they take."""
    grids = _core.coarse_grids(n0, n1)  # (rows, cols, gap0, gap1) each
    found, place = [], 0

    def take(count: int) -> int:
        nonlocal place
        begin = place
        place += count + count % 2  # pairs are aligned
        return begin

    for number, (rows, cols, gap0, gap1) in enumerate(grids):
        size = rows * cols
        own = [take(5 * size), take(2 * size), take(2 * size)] if number else [0, 0, 0]
        last = number + 1 == len(grids)
        weights = 0 if last else take(2 * math.prod(grids[number + 1][:2]))
        found.append([rows, cols, gap0, gap1, weights, *own])
    levels = np.array(found, np.int32)
    levels.flags.writeable = False
    return levels, place
