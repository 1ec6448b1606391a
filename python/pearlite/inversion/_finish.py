"""The end of a fit: finalists among the starts, polish, refinement and the result."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pearlite.inversion._estimate import Estimate, inverse_information
from pearlite.inversion._levenberg import Path, descend
from pearlite.inversion._likelihood import Likelihood, arrive, settle
from pearlite.inversion._model import Model, Numbers
from pearlite.inversion._options import Options
from pearlite.inversion._parameters import Floats, Layout
from pearlite.inversion._problem import Problem
from pearlite.inversion._result import Fit, History, Restart, relative
from pearlite.inversion._sandwich import least_distance
from pearlite.inversion._score import solve_scores
from pearlite.inversion._target import normal_equations

_POLISHING = {1: (4096, 32768), 3: (1000, 4000)}  # samples, at least and most; else as many as data
_TESTING = (
    8192  # samples for which scores are solved, unless 8N are fewer; twice as many learn them
)
_FINE = 1e-3  # fraction of the loss, below which steps end
_POLISH = 0.3  # share of what is left of a fit's time
# Losses that the selection averages: of steps that only go down the last one tells.
_LAST = {"levenberg-marquardt": 1, "adam": 100}
_FINALISTS = {1: 4, 3: 3}  # at most
_CLOSE = 2.0  # ratio of losses of finalists: few samples tell no more
# Difference of coordinates below which two ends are one; those of tensors stop further off.
_SAME = {1: 0.02, 3: 0.1}


@dataclass
class _Finalist:
    """A start that was followed to the end."""

    start: int  # its number
    path: Path  # of the polish
    loss: float
    samples: Floats  # (M, C)
    jacobian: Floats  # (M, C, Q)
    estimate: Estimate


def finish(
    problem: Problem,
    options: Options,
    paths: list[Path],
    starts: list[Floats],
    solves: int,
    level: float,
) -> Fit:
    """Polish the best paths, refine the best end, and gather the result."""
    layout = problem.model.layout
    rank = [float(np.mean(path.losses[-_LAST[options.method] :])) for path in paths]
    solves += sum(path.solves for path in paths)
    count = _sample_count(problem, options)
    numbers = problem.model.draw(count, options.seed + 3)
    chosen = _finalists(paths, rank, layout, problem.model.components)
    parts = options.bar.parts(_POLISH, len(chosen))
    finalists = [
        _polished(problem, numbers, count, k, paths[k], options, part)
        for k, part in zip(chosen, parts, strict=True)
    ]
    solves += sum(each.path.solves for each in finalists)
    best, how, spent, information = _refined(problem, options, finalists, count)
    solves += spent
    loss = best.loss
    samples = best.samples
    if how is not None:
        samples, _ = problem.model.simulate(layout.parameters(best.estimate.coordinates), numbers)
        loss = normal_equations(problem.target, samples, None).loss
        solves += problem.model.solves(count)
    parameters = layout.sorted(layout.parameters(best.estimate.coordinates))
    trials = tuple(
        Restart(
            layout.parameters(start),
            layout.sorted(layout.parameters(path.coordinates)),
            mean,
            len(path.losses),
            path.solves,
        )
        for start, path, mean in zip(starts, paths, rank, strict=True)
    )
    options.bar.finish()
    return Fit(
        parameters=parameters,
        level=level,
        bound=_bound(problem, best.estimate.coordinates, information, parameters),
        loss=loss,
        start_loss=best.loss,
        refinement=how,
        method=options.method,
        restarts=trials,
        selected=best.start,
        history=_history(layout, paths[best.start], best.path),
        samples=samples,
        solves=solves,
        seconds=0.0,
        seed=options.seed,
        problem=problem,
        estimate=best.estimate,
        path=best.path,
    )


def _sample_count(problem: Problem, options: Options) -> int:
    least, most = _POLISHING[problem.model.components]
    return options.samples or int(np.clip(len(problem.data), least, most))


def _finalists(paths: list[Path], rank: list[float], layout: Layout, components: int) -> list[int]:
    """Return the numbers of the best starts, of those that ended at different places."""
    chosen: list[int] = []
    ends: list[Floats] = []
    for k in np.argsort(rank):
        end = layout.coordinates(layout.sorted(layout.parameters(paths[k].coordinates)))
        distinct = all(np.abs(end - other).max() > _SAME[components] for other in ends)
        if not chosen or (distinct and rank[k] < _CLOSE * rank[chosen[0]]):
            chosen.append(int(k))
            ends.append(end)
    return chosen[: _FINALISTS[components]]


def _polished(
    problem: Problem,
    numbers: Numbers,
    count: int,
    start: int,
    path: Path,
    options: Options,
    part: tuple[float, float],
) -> _Finalist:
    """Follow one start to the end with more samples."""
    model, layout = problem.model, problem.model.layout
    last = Path(layout.coordinates(layout.sorted(layout.parameters(path.coordinates))))
    if options.method == "levenberg-marquardt":
        descend(
            model,
            problem.target,
            numbers,
            last,
            count=count,
            epsilon=None,
            stage=len(model.stages),
            iterations=options.iterations,
            tolerance=_FINE,
            tick=options.bar.begin(part, f"polish of start {start + 1}"),
        )
        last.coordinates = layout.coordinates(layout.sorted(layout.parameters(last.coordinates)))
    samples, jacobian = model.samples_and_jacobian(last.coordinates, numbers)
    last.solves += model.solves(count, jacobian=True)
    loss = normal_equations(problem.target, samples, None).loss
    estimate, _ = least_distance(problem.target, last.coordinates, samples, jacobian)
    return _Finalist(start, last, loss, samples, jacobian, estimate)


def _refined(
    problem: Problem, options: Options, finalists: list[_Finalist], count: int
) -> tuple[_Finalist, str | None, int, Floats | None]:
    """Return the best finalist, refined how, the solves it took, and the information of a datum."""
    model, data = problem.model, problem.data
    best = min(finalists, key=lambda each: each.loss)
    tick = options.bar.begin(options.bar.parts(1.0)[0], "refinement")
    if options.refine is None or not np.isfinite(data).all():
        return best, None, 0, None
    if options.refine in ("auto", "likelihood"):
        climbed = _likeliest(model, data, finalists)
        if climbed is not None:
            best, (found, end) = climbed
            best.estimate = settle(model, data, found)
            return best, "likelihood", 0, end.information
    if options.refine in ("auto", "score"):
        testing = options.samples or max(2 * count, min(_TESTING, 8 * len(data)))
        learning = 2 * (options.samples or max(2 * count, _TESTING))
        answer = solve_scores(
            model, data, best.estimate.coordinates, learning, testing, options.seed + 4, tick
        )
        if answer is not None:
            best.estimate, spent = answer
            return best, "score", spent, best.estimate.information
    return best, None, 0, None


def _likeliest(
    model: Model, data: Floats, finalists: list[_Finalist]
) -> tuple[_Finalist, tuple[Estimate, Likelihood]] | None:
    """Climb to the maximum likelihood from all finalists, and return the best that arrives."""
    best: tuple[_Finalist, tuple[Estimate, Likelihood]] | None = None
    for each in finalists:
        found = arrive(model, data, each.estimate.coordinates)
        if found is not None and (best is None or found[1].total > best[1][1].total):
            best = each, found
    return best


def _bound(
    problem: Problem, coordinates: Floats, information: Floats | None, parameters: dict[str, Floats]
) -> dict[str, float]:
    """Return the information bound of each block, in percent."""
    if information is None:
        return {}
    slopes = problem.model.layout.jacobian(coordinates)
    covariance = slopes @ inverse_information(information) @ slopes.T
    independent = problem.effective or len(problem.data)
    return relative(covariance / independent, parameters, problem.model)


def _history(layout: Layout, path: Path, polish: Path) -> History:
    places = [layout.parameters(place) for place in path.visited + polish.visited]
    return History(
        np.array(path.losses + polish.losses),
        {name: np.stack([each[name] for each in places]) for name in places[0]},
        np.array(path.stages + polish.stages),
    )
