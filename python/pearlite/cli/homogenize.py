"""`pearlite homogenize`: read images, homogenize them in chunks, show and write the tensors."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pearlite import __version__, _bounds, _threads, corrector, io
from pearlite.cli import DONE, FAILED, terminal
from pearlite.cli.app import UsageError, fail
from pearlite.io.phases import listing
from pearlite.io.writing import table_object, tensor_columns

_CHUNK_PIXELS = 1 << 20  # 256 cells of 64²: the bar moves, and a mapped file is never held whole


@dataclass(frozen=True)
class Order:
    """How to homogenize: the options that do not depend on the files."""

    phases: io.PhaseMap | None
    spacing: tuple[float, float] | None
    rtol: float
    threads: int | None
    bounds: bool


@dataclass(frozen=True)
class Source:
    """The images of one file: (count, n0, n1), and the batch axes they had there."""

    name: str
    images: npt.NDArray[Any]
    batch: tuple[int, ...]


def parse_order(
    conductivity: str | None,
    spacing: str | None,
    rtol: float,
    threads: int | None,
    bounds: bool = False,
) -> Order:
    """Read the options, or raise a UsageError."""
    try:
        phases = None if conductivity is None else io.parse_conductivity(conductivity)
    except io.PhaseError as error:
        raise UsageError(f"--conductivity: {error}") from error
    if not 1e-10 <= rtol <= 0.1:
        raise UsageError(f"--rtol: {rtol:g} is not within 1e-10 and 0.1")
    _threads.count(threads)
    sizes = None if spacing is None else _parse_spacing(spacing)
    return Order(phases, sizes, rtol, threads, bounds)


def _parse_spacing(text: str) -> tuple[float, float]:
    try:
        sizes = [float(part) for part in text.split(",")]
    except ValueError:
        sizes = []
    if len(sizes) not in (1, 2) or not all(np.isfinite(h) and h > 0 for h in sizes):
        raise UsageError(f"--spacing: {text!r} is not one or two lengths > 0")
    return sizes[0], sizes[-1]


def run(
    files: Sequence[str],
    order: Order,
    output: Path | None,
    plot: Path | None,
    as_json: bool,
    quiet: bool,
) -> int:
    """Do the whole command; return the exit code."""
    _check_targets(files, output, plot)
    sources = [_open(file) for file in files]
    order = _fit_phases(order, sources)
    total = sum(len(source.images) for source in sources)
    with terminal.progress("homogenizing", total, wanted=not quiet) as advance:
        began = time.perf_counter()
        effective = [_homogenize(source, order, advance) for source in sources]
        seconds = time.perf_counter() - began
    flat = np.concatenate([part.reshape(len(part), -1, 2, 2) for part in effective], axis=1)
    tensors, half_widths = flat[0], flat[1] if order.bounds else None
    failed = np.isnan(tensors[:, 0, 0])
    columns = _columns(sources)
    about = {
        "pearlite": __version__,
        "rtol": order.rtol,
        "seconds": round(seconds, 6),
        "failed": int(failed.sum()),
        "statistics": terminal.statistics(tensors),
    }
    if output is not None:
        shaped = effective[0] if len(effective) == 1 else flat
        io.write_table(output, shaped[0], columns, about, shaped[1] if order.bounds else None)
    if plot is not None:
        _plot(plot, sources, order, tensors)
    if as_json:
        _print_json(columns, tensors, half_widths, about)
    elif not quiet:
        written = [path for path in (output, plot) if path is not None]
        _show(columns, tensors, half_widths, seconds, written)
    if failed.any():
        first = f"{columns['file'][failed.argmax()]}, image {columns['index'][failed.argmax()]}"
        many = f"{failed.sum()} of {total} cells did not reach --rtol {order.rtol:g}"
        return fail(f"{many}; the first is {first}", FAILED)
    return DONE


def _check_targets(files: Sequence[str], output: Path | None, plot: Path | None) -> None:
    """Refuse endings and places that would fail, before any work."""
    try:
        if output is not None:
            io.table_format(output)
        if plot is not None:
            from pearlite.plot import picture_format

            picture_format(plot)
    except io.EndingError as error:
        raise UsageError(str(error)) from error
    for path in (output, plot):
        if (
            path is not None
            and path.exists()
            and any(map(path.samefile, filter(os.path.exists, files)))
        ):
            raise UsageError(f"{path} is also an input; it would be replaced")
        if path is not None and path.is_dir():
            raise io.FileError(f"{path}: is a folder")
        if path is not None and not os.access(path.absolute().parent, os.W_OK | os.X_OK):
            raise io.FileError(f"{path}: its folder does not exist or cannot be written to")


def _open(file: str) -> Source:
    images = io.read_images(file)
    n0, n1 = images.shape[-2:]
    if min(n0, n1) < 2:
        raise io.FileError(f"{file}: images of {n0} x {n1} pixels; expected at least 2 x 2")
    batch = images.shape[:-2]
    return Source(file, images.reshape(-1, n0, n1), batch)


def _fit_phases(order: Order, sources: Sequence[Source]) -> Order:
    """Match the conductivities with the values of all the files together."""
    if order.phases is None:
        for source in sources:
            if source.images.dtype.kind != "f":
                values = listing(_distinct(source))
                raise UsageError(
                    f"{source.name} holds integers ({values}): say what they conduct, "
                    "such as --conductivity 1,10 (in increasing order of value) or 0=1,255=10"
                )
        return order
    present = np.unique(np.concatenate([_distinct(source) for source in sources]))
    try:
        return replace(order, phases=order.phases.fitted(present))
    except io.PhaseError as error:
        raise UsageError(f"--conductivity: {error}") from error


def _distinct(source: Source) -> npt.NDArray[Any]:
    try:
        return io.distinct_values([source.images])
    except io.FileError as error:
        raise io.FileError(f"{source.name}: {error}") from error


def _homogenize(
    source: Source, order: Order, advance: Callable[[int], None]
) -> npt.NDArray[np.floating[Any]]:
    """Homogenize the images of one file: (1, *batch, 2, 2), or (2, ...) with their half-widths."""
    count, n0, n1 = source.images.shape
    step = max(1, _CHUNK_PIXELS // (n0 * n1))
    effective = []
    for start in range(0, count, step):
        chunk = source.images[start : start + step]
        try:
            effective.append(_solve(chunk, order))
        except ValueError as error:
            _blame_pixel(source, start, chunk)
            raise io.FileError(f"{source.name}: {error}") from error
        advance(len(chunk))
    return np.concatenate(effective, axis=1).reshape(-1, *source.batch, 2, 2)


def _solve(chunk: npt.NDArray[Any], order: Order) -> npt.NDArray[np.floating[Any]]:
    """Homogenize images (n, n0, n1): (1, n, 2, 2), or (2, n, 2, 2) with their half-widths."""
    phases, tensor = None, False
    if order.phases is not None:
        chunk = order.phases.labels(chunk)
        phases = order.phases.conductivities
        tensor = phases.ndim == 3
    options: dict[str, Any] = {
        "phases": phases,
        "tensor": tensor,
        "spacing": order.spacing,
        "rtol": order.rtol,
        "threads": order.threads,
        "on_failure": "nan",
    }
    if order.bounds:
        bounds = _bounds.bounds(chunk, **options)
        return np.stack([bounds.estimate, bounds.half_width])
    return corrector.homogenize(chunk, **options)[np.newaxis]


def _blame_pixel(source: Source, start: int, chunk: npt.NDArray[Any]) -> None:
    """Name the first pixel that is no conductivity; the solver's own words count within a chunk."""
    if chunk.dtype.kind != "f":
        return
    bad = ~(chunk >= 0)
    if bad.any():
        cell, i, j = (int(k) for k in np.unravel_index(bad.argmax(), bad.shape))
        raise io.FileError(
            f"{source.name}: image {start + cell}, pixel ({i}, {j}) is {chunk[cell, i, j]}; "
            "expected a conductivity > 0, 0 for a void or inf for a perfect conductor"
        )


