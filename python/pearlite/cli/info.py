"""`pearlite info`: what this installation is and whether it works."""

from __future__ import annotations

import json
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from pearlite import __version__, _core, _threads, microstructures
from pearlite.cli import DONE, FAILED, terminal
from pearlite.cli.app import fail
from pearlite.corrector import homogenize

# Packages by what they are for; the module is found, not imported.
_OPTIONAL = {
    "torch": "torch",
    "cupy": "CUDA",
    "PIL": "PNG",
    "tifffile": "TIFF",
    "h5py": "HDF5",
    "zarr": "zarr",
    "pyarrow": "Parquet",
    "matplotlib": "pictures",
}
_DISTRIBUTIONS = {"PIL": ["Pillow"], "cupy": ["cupy-cuda12x", "cupy-cuda13x", "cupy"]}


def run(as_json: bool) -> int:
    """Show everything; fail if the self-test does."""
    facts: dict[str, Any] = {
        "pearlite": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": version("scipy"),
        "system": f"{platform.system()} {platform.machine()}",
        "instruction_set": _core.instruction_set(),
        "threads": _threads.available(),
        "cores": os.cpu_count(),
        "packages": {module: _version(module) for module in _OPTIONAL},
        "self_test": _self_test(),
    }
    passed = facts["self_test"]["passed"]
    if as_json:
        print(json.dumps(facts, indent=1))
    else:
        terminal.console().print(_table(facts))
    return DONE if passed else FAILED


def run_native() -> int:
    """Print the folder for CMAKE_PREFIX_PATH: headers, the static library and its CMake package."""
    folder = Path(_core.__file__).parent / "native"
    if not folder.is_dir():
        return fail(f"{folder} is not there; install the package to have it", FAILED)
    print(folder)
    return DONE


def _version(module: str) -> str | None:
    """Version of an optional package, or None where it cannot be imported."""
    if find_spec(module) is None:
        return None
    for distribution in _DISTRIBUTIONS.get(module, [module]):
        try:
            return version(distribution)
        except PackageNotFoundError:
            continue
    return "unknown"


def _self_test() -> dict[str, Any]:
    """Homogenize layers of conductivity 1 and 10 and compare with the exact means."""
    effective = homogenize(microstructures.laminate((32, 32)), phases=[1.0, 10.0])
    exact = np.diag([2 / (1 + 1 / 10), (1 + 10) / 2])
    error = float(np.linalg.norm(effective - exact) / np.linalg.norm(exact))
    return {
        "computed": effective.tolist(),
        "exact": exact.tolist(),
        "relative_error": error,
        "passed": bool(error <= 1e-6),
    }


def _table(facts: dict[str, Any]) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    for name in ("pearlite", "python", "numpy", "scipy", "system"):
        table.add_row(name, str(facts[name]))
    table.add_row("instruction set", facts["instruction_set"])
    table.add_row("threads", f"{facts['threads']} of {facts['cores']} cores")
    for module, found in facts["packages"].items():
        table.add_row(module, found or "[dim]not installed[/]", f"[dim]{_OPTIONAL[module]}[/]")
    test = facts["self_test"]
    verdict = "[green]passed[/]" if test["passed"] else "[bold red]FAILED[/]"
    table.add_row("self-test", verdict, f"layers: relative error {test['relative_error']:.1e}")
    return table
