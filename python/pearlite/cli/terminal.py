"""What a person sees: progress on stderr, tables on stdout."""

from __future__ import annotations

import math
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from pearlite.io.writing import entry_names, tensor_columns

_ROWS = 10
_PIPE_WIDTH = 120  # a pipe has no width of its own; names should not be folded at 80


def console() -> Console:
    """Return the console of stdout, wide enough for a row where there is no terminal."""
    width = None if sys.stdout.isatty() else max(_PIPE_WIDTH, shutil.get_terminal_size().columns)
    return Console(width=width, highlight=False)


class _CellsPerSecond(ProgressColumn):
    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{thousands(speed)} cells/s" if speed else "", style="dim")


def _cell_columns() -> tuple[ProgressColumn, ...]:
    """Return what a bar of many small cells shows."""
    return (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _CellsPerSecond(),
        TimeRemainingColumn(compact=True),
    )


@contextmanager
def progress(
    what: str, total: int, wanted: bool = True, large: bool = False
) -> Iterator[Callable[[int], None]]:
    """Give a function that advances a bar; without a terminal there is no bar.

    Of `large` cells, each of which takes long, the bar also tells the time that has passed; a
    single one cannot tell how far it is, and moves to and fro.
    """
    if not (wanted and sys.stderr.isatty()):
        yield lambda cells: None
        return
    if large:
        shown = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
        if total > 1:
            shown = (*shown[:2], MofNCompleteColumn(), shown[2])  # type: ignore[assignment]
        with Progress(*shown, console=Console(stderr=True), transient=True) as bar:
            cell = bar.add_task(what, total=total if total > 1 else None)
            yield lambda cells: bar.advance(cell, cells)
        return
    with Progress(*_cell_columns(), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda cells: bar.advance(task, cells)


Reached = Callable[[int, int], None]  # what is done, and all there is to do


def counted(what: str, wanted: bool = True) -> AbstractContextManager[Reached | None]:
    """Give a function of the cells done and of all there are; without a terminal there is none."""
    return _shares(what, wanted, _cell_columns())


def steps(what: str, unit: str, wanted: bool = True) -> AbstractContextManager[Reached | None]:
    """Give a function of what is done and of all there is to do; without a terminal there is none.

    The bar shows shares, and `unit` what it is all for.
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn(unit, style="dim"),
        TimeRemainingColumn(compact=True),
    )
    return _shares(what, wanted, columns)


@contextmanager
def _shares(
    what: str, wanted: bool, columns: tuple[ProgressColumn, ...]
) -> Iterator[Reached | None]:
    if not (wanted and sys.stderr.isatty()):
        yield None
        return
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def thousands(number: float) -> str:
    """Write a count with three digits or as an integer, thousands apart."""
    if number >= 100:
        return f"{number:,.0f}".replace(",", " ")
    return f"{number:.3g}"


def tensor_table(
    columns: Mapping[str, Sequence[Any]],
    effective: npt.NDArray[np.floating[Any]],
    half_width: npt.NDArray[np.floating[Any]] | None = None,
) -> Table:
    """Tabulate tensors (N, d, d), ± what is given: the first rows, and how many more there are."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in columns:
        # Numbers keep their digits; only the file name may be cut, at its beginning.
        table.add_column(name, justify="left" if name == "file" else "right", overflow="fold")
    dim = effective.shape[-1]
    for name in (*entry_names(dim), "anisotropy"):
        table.add_column(name, justify="right", no_wrap=True)
    rows = min(len(effective), _ROWS)
    shown = tensor_columns(effective[:rows], None if half_width is None else half_width[:rows])
    for k in range(rows):
        values = [column[k] for column in shown.values()]
        count = len(entry_names(dim))
        numbers, anisotropy, errors = values[:count], values[count], values[count + 1 :]
        leading = [Text(str(column[k])) for column in columns.values()]  # no markup
        if math.isnan(numbers[0]):
            table.add_row(*leading, "not converged", *[""] * count, style="red")
            continue
        digits = _digits(min(numbers[:dim]))
        entries = [_fixed(x, digits) for x in numbers]
        if errors:
            entries = [_enclosing(*x, digits) for x in zip(numbers, errors, strict=True)]
        table.add_row(*leading, *entries, _fixed(anisotropy, 4))
    if len(effective) > rows:
        table.add_row(f"… {thousands(len(effective) - rows)} more", style="dim")
    return table


def statistics_table(effective: npt.NDArray[np.floating[Any]]) -> Table:
    """Tabulate mean, standard deviation and range of each component of (N, d, d)."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("", "mean", "std", "min", "max"):
        table.add_column(name, justify="right" if name else "left", no_wrap=True, min_width=9)
    summary = statistics(effective)
    for name, values in summary.items():
        off = name in ("A12", "A13", "A23")  # off the diagonal, near 0
        digits = _digits(summary["A11" if off else name]["max"])
        table.add_row(name, *(_fixed(value, digits) for value in values.values()))
    return table


def statistics(effective: npt.NDArray[np.floating[Any]]) -> dict[str, dict[str, float]]:
    """Return mean, std, min and max of each entry and of anisotropy over the converged cells."""
    summary = {}
    for name, column in tensor_columns(effective).items():
        values = np.array(column)
        values = values[np.isfinite(values)]
        if values.size:
            summary[name] = {
                "mean": float(values.mean()),
                "std": float(values.std()),
                "min": float(values.min()),
                "max": float(values.max()),
            }
    return summary


def _digits(scale: float) -> int:
    """Decimals that leave six significant digits to a number of this size."""
    return max(0, 5 - math.floor(math.log10(scale))) if scale > 0 else 6


def _fixed(value: float, digits: int) -> str:
    """Write a number with fixed decimals, and zero without a sign."""
    return f"{round(value, digits) + 0.0:.{digits}f}"


def _enclosing(value: float, half_width: float, digits: int) -> str:
    """Write value ± half-width with two digits of the latter, and still enclose what they do."""
    if half_width > 0:
        digits = max(0, min(digits, 1 - math.floor(math.log10(half_width))))
    shown = round(value, digits)
    # What the rounding of the value moves is added; the product's own rounding is far below 1e-9.
    steps = (half_width + abs(value - shown)) * 10**digits
    return f"{_fixed(shown, digits)} ± {math.ceil(steps * (1 + 1e-9)) / 10**digits:.{digits}f}"
