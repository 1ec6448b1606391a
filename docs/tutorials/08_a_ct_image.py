"""
From a CT image to transport
============================

A volume of grey values becomes pores and solid; then its conductivity tensor, formation factor and
tortuosity, with an idea of how good the numbers are.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import numpy as np

import pearlite as pl

# %%
# The scan
# --------
# It is made here: a random medium, grey values with noise, written as a scanner's software does.
# `read_grid` reads TIFF stacks, NRRD, MetaImage, VTK, HDF5 and bare numbers, with the size of a
# voxel where the file tells it.

SIZE, VOXEL = 48, 2.5  # voxels a side; µm
rng = np.random.default_rng(1)
truth = pl.microstructures.thresholded_noise(
    1, (SIZE,) * 3, length=2.5, fractions=(0.6, 0.4), seed=3
)[0]
grey = 90 + 80 * (truth == 0) + rng.normal(0, 12, truth.shape)
grey = np.clip(grey, 0, 255).astype(np.uint8)
with TemporaryDirectory() as folder:
    path = Path(folder) / "scan.mha"
    pl.io.write_image(path, grey, spacing=VOXEL, unit="um")
    grid = pl.io.read_grid(path)
    scan = np.array(grid.images)
print(scan.shape, scan.dtype, grid.spacing, grid.unit)

# %%
# Pores
# -----
# Pores are dark. Label 1 is where it conducts.

pores = (scan < 130).astype(np.uint8)
print(
    f"porosity {pores.mean():.3f}, {np.mean(pores != truth):.2%} of the voxels are mistaken"
)
print("reaches around along each axis:", pl.statistics.percolates(pores, 1, dim=3))

# %%
# Transport
# ---------
# The pores conduct 1, the solid 0, exactly. D is what is left of the conductivity, F = 1/D the
# formation factor, τ = φ/D the tortuosity, for each axis.

tensor = pl.homogenize(pores, phases=[0.0, 1.0], dim=3, spacing=grid.spacing)
diagonal = tensor.diagonal()
print("D:", diagonal.round(4))
print("F:", (1 / diagonal).round(2))
print("tortuosity:", (pores.mean() / diagonal).round(2))

# %%
# How good is that?
# -----------------
# *Of the sample*: the scatter of eight octants tells by how much another piece of the same rock
# would differ. *Of the voxels*: dividing each into eight halves the elements' error, or more.

half = SIZE // 2
halves = (slice(half), slice(half, SIZE))
octants = np.stack([pores[i, j, k] for i in halves for j in halves for k in halves])
parts = pl.homogenize(octants, phases=[0.0, 1.0], dim=3).diagonal(axis1=1, axis2=2)
fine = pl.homogenize(
    pores.repeat(2, 0).repeat(2, 1).repeat(2, 2), phases=[0.0, 1.0], dim=3
).diagonal()
print("of the sample: ±", (parts.std(axis=0, ddof=1) / 8**0.5).round(3))
print("of the voxels:", (2 * fine - diagonal).round(4), "±", (diagonal - fine).round(4))

# %%
# Where the flux goes
# -------------------

solution = pl.solve_correctors(pores, phases=[0.0, 1.0], dim=3, spacing=grid.spacing)
gradients = pl.plot.gradients(solution.correctors, grid.spacing)  # [k, i, voxel]
flux = np.linalg.norm(gradients[0], axis=0) * pores
middle = SIZE // 2
side = SIZE * VOXEL
figure, (left, right) = plt.subplots(1, 2, figsize=(8.4, 3.8), layout="constrained")
left.imshow(scan[:, middle], cmap="gray", extent=(0, side, side, 0))
left.set(title="the scan, a section", xlabel="axis 2 (µm)", ylabel="axis 0 (µm)")
picture = right.imshow(
    flux[:, middle], cmap="viridis", extent=(0, side, side, 0), vmax=2.5
)
right.set(title="flux under a gradient along axis 0", xlabel="axis 2 (µm)")
figure.colorbar(picture, ax=right, label="flux over that without solid")

# %%
# On the command line, once ``pl.io.write_image("pores.mha", pores, spacing=grid.spacing)`` has
# written the pores::
#
#     pearlite homogenize pores.mha --conductivity 0=0,1=1 --fields flux.vti
#
# ``examples/ct_to_tensor.py`` does it for your own scan, and beside taufactor and PoreSpy;
# :doc:`/volumes` says why their numbers differ.
