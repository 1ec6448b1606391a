"""The options of `pearlite generate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pearlite.cli.app import AsJson, ClusterAddress, Quiet, Resume, Threshold, Workers, app


@app.command()
def generate(
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="OUT",
            help="Write the images: .h5, .npy, .tif (a stack), or .png and .vti (a file each); of "
            "a long run .zarr, .h5 or .npy.",
            show_default=False,
        ),
    ],
    model: Annotated[
        Path | None,
        typer.Option(
            "--model",
            "-m",
            metavar="MODEL",
            help="What `pearlite train` wrote; by default the model that comes with pearlite.",
            show_default=False,
        ),
    ] = None,
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="Number of images.")] = 1,
    statistics: Annotated[
        str | None,
        typer.Option(
            metavar="IMAGE",
            help="Segmented image whose statistics they shall have: PNG, TIFF (a stack is "
            "several), .npy, file.npz:name, file.h5:/dataset; by default that of the training.",
            show_default=False,
        ),
    ] = None,
    volume_fraction: Annotated[
        str | None,
        typer.Option(
            metavar="F or F0,F1,…",
            help="Fraction of phase 1 of two, or of each phase; the statistics' by default.",
            show_default=False,
        ),
    ] = None,
    shape: Annotated[
        str | None,
        typer.Option(
            metavar="N or N0,N1",
            help="Pixels along the axes, 16 or more; the statistics' by default.",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the random numbers.")] = 0,
    method: Annotated[
        str, typer.Option(help="fast, or annealed: the paper's sampler, 14 times as many steps.")
    ] = "fast",
    evaluations: Annotated[
        int | None,
        typer.Option(
            min=2,
            metavar="K",
            help="Evaluations of the network; 40 by default, for annealed all noise levels.",
            show_default=False,
        ),
    ] = None,
    field: Annotated[
        bool,
        typer.Option(
            "--field/--no-field", help="Start from a Gaussian field, or from white noise."
        ),
    ] = True,
    conditioned: Annotated[
        bool, typer.Option("--conditioned/--free", help="Hold the volume fractions, or do not.")
    ] = True,
    periodic: Annotated[
        bool,
        typer.Option("--periodic/--open", help="Whether the image of --statistics repeats."),
    ] = True,
    threshold: Threshold = None,
    report: Annotated[
        Path | None,
        typer.Option(
            metavar="HTML",
            help="Write a page that compares the images with the reference.",
            show_default=False,
        ),
    ] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads; all cores by default.", show_default=False)
    ] = None,
    resume: Resume = False,
    workers: Workers = None,
    cluster: ClusterAddress = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Generate microstructures: a Gaussian field with given statistics, refined by a network.

    A store `-o OUT.zarr`, or one of --resume, --workers and --cluster stand for a long run: it
    makes more images than memory holds, chunk by chunk, keeps what is done, and can be resumed.
    """
    from pearlite.cli import generate as command
    from pearlite.cli import long_run

    order = command.parse_order(
        count, statistics, volume_fraction, shape, seed, method, evaluations, field, conditioned,
        periodic, threshold, threads,
    )  # fmt: skip
    run = long_run.Run(output, resume, workers, cluster)
    if run.wanted():
        run.check({"--report": report, "--json": as_json}, command.LONG_RUN_ENDINGS)
        return command.run_long(model, order, run, quiet)
    return command.run(model, order, output, report, as_json, quiet)