def _columns(sources: Sequence[Source]) -> dict[str, list[Any]]:
    """File and index of every image."""
    return {
        "file": [source.name for source in sources for _ in source.images],
        "index": [index for source in sources for index in range(len(source.images))],
    }


def _plot(
    path: Path, sources: Sequence[Source], order: Order, tensors: npt.NDArray[np.floating[Any]]
) -> None:
    """Draw the first cell that converged."""
    from pearlite import plot

    cells = [(source, index) for source in sources for index in range(len(source.images))]
    converged = np.flatnonzero(np.isfinite(tensors[:, 0, 0]))
    if len(converged) == 0:
        raise io.FileError(f"{path}: not drawn, no cell reached --rtol {order.rtol:g}")
    source, index = cells[converged[0]]
    image, phases = np.asarray(source.images[index]), None
    if order.phases is not None:
        image, phases = order.phases.labels(image), order.phases.conductivities
    name = Path(source.name).name + (f", image {index}" if len(source.images) > 1 else "")
    cell = plot.solved_cell(name, image, phases, order.spacing)
    populations = [("all cells", tensors)] if len(tensors) > 1 else []
    plot.save(path, [cell], populations)


def _print_json(
    columns: dict[str, list[Any]],
    tensors: npt.NDArray[np.floating[Any]],
    half_widths: npt.NDArray[np.floating[Any]] | None,
    about: dict[str, Any],
) -> None:
    import json

    table = {**columns, **tensor_columns(tensors, half_widths)}
    print(json.dumps(table_object(table, about), indent=1))


def _show(
    columns: dict[str, list[Any]],
    tensors: npt.NDArray[np.floating[Any]],
    half_widths: npt.NDArray[np.floating[Any]] | None,
    seconds: float,
    written: Sequence[Path],
) -> None:
    """Print the first rows, statistics of a batch, the speed, and what was written."""
    console = terminal.console()
    console.print(terminal.tensor_table(columns, tensors, half_widths))
    if len(tensors) > 1:
        console.print()
        console.print(terminal.statistics_table(tensors))
    rate = terminal.thousands(len(tensors) / seconds)
    cells = "1 cell" if len(tensors) == 1 else f"{terminal.thousands(len(tensors))} cells"
    console.print(f"\n{cells} in {seconds:.3g} s ({rate} cells/s)")
    for path in written:
        console.print(f"wrote {path}", soft_wrap=True, markup=False)
