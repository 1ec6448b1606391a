"""The application: what all commands share, and how one runs."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from pearlite.cli import DONE, FAILED, WRONG_USAGE

app = typer.Typer(
    name="pearlite",
    help="Fast batched kernels for microstructures.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",  # which joins the lines of a paragraph
    context_settings={"help_option_names": ["-h", "--help"]},
)

AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]
Dim = Annotated[
    int | None,
    typer.Option(
        min=2,
        max=3,
        help="Axes of an image: 3 for volumes; by default what the file says, or 2.",
        show_default=False,
    ),
]
RawShape = Annotated[
    str | None,
    typer.Option(
        "--shape",
        metavar="N0,N1[,N2]",
        help="Shape of a .raw file, the axis that counts fastest last.",
        show_default=False,
    ),
]
RawDtype = Annotated[
    str | None,
    typer.Option(
        "--dtype",
        metavar="TYPE",
        help="Numbers of a .raw file: uint8, uint16, >u2 (higher byte first), float32 …",
        show_default=False,
    ),
]
Threshold = Annotated[
    float | None,
    typer.Option(
        metavar="GREY",
        help="Make two phases of grey values: 0 below this one, 1 from it on.",
        show_default=False,
    ),
]
Resume = Annotated[
    bool, typer.Option("--resume", help="Go on with a long run that was interrupted.")
]
Workers = Annotated[
    int | None,
    typer.Option(min=1, help="Processes of this machine (dask).", show_default=False),
]
ClusterAddress = Annotated[
    str | None,
    typer.Option("--cluster", metavar="ADDRESS", help="Of a dask scheduler.", show_default=False),
]


class UsageError(Exception):
    """Arguments that make no sense, to be mended on the command line."""


def run(arguments: Sequence[str] | None) -> int:
    """Run one command line and return the exit code; errors become one line on stderr."""
    from pearlite.cli import commands  # noqa: F401 (they add themselves to the application)

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
