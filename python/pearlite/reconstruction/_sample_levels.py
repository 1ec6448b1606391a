"""Levels of resolution, and the descent on each: how a sample gets its morphology.

Phases are vertices of a regular simplex (0 and 1 where there are two), so that fields of several
components can be averaged, filtered and rounded without preferring a phase.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pearlite import _core
from pearlite.reconstruction._sample_references import SIDE, References

Field: TypeAlias = NDArray[np.float32]  # (P − 1, n0, n1[, n2])

_COARSEST = 32  # pixels along the shortest axis, at least
_FILTERS = 8
_RATE, _MOMENTUM = 1.5, 0.5
# Of the detail that a level has and the next coarser one lacks: enough to hide the coarse pixels.
_NOISE = 0.35
# Steps on the finest level, the next one, and so on: morphology is made where it is cheap.
_STEPS = {2: (100, 400, 800, 400), 3: (120, 480, 960, 480)}
_CHUNK = 60  # steps between two records
_SECTIONS = 64  # of a three-dimensional reference, along each axis, that patches are taken from


@dataclass
class Descent:
    """Where a descent is: level `level` (0 is the finest) with `done` steps behind it."""

    level: int
    done: int
    field: Field
    velocity: Field
    error: float = np.nan


def vertices(phases: int) -> NDArray[np.float64]:
    """Return the vertices (P, P − 1) of a regular simplex of edge 1, within [0, 1]."""
    corner = np.zeros((phases, phases - 1))
    for p in range(1, phases):
        centre = corner[:p].mean(0)
        corner[p] = centre
        corner[p, p - 1] = np.sqrt(1 - np.sum((corner[0] - centre) ** 2))
    return corner


def embedded(image: NDArray[np.uint8], phases: int) -> Field:
    """Return labels as a field of vertices (P − 1, *shape)."""
    return np.stack([corner[image] for corner in vertices(phases).T.astype(np.float32)])


def pooled(field: Field) -> Field:
    """Return means over blocks of two pixels along each axis; an odd last one is left out."""
    for axis in range(1, field.ndim):
        even = np.moveaxis(field, axis, -1)
        even = even[..., : even.shape[-1] // 2 * 2]
        means: Field = (even[..., ::2] + even[..., 1::2]) / np.float32(2)
        field = np.ascontiguousarray(np.moveaxis(means, -1, axis))
    return field


def resized(field: Field, shape: tuple[int, ...]) -> Field:
    """Return a periodic field at another resolution, by cubic convolution (R. G. Keys, 1981)."""
    for axis, size in enumerate(shape, 1):
        n = field.shape[axis]
        position = (np.arange(size) + 0.5) * n / size - 0.5
        cell = np.floor(position).astype(np.int64)
        t = (position - cell).astype(np.float32)
        weights = (
            ((-t + 2) * t - 1) * t / 2,
            ((3 * t - 5) * t * t + 2) / 2,
            ((-3 * t + 4) * t + 1) * t / 2,
            (t - 1) * t * t / 2,
        )
        ends = (1,) * (field.ndim - 1 - axis)
        field = sum(
            np.take(field, (cell + k - 1) % n, axis) * w.reshape(-1, *ends)
            for k, w in enumerate(weights)
        )
    clipped: Field = np.clip(field, 0, 1).astype(np.float32)
    return clipped


class Levels:
    """The references at each level, and the descent from the coarsest to the finest."""

    def __init__(
        self, references: References, seed: int, threads: int, effort: float = 1.0
    ) -> None:
        self._references, self._seed, self._threads = references, seed, threads
        self._effort = effort
        self._shape = references.shape
        count = 1
        while references.smallest >> count >= _COARSEST:
            count += 1
        self.count = count
        whole = {id(image): embedded(image, references.phases) for image in references.images}
        self._images: list[list[list[Field]]] = []  # by level and axis
        for _ in range(count):
            self._images.append(
                [[whole[id(image)] for image in section] for section in references.sections]
            )
            whole = {key: pooled(field) for key, field in whole.items()}
        self._exemplars: dict[int, list[list[Field]]] = {}  # of the level in hand

    def shape(self, level: int) -> tuple[int, ...]:
        """Return the shape of the sample at a level."""
        return tuple(max(round(n / 2**level), SIDE) for n in self._shape)

    def steps(self, level: int) -> int:
        """Return how many steps a level takes."""
        steps = _STEPS[len(self._shape)]
        return math.ceil(self._effort * steps[min(level, len(steps) - 1)])

    def start(self) -> Descent:
        """Return white noise with the mean and variance of the coarsest references."""
        level = self.count - 1
        mean, deviation = self._moments([image for part in self._images[level] for image in part])
        noise = self._rng(level, 0).standard_normal((len(mean), *self.shape(level)))
        return self._begun(level, mean + deviation * noise)

    def descend(self, state: Descent, record: Callable[[Descent], None]) -> Descent:
        """Go on to the end of the finest level; `record` is called after every few steps."""
        while True:
            while state.done < self.steps(state.level):
                self._advance(state, min(_CHUNK, self.steps(state.level) - state.done))
                record(state)
            if state.level == 0:
                return state
            state = self._refined(state)

    def finest(self, state: Descent) -> Field:
        """Return the field at full resolution."""
        return resized(state.field, self._shape) if state.level else state.field

    def _advance(self, state: Descent, steps: int) -> None:
        exemplars = self._planes(state.level)
        dim = len(self._shape)
        # Philox is keyed by the place in the run, so that a resumed one draws the same filters.
        rng = self._rng(state.level, 1 + state.done)
        taps = len(state.field) * SIDE**2
        filters = np.linalg.qr(rng.standard_normal((steps, taps, min(_FILTERS, taps))))[0]
        weights = filters.transpose(0, 2, 1).reshape(steps, -1, len(state.field), SIDE, SIDE)
        axes = [0] * steps if dim == 2 else [(state.done + k) % 3 for k in range(steps)]
        errors = _core.descend_sliced(
            _solid(state.field, dim), _solid(state.velocity, dim), exemplars, axes,
            np.ascontiguousarray(weights, np.float32), _RATE, _MOMENTUM, self._threads,
        )  # fmt: skip
        state.done += steps
        state.error = float(np.sqrt(errors[-dim:].mean()))

    def _refined(self, state: Descent) -> Descent:
        """Return the start of the next finer level: the field, and noise in place of detail."""
        level = state.level - 1
        images = [image for part in self._images[level] for image in part]
        missing = [image - resized(pooled(image), image.shape[1:]) for image in images]
        _, deviation = self._moments(missing)
        field = resized(state.field, self.shape(level))
        noise = self._rng(level, 0).standard_normal(field.shape, np.float32)
        return self._begun(level, field + _NOISE * deviation * noise)

    def _begun(self, level: int, field: NDArray[Any]) -> Descent:
        clipped = np.clip(field, 0, 1).astype(np.float32)
        return Descent(level, 0, np.ascontiguousarray(clipped), np.zeros_like(clipped))

    def _moments(self, fields: list[Field]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return mean and deviation of each component, (P − 1, 1, …)."""
        values = np.concatenate([field.reshape(len(field), -1) for field in fields], 1)
        ends = (-1,) + (1,) * len(self._shape)
        return values.mean(1).reshape(ends), values.std(1).reshape(ends)

    def _planes(self, level: int) -> list[list[Field]]:
        """Return, by the axis that they are normal to, the images that patches come from."""
        if level not in self._exemplars:
            parts = self._images[level]
            if len(self._shape) == 2:
                parts = [parts[0], [], []]
            elif self._references.solid:
                parts = [_sections(images, axis) for axis, images in enumerate(parts)]
            self._exemplars = {level: parts}
        return self._exemplars[level]

    def _rng(self, level: int, place: int) -> np.random.Generator:
        key = np.array([self._seed, 0x73616D706C65 << 16 | level << 12], np.uint64)  # "sample"
        return np.random.Generator(np.random.Philox(key=key, counter=place << 64))


def _sections(images: list[Field], axis: int) -> list[Field]:
    """Return planes normal to an axis, evenly spaced."""
    planes = []
    for image in images:
        size = image.shape[axis + 1]
        where = np.unique(np.linspace(0, size - 1, min(size, _SECTIONS)).round().astype(int))
        planes += [np.ascontiguousarray(np.take(image, k, axis + 1)) for k in where]
    return planes


def _solid(field: Field, dim: int) -> Field:
    """Return a view with three spatial axes."""
    return field if dim == 3 else field[:, None]
