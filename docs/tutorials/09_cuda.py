"""
The same on a graphics card
===========================

Arrays that are on a card, an NVIDIA graphics processor, stay there: the same functions take them
and return their kind. This script runs on the card that torch finds, if cupy is installed too, and
else on the processor, where nothing in it changes but one word. :doc:`/cuda` tells what runs there.
"""

from importlib.util import find_spec

import matplotlib.pyplot as plt
import numpy as np
import torch

import pearlite as pl

device = "cuda" if torch.cuda.is_available() and find_spec("cupy") else "cpu"
print("this page was made on:", device)

# %%
# Everything below is on the device that it is given: seeds, labels, tensors, correlations and
# gradients.


def tour(device, size=64):
    """Draw, homogenize, measure and differentiate on a device; return what came out."""
    # The processor's numbers, so that all devices agree.
    generator = torch.Generator().manual_seed(0)
    sites = torch.rand(8, 20, 2, generator=generator, dtype=torch.float64).to(device)
    labels = pl.laguerre.assign(sites, shape=(size, size))  # (8, size, size)
    phases = torch.tensor([1.0, 10.0], dtype=torch.float64, device=device)
    effective = pl.homogenize((labels < 10).to(torch.uint8), phases=phases)  # (8, 2, 2)
    correlation = pl.correlation.two_point((labels < 10).float())  # (8, size, size)

    values = torch.linspace(1, 10, 20, device=device, dtype=torch.float64)
    weights = torch.zeros(20, device=device, dtype=torch.float64, requires_grad=True)
    soft = pl.laguerre.relax(sites, weights, values, shape=(size, size), epsilon=1e-3)
    soft.mean().backward()  # larger cells of what conducts raise the mean

    x = torch.rand(4, 1, size, size, generator=generator).to(device)
    pl.langevin.step(x, -x, 0.01, seed=1, step=0, volume_fraction=0.4, sigma_volume=0.01)
    return labels, effective, correlation, weights.grad, x


labels, effective, correlation, slope, x = tour(device)
print(
    labels.device,
    tuple(effective.shape),
    effective.diagonal(dim1=1, dim2=2).mean().item(),
)

# %%
# What came out is on the device; pictures need it on the processor.

figure, (left, middle, right) = plt.subplots(1, 3, figsize=(9, 3), layout="constrained")
left.imshow(labels[0].cpu().numpy(), cmap="cividis", interpolation="nearest")
left.set(title="grains", xlabel="axis 1 (pixels)", ylabel="axis 0 (pixels)")
centred = torch.fft.fftshift(correlation[0].cpu()).numpy()
shown = middle.imshow(centred, cmap="cividis", extent=(-32, 32, 32, -32))
middle.set(title="S₂ of half the grains", xlabel="shift along axis 1 (pixels)")
figure.colorbar(shown, ax=middle, shrink=0.8)
right.plot(np.linspace(1, 10, 20), slope.cpu().numpy(), "o", color="#0072B2")
right.axhline(0, color="black", lw=0.8)
right.set(
    title="who should grow",
    xlabel="value of the seed",
    ylabel="slope of the mean in its weight",
)

# %%
# cupy's arrays do the same without torch::
#
#     import cupy
#     labels = pl.laguerre.assign(cupy.random.random((1000, 2)), shape=(4096, 4096))
#
# The kernels are compiled when they are first used, which takes seconds, and kept on disk. Results
# are those of the CPU: labels and random numbers to the last bit. That is shown on an emulated
# card, and not yet on a real one: see :doc:`/cuda`.
