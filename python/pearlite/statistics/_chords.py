"""Chord lengths and the lineal path function: runs along lines of pixels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pearlite import _arrays, _core, _threads
from pearlite._arrays import check_integer
from pearlite.statistics._labels import (
    Labelled,
    labelled,
    line_directions,
    pixel_sizes,
)

Doubles = NDArray[np.float64]

_MOST_STEPS = 2**20


@dataclass(frozen=True)
class ChordLengths:
    """Chords of phases along lines of pixels.

    Attributes
    ----------
    phases : tuple of int
        Their labels; P of them.
    directions : (D, dim) int64 array
        The step from a pixel of a line to the next.
    step : (D,) float64 array
        Its length, in the unit of `spacing`.
    counts : (..., P, D, L) int64 array
        Number of chords of k pixels at index k; those only whose two ends are seen.
    cut : (..., P, D, L) int64 array
        Number of chords of k pixels that the border of the image cuts; 0 if it is periodic.
    around : (..., P, D) int64 array
        Closed lines that lie in the phase altogether and so have no ends; 0 unless periodic.
    line_length : (D,) int64 array
        Pixels of a closed line; 0 unless periodic.
    """

    phases: tuple[int, ...]
    directions: NDArray[np.int64]
    step: Doubles
    counts: NDArray[np.int64]
    cut: NDArray[np.int64]
    around: NDArray[np.int64]
    line_length: NDArray[np.int64]

    @property
    def lengths(self) -> Doubles:
        """Length (D, L) that each index of `counts` stands for: k pixels are k steps long."""
        lengths: Doubles = self.step[:, None] * np.arange(self.counts.shape[-1])
        return lengths

    @property
    def distribution(self) -> Doubles:
        """Share (..., P, D, L) of the chords that has each length; NaN where there is no chord."""
        number = self.counts.sum(axis=-1, keepdims=True)
        shares: Doubles = np.full(self.counts.shape, np.nan)
        np.divide(self.counts, number, out=shares, where=number > 0)
        return shares

    @property
    def mean(self) -> Doubles:
        """Mean length (..., P, D) of a chord; NaN where there is none."""
        number = self.counts.sum(axis=-1)
        total = (self.counts * np.arange(self.counts.shape[-1])).sum(axis=-1)
        mean: Doubles = np.divide(
            total, number, out=np.full(number.shape, np.nan), where=number > 0
        )
        mean *= self.step
        return mean

    def pooled(self) -> ChordLengths:
        """Return the chords of all images of the batch together."""
        own = tuple(range(self.around.ndim - 2))
        counts, cut, around = (x.sum(axis=own) for x in (self.counts, self.cut, self.around))
        return ChordLengths(
            self.phases, self.directions, self.step, counts, cut, around, self.line_length
        )


@dataclass(frozen=True)
class LinealPath:
    """Lineal path function of phases.

    Attributes
    ----------
    phases : tuple of int
        Their labels; P of them.
    directions : (D, dim) int64 array
        The step from a pixel of a segment to the next.
    distance : (D, R) float64 array
        Length of a segment of r steps, in the unit of `spacing`.
    values : (..., P, D, R) float64 array
        Probability that a segment lies in the phase; NaN where none fits into the image.
    """

    phases: tuple[int, ...]
    directions: NDArray[np.int64]
    distance: Doubles
    values: Doubles


def chord_lengths(
    labels: ArrayLike,
    *,
    phases: Sequence[int] | None = None,
    directions: ArrayLike | None = None,
    periodic: bool = True,
    spacing: float | Sequence[float] | None = None,
    dim: int = 2,
    threads: int | None = None,
) -> ChordLengths:
    """Count the chords of each phase by length.

    A line in direction d consists of the pixels x, x + d, x + 2d, …; a chord of a phase is a
    maximal run of its pixels on a line. Its length is its number of pixels times |d|, the distance
    between the interfaces at its ends where these are normal to the line.

    Parameters
    ----------
    labels : (..., *shape) array
        Integers or booleans, at least 2 along each axis.
    phases : sequence of int, optional
        Labels of the phases that matter, at most 255; by default all that there are.
    directions : (D, dim) integers, optional
        By default one step along each axis.
    periodic : bool
        Whether lines go on at the opposite side, so that chords wrap. A closed line that lies in
        one phase altogether has no chord; it is counted in `around`. Otherwise chords that the
        border cuts are counted in `cut`, and are in none of the averages.
    spacing : float or one per axis, optional
        Physical size of a pixel; without it lengths are in pixels.
    dim : {2, 3}
        Number of axes of an image.
    threads : int, optional
        By default all cores that this process may use.

    Returns
    -------
    ChordLengths
        Counts, and of these `distribution`, `mean` and `lengths`.

    Raises
    ------
    TypeError, ValueError
        If an argument has no meaning; the message names it.

    Notes
    -----
    In a periodic image the chords of a phase along an axis and the pixels of closed lines make up
    all its pixels: Σ_k k counts[k] + around · line_length = φ N. S. Torquato, *Random
    Heterogeneous Materials* (2002), sec. 2.4.

    Examples
    --------
    Stripes one and two pixels wide; along them there are closed lines only:

    >>> import numpy as np
    >>> import pearlite as pl
    >>> stripes = np.tile([[1], [0], [0]], (2, 4))
    >>> chords = pl.statistics.chord_lengths(stripes)
    >>> chords.counts[:, 0]
    array([[0, 0, 8],
           [0, 8, 0]])
    >>> chords.around
    array([[0, 4],
           [0, 2]])
    >>> chords.mean
    array([[ 2., nan],
           [ 1., nan]])
    """
    periodic = _arrays.flag("periodic", periodic)
    dim = _arrays.check_dimension(dim)
    images = labelled(labels, phases, dim)
    steps = line_directions(directions, dim)
    sizes = pixel_sizes(spacing, dim)
    whole, cut, around = _count(images, steps, periodic, _threads.count(threads))
    lines = closed_line_length(images.shape, steps) if periodic else np.zeros(len(steps), np.int64)
    return ChordLengths(
        phases=images.phases,
        directions=steps,
        step=np.linalg.norm(steps * sizes, axis=1),
        counts=whole,
        cut=cut,
        around=around // np.maximum(lines, 1),
        line_length=lines,
    )


def lineal_path(
    labels: ArrayLike,
    *,
    phases: Sequence[int] | None = None,
    directions: ArrayLike | None = None,
    steps: int | None = None,
    periodic: bool = True,
    spacing: float | Sequence[float] | None = None,
    dim: int = 2,
    threads: int | None = None,
) -> LinealPath:
    """Return the lineal path function L(r): a whole segment lies in the phase.

    .. math:: L(r d) = ⟨I(x) I(x + d) ⋯ I(x + r d)⟩,

    the mean over all x for which the segment is in the image, where I is the indicator of the
    phase and d a direction. L(0) is the volume fraction, and L(d) = S2(d).

    Parameters
    ----------
    labels, phases, directions, periodic, spacing, dim, threads
        As for `chord_lengths`. A direction and its opposite have the same function.
    steps : int, optional
        R, the number of values, for segments of 0 to R−1 steps: by default up to the first segment
        that is as long as the image, in all of the directions.

    Returns
    -------
    LinealPath

    Raises
    ------
    TypeError, ValueError
        If an argument has no meaning; the message names it.

    Notes
    -----
    A chord of k pixels holds k − r segments of r steps, if that is positive. B. Lu and
    S. Torquato, Phys. Rev. A 45, 922 (1992).

    Examples
    --------
    Stripes of two pixels out of four:

    >>> import numpy as np
    >>> import pearlite as pl
    >>> stripes = np.tile([[1], [1], [0], [0]], (1, 4))
    >>> pl.statistics.lineal_path(stripes, phases=[1]).values[0]
    array([[0.5 , 0.25, 0.  , 0.  ],
           [0.5 , 0.5 , 0.5 , 0.5 ]])
    """
    periodic = _arrays.flag("periodic", periodic)
    dim = _arrays.check_dimension(dim)
    images = labelled(labels, phases, dim)
    lines = line_directions(directions, dim)
    sizes = pixel_sizes(spacing, dim)
    count = _path_steps(steps, images.shape, lines)
    whole, cut, around = _count(images, lines, periodic, _threads.count(threads))
    # Σ_k counts[k] (k − r)+ is the sum over all k > r of the number of runs of k pixels or more.
    runs = (whole + cut)[..., ::-1].cumsum(axis=-1)[..., ::-1]
    segments = runs[..., ::-1].cumsum(axis=-1)[..., ::-1][..., 1 : count + 1]
    inside = np.zeros((*around.shape, count), np.int64)
    inside[..., : segments.shape[-1]] = segments
    inside += around[..., None]
    starts = _segments(images, lines, count, periodic)
    values = np.divide(inside, starts, out=np.full(inside.shape, np.nan), where=starts > 0)
    step = np.linalg.norm(lines * sizes, axis=1)
    return LinealPath(images.phases, lines, step[:, None] * np.arange(count), values)


def closed_line_length(shape: tuple[int, ...], steps: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return after how many steps (D,) a line of a periodic image comes back to its start."""
    return np.array(
        [
            math.lcm(*(n // math.gcd(n, int(d)) for n, d in zip(shape, step, strict=True)))
            for step in steps
        ],
        np.int64,
    )


def _count(
    images: Labelled, steps: NDArray[np.int64], periodic: bool, threads: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return whole and cut chords (..., P, D, L), and pixels of closed lines (..., P, D)."""
    count = len(images.phases)
    *kinds, around = _core.chords(images.images, images.places, count, steps, periodic, threads)
    bins = max(kind.shape[-1] for kind in kinds)
    whole, cut = (np.zeros((*around.shape, bins), np.int64) for _ in kinds)
    whole[..., : kinds[0].shape[-1]] = kinds[0]
    cut[..., : kinds[1].shape[-1]] = kinds[1]
    order = (*images.batch, count, len(steps))
    # The kernel has directions before phases.
    whole, cut = (kind.swapaxes(1, 2).reshape(*order, bins) for kind in (whole, cut))
    return whole, cut, around.swapaxes(1, 2).reshape(order)


def _path_steps(steps: int | None, shape: tuple[int, ...], lines: NDArray[np.int64]) -> int:
    if steps is None:
        extents = np.where(lines == 0, 0, -(-np.array(shape) // np.maximum(np.abs(lines), 1)))
        crossed = np.where(lines == 0, np.iinfo(np.int64).max, extents).min(axis=1)
        return int(crossed.max())
    return check_integer("steps", steps, 1, _MOST_STEPS)


def _segments(
    images: Labelled, lines: NDArray[np.int64], count: int, periodic: bool
) -> NDArray[np.float64]:
    """Return how many segments (D, count) of each number of steps there are in an image."""
    if periodic:
        return np.full((len(lines), count), float(images.size))
    extent = np.abs(lines)[:, None, :] * np.arange(count)[None, :, None]
    fitting = np.maximum(np.array(images.shape) - extent, 0).astype(np.float64)
    product: NDArray[np.float64] = fitting.prod(axis=-1)
    return product
