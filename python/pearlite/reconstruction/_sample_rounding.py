"""From fields to labels with exact counts, and exchanges that correct what rounding spoils."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from pearlite import _core
from pearlite.reconstruction import _sample_statistics as statistics
from pearlite.reconstruction._sample_levels import Field, vertices
from pearlite.reconstruction._sample_references import Labels, References

_ROUNDS = 5
_PROPOSALS = {2: 0.6, 3: 0.3}  # a round, for each pixel
_LEAST_NATURAL = 1e-4  # of covariances: of regular references, halves may agree exactly


def counts(fractions: NDArray[np.float64], size: int) -> NDArray[np.int64]:
    """Return whole pixels of each phase, which sum to `size`: the largest remainders round up."""
    exact = fractions * size
    whole = np.floor(exact).astype(np.int64)
    rest = np.argsort(-(exact - whole), kind="stable")[: size - int(whole.sum())]
    whole[rest] += 1
    return whole


def rounded(field: Field, wanted: NDArray[np.int64]) -> Labels:
    """Return labels with the wanted counts; pixels nearest to a phase get it first."""
    corners = vertices(len(wanted)).astype(np.float32)
    flat = field.reshape(len(field), -1)
    distance = np.stack([((flat - corner[:, None]) ** 2).sum(0) for corner in corners])
    labels = np.full(flat.shape[1], len(wanted) - 1, np.uint8)
    free = np.arange(flat.shape[1])
    for phase, count in enumerate(wanted[:-1]):
        # How much farther the best of the phases still open is.
        regret = distance[phase + 1 :, free].min(0) - distance[phase, free]
        order = np.argpartition(-regret, min(count, len(free) - 1))
        labels[free[order[:count]]] = phase
        free = np.sort(free[order[count:]])
    return labels.reshape(field.shape[1:])


@dataclass
class Exchanges:
    """Where the exchanges are: `done` rounds behind them, and the energy after the last one."""

    labels: Labels
    done: int = 0
    energy: float = np.nan


class Refinement:
    """Exchanges of labels that bring integer statistics to those of the references.

    The energy is (error of covariances / natural scatter)² and, for chords along each axis and for
    each pattern, the mean over the entries of (n − t)²/(t + 1), n counts of the sample and t those
    wanted; less by the ratio of pixels where the sample has more than the references.
    """

    def __init__(self, references: References, seed: int, effort: float = 1.0) -> None:
        self._references, self._seed = references, seed
        self.rounds = math.ceil(effort * _ROUNDS)
        self._size = int(np.prod(references.shape))
        self.wanted = statistics.wanted(references)
        self._reach = self.wanted.radius
        self._target = self.wanted.statistics
        self.counts = counts(self._target.fractions, self._size)
        known, natural = self.wanted.known, max(self.wanted.s2_natural, _LEAST_NATURAL)
        weights = known / (known.sum() * references.phases * natural**2)
        self._weights = weights.astype(np.float32)
        chords = self._chord_counts()
        reach = references.smallest // 4
        self._offsets = statistics.pattern_offsets(references.phases, references.dim, reach)
        patterns = statistics.pattern_shares(references, self._offsets) * self._size
        # The references know the counts of a larger sample no better than their own.
        share = min(1.0, sum(image.size for image in references.images) / self._size)
        self._counted = [
            (c.astype(np.float32), np.float32(share) * _weights(c)) for c in (chords, patterns)
        ]

    def refine(self, state: Exchanges, record: Callable[[Exchanges], None]) -> Exchanges:
        """Go on to the end; `record` is called after each round."""
        proposals = int(_PROPOSALS[self._references.dim] * self._size)
        (chords, chord_weights), (patterns, pattern_weights) = self._counted
        lines = state.labels.reshape((1,) * (3 - state.labels.ndim) + state.labels.shape)
        while state.done < self.rounds:
            energy, gradient = self._covariances(state.labels)
            # Along its gradient a quadratic energy E is gone once its linear part has fallen by
            # 2 E; half of that is safe, since exchanges do not follow the gradient exactly.
            _, _, *others = _core.swap_labels(
                lines, gradient, chords, chord_weights, patterns, pattern_weights, self._offsets,
                proposals, max(energy, 1e-9), 0.0, self._seed, state.done,
            )  # fmt: skip
            state.done += 1
            state.energy = energy + sum(others)
            record(state)
        return state

    def _covariances(self, labels: Labels) -> tuple[float, NDArray[np.float32]]:
        """Return their energy and its gradient, (P, n0, n1, n2), in each phase's indicator."""
        phases, shape = self._references.phases, labels.shape
        energy = 0.0
        gradient = np.zeros((phases, *(1,) * (3 - labels.ndim), *shape), np.float32)
        where = np.ix_(*(np.arange(-self._reach, self._reach + 1) % n for n in shape))
        for phase in range(phases):
            mask = labels == phase
            gap = statistics.covariance_of(mask, self._reach) - self._target.covariance[phase]
            pull = (self._weights * gap).astype(np.float32)
            energy += float((pull * gap).sum())
            spread = np.zeros(shape, np.float32)
            spread[where] = pull
            spectrum = fft.rfftn(mask.astype(np.float32)) * fft.rfftn(spread)
            gradient[phase] = fft.irfftn(spectrum, s=shape) * np.float32(4 / self._size)
        return energy, gradient

    def _chord_counts(self) -> NDArray[np.float64]:
        """Return wanted numbers of chords (3 P, bins), such that they fill each phase's pixels."""
        phases, dim, target = self._references.phases, self._references.dim, self._target
        wanted = np.zeros((3, phases, target.chords.shape[-1]))
        filled = (target.chords * np.arange(target.chords.shape[-1])).sum(-1)
        scale = self.counts / np.where(filled > 0, filled, np.inf)
        wanted[3 - dim :] = target.chords * scale[..., None]
        return wanted.reshape(3 * phases, -1)


def _weights(target: NDArray[Any]) -> NDArray[np.float32]:
    """Return weights 1/(t + 1), divided by the number of entries of the row that occur.

    Where nothing is known of a row, as of chords of layers along these, nothing is asked for.
    """
    entries = (target >= 0.5).sum(-1, keepdims=True)
    asked = target.sum(-1, keepdims=True) > 0
    weights = asked / ((target + 1) * np.maximum(entries, 1))
    return np.ascontiguousarray(weights, np.float32)
