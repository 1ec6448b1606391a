"""Statistics of images that do not fit in memory."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
import numpy.typing as npt

from pearlite import _arrays, correlation, statistics
from pearlite._errors import brief
from pearlite.batch._parts import Columns
from pearlite.batch._run import Options, Progress, Report, number_of_threads, run
from pearlite.batch._sources import Source
from pearlite.batch._work import Images, Prepared, any_pixel, first_bad, with_status, without


@dataclass(frozen=True)
class Statistics:
    """A function of images (n, *shape) that returns results (n, ...) by name."""

    function: Callable[..., Columns]
    options: dict[str, Any]
    main: str

    @property
    def dim(self) -> int:
        """Number of axes of an image."""
        return int(self.options["dim"])

    def describe(self) -> dict[str, Any]:
        """Return what the results depend on."""
        kept = {name: value for name, value in self.options.items() if name != "threads"}
        return {"operation": self.main, **kept}

    def fitted(self, source: Source) -> Statistics:
        """Return itself, or raise unless the images have the labels that are asked for."""
        if self.options["phases"] is not None and source.dtype.kind == "f":
            raise TypeError(
                f"source has dtype {source.dtype}; with phases=... expected integer labels"
            )
        return self

    def prepare(self, images: Images) -> Prepared:
        """Find the images that hold numbers that are none."""
        if images.dtype.kind != "f":
            return Prepared(images, np.zeros(len(images), np.bool_))
        wrong = ~np.isfinite(images)
        bad = any_pixel(wrong)
        reasons = first_bad(images, wrong, bad, "a finite number")
        return Prepared(without(images, bad, 0), bad, reasons)

    def run(self, prepared: Prepared) -> Columns:
        """Compute."""
        results = self.function(prepared.images, **self.options)
        return with_status(results, prepared, self.main)


def two_point(
    source: str | os.PathLike[str] | npt.NDArray[np.number],
    target: str | os.PathLike[str],
    *,
    phases: Sequence[int] | None = None,
    dim: int = 2,
    periodic: bool = True,
    threads: int | None = None,
    chunk: int | None = None,
    workers: int | None = None,
    cluster: str | None = None,
    resume: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Write the two-point correlations of each image of a file, chunk by chunk.

    Parameters
    ----------
    source, target, chunk, workers, cluster, resume, progress
        As in `pearlite.batch.homogenize`; `two_point` is an array (N, ...) of a `.zarr` or `.h5`,
        and a `.npy` holds nothing else.
    phases, dim, periodic, threads
        As in `pearlite.correlation.two_point`; labels need phases.

    Returns
    -------
    Report

    Raises
    ------
    FileError, TypeError, ValueError
        As `pearlite.batch.homogenize`.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> import pearlite as pl
    >>> images = np.random.default_rng(0).integers(2, size=(50, 16, 16), dtype=np.uint8)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     report = pl.batch.two_point(images, f"{folder}/maps.npy", phases=[0, 1])
    ...     np.load(f"{folder}/maps.npy").shape
    (50, 2, 2, 16, 16)
    """
    options = Options.of(chunk, workers, cluster, resume, progress)
    labels = None if phases is None else _labels(phases)
    arguments = _arguments(labels, dim, periodic, threads, options)
    return run(source, target, Statistics(_two_point, arguments, "two_point"), options)


def characterize(
    source: str | os.PathLike[str] | npt.NDArray[np.number],
    target: str | os.PathLike[str],
    *,
    phases: Sequence[int],
    dim: int = 2,
    periodic: bool = True,
    spacing: float | Sequence[float] | None = None,
    connectivity: statistics.Connectivity = "faces",
    threads: int | None = None,
    chunk: int | None = None,
    workers: int | None = None,
    cluster: str | None = None,
    resume: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Write the numbers that describe each image of a file, chunk by chunk.

    Parameters
    ----------
    source, target, chunk, workers, cluster, resume, progress
        As in `pearlite.batch.homogenize`. For phase p and axis k there are `fraction_p`,
        `surface_area_p`, `mean_chord_p_k`, `percolates_p_k`, `clusters_p` and
        `largest_cluster_p`; p counts the given phases.
    phases : sequence of int
        Labels of the phases.
    dim, periodic, spacing, connectivity, threads
        As in `pearlite.statistics.characterize`: lengths are in pixels without `spacing`.

    Returns
    -------
    Report

    Raises
    ------
    FileError, TypeError, ValueError
        As `pearlite.batch.homogenize`.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> import pearlite as pl
    >>> images = np.random.default_rng(0).integers(2, size=(5, 16, 16), dtype=np.uint8)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     report = pl.batch.characterize(images, f"{folder}/numbers.csv", phases=[0, 1])
    ...     print(Path(folder, "numbers.csv").read_text()[:43])
    index,fraction_0,fraction_1,surface_area_0,
    """
    options = Options.of(chunk, workers, cluster, resume, progress)
    arguments = _arguments(_labels(phases), dim, periodic, threads, options)
    if spacing is not None:
        arguments["spacing"] = _arrays.pixel_sizes(spacing, (1,) * dim)
    known = get_args(statistics.Connectivity)
    arguments["connectivity"] = _arrays.check_choice("connectivity", connectivity, known)
    return run(source, target, Statistics(_characterize, arguments, "fraction"), options)


def _two_point(images: Images, **options: Any) -> Columns:
    return {"two_point": np.asarray(correlation.two_point(images, **options))}


def _characterize(images: Images, **options: Any) -> Columns:
    found = statistics.characterize(images, **options)
    return {
        "fraction": found.fractions,
        "surface_area": found.surface,
        "mean_chord": found.chords.mean,
        "percolates": found.percolates.astype(np.uint8),
        "clusters": found.clusters,
        "largest_cluster": found.largest_cluster,
    }


def _arguments(
    phases: list[int] | None, dim: int, periodic: bool, threads: int | None, options: Options
) -> dict[str, Any]:
    """Check what both functions take, by name."""
    _arrays.check_dimension(dim)
    return {
        "phases": phases,
        "dim": int(dim),
        "periodic": _arrays.flag("periodic", periodic),
        "threads": number_of_threads(threads, options),
    }


def _labels(phases: Sequence[int]) -> list[int]:
    """Return labels as plain integers, which the record of a run holds."""
    single = isinstance(phases, str | bytes) or getattr(phases, "shape", None) == ()
    if single or not isinstance(phases, Sequence | np.ndarray):
        raise TypeError(f"phases is {brief(phases)}; expected a sequence of labels")
    return [_arrays.check_integer("phases", label, 0, 2**31 - 1) for label in phases]
