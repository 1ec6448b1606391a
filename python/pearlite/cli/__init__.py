"""The command line `pearlite`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

DONE, FAILED, WRONG_USAGE, INTERRUPTED = 0, 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with 0 (done), 1 (failed) or 2 (wrong usage)."""
    # Everything is imported in here, so that even an early Ctrl-C ends in one line.
    try:
        from pearlite.cli.app import run

        code = run(arguments)
    except KeyboardInterrupt:
        code = INTERRUPTED
    if code == INTERRUPTED:
        print("pearlite: interrupted", file=sys.stderr)
    sys.exit(code)
