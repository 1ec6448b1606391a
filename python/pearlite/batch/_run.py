"""One long run: from a source through chunks on disk to a target."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pearlite import __version__, _threads
from pearlite._arrays import check_integer, flag
from pearlite.batch import _results
from pearlite.batch._cluster import Cluster, distribute
from pearlite.batch._parts import Columns, Parts
from pearlite.batch._sources import Source, open_source, release
from pearlite.batch._stream import Range, stream
from pearlite.batch._work import OK, STATUS, Work, chunks
from pearlite.io.errors import FileError, shown

_MOST_FAILURES = 1000  # named in a report

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Failure:
    """A cell without a result.

    Attributes
    ----------
    index : int
        Its number in the source, counted in C order over the batch axes.
    reason : str
        Which pixel is wrong, or that the solver did not converge.
    """

    index: int
    reason: str


@dataclass(frozen=True)
class Report:
    """What a run did.

    Attributes
    ----------
    target : Path
        The file that was written.
    count : int
        Number of cells.
    resumed : int
        Cells that an earlier, unfinished run had done.
    failed : int
        Cells without a result; their rows hold NaN, and `status` says why.
    failures : list of Failure
        The first 1,000 of them.
    seconds : float
        Wall time.
    """

    target: Path
    count: int
    resumed: int
    failed: int
    failures: list[Failure] = field(repr=False)
    seconds: float


@dataclass(frozen=True)
class Options:
    """How to go through a batch, whatever is done with it."""

    chunk: int | None
    cluster: Cluster | None
    resume: bool
    progress: Progress | None

    @classmethod
    def of(
        cls,
        chunk: int | None,
        workers: int | None,
        cluster: str | None,
        resume: bool,
        progress: Progress | None,
    ) -> Options:
        """Check the options."""
        if chunk is not None:
            chunk = check_integer("chunk", chunk, 1, 2**31)
        if progress is not None and not callable(progress):
            raise TypeError(f"progress is a {type(progress).__name__}; expected a function")
        return cls(chunk, Cluster.of(workers, cluster), flag("resume", resume), progress)


def number_of_threads(threads: int | None, options: Options) -> int | None:
    """Check the threads of a process: all cores by default, and one of each worker."""
    if threads is not None:
        _threads.count(threads)
        return threads
    return None if options.cluster is None else 1


def run(
    source: object,
    target: str | os.PathLike[str],
    work: Work,
    options: Options,
    usual: int | None = None,
) -> Report:
    """Do the work on all images of a source, and write the results to a target.

    usual: images in a chunk where neither the caller nor an unfinished run says how many
    """
    _results.target_format(target)
    try:
        return _run(open_source(source, work.dim), Path(target), work, options, usual)
    finally:
        release()


def _run(opened: Source, path: Path, work: Work, options: Options, usual: int | None) -> Report:
    began = time.perf_counter()
    _check_apart(opened, path)
    work = work.fitted(opened)
    parts = Parts(path.with_name(f"{path.name}.parts"))
    size = options.chunk or (parts.chunk() if options.resume else None) or usual
    pixels = int(np.prod(opened.shape))
    spans = chunks(opened.count, opened.grain, pixels, size, options.cluster is not None)
    job = {
        "pearlite": __version__,
        "source": opened.fingerprint(),
        "work": work.describe(),
        "chunk": spans[0][1],
    }
    parts.begin(job, options.resume)
    pending = [span for span in spans if not parts.sound(*span)]
    done = opened.count - sum(stop - start for start, stop in pending)
    resumed = done

    def advance(cells: int) -> None:
        nonlocal done
        done += cells
        if options.progress is not None:
            options.progress(done, opened.count)

    advance(0)
    if options.cluster is None:
        stream(opened, work, parts, pending, advance)
    else:
        distribute(options.cluster, opened, work, parts, pending, advance)
    report = _finish(path, opened, work, parts, spans, resumed, began)
    parts.remove()
    return report


def _check_apart(source: Source, target: Path) -> None:
    if os.path.exists(source.name) and os.path.realpath(source.name) == os.path.realpath(target):
        raise FileError(f"{shown(str(target))}: is the source itself")


def _finish(
    path: Path,
    source: Source,
    work: Work,
    parts: Parts,
    spans: list[Range],
    resumed: int,
    began: float,
) -> Report:
    """Join the parts, and list the cells that failed."""
    failures: list[Failure] = []
    failed = 0

    def blocks() -> Iterator[Columns]:
        nonlocal failed
        for start, stop in spans:
            part = parts.load(start, stop)
            if part is None:
                raise FileError(f"{shown(str(parts.folder))}: images {start} to {stop - 1} lost")
            failed += _collect(failures, start, part)
            results = {name: part[name] for name in part if not name.startswith("_")}
            beside = source.columns(start, stop)
            free = {name: beside[name] for name in beside if name not in (*results, "index")}
            yield {"index": np.arange(start, stop), **free, **results}

    attributes: dict[str, Any] = {**source.attributes, "pearlite": {**work.describe()}}
    attributes["pearlite"]["version"] = __version__
    _results.write(path, blocks(), source.count, work.main, attributes)
    seconds = time.perf_counter() - began
    return Report(path, source.count, resumed, failed, failures, seconds)


def _collect(failures: list[Failure], start: int, part: Columns) -> int:
    """Add the failures of a chunk to the list; return how many there are."""
    reasons = dict(zip(part["_failed"].tolist(), part["_reason"].tolist(), strict=True))
    bad = np.flatnonzero(part["status"] != OK)
    for k in bad[: _MOST_FAILURES - len(failures)].tolist():
        failures.append(Failure(start + k, reasons.get(k, STATUS[part["status"][k]])))
    return len(bad)
