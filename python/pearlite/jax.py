"""Effective conductivities of JAX arrays, with reverse-mode derivatives.

`homogenize` works under `jax.jit`, `jax.vmap`, `jax.grad` and `jax.vjp`. It calls the kernels of
this process on the CPU, once for a whole batch (`jax.pure_callback`).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache, partial
from typing import Any

import jax as _jax
import numpy as np
import numpy.typing as npt

from pearlite import _arrays, _gradient, corrector

__all__ = ["homogenize"]

Array = Any  # jax.Array


def homogenize(
    conductivity: Array,
    *,
    phases: Array | None = None,
    dim: int = 2,
    spacing: float | Sequence[float] | None = None,
    rtol: float = 1e-6,
    gradient_rtol: float = 1e-4,
    threads: int | None = None,
) -> Array:
    """Return the effective conductivity of each periodic microstructure of a batch.

    Parameters
    ----------
    conductivity : (..., n0, n1) or, with dim=3, (..., n0, n1, n2) jax.Array
        float32 or float64 conductivities, or integer labels with `phases`.
    phases : (P,) or (..., P) jax.Array, optional
        Conductivities of the labels.
    dim, spacing, rtol, gradient_rtol, threads
        As for `pearlite.homogenize` and `pearlite.homogenize_with_gradient`.

    Returns
    -------
    (..., d, d) jax.Array
        float64 where the conductivities are, else float32. Derivatives with respect to
        conductivities, or to phases, are taken in reverse mode, once.

    Raises
    ------
    TypeError, ValueError, ConvergenceError
        As `pearlite.homogenize`. Within `jax.jit`, JAX raises what the kernels raise as an error of
        its own that quotes it.

    Notes
    -----
    The forward pass of a gradient keeps the d (d + 1) / 2 sensitivities of each pixel, or phase:
    it needs no further solve, and the backward pass is a sum.

    Examples
    --------
    A* of layers across them is the harmonic mean:

    >>> import jax, jax.numpy as jnp
    >>> import pearlite.jax
    >>> layers = jnp.ones((4, 6)).at[::2].set(10.0)
    >>> pearlite.jax.homogenize(layers).diagonal().round(4)
    Array([1.8182, 5.5   ], dtype=float32)
    >>> slope = jax.grad(lambda a: pearlite.jax.homogenize(a)[0, 0])(layers)
    >>> slope.sum(axis=1)[:2].round(4)  # h² / 2 a² for each layer, of two kinds and four layers
    Array([0.0083, 0.8264], dtype=float32)
    """
    _arrays.check_dimension(dim)
    images = _jax.numpy.asarray(conductivity)
    sizes = None if spacing is None else _arrays.pixel_sizes(spacing, (1,) * dim)
    _arrays.check_axes(images, False, dim)
    solve = _operator(dim, sizes, rtol, gradient_rtol, threads)
    if phases is None:
        if not _jax.numpy.issubdtype(images.dtype, _jax.numpy.floating):
            raise TypeError(f"conductivity has dtype {images.dtype}: labels need phases=...")
        return solve(images, None)
    table = _jax.numpy.asarray(phases)
    if not _jax.numpy.issubdtype(table.dtype, _jax.numpy.floating):
        table = table.astype(float)
    if table.ndim < 1:
        raise ValueError("phases has no axis; expected (P,) or (..., P)")
    # Each cell has phases of its own: what cells share takes the sum of their slopes.
    batch = np.broadcast_shapes(images.shape[: images.ndim - dim], table.shape[:-1])
    images = _jax.numpy.broadcast_to(images, (*batch, *images.shape[images.ndim - dim :]))
    return solve(_jax.numpy.broadcast_to(table, (*batch, table.shape[-1])), images)


@lru_cache(maxsize=64)
def _operator(
    dim: int,
    spacing: tuple[float, ...] | None,
    rtol: float,
    gradient_rtol: float,
    threads: int | None,
) -> Any:
    """Return the differentiable function of (conductivities, labels or None) for these options."""
    options = corrector._options(rtol, threads, "raise", gradient_rtol)
    solve = partial(_solve, dim=dim, spacing=spacing, options=options)

    @_jax.custom_vjp
    def homogenized(values: Array, labels: Array | None) -> Array:
        result = _shape_of_result(values, labels, dim)
        return _call(partial(solve, slopes=False), result, values, labels)

    def forward(values: Array, labels: Array | None) -> tuple[Array, Any]:
        result = _shape_of_result(values, labels, dim)
        count = dim * (dim + 1) // 2
        batch = result.shape[:-2]
        own = values.shape[-1:] if labels is not None else values.shape[values.ndim - dim :]
        slopes = _jax.ShapeDtypeStruct((*batch, count, *own), values.dtype)
        effective, sensitivities = _call(
            partial(solve, slopes=True), (result, slopes), values, labels
        )
        return effective, (sensitivities, labels)

    def backward(kept: Any, cotangent: Array) -> tuple[Array, Any]:
        sensitivities, labels = kept
        upper = np.triu_indices(dim)
        both = cotangent + _jax.numpy.swapaxes(cotangent, -1, -2)
        weights = both[..., upper[0], upper[1]] * np.where(upper[0] == upper[1], 0.5, 1.0)
        axes = (1,) * (sensitivities.ndim - weights.ndim)
        gradient = (weights.reshape(*weights.shape, *axes) * sensitivities).sum(
            axis=weights.ndim - 1
        )
        return gradient.astype(sensitivities.dtype), _no_slope(labels)

    homogenized.defvjp(forward, backward)

    return homogenized


def _no_slope(labels: Array | None) -> Any:
    """Return the derivative with respect to labels: none, as JAX writes it."""
    if labels is None:
        return None
    return np.zeros(labels.shape, dtype=_jax.dtypes.float0)


def _shape_of_result(values: Array, labels: Array | None, dim: int) -> Any:
    batch = values.shape[:-1] if labels is not None else values.shape[: values.ndim - dim]
    return _jax.ShapeDtypeStruct((*batch, dim, dim), values.dtype)


def _call(function: Any, result: Any, values: Array, labels: Array | None) -> Array:
    """Call a function of arrays on the host; a mapped axis becomes an axis of the batch."""
    arguments = (values,) if labels is None else (values, labels)
    return _jax.pure_callback(function, result, *arguments, vmap_method="broadcast_all")


def _solve(
    values: npt.ArrayLike,
    labels: npt.ArrayLike | None = None,
    *,
    dim: int,
    spacing: tuple[float, ...] | None,
    options: corrector._Options,
    slopes: bool,
) -> Any:
    """Solve on the host: the effective tensors, and their slopes (..., d (d + 1) / 2, *own)."""
    numbers = np.asarray(values)
    if labels is None:
        cells = _arrays.cells(numbers, None, dim, False, spacing)
    else:
        cells = _arrays.cells(np.asarray(labels), numbers, dim, False, spacing)
    solution = corrector._solve(cells, options, fields=slopes, gradients=slopes)
    effective = solution.effective.astype(numbers.dtype, copy=False)
    if not slopes:
        return effective
    count = int(np.prod(cells.batch))
    found = []
    for i, j in zip(*np.triu_indices(dim), strict=True):
        weights = np.zeros((count, dim, dim))
        weights[:, i, j] += 0.5
        weights[:, j, i] += 0.5
        found.append(_gradient.pulled_back(cells, solution.correctors, weights, options.threads))
    stacked = np.stack(found, axis=len(cells.batch))
    return effective, stacked.astype(numbers.dtype, copy=False)
