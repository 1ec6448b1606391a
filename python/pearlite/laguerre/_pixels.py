"""What fits of tessellations ask of their pixels, on the CPU or on a card.

Labels stay where they are made. What there is of each cell, or of each face, is of numpy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pearlite import _arrays, _core, _cuda
from pearlite.laguerre import _faces, _tensors
from pearlite.laguerre._images import Images

Doubles = NDArray[np.float64]
Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Pixels:
    """The pixels of images, on the CPU."""

    shape: tuple[int, ...]
    periodic: bool
    threads: int

    def assign(self, sites: Doubles, weights: Doubles, additive: bool = False) -> Any:
        """Return labels (images, *shape) of seeds (images, K, d) and weights (images, K)."""
        count = sites.shape[1]
        size = 1 if count <= 2**8 else 2 if count <= 2**16 else 4
        points = np.ascontiguousarray(sites)
        return _core.assign(
            points, weights, self.shape, additive, self.periodic, size, self.threads
        )

    def volumes(self, labels: Any, count: int) -> Counts:
        """Return the pixels of each cell, (images, K)."""
        return _core.cell_volumes(labels, count, self.threads)

    def moments(self, labels: Any, count: int) -> tuple[Counts, Doubles, Doubles]:
        """Return volumes (images, K), centroids and moments of inertia (images, K, d)."""
        return _core.cell_moments(labels, count, self.periodic, self.threads)

    def contacts(self, labels: Any, centres: Doubles) -> _faces.Contacts:
        """Return the pixel faces between cells with centres (images, K, d) in pixels."""
        return _faces.contacts(labels, centres, self.periodic, self.threads)

    def changes(self, before: Any, after: Any) -> tuple[Counts, Counts]:
        """Return the labels (M,) of pixels that changed hands, those before and those after."""
        old, new = before.reshape(-1), after.reshape(-1)
        place = np.flatnonzero(old != new)
        return old[place].astype(np.int64), new[place].astype(np.int64)


class CardPixels(Pixels):
    """The pixels of images on the current device."""

    def assign(self, sites: Doubles, weights: Doubles, additive: bool = False) -> Any:
        from pearlite.laguerre import _card

        points, values = map(_cuda.library().asarray, (sites, weights))
        images, count = weights.shape
        cells = _card.Cells(points, values, (images,), count, self.shape, additive, self.periodic)
        return _card.labels(cells, None)

    def volumes(self, labels: Any, count: int) -> Counts:
        from pearlite.laguerre import _cells_card

        found: Counts = _cells_card.volumes(self._images(labels, count)).get()
        return found

    def moments(self, labels: Any, count: int) -> tuple[Counts, Doubles, Doubles]:
        from pearlite.laguerre import _cells_card

        found = _cells_card.moments(self._images(labels, count), self.periodic)
        return found.volumes.get(), found.centroids.get(), found.inertias.get()

    def contacts(self, labels: Any, centres: Doubles) -> _faces.Contacts:
        from pearlite.laguerre import _faces_card

        images = self._images(labels, centres.shape[1])
        there = _cuda.library().asarray(centres)
        return _faces_card.on_host(_faces_card.contacts(images, there, self.periodic))

    def changes(self, before: Any, after: Any) -> tuple[Counts, Counts]:
        old, new = before.reshape(-1), after.reshape(-1)
        place = _cuda.library().flatnonzero(old != new)
        return old[place].get().astype(np.int64), new[place].get().astype(np.int64)

    def _images(self, labels: Any, count: int) -> Images:
        return Images(labels, labels.shape[:1], self.shape, count)


def wherever(
    public: Callable[..., Any],
    work: Callable[..., Any],
    given: dict[str, Any],
    options: dict[str, Any],
) -> Any:
    """Return what `work` does with the pixels on the CPU or on a card, where the arrays are.

    `work` takes the kind of pixels and numpy's arrays; torch tensors go through `public` once more.
    """
    if _arrays.is_torch(*given.values()):
        return _tensors.through_arrays(partial(public, **options), given)
    if _cuda.is_array(*given.values()):
        return _tensors.through_host(partial(work, CardPixels, **options), given)
    return work(Pixels, **given, **options)
