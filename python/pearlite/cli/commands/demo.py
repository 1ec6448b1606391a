"""The options of `pearlite demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pearlite.cli.app import AsJson, Quiet, app


@app.command()
def demo(
    count: Annotated[int, typer.Option(min=2, help="Number of microstructures.")] = 2000,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FOLDER", help="Where the files go.")
    ] = Path("pearlite-demo"),
    seed: Annotated[int, typer.Option(min=0, help="Seed of the microstructures.")] = 0,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Homogenize random two- and five-phase microstructures; write tables and a picture."""
    from pearlite.cli import demo as command

    return command.run(count, output, seed, as_json, quiet)
