"""Dirichlet fractions from uniform numbers or fields, by quantiles of the gamma distribution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from pearlite.microstructures._draw import (
    Floats,
    check_array,
    check_batch,
    check_integer,
    check_kind,
    normals,
)
from pearlite.microstructures.neumann import UNIT_SQUARE, NeumannField, Window

_LEAST_ALPHA = 1e-300  # of less the logarithms of quantiles overflow
_SMALL = np.log(1e-8)  # of x, below which two terms of the series of P(α, x) give all digits


def log_gamma_quantile(alpha: npt.ArrayLike, uniform: npt.ArrayLike) -> Floats:
    """Logarithm of the inverse distribution function of the gamma distribution of scale 1.

    It is log x with P(α, x) = u, where P is the regularized lower incomplete gamma function. For
    small α most quantiles are less than the smallest float, their logarithms are not.

    Parameters
    ----------
    alpha : (...) array
        Shape parameters α > 0, which broadcast with `uniform`.
    uniform : (...) array
        Probabilities u in the open interval (0, 1).

    Returns
    -------
    (...) float64 array

    Raises
    ------
    TypeError, ValueError
        If an argument has no meaning; the message names it.

    Notes
    -----
    For x below 1e-8 it is log x = t + eᵗ/(α + 1) with t = (log u + log Γ(α + 1))/α, from the series
    of P, with an error of x²; else the inverses in `scipy.special`, of P up to u = ½ and of 1 − P
    beyond.

    Source: NIST Digital Library of Mathematical Functions, 8.7.1.

    Examples
    --------
    >>> import numpy as np
    >>> np.exp(log_gamma_quantile(1.0, [0.5, 0.9])).round(6)  # −log(1 − u)
    array([0.693147, 2.302585])
    >>> float(log_gamma_quantile(0.001, 0.1).round(2))
    -2303.16
    """
    shape = check_alpha(alpha)
    lower = check_array("uniform", uniform, ())
    if not ((lower > 0) & (lower < 1)).all():
        raise ValueError("uniform has entries outside of (0, 1); expected probabilities between")
    _check_broadcast(shape, "uniform", lower)
    return np.asarray(_log_quantile(shape, np.log(lower), 1 - lower))


def log_gamma_of_normal(alpha: npt.ArrayLike, normal: npt.ArrayLike) -> Floats:
    """Logarithm of the gamma quantile of u = Φ(z), from z, so that no u rounds to 0 or 1.

    Parameters
    ----------
    alpha : (...) array
        Shape parameters α > 0, which broadcast with `normal`.
    normal : (...) array
        Standard normal numbers z.

    Returns
    -------
    (...) float64 array

    Raises
    ------
    TypeError, ValueError
        If an argument has no meaning; the message names it.

    Examples
    --------
    >>> import numpy as np
    >>> np.exp(log_gamma_of_normal(1.0, [0.0, 10.0])).round(6)  # −log Φ(−z)
    array([ 0.693147, 53.231285])
    """
    shape, z = check_alpha(alpha), check_array("normal", normal, ())
    _check_broadcast(shape, "normal", z)
    return np.asarray(_log_quantile(shape, special.log_ndtr(z), special.ndtr(-z)))


def dirichlet(alpha: npt.ArrayLike, uniform: npt.ArrayLike) -> Floats:
    """Turn uniform numbers into Dirichlet-distributed fractions.

    v_k = g_k / Σ_j g_j, where g_k is the quantile of the gamma distribution of shape α_k at u_k:
    common random numbers u give fractions that are smooth functions of α.

    Parameters
    ----------
    alpha : (..., K) array
        Parameters α_k > 0, which broadcast with `uniform`.
    uniform : (..., K) array
        Independent numbers, uniform in the open interval (0, 1).

    Returns
    -------
    (..., K) float64 array
        Fractions >= 0 that sum to 1.

    Raises
    ------
    TypeError, ValueError
        If an argument has no meaning; the message names it.

    Notes
    -----
    Source: arXiv:2604.14083, eq. 37, where uniform numbers come from a random field.

    Examples
    --------
    >>> dirichlet([2.0, 3.0, 4.0], [0.5, 0.5, 0.5]).round(4)
    array([0.2092, 0.3332, 0.4576])
    """
    shape, numbers = check_alpha(alpha, axes=1), check_array("uniform", uniform, (None,))
    if not shape.shape[-1] == numbers.shape[-1] > 0:
        raise ValueError(
            f"alpha has {shape.shape[-1]} entries and uniform {numbers.shape[-1]}; "
            "expected one of each for each material"
        )
    return normalized(log_gamma_quantile(shape, numbers))


def normalized(logs: Floats) -> Floats:
    """Fractions (..., K) from logarithms (..., K) of positive numbers."""
    parts = np.exp(logs - logs.max(axis=-1, keepdims=True))
    fractions: Floats = parts / parts.sum(axis=-1, keepdims=True)
    return fractions


def check_alpha(alpha: npt.ArrayLike, axes: int = 0, materials: int | None = None) -> Floats:
    """Parameters of gamma or Dirichlet distributions, (...) or (..., K)."""
    values = check_array("alpha", alpha, (materials,) * axes)
    if not (values >= _LEAST_ALPHA).all():
        raise ValueError(f"alpha has an entry {values.min()}; expected numbers >= {_LEAST_ALPHA}")
    return values


def _check_broadcast(alpha: Floats, name: str, values: Floats) -> None:
    """Raise unless both have shapes that broadcast."""
    try:
        np.broadcast_shapes(alpha.shape, values.shape)
    except ValueError:
        raise ValueError(
            f"{name} has shape {values.shape}; expected one that broadcasts with {alpha.shape}, "
            "that of alpha"
        ) from None


def _log_quantile(alpha: Floats, log_lower: Floats, upper: Floats) -> Floats:
    """Return log x from log P(α, x) and 1 − P(α, x)."""
    alpha, log_lower, upper = np.broadcast_arrays(alpha, log_lower, upper)
    logs = np.asarray((log_lower + special.gammaln(alpha + 1)) / alpha)
    small = logs < _SMALL
    logs[small] += np.exp(logs[small]) / (alpha[small] + 1)
    high = ~small & (upper < 0.5)
    logs[high] = np.log(special.gammainccinv(alpha[high], upper[high]))
    low = ~small & ~high
    logs[low] = np.log(special.gammaincinv(alpha[low], np.exp(log_lower[low])))
    return logs


@dataclass(frozen=True)
class DirichletField:
    """Fractions that vary slowly over the unit square, Dirichlet-distributed at each point.

    .. math:: v_k = g_k / Σ_j g_j,   g_k(x) = F^{−1}_{Γ(α_k)}(u_k(x)),

    with K independent copula fields u, uniform at each point, and the inverse distribution function
    of the gamma distribution.

    Parameters
    ----------
    field : NeumannField
        The Gaussian field behind the copula.
    materials : int
        K, the number of materials, 1 to 256.

    Notes
    -----
    The quantiles are taken of the normal values themselves, in logarithms, so that none is lost in
    either tail. Source: arXiv:2604.14083, eqs. 37–38.

    Examples
    --------
    >>> fractions = DirichletField(NeumannField(), materials=3)
    >>> normals = fractions.draw(1, seed=1)[0]
    >>> v = fractions.on_grid((20, 20), normals, alpha=[2.0, 3.0, 4.0])
    >>> v.shape, bool(abs(v.sum(axis=-1) - 1).max() < 1e-15)
    ((20, 20, 3), True)
    """

    field: NeumannField
    materials: int

    def __post_init__(self) -> None:
        check_kind("field", self.field, NeumannField)
        check_integer("materials", self.materials, 1, 256)

    def draw(self, count: int, *, seed: int, sample: int = 0) -> Floats:
        """Draw the standard normal coefficients (count, K, M, M) of `count` specimens."""
        shape = (self.materials, self.field.modes, self.field.modes)
        return normals(seed, check_batch(count, seed, sample, shape), shape, "fraction fields")

    def at(self, points: npt.ArrayLike, normals: npt.ArrayLike, alpha: npt.ArrayLike) -> Floats:
        """Fractions at any points.

        Parameters
        ----------
        points : (..., 2) array
            Points of the unit square.
        normals : (*batch, K, M, M) array
            Coefficients, as `draw` returns them.
        alpha : (K,) array
            Parameters > 0 of the Dirichlet distribution.

        Returns
        -------
        (*batch, ..., K) float64 array
        """
        given = self._normals(normals)
        where = check_array("points", points, (2,))
        return self._turned(self.field.standard(where, given), where.ndim - 1, alpha)

    def on_grid(
        self,
        shape: Sequence[int],
        normals: npt.ArrayLike,
        alpha: npt.ArrayLike,
        *,
        window: Window = UNIT_SQUARE,
    ) -> Floats:
        """Fractions (*batch, n0, n1, K) on a grid; see `at` and `NeumannField.on_grid`."""
        fields = self.field.standard_on_grid(shape, self._normals(normals), window=window)
        return self._turned(fields, 2, alpha)

    def _turned(self, fields: Floats, axes: int, alpha: npt.ArrayLike) -> Floats:
        """Fractions (..., *points, K) from standard normal fields (..., K, *points)."""
        values = check_alpha(alpha, 1, self.materials)
        if values.ndim != 1:
            raise ValueError(f"alpha has shape {values.shape}; expected ({self.materials},)")
        return normalized(log_gamma_of_normal(values, np.moveaxis(fields, -axes - 1, -1)))

    def _normals(self, given: npt.ArrayLike) -> Floats:
        return check_array("normals", given, (self.materials, self.field.modes, self.field.modes))
