"""Averages of correlation maps over directions, and their values along one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pearlite import _arrays
from pearlite._errors import brief
from pearlite.statistics._labels import integer_vectors, pixel_sizes, real_numbers

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class RadialAverage:
    """A correlation as a function of distance.

    Attributes
    ----------
    distance : (B,) float64 array
        Mean length of the vectors of a bin, in the unit of `spacing`; NaN if it has none.
    values : (..., B) float64 array
        Mean of the map over these vectors; NaN if it has none.
    vectors : (B,) int64 array
        How many they are.
    """

    distance: Doubles
    values: Doubles
    vectors: NDArray[np.int64]


@dataclass(frozen=True)
class Profile:
    """A correlation along one direction.

    Attributes
    ----------
    distance : (R,) float64 array
        Lengths of the vectors 0, d, 2d, …, in the unit of `spacing`.
    values : (..., R) float64 array
        The map at these vectors.
    """

    distance: Doubles
    values: Doubles


def radial_average(
    correlation: ArrayLike,
    *,
    periodic: bool = True,
    spacing: float | Sequence[float] | None = None,
    edges: ArrayLike | None = None,
    dim: int = 2,
) -> RadialAverage:
    """Average a map of correlations over the vectors of equal length.

    Bin k holds the vectors r with (k − ½) h ≤ |r| < (k + ½) h, where h is the smallest pixel size,
    up to half the smallest side of the image; beyond it a torus has no full circles, and an open
    image few pairs. Each vector of a bin has the same weight, and the bin stands at the mean of
    their lengths.

    Parameters
    ----------
    correlation : (..., *map) float array
        As `pearlite.correlation.two_point` and `two_point_cluster` return it. Entries that are NaN,
        of vectors for which a mask left no pair, do not count.
    periodic : bool
        The layout of the map: whether r = 0 stands at index 0 along each axis, or in the middle.
    spacing : float or one per axis, optional
        Physical size of a pixel; without it lengths are in pixels.
    edges : (B + 1,) floats, optional
        Other bins: edges[k] ≤ |r| < edges[k + 1], increasing.
    dim : {2, 3}
        Number of axes of the map.

    Returns
    -------
    RadialAverage

    Raises
    ------
    TypeError, ValueError
        If an argument has no meaning; the message names it.

    Examples
    --------
    >>> import numpy as np
    >>> import pearlite as pl
    >>> lengths = np.hypot(*np.meshgrid([0, 1, 2, 1], [0, 1, 2, 1]))
    >>> average = pl.statistics.radial_average(lengths)
    >>> average.vectors  # (0, 0); four neighbours and four diagonals; two at 2, four at √5
    array([1, 8, 6])
    >>> bool(np.allclose(average.values, average.distance))
    True
    """
    dim = _arrays.check_dimension(dim)
    values, shape = _checked(correlation, periodic, dim)
    sizes = pixel_sizes(spacing, dim)
    if edges is None and not periodic:
        values = _middle(values, shape, sizes)
    offsets = [_offsets(n, periodic) * h for n, h in zip(values.shape[-dim:], sizes, strict=True)]
    lengths = np.sqrt(sum(x**2 for x in np.ix_(*offsets))).ravel()
    bins, count = _bins(lengths, edges, shape, sizes)
    number = np.bincount(bins, minlength=count + 1)
    flat = values.reshape(-1, lengths.size)
    sums = np.empty((len(flat), count + 1))
    weights = np.empty((len(flat), count + 1))
    for row, total, weight in zip(flat, sums, weights, strict=True):
        good = np.isfinite(row)
        everything = bool(good.all())
        weight[:] = number if everything else np.bincount(bins[good], minlength=count + 1)
        row, own = (row, bins) if everything else (row[good], bins[good])
        total[:] = np.bincount(own, row, count + 1)
    distance: Doubles = np.asarray(np.bincount(bins, lengths, count + 1), np.float64)
    means = _ratio(sums, weights)[:, :count].reshape(*values.shape[:-dim], count)
    return RadialAverage(_ratio(distance, number)[:count], means, number[:count])


def directional_profile(
    correlation: ArrayLike,
    direction: ArrayLike,
    *,
    periodic: bool = True,
    spacing: float | Sequence[float] | None = None,
    dim: int = 2,
) -> Profile:
    """Return a map of correlations at the multiples 0, d, 2d, … of a vector.

    No value is interpolated. The last multiple is the last that does not go beyond half of a
    periodic image, or beyond the map of an open one.

    Parameters
    ----------
    correlation, periodic, spacing, dim
        As for `radial_average`.
    direction : (dim,) integers
        The vector d, in pixels.

    Returns
    -------
    Profile

    Raises
    ------
    TypeError, ValueError
        If an argument has no meaning; the message names it.

    Examples
    --------
    >>> import numpy as np
    >>> import pearlite as pl
    >>> profile = pl.statistics.directional_profile(np.arange(24.0).reshape(4, 6), (1, -1))
    >>> profile.values
    array([ 0., 11., 16.])
    """
    dim = _arrays.check_dimension(dim)
    values, shape = _checked(correlation, periodic, dim)
    sizes = pixel_sizes(spacing, dim)
    step = integer_vectors("direction", direction, dim)
    if step.ndim != 1 or not step.any():
        raise ValueError(f"direction is {brief(step)}; expected one vector that is not zero")
    reach = [n // 2 if periodic else n - 1 for n in shape]
    last = min(r // abs(int(d)) for r, d in zip(reach, step, strict=True) if d)
    multiples = np.arange(last + 1)
    index = [
        multiples * d % n if periodic else multiples * d + n - 1
        for d, n in zip(step, shape, strict=True)
    ]
    distance: Doubles = np.asarray(multiples * float(np.linalg.norm(step * sizes)))
    return Profile(distance, values[(..., *index)])


def _checked(correlation: ArrayLike, periodic: bool, dim: int) -> tuple[Doubles, tuple[int, ...]]:
    """Return the map and the shape of the image that it belongs to."""
    array = real_numbers("correlation", correlation)
    own = array.shape[max(array.ndim - dim, 0) :]
    if len(own) < dim or min(own) < 1:
        raise ValueError(f"correlation has shape {array.shape}; expected {dim} axes of a map")
    if _arrays.flag("periodic", periodic):
        return array, own
    if not all(n % 2 for n in own):
        raise ValueError(
            f"correlation has shape {array.shape}; expected odd sizes 2n−1 with periodic=False"
        )
    return array, tuple((n + 1) // 2 for n in own)


def _middle(values: Doubles, shape: tuple[int, ...], sizes: Doubles) -> Doubles:
    """Leave out most of the vectors that are longer than half the smallest side."""
    half = ((np.array(shape) * sizes).min() / 2 / sizes).astype(np.int64) + 1
    box: tuple[Any, ...] = tuple(
        slice(max(n - 1 - r, 0), n + r) for n, r in zip(shape, half.tolist(), strict=True)
    )
    return values[(..., *box)]


def _offsets(n: int, periodic: bool) -> NDArray[np.int64]:
    """Return the vector components, in pixels, that the indices of an axis of a map stand for."""
    index = np.arange(n)
    if periodic:
        return np.minimum(index, n - index)  # as long as −r
    return index - n // 2


def _bins(
    lengths: Doubles, edges: ArrayLike | None, shape: tuple[int, ...], sizes: Doubles
) -> tuple[NDArray[np.int64], int]:
    """Return the bin of each length, and their number, which is that of lengths outside as well.

    Lengths that are edges but for rounding, as √(3² + 4²) of spacings .1, belong above them.
    """
    if edges is None:
        h = sizes.min()
        count = int(np.floor((np.array(shape) * sizes).min() / 2 / h + 1e-9)) + 1
        return np.minimum(lengths / h + (0.5 + 1e-10), count).astype(np.int64), count
    given = _arrays.as_numpy("edges", edges)
    expected = "expected two or more increasing numbers"
    if given.dtype.kind not in "iuf":
        raise TypeError(f"edges has dtype {given.dtype}; {expected}")
    if given.ndim != 1 or len(given) < 2:
        raise ValueError(f"edges has shape {given.shape}; {expected}")
    limits = given.astype(np.float64)
    if not (np.isfinite(limits).all() and (limits[1:] > limits[:-1]).all()):
        raise ValueError(f"edges is {brief(limits)}; {expected}")
    bins = np.searchsorted(limits - 1e-12 * np.abs(limits), lengths, side="right") - 1
    count = len(limits) - 1
    return np.where(bins < 0, count, bins), count


def _ratio(total: Doubles, number: NDArray[Any]) -> Doubles:
    ratio: Doubles = np.full(total.shape, np.nan)
    np.divide(total, number, out=ratio, where=number > 0)
    return ratio
