"""Models made of models: with some parameters known, or with noise added."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pearlite._errors import brief
from pearlite.inversion._model import Model, Numbers, Parameters
from pearlite.inversion._parameters import Block, Floats, Layout


class Wrapped(Model):
    """A model that passes everything on to another."""

    def __init__(self, inner: Model) -> None:
        self.inner = inner
        self.blocks = inner.blocks
        self.order = inner.order
        self.components = inner.components
        self.stages = inner.stages
        self.difference_step = inner.difference_step

    def draw(self, count: int, seed: int) -> Numbers:
        """Draw as the inner model does."""
        return self.inner.draw(count, seed)

    def draw_independent(self, count: int, seed: int) -> Numbers:
        """Draw as the inner model does."""
        return self.inner.draw_independent(count, seed)

    def simulate(
        self,
        parameters: Parameters,
        numbers: Numbers,
        *,
        epsilon: float | None = None,
        jacobian: bool = False,
    ) -> tuple[Floats, Floats | None]:
        """Simulate as the inner model does."""
        return self.inner.simulate(parameters, numbers, epsilon=epsilon, jacobian=jacobian)

    def start(self, data: Floats, rng: np.random.Generator) -> Parameters:
        """Start as the inner model does."""
        return self.inner.start(data, rng)

    def adapt(self, trials: Sequence[Parameters], stage: int, seed: int) -> int:
        """Let the inner model learn."""
        return self.inner.adapt(trials, stage, seed)

    def solves(self, count: int, *, epsilon: float | None = None, jacobian: bool = False) -> int:
        """Count as the inner model does."""
        return self.inner.solves(count, epsilon=epsilon, jacobian=jacobian)

    def coarser(self) -> Wrapped | None:
        """Wrap the coarser inner model alike."""
        inner = self.inner.coarser()
        if inner is None:
            return None
        wrapped = copy(self)
        wrapped.inner = inner
        return wrapped

    def log_likelihood(self, parameters: Parameters, data: Floats) -> Floats | None:
        """Ask the inner model."""
        return self.inner.log_likelihood(parameters, data)

    def feasible(self, parameters: Parameters, data: Floats) -> Parameters:
        """Ask the inner model."""
        return self.inner.feasible(parameters, data)

    def distribution(
        self, parameters: Parameters, points: Floats
    ) -> tuple[Floats, Floats | None] | None:
        """Ask the inner model."""
        return self.inner.distribution(parameters, points)

    def excess(self, parameters: Parameters, resistivities: Floats) -> tuple[Floats, Floats] | None:
        """Ask the inner model."""
        return self.inner.excess(parameters, resistivities)


class Known(Wrapped):
    """A model some blocks of which are known."""

    def __init__(self, inner: Model, known: Mapping[str, npt.ArrayLike]) -> None:
        super().__init__(inner)
        blocks = {block.name: block for block in inner.blocks}
        if not isinstance(known, Mapping) or not set(known) < set(blocks):
            given = list(known) if isinstance(known, Mapping) else known
            raise ValueError(f"known has {brief(given)}; expected some, not all, of {list(blocks)}")
        self.known = {name: blocks[name].check(value, "known") for name, value in known.items()}

    @cached_property
    def layout(self) -> Layout:
        """A layout in which known blocks have no coordinates."""
        return Layout(self.blocks, self.order, self.known)

    def start(self, data: Floats, rng: np.random.Generator) -> Parameters:
        """Start as the inner model does, but where the blocks are known."""
        return {**self.inner.start(data, rng), **self.known}


class NoisyNumbers(NamedTuple):
    """Random numbers of a model with noise."""

    inner: Numbers
    normals: Floats  # (count, C)
    rows: npt.NDArray[np.int64]  # (count,), of the table of standard deviations


class Noisy(Wrapped):
    """A model whose samples are measured with independent normal noise.

    Parameters
    ----------
    inner : Model
        The model without noise.
    sigma : (R, C) array
        Standard deviations of the noise in the data's unit; each sample takes a row at random.
    unknown : bool
        Whether the noise is `sigma` times a parameter, "noise".
    """

    def __init__(self, inner: Model, sigma: Floats, unknown: bool = False) -> None:
        super().__init__(inner)
        self.sigma, self.unknown = sigma, unknown
        if unknown:
            self.blocks = (*inner.blocks, Block("noise", 1, "positive", materials=False))

    def draw(self, count: int, seed: int) -> NoisyNumbers:
        """Draw the numbers of the inner model, and normal ones."""
        return self._with_noise(self.inner.draw(count, seed), count, seed)

    def draw_independent(self, count: int, seed: int) -> NoisyNumbers:
        """Draw independent numbers of the inner model, and normal ones."""
        return self._with_noise(self.inner.draw_independent(count, seed), count, seed)

    def _with_noise(self, inner: Numbers, count: int, seed: int) -> NoisyNumbers:
        rng = np.random.default_rng([seed, 0x401FE])
        normals = rng.standard_normal((count, self.components))
        return NoisyNumbers(inner, normals, rng.integers(len(self.sigma), size=count))

    def simulate(
        self,
        parameters: Parameters,
        numbers: NoisyNumbers,
        *,
        epsilon: float | None = None,
        jacobian: bool = False,
    ) -> tuple[Floats, Floats | None]:
        """Add noise to the samples of the inner model."""
        samples, slopes = self.inner.simulate(
            parameters, numbers.inner, epsilon=epsilon, jacobian=jacobian
        )
        noise = self.sigma[numbers.rows] * numbers.normals
        if not self.unknown:
            return samples + noise, slopes
        if slopes is not None:
            slopes = np.concatenate([slopes, noise[:, :, None]], axis=2)
        return samples + parameters["noise"] * noise, slopes

    def start(self, data: Floats, rng: np.random.Generator) -> Parameters:
        """Start as the inner model does, with noise of a tenth of `sigma` if it is unknown."""
        start = self.inner.start(data, rng)
        return {**start, "noise": np.array([0.1])} if self.unknown else start

    def log_likelihood(self, parameters: Parameters, data: Floats) -> None:
        """Return nothing: the density with noise is not known."""

    def maximum_likelihood(
        self, start: Parameters, data: Floats, sigma: Floats | None = None
    ) -> tuple[Parameters, Floats, Floats] | None:
        """Ask the inner model, if the noise is known."""
        if self.unknown or sigma is not None:
            return None
        return self.inner.maximum_likelihood(start, data, self.sigma)

    def distribution(self, parameters: Parameters, points: Floats) -> None:
        """Return nothing: the distribution with noise is not known."""

    def excess(self, parameters: Parameters, resistivities: Floats) -> None:
        """Return nothing: the mean with noise is not known."""
