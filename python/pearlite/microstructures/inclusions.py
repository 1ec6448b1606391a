"""Discs in a matrix."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from pearlite.microstructures._draw import (
    check_batch,
    check_integer,
    check_number,
    check_shape,
    generator,
)

_GAP = 1.5  # pixels; pixels that touch at a corner are √2 apart
# Before a packing counts as impossible: positions tried for a disc, and fresh starts.
_CANDIDATES = 500
_STARTS = 50


def discs(
    count: int,
    shape: Sequence[int],
    *,
    number: int,
    fraction: float,
    overlap: bool = False,
    seed: int,
    sample: int = 0,
) -> npt.NDArray[np.uint8]:
    """Periodic equal discs (label 1) in a matrix (label 0), with exactly the given area fraction.

    The radius follows from `number` and `fraction`: the pixels nearest to a centre are filled until
    the fraction is met to the nearest pixel. Without overlap, centres are drawn one by one and kept
    if they are two radii and 1.5 pixels away from all before (random sequential addition), so that
    no pixels of two discs touch; with overlap they are independent (the Boolean model).

    Parameters
    ----------
    count : int
        Number of images.
    shape : (n0, n1)
        Pixels along each axis.
    number : int
        Discs in an image.
    fraction : float
        Area fraction of the discs, in (0, 1).
    overlap : bool
        Whether discs may overlap.
    seed : int
        Seed of the batch.
    sample : int
        Number of the first image.

    Returns
    -------
    labels : (count, n0, n1) uint8

    Raises
    ------
    ValueError
        If the discs do not fit without overlap; random addition jams at a fraction of about 0.5.

    Examples
    --------
    >>> labels = discs(2, (64, 64), number=9, fraction=0.25, seed=1)
    >>> labels.shape, [float(image.mean()) for image in labels]
    ((2, 64, 64), [0.25, 0.25])
    """
    shape = check_shape(shape, dims=(2,))
    samples = check_batch(count, seed, sample, shape)
    size = shape[0] * shape[1]
    number = check_integer("number", number, 1, size)
    if not 0 < check_number("fraction", fraction) < 1:
        raise ValueError(f"fraction is {fraction!r}; expected a number between 0 and 1")
    if not isinstance(overlap, bool | np.bool_):
        raise TypeError(f"overlap is {overlap!r}; expected a bool")
    fraction = float(fraction)
    filled = round(fraction * size)
    apart = 0.0 if overlap else 2 * np.sqrt(fraction * size / (np.pi * number)) + _GAP
    pixels = np.indices(shape).reshape(2, -1).T + 0.5  # (size, 2)
    labels = np.zeros((len(samples), size), np.uint8)
    for image, which in zip(labels, samples, strict=True):
        centres = _centres(generator(seed, which, "discs"), shape, number, apart)
        distance, _ = cKDTree(centres, boxsize=shape).query(pixels)
        image[np.argsort(distance, kind="stable")[:filled]] = 1
    return labels.reshape(-1, *shape)


def _centres(
    random: np.random.Generator, shape: tuple[int, ...], number: int, apart: float
) -> npt.NDArray[np.float64]:
    """Draw `number` centres, uniform in the cell and pairwise at least `apart` pixels apart."""
    box = np.asarray(shape, np.float64)
    if apart == 0:
        return random.random((number, 2)) * box
    most = 0
    for _ in range(_STARTS):
        centres = _add_until_jammed(random.random((number * _CANDIDATES, 2)) * box, box, apart)
        if len(centres) >= number:
            return centres[:number]
        most = max(most, len(centres))
    raise ValueError(
        f"number is {number}; expected discs that fit without overlap, and at most {most} did: "
        "lower number or fraction, or pass overlap=True"
    )


def _add_until_jammed(
    free: npt.NDArray[np.float64], box: npt.NDArray[np.float64], apart: float
) -> npt.NDArray[np.float64]:
    """Keep the candidates `free` (m, 2), in their order, that are `apart` from all kept before."""
    centres = []
    while len(free):
        centres.append(free[0])
        gap = np.abs(free - free[0])
        gap = np.minimum(gap, box - gap)
        free = free[np.hypot(gap[:, 0], gap[:, 1]) >= apart]
    return np.array(centres)
