"""Homogenize 10,000 random cells of one seed a material, and draw how the tensors are distributed.

    python examples/voronoi_study.py [--output voronoi_study.png] [--count 10000] [--size 64]

Each cell is periodic and has three materials of conductivities 1, 4 and 10. The seed of a material
is uniform in the cell, and its crystal starts to grow with a lag of its own: a pixel belongs to the
crystal that reaches it first. Labels go to `pl.homogenize` as they are, one byte a pixel, with the
conductivities as `phases`; no field of floats is in memory. The figure shows four cells and the
joint histograms of the components A11, A22 and A12 of the effective conductivity, after figures 5
and 6 of arXiv:2604.14083 (the numbers of this study are its own).
"""

import argparse
import time
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import QuadMesh
from matplotlib.colors import ListedColormap, LogNorm
from matplotlib.figure import Figure
from matplotlib.patches import Patch

import pearlite as pl

CONDUCTIVITY = np.array([1.0, 4.0, 10.0])  # W/(m K)
LAGS = np.array([0.0, 0.1, 0.05])  # of the growth, in sides of the cell over the speed
NAMES = ("A₁₁", "A₂₂", "A₁₂")
MATERIALS = ListedColormap(["#F0E442", "#56B4E9", "#0B3C6F"])  # light to dark, as they conduct
INK = "#333333"
Array = npt.NDArray[np.float64]
Labels = npt.NDArray[np.uint8]


@dataclass
class Study:
    """What was drawn and found, and the seconds that it took."""

    labels: Labels  # (count, n, n)
    components: Array  # (count, 3): A11, A22, A12
    generation: float
    homogenization: float


def study(count: int, size: int, seed: int) -> Study:
    """Generate `count` cells and homogenize them."""
    cells = pl.microstructures.LaguerreCells((size, size), len(CONDUCTIVITY), "additive")
    cells.sample(2, -LAGS, seed=seed)  # the first call loads the code
    pl.homogenize(cells.sample(2, -LAGS, seed=seed), phases=CONDUCTIVITY)
    start = time.perf_counter()
    labels = cells.sample(count, -LAGS, seed=seed)  # a lag is a weight of the other sign
    generated = time.perf_counter()
    effective = pl.homogenize(labels, phases=CONDUCTIVITY)
    homogenized = time.perf_counter()
    components = np.stack([effective[:, 0, 0], effective[:, 1, 1], effective[:, 0, 1]], axis=1)
    return Study(labels, components, generated - start, homogenized - generated)


def show(result: Study) -> None:
    """Print times and moments."""
    count, size = result.labels.shape[:2]
    print(f"{count:,} cells of {size}² pixels, {result.labels.nbytes / 2**20:.1f} MiB of labels")
    for name, seconds in (
        ("generation", result.generation),
        ("homogenization", result.homogenization),
    ):
        each = seconds / count
        print(
            f"{name:<15}{seconds:>8.3f} s{each * 1e6:>9.1f} µs a cell"
            f"{each / size**2 * 1e9:>8.2f} ns a pixel"
        )
    print(f"generation / homogenization = {result.generation / result.homogenization:.3f}")
    shares = np.stack([(result.labels == k).mean(axis=(1, 2)) for k in range(len(CONDUCTIVITY))])
    print("mean fractions  ", "  ".join(f"{share:.3f}" for share in shares.mean(axis=1)))
    print(f"cells without one of the materials  {(shares == 0).any(axis=0).mean():.2%}")
    print("component      mean  deviation  (W/(m K))")
    for name, values in zip(NAMES, result.components.T, strict=True):
        print(f"{name:<12}{values.mean():>7.3f}{values.std():>11.3f}")


def draw(path: str, result: Study) -> None:
    """Draw four cells above the histograms of components and of their pairs."""
    figure = Figure(figsize=(9.2, 9.6), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    upper, lower = figure.subfigures(2, 1, height_ratios=(1, 3.2))
    for k, axes in enumerate(upper.subplots(1, 4)):
        draw_cell(axes, result.labels[k], result.components[k])
    handles = [
        Patch(color=MATERIALS(k), label=f"a = {a:g} W/(m K), lag {lag:g}")
        for k, (a, lag) in enumerate(zip(CONDUCTIVITY, LAGS, strict=True))
    ]
    upper.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    panels = lower.subplots(3, 3)
    for row in range(3):
        for column in range(3):
            axes = panels[row, column]
            if column > row:
                axes.set_axis_off()
            elif column == row:
                draw_histogram(axes, result.components[:, row], NAMES[row])
            else:
                image = draw_pair(axes, result.components[:, column], result.components[:, row])
            if column == 0 and row:
                axes.set_ylabel(f"{NAMES[row]}  (W/(m K))")
            if row == 2:
                axes.set_xlabel(f"{NAMES[column]}  (W/(m K))")
    place = panels[0, 1].inset_axes((0.3, 0.45, 1.5, 0.07))
    place.set_in_layout(False)  # it reaches into the next panel
    bar = figure.colorbar(image, cax=place, orientation="horizontal")
    bar.set_label(f"cells in a bin, of {len(result.components):,}", color=INK)
    figure.savefig(path, dpi=130)


def draw_cell(axes: Axes, labels: Labels, components: Array) -> None:
    """Draw a cell with axis 0 to the right and axis 1 upwards, as the components are named."""
    axes.imshow(labels.T, cmap=MATERIALS, vmin=0, vmax=2, origin="lower", interpolation="nearest")
    axes.set(xticks=[], yticks=[])
    values = ",  ".join(f"{round(v, 2) + 0.0:.2f}" for v in components)
    axes.set_title(f"A₁₁, A₂₂, A₁₂ =\n{values}", fontsize=9, color=INK)


def draw_histogram(axes: Axes, values: Array, name: str) -> None:
    """Draw the density of one component."""
    axes.hist(values, bins=50, density=True, color="#0072B2")
    axes.set_title(name, loc="left", fontsize=10, color=INK)
    axes.set_ylabel("density  (m K/W)")
    axes.spines[["top", "right"]].set_visible(False)


def draw_pair(axes: Axes, x: Array, y: Array) -> QuadMesh:
    """Draw the joint histogram of two components."""
    return axes.hist2d(x, y, bins=50, cmap="cividis", norm=LogNorm(), cmin=1)[3]


def main() -> None:
    """Generate, homogenize, print and draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", default="voronoi_study.png", help="the figure")
    parser.add_argument("--count", type=int, default=10_000, help="of cells, at least 4")
    parser.add_argument("--size", type=int, default=64, help="pixels along a side of a cell")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    result = study(options.count, options.size, options.seed)
    show(result)
    draw(options.output, result)


if __name__ == "__main__":
    main()
