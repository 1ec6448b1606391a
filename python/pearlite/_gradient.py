"""Derivatives of effective conductivities, for numpy arrays.

The energy that A* minimizes is stationary in the correctors. Its derivative in the conductivity of
a pixel P is therefore that at fixed correctors, an integral of squared slopes:

.. math:: ∂A^*_{ij}/∂a_P = ∫_P (e_i + ∇χ_i) · (e_j + ∇χ_j).
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pearlite import _arrays, _core, _cuda, corrector


def homogenize_with_gradient(
    conductivity: ArrayLike,
    cotangent: ArrayLike,
    *,
    phases: ArrayLike | None = None,
    dim: int = 2,
    tensor: bool = False,
    spacing: float | Sequence[float] | None = None,
    rtol: float = 1e-6,
    threads: int | None = None,
    on_failure: corrector.OnFailure = "raise",
    gradient_rtol: float = 1e-4,
) -> tuple[corrector.Floats, corrector.Floats]:
    """Return effective conductivities and the gradient of a function of them.

    With the cotangent G of each cell, G_ij = ∂f/∂A*_ij, it is the vector-Jacobian product

    .. math:: g = Σ_{ij} G_{ij} ∂A^*_{ij}/∂a = Σ_{ij} G_{ij} ∫ (e_i + ∇χ_i) · (e_j + ∇χ_j),

    an integral over the pixel whose conductivity is a. It needs no further solve.

    Parameters
    ----------
    conductivity, phases, dim, tensor, spacing, rtol, threads, on_failure
        As for `homogenize`.
    cotangent : (..., d, d) array
        G, in float32 or float64; its leading axes broadcast to the batch.
    gradient_rtol : float
        Bound of the relative error of the gradient, from 1e-8 to 0.1: the error δg of g satisfies
        Σ a |δg| ≤ gradient_rtol ‖G‖ ‖A*‖, a sum over the pixels of a cell and Frobenius norms.
        With tensors a |δg| means the sum of the absolute eigenvalues of the product a δg. Results
        in float32 are also rounded, which adds up to about 1e-5. Pixels of conductivity 0 weigh
        nothing in that: their gradients are indicative only.

    Returns
    -------
    effective : (..., d, d) array
        As from `homogenize`.
    gradient : array
        Of the shape of `conductivity` or, if they are given, of `phases`; with ``tensor=True`` its
        tensors are symmetric. Cells that failed with ``on_failure="nan"`` make it NaN.

    Raises
    ------
    TypeError, ValueError
        If an argument has no meaning; the message names it, and the first bad pixel.
    ConvergenceError
        If a cell does not reach `rtol` or `gradient_rtol`.

    See Also
    --------
    homogenize : takes torch tensors, which know their gradients themselves.

    Notes
    -----
    Sources: E. J. Haug, K. K. Choi and V. Komkov, *Design Sensitivity Analysis of Structural
    Systems* (1986), chapter 1, derivatives of minimal energies.

    Examples
    --------
    A* of layers across them is the harmonic mean h of their conductivities a, with ∂h/∂a = h²/2a²
    for two layers:

    >>> import numpy as np
    >>> import pearlite as pl
    >>> layers = np.zeros((4, 6), np.uint8)
    >>> layers[::2] = 1
    >>> across = [[1, 0], [0, 0]]
    >>> effective, gradient = pl.homogenize_with_gradient(layers, across, phases=[1, 10])
    >>> effective[0, 0].round(4), gradient.round(4)
    (np.float64(1.8182), array([1.6529, 0.0165]))
    """
    options = corrector._options(rtol, threads, on_failure, gradient_rtol)
    if _cuda.is_array(conductivity, cotangent, phases):
        from pearlite import _gradient_card as card  # which imports this module

        return card.homogenize_with_gradient(
            conductivity, cotangent, phases, dim, tensor, spacing, options
        )
    cells = _arrays.cells(conductivity, phases, dim, tensor, spacing)
    weights = _cotangent(cotangent, cells.batch, dim)
    solution = corrector._solve(cells, options, fields=True, gradients=True)
    return solution.effective, pulled_back(cells, solution.correctors, weights, options.threads)


def pulled_back(
    cells: _arrays.Cells,
    correctors: corrector.Floats,
    weights: NDArray[np.float64],
    threads: int,
) -> corrector.Floats:
    """Return Σ G_ij ∂A*_ij for cotangents G (cells, d, d): in the pixels, or in the phases."""
    dim = len(cells.shape)
    fields = correctors.reshape(-1, dim, *cells.shape)
    if dim == 3:
        pixels = _core.pull_back_voxels(fields, weights, cells.tensor, cells.spacing, threads)
    else:
        pixels = _core.pull_back(fields, None, weights, cells.tensor, cells.spacing, threads)
    if cells.phases is None:
        return pixels.reshape(*cells.batch, *pixels.shape[1:])
    return _phase_sums(cells, pixels)


def solve_loads(
    cells: _arrays.Cells, loads: corrector.Floats, options: corrector._Options
) -> corrector.Floats:
    """Solve for other loads (cells, 2, n0, n1) than unit mean gradients."""
    solution = _core.solve_loads(
        cells.pixels,
        cells.tensor,
        cells.spacing,
        loads,
        corrector._GRADIENT_SHARE * options.gradient_rtol,
        options.threads,
        corrector._MAX_ITERATIONS,
    )
    if solution is None:
        _arrays.raise_defect(cells, options.threads)
    fields, _, residual, converged = solution
    if not converged.all():
        if options.on_failure == "raise":
            missed = f"gradient_rtol={options.gradient_rtol:g}"
            raise corrector._failure(residual, converged, missed, cells.batch)
        fields[~converged] = np.nan
    return fields


def _cotangent(value: ArrayLike, batch: tuple[int, ...], dim: int) -> NDArray[np.float64]:
    """Return a cotangent (cells, dim, dim) in double precision."""
    array = _arrays.as_numpy("cotangent", value)
    if array.dtype.kind not in "iuf":
        raise TypeError(f"cotangent has dtype {array.dtype}; expected float32 or float64")
    shape = (*batch, dim, dim)
    try:
        fitting = np.broadcast_to(array.astype(np.float64), shape)
    except ValueError:
        fitting = None
    if fitting is None or array.shape[-2:] != (dim, dim):
        raise ValueError(f"cotangent has shape {array.shape}; expected {shape}")
    return _arrays.packed(fitting, (-1, dim, dim))


def _phase_sums(cells: _arrays.Cells, pixels: corrector.Floats) -> corrector.Floats:
    """Sum a gradient in the pixels (cells, *shape[, d, d]) over each entry of phases."""
    assert cells.phases is not None
    entry = (len(cells.shape),) * 2 if cells.tensor else ()
    count = cells.phases.shape[-1 - len(entry)]
    columns = pixels.reshape(len(pixels), math.prod(cells.shape), -1)
    sums = np.empty((len(pixels), count, columns.shape[-1]))
    for cell, labels in enumerate(cells.pixels):
        for k in range(columns.shape[-1]):
            sums[cell, :, k] = np.bincount(labels.ravel(), columns[cell, :, k], count)
    result: corrector.Floats = shared_sums(cells, sums)
    return result.astype(cells.dtype, copy=False)


def shared_sums(cells: _arrays.Cells, sums: Any) -> Any:
    """Return sums (cells, P, ...) in the shape of phases; cells that share entries are added."""
    entry = sums.shape[1], *((len(cells.shape),) * 2 if cells.tensor else ())
    ranks = len(cells.batch), len(cells.phases_batch)
    own = (1,) * (ranks[0] - ranks[1]) + cells.phases_batch
    shared = tuple(axis for axis, size in enumerate(own) if size == 1)
    total = sums.reshape(*cells.batch, *entry)
    if shared:
        total = total.sum(axis=shared)
    return total.reshape(*cells.phases_batch, *entry)
