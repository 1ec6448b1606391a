"""Levenberg–Marquardt on the residuals of sorted projections, with common random numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from pearlite.inversion._model import Model, Numbers
from pearlite.inversion._parameters import Floats
from pearlite.inversion._target import Normal, Target, try_samples

_FIRST_DAMPING = 1e-2
_LONGEST_STEP = 0.7  # of a coordinate: a factor of two of something positive
_MOST_DAMPING = 1e8


@dataclass
class Path:
    """The way of one start through the stages of a fit."""

    coordinates: Floats  # (Q,), where it is now
    damping: float = _FIRST_DAMPING
    losses: list[float] = field(default_factory=list)
    visited: list[Floats] = field(default_factory=list)
    stages: list[int] = field(default_factory=list)  # number of the stage of each entry
    solves: int = 0


def descend(
    model: Model,
    target: Target,
    numbers: Numbers,
    path: Path,
    *,
    count: int,
    epsilon: float | None,
    stage: int,
    iterations: int,
    tolerance: float,
    tick: Callable[[], None],
) -> None:
    """Walk down for one stage; `path` is updated, and `tick` called before each step.

    It ends when the next step promises to lower the loss by less than the fraction `tolerance`.
    """
    now = _evaluate(model, target, numbers, path, path.coordinates, count, epsilon)
    _record(path, now, stage)
    for _ in range(iterations):
        tick()
        moved = False
        while path.damping < _MOST_DAMPING:
            step = _step(now, path.damping)
            if -float(now.gradient @ step) < tolerance * now.loss:
                return
            trial = path.coordinates + step
            then = _evaluate(model, target, numbers, path, trial, count, epsilon)
            if then.loss < now.loss:
                moved = True
                break
            path.damping *= 5
        if not moved:
            path.damping = _FIRST_DAMPING
            return
        path.coordinates, now = trial, then
        path.damping = max(path.damping / 4, 1e-6)
        _record(path, now, stage)


def _evaluate(
    model: Model,
    target: Target,
    numbers: Numbers,
    path: Path,
    coordinates: Floats,
    count: int,
    epsilon: float | None,
) -> Normal:
    path.solves += model.solves(count, epsilon=epsilon, jacobian=True)
    found = try_samples(
        target, lambda: model.samples_and_jacobian(coordinates, numbers, epsilon=epsilon)
    )
    size = len(coordinates)
    return Normal(np.inf, np.zeros(size), np.eye(size)) if found is None else found


def _step(now: Normal, damping: float) -> Floats:
    """Return the damped Gauss–Newton step, no coordinate of which is too long."""
    diagonal = np.diag(now.matrix)
    scale = np.maximum(diagonal, 1e-12 * max(diagonal.max(), 1e-300))
    step = -np.linalg.solve(now.matrix + damping * np.diag(scale), now.gradient)
    return np.asarray(step / max(1.0, np.abs(step).max() / _LONGEST_STEP))


def _record(path: Path, now: Normal, stage: int) -> None:
    path.losses.append(now.loss)
    path.visited.append(path.coordinates.copy())
    path.stages.append(stage)
