"""The options of `pearlite info`."""

from __future__ import annotations

from pearlite.cli.app import AsJson, app


@app.command()
def info(as_json: AsJson = False) -> int:
    """Versions, instruction set, threads, backends, and a self-test."""
    from pearlite.cli import info as command

    return command.run(as_json)
