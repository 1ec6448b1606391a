"""Generate microstructures."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from pearlite import _threads
from pearlite._arrays import check_choice, check_integer
from pearlite.generation import _problem
from pearlite.generation._ensemble import Ensemble, History
from pearlite.generation._fractions import pixel_counts
from pearlite.generation._model import Model
from pearlite.generation._noise_levels import volume_deviations
from pearlite.generation._problem import Problem, Statistics
from pearlite.generation._sampler import RENEWAL, Plan, Sampled, annealed, fast, noise
from pearlite.generation._score import Evaluator, Padding, PeriodicScore

Labels = NDArray[np.uint8]
Floats = NDArray[np.float32]
Progress: TypeAlias = Callable[[int, int], None]

_SEEDS = 2**64 - 1
_MOST_IMAGES = 2**31 - 1
_CHUNK = 2**16  # pixels for each thread: more at a time is no faster
_PADDINGS = ("periodic", "halo")


def generate(
    model: str | os.PathLike[str] | Model | None = None,
    count: int = 1,
    *,
    seed: int,
    shape: Sequence[int] | None = None,
    statistics: Statistics | None = None,
    volume_fraction: float | Sequence[float] | None = None,
    method: str = "fast",
    evaluations: int | None = None,
    field: bool = True,
    conditioned: bool = True,
    start: float | None = None,
    periodic: bool = True,
    padding: Padding = "periodic",
    sample: int = 0,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Ensemble:
    """Generate periodic microstructures with given one- and two-point statistics.

    A Gaussian field that has the statistics decides where the phases are; a network that has
    learned the neighbourhoods of one image then makes them look like it.

    Parameters
    ----------
    model : Model, path of one, or None
        What `pearlite train` wrote; None: the model that comes with the package.
    count : int
        Number of images.
    seed : int
        The same seed gives the same images, whatever `count`, the batch and the threads.
    shape : sequence of int, optional
        Pixels of an image along each axis, 16 or more; by default those of the statistics.
    statistics : array or GaussianField, optional
        What the images shall have: an image or several, labels (..., n0, n1) from 0; two-point
        statistics, floats as `GaussianField.from_statistics` takes them; or a `GaussianField`, such
        as an interpolated one. By default those of the image that the model was trained on, if it
        keeps it.
    volume_fraction : float or (P,) floats, optional
        Fraction of phase 1 of two, or of all phases; by default that of the statistics. Others
        change how many pixels of the Gaussian field each phase gets and leave the field itself: of
        two phases that is the same as to scale its covariance by v (1 − v).
    method : {"fast", "annealed"}
        Few evaluations of the network and exact fractions, or the paper's sampler.
    evaluations : int, optional
        How many; by default 40 for ``"fast"``, and all noise levels of the training from `start`
        down for ``"annealed"``, some 570.
    field : bool
        Start from the Gaussian field; else from white noise, which knows no long-range order.
    conditioned : bool
        Hold the volume fractions; else they become what they will.
    start : float, optional
        Noise level at which the Gaussian field comes in: more of it leaves less of the field. By
        default 1.1 for ``"fast"`` and 0.75 for ``"annealed"``.
    periodic : bool
        Whether the images, or maps, of `statistics` are periodic. What is generated always is.
    padding : {"periodic", "halo"}
        How the network sees that an image repeats: by periodic convolutions, or on an image that is
        continued by 16 pixels on each side, as in the paper. Sizes that the network cannot halve
        and volumes, which torch evaluates, always take the latter.
    sample : int
        Number of the first image: images 0 … 9 are the same as 0 … 4 and 5 … 9.
    threads : int, optional
        By default all cores that this process may use.
    progress : callable, optional
        Called with the evaluations done, counted for each image, and with their total.

    Returns
    -------
    Ensemble
        Ctrl-C returns the images that are done, marked `interrupted`.

    Raises
    ------
    FileError
        If the model's file is none.
    TypeError, ValueError
        If an argument has no meaning; the message names it.

    See Also
    --------
    pearlite.microstructures.GaussianField : the first layer.
    pearlite.reconstruction.sample : without a network.

    Notes
    -----
    Images are made a few at a time, so that the memory does not grow with their number but by the
    byte a pixel that they take.

    Sources: A. E. Robertson, C. Kelly, M. Buzzy and S. R. Kalidindi, *Local–global decompositions
    for conditional microstructure generation*, Acta Mater. 253 (2023) 118966; `docs/generation.md`
    for the fast method.

    Examples
    --------
    Discs, which the package's own model knows, at another fraction than it was trained on:

    >>> import pearlite as pl
    >>> made = pl.generation.generate(count=2, seed=0, shape=(64, 64), volume_fraction=0.3)
    >>> made.images.shape
    (2, 64, 64)
    >>> (made.images.mean(axis=(1, 2))).round(3)
    array([0.3, 0.3])
    """
    chosen = _problem.read_model(model)
    number = check_integer("count", count, 1, _MOST_IMAGES)
    first, key = check_sample(sample), check_seed(seed)
    padding = check_padding(padding, chosen)
    cores = _threads.count(threads)
    asked = _problem.problem(
        chosen, shape, statistics, volume_fraction, method, evaluations, field, conditioned,
        start, periodic,
    )  # fmt: skip
    return run(asked, _engine(chosen, cores), number, first, key, padding, cores, progress)


def check_sample(sample: int) -> int:
    """Return the number of the first image."""
    return check_integer("sample", sample, 0, 2**62)


def check_seed(seed: int) -> int:
    """Return the seed."""
    return check_integer("seed", seed, 0, _SEEDS)


def check_padding(padding: Padding, model: Model) -> Padding:
    """Return how the network shall see the border, as far as it can."""
    check_choice("padding", padding, _PADDINGS)
    return "halo" if model.dim == 3 else padding  # torch's layers know zeros only


def _engine(model: Model, threads: int) -> Evaluator:
    if model.dim == 3:
        from pearlite.generation._torch_score import TorchEvaluator

        return TorchEvaluator(model, threads)
    from pearlite.generation._engine import Engine

    return Engine(model, threads=threads)


def run(
    problem: Problem,
    engine: Evaluator,
    count: int,
    first: int,
    seed: int,
    padding: Padding,
    threads: int,
    progress: Progress | None = None,
) -> Ensemble:
    """Generate with any engine; the arguments have been checked."""
    began = time.perf_counter()
    score = PeriodicScore(engine, problem.model, problem.shape, padding)
    plan = _plan(problem, seed, threads)
    sampler = fast if problem.method == "fast" else annealed
    total, done = count * len(plan.levels), 0

    def tick(images: int) -> None:
        nonlocal done
        done += images
        if progress is not None:
            progress(done, total)

    parts: list[tuple[Labels | None, Sampled]] = []
    interrupted = False
    try:
        for begin, images in _chunks(count, problem.shape, threads):
            labels, begun = _begin(problem, plan, first + begin, images)
            made = sampler(begun, plan, score, sample=first + begin, tick=tick)
            parts.append((labels, made))
    except KeyboardInterrupt:
        if not parts:
            raise
        interrupted = True
    history = _history(plan, [made for _, made in parts], time.perf_counter() - began)
    return _ensemble(problem, parts, history, seed, interrupted)


def _plan(problem: Problem, seed: int, threads: int) -> Plan:
    size = math.prod(problem.shape)
    return Plan(
        problem.levels,
        pixel_counts(problem.fractions, size),
        problem.conditioned,
        seed,
        volume_deviations(problem.levels, problem.model.sigmas(), size),
        RENEWAL,
        threads,
    )


def _chunks(count: int, shape: tuple[int, ...], threads: int) -> list[tuple[int, int]]:
    """Return where chunks of images begin, and how many are in them: even numbers, but the last."""
    images = max(1, round(_CHUNK / math.prod(shape))) * threads
    images += images % 2  # Gaussian fields come in pairs
    return [(k, min(images, count - k)) for k in range(0, count, images)]


def _begin(problem: Problem, plan: Plan, first: int, images: int) -> tuple[Labels | None, Floats]:
    """Return the Gaussian fields as labels, and where the sampler begins (B, C, *shape).

    Two phases begin with the labels of the field, more with the continuous one: Sections 5.1 and
    5.3 of the paper.
    """
    inputs = problem.model.inputs
    if problem.gaussian is None:
        middle = problem.fractions[1:] if inputs == 1 else problem.fractions
        mean = np.asarray(middle, np.float32).reshape(-1, *(1,) * len(problem.shape))
        begun = np.broadcast_to(mean, (images, inputs, *problem.shape)).copy()
        if problem.method == "annealed":
            begun += noise(begun.shape, plan, first)
        return None, begun
    fields = problem.gaussian.sample(images, seed=plan.seed, sample=first, threads=plan.threads)
    labels = problem.gaussian.segment(
        fields, fractions=plan.fractions.tolist(), threads=plan.threads
    )
    if inputs == 1:
        return labels, labels[:, None].astype(np.float32)
    moved = problem.fractions - problem.gaussian.means
    fields += moved.astype(np.float32).reshape(-1, *(1,) * len(problem.shape))
    return labels, fields


def _history(plan: Plan, made: Sequence[Sampled], seconds: float) -> History:
    deviation = np.concatenate([part.deviation for part in made], axis=1)
    return History(plan.levels, np.sqrt(np.mean(deviation**2, axis=1)), seconds)


def _ensemble(
    problem: Problem,
    parts: Sequence[tuple[Labels | None, Sampled]],
    history: History,
    seed: int,
    interrupted: bool,
) -> Ensemble:
    fields = [labels for labels, _ in parts if labels is not None]
    return Ensemble(
        np.concatenate([made.labels for _, made in parts]),
        np.concatenate(fields) if fields else None,
        history,
        problem.fractions,
        problem.method,
        seed,
        problem.model.name,
        problem.conditioned,
        interrupted,
        problem.references,
        problem.periodic,
    )
