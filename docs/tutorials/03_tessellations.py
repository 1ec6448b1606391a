"""
Tessellations
=============

Voronoi, Laguerre and Johnson–Mehl cells in two and three dimensions; cells of wanted volumes; and
what can be measured of them.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import numpy as np

import pearlite as pl

rng = np.random.default_rng(5)

# %%
# Three kinds of cells of the same seeds
# --------------------------------------
# A pixel belongs to the seed of the least score: ``|x − c|² − w`` in the power metric,
# ``|x − c| − w`` in the additive one. A larger weight is a larger cell in both. Additive weights
# are head starts of growth, and make curved faces. Everything is periodic: what leaves on the right
# comes in on the left.

sites = rng.random((60, 2))
spacing = len(sites) ** -0.5
power = rng.uniform(0, 0.4 * spacing**2, len(sites))
additive = rng.uniform(0, 0.4 * spacing, len(sites))
pictures = {
    "Voronoi": pl.laguerre.assign(sites, shape=(256, 256)),
    "Laguerre": pl.laguerre.assign(sites, power, shape=(256, 256)),
    "Johnson–Mehl": pl.laguerre.assign(
        sites, additive, shape=(256, 256), metric="additive"
    ),
}
shades = rng.permutation(len(sites))
figure, panels = plt.subplots(1, 3, figsize=(9, 3.3), layout="constrained", sharey=True)
for axes, (name, labels) in zip(panels, pictures.items(), strict=True):
    axes.imshow(
        shades[labels], cmap="cividis", interpolation="nearest", extent=(0, 1, 1, 0)
    )
    axes.plot(sites[:, 1], sites[:, 0], ".", color="white", ms=4, mec="black", mew=0.5)
    axes.set(title=name, xlabel="axis 1 (sides of the cell)")
panels[0].set_ylabel("axis 0 (sides of the cell)")

# %%
# Grains of given volumes
# -----------------------
# In three dimensions, 200 grains shall have log-normal volumes. `fit_volumes` finds the weights.

seeds = rng.random((200, 3))
wanted = rng.lognormal(0, 0.6, len(seeds))
wanted /= wanted.sum()
weights = pl.laguerre.fit_volumes(seeds, wanted, shape=(64, 64, 64))
grains = pl.laguerre.assign(seeds, weights, shape=(64, 64, 64))
volumes = pl.laguerre.volumes(grains, len(seeds), dim=3)
error = np.abs(volumes - wanted).max() * grains.size
print(f"largest error: {error:.1f} voxels of {grains.size}")

# %%
# Neighbours of a grain are those it shares a face with.

faces = pl.laguerre.face_areas(grains, len(seeds), dim=3)
neighbours = np.bincount(faces.pairs.ravel(), minlength=len(seeds))
figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.6), layout="constrained")
left.imshow(grains[32], cmap="cividis", interpolation="nearest", extent=(0, 1, 1, 0))
left.set(title="the section x₀ = ½", xlabel="axis 2 (sides)", ylabel="axis 1 (sides)")
right.loglog(wanted, neighbours, ".", color="#0072B2")
right.set(
    title=f"{neighbours.mean():.1f} neighbours in the mean",
    xlabel="volume (cells' mean = 1/200)",
    ylabel="neighbours",
)
right.set_yticks([8, 12, 18, 27], ["8", "12", "18", "27"])
right.minorticks_off()

# %%
# For ParaView:

with TemporaryDirectory() as folder:
    pl.io.write_vti(Path(folder) / "grains.vti", {"grain": grains}, spacing=(1 / 64,) * 3)
    print(sorted(path.name for path in Path(folder).iterdir()))

# %%
# On the command line, with a table of the grains::
#
#     pearlite tessellate --cells 200 --shape 64,64,64 --seed 1 -o grains.vti --table grains.csv
#
# :doc:`/laguerre` has the definitions, and how fast all of that is.
