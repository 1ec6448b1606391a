"""Discs and spheres in a matrix."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from pearlite._errors import brief
from pearlite.microstructures._draw import (
    check_batch,
    check_integer,
    check_number,
    check_shape,
    generator,
)

_GAP = {2: 1.5, 3: 1.8}  # pixels; pixels that touch at a corner are √2 or √3 apart
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
    return _balls("discs", count, shape, number, fraction, overlap, seed, sample)


def spheres(
    count: int,
    shape: Sequence[int],
    *,
    number: int,
    fraction: float,
    overlap: bool = False,
    seed: int,
    sample: int = 0,
) -> npt.NDArray[np.uint8]:
    """Periodic equal spheres (label 1) in a matrix (label 0), with exactly the given fraction.

    They are drawn as `discs` are, with 1.8 voxels between spheres that do not overlap.

    Parameters
    ----------
    count : int
        Number of images.
    shape : (n0, n1, n2)
        Voxels along each axis.
    number : int
        Spheres in an image.
    fraction : float
        Volume fraction of the spheres, in (0, 1).
    overlap : bool
        Whether spheres may overlap.
    seed : int
        Seed of the batch.
    sample : int
        Number of the first image.

    Returns
    -------
    labels : (count, n0, n1, n2) uint8

    Raises
    ------
    ValueError
        If the spheres do not fit without overlap; random addition jams at a fraction of about 0.35.

    Examples
    --------
    >>> labels = spheres(2, (24, 24, 24), number=5, fraction=0.125, seed=1)
    >>> labels.shape, [float(image.mean()) for image in labels]
    ((2, 24, 24, 24), [0.125, 0.125])
    """
    return _balls("spheres", count, shape, number, fraction, overlap, seed, sample)


def _balls(
    model: Literal["discs", "spheres"],
    count: int,
    shape: Sequence[int],
    number: int,
    fraction: float,
    overlap: bool,
    seed: int,
    sample: int,
) -> npt.NDArray[np.uint8]:
    """Draw what both models share, in two or three dimensions."""
    shape = check_shape(shape, dims=(2,) if model == "discs" else (3,))
    samples = check_batch(count, seed, sample, shape)
    size = math.prod(shape)
    number = check_integer("number", number, 1, size)
    if not 0 < check_number("fraction", fraction) < 1:
        raise ValueError(f"fraction is {brief(fraction)}; expected a number between 0 and 1")
    if not isinstance(overlap, bool | np.bool_):
        raise TypeError(f"overlap is {brief(overlap)}; expected a bool")
    filled = round(float(fraction) * size)
    apart = 0.0 if overlap else 2 * _radius(float(fraction) * size / number, shape)
    pixels = np.indices(shape).reshape(len(shape), -1).T + 0.5  # (size, d)
    labels = np.zeros((len(samples), size), np.uint8)
    for image, which in zip(labels, samples, strict=True):
        centres = _centres(generator(seed, which, model), shape, number, apart, model)
        distance, _ = cKDTree(centres, boxsize=shape).query(pixels)
        image[np.argsort(distance, kind="stable")[:filled]] = 1
    return labels.reshape(-1, *shape)


def _radius(volume: float, shape: tuple[int, ...]) -> float:
    """Radius of a ball of so many pixels, with half the gap between two."""
    flat = len(shape) == 2
    radius = np.sqrt(volume / np.pi) if flat else np.cbrt(3 * volume / (4 * np.pi))
    return float(radius) + _GAP[len(shape)] / 2


def _centres(
    random: np.random.Generator, shape: tuple[int, ...], number: int, apart: float, model: str
) -> npt.NDArray[np.float64]:
    """Draw `number` centres, uniform in the cell and pairwise at least `apart` pixels apart."""
    box = np.asarray(shape, np.float64)
    if apart == 0:
        return random.random((number, len(box))) * box
    most = 0
    for _ in range(_STARTS):
        centres = _add_until_jammed(
            random.random((number * _CANDIDATES, len(box))) * box, box, apart
        )
        if len(centres) >= number:
            return centres[:number]
        most = max(most, len(centres))
    raise ValueError(
        f"number is {number}; expected {model} that fit without overlap, and at most {most} did: "
        "lower number or fraction, or pass overlap=True"
    )


def _add_until_jammed(
    free: npt.NDArray[np.float64], box: npt.NDArray[np.float64], apart: float
) -> npt.NDArray[np.float64]:
    """Keep the candidates `free` (m, d), in their order, that are `apart` from all kept before."""
    centres = []
    while len(free):
        centres.append(free[0])
        gap = np.abs(free - free[0])
        gap = np.minimum(gap, box - gap)
        free = free[np.sqrt((gap**2).sum(axis=1)) >= apart]
    return np.array(centres)
