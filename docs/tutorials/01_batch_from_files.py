"""
A folder of images to a table of tensors
========================================

Images come from files and tensors go to a file, chunk by chunk, so that neither has to fit into
memory; a run that was stopped goes on where it was. The command line does the same.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import numpy as np
import pyarrow.parquet as pq

import pearlite as pl

# %%
# Images
# ------
# Two hundred pictures of discs, light on dark, are written into a folder, as a microscope or
# another program would have left them there.

folder = TemporaryDirectory()
pictures = Path(folder.name) / "pictures"
pictures.mkdir()
discs = pl.microstructures.discs(200, (96, 96), number=16, fraction=0.35, seed=1)
for k, labels in enumerate(discs):
    pl.io.write_image(pictures / f"{k:03}.png", (labels * 255).astype(np.uint8))

# %%
# Tensors
# -------
# `phases` says which grey value conducts how well. The unit of the tensors is that of these
# numbers, here W/(m K): a polymer of 0.3 with particles of 30.

table = Path(folder.name) / "tensors.parquet"
report = pl.batch.homogenize(pictures, table, phases={0: 0.3, 255: 30.0})
print(f"{report.count} images, {report.failed} failed")

# %%
# Each row of the table belongs to one image. Cells that could not be solved would be missing values
# there, and be told in `report.failures`.

found = pq.read_table(table)
print(found.column_names)
along = np.stack([found["A11"].to_numpy(), found["A22"].to_numpy()])

figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.4), layout="constrained")
left.imshow(discs[0], cmap="cividis", interpolation="nearest")
left.set(title="the first image", xlabel="axis 1 (pixels)", ylabel="axis 0 (pixels)")
right.hist(
    along.T, bins=20, color=["#0072B2", "#D55E00"], label=["along axis 0", "along axis 1"]
)
right.set(title="200 images", xlabel="conductivity (W m⁻¹ K⁻¹)", ylabel="images")
right.legend(frameon=False)

# %%
# How sure is the mean?
# ---------------------
# The images differ because each is small. Their mean has a standard error, and the difference of
# both directions, which a larger image would not have, is within it.

mean = along.mean(axis=1)
error = along.std(axis=1, ddof=1) / np.sqrt(along.shape[1])
for axis in (0, 1):
    print(f"along axis {axis}: {mean[axis]:.4f} ± {error[axis]:.4f} W/(m K)")

# %%
# On the command line, with the first image drawn::
#
#     pearlite homogenize pictures -c 0=0.3,255=30 -o tensors.parquet --plot first.png
#     pearlite homogenize pictures -c 0=0.3,255=30 -o tensors.parquet --resume
#
# See :doc:`/batch` for HDF5, zarr, several processes and clusters.

folder.cleanup()
