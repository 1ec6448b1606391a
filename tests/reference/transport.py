"""Distances between samples by their definitions."""

import numpy as np


def wasserstein(u, v, order, u_weights=None, v_weights=None):
    """W_p^p of numbers: the integral of |Q_u − Q_v|^p over the levels between all steps."""
    quantiles, ends = [], []
    for values, weights in ((u, u_weights), (v, v_weights)):
        weights = np.ones(len(values)) if weights is None else np.asarray(weights, float)
        rank = np.argsort(values, kind="stable")
        quantiles.append(np.asarray(values, float)[rank])
        ends.append(np.cumsum(weights[rank] / weights.sum()))
        ends[-1][-1] = 1
    levels = np.unique(np.concatenate([[0.0], *ends]))
    middles = (levels[1:] + levels[:-1]) / 2
    first, second = (q[np.searchsorted(e, middles)] for q, e in zip(quantiles, ends, strict=True))
    return float(np.sum(np.diff(levels) * np.abs(first - second) ** order))


def sliced(x, y, directions, order=2, weights=None, y_weights=None):
    """SW_p^p of samples (N, d) and (M, d), the mean over directions (L, d)."""
    return np.mean([wasserstein(x @ t, y @ t, order, weights, y_weights) for t in directions])


def gauss_newton(x, y, jacobian, directions):
    """Jᵀr and JᵀJ of the sorted residuals of as many x as y, one residual after the other."""
    residuals, rows = [], []
    for t in directions:
        rank = np.argsort(x @ t, kind="stable")
        residuals.append((x @ t)[rank] - np.sort(y @ t))
        rows.append(np.einsum("c,icp->ip", t, jacobian)[rank])
    r, j = np.concatenate(residuals), np.concatenate(rows)
    return j.T @ r / len(r), j.T @ j / len(r)


def energy(x, y):
    """2 E|X − Y| − E|X − X'| − E|Y − Y'|."""
    return 2 * _mean_distance(x, y) - _mean_distance(x, x) - _mean_distance(y, y)


def _mean_distance(x, y):
    return np.mean(np.linalg.norm(x[:, None] - y[None], axis=2))


def mmd(x, y, bandwidth, unbiased=False):
    """E k(X, X') + E k(Y, Y') − 2 E k(X, Y), each a mean over pairs."""

    def mean(a, b, others=False):
        k = np.exp(-np.sum((a[:, None] - b[None]) ** 2, axis=2) / 2 / bandwidth**2)
        return k[~np.eye(len(a), dtype=bool)].mean() if others else k.mean()

    return mean(x, x, unbiased) + mean(y, y, unbiased) - 2 * mean(x, y)
