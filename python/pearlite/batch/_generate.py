"""Generate more images than memory holds, into a store."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from pearlite import _arrays, _threads
from pearlite.batch._parts import Columns
from pearlite.batch._run import Options, Progress, Report, number_of_threads, run
from pearlite.batch._sources import Numbers, Source
from pearlite.batch._work import Images, Prepared, with_status
from pearlite.generation import _generate, _problem
from pearlite.generation._model import Model
from pearlite.generation._problem import Problem, Statistics
from pearlite.generation._score import Evaluator, Padding
from pearlite.io.errors import known_ending

ENDINGS = (".zarr", ".h5", ".hdf5", ".npy")
_MOST_IMAGES = 2**31 - 1
_CHUNK_PIXELS = 2**18  # of images, which take some milliseconds each


@dataclass(frozen=True)
class Generation:
    """Images by their numbers, as `pearlite.generation.generate` makes them."""

    problem: Problem
    seed: int
    first: int  # number of the first image
    padding: Padding
    threads: int | None
    main: str = field(default="images", init=False)

    @property
    def dim(self) -> int:
        """Number of axes of an image."""
        return len(self.problem.shape)

    def describe(self) -> dict[str, Any]:
        """Return what the images depend on."""
        problem, model = self.problem, self.problem.model
        gaussian = problem.gaussian
        return {
            "operation": "generate",
            "model": model.name,
            "weights": _digest(*model.tensors.values()),
            "field": None if gaussian is None else _digest(gaussian.means, gaussian.two_point()),
            "shape": list(problem.shape),
            "volume_fractions": problem.fractions.tolist(),
            "method": problem.method,
            "evaluations": len(problem.levels),
            "levels": _digest(problem.levels),
            "conditioned": problem.conditioned,
            "padding": self.padding,
            "seed": self.seed,
            "sample": self.first,
        }

    def fitted(self, source: Source) -> Generation:
        """Return itself: there is no source."""
        return self

    def prepare(self, images: Images) -> Prepared:
        """Take the numbers of the images."""
        return Prepared(images, np.zeros(len(images), np.bool_))

    def run(self, prepared: Prepared) -> Columns:
        """Generate."""
        numbers, threads = prepared.images, _threads.count(self.threads)
        made = _generate.run(
            self.problem,
            self._engine,
            len(numbers),
            self.first + int(numbers[0]),
            self.seed,
            self.padding,
            threads,
        )
        if made.interrupted:
            raise KeyboardInterrupt  # a part of a chunk is none
        return with_status({self.main: made.images}, prepared, self.main)

    @cached_property
    def _engine(self) -> Evaluator:
        return _generate._engine(self.problem.model, _threads.count(self.threads))

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel without the engine, which each process makes for itself."""
        return Generation, (self.problem, self.seed, self.first, self.padding, self.threads)


def generate(
    target: str | os.PathLike[str],
    count: int,
    *,
    model: str | os.PathLike[str] | Model | None = None,
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
    chunk: int | None = None,
    workers: int | None = None,
    cluster: str | None = None,
    resume: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Generate microstructures into a store, chunk by chunk.

    The images are those of `pearlite.generation.generate`, to the last bit: each depends on the
    seed and on its number alone, and so not on chunks, workers, or how often the run was resumed.

    Parameters
    ----------
    target : path
        `.zarr`, `.h5`: the arrays `images` (count, *shape) of labels and `index`, with all that was
        asked for as attributes. `.npy`: the images alone.
    count : int
        Number of images.
    model, seed, shape, statistics, volume_fraction, method, evaluations, field, conditioned, start
        As in `pearlite.generation.generate`.
    periodic, padding, sample
        As in `pearlite.generation.generate`.
    threads, chunk, workers, cluster, resume, progress
        As in `pearlite.batch.homogenize`.

    Returns
    -------
    Report

    Raises
    ------
    FileError, TypeError, ValueError
        As `pearlite.batch.homogenize` and `pearlite.generation.generate`.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> import pearlite as pl
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     report = pl.batch.generate(
    ...         f"{folder}/discs.npy", 5, seed=0, shape=(32, 32), evaluations=4, chunk=2
    ...     )
    ...     images = np.load(f"{folder}/discs.npy")
    >>> images.shape, report.count
    ((5, 32, 32), 5)
    """
    known_ending(target, ENDINGS, "target")
    options = Options.of(chunk, workers, cluster, resume, progress)
    number = _arrays.check_integer("count", count, 1, _MOST_IMAGES)
    asked = _problem.problem(
        _problem.read_model(model), shape, statistics, volume_fraction, method, evaluations, field,
        conditioned, start, periodic,
    )  # fmt: skip
    work = Generation(
        asked,
        _generate.check_seed(seed),
        _generate.check_sample(sample),
        _generate.check_padding(padding, asked.model),
        number_of_threads(threads, options),
    )
    usual = max(1, _CHUNK_PIXELS // math.prod(asked.shape))
    return run(Numbers(number, asked.shape), target, work, options, usual)


def _digest(*arrays: np.ndarray[Any, Any]) -> str:
    """Tell arrays from others, in 16 letters."""
    found = hashlib.sha256()
    for array in arrays:
        found.update(f"{array.dtype.str}{array.shape}".encode())
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()[:16]
