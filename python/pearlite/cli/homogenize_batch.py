"""`pearlite homogenize` of sources that do not fit in memory, or that take long."""

from __future__ import annotations

from functools import partial

from pearlite.batch import homogenize
from pearlite.cli.homogenize import Order
from pearlite.cli.long_run import Run

ENDINGS = ".parquet, .csv, .zarr, .h5 or .npy"


def run(source: str, order: Order, where: Run, quiet: bool) -> int:
    """Do the whole command; return the exit code."""
    sizes = order.spacing
    start = partial(
        homogenize,
        source,
        phases=order.phases,
        dim=order.dim or 2,
        spacing=sizes[0] if sizes is not None and len(sizes) == 1 else sizes,
        rtol=order.rtol,
        threads=order.threads,
    )
    return where.go("homogenizing", start, "cells", quiet)
