"""`pearlite homogenize` of sources that do not fit in memory, or that take long."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pearlite.batch import Report, homogenize
from pearlite.cli import DONE, FAILED, terminal
from pearlite.cli.app import UsageError, fail
from pearlite.cli.homogenize import Order

_SHOWN = 5  # failures


@dataclass(frozen=True)
class Run:
    """Where a long run writes, and who works on it."""

    output: Path | None
    resume: bool
    workers: int | None
    cluster: str | None

    def wanted(self, files: Sequence[str]) -> bool:
        """Tell whether the command line asks for a long run."""
        folder = any(os.path.isdir(f) and not f.rstrip("/").endswith(".zarr") for f in files)
        zarr = self.output is not None and self.output.suffix.lower() == ".zarr"
        return folder or zarr or self.resume or self.workers is not None or bool(self.cluster)

    def check(self, files: Sequence[str], others: Mapping[str, object]) -> None:
        """Refuse what a long run does not do."""
        if len(files) != 1:
            raise UsageError(f"a long run goes through one source, and there are {len(files)}")
        if self.output is None:
            raise UsageError("a long run needs -o OUT: .parquet, .csv, .zarr or .npy")
        for option, value in others.items():
            if value:
                raise UsageError(f"{option} does not go with a long run")
        if self.workers is not None and self.cluster is not None:
            raise UsageError("--workers and --cluster: give one of them")


def run(source: str, order: Order, where: Run, quiet: bool) -> int:
    """Do the whole command; return the exit code."""
    assert where.output is not None, "check() comes first"
    sizes = order.spacing
    try:
        with terminal.counted("homogenizing", not quiet) as progress:
            report = homogenize(
                source,
                where.output,
                phases=order.phases,
                dim=order.dim or 2,
                spacing=sizes[0] if sizes is not None and len(sizes) == 1 else sizes,
                rtol=order.rtol,
                threads=order.threads,
                workers=where.workers,
                cluster=where.cluster,
                resume=where.resume,
                progress=progress,
            )
    except KeyboardInterrupt:
        parts = f"{where.output}.parts"
        if os.path.isdir(parts):
            print(f"pearlite: what is done is in {parts}; go on with --resume", file=sys.stderr)
        raise
    if not quiet:
        _show(report)
    if report.failed:
        first = report.failures[0]
        many = f"{report.failed} of {report.count} cells have no result"
        return fail(f"{many}; the first is {first.index}: {first.reason}", FAILED)
    return DONE


def _show(report: Report) -> None:
    """Print the speed, the first failures, and what was written."""
    console = terminal.console()
    fresh = report.count - report.resumed
    rate = terminal.thousands(fresh / report.seconds)
    before = f", {terminal.thousands(report.resumed)} of them before" if report.resumed else ""
    console.print(
        f"{terminal.thousands(report.count)} cells{before}, in {report.seconds:.3g} s "
        f"({rate} cells/s)"
    )
    for failure in report.failures[:_SHOWN]:
        console.print(f"cell {failure.index}: {failure.reason}", style="red", markup=False)
    if report.failed > _SHOWN:
        console.print(f"… {terminal.thousands(report.failed - _SHOWN)} more", style="dim")
    console.print(f"wrote {report.target}", soft_wrap=True, markup=False)
