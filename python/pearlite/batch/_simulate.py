"""Many samples of a model of random microstructures, at one or many sets of parameters."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from pearlite import _arrays
from pearlite.batch._parts import Columns
from pearlite.batch._run import Options, Progress, Report, run
from pearlite.batch._sources import Numbers, Source
from pearlite.batch._work import Images, Prepared, with_status
from pearlite.inversion._model import Model, check_model
from pearlite.inversion._parameters import Floats

_BLOCK = 1024  # samples whose random numbers are drawn together
_CHUNK_SOLVED, _CHUNK_KNOWN = 1024, 65536  # samples, of cell problems and of formulas
_MOST = 2**40


@dataclass(frozen=True)
class Simulation:
    """Samples by their numbers: `count` of each set of parameters, one set after the other."""

    model: Model
    trials: tuple[dict[str, Floats], ...]
    several: bool  # whether the caller gave a table of sets
    count: int
    seed: int
    main: str = field(default="samples", init=False)
    dim: int = field(default=2, init=False)

    def describe(self) -> dict[str, Any]:
        """Return what the samples depend on."""
        names = self.trials[0]
        return {
            "operation": "simulate",
            "model": _described(self.model),
            "parameters": {name: [trial[name].tolist() for trial in self.trials] for name in names},
            "count": self.count,
            "seed": self.seed,
        }

    def fitted(self, source: Source) -> Simulation:
        """Return itself: there is no source."""
        return self

    def prepare(self, images: Images) -> Prepared:
        """Take the numbers of the samples."""
        return Prepared(images, np.zeros(len(images), np.bool_))

    def run(self, prepared: Prepared) -> Columns:
        """Evaluate the model's map, block by block."""
        numbers = prepared.images
        pieces = _pieces(int(numbers[0]), int(numbers[-1]) + 1, self.count)
        samples = np.concatenate([self._samples(*piece) for piece in pieces])
        results: Columns = {self.main: samples}
        if self.several:
            results = {"trial": numbers // self.count, **results}
        return with_status(results, prepared, self.main)

    def _samples(self, trial: int, block: int, begin: int, end: int) -> Floats:
        """Return samples begin … end − 1 (n, C) of a block, the same for any cut of it."""
        values = self.trials[trial]
        size = min(_BLOCK, self.count - block * _BLOCK)
        state = np.random.SeedSequence([self.seed, trial, block]).generate_state(1, np.uint64)
        seed = int(state[0] >> np.uint64(1))
        measure = getattr(self.model, "measure", None)
        if measure is not None:
            found = measure(values, size, seed=seed)
        else:
            found, _ = self.model.simulate(values, self.model.draw_independent(size, seed))
        return np.asarray(found[begin:end], np.float64)


def simulate(
    model: Model,
    parameters: Mapping[str, npt.ArrayLike],
    count: int,
    target: str | os.PathLike[str],
    *,
    seed: int,
    chunk: int | None = None,
    workers: int | None = None,
    cluster: str | None = None,
    resume: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Write independent samples of a model of `pearlite.inversion` to a table, chunk by chunk.

    What a Monte-Carlo study of an inversion takes: the law of the measured tensors at given
    parameters, or at each row of a table of parameters.

    Parameters
    ----------
    model : Model
        Such as `pearlite.inversion.PeriodicLaguerre`. Of one that has a method ``measure``, as
        `StochasticMosaics` has, this is called, which homogenizes cells, and not the surrogate
        that stands for them in a fit.
    parameters : mapping of str to (size,) or (T, size) array
        Values of all blocks of the model; of those with T rows, one set after the other. Blocks of
        one row go with all sets.
    count : int
        Samples of each set.
    target : path
        `.parquet`, `.csv`: index, trial (which set, if there are several), A11, A22 and A12, or A,
        and status. `.zarr`: the same as arrays, with `samples` (N, C). `.npy`: the samples alone.
    seed : int
        Seed of the random numbers. They are drawn in blocks of 1,024 samples, each with a seed that
        follows from this one, its set and its number, so that chunks change nothing.
    chunk, workers, cluster, resume, progress
        As in `pearlite.batch.homogenize`.

    Returns
    -------
    Report

    Raises
    ------
    FileError, TypeError, ValueError
        As `pearlite.batch.homogenize`; the message names the argument.

    See Also
    --------
    pearlite.inversion.sample : a few samples, in memory.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> import pearlite as pl
    >>> model = pl.inversion.DirichletLayers(2)
    >>> table = {"a": [1.0, 5.0], "alpha": [[2.0, 3.0], [4.0, 6.0]]}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     report = pl.batch.simulate(model, table, 1000, f"{folder}/samples.npy", seed=1)
    ...     samples = np.load(f"{folder}/samples.npy")
    >>> samples.reshape(2, 1000).std(axis=1).round(2)  # narrower where alpha is larger
    array([0.73, 0.52])
    """
    options = Options.of(chunk, workers, cluster, resume, progress)
    law = check_model(model)
    trials, several = _trials(law, parameters)
    number = _arrays.check_integer("count", count, 1, _MOST // len(trials))
    key = _arrays.check_integer("seed", seed, 0, 2**63 - 1)
    work = Simulation(_for_processes(law, options), trials, several, number, key)
    usual = _CHUNK_SOLVED if hasattr(law, "measure") or law.solves(1) else _CHUNK_KNOWN
    return run(Numbers(number * len(trials), (1,)), target, work, options, usual)


def _trials(
    model: Model, parameters: Mapping[str, npt.ArrayLike]
) -> tuple[tuple[dict[str, Floats], ...], bool]:
    """Return each set of parameters, checked, and whether there is a table of them."""
    if not isinstance(parameters, Mapping):
        raise TypeError(f"parameters is a {type(parameters).__name__}; expected a mapping")
    rows = {name: _arrays.as_numpy(name, values) for name, values in parameters.items()}
    lengths = {name: len(values) for name, values in rows.items() if values.ndim == 2}
    if len(set(lengths.values())) > 1 or 0 in lengths.values():
        raise ValueError(f"parameters has {lengths} rows; expected the same number, from 1")
    total = max(lengths.values(), default=1)
    return tuple(
        model.layout.check({name: v[k] if name in lengths else v for name, v in rows.items()})
        for k in range(total)
    ), bool(lengths)


def _for_processes(model: Model, options: Options) -> Model:
    """Give the model of each process of a cluster one thread, unless the caller said how many."""
    given: Any = model
    if options.cluster is None or getattr(model, "threads", 1) is not None:
        return model
    if not dataclasses.is_dataclass(given) or isinstance(given, type):
        return model
    return cast(Model, dataclasses.replace(given, threads=1))


def _pieces(start: int, stop: int, count: int) -> Iterator[tuple[int, int, int, int]]:
    """Cut samples start … stop − 1 into (set, block, first, last + 1 in the block).

    Examples
    --------
    >>> list(_pieces(1000, 2050, 2000))
    [(0, 0, 1000, 1024), (0, 1, 0, 976), (1, 0, 0, 50)]
    """
    while start < stop:
        trial, place = divmod(start, count)
        block, begin = divmod(place, _BLOCK)
        size = min(_BLOCK, count - block * _BLOCK)
        end = min(size, begin + stop - start)
        yield trial, block, begin, end
        start += end - begin


def _described(model: object) -> str:
    """Tell a model from others: its class, and what it was made with."""
    kind = type(model)
    if dataclasses.is_dataclass(model):
        names = [item.name for item in dataclasses.fields(model) if item.init]
    else:
        names = [name for name in sorted(vars(model)) if not name.startswith("_")]
    names = [name for name in names if name != "threads"]
    with np.printoptions(threshold=2**31, floatmode="unique"):
        values = ", ".join(f"{name}={getattr(model, name)!r}" for name in names)
    return f"{kind.__module__}.{kind.__qualname__}({values})"
