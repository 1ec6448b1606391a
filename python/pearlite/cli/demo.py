"""`pearlite demo`: the demonstration, as a person sees it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from pearlite import _threads, demo, io, plot
from pearlite.cli import DONE, terminal


def run(count: int, folder: Path, seed: int, as_json: bool, quiet: bool) -> int:
    """Make, homogenize, show and write; return the exit code."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise io.FileError(f"{folder}: {error.strerror or error}") from error
    cases = demo.exact_cases()
    with terminal.progress("making and homogenizing", count, wanted=not quiet) as advance:
        families = demo.homogenize_families(count, seed, advance)
    seconds = sum(family.seconds for family in families)
    if not (as_json or quiet):
        _show(families, cases, count / seconds)
    written, skipped = _write(families, folder)
    if as_json:
        print(json.dumps(_report(families, cases, count / seconds, written), indent=1))
    elif not quiet:
        console = terminal.console()
        for path in written:
            console.print(f"wrote {path}", soft_wrap=True, markup=False)
        for reason in skipped:
            console.print(f"skipped: {reason}", soft_wrap=True, markup=False)
    return DONE


def _write(families: Sequence[demo.Family], folder: Path) -> tuple[list[Path], list[str]]:
    """Write the tables and the picture; what a missing optional package forbids is skipped."""
    effective = np.concatenate([family.effective for family in families])
    columns: dict[str, Sequence[Any]] = {
        "family": [family.name for family in families for _ in family.effective],
        "index": [index for family in families for index in range(len(family.effective))],
    }
    written, skipped = [], []
    for name in ("tensors.csv", "tensors.parquet", "demo.png"):
        path = folder / name
        try:
            if name == "demo.png":
                _draw(path, families)
            else:
                io.write_table(path, effective, columns)
        except io.MissingPackageError as error:
            skipped.append(f"{name}: {error}")
        else:
            written.append(path)
    return written, skipped


def _draw(path: Path, families: Sequence[demo.Family]) -> None:
    plot.picture_format(path)
    cells = [plot.solved_cell(family.name, family.example, family.phases) for family in families]
    populations = [(family.name, family.effective) for family in families]
    plot.save(path, cells, populations, unit=demo.UNIT)


def _show(families: Sequence[demo.Family], cases: Sequence[demo.ExactCase], rate: float) -> None:
    console = terminal.console()
    for family in families:
        phases = ", ".join(f"{phase:g}" for phase in family.phases)
        count = terminal.thousands(len(family.effective))
        size = f"{demo.SIZE}×{demo.SIZE}"
        console.print(f"[bold]{family.name}[/]: {count} cells of {size}, conductivities {phases}")
        console.print(terminal.statistics_table(family.effective), "")
    console.print("[bold]exact cases[/]: conductivities 1, 10")
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("", "computed", "exact", "difference"):
        table.add_column(name, justify="right" if name else "left", no_wrap=True)
    table.add_column("what remains", style="dim")
    for case in cases:
        numbers = f"{case.computed:.6f}", f"{case.exact:.6f}", f"{case.difference:+.1e}"
        table.add_row(case.name, *numbers, case.remark)
    console.print(table)
    threads = _threads.available()
    on = f"{threads} thread" + "s" * (threads > 1)
    console.print(f"\n[bold]{terminal.thousands(rate)} cells/s[/], homogenization alone, {on}")


def _report(
    families: Sequence[demo.Family],
    cases: Sequence[demo.ExactCase],
    rate: float,
    written: Sequence[Path],
) -> dict[str, Any]:
    return {
        "cells_per_second": rate,
        "families": [
            {
                "name": family.name,
                "phases": family.phases.tolist(),
                "count": len(family.effective),
                "statistics": terminal.statistics(family.effective),
            }
            for family in families
        ],
        "exact_cases": [{**asdict(case), "difference": case.difference} for case in cases],
        "written": [str(path) for path in written],
    }
