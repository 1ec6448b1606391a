"""Numbers of pixels of each phase: conditions on them, and labels that have them exactly."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Counts = NDArray[np.int64]
Labels = NDArray[np.uint8]

_SWEEPS = 60  # of the offsets; a handful is enough but where a phase is about to vanish
_LIMIT = 0.3  # of the shift of a mean in one evaluation
_TILT = 2.0  # of the logarithm of a phase's odds in one evaluation, either way
_SURE = 0.01  # odds of a phase that the network has ruled out


def pixel_counts(fractions: Sequence[float] | Doubles, size: int) -> Counts:
    """Return whole numbers of pixels (P,) with the sum `size`, by the largest remainders.

    Examples
    --------
    >>> pixel_counts([0.25, 0.75], 10)
    array([3, 7])
    """
    shares = np.asarray(fractions, np.float64) * size
    counts = np.floor(shares + 1e-9).astype(np.int64)
    # A stable sort: of equal remainders the first phase gets the pixel.
    order = np.argsort(-(shares - counts), kind="stable")
    counts[order[: size - int(counts.sum())]] += 1
    return counts


def indicators(channels: Floats) -> Floats:
    """Return the values of all phases (P, *shape); of one channel, phase 1's, also phase 0's."""
    return np.concatenate([1 - channels, channels]) if len(channels) == 1 else channels


def offsets(values: Floats, counts: Counts) -> Doubles:
    """Return what to add to each phase's values so that it is the largest in `counts` pixels.

    Parameters
    ----------
    values : (P, S)
        Values of the phases in each pixel.
    counts : (P,)
        Their sum is S; a phase of none gets −∞.

    Returns
    -------
    (P,)
        The offset of the first phase that has pixels is 0 in the mean over those that have.

    Notes
    -----
    Of all labellings with these counts, the one where v + w is the largest has the greatest sum of
    values: w are the prices of the transport problem, found phase by phase, each time to the value
    at which the phase has its count against the others (an auction with exact bids).
    """
    result = np.where(counts > 0, 0.0, -np.inf)
    there = np.flatnonzero(counts > 0)
    if len(there) < 2:
        return result
    if len(there) == 2:  # one step is exact
        first, second = there
        margin = values[second].astype(np.float64) - values[first]
        result[second] = -_between(margin, int(counts[second]))
    else:
        _auction(values, counts, result, there)
    result[there] -= result[there].mean()
    return result


def _auction(values: Floats, counts: Counts, result: Doubles, there: NDArray[np.intp]) -> None:
    """Set the offsets of three phases or more in place, in turn until every count is right."""
    for _ in range(_SWEEPS):
        raised = values + result[:, None].astype(np.float32)
        found = np.bincount(raised.argmax(axis=0), minlength=len(values))
        wrong = np.abs(found - counts)
        if not wrong.any():
            return
        phase = int(wrong.argmax())
        raised[phase] = -np.inf
        margin = values[phase] - raised.max(axis=0).astype(np.float64)
        result[phase] = -_between(margin, int(counts[phase]))


def _between(margin: Floats | Doubles, count: int) -> float:
    """Return a threshold that `count` of the values exceed, if no two of them are equal."""
    place = margin.size - count
    if place == 0:
        return float(margin.min()) - 1
    low, high = np.partition(margin, [place - 1, place])[[place - 1, place]].tolist()
    return float(0.5 * (low + high))


def tilt(channels: Floats, counts: Counts) -> Floats:
    """Return what to add to denoised channels (C, *shape) to take them to given numbers of pixels.

    A denoised image has the probability of each phase in each pixel. If phase i is e^{w_i} times
    as likely beforehand, p_i becomes p_i e^{w_i} / Σ p_j e^{w_j}: pixels at interfaces move, those
    that the network is sure of do much less. w is such that each phase is the likeliest in the
    number of pixels that it shall have, within ±2.
    """
    values = indicators(channels)
    odds = np.clip(values.reshape(len(values), -1), _SURE, 1).astype(np.float32)
    odds /= odds.sum(axis=0)
    there = counts > 0
    weights = offsets(np.log(odds), counts)
    weights = np.where(there, np.clip(weights, -_TILT, _TILT), -_TILT)
    tilted = odds * np.exp(weights).astype(np.float32)[:, None]
    tilted /= tilted.sum(axis=0)
    moved: Floats = (tilted - odds)[-len(channels) :].reshape(channels.shape)
    return moved


def mean_shift(channels: Floats, counts: Counts) -> Floats:
    """Return the shift (C,), 0.3 at most, that takes the means of denoised channels to fractions.

    Where much noise is left, the denoised image is grey: an expectation, whose mean is that of the
    phase's fraction, while its quantiles depend on how sure the network is.
    """
    wanted = counts[-len(channels) :] / counts.sum()
    apart = wanted - channels.reshape(len(channels), -1).mean(axis=1, dtype=np.float64)
    limited: Floats = np.clip(apart, -_LIMIT, _LIMIT).astype(np.float32)
    return limited


def settled(channels: Floats) -> Floats:
    """Return channels plus half their means over 3 × 3 (× 3) pixels, on a torus.

    Of the pixels that a denoised image is equally sure of, those beside a phase go to it first:
    thresholds between such pixels would strew single ones over the image.
    """
    mean = channels
    for axis in range(1, channels.ndim):
        mean = (mean + np.roll(mean, 1, axis) + np.roll(mean, -1, axis)) / np.float32(3)
    result: Floats = channels + np.float32(0.5) * mean
    return result


def exact_labels(channels: Floats, counts: Counts) -> Labels:
    """Return labels (*shape) in which each phase has exactly `counts` pixels.

    Of all such labels some with the greatest sum of the channels' values at their phases.
    """
    values = indicators(channels)
    flat = values.reshape(len(values), -1)
    if len(values) == 2:
        labels: Labels = np.zeros(flat.shape[1], np.uint8)
        order = np.argsort(-flat[1], kind="stable")  # ties go by position
        labels[order[: counts[1]]] = 1
    else:
        raised = flat + offsets(flat, counts)[:, None]
        labels = raised.argmax(axis=0).astype(np.uint8)
        _settle(labels, raised, counts)
    return labels.reshape(channels.shape[1:])


def _settle(labels: Labels, raised: Doubles, counts: Counts) -> None:
    """Move pixels from phases with too many to those with too few, at the least loss.

    Labels that fit best for their own counts stay so: each time along the cheapest chain of phases
    from one with too many to one with too few, all pixels that lose no more than the first.
    """
    surplus = np.bincount(labels, minlength=len(counts)) - counts
    while surplus.any():
        chain = _cheapest_chain(labels, raised, surplus)
        number = int(min(surplus[chain[0]], -surplus[chain[-1]]))
        moves = []
        for giver, taker in pairwise(chain):
            pixels = np.flatnonzero(labels == giver)
            loss = raised[giver, pixels] - raised[taker, pixels]
            number = min(number, int(np.count_nonzero(loss <= loss.min())))
            moves.append((pixels[np.argsort(loss, kind="stable")], taker))
        for pixels, taker in moves:
            labels[pixels[:number]] = taker
        surplus[chain[0]] -= number
        surplus[chain[-1]] += number


def _cheapest_chain(labels: Labels, raised: Doubles, surplus: NDArray[np.int64]) -> list[int]:
    """Return phases from one with too many pixels to one with too few: Floyd and Warshall."""
    count = len(surplus)
    loss = np.full((count, count), np.inf)
    for giver in range(count):
        pixels = np.flatnonzero(labels == giver)
        if len(pixels):
            loss[giver] = (raised[giver, pixels] - raised[:, pixels]).min(axis=1)
    np.fill_diagonal(loss, 0)
    after = np.tile(np.arange(count), (count, 1))
    for middle in range(count):
        through = loss[:, middle, None] + loss[middle]
        better = through < loss - 1e-12
        loss = np.where(better, through, loss)
        after = np.where(better, after[:, middle, None], after)
    ends = np.where((surplus[:, None] > 0) & (surplus < 0), loss, np.inf)
    first, last = np.unravel_index(int(ends.argmin()), ends.shape)
    chain = [int(first)]
    while chain[-1] != last:
        chain.append(int(after[chain[-1], last]))
    return chain


def largest_labels(channels: Floats) -> Labels:
    """Return the phase with the largest value in each pixel, the paper's segmentation."""
    found = channels[0] > 0.5 if len(channels) == 1 else channels.argmax(axis=0)
    labels: Labels = found.astype(np.uint8)
    return labels
