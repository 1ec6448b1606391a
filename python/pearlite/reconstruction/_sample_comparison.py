"""A sample beside its references: errors of statistics, and the natural scatter of these."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pearlite.reconstruction import _sample_statistics
from pearlite.reconstruction._sample_statistics import Wanted


@dataclass(frozen=True)
class Comparison:
    """Statistics of a periodic structure beside those of references, which are not periodic.

    The natural scatter is measured between the halves of each reference, across each of its axes in
    turn; the mean over these is given. Two images as large as a reference would differ by 1/√2 of
    that, since each half has twice the variance. It says how well the references know their own
    statistics; an error far below it follows accidents of theirs.

    Pairs and chords of references are those within an image. Of a line of n pixels a chord of l
    lies at n − l − 1 places as a whole, with an end on either side, and counts 1/(n − l − 1) (R. E.
    Miles, J. R. Stat. Soc. B 36 (1974), for what a window cuts).

    Attributes
    ----------
    fractions, fractions_wanted : (P,) arrays
        Shares of the phases in the structure, and in all the references together.
    s2_error, s2_natural : float
        Root mean square of the difference of two-point correlations over the window and the phases,
        each about its mean (S2 − φ²), and what it is between halves of the references.
    chord_error, chord_natural : (P,) arrays
        Total variation, from 0 to 1, between the distributions of chord lengths of each phase, a
        mean over the axes, and what it is between halves of the references.
    radius : int
        The window: shifts of at most so many pixels along each axis.
    """

    fractions: NDArray[np.float64]
    fractions_wanted: NDArray[np.float64]
    s2_error: float
    s2_natural: float
    chord_error: NDArray[np.float64]
    chord_natural: NDArray[np.float64]
    radius: int

    @property
    def within(self) -> bool:
        """Whether no error is above the natural scatter."""
        chords = bool(np.all(self.chord_error <= self.chord_natural))
        return chords and self.s2_error <= self.s2_natural


def between(image: NDArray[Any], wanted: Wanted) -> Comparison:
    """Compare labels 0 … P − 1 with what is wanted."""
    target = wanted.statistics
    own = _sample_statistics.of_sample(image, len(target.fractions), wanted.radius)
    return Comparison(
        fractions=own.fractions,
        fractions_wanted=target.fractions,
        s2_error=_sample_statistics.covariance_error(own, target, wanted.known),
        s2_natural=wanted.s2_natural,
        chord_error=_sample_statistics.chord_distance(own.chords, target.chords).mean(0),
        chord_natural=wanted.chord_natural,
        radius=wanted.radius,
    )
