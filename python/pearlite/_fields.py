"""Gradients and fluxes at the centres of pixels, from the correctors at their corners."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Fields = npt.NDArray[np.floating[Any]]


def gradients(correctors: Fields, spacing: Sequence[float]) -> Fields:
    """Return the potential's gradient e_k + ∇χ_k at the pixel centres.

    Parameters
    ----------
    correctors : (..., d, n0, n1) or (..., d, n0, n1, n2)
        Nodal values; node (i, j) is the lower corner of pixel (i, j).
    spacing : d floats
        Pixel sizes, in the correctors' unit of length.

    Returns
    -------
    gradients : (..., d, d, n0, n1) or (..., d, d, n0, n1, n2)
        Entry [..., k, i, :, :] is component i under the mean gradient along axis k.

    Examples
    --------
    >>> gradients(np.zeros((2, 4, 4)), (0.25, 0.25))[:, :, 0, 0]
    array([[1., 0.],
           [0., 1.]])
    """
    dim = len(spacing)
    around = np.concatenate([correctors, correctors[..., :1]], axis=-1)
    fields = _slopes(around, spacing)
    fields += np.eye(dim, dtype=fields.dtype).reshape(dim, dim, *[1] * dim)
    return fields


def gradient_layers(corrector: Fields, spacing: Sequence[float], load: int, part: slice) -> Fields:
    """Return e_k + ∇χ_k (d, n0, ..., k) of some layers along the last axis, `load` being k.

    Parameters
    ----------
    corrector : (n0, n1) or (n0, n1, n2)
        χ_k at the corners.
    spacing : d floats
        Pixel sizes, in the corrector's unit of length.
    load : int
        The axis of the mean gradient.
    part : slice
        Layers, from and to indices within the axis.
    """
    upper = np.take(corrector, range(part.start, part.stop + 1), axis=-1, mode="wrap")
    fields = _slopes(upper, spacing)
    fields[load] += 1
    return fields


def _slopes(nodes: Fields, spacing: Sequence[float]) -> Fields:
    """Return ∇χ (..., d, n0, ..., k) of nodes (..., n0, ..., k + 1), periodic but for the last."""
    dim = len(spacing)
    slopes = []
    for axis in range(-dim, 0):
        field = nodes
        for across in range(-dim, 0):
            field = _stepped(field, across) if across == axis else _halved(field, across)
        slopes.append(field / spacing[axis])
    return np.stack(slopes, axis=-dim - 1)


def _stepped(nodes: Fields, axis: int) -> Fields:
    return np.diff(nodes, axis=-1) if axis == -1 else np.roll(nodes, -1, axis) - nodes


def _halved(nodes: Fields, axis: int) -> Fields:
    if axis == -1:
        return 0.5 * (nodes[..., 1:] + nodes[..., :-1])
    return 0.5 * (nodes + np.roll(nodes, -1, axis))


def fluxes(conductivity: Fields, gradient: Fields) -> Fields:
    """Return A g of a gradient (d, *shape); the conductivity is (*shape) or (*shape, d, d).

    In a void there is no flux whatever the gradient is; in a perfect conductor there is no
    gradient, and its flux, which nothing here tells, is NaN.

    Parameters
    ----------
    conductivity : (*shape) or (*shape, d, d) array
        Of pixels, in any unit.
    gradient : (d, *shape) array
        What `gradients` gives for one mean gradient.

    Returns
    -------
    fluxes : (d, *shape) array

    Examples
    --------
    >>> fluxes(np.array([[2.0, 0.0]]), np.ones((2, 1, 2)))[:, 0]
    array([[2., 0.],
           [2., 0.]])
    """
    if conductivity.ndim < gradient.ndim:
        with np.errstate(invalid="ignore"):
            return np.where(np.isinf(conductivity), np.nan, conductivity * gradient)
    product: Fields = np.einsum("...ij,j...->i...", conductivity, gradient)
    return product
