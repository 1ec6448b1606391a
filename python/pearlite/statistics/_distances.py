"""How far apart the statistics of two microstructures are, and by how much those of one scatter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pearlite import _arrays
from pearlite._arrays import check_integer
from pearlite._errors import brief
from pearlite.correlation import two_point
from pearlite.statistics._chords import ChordLengths, chord_lengths
from pearlite.statistics._labels import Labelled, labelled, real_numbers

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class Difference:
    """How far apart the statistics of two microstructures are.

    Attributes
    ----------
    phases : tuple of int
        Labels of the phases; P of them.
    radius : int
        The largest component of the vectors of two-point correlations, in pixels.
    fractions : (P,) float64 array
        Difference of the volume fractions, the second's less the first's.
    two_point : (P,) float64 array
        Root mean square of the difference of the autocorrelations S2 over the vectors.
    covariance : (P,) float64 array
        The same of S2 − φ², which is not dominated by the difference of the fractions φ.
    chords : (P,) float64 array
        Total variation of the distributions of chord lengths, those along all axes together; NaN
        where one of the two has no chords.
    chords_along : (P, dim) float64 array
        The same along each axis.
    """

    phases: tuple[int, ...]
    radius: int
    fractions: Doubles
    two_point: Doubles
    covariance: Doubles
    chords: Doubles
    chords_along: Doubles


def total_variation(first: ChordLengths | ArrayLike, second: ChordLengths | ArrayLike) -> Doubles:
    """Return the total variation of two distributions, such as those of chord lengths.

    .. math:: d(p, q) = ½ Σ_k |p_k − q_k|,

    which is 0 for equal ones and 1 for those that have no length in common.

    Parameters
    ----------
    first, second : ChordLengths or (..., K) arrays
        Chords, for which the result has a value for each phase and direction; or counts or shares
        ≥ 0, which are scaled to sum to one. The shorter one is continued by zeros. Their other
        axes broadcast.

    Returns
    -------
    (...) float64 array
        NaN where one of the two is zero altogether.

    Raises
    ------
    TypeError, ValueError
        If an argument has no meaning; the message names it.

    Examples
    --------
    >>> import pearlite as pl
    >>> float(pl.statistics.total_variation([2, 1, 1], [1, 1]))
    0.25
    """
    p, q = _shares("first", first), _shares("second", second)
    count = max(p.shape[-1], q.shape[-1])
    p, q = (
        np.concatenate([x, np.zeros((*x.shape[:-1], count - x.shape[-1]))], axis=-1) for x in (p, q)
    )
    try:
        distance: Doubles = np.asarray(np.abs(p - q).sum(axis=-1) / 2)
    except ValueError:
        raise ValueError(
            f"second has shape {q.shape} and first {p.shape}; expected shapes that broadcast"
        ) from None
    return distance


def rms_difference(first: ArrayLike, second: ArrayLike, *, axes: int = 2) -> Doubles:
    """Return the root mean square of the difference of two statistics, such as two-point maps.

    Parameters
    ----------
    first, second : (..., *map) arrays
        Real numbers; their shapes broadcast.
    axes : int
        Number of the last axes that the mean is over.

    Returns
    -------
    (...) float64 array

    Raises
    ------
    TypeError, ValueError
        If an argument has no meaning; the message names it.

    Examples
    --------
    >>> import pearlite as pl
    >>> float(pl.statistics.rms_difference([[0.5, 0.25]], [[0.75, 0.5]]))
    0.25
    """
    a, b = real_numbers("first", first), real_numbers("second", second)
    try:
        with np.errstate(all="ignore"):
            difference = a - b
    except ValueError:
        raise ValueError(
            f"second has shape {b.shape} and first {a.shape}; expected shapes that broadcast"
        ) from None
    if difference.size == 0 or difference.ndim == 0:
        raise ValueError(f"first and second have the shape {difference.shape}; expected axes")
    axes = check_integer("axes", axes, 1, difference.ndim)
    with np.errstate(all="ignore"):  # what is not finite remains so
        squares = (difference**2).mean(axis=tuple(range(-axes, 0)))
    mean: Doubles = np.asarray(np.sqrt(squares))
    return mean


def compare(
    first: ArrayLike,
    second: ArrayLike,
    *,
    phases: Sequence[int] | None = None,
    radius: int | None = None,
    periodic: bool | tuple[bool, bool] = True,
    dim: int = 2,
    threads: int | None = None,
) -> Difference:
    """Compare volume fractions, two-point correlations and chord lengths of two microstructures.

    Parameters
    ----------
    first, second : (..., *shape) arrays
        Labels, of any two sizes. The statistics of a batch are its means, and its chords those of
        all its images.
    phases : sequence of int, optional
        Labels of the phases that matter; by default all that there are in either.
    radius : int, optional
        The vectors of two-point correlations are those with no component beyond it; by default half
        the smallest side, less one if that is even, or 31 if that is less.
    periodic : bool or two of them
        Whether the images repeat; two values are for the first and the second.
    dim : {2, 3}
        Number of axes of an image.
    threads : int, optional
        By default all cores that this process may use.

    Returns
    -------
    Difference

    Raises
    ------
    TypeError, ValueError
        If an argument has no meaning; the message names it.

    See Also
    --------
    natural_scatter : what to compare it with.

    Examples
    --------
    >>> import pearlite as pl
    >>> draw = pl.microstructures.thresholded_noise
    >>> same = draw(1, (64, 64), length=2, fractions=(0.7, 0.3), seed=2)
    >>> coarse = draw(1, (64, 64), length=4, fractions=(0.7, 0.3), seed=1)
    >>> image = draw(1, (64, 64), length=2, fractions=(0.7, 0.3), seed=1)
    >>> near, far = pl.statistics.compare(image, same), pl.statistics.compare(image, coarse)
    >>> bool((near.two_point < far.two_point).all() and (near.chords < far.chords).all())
    True
    """
    dim = _arrays.check_dimension(dim)
    flags = periodic if isinstance(periodic, tuple) else (periodic, periodic)
    if len(flags) != 2:
        raise ValueError(f"periodic is {brief(periodic)}; expected a bool or two")
    images = labelled(first, phases, dim, "first"), labelled(second, phases, dim, "second")
    names = tuple(sorted(set(images[0].phases) | set(images[1].phases)))
    if phases is None and not images[0].phases == images[1].phases == names:
        images = labelled(first, names, dim, "first"), labelled(second, names, dim, "second")
    reach = _radius(radius, [part.shape for part in images])
    measured = [
        _measure(part, reach, _arrays.flag("periodic", around), threads)
        for part, around in zip(images, flags, strict=True)
    ]
    return _difference(images[0].phases, reach, *measured)


def natural_scatter(
    labels: ArrayLike,
    *,
    phases: Sequence[int] | None = None,
    radius: int | None = None,
    axis: int | None = None,
    dim: int = 2,
    threads: int | None = None,
) -> Difference:
    """Compare the halves of a microstructure: by how much its statistics scatter by themselves.

    The image is cut in the middle of an axis, and the halves, which do not repeat, are compared
    with each other as `compare` does: two samples of the same material and of half the size may be
    expected to differ by as much.

    Parameters
    ----------
    labels, phases, dim, threads
        As for `compare`.
    radius : int, optional
        As for `compare`, where the smallest side is that of the halves.
    axis : int, optional
        The axis that is cut, from 0; by default each in turn, and each number returned is the root
        mean square of theirs.

    Returns
    -------
    Difference

    Raises
    ------
    TypeError, ValueError
        If an argument has no meaning; the message names it.

    Examples
    --------
    >>> import pearlite as pl
    >>> image = pl.microstructures.thresholded_noise(1, (64, 64), length=2, seed=1)
    >>> scatter = pl.statistics.natural_scatter(image)
    >>> scatter.radius, bool((scatter.two_point < 0.05).all())
    (15, True)
    """
    dim = _arrays.check_dimension(dim)
    images = labelled(labels, phases, dim)
    middles = [n // 2 for n in images.shape]
    if min(middles) < 2:
        raise ValueError(f"labels has images of shape {images.shape}; expected at least 4 each way")
    cuts = range(dim) if axis is None else [check_integer("axis", axis, 0, dim - 1)]
    halves = [_halves(images, cut) for cut in cuts]
    reach = _radius(radius, [part.shape for pair in halves for part in pair])
    found = []
    for pair in halves:
        measured = [_measure(part, reach, False, threads) for part in pair]
        found.append(_difference(images.phases, reach, *measured))

    def mean(values: list[Doubles]) -> Doubles:
        squares: Doubles = np.sqrt(np.mean(np.square(values), axis=0))
        return squares

    return Difference(
        images.phases,
        reach,
        mean([each.fractions for each in found]),
        mean([each.two_point for each in found]),
        mean([each.covariance for each in found]),
        mean([each.chords for each in found]),
        mean([each.chords_along for each in found]),
    )


@dataclass(frozen=True)
class _Measured:
    fractions: Doubles  # (P,)
    two_point: Doubles  # (P, *window)
    chords: ChordLengths

    @property
    def covariance(self) -> Doubles:
        """S2 − φ², (P, *window)."""
        squares = self.fractions.reshape(-1, *(1,) * (self.two_point.ndim - 1)) ** 2
        return self.two_point - squares


def _measure(images: Labelled, radius: int, periodic: bool, threads: int | None) -> _Measured:
    """Average over the batch; in a window r = 0 is in the middle."""
    dim, count = images.dim, len(images.phases)
    if not len(images):
        raise ValueError("labels holds no image; expected at least one")
    window = np.ix_(*(_window(n, radius, periodic) for n in images.shape))
    maps = np.empty((count, *(2 * radius + 1,) * dim))
    for phase in range(count):
        indicator = (images.places == phase)[images.images]
        correlation = two_point(indicator, dim=dim, periodic=periodic, threads=threads)
        maps[phase] = correlation[(slice(None), *window)].mean(axis=0)
    chords = chord_lengths(
        images.numbered(), phases=range(count), periodic=periodic, dim=dim, threads=threads
    )
    middle = maps.reshape(count, -1).shape[1] // 2  # the zero vector
    fractions = maps.reshape(count, -1)[:, middle].copy()
    return _Measured(fractions, maps, chords.pooled())


def _window(n: int, radius: int, periodic: bool) -> NDArray[np.int64]:
    """Return where the components −radius … radius of vectors stand in an axis of a map."""
    steps = np.arange(-radius, radius + 1)
    return steps % n if periodic else steps + n - 1


def _difference(
    phases: tuple[int, ...], radius: int, first: _Measured, second: _Measured
) -> Difference:
    axes = first.two_point.ndim - 1
    return Difference(
        phases,
        radius,
        second.fractions - first.fractions,
        rms_difference(first.two_point, second.two_point, axes=axes),
        rms_difference(first.covariance, second.covariance, axes=axes),
        total_variation(first.chords.counts.sum(axis=1), second.chords.counts.sum(axis=1)),
        total_variation(first.chords, second.chords),
    )


def _halves(images: Labelled, axis: int) -> tuple[Labelled, Labelled]:
    middle = images.shape[axis] // 2
    first, second = (
        images.images[(slice(None),) * (axis + 1) + (part,)]
        for part in (slice(middle), slice(images.shape[axis] - middle, None))
    )
    shape = (*images.shape[:axis], middle, *images.shape[axis + 1 :])
    return (
        replace(images, images=np.ascontiguousarray(first), shape=shape),
        replace(images, images=np.ascontiguousarray(second), shape=shape),
    )


def _radius(radius: int | None, shapes: Sequence[tuple[int, ...]]) -> int:
    smallest = min(min(shape) for shape in shapes)
    most = (smallest - 1) // 2
    if radius is None:
        return min(31, most)
    return check_integer("radius", radius, 0, most)


def _shares(name: str, value: ChordLengths | ArrayLike) -> Doubles:
    """Return shares (..., K) that sum to one."""
    counts = value.counts if isinstance(value, ChordLengths) else value
    array = real_numbers(name, counts)
    if array.ndim < 1 or not ((array >= 0) & (array < 1e300)).all():
        raise ValueError(f"{name} has shape {array.shape}; expected (..., K) finite numbers >= 0")
    total = array.sum(axis=-1, keepdims=True)
    shares: Doubles = np.full(array.shape, np.nan)
    np.divide(array, total, out=shares, where=total > 0)
    return shares
