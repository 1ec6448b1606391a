"""`pearlite statistics`: read images, characterize them, show and write what was found."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast, get_args

import numpy as np
import numpy.typing as npt
from rich.table import Table
from rich.text import Text

from pearlite import __version__, _threads, io, statistics
from pearlite.cli import DONE, terminal, volumes
from pearlite.cli.app import UsageError

_TABLES, _ARRAYS, _PAGES = (".csv", ".json"), (".npz",), (".html", ".htm")
_ROWS = 20
_NAME = 40  # characters of a file's name, from its end
_MOST_PHASES = 16  # more distinct values are grey values, not labels


@dataclass(frozen=True)
class Order:
    """What to measure, and how."""

    phases: tuple[int, ...] | None
    threshold: float | None
    dim: int | None  # None: what the files say, or 2
    periodic: bool
    spacing: tuple[float, ...] | None  # None: what the files say, or pixels
    connectivity: statistics.Connectivity
    threads: int | None


def parse_order(
    phases: Sequence[int] | None,
    threshold: float | None,
    dim: int | None,
    periodic: bool,
    spacing: str | None,
    connectivity: str,
    threads: int | None,
) -> Order:
    """Read the options, or raise a UsageError."""
    known = get_args(statistics.Connectivity)
    if connectivity not in known:
        raise UsageError(f"--connectivity: {connectivity!r} is none of {', '.join(known)}")
    if phases and len(set(phases)) < len(phases):
        raise UsageError("--phase: a label stands twice")
    _threads.count(threads)
    sizes = None if spacing is None else volumes.parse_spacing(spacing)
    return Order(
        tuple(phases) if phases else None,
        threshold,
        dim,
        periodic,
        sizes,
        cast(statistics.Connectivity, connectivity),
        threads,
    )


def run(
    files: Sequence[str],
    order: Order,
    output: Path | None,
    report: Path | None,
    as_json: bool,
    quiet: bool,
) -> int:
    """Do the whole command; return the exit code."""
    _check_targets(files, output, report)
    columns: dict[str, list[Any]] = {}
    units: set[str] = set()
    first: io.Grid | None = None
    with terminal.progress("characterizing", len(files), wanted=not quiet) as advance:
        for file in files:
            grid = io.read_grid(file)
            first = first or grid
            dim = volumes.common_dim([files[0], file], [first, grid], order.dim)
            found = _characterize(file, grid, dim, order)
            units.add(_unit(grid, dim, order))
            rows = found.columns()
            for name, values in {"file": [file] * len(rows["phase"]), **rows}.items():
                columns.setdefault(name, []).extend(values)
            advance(1)
    if output is not None and output.suffix.lower() in _ARRAYS:
        with io.replacing(output) as temporary, temporary.open("wb") as stream:
            np.savez(stream, **cast(Any, found.arrays()))
    elif output is not None:
        _write_table(output, columns)
    if report is not None:
        found.report(report, title=Path(files[0]).name)
    unit = units.pop() if len(units) == 1 else "each file's unit"
    if as_json:
        known = unit if unit == grid.unit else ""
        print(json.dumps(_json_object(columns, known), indent=1))
    elif not quiet:
        repeats = "taken as periodic; --open if not" if order.periodic else "not taken as periodic"
        written = [path for path in (output, report) if path is not None]
        _show(columns, dim, f"lengths in {unit}, {repeats}", written)
    return DONE


def _unit(grid: io.Grid, dim: int, order: Order) -> str:
    """Return what lengths are counted in."""
    if order.spacing is not None:
        return "the unit of --spacing"
    return "pixels" if grid.sizes(dim) is None else grid.unit or "the file's unit"


def _check_targets(files: Sequence[str], output: Path | None, report: Path | None) -> None:
    """Refuse endings and places that would fail, before any work."""
    for path, endings, single in (
        (output, (*_TABLES, *_ARRAYS), _ARRAYS),
        (report, _PAGES, _PAGES),
    ):
        if path is None:
            continue
        ending = path.suffix.lower()
        if ending not in endings:
            expected = ", ".join(endings)
            raise UsageError(f"{path}: unknown ending {ending!r}; expected one of {expected}")
        if ending in single and len(files) > 1:
            raise UsageError(f"{path} is for one file, and there are {len(files)}")
    volumes.check_places(files, [path for path in (output, report) if path is not None])
    if report is not None:
        from pearlite.io.errors import optional

        optional("matplotlib", "plot", "a report")


def _characterize(file: str, grid: io.Grid, dim: int, order: Order) -> statistics.Characterization:
    volumes.check_axes(file, grid.images, dim)
    if order.spacing is not None and len(order.spacing) not in (1, dim):
        raise UsageError(f"--spacing: {len(order.spacing)} lengths for {dim} axes")
    spacing = order.spacing or grid.sizes(dim)
    labels = _labels(file, grid.images, order)
    try:
        return statistics.characterize(
            labels,
            phases=order.phases,
            periodic=order.periodic,
            spacing=spacing if spacing is None or len(spacing) > 1 else spacing[0],
            connectivity=order.connectivity,
            dim=dim,
            threads=order.threads,
        )
    except ValueError as error:
        raise io.FileError(f"{file}: {error}") from error


def _labels(file: str, images: npt.NDArray[Any], order: Order) -> npt.NDArray[Any]:
    """Return labels: integers, or numbers with few distinct values that are whole."""
    if order.threshold is not None:
        return volumes.two_phases(images, order.threshold)
    if images.dtype.kind == "f":
        whole = np.asarray(images).astype(np.int64) if np.isfinite(images).all() else None
        if whole is None or not np.array_equal(whole, images):
            raise UsageError(f"{file} holds real numbers: give --threshold to make two phases")
        images = whole
    if order.phases is None:
        number = len(io.distinct_values([images]))
        if number > _MOST_PHASES:
            raise UsageError(
                f"{file} holds {number} distinct values: give --threshold to make two phases, "
                "or --phase for each that matters"
            )
    return images


def _write_table(path: Path, columns: dict[str, list[Any]]) -> None:
    with io.replacing(path) as temporary:
        if path.suffix.lower() == ".json":
            text = json.dumps(_json_object(columns), indent=1, allow_nan=False)
            temporary.write_text(text + "\n", encoding="utf-8")
            return
        with temporary.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(columns)
            for row in zip(*columns.values(), strict=True):
                writer.writerow("" if value != value else value for value in row)


def _json_object(columns: dict[str, list[Any]], unit: str = "") -> dict[str, Any]:
    """Return the table as a list of rows; NaN, where there is nothing to average, is null."""
    rows = [
        {name: None if value != value else value for name, value in zip(columns, row, strict=True)}
        for row in zip(*columns.values(), strict=True)
    ]
    return {"pearlite": __version__, **({"unit": unit} if unit else {}), "phases": rows}


def _show(columns: dict[str, list[Any]], dim: int, note: str, written: Sequence[Path]) -> None:
    """Print the first rows, what to know of them, and what was written."""
    console = terminal.console()
    table = Table(box=None, header_style="bold", pad_edge=False)
    shown = _readable(columns, dim)
    for name in shown:
        left = name in ("file", "percolates")
        table.add_column(name, justify="left" if left else "right", no_wrap=name != "file")
    for row in list(zip(*shown.values(), strict=True))[:_ROWS]:
        table.add_row(*map(Text, row))  # no markup
    more = len(columns["phase"]) - _ROWS
    if more > 0:
        table.add_row(f"… {terminal.thousands(more)} more", style="dim")
    console.print(table)
    console.print(note, style="dim", markup=False)
    for path in written:
        console.print(f"wrote {path}", soft_wrap=True, markup=False)


def _readable(columns: dict[str, list[Any]], dim: int) -> dict[str, list[str]]:
    """Return the columns as a person reads them: what repeats is left out."""
    files, images = columns["file"], columns["image"]
    shown: dict[str, list[str]] = {}
    if len(set(files)) > 1:
        before = [None, *files]
        shown["file"] = [
            "" if name == last else _short(name) for name, last in zip(files, before, strict=False)
        ]
    if any(images):
        shown["image"] = [str(image) for image in images]
    shown["phase"] = [str(phase) for phase in columns["phase"]]
    for title, name in {
        "fraction": "fraction",
        "surface": "surface_area",
        **{f"chord {axis}": f"mean_chord_{axis}" for axis in range(dim)},
        "components": "clusters",
        "largest": "largest_cluster",
    }.items():
        shown[title] = [_shown(value) for value in columns[name]]
    around = zip(*(columns[f"percolates_{axis}"] for axis in range(dim)), strict=True)
    shown["percolates"] = [
        " ".join(f"axis {axis}" for axis in range(dim) if row[axis]) or "no" for row in around
    ]
    return shown


def _short(name: str) -> str:
    return name if len(name) <= _NAME else f"…{name[1 - _NAME :]}"


def _shown(value: float) -> str:
    return "–" if value != value else f"{value:.4g}"
