"""Labels of a periodic tessellation as one would get them without pearlite.

Each peer is `peer(sites, weights, shape, rows, metric)` for one cell: sites (K, d) in [0, 1) and
weights (K,) in float64; it returns the labels of the first `rows` pixels along axis 0. All use all
cores.
"""

import numpy as np
from numba import njit, prange
from scipy.spatial import cKDTree

SEEDS_A_BIN = 2


def centres(shape, rows):
    axes = [(np.arange(n) + 0.5) / n for n in shape]
    axes[0] = axes[0][:rows]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(shape))


def kdtree(sites, weights, shape, rows, metric):
    """A k-d tree.

    In the metric `power` of d + 1 dimensions, since |x - c|² - w + max w is the square of a
    distance with one more coordinate √(max w - w). In `additive` of so many neighbours that none
    further away can win, more of them for pixels where they are too few.
    """
    x = centres(shape, rows)
    if metric == "power":
        height = np.sqrt(weights.max() - weights)[:, None]
        tree = cKDTree(np.hstack([sites, height]), boxsize=[1.0] * len(shape) + [0.0])
        labels = tree.query(np.hstack([x, np.zeros((len(x), 1))]), workers=-1)[1]
        return labels.reshape(rows, *shape[1:])
    tree = cKDTree(sites, boxsize=1.0)
    labels = np.empty(len(x), int)
    left, count, heaviest = np.arange(len(x)), 4, weights.max()
    while len(left):
        count = min(count, len(sites))
        distance, near = tree.query(x[left], k=range(1, count + 1), workers=-1)
        scores = distance - weights[near]
        best = scores.argmin(axis=1)[:, None]
        labels[left] = np.take_along_axis(near, best, 1)[:, 0]
        unsure = np.take_along_axis(scores, best, 1)[:, 0] >= distance[:, -1] - heaviest
        left = left[unsure] if count < len(sites) else left[:0]
        count *= 2
    return labels.reshape(rows, *shape[1:])


@njit(inline="always")
def _score(x, c, w, additive):
    square = 0.0
    for a in range(len(x)):
        d = abs(x[a] - c[a])
        d = min(d, 1 - d)
        square += d * d
    return (np.sqrt(square) if additive else square) - w


@njit(inline="always")
def _centre(pixel, shape, x):
    for a in range(len(shape) - 1, -1, -1):
        x[a] = (pixel % shape[a] + 0.5) / shape[a]
        pixel //= shape[a]


@njit(parallel=True)
def _all_seeds(sites, weights, shape, pixels, additive):
    labels = np.empty(pixels, np.int32)
    for chunk in prange((pixels + 255) // 256):
        x = np.empty(len(shape))
        for pixel in range(256 * chunk, min(256 * chunk + 256, pixels)):
            _centre(pixel, shape, x)
            best = np.inf
            for k in range(len(sites)):
                score = _score(x, sites[k], weights[k], additive)
                if score < best:
                    best = score
                    labels[pixel] = k
    return labels


def numba_brute_force(sites, weights, shape, rows, metric):
    """All seeds for every pixel, in compiled loops."""
    pixels = rows * int(np.prod(shape[1:]))
    labels = _all_seeds(sites, weights, np.array(shape), pixels, metric == "additive")
    return labels.reshape(rows, *shape[1:])


@njit(parallel=True)
def _by_rings(sites, weights, numbers, starts, bins, shape, pixels, additive):
    labels = np.empty(pixels, np.int32)
    heaviest = weights.max()
    axes = len(shape)
    depth = bins if axes == 3 else 1
    for chunk in prange((pixels + 255) // 256):
        x = np.zeros(axes)
        for pixel in range(256 * chunk, min(256 * chunk + 256, pixels)):
            _centre(pixel, shape, x)
            best, label = np.inf, 0
            b0, b1 = int(x[0] * bins), int(x[1] * bins)
            b2 = int(x[2] * bins) if axes == 3 else 0
            for ring in range(bins // 2 + 1):
                away = max(ring - 1, 0) / bins
                if (away if additive else away * away) - heaviest > best:
                    break
                for i in range(-ring, ring + 1):
                    for j in range(-ring, ring + 1):
                        edge = max(abs(i), abs(j)) == ring
                        last = ring if axes == 3 else 0
                        step = 1 if edge or axes == 2 else max(2 * ring, 1)
                        if axes == 2 and not edge:
                            continue
                        for k in range(-last, last + 1, step):
                            bin0 = ((b0 + i) % bins * bins + (b1 + j) % bins) * depth
                            bin0 += (b2 + k) % depth
                            for n in range(starts[bin0], starts[bin0 + 1]):
                                score = _score(x, sites[n], weights[n], additive)
                                if score < best:
                                    best, label = score, numbers[n]
            labels[pixel] = label
    return labels


def numba_bins(sites, weights, shape, rows, metric):
    """Seeds in bins, for every pixel ring after ring of them until no further one can win."""
    dimension = len(shape)
    bins = max(1, round((len(sites) / SEEDS_A_BIN) ** (1 / dimension)))
    place = np.minimum((sites * bins).astype(int), bins - 1)
    flat = np.ravel_multi_index(tuple(place.T), (bins,) * dimension)
    order = np.argsort(flat, kind="stable")
    starts = np.searchsorted(flat[order], np.arange(bins**dimension + 1))
    pixels = rows * int(np.prod(shape[1:]))
    grid = np.array(shape), pixels, metric == "additive"
    labels = _by_rings(sites[order], weights[order], order, starts, bins, *grid)
    return labels.reshape(rows, *shape[1:])


def damask(sites, weights, shape, rows, metric):
    """DAMASK's own function: three dimensions, the metric `power`, and all of the cell."""
    from damask import GeomGrid

    assert metric == "power"
    assert len(shape) == 3
    assert rows == shape[0]
    grid = GeomGrid.from_Laguerre_tessellation(shape, np.ones(3), sites, weights)
    return grid.material


PEERS = {"numba": numba_brute_force, "numba bins": numba_bins, "kdtree": kdtree, "DAMASK": damask}
