"""Time and memory of one call, printed as JSON: python one_call.py LABELS.npy CELLS.

The memory is the rise of this process's resident peak by its first call of this size: what the call
allocates for its work, results included, its input not. A small call goes first, so that code and
thread stacks are there.
"""

import json
import statistics
import sys
import time
from pathlib import Path

import numpy as np

import pearlite as pl


def resident_mb(field):
    """VmRSS (now) or VmHWM (the peak) of this process."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(field):
            return int(line.split()[1]) / 1024
    raise OSError(f"/proc/self/status has no {field}")


def repeat_cells(path, count):
    """-> (count, n0, n1) float32 of the labels' cells, over and over, with no large temporaries."""
    labels = np.load(path)
    fields = np.empty((count, *labels.shape[1:]), dtype=np.float32)
    for start in range(0, count, len(labels)):
        part = fields[start : start + len(labels)]
        np.multiply(labels[: len(part)], np.float32(9), out=part)
        part += 1
    return fields


def main(path, count):
    fields = repeat_cells(path, count)
    pl.homogenize(fields[:2, :16, :16])
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak starts anew
    before = resident_mb("VmRSS")
    seconds, memory = [], None
    for _ in range(7 if fields.nbytes < 2**22 else 3):
        start = time.perf_counter()
        pl.homogenize(fields)
        seconds.append(time.perf_counter() - start)
        if memory is None:
            memory = resident_mb("VmHWM") - before
    print(json.dumps({"seconds": statistics.median(seconds), "memory_mb": memory}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
