"""Homogenization on a card: what `pearlite.corrector` does with arrays of cupy.

The host learns twice of what the card has found: which cells are defective, and which of them need
double precision; and at the end whether all have converged. Of few large cells it also asks from
time to time whether all have. Nothing else goes back and forth.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pearlite import (
    _arrays,
    _bounds,
    _card_cells,
    _core,
    _corrector_tiles,
    _cuda,
    _threads,
    _voxels_card,
    corrector,
)
from pearlite._corrector_launch import Problem, Wanted, one_block


def homogenize(
    conductivity: Any,
    phases: Any,
    dim: int,
    tensor: bool,
    spacing: float | Sequence[float] | None,
    options: corrector._Options,
    estimate: str,
) -> Any:  # (..., d, d)
    """Return effective tensors of arrays of cupy; see `pearlite.homogenize`."""
    with _card_cells.home(conductivity):
        checked = _card_cells.cells(conductivity, phases, dim, tensor, spacing)
        if dim == 3:
            _arrays.check_volumes(estimate)
        if estimate == "variational":
            return solve(checked, options, fields=False).effective
        return _bounds.estimate(checked, options)


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


def solve(
    checked: _arrays.Cells, options: corrector._Options, fields: bool, gradients: bool = False
) -> corrector.Correctors:
    """Solve checked cells; as `corrector._solve`."""
    dim = len(checked.shape)
    known = corrector._GRADIENT_SHARE_3D if dim == 3 else corrector._GRADIENT_SHARE
    share = known * options.gradient_rtol if gradients else 1.0
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
        effective=effective.astype(checked.dtype, copy=False).reshape(*batch, dim, dim),
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
    """Return effective (batch, d²), correctors, iterations, residual and converged (batch,)."""
    batch, dim = len(checked.pixels), len(checked.shape)
    found = _card_cells.find(checked, wanted.rtol, wanted.corrector_rtol, wanted.loads is not None)
    shape = (batch, dim, *checked.shape) if fields else (batch, 0)
    correctors = cupy.zeros(shape, checked.dtype)
    if fields and (found.kinds == _card_cells.IRREGULAR).any():
        irregular = np.flatnonzero(found.kinds == _card_cells.IRREGULAR)
        correctors[cupy.asarray(irregular)] = np.nan
    effective, residual = cupy.zeros((batch, dim**2), np.float64), cupy.zeros((batch,), np.float64)
    iterations, converged = cupy.zeros((batch,), np.int32), cupy.ones((batch,), np.uint8)
    results = effective, residual, iterations, converged, correctors if fields else None
    single = np.flatnonzero(found.kinds == _card_cells.SINGLE)
    double = np.flatnonzero(found.kinds == _card_cells.DOUBLE)
    if single.size:
        _launch(Problem(checked, wanted, found, single, np.float32, results))
        double = np.concatenate([double, np.flatnonzero(converged.get() == 0)])
    if double.size:
        _launch(Problem(checked, wanted, found, double, np.float64, results))
    if wanted.loads is None:
        _card_cells.launch(
            "limits",
            (_card_cells.pixels(checked), np.int64(batch), found.ranges, found.flags, found.keys,
             found.known, effective),
            _cuda.blocks(batch, _card_cells.BLOCK), dim=dim,
        )  # fmt: skip
    far = np.flatnonzero(found.kinds == _card_cells.FAR)
    if far.size:
        _solve_on_host(cupy, checked, wanted, far, results)
    return effective, correctors, iterations, residual, converged.view(np.bool_)


def _launch(problem: Problem) -> None:
    if len(problem.checked.shape) == 3:
        _voxels_card.solve(problem)
    elif _corrector_tiles.better(problem):
        _corrector_tiles.solve(problem)
    else:
        one_block(problem)


def _solve_on_host(
    cupy: Any,
    checked: _arrays.Cells,
    wanted: Wanted,
    members: NDArray[np.intp],
    results: tuple[Any, ...],
) -> None:
    """Solve cells that the card does not know the percolation of."""
    effective, residual, iterations, converged, correctors = results
    where, count = cupy.asarray(members), _threads.count(None)
    pixels: Any = checked.pixels[where].get()
    table: Any = checked.phases
    if table is not None:
        shared = table.ndim == (3 if checked.tensor else 1)
        table = (table if shared else table[where]).get()
    found: Any
    if wanted.loads is not None:
        found = _core.solve_loads(
            pixels, checked.tensor, checked.spacing, wanted.loads[where].get(),
            wanted.corrector_rtol, count, corrector._MAX_ITERATIONS,
        )  # fmt: skip
    else:
        found = _core.solve_correctors(
            pixels, table, checked.tensor, checked.spacing, wanted.rtol, count,
            corrector._MAX_ITERATIONS, None if correctors is None else checked.dtype,
            wanted.corrector_rtol,
        )  # fmt: skip
        tensors, *found = found
        effective[where] = cupy.asarray(tensors.reshape(len(members), -1))
    fields, *others = found
    for array, values in zip((iterations, residual, converged), others, strict=True):
        array[where] = cupy.asarray(values.astype(array.dtype))
    if correctors is not None:
        correctors[where] = cupy.asarray(fields)
