"""Volume fractions and three-point correlations at chosen vectors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pearlite import _arrays
from pearlite.statistics._labels import (
    check_shape,
    integer_vectors,
    labelled,
    phase_mask,
)


def volume_fractions(
    labels: ArrayLike, phases: Sequence[int] | None = None, *, dim: int = 2
) -> NDArray[np.float64]:
    """Return the share of the pixels that each phase has.

    Parameters
    ----------
    labels : (..., *shape) array
        Integers or booleans, at least 2 along each axis.
    phases : sequence of int, optional
        Labels of the phases, at most 255; by default all that there are in the batch, increasing.
    dim : {2, 3}
        Number of axes of an image.

    Returns
    -------
    (..., P) float64 array

    Raises
    ------
    TypeError, ValueError
        If an argument has no meaning; the message names it.

    Examples
    --------
    >>> import pearlite as pl
    >>> pl.statistics.volume_fractions([[0, 2], [2, 2]])
    array([0.25, 0.75])
    """
    images = labelled(labels, phases, dim)
    count = len(images.phases)
    counts = np.empty((len(images), count))
    for image, row in zip(images.images, counts, strict=True):
        row[:] = np.bincount(images.places, np.bincount(image.ravel(), minlength=256))[:count]
    fractions: NDArray[np.float64] = counts / images.size
    return fractions.reshape(*images.batch, count)


def three_point(
    field: ArrayLike,
    vectors: ArrayLike,
    *,
    phases: int | Sequence[int] | None = None,
    periodic: bool = True,
    dim: int = 2,
) -> NDArray[np.float64]:
    """Return three-point correlations at chosen pairs of vectors.

    .. math:: T(r, s) = ⟨M(x) M'(x + r) M''(x + s)⟩,

    the mean over all x for which x, x + r and x + s are in the image.

    Parameters
    ----------
    field : (..., *shape) array
        Real numbers or booleans, which are M, M' and M'' all three; with `phases`, labels.
    vectors : (..., 2, dim) integers
        Pairs r, s of vectors, in pixels.
    phases : int or three of them, optional
        The phase whose indicator is M, or those of M, M' and M''.
    periodic : bool
        Whether the image repeats.
    dim : {2, 3}
        Number of axes of an image.

    Returns
    -------
    float64 array
        The axes of the batch, then those of the pairs.

    Raises
    ------
    TypeError, ValueError
        If an argument has no meaning; the message names it.

    Examples
    --------
    On a checkerboard x and x + (1, 1) have the same colour, x + (0, 1) has the other:

    >>> import numpy as np
    >>> import pearlite as pl
    >>> tiles = np.indices((4, 4)).sum(axis=0) % 2
    >>> pairs = [[(1, 1), (0, 1)], [(1, 1), (2, 0)]]
    >>> pl.statistics.three_point(tiles, pairs, phases=1)
    array([0. , 0.5])
    >>> pl.statistics.three_point(tiles, pairs, phases=(1, 1, 0))
    array([0.5, 0. ])
    """
    dim = _arrays.check_dimension(dim)
    pairs = integer_vectors("vectors", vectors, dim)
    if pairs.ndim < 2 or pairs.shape[-2] != 2:
        raise ValueError(f"vectors has shape {pairs.shape}; expected (..., 2, {dim})")
    periodic = _arrays.flag("periodic", periodic)
    factors = _factors(field, phases, dim)
    axes = factors[0].ndim - dim
    shape = factors[0].shape[axes:]
    flat = pairs.reshape(-1, 2, dim)
    values = np.empty((*factors[0].shape[:axes], len(flat)))
    for k, (r, s) in enumerate(flat):
        shifts = np.stack([np.zeros_like(r), r, s])
        windows = _rolled(factors, shifts) if periodic else _cropped(factors, shifts, shape)
        values[..., k] = _mean_product(windows, dim)
    return values.reshape(*factors[0].shape[:axes], *pairs.shape[:-2])


def _factors(
    field: ArrayLike, phases: int | Sequence[int] | None, dim: int
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return M, M' and M''."""
    if phases is not None:
        names = _arrays.as_numpy("phases", phases)
        if names.dtype.kind not in "iu":
            raise TypeError(f"phases has dtype {names.dtype}; expected a label or three")
        if names.shape not in ((), (3,)):
            raise ValueError(f"phases has shape {names.shape}; expected a label or three")
        first, second, third = (
            phase_mask(field, int(name), dim, "field") for name in np.broadcast_to(names, 3)
        )
        return first, second, third
    array = _arrays.as_numpy("field", field)
    if array.dtype.kind not in "bf":
        raise TypeError(
            f"field has dtype {array.dtype}: labels need phases=...; expected booleans or floats"
        )
    check_shape("field", array, dim)
    return array, array, array


def _rolled(factors: Sequence[NDArray[Any]], shifts: NDArray[np.int64]) -> list[NDArray[Any]]:
    axes = tuple(range(-shifts.shape[1], 0))
    return [
        np.roll(factor, tuple(-shift), axes) if shift.any() else factor
        for factor, shift in zip(factors, shifts, strict=True)
    ]


def _cropped(
    factors: Sequence[NDArray[Any]], shifts: NDArray[np.int64], shape: tuple[int, ...]
) -> list[NDArray[Any]]:
    """Cut out where all three points are in the image."""
    low = -shifts.min(axis=0)  # the zero vector is among them
    high = np.array(shape) - shifts.max(axis=0)
    if (low >= high).any():
        r, s = shifts[1].tolist(), shifts[2].tolist()
        raise ValueError(
            f"vectors has the pair {r}, {s}, which fits nowhere into an image of shape {shape}"
        )
    return [
        factor[_box(low + shift, high + shift)]
        for factor, shift in zip(factors, shifts, strict=True)
    ]


def _box(low: NDArray[np.int64], high: NDArray[np.int64]) -> tuple[Any, ...]:
    return (..., *(slice(a, b) for a, b in zip(low.tolist(), high.tolist(), strict=True)))


def _mean_product(windows: Sequence[NDArray[Any]], dim: int) -> NDArray[np.float64]:
    axes = tuple(range(-dim, 0))
    first, second, third = windows
    if first.dtype == np.bool_:  # counted, and exact
        counts = np.count_nonzero(first & second & third, axis=axes)
        share: NDArray[np.float64] = counts / np.float64(math.prod(first.shape[-dim:]))
        return share
    product = first.astype(np.float64) * second * third
    mean: NDArray[np.float64] = product.mean(axis=axes)
    return mean
