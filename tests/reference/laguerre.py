"""Labels of a tessellation by the definition, one seed after the other."""

import numpy as np


def axis_distances(n, site, periodic):
    """-> (n,) distances along an axis from the centres of n pixels to a site."""
    distance = np.abs((np.arange(n) + 0.5) / n - site)
    return np.where(distance > 0.5, 1 - distance, distance) if periodic else distance


def score(site, weight, shape, metric, periodic):
    """-> (*shape): what the seed competes with at each pixel."""
    squares = [
        axis_distances(n, c, periodic) ** 2 for n, c in zip(shape, site.tolist(), strict=True)
    ]
    square = squares[0]
    for other in squares[1:]:
        square = square[..., np.newaxis] + other
    return (square if metric == "power" else np.sqrt(square)) - weight


def assign(sites, weights, shape, metric="power", periodic=True):
    """-> (*shape) labels of one cell: sites (K, d), weights (K,), of equal scores the first."""
    best = np.full(shape, np.inf)
    labels = np.zeros(shape, int)
    for label, (site, weight) in enumerate(zip(sites, weights, strict=True)):
        here = score(site, weight, shape, metric, periodic)
        labels[here < best] = label
        best = np.minimum(best, here)
    return labels
