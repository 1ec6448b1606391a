"""The relaxed Laguerre field and its gradient, pixel by pixel over all seeds."""

import numpy as np


def differences(sites, shape, periodic):
    """(K, d) -> x - c to the nearest image, (K, *shape, d)."""
    axes = [(np.arange(n, dtype=sites.dtype) + 0.5) / n for n in shape]
    x = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    away = x - sites.reshape(len(sites), *(1,) * len(shape), len(shape))
    return away - np.round(away) if periodic else away


def relax(sites, weights, values, shape, epsilon, metric="power", periodic=True, cotangent=None):
    """-> field; with a cotangent also the gradients in sites, weights, values and epsilon."""
    away = differences(sites, shape, periodic)
    square = (away**2).sum(axis=-1)
    distance = square if metric == "power" else np.sqrt(square)
    logits = (weights.reshape(-1, *(1,) * len(shape)) - distance) / epsilon
    logits -= logits.max(axis=0)
    p = np.exp(logits)
    p /= p.sum(axis=0)
    column = values.reshape(-1, *(1,) * len(shape))
    field = (p * column).sum(axis=0)
    if cotangent is None:
        return field
    q = cotangent * p * (column - field)
    slope = 2 * away
    if metric == "additive":
        slope = away / np.where(distance > 0, distance, 1)[..., None]
    pixels = tuple(range(1, len(shape) + 1))
    return (
        field,
        (q[..., None] * slope).sum(axis=pixels) / epsilon,
        q.sum(axis=pixels) / epsilon,
        (cotangent * p).sum(axis=pixels),
        -(q * logits).sum() / epsilon,
    )
