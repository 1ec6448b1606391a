"""What `sample` and `match` return."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pearlite import _cuda


@dataclass(frozen=True)
class History:
    """How a reconstruction went: arrays of one length, an entry for each record.

    Attributes
    ----------
    evaluation : (n,) int64
        Evaluations of the loss so far; proposals for annealing.
    loss : (n,) float64
        The loss of the field.
    rounded_loss : (n,) float64
        The loss of the labels that it rounds to; NaN where it was not evaluated.
    wrong : (n,) int64
        Integer counts of two-point correlations that the labels miss, of as many as there are
        vectors; −1 where they were not counted.
    seconds : (n,) float64
        Since the start.
    """

    evaluation: NDArray[np.int64]
    loss: NDArray[np.float64]
    rounded_loss: NDArray[np.float64]
    wrong: NDArray[np.int64]
    seconds: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.evaluation)


@dataclass(frozen=True)
class Result:
    """A reconstructed microstructure, and how it came about.

    Attributes
    ----------
    image : (n0, n1[, n2]) uint8 array
        Labels of phases, from 0; on a card if the target was.
    history : History
        Losses and wrong counts along the way.
    method : str
        The method that was used.
    why : str
        Why this method, and why it ended, in one sentence each.
    seed : int
        The seed that it started from.
    loss, rounded_loss : float
        Of the field at the end, and of `image`.
    exact : bool
        Whether `image` has all the integer two- and three-point counts of the target. Never true
        for a target that is an average, nor from two-point counts alone.
    interrupted : bool
        Whether Ctrl-C ended it; then `image` is the best so far.
    wrong_pixels : int or None
        Pixels that differ from the image that is the target, the least over all translations and
        the point reflection; None where the target is no single image.
    references : sequence of arrays
        Labels of the images that it was made from; empty where there were statistics only.
    details : dict
        What one method alone has to tell.
    """

    image: NDArray[Any]
    history: History
    method: str
    why: str
    seed: int
    loss: float
    rounded_loss: float
    exact: bool = False
    interrupted: bool = False
    wrong_pixels: int | None = None
    references: Sequence[NDArray[Any]] = ()
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """How long it took."""
        return float(self.history.seconds[-1]) if len(self.history) else 0.0

    def report(self, path: str | os.PathLike[str]) -> None:
        """Write one self-contained HTML page.

        It shows original and result side by side with their two-point correlations and the
        difference, the history, and how far the result is from being a copy.

        Parameters
        ----------
        path : str or path
            Ends in ``.html``.
        """
        from pearlite.reconstruction._page import write

        write(replace(self, image=_cuda.to_host(self.image)), path)
