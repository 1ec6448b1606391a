"""Surrogate of random mosaics by moments of the logarithms of their conductivities.

A mosaic of S grains, each of material k with probability v_k, has an effective tensor whose
coordinates (x, q1, q2), see `_stochastic_coordinates`, are nearly normal. With l = log a, and the
central moments μ_p of l under v, the surrogate's law has the mean

.. math:: ⟨x⟩ = Σ v_k l_k + c · (μ_2, μ_3, μ_2², μ_2 μ_3, μ_5),   ⟨q⟩ = 0,

held between the bounds of Reuss and Voigt, log 1/Σ v/a and log Σ v a, and the variances

.. math:: Var x = (1 + s_0) D/S,   Var q = (s_1 τ_4/τ_2 + s_2 τ_2) D/S,   D = τ_2/(1 − c² τ_2/4)²,

with two pairs s for q1 and q2, and central moments τ_p of the saturated logarithms
τ = (2/c) tanh(c (l − μ)/2), c = .8. D is the variance of the influence of a grain's material on x
if x is where Σ v_k tanh(c (l_k − x)/2) vanishes: c = 1 is Bruggeman's effective medium, and .8 fits
Voronoi mosaics. The 1 comes from the numbers of grains that have each material, and s_0 from their
areas; that of Poisson-Voronoi cells would be .28. Where the numbers are known, s_0 alone is left.
Anisotropy is of second order in l: grains far apart from each other add τ_4, pairs of them τ_2².

It is symmetric under permutations of the materials and homogeneous of degree 1 in a. Replacing a by
1/a changes the sign of x (Keller's duality), so that the coefficients of the even terms are what is
left of the mesh and of the finite number of grains.

Sources: J. B. Keller, J. Math. Phys. 5, 548 (1964); arXiv:2604.14083, eqs. 16 and 36, for a
surrogate that grows where a fit needs it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy import optimize

from pearlite.inversion._stochastic_coordinates import Floats, tensor_jacobian, tensors
from pearlite.inversion._surrogate_truth import Evaluations

_POWERS = (2, 3, 5)
_SATURATION = 0.8  # c
_QUARTER = _SATURATION**2 / 4
_STIFFEST = 0.1  # least 1 − c² τ_2/4, which nothing but contrasts beyond a thousand would pass
_FLOOR = 1e-9  # variance: the error of the solver
_CONTRAST = 1e-4  # moments μ_2 below which an evaluation tells nothing

# Measured for Voronoi mosaics of 100 to 1000 grains.
_TYPICAL_MEAN = (0.0, -0.046, 0.0, -0.004, 0.0015)
_TYPICAL_SCATTER = (0.28, 0.0064, 0.14, 0.0064, 0.14)


@dataclass(frozen=True)
class Law:
    """Normal laws of the coordinates of cells, with slopes in (v, l) where they were asked for.

    Attributes
    ----------
    mean : (N, 3) array
    log_variance : (N, 3) array
        Of the coordinates, which are independent.
    mean_slope, log_variance_slope : (N, 3, 2K) arrays
        Derivatives in the K fractions and then the K logarithms; empty if not asked for.
    """

    mean: Floats
    log_variance: Floats
    mean_slope: Floats
    log_variance_slope: Floats


@dataclass(frozen=True)
class MomentsSurrogate:
    """Mean and scatter of the tensors of mosaics, by moments.

    Parameters
    ----------
    sites : int
        S, the grains of a cell.
    mean : (5,) array
        c, the coefficients of the mean.
    scatter : (5,) array
        s_0 of x, s_1 and s_2 of q1, s_1 and s_2 of q2.
    """

    sites: int
    mean: Floats = field(default_factory=lambda: np.array(_TYPICAL_MEAN))
    scatter: Floats = field(default_factory=lambda: np.array(_TYPICAL_SCATTER))

    def law(
        self,
        fractions: Floats,
        logs: Floats,
        *,
        counted: bool = False,
        width: Floats | float = 0.0,
        slopes: bool = False,
    ) -> Law:
        """Return the laws at fractions (N, K) and logarithms (K,) or (N, K) of conductivities.

        With `counted` the fractions are those of the numbers of grains, and not probabilities. A
        `width` (N,) adds to s_0.
        """
        area = self.scatter[0] + (0 if counted else 1) + width
        first, moments = central_moments(fractions, logs)
        saturated = saturated_moments(fractions, logs - first[:, None])
        low, high = bounds(fractions, logs)
        free = first + features(moments) @ self.mean
        mean = np.zeros((len(first), 3))
        mean[:, 0] = np.clip(free, low, high)
        variance = self._variance(saturated, area) + _FLOOR
        log_variance = np.log(variance)
        if not slopes:
            none = np.empty((0, 3, 0))
            return Law(mean, log_variance, none, none)
        first_slope, moment_slopes = moment_derivatives(fractions, logs)
        mean_slope = np.zeros((len(first), 3, first_slope.shape[1]))
        in_moments = np.einsum("f,nfm->nm", self.mean, feature_derivatives(moments))
        mean_slope[:, 0] = first_slope + np.einsum("nm,nmk->nk", in_moments, moment_slopes)
        for outside, edge in ((free < low, -1.0), (free > high, 1.0)):
            mean_slope[outside, 0] = bound_derivatives(fractions, logs, edge)[outside]
        saturated_slopes = saturated_derivatives(fractions, logs)
        variance_slope = self._variance_derivatives(saturated, area) @ saturated_slopes
        return Law(mean, log_variance, mean_slope, variance_slope / variance[:, :, None])

    def _variance(self, saturated: Floats, area: Floats | float) -> Floats:
        """Variances (N, 3) from τ_2 and τ_4 (N, 2)."""
        pairs = anisotropies(saturated)
        parts = [area * influence(saturated[:, 0]), pairs @ self.scatter[1:3]]
        return np.stack([*parts, pairs @ self.scatter[3:5]], axis=1) / self.sites

    def _variance_derivatives(self, saturated: Floats, area: Floats | float) -> Floats:
        """Return the derivatives (N, 3, 2) of `_variance` in τ_2 and τ_4."""
        slopes = np.zeros((len(saturated), 3, 2))
        slopes[:, 0, 0] = area * influence_derivative(saturated[:, 0])
        pairs = self.scatter[1:].reshape(2, 2)
        slopes[:, 1:] = np.einsum("js,nsm->njm", pairs, anisotropy_derivatives(saturated))
        return slopes / self.sites

    def samples(
        self, fractions: Floats, logs: Floats, noise: Floats, *, slopes: bool = False
    ) -> tuple[Floats, Floats]:
        """Return tensors (N, 3) of cells with normal numbers `noise` (N, 3).

        Slopes (N, 3, 2K) are in the fractions and the logarithms; empty if not asked for.
        """
        law = self.law(fractions, logs, slopes=slopes)
        scatter = np.exp(law.log_variance / 2) * noise
        place = law.mean + scatter
        if not slopes:
            return tensors(place), np.empty((0, 3, 0))
        moves = law.mean_slope + scatter[:, :, None] / 2 * law.log_variance_slope
        return tensors(place), tensor_jacobian(place) @ moves

    @classmethod
    def fitted(
        cls, evaluations: Evaluations, sites: int, weights: Floats | None = None
    ) -> MomentsSurrogate:
        """Fit the coefficients to evaluations of the true map, cell by cell.

        The mean is fitted to x − Σ φ_k l_k with the areas φ of each cell, whose mean over cells of
        the same numbers of grains is n/S: this has an eighth of the scatter of x, of which most
        comes from numbers and areas.
        """
        repeat = evaluations.cells.shape[1]
        cells = evaluations.cells.reshape(-1, 3)
        logs = np.repeat(evaluations.logs, repeat, axis=0)
        counts, areas = (e.reshape(logs.shape) for e in (evaluations.counts, evaluations.areas))
        share = np.ones(len(cells)) if weights is None else np.repeat(weights, repeat)
        first, moments = central_moments(counts, logs)
        told = moments[:, 0] > _CONTRAST
        start = cls(sites)
        if told.sum() < 100:
            return start
        excess = cells[:, 0] - (areas * logs).sum(axis=1)
        mean = start.mean + _regression(
            features(moments[told]), excess[told], moments[told, 0], share[told], start.mean
        )
        rest = (cells[:, 0] - first - features(moments) @ mean)[told]
        saturated = saturated_moments(counts, logs - first[:, None])[told]
        ratio = rest**2 / influence(saturated[:, 0])
        area = sites * np.average(ratio, weights=share[told])
        pairs = anisotropies(saturated)
        squares = sites * cells[told] ** 2
        both = squares[:, 1:].mean(axis=1)
        s = _gamma_regression(pairs, both, share[told])
        # The square cell makes them differ by some percent, wherever they are.
        parts = np.average(squares[:, 1:] / (pairs @ s)[:, None], axis=0, weights=share[told])
        return cls(sites, mean, np.concatenate([[area], parts[0] * s, parts[1] * s]))


def central_moments(fractions: Floats, logs: Floats) -> tuple[Floats, Floats]:
    """Mean (N,) and central moments (N, 3), μ_2, μ_3 and μ_5, of logarithms under fractions."""
    first = (fractions * logs).sum(axis=-1)
    apart = logs - first[:, None]
    return first, np.stack([(fractions * apart**p).sum(axis=-1) for p in _POWERS], axis=1)


def moment_derivatives(fractions: Floats, logs: Floats) -> tuple[Floats, Floats]:
    """Return the derivatives (N, 2K) and (N, 3, 2K) of `central_moments` in both arguments."""
    wide = np.broadcast_to(logs, fractions.shape)
    first = (fractions * wide).sum(axis=-1)
    apart = wide - first[:, None]
    slopes = []
    for p in _POWERS:
        below = p * (fractions * apart ** (p - 1)).sum(axis=-1)[:, None]
        in_fractions = apart**p - below * wide
        in_logs = fractions * (p * apart ** (p - 1) - below)
        slopes.append(np.concatenate([in_fractions, in_logs], axis=1))
    return np.concatenate([wide, fractions], axis=1), np.stack(slopes, axis=1)


def features(moments: Floats) -> Floats:
    """Terms (N, 5) of the mean: μ_2, μ_3, μ_2², μ_2 μ_3, μ_5."""
    second, third, fifth = moments.T
    return np.stack([second, third, second**2, second * third, fifth], axis=1)


def feature_derivatives(moments: Floats) -> Floats:
    """Return the derivatives (N, 5, 3) of `features` in the moments."""
    slopes = np.zeros((len(moments), 5, 3))
    slopes[:, 0, 0] = slopes[:, 1, 1] = slopes[:, 4, 2] = 1
    slopes[:, 2, 0] = 2 * moments[:, 0]
    slopes[:, 3, 0], slopes[:, 3, 1] = moments[:, 1], moments[:, 0]
    return slopes


def saturated_moments(fractions: Floats, apart: Floats) -> Floats:
    """Central moments (N, 2), τ_2 and τ_4, of saturated logarithms `apart` (N, K) from the mean."""
    saturated = np.tanh(_SATURATION / 2 * apart) * (2 / _SATURATION)
    rest = saturated - (fractions * saturated).sum(axis=1, keepdims=True)
    return np.stack([(fractions * rest**p).sum(axis=1) for p in (2, 4)], axis=1)


def saturated_derivatives(fractions: Floats, logs: Floats) -> Floats:
    """Return the derivatives (N, 2, 2K) of `saturated_moments` in fractions and logarithms."""
    wide = np.broadcast_to(logs, fractions.shape)
    tanh = np.tanh(_SATURATION / 2 * (wide - (fractions * wide).sum(axis=1, keepdims=True)))
    saturated, steep = tanh * (2 / _SATURATION), 1 - tanh**2
    slope = (fractions * steep).sum(axis=1, keepdims=True)
    middle = (fractions * saturated).sum(axis=1, keepdims=True)
    # Of saturated logarithms, through the mean of the logarithms, and of their mean.
    in_fractions, in_logs = saturated - slope * wide, fractions * (steep - slope)
    slopes = []
    for p in (2, 4):
        power = fractions * p * (saturated - middle) ** (p - 1)  # ∂τ_p/∂τ_k
        below = power.sum(axis=1, keepdims=True)
        bend = (power * steep).sum(axis=1, keepdims=True)
        slopes.append(
            np.concatenate(
                [
                    (saturated - middle) ** p - bend * wide - below * in_fractions,
                    power * steep - bend * fractions - below * in_logs,
                ],
                axis=1,
            )
        )
    return np.stack(slopes, axis=1)


def stiffness(second: Floats) -> tuple[Floats, Floats]:
    """(1 − c² τ_2/4)^(−2) (N,), and its derivative in τ_2."""
    left = 1 - _QUARTER * second
    held = np.maximum(left, _STIFFEST)
    return held**-2, np.where(left > _STIFFEST, 2 * _QUARTER / held**3, 0)


def influence(second: Floats) -> Floats:
    """D (N,) from τ_2."""
    return np.asarray(second * stiffness(second)[0])


def influence_derivative(second: Floats) -> Floats:
    """Return the derivative (N,) of `influence`."""
    factor, slope = stiffness(second)
    return np.asarray(factor + second * slope)


def anisotropies(saturated: Floats) -> Floats:
    """Terms (N, 2) of the variance of q: τ_4 and τ_2², times D/τ_2."""
    terms = np.stack([saturated[:, 1], saturated[:, 0] ** 2], axis=1)
    return np.asarray(terms * stiffness(saturated[:, 0])[0][:, None])


def anisotropy_derivatives(saturated: Floats) -> Floats:
    """Return the derivatives (N, 2, 2) of `anisotropies` in τ_2 and τ_4."""
    second, fourth = saturated.T
    factor, slope = stiffness(second)
    slopes = np.empty((len(second), 2, 2))
    slopes[:, 0, 0], slopes[:, 0, 1] = fourth * slope, factor
    slopes[:, 1, 0], slopes[:, 1, 1] = 2 * second * factor + second**2 * slope, 0
    return slopes


def bounds(fractions: Floats, logs: Floats) -> tuple[Floats, Floats]:
    """Logarithms (N,) of the bounds of Reuss and Voigt, the harmonic and the arithmetic mean."""
    top, bottom = logs.max(axis=-1), logs.min(axis=-1)
    low = bottom - np.log((fractions * np.exp(bottom[..., None] - logs)).sum(axis=-1))
    high = top + np.log((fractions * np.exp(logs - top[..., None])).sum(axis=-1))
    return low, high


def bound_derivatives(fractions: Floats, logs: Floats, sign: float) -> Floats:
    """Return the derivatives (N, 2K) of the upper bound (sign 1) or of the lower one (−1)."""
    wide = np.broadcast_to(logs, fractions.shape)
    parts = np.exp(sign * (wide - (wide * sign).max(axis=1, keepdims=True) * sign))
    total = (fractions * parts).sum(axis=1, keepdims=True)
    return np.concatenate([sign * parts / total, fractions * parts / total], axis=1)


def _regression(
    terms: Floats, values: Floats, errors: Floats, weights: Floats, guess: Floats
) -> Floats:
    """Return what to add to a guess of s, in values = terms @ s with errors like `errors`."""
    root = np.sqrt(weights) / errors
    table, rest = terms * root[:, None], (values - terms @ guess) * root
    ridge = 1e-2 * np.eye(table.shape[1])
    return np.asarray(np.linalg.solve(table.T @ table + ridge, table.T @ rest))


def _gamma_regression(terms: Floats, values: Floats, weights: Floats) -> Floats:
    """Fit values (D,) ~ Gamma of mean terms @ s, with s (2,) >= 0, by iterated least squares."""
    s = np.full(2, values.mean() / terms.sum(axis=1).mean())
    for _ in range(100):
        root = np.sqrt(weights) / np.maximum(terms @ s, 1e-300)
        then, _ = optimize.nnls(terms * root[:, None], values * root)
        then = np.maximum(then, 1e-6)  # the variance of anything is positive
        if np.abs(then - s).max() < 1e-9:
            break
        s = then
    return s
