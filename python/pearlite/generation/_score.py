"""The score of periodic images, from an engine that knows their border."""

from __future__ import annotations

from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from pearlite.generation._model import Model

Floats = NDArray[np.float32]
Padding = Literal["periodic", "halo"]

HALO = 16  # pixels on each side: Section 3.3 of the paper


class Evaluator(Protocol):
    """What evaluates a network, such as `Engine`."""

    def score(self, x: Floats, sigma: float, *, padding: Literal["zero", "periodic"]) -> Floats:
        """Return the score (B, C, *shape)."""
        ...


class PeriodicScore:
    """A score network on images that repeat.

    Parameters
    ----------
    engine : Evaluator
    model : Model
    shape : tuple of int
        Pixels along each axis.
    padding : {"periodic", "halo"}
        Whether convolutions go on at the opposite side, which needs sizes that the network can
        halve as often as it does; or the image is continued by 16 pixels at least on each side
        before each evaluation, and by zeros beyond, as in the paper.
    """

    def __init__(
        self, engine: Evaluator, model: Model, shape: tuple[int, ...], padding: Padding
    ) -> None:
        self._engine = engine
        fits = all(n % model.multiple == 0 for n in shape)
        self.padding: Padding = "periodic" if padding == "periodic" and fits else "halo"
        # To the next size that the network can halve; what is more stands behind.
        self._widths = [(HALO, HALO + (-(n + 2 * HALO)) % model.multiple) for n in shape]

    def __call__(self, images: Floats, sigma: float) -> Floats:
        """Return the score of images (B, C, *shape)."""
        if self.padding == "periodic":
            return self._engine.score(images, sigma, padding="periodic")
        wide = np.pad(images, [(0, 0), (0, 0), *self._widths], "wrap")
        found = self._engine.score(wide, sigma, padding="zero")
        box: tuple[Any, ...] = (..., *(slice(a, -b) for a, b in self._widths))
        return np.ascontiguousarray(found[box])
