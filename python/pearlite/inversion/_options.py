"""How a fit goes: the options that are no data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from pearlite._arrays import check_integer, one_line
from pearlite.inversion._problem import Problem

Method: TypeAlias = Literal["levenberg-marquardt", "adam"]
Refine: TypeAlias = Literal["auto", "likelihood", "score"] | None

_RESTARTS = {1: 10, 3: 5}  # as in the source
_ITERATIONS = {"levenberg-marquardt": 40, "adam": 2000}


@dataclass(frozen=True)
class Options:
    """Options of a fit, checked."""

    method: Method
    restarts: int
    seed: int
    refine: Refine
    samples: int | None
    iterations: int
    progress: Callable[[float, str], None]


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
    if not isinstance(method, str) or method not in _ITERATIONS:
        raise ValueError(f"method is {one_line(method)}; expected 'levenberg-marquardt' or 'adam'")
    ways = ("auto", "likelihood", "score")
    if refine is not None and not (isinstance(refine, str) and refine in ways):
        raise ValueError(
            f"refine is {one_line(refine)}; expected 'auto', 'likelihood', 'score' or None"
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
        progress or (lambda fraction, what: None),
    )
