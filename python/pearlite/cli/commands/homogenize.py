"""The options of `pearlite homogenize`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pearlite.cli.app import AsJson, Quiet, app


@app.command()
def homogenize(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILES",
            help="Images: PNG, TIFF (a stack is a batch), .npy, file.npz:name, "
            "file.h5:/dataset, store.zarr:/array.",
            show_default=False,
        ),
    ],
    conductivity: Annotated[
        str | None,
        typer.Option(
            "--conductivity",
            "-c",
            metavar="MAP",
            help="Conductivities of the grey values or labels: '1,10' in increasing order of "
            "value, '0=1,255=10', or a .json file with scalars or tensors. "
            "Without it, floating-point images hold the conductivities themselves.",
            show_default=False,
        ),
    ] = None,
    spacing: Annotated[
        str | None,
        typer.Option(
            metavar="H or H1,H2",
            help="Pixel sizes along the axes; square by default.",
            show_default=False,
        ),
    ] = None,
    rtol: Annotated[float, typer.Option(help="Relative error of a tensor.")] = 1e-6,
    bounds: Annotated[
        bool,
        typer.Option(
            "--bounds",
            help="Give each entry with its guaranteed error, ±, from two-sided bounds of what the "
            "pixels conduct.",
        ),
    ] = False,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads; all cores by default.", show_default=False)
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="OUT",
            help="Write a table: .csv, .parquet, .json, or .npy (tensors; with --bounds two "
            "arrays of them, values and errors).",
            show_default=False,
        ),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            metavar="PNG",
            help="Draw the first cell, its fields, and the histogram of A11.",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Effective conductivity of periodic microstructures in image files."""
    from pearlite.cli import homogenize as command

    order = command.parse_order(conductivity, spacing, rtol, threads, bounds)
    return command.run(files, order, output, plot, as_json, quiet)
