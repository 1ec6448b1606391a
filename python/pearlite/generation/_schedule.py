"""Noise levels of the samplers, from the largest to the smallest."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]

START = 0.75  # where the Gaussian field comes in: Section 3.2 of the paper
_LAST = 0.05  # of the fast sampler: what is left of the noise moves no pixel across one half


def annealed_levels(levels: Doubles, start: float | None) -> Doubles:
    """Return the training's levels from the last one that is not below `start`; None: all.

    Examples
    --------
    >>> len(annealed_levels(np.geomspace(20, 0.01, 1000), 0.75))
    569
    """
    if start is None:
        return levels
    first = int(np.flatnonzero(levels >= min(start, float(levels[0])))[-1])
    return levels[first:]


def thinned(levels: Doubles, count: int | None) -> Doubles:
    """Return `count` of the levels, evenly spread, the first and the last among them."""
    if count is None or count >= len(levels):
        return levels
    places = np.rint(np.linspace(0, len(levels) - 1, count)).astype(np.int64)
    return levels[places]


def fast_levels(start: float, count: int) -> Doubles:
    """Return `count` geometric levels from `start` down; the noise is gone after the last."""
    if count == 1:
        return np.array([start])
    return np.geomspace(start, min(_LAST, start), count)


def volume_deviations(levels: Doubles, first: float, last: float, size: int) -> Doubles:
    """Return σ_μ for each level: Appendix A, geometric from `first` S to `last` S over a training.

    Parameters
    ----------
    levels : (K,)
        Noise levels, the last ones of the training's.
    first, last : float
        σ_μ/S at the largest and at the smallest level of the training, 2000 times apart or as the
        model has it; given here for the levels at hand.
    size : int
        S, the number of pixels.
    """
    if len(levels) == 1:
        return np.array([last * size])
    return np.geomspace(first * size, last * size, len(levels))
