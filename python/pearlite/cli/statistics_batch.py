"""`pearlite statistics` of sources that do not fit in memory, or that take long."""

from __future__ import annotations

from functools import partial
from typing import Any

from pearlite.batch import characterize, two_point
from pearlite.cli.app import UsageError
from pearlite.cli.long_run import Run
from pearlite.cli.statistics import Order

ENDINGS = ".parquet, .csv, .zarr, .h5 or .npy"


def run(source: str, order: Order, maps: bool, where: Run, quiet: bool) -> int:
    """Do the whole command, of maps or of numbers; return the exit code."""
    if order.phases is None:
        raise UsageError("a long run needs --phase LABEL, of each phase that matters")
    common: dict[str, Any] = {
        "phases": order.phases,
        "dim": order.dim or 2,
        "periodic": order.periodic,
        "threads": order.threads,
    }
    if maps:
        if order.spacing is not None:
            raise UsageError("--spacing does not go with --two-point, whose shifts are in pixels")
        return where.go("correlating", partial(two_point, source, **common), "images", quiet)
    sizes = order.spacing
    start = partial(
        characterize,
        source,
        **common,
        spacing=sizes[0] if sizes is not None and len(sizes) == 1 else sizes,
        connectivity=order.connectivity,
    )
    return where.go("characterizing", start, "images", quiet)
