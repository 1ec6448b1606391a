"""Correlations as sums over pixels, one after another: for tiny images only."""

from itertools import product

import numpy as np


def shifts(shape):
    """-> all periodic vectors."""
    return list(product(*(range(n) for n in shape)))


def shifted(u, r):
    """-> u(x + r)."""
    return np.roll(u, tuple(-d for d in r), tuple(range(u.ndim)))


def correlation(u, v):
    """C(δ) = Σ_x u(x) v(x+δ) -> the shape of u."""
    return np.array([np.sum(u * shifted(v, r)) for r in shifts(u.shape)]).reshape(u.shape)


def p_point(fields, p):
    """All p-point correlations of (C, *shape) fields, over all p-tuples of them.

    T_{i…k}(r₂ … r_p) = (1/N) Σ_x u_i(x) u_j(x+r₂) ⋯ u_k(x+r_p) -> (C^p, N^(p−1)).
    """
    moved = [[shifted(u, r) for r in shifts(u.shape)] for u in fields]
    tables = []
    for chosen in product(range(len(fields)), repeat=p):
        first, *others = chosen
        total = fields[first].reshape(-1)[None]  # (tuples so far, N)
        for k in others:
            stack = np.array(moved[k]).reshape(len(moved[k]), -1)
            total = (total[:, None] * stack[None]).reshape(-1, stack.shape[1])
        tables.append(total.mean(axis=1))
    return np.array(tables)


def kernel_loss(fields, references, orders, weights):
    """The loss from the p-point correlations themselves. fields: (C, *shape); references: list."""
    axes = tuple(range(1, fields.ndim))
    mean = np.mean([v.mean(axis=axes) for v in references], axis=0).reshape(-1, *(1,) * len(axes))
    u = fields - mean
    centred = [v - mean for v in references]
    size = u[0].size
    loss = 0.0
    for p, weight in zip(orders, weights, strict=True):
        target = np.mean([p_point(v, p) for v in centred], axis=0)
        distance = np.sum((p_point(u, p) - target) ** 2)
        unit = np.mean(
            [
                np.sum(np.abs(sum(correlation(a, b) for a, b in zip(v, w, strict=True))) ** p)
                for v in centred
                for w in centred
            ]
        )
        loss += weight * distance * size**2 / unit
    return loss


def wrong_pixels(image, target):
    """The least number of different pixels over all translations and the point reflection."""
    return min(
        int(np.sum(shifted(x, r) != target))
        for x in (image, np.flip(image))
        for r in shifts(image.shape)
    )


def three_point_counts(mask):
    """Integer counts Σ_x M(x) M(x+r) M(x+s) of all pairs of vectors -> (N, N)."""
    moved = np.array([shifted(mask, r).reshape(-1) for r in shifts(mask.shape)]).astype(np.int64)
    return np.einsum("x,rx,sx->rs", mask.reshape(-1).astype(np.int64), moved, moved)
