"""How a fit goes: the options that are no data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, TypeAlias

import numpy as np

from pearlite._arrays import check_choice, check_integer
from pearlite._errors import brief
from pearlite.inversion._problem import Problem

Method: TypeAlias = Literal["levenberg-marquardt", "adam"]
Refine: TypeAlias = Literal["auto", "likelihood", "score"] | None

_RESTARTS = {1: 10, 3: 5}  # as in the source
_ITERATIONS = {"levenberg-marquardt": 40, "adam": 2000}


class Bar:
    """How far a fit is.

    Nobody knows the number of its iterations: each moves the bar on by an eighth of what is left
    of the part that it belongs to.

    Parameters
    ----------
    told : callable
        Told the fraction that is done, and what is at work.
    """

    def __init__(self, told: Callable[[float, str], None]) -> None:
        self._told = told
        self._place = 0.0

    def parts(self, share: float, count: int = 1) -> list[tuple[float, float]]:
        """Return both ends of `count` equal parts of a share of what is left."""
        ends = np.linspace(self._place, self._place + share * (1 - self._place), count + 1)
        return list(pairwise(ends.tolist()))

    def begin(self, part: tuple[float, float], what: str) -> Callable[[], None]:
        """Move to the begin of a part; return a function that moves on within it."""
        place, end = part

        def tick() -> None:
            nonlocal place
            place += (end - place) / 8
            self._told(place, what)

        self._told(place, what)
        self._place = end  # where the next part begins
        return tick

    def finish(self) -> None:
        """Move to the end."""
        self._told(1.0, "done")


@dataclass(frozen=True)
class Options:
    """Options of a fit, checked."""

    method: Method
    restarts: int
    seed: int
    refine: Refine
    samples: int | None
    iterations: int
    bar: Bar


def make_options(
    method: Method,
    restarts: int | None,
    seed: int,
    refine: Refine,
    samples: int | None,
    iterations: int | None,
    progress: Callable[[float, str], None] | None,
    problem: Problem,
) -> Options:
    """Check the options of a fit."""
    check_choice("method", method, _ITERATIONS)
    ways = ("auto", "likelihood", "score")
    if refine is not None and not (isinstance(refine, str) and refine in ways):
        raise ValueError(
            f"refine is {brief(refine)}; expected 'auto', 'likelihood', 'score' or None"
        )
    if progress is not None and not callable(progress):
        raise TypeError(f"progress is a {type(progress).__name__}; expected a callable")
    size = problem.model.components
    count = _RESTARTS[size] if restarts is None else check_integer("restarts", restarts, 1, 10**4)
    steps = _ITERATIONS[method]
    if iterations is not None:
        steps = check_integer("iterations", iterations, 1, 10**7)
    if samples is not None:
        samples = check_integer("samples", samples, 2 * problem.model.layout.free, 2**24)
    return Options(
        method,
        count,
        check_integer("seed", seed, 0, 2**63 - 1),
        refine if method == "levenberg-marquardt" else None,
        samples,
        steps,
        Bar(progress or (lambda fraction, what: None)),
    )
