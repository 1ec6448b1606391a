"""What only a card can show, in one run: parity, derivatives and times, in one report.

``make gpu-check`` runs it on the card that cupy finds, and writes gpu-report.json. Times are
medians of events in a warm loop whose inputs rotate through more than the second cache holds. They
stand beside the bytes that an operation must move at the speed of a plain copy, and its
multiply-adds at that of a product of matrices, both on the same card in the same run; and beside
the same operation composed of cupy's own.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from benchmarks.gpu_cases import TYPES, Case, cases

import pearlite as pl
from pearlite import _cuda


def error_of(case: Case, cupy: Any) -> float:
    """Return the largest error of the card, relative to the largest entry of the CPU's result."""
    got = case.call(**{k: cupy.asarray(v) for k, v in case.arrays.items()})
    wanted = case.call(**{k: v.copy() for k, v in case.arrays.items()})
    pairs = zip(*(r if isinstance(r, tuple) else (r,) for r in (got, wanted)), strict=True)
    worst = 0.0
    for mine, theirs in pairs:
        scale = max(float(np.abs(theirs).max()), 1e-300) if case.bound else 1.0
        difference = mine.get().astype(np.float64) - np.asarray(theirs, np.float64)
        worst = max(worst, float(np.abs(difference).max()) / scale)
    return worst


def time_of(work: Callable[..., Any], turns: list[tuple[Any, ...]], cupy: Any, runs: int) -> float:
    """Return the median of the milliseconds of a call, warm, with inputs that rotate."""
    for arguments in turns:
        work(*arguments)
    times = []
    for k in range(runs):
        begin, end = cupy.cuda.Event(), cupy.cuda.Event()
        begin.record()
        work(*turns[k % len(turns)])
        end.record()
        end.synchronize()
        times.append(cupy.cuda.get_elapsed_time(begin, end))
    return statistics.median(times)


def copy_speed(cupy: Any, small: bool, runs: int) -> float:
    """Return the bytes a millisecond that a copy reads and writes."""
    size = 2**12 if small else 2**28
    source = cupy.zeros(size, np.float32)
    return 8 * size / time_of(lambda a: a.copy(), [(source,)], cupy, runs)


def product_speed(cupy: Any, dtype: Any, small: bool, runs: int) -> float:
    """Return the multiply-adds a millisecond of a product of matrices."""
    size = 32 if small else 4096
    factor = cupy.zeros((size, size), dtype)
    return size**3 / time_of(cupy.matmul, [(factor, factor)], cupy, runs)


def timings(case: Case, cupy: Any, small: bool, runs: int) -> dict[str, float]:
    """Return times beside the floor and the composition of cupy's operations."""
    each = sum(a.nbytes for a in case.arrays.values())
    count = 2 if small else max(2, min(16, -(-2 * 64 * 2**20 // each)))
    turns = [tuple(cupy.asarray(a) for a in case.arrays.values()) for _ in range(count)]
    found = {"pearlite": time_of(case.call, turns, cupy, runs)}
    if case.graphs:
        with mock.patch.dict(os.environ, {"PEARLITE_CUDA_GRAPHS": "0"}):
            found["one by one"] = time_of(case.call, turns, cupy, runs)
    if case.baseline is not None:
        baseline = case.baseline
        found["cupy"] = time_of(lambda *a: baseline(cupy, *a), turns, cupy, runs)
    return found


def derivatives() -> str:
    """Hold gradients of tensors on the card against differences."""
    try:
        import torch
    except ImportError:
        return "skipped: torch is not installed"
    device = "cpu" if _cuda.emulated() else "cuda"
    if device == "cuda" and not torch.cuda.is_available():
        return "skipped: torch sees no card"
    generator = torch.Generator().manual_seed(0)

    def leaf(*shape: int) -> Any:
        made = torch.rand(*shape, generator=generator, dtype=torch.float64)
        return made.to(device).requires_grad_()

    def relaxed(sites: Any, values: Any) -> Any:
        return pl.laguerre.relax(sites, None, values, shape=(5, 6), epsilon=0.05)

    check = torch.autograd.gradcheck
    check(relaxed, (leaf(4, 2), leaf(4)), fast_mode=True, nondet_tol=1e-12)
    check(pl.correlation.two_point, (leaf(4, 5), leaf(4, 5)), fast_mode=True)
    target = pl.correlation.bispectrum(leaf(4, 5).detach())
    check(lambda u: pl.correlation.bispectrum_loss(u, target), (leaf(4, 5),), fast_mode=True)
    check(lambda u: pl.correlation.descriptor(u, radius=1).gram, (leaf(4, 5),), fast_mode=True)
    return "passed"


def report(small: bool, runs: int) -> dict[str, Any]:
    """Run everything."""
    cupy = _cuda.library()
    speed = copy_speed(cupy, small, runs)
    products = {np.dtype(kind).name: product_speed(cupy, kind, small, runs) for kind in TYPES}
    rows = []
    for case in cases(small):
        first = next(iter(case.arrays.values()))
        rate = products.get(first.dtype.name, products["float32"])
        error = error_of(case, cupy)
        rows.append(
            {
                "operation": case.name,
                "dtype": first.dtype.name,
                "shape": [a.shape for a in case.arrays.values()],
                "error": error,
                "passed": error <= case.bound,
                "milliseconds": timings(case, cupy, small, runs),
                "floor": max(case.moved / speed, case.work / rate),
            }
        )
    return {
        "device": "emulated" if _cuda.emulated() else _device_name(cupy),
        "pearlite": pl.__version__,
        "cupy": cupy.__version__,
        "copy_gigabytes_a_second": speed / 1e6,
        "product_gigaoperations_a_second": {kind: v / 1e6 for kind, v in products.items()},
        "gradients": derivatives(),
        "rows": rows,
    }


def _device_name(cupy: Any) -> str:
    return str(cupy.cuda.runtime.getDeviceProperties(0)["name"].decode())


def main(arguments: list[str] | None = None) -> int:
    """Write the report; tell what failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="sizes for an emulated card")
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--output", type=Path, default=Path("gpu-report.json"))
    options = parser.parse_args(arguments)
    if not _cuda.emulated():
        try:
            count = _cuda.library().cuda.runtime.getDeviceCount()
        except Exception as error:
            print(f"no card: {error}", file=sys.stderr)
            return 2
        print(f"{count} card(s)")
    found = report(options.small, options.runs)
    fresh = options.output.with_name(options.output.name + ".part")
    fresh.write_text(json.dumps(found, indent=1) + "\n")
    fresh.replace(options.output)
    print(f"{found['device']}: a copy moves {found['copy_gigabytes_a_second']:.0f} GB/s")
    for row in found["rows"]:
        times = ", ".join(f"{k} {v:.3f} ms" for k, v in row["milliseconds"].items())
        verdict = "passed" if row["passed"] else "FAILED"
        print(
            f"{row['operation']:24}{row['dtype']:9}{verdict}  error {row['error']:.1e}  "
            f"{times}, floor {row['floor']:.3f} ms"
        )
    print(f"gradients: {found['gradients']}; written to {options.output}")
    return 0 if all(row["passed"] for row in found["rows"]) else 1


if __name__ == "__main__":
    sys.exit(main())
