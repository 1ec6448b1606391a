"""Noise levels of the samplers, from the largest to the smallest."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]

# Where the Gaussian field comes in: Section 3.2 of the paper; and more noise, which gives a sampler
# of few steps more time for what the network changes most.
STARTS = {"annealed": 0.75, "fast": 1.1}
_FIRST, _FINAL = 1e-2, 1e-4  # σ_μ at both ends of the training: 1.526e-7 S and 1.526e-9 S …
_SIZE = 256**2  # … at the paper's size S
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


def volume_deviations(levels: Doubles, training: Doubles, size: int) -> Doubles:
    """Return σ_μ for each level: geometric over the training, from .01 to .0001 at 256² pixels.

    These are the paper's 1.526e-7 S and 1.526e-9 S at its size. At others Sσ_μ² is kept, which says
    how much of a deviation a step corrects; proportional to S, σ_μ would correct all of it in every
    step of a small image, against the network, and nothing in a large one.

    Parameters
    ----------
    levels : (K,)
        Noise levels at hand.
    training : (L,)
        Those of the training, from the largest to the smallest.
    size : int
        S, the number of pixels.

    Source: Appendix A of A. E. Robertson et al., Acta Mater. 253 (2023) 118966.
    """
    span = np.log(training[0] / training[-1])
    place = np.log(training[0] / levels) / span if span > 0 else np.ones(len(levels))
    deviations: Doubles = (_SIZE / size) ** 0.5 * _FIRST * (_FINAL / _FIRST) ** place
    return deviations
