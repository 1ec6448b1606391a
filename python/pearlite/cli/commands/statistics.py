"""The options of `pearlite statistics`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pearlite.cli.app import (
    AsJson,
    ClusterAddress,
    Dim,
    Quiet,
    RawDtype,
    RawShape,
    Resume,
    Threshold,
    Workers,
    app,
)


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
    threshold: Threshold = None,
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
            help="Write the table as .csv or .json, or everything, of one file, as .npz; of a long "
            "run .parquet, .csv, .zarr, .h5 or .npy.",
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
    two_point: Annotated[
        bool,
        typer.Option(
            "--two-point",
            help="Write the maps of the two-point correlations of the phases, in a long run.",
        ),
    ] = False,
    resume: Resume = False,
    workers: Workers = None,
    cluster: ClusterAddress = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Statistics of microstructures: fractions, correlations, chords, surfaces, percolation.

    A folder, a table or store that ends in .parquet, .zarr, .h5 or .npy, or one of --two-point,
    --resume, --workers and --cluster stand for a long run: it goes through one source chunk by
    chunk, keeps what is done, and can be resumed. It needs --phase.
    """
    from pearlite.cli import long_run, statistics_batch, volumes
    from pearlite.cli import statistics as command

    order = command.parse_order(phase, threshold, dim, periodic, spacing, connectivity, threads)
    run = long_run.Run(output, resume, workers, cluster)
    if two_point or run.wanted(files, only=(".zarr", ".parquet", ".h5", ".npy")):
        source = long_run.one_source(volumes.raw_files(files, shape, dtype))
        others = {"--threshold": threshold is not None, "--report": report, "--json": as_json}
        run.check(others, statistics_batch.ENDINGS)
        return statistics_batch.run(source, order, two_point, run, quiet)
    files = volumes.raw_files(files, shape, dtype)
    return command.run(files, order, output, report, as_json, quiet)
