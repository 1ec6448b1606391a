"""The page on performance is made from what was measured: tables and plots of `benchmarks/`."""

import subprocess
import sys
from pathlib import Path

from sphinx.application import Sphinx

DOCS = Path(__file__).parents[1]
BENCHMARKS = DOCS.parent / "benchmarks"
FOLDER = DOCS / "generated" / "measured"


def _run(script: str, *arguments: str) -> str:
    command = [sys.executable, str(BENCHMARKS / script), *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def make(_app: Sphinx) -> None:
    """Write the tables of the latest run and draw the plots."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "tables.md").write_text(_run("report.py"), encoding="utf-8")
    _run("plots.py", str(FOLDER))


def setup(app: Sphinx) -> dict[str, bool]:
    """Register it."""
    app.connect("builder-inited", make)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
