"""The options of `pearlite info`."""

from __future__ import annotations

from typing import Annotated

import typer

from pearlite.cli.app import AsJson, app


@app.command()
def info(
    native: Annotated[
        bool,
        typer.Option("--native", help="Print where CMake finds the library for C and C++."),
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Versions, instruction set, threads, backends, and a self-test."""
    from pearlite.cli import info as command

    return command.run_native() if native else command.run(as_json)
