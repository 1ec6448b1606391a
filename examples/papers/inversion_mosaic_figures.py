"""The figures of sections 6.1 and 6.2, for `distributional_inversion.py`."""

from __future__ import annotations

from typing import Any

import inversion_mosaics as mosaics
import numpy as np
from inversion_figures import NAMES, Results, clouds, ways
from matplotlib.figure import Figure

from pearlite.microstructures import DirichletField, LocallyStationary


def small(results: Results) -> bool:
    """Return whether the experiment was a small one, to see that it runs."""
    return results[0][0].model("levenberg-marquardt").sites < mosaics.SITES


def figure_15(figure: Figure, results: Results) -> None:
    """Draw the three volume fractions on a specimen."""
    figure.set_size_inches(9.0, 3.0)
    world = mosaics.specimens(small(results), length=0.05, count=1)
    fractions = fraction_field(world, 100)
    for k, axes in enumerate(figure.subplots(1, 3)):
        picture = axes.imshow(fractions[..., k], cmap="viridis", vmin=0, vmax=1)
        axes.set_title(f"fraction of material {k + 1}")
        axes.set_xticks([])
        axes.set_yticks([])
    figure.colorbar(picture, ax=figure.axes, shrink=0.8)


def fraction_field(world: Any, cells: int) -> Any:
    """Return volume fractions (cells, cells, 3) of one specimen, at the centres of its cells."""
    field = DirichletField(world.field, 3)
    normals = field.draw(1, seed=1)[0]
    return field.on_grid((cells, cells), normals, mosaics.MOSAICS["alpha"])


def figure_16(figure: Figure, results: Results) -> None:
    """Draw cells of a specimen, whose grains follow the fractions there, and their tensors."""
    figure.set_size_inches(9.0, 2.6)
    world = mosaics.specimens(small(results), length=0.05, count=1)
    mosaic = world.model.true_map.mosaic
    local = LocallyStationary(mosaic, (world.cells, world.cells), world.field)
    chosen = np.array([[5, 5], [30, 60], [60, 20], [90, 90]])
    labels = local.labels(local.draw(seed=1, cells=chosen), mosaics.MOSAICS["alpha"])
    tensors = world.model.true_map.solved(labels, mosaics.MOSAICS["a"])
    for axes, image, tensor in zip(figure.subplots(1, 4), labels, tensors, strict=True):
        axes.imshow(image, cmap="cividis", vmin=0, vmax=2, interpolation="nearest")
        axes.set_title(", ".join(f"{n} {v:.2f}" for n, v in zip(NAMES, tensor, strict=True)),
                       fontsize=7)  # fmt: skip
        axes.set_xticks([])
        axes.set_yticks([])


FIGURES = {
    "2d-stochastic": {13: clouds, 14: ways},
    "2d-locally-stochastic": {15: figure_15, 16: figure_16},
}
