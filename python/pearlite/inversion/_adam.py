"""Stochastic gradient descent, as in the source: fresh random numbers and minibatches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from pearlite.inversion._levenberg import Path
from pearlite.inversion._model import Model
from pearlite.inversion._parameters import Floats
from pearlite.inversion._target import Target

_DECAY = (0.9, 0.999)  # of the means of gradients and of their squares
_TINY = 1e-8
_TOLD = 20  # times that the caller hears of the way


@dataclass(frozen=True)
class Schedule:
    """How Adam goes: the defaults of the source's related code."""

    iterations: int
    batch: int  # samples and data of one iteration
    projections: int = 1000
    rate: float = 1e-2  # halved after each quarter
    epsilon: float | None = None


def adam(
    model: Model,
    target: Target,
    path: Path,
    schedule: Schedule,
    seed: int,
    restart: int,
    tick: Callable[[], None],
) -> None:
    """Descend along minibatch gradients of SW2²; `path` is updated, and `tick` called at times.

    The model may adapt as often as it has stages, at equal intervals.

    Source: D. P. Kingma and J. Ba, *Adam: a method for stochastic optimization*, ICLR (2015).
    """
    rng = np.random.default_rng([seed, restart, 0xADA])
    first, second = np.zeros_like(path.coordinates), np.zeros_like(path.coordinates)
    stage = 0
    for k in range(schedule.iterations):
        if k * len(model.stages) // schedule.iterations > stage:
            stage += 1
            path.solves += model.adapt([model.layout.parameters(path.coordinates)], stage, seed)
        if k % max(1, schedule.iterations // _TOLD) == 0:
            tick()
        numbers = model.draw(schedule.batch, int(rng.integers(2**31)))
        samples, jacobian = model.samples_and_jacobian(
            path.coordinates, numbers, epsilon=schedule.epsilon
        )
        path.solves += model.solves(schedule.batch, epsilon=schedule.epsilon, jacobian=True)
        loss, slope = _compared(target, samples, schedule, rng)
        gradient = np.einsum("mc,mcq->q", slope, jacobian)
        path.losses.append(loss)
        path.visited.append(path.coordinates.copy())
        path.stages.append(0)
        first += (1 - _DECAY[0]) * (gradient - first)
        second += (1 - _DECAY[1]) * (gradient**2 - second)
        mean = first / (1 - _DECAY[0] ** (k + 1))
        square = second / (1 - _DECAY[1] ** (k + 1))
        rate = schedule.rate * 0.5 ** (4 * k // schedule.iterations)
        path.coordinates = path.coordinates - rate * mean / (np.sqrt(square) + _TINY)


def _compared(
    target: Target, samples: Floats, schedule: Schedule, rng: np.random.Generator
) -> tuple[float, Floats]:
    """SW2² of samples (M, C) and as many data, and its gradient (M, C), in the data's scales."""
    from pearlite.inversion import sliced_wasserstein

    loss, slope = 0.0, np.zeros_like(samples)
    for view in target.views:
        rows = rng.choice(view.rows, min(schedule.batch, len(view.rows)), replace=False)
        scale = target.scale[view.columns]
        options: dict[str, Any] = {}
        if len(view.columns) > 1:
            seed = int(rng.integers(2**31))
            options = {"directions": schedule.projections, "method": "random", "seed": seed}
        part, change = sliced_wasserstein(
            samples[:, view.columns] / scale,
            target.data[np.ix_(rows, view.columns)] / scale,
            gradient=True,
            **options,
        )
        loss += view.share * part
        slope[:, view.columns] += view.share * change / scale
    return loss, slope
