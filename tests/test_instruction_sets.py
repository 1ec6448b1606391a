"""Every compiled instruction set gives the same results; PEARLITE_ISA picks one."""

import os
import subprocess
import sys

import numpy as np
import pytest
from reference import corrector as reference
from reference import microstructures

INSTRUCTION_SETS = ["base", "x86-64-v3", "x86-64-v4"]

SCRIPT = """
import sys
import numpy as np
import pearlite as pl
from pearlite import _core

source, target = sys.argv[1:]
with np.load(source) as cells:
    results = {
        f"{name}_{dtype}": pl.homogenize(
            field.astype(dtype), tensor=name.startswith("tensor"), rtol=rtol
        )
        for name, field in cells.items()
        for dtype, rtol in (("float32", 1e-6), ("float64", 1e-10))
    }
np.savez(target, **results)
print(_core.instruction_set())
"""


@pytest.fixture(scope="module")
def cells():
    """Small and large cells, odd and even, scalar and tensor: every layout of the kernel."""
    rng = np.random.default_rng(2)
    fields = {}
    for count, shape in ((20, (32, 32)), (9, (31, 45)), (1, (64, 64)), (2, (130, 129))):
        labels = np.stack([microstructures.voronoi(rng, shape, 4) for _ in range(count)])
        values = microstructures.phase_values(rng, 4, 1000).astype(np.float32)
        fields[f"scalar_{count}"] = values[labels].astype(np.float64)
        tensors = microstructures.phase_tensors(rng, 4, 100).astype(np.float32)
        fields[f"tensor_{count}"] = tensors[labels].astype(np.float64)
    return fields


@pytest.fixture(scope="module")
def exact(cells):
    return {
        name: np.stack([reference.homogenize(cell) for cell in field])
        for name, field in cells.items()
    }


@pytest.mark.parametrize("name", INSTRUCTION_SETS)
def test_instruction_set(name, cells, exact, tmp_path):
    source, target = tmp_path / "cells.npz", tmp_path / "results.npz"
    np.savez(source, **cells)
    process = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(source), str(target)],
        env={**os.environ, "PEARLITE_ISA": name},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    used = process.stdout.strip()
    if used != name:
        pytest.skip(f"this processor has no {name}: it ran {used}")
    with np.load(target) as results:
        for cell, expected in exact.items():
            for dtype, rtol in (("float32", 1e-6), ("float64", 1e-9)):
                error = np.linalg.norm(results[f"{cell}_{dtype}"] - expected, axis=(1, 2))
                assert np.max(error / np.linalg.norm(expected, axis=(1, 2))) < rtol


def test_an_unknown_instruction_set_is_named():
    process = subprocess.run(
        [sys.executable, "-c", "import pearlite._core as c; print(c.instruction_set())"],
        env={**os.environ, "PEARLITE_ISA": "x86-64-v9"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    # Either an error that names it, or the processor's own choice: never a crash.
    assert process.returncode in (0, 1)
    assert "x86-64-v9" in process.stderr or process.stdout.strip() in INSTRUCTION_SETS
