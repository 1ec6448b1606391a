"""Appends what was measured to results.csv, with what is needed to judge it."""

import csv
import os
import platform
import subprocess
from datetime import UTC, datetime
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

FILE = Path(os.environ.get("PEARLITE_RESULTS", Path(__file__).with_name("results.csv")))
COLUMNS = (
    "run", "commit", "machine", "cores", "instruction_set", "python", "numpy", "scipy",
    "group", "solver", "version", "input", "shape", "phases", "contrast", "threads", "cells",
    "tolerance", "error", "ms_per_cell", "memory_mb",
)  # fmt: skip


def cpu_model():
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        found = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    except OSError:
        found = []
    return found[0] if found else platform.processor() or platform.machine()


def git(*arguments):
    here = Path(__file__).parent
    process = subprocess.run(
        ["git", *arguments], cwd=here, capture_output=True, text=True, check=False
    )
    return process.stdout.strip() if process.returncode == 0 else ""


def commit():
    """Short hash, with a plus when a measured file differs from it; empty outside a repository."""
    changed = git("status", "--porcelain", "--", "../cpp", "../python", "../CMakeLists.txt")
    return git("rev-parse", "--short", "HEAD") + ("+" if changed else "")


@lru_cache(maxsize=1)
def surroundings():
    """The columns that are the same for every row of a run."""
    from pearlite import _core

    return {
        "run": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "commit": commit(),
        "machine": cpu_model(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else "",
        "instruction_set": _core.instruction_set(),
        "python": platform.python_version(),
        "numpy": version("numpy"),
        "scipy": version("scipy"),
    }


def record(**row):
    """Append one row; numbers are rounded to what repeats."""
    unknown = set(row) - set(COLUMNS)
    if unknown:
        raise KeyError(f"not columns of results.csv: {sorted(unknown)}")
    values = surroundings() | row
    for name, digits in (("ms_per_cell", 4), ("error", 2), ("tolerance", 2), ("memory_mb", 3)):
        if isinstance(values.get(name), float):
            values[name] = f"{values[name]:.{digits}g}"
    new = not FILE.exists()
    with FILE.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="")
        if new:
            writer.writeheader()
        writer.writerow(values)
