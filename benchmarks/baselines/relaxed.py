"""The relaxed Laguerre field and its gradient as one would write it without pearlite.

Each peer is `peer(sites, weights, values, cotangent, shape, epsilon, metric)` for one cell on the
torus, float32; it returns the field and the gradients in sites, weights and values, for the first
`len(cotangent)` pixels along axis 0. All use all cores.
"""

import numpy as np
import torch
from numba import njit, prange
from scipy.spatial import cKDTree

NEIGHBOURS = 24  # of a pixel; the benchmark checks what that leaves out


def centres(shape, rows):
    axes = [(torch.arange(n, dtype=torch.float32) + 0.5) / n for n in shape]
    axes[0] = axes[0][:rows]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).reshape(-1, len(shape))


def softmax_field(away, weights, values, epsilon, metric):
    """Field of x - c (pixels, K, d), weights and values (K,) or (pixels, K)."""
    away = away - torch.round(away)
    square = (away * away).sum(-1)
    distance = square if metric == "power" else square.sqrt()
    return (torch.softmax((weights - distance) / epsilon, dim=-1) * values).sum(-1)


def differentiated(chunks, leaves, cotangent):
    """Run forward and backward over chunks of pixels, so that they fit into the cache."""
    fields = []
    for field, part in chunks:
        field.backward(cotangent.reshape(-1)[part])
        fields.append(field.detach())
    return torch.cat(fields).reshape(cotangent.shape), *(leaf.grad for leaf in leaves)


def torch_brute_force(sites, weights, values, cotangent, shape, epsilon, metric):
    """All seeds for every pixel, by torch's own operators."""
    x = centres(shape, len(cotangent))
    leaves = [torch.tensor(a, requires_grad=True) for a in (sites, weights, values)]
    size = max(1, 400_000 // len(sites))

    def chunks():
        for start in range(0, len(x), size):
            part = slice(start, start + size)
            away = x[part, None] - leaves[0]
            yield softmax_field(away, *leaves[1:], epsilon, metric), part

    return differentiated(chunks(), leaves, torch.from_numpy(cotangent))


def kdtree(sites, weights, values, cotangent, shape, epsilon, metric):
    """The nearest seeds only: found by scipy in d + 1 dimensions (power), differentiated by torch.

    |x - c|² - w + max w is the square of a distance with one more coordinate √(max w - w).
    """
    assert metric == "power"
    x = centres(shape, len(cotangent))
    height = np.sqrt(weights.max() - weights)[:, None].astype(np.float64)
    dimension = len(shape)
    tree = cKDTree(np.hstack([sites % 1, height]), boxsize=[1.0] * dimension + [0.0])
    points = np.hstack([x.numpy().astype(np.float64), np.zeros((len(x), 1))])
    count = min(NEIGHBOURS, len(sites))
    found = torch.from_numpy(tree.query(points, k=count, workers=-1)[1])
    leaves = [torch.tensor(a, requires_grad=True) for a in (sites, weights, values)]
    size = 20_000

    def chunks():
        for start in range(0, len(x), size):
            part = slice(start, start + size)
            near = found[part]
            parts = [
                leaf[near.reshape(-1)].reshape(*near.shape, *leaf.shape[1:]) for leaf in leaves
            ]
            yield softmax_field(x[part, None] - parts[0], *parts[1:], epsilon, metric), part

    return differentiated(chunks(), leaves, torch.from_numpy(cotangent))


@njit(parallel=True, fastmath=True)
def _loops(sites, weights, values, cotangent, shape, epsilon, additive, blocks):
    seeds, dimension = sites.shape
    pixels = cotangent.size
    field = np.empty(pixels, np.float32)
    sums = np.zeros((blocks, seeds, dimension + 2), np.float32)
    for block in prange(blocks):
        score = np.empty(seeds, np.float32)
        away = np.empty((seeds, dimension), np.float32)
        x = np.empty(dimension, np.float32)
        for pixel in range(block * pixels // blocks, (block + 1) * pixels // blocks):
            rest = pixel
            for a in range(dimension - 1, -1, -1):
                x[a] = (rest % shape[a] + np.float32(0.5)) / shape[a]
                rest //= shape[a]
            best = np.float32(-1e30)
            for k in range(seeds):
                square = np.float32(0)
                for a in range(dimension):
                    d = x[a] - sites[k, a]
                    d -= np.rint(d)
                    away[k, a] = d
                    square += d * d
                score[k] = (weights[k] - (np.sqrt(square) if additive else square)) / epsilon
                best = max(best, score[k])
            total = moment = np.float32(0)
            for k in range(seeds):
                score[k] = np.exp(score[k] - best)
                total += score[k]
                moment += score[k] * values[k]
            field[pixel] = moment / total
            g = cotangent[pixel] / total
            for k in range(seeds):
                if score[k] < 1e-12:
                    continue
                p = g * score[k]
                q = p * (values[k] - field[pixel])
                sums[block, k, 0] += p
                sums[block, k, 1] += q
                scale = np.float32(2)
                if additive:
                    square = np.float32(0)
                    for a in range(dimension):
                        square += away[k, a] ** 2
                    scale = 1 / np.sqrt(square)
                for a in range(dimension):
                    sums[block, k, 2 + a] += q * scale * away[k, a]
    return field, sums.sum(axis=0)


def numba_brute_force(sites, weights, values, cotangent, shape, epsilon, metric):
    """All seeds for every pixel, in compiled loops, with the gradient written out."""
    sizes = np.array(shape)
    flat = np.ascontiguousarray(cotangent).reshape(-1)
    arguments = sites, weights, values, flat, sizes, np.float32(epsilon), metric == "additive", 64
    field, sums = _loops(*arguments)
    return field.reshape(cotangent.shape), sums[:, 2:] / epsilon, sums[:, 1] / epsilon, sums[:, 0]


PEERS = {"torch": torch_brute_force, "numba": numba_brute_force, "kdtree": kdtree}
