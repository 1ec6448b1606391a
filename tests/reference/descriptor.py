"""Two- and three-point correlations on a window of vectors, by sums over pixels in plain sight."""

import itertools

import numpy as np


def half_window(radius):
    """-> (K, d): vectors within the box whose first nonzero component is positive, and zero."""
    box = itertools.product(*(range(-r, r + 1) for r in radius))
    return np.array([v for v in box if v >= (0,) * len(radius)])


def threshold(x, steepness=10.0):
    """Eqs. (21) and (22) of Seibert et al. (2021), with c1 and c3 from f(0) = 0 and f(1) = 1."""

    def logistic(x):
        return 1 / (1 + np.exp(-steepness * (x - 0.75)))

    return (logistic(x) - logistic(0)) / (logistic(1) - logistic(0))


def shifted(field, vector):
    """-> field(x + vector)."""
    return np.roll(field, tuple(-v for v in vector), tuple(range(field.ndim)))


def ensembles(field, vectors, form):
    """-> (K, N): e_r(x)."""
    rows = []
    for r in vectors:
        there = shifted(field, r)
        if form == "logistic":
            row = threshold((field + there) / 2)
        elif form == "product":
            row = field * there if np.any(r) else field
        else:
            row = field * there
        rows.append(row.ravel())
    return np.array(rows)


def descriptor(field, vectors, form):
    """-> gram (K, K), means (K,)."""
    e = ensembles(field, vectors, form)
    n = field.size
    if form == "centred":
        there = np.array([shifted(field, r).ravel() for r in vectors])
        return e @ there.T / n, e.mean(1)
    return e @ e.T / n, e.mean(1)
