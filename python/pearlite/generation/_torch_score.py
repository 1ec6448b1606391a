"""The score of volumes by torch, for which there is no compiled engine."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pearlite._errors import brief
from pearlite.generation._model import Model
from pearlite.io.errors import optional

Floats = NDArray[np.float32]


class TorchEvaluator:
    """A score network of any dimension, with zeros around an image, evaluated by torch.

    Parameters
    ----------
    model : Model
    threads : int
        Of torch while it evaluates; a caller's own setting is put back.
    """

    def __init__(self, model: Model, threads: int) -> None:
        self._torch: Any = optional("torch", "torch", "generating volumes")
        from pearlite.generation._network import ScoreNetwork

        self._network = ScoreNetwork.of(model)
        self._threads = threads

    def score(self, x: Floats, sigma: float, *, padding: Literal["zero", "periodic"]) -> Floats:
        """Return the score (B, C, *shape)."""
        if padding != "zero":
            raise ValueError(f"padding is {brief(padding)}; expected 'zero'")
        torch = self._torch
        before = torch.get_num_threads()
        torch.set_num_threads(self._threads)
        try:
            with torch.inference_mode():
                # One after another: activations of a volume are large.
                parts = [
                    self._network(torch.from_numpy(image[None].copy()), torch.full((1,), sigma))
                    for image in x
                ]
        finally:
            torch.set_num_threads(before)
        return np.concatenate([np.asarray(part.numpy(), np.float32) for part in parts])
