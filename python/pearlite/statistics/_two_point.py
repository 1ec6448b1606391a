"""Two-point correlations by scipy's transforms, until the compiled ones are there."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from pearlite import _threads
from pearlite.statistics._connected import valid_pairs


def auto_correlations(
    indicators: NDArray[Any],  # (..., *shape), zeros and ones
    periodic: bool,
    dim: int,
    threads: int | None,
) -> NDArray[np.float64]:
    """Return S(r) = ⟨I(x) I(x + r)⟩, from integer counts; (..., *map)."""
    shape = indicators.shape[-dim:]
    full = shape if periodic else tuple(fft.next_fast_len(2 * n - 1, real=True) for n in shape)
    axes = tuple(range(-dim, 0))
    workers = _threads.count(threads)
    spectrum = fft.rfftn(indicators.astype(np.float64), full, axes, workers=workers)
    counts = np.rint(fft.irfftn(spectrum.real**2 + spectrum.imag**2, full, axes, workers=workers))
    if not periodic:
        middle = (np.arange(1 - n, n) % m for n, m in zip(shape, full, strict=True))
        counts = counts[(..., *np.ix_(*middle))]
    assert math.prod(shape) > 0
    result: NDArray[np.float64] = counts / valid_pairs(shape, periodic)
    return result
