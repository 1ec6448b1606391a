"""The options of `pearlite homogenize`."""

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
def homogenize(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILES",
            help="Images: PNG, TIFF (a stack is a batch), .npy, file.npz:name, "
            "file.h5:/dataset, store.zarr:/array; volumes also .vti, .mha, .mhd, .nrrd, .raw.",
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
    threshold: Threshold = None,
    dim: Dim = None,
    shape: RawShape = None,
    dtype: RawDtype = None,
    spacing: Annotated[
        str | None,
        typer.Option(
            metavar="H or H1,H2[,H3]",
            help="Pixel sizes along the axes; the file's by default, or squares and cubes.",
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
            help="Draw the first cell, or sections through it, its fields, and the histogram of "
            "A11.",
            show_default=False,
        ),
    ] = None,
    fields: Annotated[
        Path | None,
        typer.Option(
            metavar="VTI",
            help="Write the gradient and the flux of a single image for ParaView.",
            show_default=False,
        ),
    ] = None,
    load: Annotated[
        int, typer.Option(min=0, max=2, help="With --fields: the axis of the mean gradient.")
    ] = 0,
    resume: Resume = False,
    workers: Workers = None,
    cluster: ClusterAddress = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Effective conductivity of periodic microstructures in image files.

    A folder, a store `-o OUT.zarr` or `.h5`, or one of --resume, --workers and --cluster stand for
    a long run: it goes through one source chunk by chunk, keeps what is done, and can be resumed.
    """
    from pearlite.cli import homogenize as command
    from pearlite.cli import homogenize_batch as batch
    from pearlite.cli import long_run, volumes

    order = command.parse_order(conductivity, dim, spacing, rtol, threads, bounds, load, threshold)
    run = long_run.Run(output, resume, workers, cluster)
    if run.wanted(files, only=(".zarr", ".h5")):
        source = long_run.one_source(volumes.raw_files(files, shape, dtype))
        others = {"--bounds": bounds, "--plot": plot, "--fields": fields, "--json": as_json}
        others["--threshold"] = threshold is not None
        run.check(others, batch.ENDINGS)
        return batch.run(source, order, run, quiet)
    targets = command.Targets(output, plot, fields)
    return command.run(volumes.raw_files(files, shape, dtype), order, targets, as_json, quiet)
