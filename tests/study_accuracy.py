"""Validation study: the error of A* on fresh random cells, against the exact discrete solution.

    python tests/study_accuracy.py --cells 10000 --seed 1 --csv accuracy.csv

Every cell is solved at the default rtol as a float32 field, a float64 field and labels. Cells of at
most 100² pixels are compared with a sparse direct solver; larger ones with pearlite at rtol=1e-10,
after that setting was compared with the direct solver on all smaller cells and on an eighth of the
larger ones (the first of each batch).
"""

import argparse
import csv
import itertools
import multiprocessing
import sys
from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from reference import corrector as reference
from reference import microstructures

import pearlite as pl

FAMILIES = (*microstructures.GEOMETRIES, "lognormal", "tensors")
CONTRASTS = ("1-1e4", 10, 100, 1e3, 1e4)
SIZES = (16, 17, 20, 24, 31, 32, 33, 48, 53, 64, 67, 80, 97, 100,
         101, 127, 128, 129, 150, 192, 193, 251, 256)  # fmt: skip
DIRECT = 100**2  # largest cell that the direct solver gets
COLUMNS = ("family", "contrast", "input", "cells", "worst", "median", "above_rtol",
           "not_converged", "iterations")  # fmt: skip


@dataclass
class Batch:
    """Cells of one shape: labels (B, n0, n1) and phases (B, P[, 2, 2]), or fields alone."""

    family: str
    contrast: str
    fields: np.ndarray  # (B, n0, n1[, 2, 2]) float64 with float32 values
    labels: np.ndarray | None
    phases: np.ndarray | None
    spacing: tuple[float, float]  # of the pixels; a quarter of the batches has oblong ones

    @property
    def tensor(self):
        return self.family == "tensors"


def draw_labels(rng, family, shape):
    """-> labels and their number; half of the cells have two phases."""
    if family == "tensors":
        family = str(rng.choice(["voronoi", "random_pixels", "laminate"], p=[0.7, 0.2, 0.1]))
    count = 2 if rng.random() < 0.5 else int(rng.integers(3, 21))
    return microstructures.GEOMETRIES[family](rng, shape, count), count


def draw_cell(rng, family, contrast, shape):
    """-> field, labels, phases (20 of them, the last ones unused)."""
    if family == "lognormal":
        return microstructures.lognormal(rng, shape, contrast).astype(np.float32), None, None
    labels, count = draw_labels(rng, family, shape)
    draw = microstructures.phase_tensors if family == "tensors" else microstructures.phase_values
    # float32 values, so that the three inputs are the same problem exactly.
    phases = draw(rng, count, contrast).astype(np.float32)
    phases = np.concatenate([phases, np.repeat(phases[-1:], 20 - count, axis=0)])
    return phases[labels], labels, phases


