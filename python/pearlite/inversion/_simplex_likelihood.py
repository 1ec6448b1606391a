"""Likelihood of tensors of mosaics, as mixtures of normal laws over the numbers of grains.

The density of the coordinates y = (x, q1, q2) of one cell is

.. math:: p(y | α, a) = Σ_n P(n; α) N(x; m(n/S, a), s_0²) N(q_1; 0, s_1²) N(q_2; 0, s_2²),

with the Dirichlet-multinomial law P of the numbers n of grains, and the mean m and the variances s²
that a surrogate has for given numbers. Cells of one material alone, which α < 1 makes frequent, are
terms of their own. Neighbouring n are taken together as far as the areas of the grains blur them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pearlite.inversion._simplex_likelihood_grid import CountGrid, count_grid
from pearlite.inversion._stochastic_coordinates import Floats
from pearlite.inversion._surrogate import Law, MomentsSurrogate

# Tensors are taken as known to .1 %. If they were exact, any nearly isotropic cell could pass for
# one of almost one material, which the likelihood would reward beyond measure.
RESOLUTION = 1e-3
_SPACING = 2.0  # of boxes, in deviations of the areas
_BLOCK = 2**21  # entries of a block of densities
_MOST_CELLS = 2**13


@dataclass(frozen=True)
class SimplexLikelihood:
    """Density of the coordinates of cells, given the parameters.

    Parameters
    ----------
    surrogate : MomentsSurrogate
        Mean and scatter of cells at given fractions.
    materials : int
        K.
    noise : (3,) array, optional
        Standard deviations of the errors of A11, A22 and A12.
    resolution : float
        Standard deviation of further errors, of the coordinates.
    limit : int
        Cells of the grid, at most; where they do not suffice for `spacing` it is coarser.
    spacing : float
        Width of the boxes, in standard deviations that a share of areas has at given numbers.
    """

    surrogate: MomentsSurrogate
    materials: int
    noise: Floats | None = None
    resolution: float = RESOLUTION
    limit: int = _MOST_CELLS
    spacing: float = _SPACING

    @cached_property
    def grid(self) -> CountGrid:
        """The grid on the numbers of grains."""
        spacing = self.spacing * np.sqrt(self.surrogate.scatter[0])
        return count_grid(self.materials, self.surrogate.sites, spacing, self.limit)

    def log_density(self, coordinates: Floats, alpha: Floats, logs: Floats) -> Floats:
        """Logarithm (N,) of the density at coordinates (N, 3); logs (K,) are log a."""
        terms, _ = self._terms(alpha, logs, self._law(logs, slopes=False), scores=False)
        values = np.empty(len(coordinates))
        for part, _, top, total in self._shares(coordinates, terms):
            values[part] = (top + np.log(total))[:, 0]
        return values

    def scores(self, coordinates: Floats, alpha: Floats, logs: Floats) -> tuple[Floats, Floats]:
        """Log-densities (N,), and their derivatives (N, 2K) in α and log a.

        The logarithm of a term of the sum is linear in F = (1, x, x², q1², q2²), which makes all of
        it products of matrices.
        """
        terms, slopes = self._terms(alpha, logs, self._law(logs, slopes=True), scores=True)
        values = np.empty(len(coordinates))
        gradients = np.empty((len(coordinates), 2 * len(alpha)))
        for part, shares, top, total in self._shares(coordinates, terms):
            values[part] = (top + np.log(total))[:, 0]
            means = ((shares @ slopes) / total).reshape(len(shares), 5, -1)
            gradients[part] = np.einsum("nf,nfk->nk", _given(coordinates[part]), means)
        return values, gradients

    def _shares(
        self, coordinates: Floats, terms: Floats
    ) -> Iterator[tuple[slice, Floats, Floats, Floats]]:
        """Block by block of the data: the terms (n, G) over their largest, that, and their sum."""
        step = max(1, _BLOCK // len(self.grid))
        for start in range(0, len(coordinates), step):
            part = slice(start, start + step)
            exponents = _given(coordinates[part]) @ terms
            top = exponents.max(axis=1, keepdims=True)
            exponents -= top
            shares = np.exp(exponents, out=exponents)
            yield part, shares, top, shares.sum(axis=1, keepdims=True)

    def _terms(self, alpha: Floats, logs: Floats, law: Law, scores: bool) -> tuple[Floats, Floats]:
        """Coefficients (5, G) of F in the exponents, and their derivatives (G, 5 · 2K)."""
        masses, mass_slopes = self.grid.log_masses(alpha)
        mean, precision = law.mean[:, 0], np.exp(-law.log_variance)  # (G,), (G, 3)
        pull = mean * precision[:, 0]
        constant = masses - (law.log_variance.sum(axis=1) + mean * pull + 3 * np.log(2 * np.pi)) / 2
        terms = np.stack([constant, pull, *(-precision.T / 2)])
        if not scores:
            return terms, np.empty((0, 0))
        materials = len(alpha)
        in_mean = law.mean_slope[:, 0, materials:]  # (G, K), in log a
        in_variance = law.log_variance_slope[:, :, materials:]  # (G, 3, K)
        slopes = np.zeros((len(self.grid), 5, 2 * materials))
        slopes[:, 0, :materials] = mass_slopes
        slopes[:, 0, materials:] = (
            -in_variance.sum(axis=1) / 2
            - pull[:, None] * in_mean
            + (mean * pull / 2)[:, None] * in_variance[:, 0]
        )
        slopes[:, 1, materials:] = precision[:, :1] * in_mean - pull[:, None] * in_variance[:, 0]
        slopes[:, 2:, materials:] = precision[:, :, None] / 2 * in_variance
        return terms, slopes.reshape(len(slopes), -1)

    def _law(self, logs: Floats, slopes: bool) -> Law:
        """Return the laws of the cells of the grid, with the noise of measurements."""
        grid = self.grid
        law = self.surrogate.law(
            grid.fractions, logs, counted=True, width=grid.width, slopes=slopes
        )
        noise = np.full((len(grid), 3), self.resolution**2)
        shrinking = np.zeros((len(grid), 3))  # −2 times the part that goes with 1/A²
        if self.noise is not None:
            first, second, off = self.noise**2
            both = (first + second) / 4
            # Of nearly isotropic A: dx = (dA11 + dA22)/2A, dq1 = (dA11 − dA22)/2A, dq2 = dA12/A.
            measured = np.exp(-2 * law.mean[:, :1]) * np.array([both, both, off])
            noise, shrinking = noise + measured, -2 * measured
        signal = np.exp(law.log_variance)
        variance = signal + noise
        slope = law.log_variance_slope
        if slopes:
            slope = signal[:, :, None] * slope + shrinking[:, :, None] * law.mean_slope[:, :1]
            slope = slope / variance[:, :, None]
        return Law(law.mean, np.log(variance), law.mean_slope, slope)


def _given(coordinates: Floats) -> Floats:
    """F (N, 5) of coordinates (N, 3)."""
    x, along, off = coordinates.T
    return np.stack([np.ones_like(x), x, x**2, along**2, off**2], axis=1)
