"""
A million cells
===============

Cells are drawn, written, homogenized and tabulated piece by piece, so that memory does not depend
on their number. Here are a few thousand; with ``COUNT = 1_000_000`` nothing else changes, and the
whole takes about two minutes of two cores and 4 GB of disk.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import numpy as np
import pyarrow.parquet as pq

import pearlite as pl

COUNT = 4_000
SIZE = 64
PHASES = [1.0, 4.0, 10.0]  # W/(m K)

# %%
# Cells of one crystal of each of three materials, in pieces of 1000. Cell k of a seed is the same
# whatever piece it is drawn in, so that ten machines can draw a tenth each.

folder = TemporaryDirectory()
source = Path(folder.name) / "cells.npy"
target = Path(folder.name) / "tensors.parquet"
cells = pl.microstructures.LaguerreCells((SIZE, SIZE), materials=3)
images = np.lib.format.open_memmap(source, "w+", np.uint8, (COUNT, SIZE, SIZE))
for start in range(0, COUNT, 1000):
    images[start : start + 1000] = cells.sample(1000, seed=1, sample=start)
images.flush()

# %%
# One call; one thread reads, all cores solve, one thread writes. What is done is kept, so that
# ``resume=True`` goes on after an interruption.

report = pl.batch.homogenize(source, target, phases=PHASES)
print(f"{report.count} cells, {report.failed} failed")

# %%
# The joint distribution of two components. Neither goes beyond the means of the phases in series
# and in parallel.

table = pq.read_table(target)
first, second = table["A11"].to_numpy(), table["A22"].to_numpy()
figure, axes = plt.subplots(figsize=(4.6, 4), layout="constrained")
counts, *_, mesh = axes.hist2d(first, second, bins=60, cmap="cividis", cmin=1)
figure.colorbar(mesh, ax=axes, label="cells")
axes.set(
    xlabel="conductivity along axis 0 (W m⁻¹ K⁻¹)",
    ylabel="conductivity along axis 1 (W m⁻¹ K⁻¹)",
    title=f"{COUNT} cells",
)
folder.cleanup()

# %%
# More than one process, or more than one machine: ``workers=8`` or ``cluster="tcp://…"``; see
# :doc:`/batch`.
