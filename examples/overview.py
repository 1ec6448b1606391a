"""Draw the picture of the README: a cell and its flux, the tensors of many, and a new structure.

    python examples/overview.py [picture.png]

Without a name it is docs/figures/overview.png.
"""

import sys

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

import pearlite as pl

PHASES = np.array([1.0, 4.0, 10.0])  # W/(m K)
COUNT = 20_000


def flux(labels):
    """Size of the flux under a unit mean gradient along axis 0, in W/m²."""
    corrector = pl.solve_correctors(labels, phases=PHASES).correctors  # (2, n, n)
    gradients = pl.plot.gradients(corrector, (1 / len(labels),) * 2)  # (2, 2, n, n)
    return np.hypot(*pl.plot.fluxes(PHASES[labels], gradients[0]))


def draw(path):
    """Write the picture."""
    figure = Figure(figsize=(7.6, 6.2), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(2, 2).ravel()
    grains = pl.microstructures.voronoi(1, (256, 256), sites=60, phases=3, seed=4)[0]
    shown = panels[0].imshow(grains, cmap="cividis", interpolation="nearest")
    bar = figure.colorbar(shown, ax=panels[0], ticks=[1 / 3, 1, 5 / 3], shrink=0.8)
    bar.ax.set_yticklabels([f"{a:g}" for a in PHASES])
    bar.set_label("conductivity (W m⁻¹ K⁻¹)")
    panels[0].set_title("a structure")
    sizes = flux(grains)
    shown = panels[1].imshow(sizes, cmap="viridis", vmax=np.quantile(sizes, 0.995))
    figure.colorbar(shown, ax=panels[1], label="flux (W m⁻² for 1 K/m)", shrink=0.8)
    panels[1].set_title("what flows in it")
    cells = pl.microstructures.LaguerreCells((64, 64), 3).sample(COUNT, seed=1)
    tensors = pl.homogenize(cells, phases=PHASES)
    first, second = tensors[:, 0, 0], tensors[:, 1, 1]
    *_, mesh = panels[2].hist2d(first, second, bins=70, cmap="cividis", cmin=1)
    figure.colorbar(mesh, ax=panels[2], label="cells", shrink=0.8)
    panels[2].set(xlabel="A₁₁ (W m⁻¹ K⁻¹)", ylabel="A₂₂ (W m⁻¹ K⁻¹)", box_aspect=1)
    panels[2].set_title(f"the tensors of {COUNT:,}")
    noise = pl.microstructures.thresholded_noise(1, (128, 128), length=4, seed=2)[0]
    made = pl.reconstruction.sample(noise, shape=(256, 256), seed=0).image
    panels[3].imshow(made, cmap="cividis", interpolation="nearest")
    panels[3].plot([0, 128, 128], [128, 128, 0], color="white", lw=2.5)
    panels[3].imshow(noise, cmap="cividis", interpolation="nearest", extent=(0, 128, 128, 0))
    panels[3].set(xlim=(0, 256), ylim=(256, 0), title="new, like the sample (corner)")
    for axes in panels[[0, 1, 3]]:
        axes.set(xticks=[], yticks=[])
    figure.savefig(path, dpi=130)


if __name__ == "__main__":
    draw(sys.argv[1] if len(sys.argv) > 1 else "docs/figures/overview.png")
