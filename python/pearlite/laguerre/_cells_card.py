"""Measures of cells on a card: what their functions do with labels that are arrays of cupy.

Labels are checked as on the CPU, which waits for the card.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from pearlite import _cuda
from pearlite.laguerre._images import Images

_BLOCK = 256
_SIDES = {2: (32, 256), 3: (32, 8, 32)}  # of a block's tile
_SLOTS = 256  # of a block's table
_MOST_SLICES = 2**23  # of the profiles that are there at a time


class Moments(NamedTuple):
    """What there is of each cell; positions are in pixels, pixel i having its centre at i."""

    volumes: Any  # (images, K), in pixels
    centroids: Any  # (images, K, d), in [0, n) on the torus; of an empty cell NaN
    inertias: Any  # (images, K, d): Σ (x − centroid)² over the pixels of a cell


def packed(images: Images, periodic: bool) -> Any:
    """Return the structure that the kernels call Images."""
    shape = [*images.shape, *[1] * (3 - images.dimension)]
    labels = images.labels
    return _cuda.packed(len(labels), images.count, shape, labels.itemsize, int(periodic))


def tiles(images: Images) -> int:
    """Return the blocks that images take."""
    sides = _SIDES[images.dimension]
    each = math.prod(map(_cuda.blocks, images.shape, sides))
    if len(images.labels) * each >= 2**31:
        raise ValueError(f"labels has shape {images.batch + images.shape}; expected fewer images")
    return len(images.labels) * each


def launch_tiles(
    family: str, kernel: str, images: Images, *arguments: Any, shared: int = 0
) -> None:
    """Launch a kernel whose blocks have the tiles of images."""
    _cuda.launch(
        family, kernel, arguments, grid=(tiles(images),), block=_BLOCK, shared=shared,
        DIM=images.dimension,
    )  # fmt: skip


def launch_each(family: str, kernel: str, dimension: int, number: int, *arguments: Any) -> None:
    """Launch a kernel that has a thread for each of a number of things."""
    blocks = _cuda.blocks(number, _BLOCK)
    _cuda.launch(family, kernel, arguments, grid=(blocks,), block=_BLOCK, DIM=dimension)


def volumes(images: Images) -> Any:  # (images, K) int64, in pixels
    """Return how many pixels each cell has."""
    cupy = _cuda.library()
    found = cupy.zeros((len(images.labels), images.count), np.int64)
    _count(images, found, None)
    return found


def _count(images: Images, found: Any, firsts: Any) -> None:
    arguments = found, firsts, images.labels, packed(images, True)
    launch_tiles("measures", "count_pixels", images, *arguments, shared=_SLOTS * (8 + 2 * 4))


def moments(images: Images, periodic: bool) -> Moments:
    """Return volumes, centroids and moments of inertia."""
    cupy = _cuda.library()
    cells = len(images.labels), images.count
    each = *cells, images.dimension
    found = cupy.zeros(cells, np.int64)
    firsts = cupy.full(cells, -1, np.int64)  # the largest number without a sign
    _count(images, found, firsts)
    sums, squares = cupy.zeros(each, np.int64), cupy.zeros(each, np.int64)
    lows = cupy.full(each, np.iinfo(np.int32).max, np.int32)
    highs = cupy.full(each, np.iinfo(np.int32).min, np.int32)
    added = _cuda.packed([array.data.ptr for array in (sums, squares, lows, highs)])
    shape = packed(images, periodic)
    shared = _SLOTS * (8 + (1 + 4 * images.dimension) * 4)
    launch_tiles(
        "measures", "add_moments", images, added, firsts, images.labels, shape, shared=shared
    )
    centroids, inertias = cupy.empty(each, np.float64), cupy.empty(each, np.float64)
    wide = cupy.empty(cells, np.uint8)
    launch_each(
        "measures", "finish_moments", images.dimension, math.prod(cells), centroids, inertias, wide,
        found, firsts, added, shape,
    )  # fmt: skip
    if periodic:
        _measure_wide(images, cupy.flatnonzero(wide), centroids, inertias)
    return Moments(found, centroids, inertias)


def _measure_wide(images: Images, wide: Any, centroids: Any, inertias: Any) -> None:
    """Do the cells `wide` anew that reach around half the torus, some at a time."""
    cupy, dimension = _cuda.library(), images.dimension
    shape = packed(images, True)
    slices = sum(images.shape)
    at_once = max(1, _MOST_SLICES // slices)
    for first in range(0, len(wide), at_once):
        some = wide[first : first + at_once]
        slots = cupy.full((len(images.labels) * images.count,), -1, np.int32)
        slots[some] = cupy.arange(len(some), dtype=np.int32)
        profiles = cupy.zeros((len(some), slices), np.int64)
        launch_tiles("measures", "add_profiles", images, profiles, slots, images.labels, shape)
        launch_each(
            "measures", "finish_profiles", dimension, len(some) * dimension, centroids, inertias,
            some, profiles, np.int64(len(some)), shape,
        )  # fmt: skip
