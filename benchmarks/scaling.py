"""How the cost of a cell grows with its size, its contrast and the batch: writes scaling.csv.

    python benchmarks/scaling.py

Processor time of one thread, which other programs on the machine disturb little; the least of a few
calls. The error of the first cells is asserted before they are timed. `plots.py` draws the curves.
"""

import csv
import time
from pathlib import Path

import cells
from recorder import surroundings
from solvers import exact_tensors, relative_error

import pearlite as pl

FILE = Path(__file__).with_name("scaling.csv")
COLUMNS = ("commit", "machine", "sweep", "shape", "contrast", "batch", "error", "cpu_ms_per_cell")
SIZES = {16: 400, 32: 400, 64: 200, 128: 64, 256: 16, 512: 8, 1024: 2}
CONTRASTS = (2, 10, 100, 1_000, 10_000, 100_000, 1_000_000)
BATCHES = (1, 2, 4, 8, 16, 32, 64, 256)
LEAST, CHECKED, SECONDS = 5, 2, 1.0  # calls; cells; s


def spent(labels, values):
    """-> the least processor time (s) of calls that take SECONDS in all, LEAST at least."""
    times, repeats = [], max(1, int(16 / len(labels)))
    while len(times) < LEAST or sum(times) * repeats < SECONDS:
        start = time.process_time()
        for _ in range(repeats):
            pl.homogenize(labels, phases=values, threads=1)
        times.append((time.process_time() - start) / repeats)
    return min(times)


def measure(sweep, n, contrast, batch):
    """-> one row."""
    labels, values = cells.draw((n, n), 2, batch), cells.values(2, contrast)
    first = labels[:CHECKED]
    error = relative_error(pl.homogenize(first, phases=values), exact_tensors(values[first]))
    assert error <= 1.2e-6, (n, contrast, error)
    seconds = spent(labels, values)
    shared = {name: surroundings()[name] for name in ("commit", "machine")}
    own = {"sweep": sweep, "shape": n, "contrast": contrast, "batch": batch}
    return shared | own | {
        "error": f"{error:.1e}",
        "cpu_ms_per_cell": f"{1e3 * seconds / batch:.3g}",
    }  # fmt: skip


def main():
    rows = [measure("size", n, 10, batch) for n, batch in SIZES.items()]
    rows += [measure("contrast", 64, contrast, 64) for contrast in CONTRASTS]
    rows += [measure("batch", 64, 10, batch) for batch in BATCHES]
    with FILE.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    for row in rows:
        print(*(row[name] for name in COLUMNS[2:]))


if __name__ == "__main__":
    main()
