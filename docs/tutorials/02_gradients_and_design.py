"""
Gradients and inverse design
============================

What would change the conductivity most, and where? The answer costs no second solve. With it, seeds
of a tessellation move until the material conducts as it is wanted to.
"""

import matplotlib.pyplot as plt
import numpy as np
import torch

import pearlite as pl

# %%
# Where a pixel matters
# ---------------------
# A cotangent G, a number for each entry of the tensor, asks for the gradient of Σ G_ij A*_ij. Here
# it picks A*_00, the conductivity down the picture, along axis 0.

labels = pl.microstructures.voronoi(1, (96, 96), sites=30, phases=2, seed=3)[0]
field = np.where(labels == 0, 1.0, 10.0)
effective, gradient = pl.homogenize_with_gradient(field, [[1.0, 0.0], [0.0, 0.0]])
print(effective.round(3))

figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.6), layout="constrained")
picture = left.imshow(field, cmap="cividis", interpolation="nearest")
figure.colorbar(picture, ax=left, label="conductivity (W m⁻¹ K⁻¹)")
share = gradient * field / effective[0, 0] * field.size
picture = right.imshow(
    share, cmap="magma", interpolation="nearest", vmax=np.quantile(share, 0.99)
)
figure.colorbar(picture, ax=right, label="share of A*₀₀ over that of a mean pixel")
left.set(title="the cell", xlabel="axis 1 (pixels)", ylabel="axis 0 (pixels)")
right.set(title="what A*₀₀ owes to each pixel", xlabel="axis 1 (pixels)")

# %%
# A* is homogeneous of degree 1 in the conductivities, so that these shares have mean 1: a check of
# the gradient that needs no finite difference.

print(f"mean share: {share.mean():.6f}")

# %%
# Design
# ------
# A torch tensor goes in and comes out with its gradient. Forty seeds, half of them of a conductor,
# shall make a material that conducts 5 W/(m K) along axis 0 and 2.5 along axis 1. `relax` blurs the
# faces, so that the field changes smoothly as seeds move; the blur shrinks on the way, and the end
# is judged by sharp labels.

wanted = torch.tensor([[5.0, 0.0], [0.0, 2.5]], dtype=torch.float64)
generator = torch.Generator().manual_seed(0)
sites = torch.rand(40, 2, generator=generator, dtype=torch.float64).requires_grad_()
weights = torch.zeros(40, dtype=torch.float64, requires_grad=True)
values = torch.tensor([1.0, 10.0], dtype=torch.float64).repeat(20)
optimizer = torch.optim.Adam(
    [{"params": [sites], "lr": 0.01}, {"params": [weights], "lr": 3e-4}]
)

losses = []
STEPS = 150
for step in range(STEPS):
    epsilon = 4e-3 * 0.1 ** (step / STEPS)
    optimizer.zero_grad()
    soft = pl.laguerre.relax(sites % 1, weights, values, shape=(64, 64), epsilon=epsilon)
    loss = ((pl.homogenize(soft) - wanted) ** 2).sum() / (wanted**2).sum()
    loss.backward()
    optimizer.step()
    losses.append(loss.item() ** 0.5)

with torch.no_grad():
    sharp = pl.laguerre.assign(sites % 1, weights, shape=(64, 64))
    found = pl.homogenize(values[sharp.long()])
print(np.array2string(found.numpy(), precision=3, suppress_small=True))

# %%

figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.6), layout="constrained")
picture = left.imshow(
    values[sharp.long()].numpy(), cmap="cividis", interpolation="nearest"
)
figure.colorbar(picture, ax=left, label="conductivity (W m⁻¹ K⁻¹)")
left.set(
    title="the design, with sharp faces",
    xlabel="axis 1 (pixels)",
    ylabel="axis 0 (pixels)",
)
right.semilogy(losses, color="#0072B2")
right.set(
    title="on the way", xlabel="step", ylabel="relative distance from the wanted tensor"
)

# %%
# ``examples/design_for_target_tensor.py`` designs two phases pixel by pixel, to .1 % of the tensor.
# :doc:`/theory` says why a gradient needs no second solve, :doc:`/laguerre` what `relax` does.
