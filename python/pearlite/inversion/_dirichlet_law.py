"""The distribution function of means of a Dirichlet vector, by inversion of a Fourier transform."""

from __future__ import annotations

import numpy as np

from pearlite.inversion._parameters import Floats

# Step of the trapezoidal rule in log t, at most: its error is exp(−π²/step) = 3e-10. For large α
# the integrand falls within 1/√α of its scale.
_STEP = 0.45
_BELOW, _ABOVE = 22.0, 20.0  # how far the nodes reach beyond the scales 1/max|c| and 1/min|c|
_EARLY, _LATE = 36.0, 40.0  # of the excess: what is left out is exp(−36) of a gap
_NOTHING = 45.0  # exp(−45) is left out
_CHUNK = 2**16  # nodes at a time


def mean_below(values: Floats, alpha: Floats, points: Floats) -> tuple[Floats, Floats, Floats]:
    r"""Return P(Σ v_k b_k ≤ m) for v ~ Dirichlet(α), and its derivatives in b and in α.

    With independent gamma variables g_k of shapes α_k, v_k = g_k/Σg, it is the probability that
    Σ g_k c_k ≤ 0 with c_k = b_k − m, whose characteristic function is Π (1 − i t c_k)^(−α_k):

    .. math:: P = \frac12 - \frac1π ∫_0^∞ \sin\Big(\sum_k α_k \arctan(t c_k)\Big)
              \prod_k (1 + t^2 c_k^2)^{-α_k/2}\, \frac{dt}{t}.

    Parameters
    ----------
    values : (K,) array
        b.
    alpha : (K,) array
        α > 0.
    points : (E,) array
        m.

    Returns
    -------
    probability : (E,) array
    in_values, in_alpha : (E, K) arrays
        Derivatives. That in m is minus the sum of the former.

    Notes
    -----
    The integrand is smooth in log t and its phase is bounded, so that the trapezoidal rule in log t
    converges exponentially; beyond the last node the sum is a geometric series.

    Sources: J. Gil-Pelaez, Biometrika 38, 481 (1951); J. P. Imhof, Biometrika 48, 419 (1961).

    Examples
    --------
    The fraction of one of two materials is Beta-distributed: for α = (1, 1) it is uniform.

    >>> import numpy as np
    >>> below, _, _ = mean_below(np.array([0.0, 1.0]), np.ones(2), np.array([0.25, 0.5]))
    >>> below.round(6)
    array([0.25, 0.5 ])
    """
    gaps = values - points[:, None]  # (E, K)
    span = np.abs(gaps).max(axis=1)
    gaps = np.where(np.abs(gaps) < 1e-13 * span[:, None], 1e-13 * span[:, None], gaps)
    parts = [
        _integrals(part, alpha)
        for part in np.array_split(gaps, max(1, gaps.size * 200 // _CHUNK + 1))
        if len(part)
    ]
    below, in_gaps, in_alpha = (np.concatenate(each) for each in zip(*parts, strict=True))
    return np.clip(below, 0, 1), in_gaps, in_alpha


def _nodes(gaps: Floats, alpha: Floats) -> Floats:
    """Logarithms of t at equal steps, as far as the integrand of any gaps c (E, K) matters."""
    step = _STEP / np.sqrt(max(1.0, alpha.sum() / 3))
    first = -np.log(np.abs(gaps).max()) - _BELOW
    last = -np.log(np.abs(gaps).min()) + _ABOVE
    coarse = np.arange(first, last, 0.5)
    turned = np.exp(2 * coarse)[:, None, None] * gaps**2
    decay = (0.5 * np.log1p(turned) @ alpha).min(axis=1)
    past = np.flatnonzero(decay > _NOTHING)
    last = coarse[past[0]] if len(past) else last
    return np.asarray(first + step * np.arange(int((last - first) / step) + 2))


def _integrals(gaps: Floats, alpha: Floats) -> tuple[Floats, Floats, Floats]:
    """P (E,), and its derivatives (E, K) in the gaps c and in α."""
    nodes = _nodes(gaps, alpha)
    step = nodes[1] - nodes[0]
    turned = np.exp(nodes)[:, None, None] * gaps  # (n, E, K): t c
    angles, squares = np.arctan(turned), turned**2
    logs = 0.5 * np.log1p(squares)
    phase, size = angles @ alpha, np.exp(-(logs @ alpha))  # (n, E)
    sine, cosine = size * np.sin(phase), size * np.cos(phase)
    # Past the last node |t c| is so large that all but the power of t is constant.
    ratio = np.exp(-step * alpha.sum())
    tail = ratio / (1 - ratio)
    below = sine.sum(axis=0) + tail * sine[-1]
    slopes = alpha / (1 + squares)  # of α arctan over t
    per_gap = slopes * turned * (cosine[:, :, None] - sine[:, :, None] * turned) / gaps
    in_gaps = per_gap.sum(axis=0) + tail * per_gap[-1]
    per_alpha = cosine[:, :, None] * angles - sine[:, :, None] * logs
    in_alpha = per_alpha.sum(axis=0) + tail * per_alpha[-1]
    # log(1 + t²c²)/2 grows by the step from node to node: Σ j ratio^j
    in_alpha -= step * ratio / (1 - ratio) ** 2 * sine[-1][:, None]
    scale = step / np.pi
    return 0.5 - scale * below, -scale * in_gaps, -scale * in_alpha


def mean_excess(values: Floats, alpha: Floats, points: Floats) -> tuple[Floats, Floats, Floats]:
    r"""Return E max(0, Σ v_k b_k − m) for v ~ Dirichlet(α), and its derivatives in b and in α.

    With X = Σ g_k c_k as for `mean_below`, whose sum of gamma variables is independent of v and has
    the mean α_0 = Σ α_k, it is E max(0, X)/α_0 = (E X + E |X|)/2α_0, and for any X of the
    characteristic function φ

    .. math:: E\,|X| = \frac2π ∫_0^∞ \frac{1 - \mathrm{Re}\, φ(t)}{t^2}\, dt.

    Parameters
    ----------
    values, alpha, points : (K,), (K,) and (E,) arrays
        b, α > 0 and m.

    Returns
    -------
    excess : (E,) array
    in_values, in_alpha : (E, K) arrays
        Derivatives.

    Notes
    -----
    It is the primitive of 1 − P: means of 1 − P over intervals follow from it exactly, also where
    the density has poles.

    Source of the integral: B. von Bahr, Ann. Math. Stat. 36, 808 (1965).

    Examples
    --------
    The fraction of one of two materials, uniform, exceeds m by (1 − m)²/2 in the mean:

    >>> import numpy as np
    >>> mean_excess(np.array([0.0, 1.0]), np.ones(2), np.array([0.0, 0.5]))[0].round(6)
    array([0.5  , 0.125])
    """
    gaps = values - points[:, None]  # (E, K)
    span = np.abs(gaps).max(axis=1, keepdims=True)
    gaps = np.where(np.abs(gaps) < 1e-13 * span, 1e-13 * span, gaps)
    parts = [
        _excesses(part, alpha)
        for part in np.array_split(gaps, max(1, gaps.size * 300 // _CHUNK + 1))
        if len(part)
    ]
    excess, in_gaps, in_alpha = (np.concatenate(each) for each in zip(*parts, strict=True))
    return excess, in_gaps, in_alpha


def _excesses(gaps: Floats, alpha: Floats) -> tuple[Floats, Floats, Floats]:
    """E max(0, X)/α_0 (E,), and its derivatives (E, K) in the gaps c and in α."""
    # Differences of its values are taken: a step that is exact to rounding.
    step = 2 * _STEP / 3 / np.sqrt(max(1.0, alpha.sum() / 3))
    scale = np.abs(gaps).max()
    nodes = np.exp(np.arange(-_EARLY, _LATE, step)) / scale
    turned = nodes[:, None, None] * gaps  # (n, E, K): t c
    angles, squares = np.arctan(turned), turned**2
    logs = 0.5 * np.log1p(squares)
    phase, decay = angles @ alpha, logs @ alpha  # (n, E)
    size = np.exp(-decay)
    sine, cosine = size * np.sin(phase), size * np.cos(phase)
    weights = 2 / np.pi * step / nodes  # of 1 − Re φ
    rest = -np.expm1(-decay) + 2 * size * np.sin(phase / 2) ** 2
    absolute = weights @ rest + weights[-1] / np.expm1(step)
    total = alpha.sum()
    mean = gaps @ alpha
    # ∂Re φ/∂c_k = α_k Re(i t φ/(1 − i t c_k))
    slopes = alpha * nodes[:, None, None] / (1 + squares)
    in_gaps = slopes * (sine[:, :, None] + cosine[:, :, None] * turned)
    in_alpha = cosine[:, :, None] * logs + sine[:, :, None] * angles
    excess = (mean + absolute) / (2 * total)
    by_gaps = (alpha + np.einsum("n,nek->ek", weights, in_gaps)) / (2 * total)
    by_alpha = (gaps + np.einsum("n,nek->ek", weights, in_alpha)) / (2 * total)
    return excess, by_gaps, by_alpha - excess[:, None] / total
