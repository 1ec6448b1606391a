"""Where the searches of a fit start."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pearlite.inversion._levenberg import Path
from pearlite.inversion._model import Numbers, Parameters
from pearlite.inversion._options import Options
from pearlite.inversion._parameters import Floats
from pearlite.inversion._problem import Problem
from pearlite.inversion._target import try_samples

_CANDIDATES = 16  # random parameters for each start
_SCREENED = {1: 500, 3: 100}  # samples that they are judged by, by components
_KEPT = 0.5  # share of them, the nearest to the data, among which starts are chosen


def find_starts(
    problem: Problem, options: Options, first: int, tick: Callable[[], None]
) -> list[Path]:
    """Draw random parameters for restarts number `first` on, and choose as many starts.

    The first is the nearest to the data, each other one the farthest from those before it: all of
    the nearest often lie where one and the same minimum, a wrong one, draws them in.
    """
    model, places, losses = problem.model, [], []
    numbers = model.draw(_SCREENED[model.components], options.seed + 2)
    for restart in range(first, first + options.restarts):
        tick()
        rng = np.random.default_rng([options.seed, restart, 0x57A27])
        for _ in range(_CANDIDATES):
            parameters = model.start(problem.data, rng)
            places.append(model.layout.coordinates(parameters))
            losses.append(_loss(problem, parameters, numbers))
    nearest = np.argsort(losses, kind="stable")[: round(_KEPT * len(losses))]
    finite = int(np.isfinite(losses).sum())
    kept = np.array(places)[nearest[: max(1, finite)]]
    return [Path(kept[k]) for k in _spread(kept, options.restarts)]


def _loss(problem: Problem, parameters: Parameters, numbers: Numbers) -> float:
    """Return the distance of samples of parameters from the data, infinite if there are none."""
    model = problem.model
    found = try_samples(
        problem.target, lambda: model.simulate(parameters, numbers, epsilon=model.stages[0])
    )
    return np.inf if found is None else found.loss


def screening_solves(problem: Problem, options: Options) -> int:
    """Count the cell problems behind `find_starts`."""
    model = problem.model
    each = model.solves(_SCREENED[model.components], epsilon=model.stages[0])
    return options.restarts * _CANDIDATES * each


def _spread(places: Floats, count: int) -> list[int]:
    """Choose rows of places (n, Q): the first, then each time that farthest from those chosen."""
    scatter = places.std(axis=0)
    scaled = places / np.where(scatter > 0, scatter, 1.0)
    chosen = [0]
    nearest = np.full(len(places), np.inf)
    while len(chosen) < count:
        nearest = np.minimum(nearest, ((scaled - scaled[chosen[-1]]) ** 2).sum(axis=1))
        chosen.append(int(nearest.argmax()))
    return chosen
