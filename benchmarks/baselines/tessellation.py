"""Labels of Laguerre cells by what one would write without this package."""

import numpy as np
from scipy.spatial import cKDTree

try:
    from numba import njit, prange
except ImportError:
    njit = None


def centres(shape):
    """Pixel centres (pixels, d)."""
    axes = [(np.arange(n) + 0.5) / n for n in shape]
    return np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, len(shape))


def lifted_tree(sites, weights, shape, workers):
    """Power cells as plain Voronoi cells in one dimension more: a k-d tree with periodic axes."""
    points, d = centres(shape), len(shape)
    flat = np.concatenate([points, np.zeros((len(points), 1))], axis=1)
    labels = np.empty((len(sites), len(points)), np.int32)
    for cell, (c, w) in enumerate(zip(sites, weights, strict=True)):
        height = np.sqrt(w.max() - w)[:, None]
        tree = cKDTree(np.concatenate([c % 1, height], axis=1), boxsize=[1.0] * d + [0.0])
        labels[cell] = tree.query(flat, workers=workers)[1]
    return labels.reshape(len(sites), *shape)


if njit is not None:

    @njit(parallel=True, fastmath=True, cache=False)
    def _brute(points, sites, weights, additive, labels):
        d = sites.shape[2]
        for pixel in prange(len(points)):
            for cell in range(len(sites)):
                best, at = np.inf, 0
                for k in range(sites.shape[1]):
                    s = 0.0
                    for a in range(d):
                        t = abs(points[pixel, a] - sites[cell, k, a])
                        t = min(t, 1 - t)
                        s += t * t
                    s = (np.sqrt(s) if additive else s) - weights[cell, k]
                    if s < best:
                        best, at = s, k
                labels[cell, pixel] = at


def numba_brute_force(sites, weights, shape, additive):
    """Every site for every pixel, in parallel."""
    points = centres(shape)
    labels = np.empty((len(sites), len(points)), np.int32)
    _brute(points, sites % 1, weights, additive, labels)
    return labels.reshape(len(sites), *shape)
