"""The batches of a training, each a function of the seed and the step's number alone."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from pearlite.generation import _patches
from pearlite.generation._patches import Labels
from pearlite.generation._schedule import SYMMETRIES, Schedule

Floats = NDArray[np.float32]

_VALIDATION_BATCH = 64


@dataclass(frozen=True)
class Batch:
    """Noisy patches x̃ = x + σ z, the noise z and its size."""

    noisy: Floats  # (batch, inputs, patch, patch)
    noise: Floats  # like noisy
    sigma: Floats  # (batch,)


class Batches:
    """Draws batches of patches of a reference.

    Parameters
    ----------
    images : (m, n0, n1) uint8 array
        See `_patches.reference_images`.
    schedule : Schedule
    seed : int
    """

    def __init__(self, images: Labels, schedule: Schedule, seed: int) -> None:
        shape = (images.shape[1], images.shape[2])
        self._schedule, self._seed = schedule, seed
        self._phases = int(images.max()) + 1
        self.split = _patches.split_regions(shape, schedule.patch, schedule.validation, seed)
        self.training, self._validation = (
            _patches.cut(
                images,
                self.split.corners(part, count, len(images), shape, schedule.patch, seed),
                schedule.patch,
            )
            for part, count in (("training", schedule.patches), ("validation", _VALIDATION_BATCH))
        )
        self._sigmas = np.geomspace(schedule.sigma_max, schedule.sigma_min, schedule.noise_levels)
        self._order = lru_cache(2)(self._new_order)

    def draw(self, iteration: int) -> Batch:
        """Return the batch of a step. Every patch is drawn once before any is drawn again."""
        count = len(self.training)
        places = iteration * self._schedule.batch + np.arange(self._schedule.batch)
        which = np.array([self._order(int(e))[k] for e, k in zip(*divmod(places, count))])  # noqa: B905
        return self._noisy(
            self._turned(self.training[which], iteration),
            _patches.generator(self._seed, "batch", iteration),
        )

    def validation(self) -> Batch:
        """Return one batch of patches that share no pixel with those of training."""
        return self._noisy(self._validation, _patches.generator(self._seed, "validation", 1))

    def _turned(self, labels: Labels, iteration: int) -> Labels:
        choices = SYMMETRIES[self._schedule.symmetry]
        if len(choices) == 1:
            return labels
        random = _patches.generator(self._seed, "turns", iteration)
        return _patches.turned(labels, random.choice(choices, len(labels)))

    def _new_order(self, epoch: int) -> NDArray[np.int64]:
        random = _patches.generator(self._seed, "order", 1 + epoch)
        return random.permutation(len(self.training))

    def _noisy(self, labels: Labels, random: np.random.Generator) -> Batch:
        """Add the uniform noise of dequantization and normal noise of stratified levels.

        Each level is as likely as any; that a batch has one in each of as many strata makes the
        sum over levels of equation 5 less noisy.
        """
        count, half = len(labels), self._schedule.dequantization
        image = _patches.indicators(labels, self._phases)
        image += random.uniform(-half, half, image.shape).astype(np.float32)
        quantiles = (random.permutation(count) + random.random(count)) / count
        sigma = self._sigmas[self._schedule.levels_at(quantiles)].astype(np.float32)
        noise = random.standard_normal(image.shape, np.float32)
        return Batch(image + sigma[:, None, None, None] * noise, noise, sigma)
