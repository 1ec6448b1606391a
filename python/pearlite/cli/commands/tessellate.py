"""The options of `pearlite tessellate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pearlite.cli.app import AsJson, Quiet, app


@app.command()
def tessellate(
    seeds: Annotated[
        Path | None,
        typer.Argument(
            metavar="[SEEDS.csv]",
            help="Table of seeds: columns x, y[, z] in [0, 1), and weight (or w) or volume.",
            show_default=False,
        ),
    ] = None,
    cells: Annotated[
        int | None,
        typer.Option(min=1, help="Number of cells, at random sites.", show_default=False),
    ] = None,
    shape: Annotated[
        str, typer.Option(metavar="N0,N1[,N2]", help="Pixels along the axes, x first.")
    ] = "256,256",
    seed: Annotated[int, typer.Option(min=0, help="Seed of the random sites and volumes.")] = 0,
    volumes: Annotated[
        str | None,
        typer.Option(
            metavar="DISTRIBUTION",
            help="Volumes of random cells: 'equal', or 'lognormal:S' with S the standard deviation "
            "of the logarithm; as they come by default.",
            show_default=False,
        ),
    ] = None,
    lloyd: Annotated[
        int, typer.Option(min=0, help="Moves of the sites to the centroids of their cells.")
    ] = 0,
    metric: Annotated[
        str,
        typer.Option(help="'power' (Laguerre; Voronoi without weights), or 'additive'."),
    ] = "power",
    periodic: Annotated[
        bool, typer.Option("--periodic/--box", help="Torus, or box with walls.")
    ] = True,
    spacing: Annotated[
        str | None,
        typer.Option(
            metavar="H or H0,H1[,H2]",
            help="Pixel sizes along the axes for files and tables; a unit cell by default.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        list[Path] | None,
        typer.Option(
            "--output",
            "-o",
            metavar="OUT",
            help="Write the labels: .npy, .png (2D), .tif (a stack), .vti (ParaView), .h5, .tesr "
            "(Neper). Can be given several times.",
            show_default=False,
        ),
    ] = None,
    table: Annotated[
        Path | None,
        typer.Option(
            metavar="TABLE",
            help="Write seeds, volumes, centroids, neighbours and faces of the cells: .csv (which "
            "can be read again), .parquet or .json.",
            show_default=False,
        ),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            metavar="PNG",
            help="Draw the cells (in 3D three sections) and the histogram of their volumes.",
            show_default=False,
        ),
    ] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads; all cores by default.", show_default=False)
    ] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Divide a periodic cell of pixels among seeds: Voronoi, Laguerre and Johnson-Mehl cells."""
    from pearlite.cli import tessellate as command

    order = command.parse_order(shape, volumes, lloyd, metric, periodic, spacing, seed, threads)
    targets = command.Targets(tuple(output or ()), table, plot)
    return command.run(seeds, cells, order, targets, as_json, quiet)
