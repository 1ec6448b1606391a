"""
On a card
=========

Arrays that are on a card stay there: the same functions take them and return their kind. This
script runs where torch finds a card and cupy is installed, and else says so; the tests run it on
an emulated card. :doc:`/cuda` tells what runs there.
"""

import torch

import pearlite as pl

# %%
# Everything below is on the device that it is given: seeds, labels, correlations, gradients.


def tour(device, size=64):
    """Draw, measure and differentiate on a card; return what came out."""
    generator = torch.Generator(device=device).manual_seed(0)
    sites = torch.rand(8, 20, 2, generator=generator, device=device, dtype=torch.float64)
    labels = pl.laguerre.assign(sites, shape=(size, size))  # (8, size, size)
    correlation = pl.correlation.two_point((labels < 10).float())  # (8, size, size)

    values = torch.linspace(1, 10, 20, device=device, dtype=torch.float64)
    weights = torch.zeros(20, device=device, dtype=torch.float64, requires_grad=True)
    soft = pl.laguerre.relax(sites, weights, values, shape=(size, size), epsilon=1e-3)
    soft.mean().backward()  # larger cells of what conducts raise the mean

    x = torch.rand(4, 1, size, size, generator=generator, device=device)
    pl.langevin.step(x, -x, 0.01, seed=1, step=0, volume_fraction=0.4, sigma_volume=0.01)
    return labels, correlation, weights.grad, x


# %%

if torch.cuda.is_available():
    labels, correlation, slope, x = tour("cuda")
    print(labels.device, correlation.shape)
else:
    print("no card here: nothing was run")

# %%
# cupy's arrays do the same without torch::
#
#     import cupy
#     labels = pl.laguerre.assign(cupy.random.random((1000, 2)), shape=(4096, 4096))
#
# The kernels are compiled when they are first used, which takes seconds, and kept on disk. Results
# are those of the CPU: labels and random numbers to the last bit.
