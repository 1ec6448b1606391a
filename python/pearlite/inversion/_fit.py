"""Fits of a model to measured data."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from pearlite._errors import brief
from pearlite.inversion._adam import Schedule, adam
from pearlite.inversion._finish import finish
from pearlite.inversion._levenberg import Path, descend
from pearlite.inversion._model import Model
from pearlite.inversion._options import Method, Options, Refine, make_options
from pearlite.inversion._parameters import Floats
from pearlite.inversion._problem import Problem, Sigma, make_problem
from pearlite.inversion._result import Fit
from pearlite.inversion._starts import find_starts, screening_solves

_EXPLORING = {1: 2048, 3: 500}  # samples of the restarts, at most
_COARSE = 1e-2  # fraction of the loss, below which steps end
_TURNS = 3  # of as many starts, at most
_STARTING, _SEARCHING, _STOCHASTIC = 0.05, 0.5, 0.95  # shares of what is left of a fit's time
_BATCH = {1: 1000, 3: 100}  # of Adam


def fit(
    model: Model,
    data: npt.ArrayLike,
    *,
    method: Method = "levenberg-marquardt",
    restarts: int | None = None,
    seed: int = 0,
    refine: Refine = "auto",
    samples: int | None = None,
    iterations: int | None = None,
    projections: int = 64,
    sigma: Sigma = None,
    known: Mapping[str, npt.ArrayLike] | None = None,
    groups: npt.ArrayLike | None = None,
    effective: float | None = None,
    missing: bool = False,
    level: float = 0.9,
    progress: Callable[[float, str], None] | None = None,
) -> Fit:
    r"""Estimate the parameters of a model from measured effective conductivities.

    The estimate has the least sliced Wasserstein distance between data y and samples x of the
    model,

    .. math:: SW_2^2 = \frac1L \sum_l \int_0^1 |Q_{θ_l·x}(s) - Q_{θ_l·y}(s)|^2 ds,

    each component divided by its standard deviation in the data; then it is refined.

    Parameters
    ----------
    model : Model
        What the data are samples of.
    data : (N, 3) array, or (N,) or (N, 1)
        (A11, A22, A12) of N specimens, or A* for a model of one component, in any unit.
    method : {"levenberg-marquardt", "adam"}
        Gauss–Newton steps on the residuals of the sorted projections, with random numbers held
        fixed, through the stages of the model; or the source's way, Adam with fresh random numbers
        and minibatches (of 100, 1000 for one component) at the last width of relaxation.
    restarts : int, optional
        Number of starts; 5 by default, 10 for one component. That of the lowest loss is selected,
        with Adam the mean over the last iterations. While even that is farther from the data than
        samples of their law would be, as halves of them tell, as many starts more are tried, twice
        at most.
    seed : int
        Seed of all random numbers.
    refine : {"auto", "likelihood", "score", None}
        What follows Levenberg–Marquardt: maximum likelihood, where the model knows its law; the
        projected score, a nearly efficient estimate, where it does not; or nothing. "auto" takes
        the first that is possible, and keeps the estimate of least distance where it fails.
    samples : int, optional
        Samples of the model behind the final estimate. By default about as many as data.
    iterations : int, optional
        Iterations of each stage at most; 40 by default, 2000 for Adam.
    projections : int
        Directions θ of the sliced distance; one suffices for one component.
    sigma : float, array or "unknown", optional
        Standard deviation of independent normal noise of the measurements, in the data's unit: one
        number, one for each component, or (N, C); or a parameter "noise" to be found, in units of
        the data's scatter.
    known : mapping of str to array, optional
        Blocks of parameters that are known.
    groups : (N,) array, optional
        Which specimen each row is of. Rows of one may depend on each other, and the covariance
        takes sums over specimens for the independent data.
    effective : float, optional
        How many independent data the N dependent ones are worth, if that is known.
    missing : bool
        Whether NaN stands for a component that was not measured.
    level : float
        Probability of the intervals.
    progress : callable, optional
        Told, as ``progress(fraction, what)``, how far the fit is.

    Returns
    -------
    Fit

    Raises
    ------
    TypeError, ValueError
        If an argument has no meaning; the message names it, and the first bad row.

    Notes
    -----
    Sources: arXiv:2604.14083, sections 2.2 and 3, and remark 5.2 for the scaling. The steps, the
    refinements and the covariance are this package's, see docs/inversion.md.

    Examples
    --------
    >>> import numpy as np
    >>> import pearlite as pl
    >>> model = pl.inversion.DirichletLayers(2)
    >>> truth = {"a": np.array([1.0, 5.0]), "alpha": np.array([2.0, 3.0])}
    >>> data, _ = model.simulate(truth, model.draw(500, seed=1))
    >>> found = pl.inversion.fit(model, data, restarts=2)
    >>> bool(abs(found.parameters["a"] - [1, 5]).max() < 0.3)
    True
    """
    begun = time.perf_counter()
    problem = make_problem(
        model,
        data,
        sigma=sigma,
        known=known,
        groups=groups,
        effective=effective,
        missing=missing,
        projections=projections,
    )
    options = make_options(method, restarts, seed, refine, samples, iterations, progress, problem)
    level = _level(level)
    paths, starts, solves = _searched(problem, options)
    result = finish(problem, options, paths, starts, solves, level)
    return replace(result, seconds=time.perf_counter() - begun)


def _level(level: float) -> float:
    if not isinstance(level, float | int | np.floating) or not 0 < level < 1:
        raise ValueError(f"level is {brief(level)}; expected a number between 0 and 1")
    return float(level)


def _searched(problem: Problem, options: Options) -> tuple[list[Path], list[Floats], int]:
    """Search from all starts; from as many others while even the best is far from the data.

    A surrogate is not taught anew for that.
    """
    paths, starts, solves = _search(problem, options, 0)
    if options.method == "adam" or solves > screening_solves(problem, options):
        return paths, starts, solves
    enough = problem.own_distance(options.seed) * _expected(problem)
    for turn in range(1, _TURNS):
        if min(path.losses[-1] for path in paths) < enough:
            break
        more = _search(problem, options, turn * options.restarts)
        paths, starts, solves = paths + more[0], starts + more[1], solves + more[2]
    return paths, starts, solves


def _expected(problem: Problem) -> float:
    """Return the mean distance of samples of the search from data of their own law.

    In units of the distance of halves of the data from each other: SW2² of two samples goes as the
    sum of the inverses of their sizes. Samples spread evenly, and fitted, are nearer than that.
    """
    return (problem.independent / _exploring(problem) + 1) / 4


def _exploring(problem: Problem) -> int:
    """Return the number of samples that restarts walk with."""
    return int(np.clip(len(problem.data), 200, _EXPLORING[problem.model.components]))


def _search(problem: Problem, options: Options, first: int) -> tuple[list[Path], list[Floats], int]:
    """Walk from starts number `first` on; return the paths, their starts, and other solves."""
    tick = options.bar.begin(options.bar.parts(_STARTING)[0], "starts")
    solves = problem.model.adapt([], 0, options.seed) + screening_solves(problem, options)
    paths = find_starts(problem, options, first, tick)
    starts = [path.coordinates.copy() for path in paths]
    if options.method == "adam":
        _adam_from(problem, options, paths)
    else:
        solves += _descend_from(problem, options, paths, first)
    return paths, starts, solves


def _descend_from(problem: Problem, options: Options, paths: list[Path], first: int) -> int:
    """Walk down from all starts through the stages; return the solves of the model's learning."""
    model, solves = problem.model, 0
    count = _exploring(problem)
    numbers = model.draw(count, options.seed + 1)
    parts = iter(options.bar.parts(_SEARCHING, len(model.stages) * len(paths)))
    for stage, epsilon in enumerate(model.stages):
        if stage:
            trials = [model.layout.parameters(path.coordinates) for path in paths]
            solves += model.adapt(trials, stage, options.seed)
        for k, path in enumerate(paths):
            path.damping = 1e-2
            descend(
                model,
                problem.target,
                numbers,
                path,
                count=count,
                epsilon=epsilon,
                stage=stage,
                iterations=options.iterations,
                tolerance=_COARSE,
                tick=options.bar.begin(next(parts), f"stage {stage + 1}, start {first + k + 1}"),
            )
    return solves


def _adam_from(problem: Problem, options: Options, paths: list[Path]) -> None:
    """Walk from all starts as the source does."""
    model = problem.model
    widths = [width for width in model.stages if width is not None]
    batch = min(_BATCH[model.components], len(problem.data))
    schedule = Schedule(options.iterations, batch, epsilon=widths[-1] if widths else None)
    for k, part in enumerate(options.bar.parts(_STOCHASTIC, len(paths))):
        tick = options.bar.begin(part, f"start {k + 1}")
        adam(model, problem.target, paths[k], schedule, options.seed, k, tick)
