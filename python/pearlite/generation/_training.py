"""Training of a score network on one image."""

from __future__ import annotations

import datetime
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from pearlite import _threads
from pearlite._arrays import check_integer, check_positive
from pearlite._errors import brief
from pearlite.generation import _checkpoint, _patches, _reference
from pearlite.generation._batches import Batches
from pearlite.generation._model import Model
from pearlite.generation._optimizer import Optimizer
from pearlite.generation._schedule import Schedule

_CHECKPOINT_SECONDS = 60.0
_PROGRESS_SECONDS = 0.2
_RECORDS = 100  # of the history
_TIMED = 4  # steps whose time tells how many fit into the minutes
_MOST_SEED = 2**63 - 1
_LARGEST_KEPT = 2**20  # bytes of the reference in the model


@dataclass(frozen=True)
class Record:
    """Where a training is.

    Attributes
    ----------
    iteration, iterations : int
        Steps done, and all.
    loss : float
        Mean over the last steps, with dropout; 1/2 where nothing has been learned.
    validation_loss : float
        Of the averaged weights for patches that share no pixel with those trained on; without
        dropout.
    seconds : float
        Since the start, those before a checkpoint included.
    """

    iteration: int
    iterations: int
    loss: float
    validation_loss: float
    seconds: float


@dataclass(frozen=True)
class Training:
    """What `train` returns.

    Attributes
    ----------
    model : Model
        The averaged weights that did best in validation.
    history : dict of (records,) float64 arrays
        ``iteration``, ``loss``, ``validation_loss``, ``seconds``, about a hundred of each.
    schedule : Schedule
        What it was trained with.
    interrupted : bool
        Whether Ctrl-C ended it early.
    seconds : float
        How long it took, those before a checkpoint included.
    """

    model: Model
    history: dict[str, NDArray[np.float64]]
    schedule: Schedule
    interrupted: bool
    seconds: float


def train(
    reference: ArrayLike,
    *,
    schedule: str | Schedule = "quick",
    name: str = "",
    seed: int = 0,
    minutes: float | None = None,
    threads: int | None = None,
    progress: Callable[[Record], None] | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    resume: str | os.PathLike[str] | None = None,
) -> Training:
    r"""Train a score network on the patches of an image.

    The network s(x, σ) minimizes denoising score matching over L noise levels (equation 5 of [1]_),

    .. math:: \frac{1}{2L} \sum_i σ_i^2 ⟨ |s(x + σ_i z, σ_i) + z/σ_i|^2 ⟩ ,

    z normal, x patches at corners of a Latin hypercube, by Adam with a one-cycle rate, gradients
    clipped, the weights averaged. What is kept is the average with the least loss in validation:
    one image is little to learn from, and a network may begin to know it by heart.

    Parameters
    ----------
    reference : (n0, n1) or (m, n0, n1) integers or booleans
        Labels 0 … N−1 of one image or of several. A band of each is kept for validation.
    schedule : {"quick", "paper"} or Schedule
        ``quick`` takes up to 20 minutes on two cores, ``paper`` has the numbers of the paper.
    name : str
        What the model is of.
    seed : int
        Seed of weights, patches, noise and dropout.
    minutes : float, optional
        Take as many steps as fit into this time, by the speed of the first few.
    threads : int, optional
        By default all cores that this process may use. The rounding depends on it.
    progress : callable, optional
        Called with a `Record` a few times a second.
    checkpoint : path, optional
        Where to save the state once a minute and at the end.
    resume : path, optional
        A checkpoint to go on from, of the same reference, schedule and seed: the result is the one
        of a training without interruption, to the bit with the same threads and libraries.

    Returns
    -------
    training : Training

    Raises
    ------
    TypeError, ValueError
        If an argument has no meaning, the reference is smaller than two patches or has one phase.
    FileError
        If `resume` is no checkpoint, or `checkpoint` cannot be written.

    Notes
    -----
    Ctrl-C ends the training after a last checkpoint, and the result tells so.

    References
    ----------
    .. [1] A. E. Robertson et al., "Local–global decompositions for conditional microstructure
       generation", Acta Materialia (2023), Sections 2.4 and 4.

    Examples
    --------
    >>> import pearlite as pl
    >>> image = pl.microstructures.discs(1, (32, 32), number=4, fraction=0.3, seed=1)[0]
    >>> tiny = Schedule(3, 2, 8, 20, channels=4, levels=1, sigma_max=5.0)
    >>> train(image, schedule=tiny, threads=1).model.training["iterations"]
    3
    """
    images = _patches.reference_images(reference)
    phases = int(images.max()) + 1
    plan = _plan(schedule, phases)
    seed = check_integer("seed", seed, 0, _MOST_SEED)
    if not isinstance(name, str):
        raise TypeError(f"name is a {type(name).__name__}; expected a str")
    if minutes is not None:
        check_positive("minutes", minutes)
    with _torch_state(_threads.count(threads)):
        run = _Run(images, plan, seed, checkpoint, progress)
        if resume is not None:
            run.resume(resume)
        elif minutes is not None:
            run.fit(60 * minutes)
        interrupted = run.go()
    return run.result(name, interrupted)


