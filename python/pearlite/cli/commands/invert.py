"""The options of `pearlite invert`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pearlite.cli.app import AsJson, Quiet, app


@app.command()
def invert(
    measurements: Annotated[
        str | None,
        typer.Argument(
            metavar="[MEASUREMENTS]",
            help="CSV or Parquet, a row for each measurement: columns A11, A22, A12 (or A), and if "
            "there are any specimen, sigma, x, y. Units stand behind a name: A11 [W/(m K)].",
            show_default=False,
        ),
    ] = None,
    demo: Annotated[
        bool,
        typer.Option("--demo", help="Make data of known parameters instead, and find these again."),
    ] = False,
    model: Annotated[
        str,
        typer.Option(
            help="laguerre: periodic cells of one grain a material; mosaic: many random grains "
            "in a specimen; layers: A across layers of Dirichlet-distributed thickness."
        ),
    ] = "laguerre",
    materials: Annotated[int, typer.Option("--materials", "-k", min=2, help="Materials.")] = 3,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="JSON", help="Write the result.", show_default=False
        ),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(
            metavar="HTML",
            help="Write a page: estimates, data and model, the loss and the way of the parameters.",
            show_default=False,
        ),
    ] = None,
    metric: Annotated[
        str, typer.Option(help="Of laguerre: what grains compete by, additive or power.")
    ] = "additive",
    sites: Annotated[int, typer.Option(min=2, help="Of mosaic: grains in a specimen.")] = 500,
    size: Annotated[
        int | None,
        typer.Option(
            min=8,
            metavar="N",
            help="Pixels along a side of a cell; 64, of mosaic 128 by default.",
            show_default=False,
        ),
    ] = None,
    method: Annotated[
        str, typer.Option(help="levenberg-marquardt, or adam as in the literature.")
    ] = "levenberg-marquardt",
    restarts: Annotated[
        int | None,
        typer.Option(min=1, help="Starts; 5, of layers 10 by default.", show_default=False),
    ] = None,
    sigma: Annotated[
        str | None,
        typer.Option(
            metavar="S or unknown",
            help="Standard deviation of the measurements' errors, in the unit of the data, in the "
            "place of the table's; 'unknown' finds it as well.",
            show_default=False,
        ),
    ] = None,
    thin: Annotated[
        bool,
        typer.Option("--thin", help="Keep sites farther apart than the range of the variogram."),
    ] = False,
    unit: Annotated[
        str | None,
        typer.Option(
            help="Unit of the data, where the file does not state it.", show_default=False
        ),
    ] = None,
    level: Annotated[float, typer.Option(help="Probability of the intervals.")] = 0.9,
    seed: Annotated[int, typer.Option(min=0, help="Seed of all that is random.")] = 0,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Estimate what random microstructures are made of, from many measured conductivities.

    1000 tensors of three materials take about a minute of one core, layers seconds. Up to three
    times as long where no start comes near the data. The last line says whether the model fits.
    """
    from pearlite.cli import invert as command

    order = command.Order(
        model, materials, metric, sites, size, method, restarts, sigma, thin, unit, level, seed
    )
    return command.run(measurements, demo, order, output, report, as_json, quiet)
