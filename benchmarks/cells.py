"""The cells that every solver of the benchmarks gets: periodic Voronoi grains."""

from functools import lru_cache

import numpy as np
from scipy.spatial import cKDTree


def voronoi(shape, phases, rng):
    """-> labels (n0, n1) uint8; some 40 grains of `phases` phases."""
    axes = [(np.arange(n) + 0.5) / n for n in shape]
    centres = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    site = cKDTree(rng.random((40, 2)), boxsize=1).query(centres)[1]
    return rng.integers(phases, size=40, dtype=np.uint8)[site]


@lru_cache(maxsize=4)
def draw(shape, phases, count, seed=0):
    """-> labels (count, n0, n1) uint8. A smaller count gives the first of the same cells."""
    return np.stack(
        [voronoi(shape, phases, np.random.default_rng([seed, index])) for index in range(count)]
    )


def values(phases, contrast):
    """-> conductivities (phases,) from 1 to `contrast`."""
    return np.geomspace(1, contrast, phases)
