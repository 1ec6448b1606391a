"""One evaluation of the kernel identity: what the compiled kernel takes, and gives."""

from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pearlite import _core

Array: TypeAlias = NDArray[Any]


class Evaluation(NamedTuple):
    """Loss and gradient of one field, and the translation at which it fits best.

    `place` is the flat index of the δ at which Σ_x u(x) v(x+δ) is largest, of the first reference.
    """

    loss: float
    gradient: Array | None
    place: int


class Prepared(NamedTuple):
    """A target as the kernel takes it; the layout of spectra is that of this machine."""

    spectra: Array  # (R, C, full)
    weights: Array | None  # (full): the spectrum of the filter
    mean: list[float]  # (C)
    power: list[float]  # (3): the factors of C², C³ and C⁴
    scale: float
    constant: float
    volume: tuple[int, int, int]  # (n0, m, n)

    def workspace(self, threads: int) -> Array:
        """Return what one call at a time needs, and the next can use again."""
        references, channels, _ = self.spectra.shape
        float64 = self.spectra.dtype == np.float64
        size = _core.kernel_workspace(self.volume, channels, references, threads, float64)
        return np.zeros(size, np.uint8)

    def evaluate(
        self,
        field: Array,  # (C, *shape) or (*shape), contiguous: not checked
        threads: int,
        workspace: Array,
        gradient: bool = True,
    ) -> Evaluation:
        """Return loss and gradient of one field."""
        own, cross, place, slope = _core.kernel_loss(
            field.reshape(len(self.mean), *self.volume),
            self.spectra,
            self.weights,
            self.mean,
            self.power,
            self.scale,
            gradient,
            threads,
            workspace,
        )
        loss = own - 2 * cross + self.constant
        return Evaluation(loss, None if slope is None else slope.reshape(field.shape), place)