def draw_batch(seed, index, sizes, count):
    """The same for a seed and index, whatever the number of processes."""
    rng = np.random.default_rng([seed, index])
    family = FAMILIES[index % len(FAMILIES)]
    label = CONTRASTS[index // len(FAMILIES) % len(CONTRASTS)]
    shape = tuple(int(n) for n in rng.choice(sizes, 2))
    if rng.random() < 0.5:
        shape = (shape[0], shape[0])
    cells = []
    for _ in range(count):
        contrast = 10 ** rng.uniform(0, 4) if label == "1-1e4" else label
        cells.append(draw_cell(rng, family, contrast, shape))
    spacing = (1.0, float(4 ** rng.uniform(-1, 1)) if rng.random() < 0.25 else 1.0)
    fields, labels, phases = zip(*cells, strict=True)
    fields = np.stack(fields).astype(np.float64)
    contrast = label if isinstance(label, str) else f"{label:g}"
    if family == "lognormal":
        return Batch(family, contrast, fields, None, None, spacing)
    labels = np.stack(labels).astype(np.uint8)
    return Batch(family, contrast, fields, labels, np.stack(phases), spacing)


def relative_error(effective, exact):
    """Frobenius, NaN where the solver gave up."""
    return np.linalg.norm(effective - exact, axis=(1, 2)) / np.linalg.norm(exact, axis=(1, 2))


def exact_tensors(batch):
    """-> exact (B, 2, 2) and the error of rtol=1e-10 where the direct solver says so."""
    options = {"tensor": batch.tensor, "spacing": batch.spacing, "threads": 1}
    tight = pl.homogenize(batch.fields, rtol=1e-10, on_failure="nan", **options)
    small = np.prod(batch.fields.shape[1:3]) <= DIRECT
    checked = len(batch.fields) if small else 1
    exact = np.stack(
        [reference.homogenize(field, batch.spacing) for field in batch.fields[:checked]]
    )
    errors = relative_error(tight[:checked], exact).tolist()
    return (exact if small else tight), errors


def report_misses(task, batch, name, errors, bound):
    for position, error in enumerate(errors):
        if not error <= bound:
            where = f"batch {task[1]} cell {position} {batch.family} {batch.fields.shape[1:3]}"
            how = f"contrast {batch.contrast} spacing {batch.spacing[1]:.3g} {name}"
            print(f"MISS {where} {how}: {error:.2e}", flush=True)


def study_batch(task):
    """-> rows (family, contrast, input, error, converged, iterations), errors of rtol=1e-10."""
    batch = draw_batch(*task)
    exact, tight = exact_tensors(batch)
    report_misses(task, batch, "float64 at rtol=1e-10", tight, 1e-9)
    inputs = {
        "float32": (batch.fields.astype(np.float32), None),
        "float64": (batch.fields, None),
        "labels": (batch.labels, batch.phases),
    }
    rows = []
    for name, (pixels, phases) in inputs.items():
        if pixels is None:
            continue
        options = {"tensor": batch.tensor, "spacing": batch.spacing, "threads": 1}
        solution = pl.solve_correctors(pixels, phases=phases, on_failure="nan", **options)
        errors = relative_error(solution.effective, exact)
        for values in zip(errors, solution.converged, solution.iterations, strict=True):
            rows.append((batch.family, batch.contrast, name, *values))
        report_misses(task, batch, name, errors, 1e-6)
    return rows, tight, len(batch.fields)


def summarize(rows, rtol=1e-6):
    """-> one line of COLUMNS for each family, contrast and input."""
    groups = defaultdict(list)
    for *key, error, converged, iterations in rows:
        groups[tuple(key)].append((error, converged, iterations))
    lines = []
    for key, values in sorted(groups.items()):
        errors, converged, iterations = (np.array(column) for column in zip(*values, strict=True))
        given = errors[converged] if converged.any() else np.array([np.nan])
        counts = int((given > rtol).sum()), int((~converged).sum())
        line = (*key, len(errors), given.max(), np.median(given), *counts, iterations.max())
        lines.append(line)
    return lines


def show(lines):
    print(("{:<19}{:<8}{:<9}" + "{:>14}" * 6).format(*COLUMNS))
    for line in lines:
        print(("{:<19}{:<8}{:<9}{:>14}" + "{:>14.2e}" * 2 + "{:>14}" * 3).format(*line))


def show_totals(lines):
    """By input and contrast over the families, then everything."""
    for kind, contrast in itertools.product(("float32", "float64", "labels"), CONTRASTS):
        name = contrast if isinstance(contrast, str) else f"{contrast:g}"
        part = [line for line in lines if line[1:3] == (name, kind)]
        if part:
            _, _, _, cells, worst, _, above, failed, iterations = zip(*part, strict=True)
            print(
                f"{kind:<9}contrast {name:<7}{sum(cells):>7} cells, worst {max(worst):.2e}, "
                f"above rtol {sum(above)}, not converged {sum(failed)}, "
                f"iterations to {max(iterations)}"
            )


def write(path, lines):
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([COLUMNS, *lines])


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, default=10_000, help="distinct cells")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="pixels along a side")
    parser.add_argument("--batch", type=int, default=8, help="cells of a shape in one call")
    parser.add_argument("--processes", type=int, choices=(1, 2), default=2)
    parser.add_argument("--csv", help="write the table here")
    return parser.parse_args(arguments)


def main(arguments=None):
    options = parse(arguments)
    count = -(-options.cells // options.batch)
    tasks = [(options.seed, index, options.sizes, options.batch) for index in range(count)]
    rows, tight, cells = [], [], 0
    with multiprocessing.get_context("spawn").Pool(options.processes) as pool:
        for done, result in enumerate(pool.imap_unordered(study_batch, tasks), start=1):
            rows += result[0]
            tight += result[1]
            cells += result[2]
            if done % max(1, count // 20) == 0:
                print(f"{cells} cells", file=sys.stderr, flush=True)
    lines = summarize(rows)
    show(lines)
    print(f"\n{cells} distinct cells, {len(rows)} solutions")
    print(f"rtol=1e-10 against the direct solver: {len(tight)} cells, worst {max(tight):.2e}")
    show_totals(lines)
    if options.csv:
        write(options.csv, lines)
    return 0 if all(line[6] == line[7] == 0 for line in lines) else 1


if __name__ == "__main__":
    sys.exit(main())
