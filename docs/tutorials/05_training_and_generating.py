"""
Training a network and generating with it
=========================================

A Gaussian field decides where the phases are, a small network that has learned the neighbourhoods
of one image gives them their shapes. Generating needs no torch; training does.
"""

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np

import pearlite as pl

# %%
# With the model that comes along
# -------------------------------
# It has learned discs that do not touch. Without `statistics` it aims at those of the image that it
# was trained on.

made = pl.generation.generate(count=4, seed=0, shape=(96, 96))
print("fractions of the discs:", (made.images == 1).mean(axis=(1, 2)).round(4))

figure, panels = plt.subplots(1, 3, figsize=(9, 3.3), layout="constrained")
pictures = (made.fields[0], made.images[0], made.references[0])
titles = ("the Gaussian field", "what the network makes of it", "the reference")
for axes, picture, title in zip(panels, pictures, titles, strict=True):
    axes.imshow(picture, cmap="cividis", interpolation="nearest")
    axes.set(title=title, xlabel="axis 1 (pixels)")
panels[0].set_ylabel("axis 0 (pixels)")

# %%
# What is asked for can be changed: other fractions, the statistics of another image, any size. The
# count of each phase is exact, to the pixel.

fewer = pl.generation.generate(count=4, seed=0, shape=(96, 96), volume_fraction=0.25)
print("fractions of the discs:", (fewer.images == 1).mean(axis=(1, 2)).round(4))

# %%
# Does it matter? The two-point statistics of the field and of the image are nearly the same, their
# conductivities are not: discs that touch conduct.

phases = [1.0, 100.0]
for name, images in (("Gaussian fields", made.fields), ("made", made.images)):
    tensors = pl.homogenize(images, phases=phases)
    mean = tensors.diagonal(axis1=-2, axis2=-1).mean()
    print(f"{name}: mean conductivity {mean:.2f}, phases {phases}")

# %%
# Training
# --------
# ``pearlite train micrograph.png -o model.safetensors`` takes half an hour of a core. Here are 60
# steps of a network a quarter as wide, enough to see the loss fall and no more: ½ is what a network
# that knows nothing has.

image = pl.microstructures.discs(1, (128, 128), number=20, fraction=0.38, seed=4)[0]
schedule = replace(
    pl.generation.Schedule.quick(2),
    iterations=60,
    patch=32,
    patches=400,
    channels=8,
    levels=1,
)
training = pl.generation.train(image, schedule=schedule, seed=0, threads=1)

figure, axes = plt.subplots(figsize=(5, 3.2), layout="constrained")
history = training.history
axes.semilogy(history["iteration"], history["loss"], color="#0072B2", label="training")
kept = np.isfinite(history["validation_loss"])
axes.semilogy(
    history["iteration"][kept],
    history["validation_loss"][kept],
    "o",
    color="#D55E00",
    label="patches kept apart",
)
axes.set(xlabel="step", ylabel="loss, ½ |F(x + σz) + z|² a pixel")
axes.legend(frameon=False)

# %%
# ``training.model.save("model.safetensors")`` keeps it, ``pl.generation.accept`` tells whether it
# is good enough, and :doc:`/training` what a good one takes.
