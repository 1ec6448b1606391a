"""The scatter of estimates of least sliced distance."""

from __future__ import annotations

import numpy as np

from pearlite.inversion._estimate import Estimate
from pearlite.inversion._parameters import Floats
from pearlite.inversion._target import Target, mean_square_slopes, sorted_slopes


def least_distance(
    target: Target, coordinates: Floats, samples: Floats, jacobian: Floats
) -> tuple[Estimate, Floats]:
    r"""Describe the estimate of least SW2² by the influence of each datum and sample.

    In one direction half the gradient of W2² is ∫ (Q_x − Q_y) ψ ds with ψ = ∂Q_x/∂z, and an
    empirical quantile function errs by −(F_n − F)/f to first order, so that it is

    .. math:: \frac1N \sum_i Ψ(y_i) − \frac1M \sum_i Ψ(x_i), \quad Ψ' = −ψ∘F,

    times −1, and the estimate moves by the inverse Gauss–Newton matrix ⟨ψψᵀ⟩⁻¹ times that.

    Parameters
    ----------
    target : Target
        The data, projected.
    coordinates : (Q,) array
        The estimate.
    samples, jacobian : (M, C) and (M, C, Q) arrays
        Samples of the model there.

    Returns
    -------
    Estimate
    matrix : (Q, Q) array
        The Gauss–Newton matrix of half of SW2².

    Notes
    -----
    Source: E. del Barrio, E. Giné and C. Matrán, Ann. Prob. 27, 1009 (1999), for the empirical
    quantile process; the rest is the theory of M-estimators, P. J. Huber, *Robust Statistics*
    (1981), chapter 6.
    """
    size = len(coordinates)
    data_influence = np.zeros((len(target.data), size))
    model_influence = np.zeros((len(samples), size))
    matrix = np.zeros((size, size))
    for view in target.views:
        projected = view.axes @ samples[:, view.columns].T  # (L, M)
        order = np.argsort(projected, axis=1)
        slopes = sorted_slopes(view, order, jacobian)
        matrix += view.share * mean_square_slopes(slopes)
        for line, ranks, slope, data in zip(
            projected, order, slopes, view.projections, strict=True
        ):
            points = line[ranks]
            rises = 0.5 * (slope[1:] + slope[:-1]) * np.diff(points)[:, None]
            primitive = np.concatenate([np.zeros((1, size)), np.cumsum(rises, axis=0)])  # (M, Q)
            primitive -= primitive.mean(axis=0)
            model_influence[ranks] -= view.share * primitive / len(order)
            for q in range(size):
                at = _extended(data, points, primitive[:, q], slope[[0, -1], q])
                data_influence[view.rows, q] += at / len(order)
    inverse = np.linalg.inv(matrix)
    data_influence -= data_influence.mean(axis=0)
    estimate = Estimate(coordinates, data_influence @ inverse, model_influence @ inverse)
    return estimate, matrix


def _extended(at: Floats, points: Floats, values: Floats, slopes: Floats) -> Floats:
    """Interpolate between sorted points, and go on straight beyond them."""
    inside = np.interp(at, points, values)
    inside += slopes[0] * np.minimum(at - points[0], 0)
    inside += slopes[1] * np.maximum(at - points[-1], 0)
    return np.asarray(inside)
