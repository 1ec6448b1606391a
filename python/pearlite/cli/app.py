"""The commands and their options; what they do is imported only when one runs."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from pearlite.cli import DONE, FAILED, WRONG_USAGE

app = typer.Typer(
    name="pearlite",
    help="Fast batched kernels for microstructures.",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]


class UsageError(Exception):
    """Arguments that make no sense, to be mended on the command line."""


def run(arguments: Sequence[str] | None) -> int:
    """Run one command line and return the exit code; errors become one line on stderr."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # an old terminal may lack the ² or ×
    try:
        code = app(args=arguments, prog_name="pearlite", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else DONE
    except BrokenPipeError:
        # The reader of our output has gone, as `head` does; Python shall not complain at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except UsageError as error:
        return fail(str(error), WRONG_USAGE)
    except (ValueError, OSError, MemoryError) as error:
        return fail(str(error) or "not enough memory", FAILED)
    except Exception as error:
        # Typer's own errors derive from different classes in different versions.
        if hasattr(error, "format_message"):
            return fail(error.format_message(), WRONG_USAGE)
        raise


def fail(message: str, code: int) -> int:
    """Print one line of error and return the code."""
    print("pearlite: error:", " ".join(message.split()), file=sys.stderr)
    return code


def _print_version(wanted: bool) -> None:
    if wanted:
        from pearlite import __version__

        print(f"pearlite {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def options(
    context: typer.Context,
    _version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Fast batched kernels for microstructures."""
    if context.invoked_subcommand is None:
        print(context.get_help())
        raise typer.Exit(WRONG_USAGE)


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


@app.command()
def info(as_json: AsJson = False) -> int:
    """Versions, instruction set, threads, backends, and a self-test."""
    from pearlite.cli import info as command

    return command.run(as_json)
