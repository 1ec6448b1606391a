"""Voronoi mosaics."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from pearlite.microstructures._draw import (
    MANY,
    check_batch,
    check_integer,
    check_phases,
    check_shape,
    generator,
)


def voronoi(
    count: int, shape: Sequence[int], *, sites: int, phases: int, seed: int, sample: int = 0
) -> npt.NDArray[np.uint8]:
    """Periodic Poisson-Voronoi mosaics whose grains take a random phase each.

    Parameters
    ----------
    count : int
        Number of images.
    shape : (n0, n1) or (n0, n1, n2)
        Pixels along each axis.
    sites : int
        Grains in an image, their sites uniform in the cell.
    phases : int
        Number of phases P; each grain takes one of 0 … P−1 with equal probability.
    seed : int
        Seed of the batch.
    sample : int
        Number of the first image: `voronoi(5, ...)[2:]` is `voronoi(3, ..., sample=2)`.

    Returns
    -------
    labels : (count, *shape) uint8

    Examples
    --------
    >>> labels = voronoi(4, (32, 32), sites=10, phases=5, seed=1)
    >>> labels.shape, labels.dtype.name, int(labels.max()) < 5
    ((4, 32, 32), 'uint8', True)
    """
    shape = check_shape(shape)
    samples = check_batch(count, seed, sample, shape)
    sites = check_integer("sites", sites, 1, MANY)
    phases = check_phases(phases)
    centres = np.moveaxis(np.indices(shape), 0, -1) + 0.5  # (*shape, d), in pixels
    labels = np.empty((len(samples), *shape), np.uint8)
    for image, number in zip(labels, samples, strict=True):
        random = generator(seed, number, "voronoi")
        positions = random.random((sites, len(shape))) * shape  # (sites, d), in pixels
        grain_phase = random.integers(phases, size=sites, dtype=np.uint8)
        _, grain = cKDTree(positions, boxsize=shape).query(centres)
        image[...] = grain_phase[grain]
    return labels
