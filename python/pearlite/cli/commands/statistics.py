"""The options of `pearlite statistics`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pearlite.cli.app import AsJson, Dim, Quiet, RawDtype, RawShape, app


@app.command()
def statistics(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILES",
            help="Images of labels: PNG, TIFF (a stack is a batch), .npy, file.npz:name, "
            "file.h5:/dataset, store.zarr:/array; volumes also .vti, .mha, .mhd, .nrrd, .raw.",
            show_default=False,
        ),
    ],
    phase: Annotated[
        list[int] | None,
        typer.Option(
            "--phase",
            "-p",
            metavar="LABEL",
            help="A grey value or label that matters; may be given again. All by default.",
            show_default=False,
        ),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            metavar="GREY",
            help="Make two phases of grey values: 1 above this one, 0 else.",
            show_default=False,
        ),
    ] = None,
    dim: Dim = None,
    shape: RawShape = None,
    dtype: RawDtype = None,
    periodic: Annotated[
        bool, typer.Option("--periodic/--open", help="Whether the images repeat.")
    ] = True,
    spacing: Annotated[
        str | None,
        typer.Option(
            metavar="H or H1,H2[,H3]",
            help="Pixel sizes along the axes; the file's by default, or lengths are in pixels.",
            show_default=False,
        ),
    ] = None,
    connectivity: Annotated[
        str, typer.Option(help="What connects pixels: faces, edges or corners.")
    ] = "faces",
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads; all cores by default.", show_default=False)
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="OUT",
            help="Write the table as .csv or .json, or everything, of one file, as .npz.",
            show_default=False,
        ),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(
            metavar="HTML",
            help="Write a page with pictures and curves, of one file.",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Statistics of microstructures: fractions, correlations, chords, surfaces, percolation."""
    from pearlite.cli import statistics as command
    from pearlite.cli import volumes

    order = command.parse_order(phase, threshold, dim, periodic, spacing, connectivity, threads)
    files = volumes.raw_files(files, shape, dtype)
    return command.run(files, order, output, report, as_json, quiet)
