"""`pearlite homogenize`: read images, homogenize them in chunks, show and write the tensors."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pearlite import __version__, _bounds, _threads, corrector, io
from pearlite.cli import DONE, FAILED, homogenize_fields, terminal, volumes
from pearlite.cli.app import UsageError, fail
from pearlite.io.phases import listing
from pearlite.io.writing import table_object, tensor_columns

_MANY_PHASES = 16  # values, from which on images are grey rather than segmented
_CHUNK_PIXELS = 1 << 20  # 256 cells of 64²: the bar moves, and a mapped file is never held whole


@dataclass(frozen=True)
class Order:
    """How to homogenize: the options that do not depend on the files."""

    phases: io.PhaseMap | None
    dim: int | None  # None: what the files say, or 2
    spacing: tuple[float, ...] | None  # None: what the files say, or squares
    rtol: float
    threads: int | None
    bounds: bool
    load: int = 0  # the axis of the mean gradient of fields
    threshold: float | None = None  # of grey values, where it makes two phases of them


@dataclass(frozen=True)
class Source:
    """The images of one file: (count, *shape), and the batch axes they had there."""

    name: str
    images: npt.NDArray[Any]
    batch: tuple[int, ...]
    spacing: tuple[float, ...] | None = None
    unit: str = ""

    @property
    def shape(self) -> tuple[int, ...]:
        """Pixels of an image along each axis."""
        return self.images.shape[1:]

    @property
    def dim(self) -> int:
        """Number of axes of an image."""
        return self.images.ndim - 1


@dataclass(frozen=True)
class Targets:
    """Files to be written."""

    table: Path | None
    plot: Path | None
    fields: Path | None

    @property
    def paths(self) -> list[Path]:
        """All of them."""
        return [path for path in (self.table, self.plot, self.fields) if path is not None]


def parse_order(
    conductivity: str | None,
    dim: int | None,
    spacing: str | None,
    rtol: float,
    threads: int | None,
    bounds: bool = False,
    load: int = 0,
    threshold: float | None = None,
) -> Order:
    """Read the options, or raise a UsageError."""
    try:
        phases = None if conductivity is None else io.parse_conductivity(conductivity)
    except io.PhaseError as error:
        raise UsageError(f"--conductivity: {error}") from error
    if not 1e-10 <= rtol <= 0.1:
        raise UsageError(f"--rtol: {rtol:g} is not within 1e-10 and 0.1")
    _threads.count(threads)
    sizes = None if spacing is None else volumes.parse_spacing(spacing)
    return Order(phases, dim, sizes, rtol, threads, bounds, load, threshold)


def run(files: Sequence[str], order: Order, targets: Targets, as_json: bool, quiet: bool) -> int:
    """Do the whole command; return the exit code."""
    _check_targets(files, targets)
    sources = _open_all(files, order)
    order = _fit_phases(order, sources)
    _check_fields(order, sources, targets)
    total = _count(sources)
    solution = None
    with terminal.progress(*_task(sources, total), wanted=not quiet, large=_large(sources)) as bar:
        began = time.perf_counter()
        if targets.fields or (targets.plot and _needs_correctors(sources, order)):
            solution = homogenize_fields.solve(sources[0], order)
            effective = [solution.effective[np.newaxis]]
        else:
            effective = [_homogenize(source, order, bar) for source in sources]
        seconds = time.perf_counter() - began
    if targets.fields is not None and solution is not None:
        homogenize_fields.write(targets.fields, sources[0], order, solution, not quiet)
    d = sources[0].dim
    flat = np.concatenate([part.reshape(len(part), -1, d, d) for part in effective], axis=1)
    tensors, half_widths = flat[0], flat[1] if order.bounds else None
    failed = np.isnan(tensors[:, 0, 0])
    columns = _columns(sources)
    about = _about(sources, order, tensors, seconds)
    if targets.table is not None:
        shaped = effective[0] if len(effective) == 1 else flat
        half_width = shaped[1] if order.bounds else None
        io.write_table(targets.table, shaped[0], columns, about, half_width)
    if targets.plot is not None:
        _plot(targets.plot, sources, order, tensors, solution)
    if as_json:
        _print_json(columns, tensors, half_widths, about)
    elif not quiet:
        _show(columns, tensors, half_widths, seconds, targets.paths)
    if failed.any():
        first = f"{columns['file'][failed.argmax()]}, image {columns['index'][failed.argmax()]}"
        many = f"{failed.sum()} of {total} cells did not reach --rtol {order.rtol:g}"
        return fail(f"{many}; the first is {first}", FAILED)
    return DONE


def _about(
    sources: Sequence[Source], order: Order, tensors: npt.NDArray[np.floating[Any]], seconds: float
) -> dict[str, Any]:
    """Return what a JSON file says beside the cells."""
    first = sources[0]
    spacing = order.spacing or first.spacing
    told = {"dim": 3, "shape": list(first.shape)} if first.dim == 3 else {}
    if spacing is not None and len(sources) == 1:
        told |= {"spacing": list(spacing), "unit": first.unit}
    return {
        "pearlite": __version__,
        "rtol": order.rtol,
        **told,
        "seconds": round(seconds, 6),
        "failed": int(np.isnan(tensors[:, 0, 0]).sum()),
        "statistics": terminal.statistics(tensors),
    }


def _needs_correctors(sources: Sequence[Source], order: Order) -> bool:
    """Tell whether to solve for the fields of a picture right away: twice would take long."""
    return [source.dim for source in sources] == [3] and _count(sources) == 1 and not order.bounds


def _count(sources: Sequence[Source]) -> int:
    return sum(len(source.images) for source in sources)


def _large(sources: Sequence[Source]) -> bool:
    """Tell whether each cell takes long."""
    return any(math.prod(source.shape) > _CHUNK_PIXELS for source in sources)


def _task(sources: Sequence[Source], total: int) -> tuple[str, int]:
    """Say what is being done, and to how many cells."""
    if total == 1 and _large(sources):
        return f"homogenizing {' × '.join(map(str, sources[0].shape))}", total
    return "homogenizing", total


def _check_targets(files: Sequence[str], targets: Targets) -> None:
    """Refuse endings and places that would fail, before any work."""
    try:
        if targets.table is not None:
            io.table_format(targets.table)
        if targets.plot is not None:
            from pearlite.plot import picture_format

            picture_format(targets.plot)
    except io.EndingError as error:
        raise UsageError(str(error)) from error
    if targets.fields is not None and targets.fields.suffix.lower() != ".vti":
        ending = targets.fields.suffix
        raise UsageError(f"{targets.fields}: unknown ending {ending!r}; expected .vti")
    volumes.check_places(files, targets.paths)


def _check_fields(order: Order, sources: Sequence[Source], targets: Targets) -> None:
    """Refuse fields that would not fit one file, or have no such axis."""
    if order.load and targets.fields is None:
        raise UsageError("--load goes with --fields")
    if targets.fields is None:
        return
    count = _count(sources)
    if count != 1:
        raise UsageError(f"--fields is for one image, and there are {count}")
    if order.bounds:
        raise UsageError("--fields does not go with --bounds")
    if order.load >= sources[0].dim:
        raise UsageError(f"--load: {order.load} is not an axis of {sources[0].dim}, from 0")


def _open_all(files: Sequence[str], order: Order) -> list[Source]:
    """Read all files; they have the same number of axes."""
    grids = [io.read_grid(file) for file in files]
    dim = volumes.common_dim(files, grids, order.dim)
    if order.spacing is not None and len(order.spacing) not in (1, dim):
        raise UsageError(f"--spacing: {len(order.spacing)} lengths for {dim} axes")
    return [
        _open(file, grid, dim, order.threshold) for file, grid in zip(files, grids, strict=True)
    ]


def _open(file: str, grid: io.Grid, dim: int, threshold: float | None) -> Source:
    images = grid.images
    volumes.check_axes(file, images, dim)
    if threshold is not None:
        images = volumes.two_phases(images, threshold)
    batch, shape = images.shape[:-dim], images.shape[-dim:]
    return Source(file, images.reshape(-1, *shape), batch, grid.sizes(dim), grid.unit)


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
        grey = len(present) > _MANY_PHASES
        hint = "; --threshold GREY makes two phases, labels 0 and 1, of grey values" if grey else ""
        raise UsageError(f"--conductivity: {error}{hint}") from error


def _distinct(source: Source) -> npt.NDArray[Any]:
    try:
        return io.distinct_values([source.images])
    except io.FileError as error:
        raise io.FileError(f"{source.name}: {error}") from error


def _homogenize(
    source: Source, order: Order, advance: Callable[[int], None]
) -> npt.NDArray[np.floating[Any]]:
    """Homogenize the images of one file: (1, *batch, d, d), or (2, ...) with their half-widths."""
    count, d = len(source.images), source.dim
    step = max(1, _CHUNK_PIXELS // math.prod(source.shape))
    effective = []
    for start in range(0, count, step):
        chunk = source.images[start : start + step]
        try:
            effective.append(_solve(chunk, source, order))
        except ValueError as error:
            _blame_pixel(source, start, chunk)
            raise io.FileError(f"{source.name}: {error}") from error
        advance(len(chunk))
    return np.concatenate(effective, axis=1).reshape(-1, *source.batch, d, d)


def solver_options(source: Source, order: Order) -> dict[str, Any]:
    """Return the options of a solver call for images of a source."""
    phases = None if order.phases is None else order.phases.conductivities
    return {
        "phases": phases,
        "dim": source.dim,
        "tensor": phases is not None and phases.ndim == 3,
        "spacing": spacing_of(source, order),
        "rtol": order.rtol,
        "threads": order.threads,
        "on_failure": "nan",
    }


def spacing_of(source: Source, order: Order) -> tuple[float, ...] | None:
    """Return the sizes of a pixel: those asked for, or the file's."""
    if order.spacing is None:
        return source.spacing
    return order.spacing * (source.dim if len(order.spacing) == 1 else 1)


