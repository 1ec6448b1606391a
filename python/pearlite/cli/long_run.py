"""Long runs on the command line: sources that do not fit in memory, or that take long."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pearlite.batch import Report
from pearlite.cli import DONE, FAILED, terminal
from pearlite.cli.app import UsageError, fail

_SHOWN = 5  # failures


@dataclass(frozen=True)
class Run:
    """Where a long run writes, and who works on it."""

    output: Path | None
    resume: bool
    workers: int | None
    cluster: str | None

    def wanted(self, files: Sequence[str] = (), only: Collection[str] = (".zarr",)) -> bool:
        """Tell whether a long run is asked for; `only` has the endings that no other one writes."""
        folder = any(os.path.isdir(f) and not f.rstrip("/").endswith(".zarr") for f in files)
        store = self.output is not None and self.output.suffix.lower() in only
        return folder or store or self.resume or self.workers is not None or bool(self.cluster)

    def check(self, others: Mapping[str, object], endings: str) -> None:
        """Refuse what a long run does not do."""
        if self.output is None:
            raise UsageError(f"a long run needs -o OUT: {endings}")
        for option, value in others.items():
            if value:
                raise UsageError(f"{option} does not go with a long run")
        if self.workers is not None and self.cluster is not None:
            raise UsageError("--workers and --cluster: give one of them")

    def go(self, what: str, start: Callable[..., Report], cells: str, quiet: bool) -> int:
        """Run to the end, and tell; return the exit code.

        start: takes `target` and the options that all functions of `pearlite.batch` have
        """
        assert self.output is not None, "check() comes first"
        options: dict[str, Any] = {
            "target": self.output,
            "workers": self.workers,
            "cluster": self.cluster,
            "resume": self.resume,
        }
        try:
            with terminal.counted(what, not quiet) as progress:
                report = start(**options, progress=progress)
        except KeyboardInterrupt:
            parts = f"{self.output}.parts"
            if os.path.isdir(parts):
                print(f"pearlite: what is done is in {parts}; go on with --resume", file=sys.stderr)
            raise
        if not quiet:
            _show(report, cells)
        if report.failed:
            first = report.failures[0]
            many = f"{report.failed} of {report.count} {cells} have no result"
            return fail(f"{many}; the first is {first.index}: {first.reason}", FAILED)
        return DONE


def one_source(files: Sequence[str]) -> str:
    """Return the one source of a long run, or raise."""
    if len(files) != 1:
        raise UsageError(f"a long run goes through one source, and there are {len(files)}")
    return files[0]


def _show(report: Report, cells: str) -> None:
    """Print the speed, the first failures, and what was written."""
    console = terminal.console()
    fresh = report.count - report.resumed
    rate = terminal.thousands(fresh / report.seconds)
    before = f", {terminal.thousands(report.resumed)} of them before" if report.resumed else ""
    console.print(
        f"{terminal.thousands(report.count)} {cells}{before}, in {report.seconds:.3g} s "
        f"({rate} {cells}/s)"
    )
    for failure in report.failures[:_SHOWN]:
        reason = f"{cells.removesuffix('s')} {failure.index}: {failure.reason}"
        console.print(reason, style="red", markup=False)
    if report.failed > _SHOWN:
        console.print(f"… {terminal.thousands(report.failed - _SHOWN)} more", style="dim")
    console.print(f"wrote {report.target}", soft_wrap=True, markup=False)