def _plan(schedule: str | Schedule, phases: int) -> Schedule:
    """Return the schedule that is meant."""
    if isinstance(schedule, Schedule):
        return schedule
    known = {"quick": Schedule.quick, "paper": Schedule.paper}
    if not isinstance(schedule, str) or schedule not in known:
        raise ValueError(f"schedule is {brief(schedule)}; expected 'quick', 'paper' or a Schedule")
    return known[schedule](phases)


@contextmanager
def _torch_state(threads: int) -> Iterator[None]:
    """Use so many threads; leave torch's number of threads and random numbers as they were."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def _on_interrupt(stop: Callable[[], None]) -> Iterator[None]:
    """Call `stop` on Ctrl-C instead of raising: half a step must not get into a checkpoint.

    A second Ctrl-C raises at once. Python tells signals to its main thread only.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGINT)

    def handle(number: int, frame: object) -> None:
        stop()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _kept(image: _patches.Labels) -> dict[str, Any]:
    """Return the image as a model keeps it, for statistics of its own; none that is too large."""
    record = _reference.encoded(image)
    return {_reference.KEY: record} if len(str(record["labels"])) < _LARGEST_KEPT else {}


class _Run:
    """One training, from its start or from a checkpoint."""

    def __init__(
        self,
        images: _patches.Labels,
        schedule: Schedule,
        seed: int,
        checkpoint: str | os.PathLike[str] | None,
        progress: Callable[[Record], None] | None,
    ) -> None:
        self._images, self._seed = images, seed
        self._path, self._progress = checkpoint, progress
        self._phases = int(images.max()) + 1
        self._rows: list[list[float]] = []  # of the history
        self._fall: int | None = None  # the step at which the rate began to fall, out of turn
        self._recent: list[float] = []  # losses since the last of them
        self._stopped = False
        self._before = 0.0  # seconds until the checkpoint
        self._saved = self._began = time.perf_counter()
        self._begin(schedule)

    def _begin(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self._batches = Batches(self._images, schedule, self._seed)
        self._validation = self._batches.validation()
        self._optimizer = Optimizer(
            Model.random(
                phases=self._phases,
                channels=schedule.channels,
                levels=schedule.levels,
                seed=self._seed,
            ),
            schedule,
        )

    def fit(self, seconds: float) -> None:
        """Choose the number of steps by the time of a few, which are then forgotten."""
        times = []
        for _ in range(_TIMED):
            start = time.perf_counter()
            self._step()
            times.append(time.perf_counter() - start)
        steps = max(1, round(seconds / float(np.median(times))))
        self._begin(replace(self.schedule, iterations=steps))

    def resume(self, path: str | os.PathLike[str]) -> None:
        """Go on from a checkpoint."""
        identity, iteration, state, history = _checkpoint.load(path)
        steps = identity.get("schedule", {}).get("iterations")
        if isinstance(steps, int) and steps > 0:  # which may come from `minutes`
            self._begin(replace(self.schedule, iterations=steps))
        own = self._identity()
        for key, value in own.items():
            if identity.get(key) != value:
                raise ValueError(
                    f"resume is a checkpoint of another training: its {key} differs; "
                    "expected the same reference, schedule and seed"
                )
        self._optimizer.restore(iteration, state)
        self._rows = history.tolist()
        self._fall = self._first_fall()
        self._before = self._rows[-1][-1] if self._rows else 0.0

    def _identity(self) -> dict[str, Any]:
        return {
            "reference": _patches.fingerprint(self._images),
            "schedule": self.schedule.as_dict(),
            "seed": self._seed,
        }

    @property
    def seconds(self) -> float:
        return self._before + time.perf_counter() - self._began

    def _step(self) -> float:
        iteration = self._optimizer.iteration
        # Dropout is a function of the seed and the step as well.
        torch.manual_seed((self._seed * 1_000_003 + iteration) % 2**63)
        return self._optimizer.step(self._batches.draw(iteration), self._fall)

    def go(self) -> bool:
        """Take the steps that are left; return whether Ctrl-C came."""
        told = -_PROGRESS_SECONDS
        with _on_interrupt(self._stop):
            while self._optimizer.iteration < self._steps and not self._stopped:
                self._recent.append(self._step())
                self._note()
                now = time.perf_counter()
                if self._progress is not None and now - told > _PROGRESS_SECONDS:
                    told = now
                    self._progress(self._record())
                if now - self._saved > _CHECKPOINT_SECONDS:
                    self._save()
        self._save()
        return self._stopped

    def _stop(self) -> None:
        self._stopped = True

    @property
    def _steps(self) -> int:
        return self.schedule.last(self._fall)

    def _first_fall(self) -> int | None:
        """Return the first step at which validation had not improved for too long."""
        least, best = np.inf, 0
        for step, _, loss, _ in self._rows:
            if loss < least:
                least, best = loss, int(step)
            elif step - best >= self.schedule.wait:
                return int(step)
        return None

    def _note(self) -> None:
        """Add a line to the history, about a hundred times."""
        done = self._optimizer.iteration
        if done % max(1, self.schedule.iterations // _RECORDS) == 0 or done == self._steps:
            validation = self._optimizer.loss(self._validation)
            if all(validation < row[2] for row in self._rows):
                self._optimizer.keep()
            self._rows.append([done, float(np.mean(self._recent)), validation, self.seconds])
            self._recent = []
            if self._fall is None:
                self._fall = self._first_fall()
                if self._fall is not None:
                    self._optimizer.go_back()

    def _record(self) -> Record:
        recent, rows = self._recent, self._rows
        return Record(
            self._optimizer.iteration,
            self._steps,
            float(np.mean(recent)) if recent else rows[-1][1],
            rows[-1][2] if rows else float("nan"),
            self.seconds,
        )

    def _save(self) -> None:
        self._saved = time.perf_counter()
        if self._path is not None:
            history = np.array(self._rows, np.float64).reshape(-1, len(_checkpoint.HISTORY))
            state, iteration = self._optimizer.state(), self._optimizer.iteration
            _checkpoint.save(self._path, self._identity(), iteration, state, history)

    def result(self, name: str, interrupted: bool) -> Training:
        """Return the model with its record."""
        if not self._rows:
            self._optimizer.keep()  # stopped before the first validation
        rows = np.array(self._rows, np.float64).reshape(-1, len(_checkpoint.HISTORY))
        plan, seconds = self.schedule, self.seconds
        counts = np.bincount(self._images.reshape(-1), minlength=self._phases)
        best = rows[rows[:, 2].argmin()].tolist() if len(rows) else [None] * 4
        record = {
            "schedule": plan.as_dict(),
            "iterations": self._optimizer.iteration,
            "batch": plan.batch,
            "seed": self._seed,
            "best_iteration": None if best[0] is None else int(best[0]),
            "loss": best[1],
            "validation_loss": best[2],
            "seconds": round(seconds, 1),
            "reference": {
                "sha256": _patches.fingerprint(self._images),
                "shape": list(self._images.shape),
            },
            "fractions": (counts / counts.sum()).tolist(),
            **_kept(self._images[0]),
            "date": datetime.date.today().isoformat(),
            "torch": torch.__version__,
        }
        numbers = ("sigma_max", "sigma_min", "noise_levels", "patch", "dequantization")
        about = {key: getattr(plan, key) for key in numbers}
        model = self._optimizer.model(name=name, training=record, **about)
        history = {key: rows[:, k] for k, key in enumerate(_checkpoint.HISTORY)}
        return Training(model, history, plan, interrupted, seconds)