def _solve(chunk: npt.NDArray[Any], source: Source, order: Order) -> npt.NDArray[np.floating[Any]]:
    """Homogenize images (n, *shape): (1, n, d, d), or (2, n, d, d) with their half-widths."""
    if order.phases is not None:
        chunk = order.phases.labels(chunk)
    options = solver_options(source, order)
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
        cell, *pixel = (int(k) for k in np.unravel_index(bad.argmax(), bad.shape))
        place = ", ".join(map(str, pixel))
        raise io.FileError(
            f"{source.name}: image {start + cell}, pixel ({place}) is {chunk[cell, *pixel]}; "
            "expected a conductivity > 0, 0 for a void or inf for a perfect conductor"
        )


def _columns(sources: Sequence[Source]) -> dict[str, list[Any]]:
    """File and index of every image."""
    return {
        "file": [source.name for source in sources for _ in source.images],
        "index": [index for source in sources for index in range(len(source.images))],
    }


def _plot(
    path: Path,
    sources: Sequence[Source],
    order: Order,
    tensors: npt.NDArray[np.floating[Any]],
    solution: corrector.Correctors | None,
) -> None:
    """Draw the first cell that converged."""
    from pearlite import plot

    cells = [(source, index) for source in sources for index in range(len(source.images))]
    converged = np.flatnonzero(np.isfinite(tensors[:, 0, 0]))
    if len(converged) == 0:
        raise io.FileError(f"{path}: not drawn, no cell reached --rtol {order.rtol:g}")
    source, index = cells[converged[0]]
    name = Path(source.name).name + (f", image {index}" if len(source.images) > 1 else "")
    drawn = homogenize_fields.cells(name, source, index, order, solution)
    populations = [("all cells", tensors)] if len(tensors) > 1 else []
    plot.save(path, drawn, populations)


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
