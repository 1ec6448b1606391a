"""Integer counts: what a claim of exactness rests on."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

Labels = NDArray[Any]


def wrong_two_point(image: Labels, target: Labels, phases: int) -> int:
    """Return at how many vectors the two-point counts of any phase differ: 0 … N.

    Of two phases, phase 1 is looked at.
    """
    wrong = np.zeros(image.shape, np.bool_)
    for phase in range(int(phases == 2), phases):
        wrong |= correlation([image == phase]) != correlation([target == phase])
    return int(wrong.sum())


def three_point_distance(image: Labels, target: Labels, phases: int) -> int:
    """Return N times the squared distance of all integer three-point counts.

    It is Σ C_MM³ − 2 Σ C_M*³ + Σ C_**³ with C = Σ_i C_ii over the phases, in integers: 0 if and
    only if all the counts Σ_x M_i(x) M_j(x+r) M_k(x+s) agree, those of two points among them.
    """
    a = [image == phase for phase in range(phases)]
    b = [target == phase for phase in range(phases)]
    return (
        _sum_of_cubes(correlation(a))
        - 2 * _sum_of_cubes(correlation(a, b))
        + _sum_of_cubes(correlation(b))
    )


def correlation(
    first: Sequence[NDArray[np.bool_]], second: Sequence[NDArray[np.bool_]] | None = None
) -> NDArray[np.int64]:
    """Return the integers Σ_i Σ_x a_i(x) b_i(x+δ)."""
    shape = first[0].shape
    total: Any = 0
    for k, mask in enumerate(first):
        spectrum = fft.rfftn(mask.astype(np.float64))
        other = spectrum if second is None else fft.rfftn(second[k].astype(np.float64))
        total = total + np.conj(spectrum) * other
    values = fft.irfftn(total, s=shape)
    counts: NDArray[np.float64] = np.rint(values)
    if not np.abs(values - counts).max() < 0.25:  # 2^40 pixels would be needed
        raise ValueError("image is too large for exact counts")
    integers: NDArray[np.int64] = counts.astype(np.int64)
    return integers


def _sum_of_cubes(values: NDArray[np.int64]) -> int:
    """Return Σ v³ of non-negative integers below 2^42, exactly."""
    high, low = values >> 21, values & 0x1FFFFF
    terms = ((63, (high, high, high)), (42, (high, high, low)), (21, (high, low, low)),
             (0, (low, low, low)))  # fmt: skip
    times = (1, 3, 3, 1)
    return sum(
        factor * (_exact_sum(np.multiply(np.multiply(a, b), c).astype(np.uint64)) << shift)
        for factor, (shift, (a, b, c)) in zip(times, terms, strict=True)
    )


def _exact_sum(values: NDArray[np.uint64]) -> int:
    """Return the sum of fewer than 2^32 integers below 2^64 without overflow."""
    low = int((values & np.uint64(0xFFFFFFFF)).sum())
    return low + (int((values >> np.uint64(32)).sum()) << 32)
