"""The parameters of the greatest likelihood."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import linalg, optimize

from pearlite.inversion._simplex_likelihood import RESOLUTION, SimplexLikelihood
from pearlite.inversion._stochastic_coordinates import Floats

# Errors of the coordinates, from stage to stage: with little error the few specimens of almost one
# material make a narrow ridge, which a search from afar climbs at a crawl.
_STAGES = (0.03, 0.01, 0.003, RESOLUTION)
_STEPS = (10, 10, 10, 60)  # of each stage, at most
_MANY = 2000  # data of the stages before the last, at most
_SLOPE = 0.03  # of the log-likelihood over a standard error, that is not worth a step
_WIDEST = 12.0  # logarithms of parameters, beyond which a search has strayed


@dataclass(frozen=True)
class Maximum:
    """Where the likelihood is greatest.

    Attributes
    ----------
    alpha, logs : (K,) arrays
        Parameters of the Dirichlet law, and the logarithms of the conductivities.
    values : (N,) array
        Log-densities of the coordinates of each datum.
    scores : (N, 2K) array
        Their derivatives in α and log a.
    converged : bool
    """

    alpha: Floats
    logs: Floats
    values: Floats
    scores: Floats
    converged: bool


def maximize(
    likelihood: SimplexLikelihood, coordinates: Floats, alpha: Floats, logs: Floats
) -> Maximum:
    """Climb from (α, log a), by quasi-Newton steps in the metric of the scores."""
    half = len(alpha)
    point = np.concatenate([np.log(alpha), logs])
    some = coordinates[:: -(-len(coordinates) // _MANY)]
    for resolution, steps in zip(_STAGES, _STEPS, strict=True):
        blurred = replace(likelihood, resolution=resolution)
        given = coordinates if resolution == RESOLUTION else some
        point, converged = _climb(blurred, given, point, steps)
    values, scores = likelihood.scores(coordinates, np.exp(point[:half]), point[half:])
    return Maximum(np.exp(point[:half]), point[half:], values, scores, converged)


def _climb(
    likelihood: SimplexLikelihood, coordinates: Floats, start: Floats, steps: int
) -> tuple[Floats, bool]:
    """Take at most so many steps; return the end, and whether nothing is left to gain."""
    half = len(start) // 2

    def scores(point: Floats) -> tuple[float, Floats]:
        """Log-likelihood, and its derivatives (N, 2K) in (log α, log a)."""
        alpha = np.exp(point[:half])
        values, gradients = likelihood.scores(coordinates, alpha, point[half:])
        gradients[:, :half] *= alpha
        return float(values.sum()), gradients

    _, first = scores(start)
    metric = first.T @ first
    metric += 1e-6 * np.diag(np.diag(metric) + 1e-12)
    root = linalg.cholesky(metric, lower=True)  # steps of one standard error have length one

    def lowered(whitened: Floats) -> tuple[float, Floats]:
        point = start + linalg.solve_triangular(root.T, whitened)
        if np.abs(point).max() > _WIDEST + np.abs(start).max():
            return np.inf, np.zeros_like(whitened)
        value, gradients = scores(point)
        return -value, -linalg.solve_triangular(root, gradients.sum(axis=0), lower=True)

    found = optimize.minimize(
        lowered,
        np.zeros(len(start)),
        jac=True,
        method="BFGS",
        options={"maxiter": steps, "gtol": _SLOPE},
    )
    end = start + linalg.solve_triangular(root.T, found.x)
    # Where rounding stops it (status 2), nothing is left to gain either.
    return end, found.status in (0, 2)
