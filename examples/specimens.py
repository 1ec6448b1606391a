"""Two large specimens whose microstructure varies slowly, homogenized cell by cell.

    python examples/specimens.py [--output specimens] [--cells 100] [--size 64] [--sites 100]

The first, locally periodic specimen has cells of three seeds, one for each material, that move
slowly from cell to cell as copulas of Gaussian fields prescribe. The second, locally stationary one
has cells of many random grains, whose materials have probabilities that vary slowly and are
Dirichlet-distributed. Each of the 100 × 100 cells is homogenized. The figures, `*_periodic.png` and
`*_stationary.png`, are after figures 8, 9, 15 and 16 of arXiv:2604.14083; the numbers are our own.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure, SubFigure
from matplotlib.image import AxesImage
from matplotlib.patches import Patch, Rectangle

import pearlite as pl

CONDUCTIVITY = np.array([1.0, 4.0, 10.0])  # W/(m K)
LAGS = np.array([0.0, 0.1, 0.05])  # of the growth of the seeds, in sides of a cell over the speed
ALPHA = np.array([2.0, 3.0, 4.0])  # of the Dirichlet distribution
LENGTH = 0.05  # of the Gaussian fields, 1/τ, in sides of the specimen
NAMES = ("A₁₁", "A₂₂", "A₁₂")
MATERIALS = ListedColormap(["#F0E442", "#56B4E9", "#0B3C6F"])  # light to dark, as they conduct
FRAME = "#D55E00"
INK = "#333333"
Array = npt.NDArray[np.float64]
Labels = npt.NDArray[np.uint8]


@dataclass
class Found:
    """What a specimen's cells are, some of them, and how long they took."""

    maps: Array  # (m, m, 3): A11, A22, A12
    fields: Array  # (K, m, m): seeds along axis 0, or fractions, at the centres of the cells
    zooms: list[tuple[tuple[int, int], int, Labels]]  # first cell, cells a side, pixels
    generation: float
    homogenization: float


def field() -> pl.microstructures.NeumannField:
    """Return the Gaussian field behind both specimens."""
    return pl.microstructures.NeumannField(tau=1 / LENGTH, beta=4.0, modes=40)


def components(effective: Array, m: int) -> Array:
    """Return A11, A22 and A12 of cells, as maps."""
    parts = [effective[..., 0, 0], effective[..., 1, 1], effective[..., 0, 1]]
    return np.stack(parts, axis=-1).reshape(m, m, 3)


def timed(action: Callable[[], npt.NDArray[np.generic]]) -> tuple[npt.NDArray[np.generic], float]:
    """Return what an action returns, and the seconds that it took."""
    start = time.perf_counter()
    return action(), time.perf_counter() - start


def periodic(m: int, size: int, seed: int) -> Found:
    """Generate and homogenize the locally periodic specimen."""
    cell = pl.microstructures.LaguerreCells((size, size), len(CONDUCTIVITY), "additive")
    specimen = pl.microstructures.LocallyPeriodic(cell, (m, m), field())
    normals = specimen.draw(1, seed=seed)[0]
    labels, generation = timed(lambda: specimen.labels(normals, -LAGS))
    effective, homogenization = timed(lambda: pl.homogenize(labels, phases=CONDUCTIVITY))
    small, large = max(m // 16, 2), max(m // 4, 3)
    places = [
        ((m // 10, m // 8), small),
        ((7 * m // 10, 5 * m // 8), small),
        ((m // 4,) * 2, large),
    ]
    zooms = [
        (first, side, specimen.window(normals, -LAGS, first=first, cells=(side, side)))
        for first, side in places
    ]
    seeds = np.moveaxis(specimen.sites(normals)[..., 0], -1, 0)
    return Found(components(effective, m), seeds, zooms, generation, homogenization)


def stationary(m: int, size: int, sites: int, seed: int) -> Found:
    """Generate and homogenize the locally stationary specimen, a few rows of cells at a time."""
    cell = pl.microstructures.DirichletMosaic((size, size), sites, len(CONDUCTIVITY))
    specimen = pl.microstructures.LocallyStationary(cell, (m, m), field())
    effective = np.empty((m * m, 2, 2))
    generation = homogenization = 0.0
    indices = np.indices((m, m)).reshape(2, -1).T
    for start in range(0, m * m, 10 * m):
        part = slice(start, start + 10 * m)
        labels, seconds = timed(
            lambda part=part: specimen.labels(specimen.draw(seed=seed, cells=indices[part]), ALPHA)
        )
        generation += seconds
        effective[part], seconds = timed(
            lambda labels=labels: pl.homogenize(labels, phases=CONDUCTIVITY)
        )
        homogenization += seconds
    draws = specimen.draw(seed=seed, cells=[(0, 0)])
    fractions = specimen.fraction_field.on_grid((m, m), draws.normals, ALPHA)
    zooms = []
    for first in extremes(fractions):
        own = specimen.draw(seed=seed, cells=[first])
        zooms.append((first, 1, specimen.labels(own, ALPHA)[0]))
    fields = np.moveaxis(fractions, -1, 0)
    return Found(components(effective, m), fields, zooms, generation, homogenization)


def extremes(fractions: Array) -> list[tuple[int, int]]:
    """Return the cells where each of the materials has its largest fraction."""
    m, _, materials = fractions.shape
    places = fractions.reshape(-1, materials).argmax(axis=0)
    return [(int(place) // m, int(place) % m) for place in places]


def show(name: str, found: Found, size: int) -> None:
    """Print times and moments."""
    m = len(found.maps)
    print(f"{name}: {m} × {m} cells of {size}² pixels")
    seconds = {"generation": found.generation, "homogenization": found.homogenization}
    for step, each in seconds.items():
        print(f"  {step:<15}{each:>8.3f} s{each / m**2 * 1e6:>9.1f} µs a cell")
    for k, component in enumerate(NAMES):
        values = found.maps[..., k]
        near = np.corrcoef(values[1:].ravel(), values[:-1].ravel())[0, 1]
        print(
            f"  {component}  mean {values.mean():>6.3f}  deviation {values.std():.3f} W/(m K)"
            f"  correlation of neighbours {near:.3f}"
        )


def draw(path: str, found: Found, fields: tuple[str, tuple[str, ...]], zoom: str) -> None:
    """Draw fields, zooms of the cells and maps of the components, in three rows."""
    figure = Figure(figsize=(10.4, 10.8), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    rows = figure.subfigures(3, 1, height_ratios=(1.05, 1.1, 1), hspace=0.03)
    draw_fields(rows[0], found, *fields)
    draw_zooms(rows[1], found, zoom)
    rows[2].suptitle(
        f"Effective conductivity of each of the {len(found.maps)} × {len(found.maps)} cells",
        x=0.01, ha="left", fontsize=10.5, color=INK,
    )  # fmt: skip
    for k, axes in enumerate(rows[2].subplots(1, 3)):
        values = found.maps[..., k]
        most = np.abs(values).max()
        colours = ("RdBu_r", Normalize(-most, most)) if k == 2 else ("viridis", None)
        image = draw_map(axes, values, *colours)
        rows[2].colorbar(image, ax=axes, fraction=0.046)
        axes.set_title(f"{NAMES[k]}  (W/(m K))", fontsize=9, color=INK)
    figure.savefig(path, dpi=110)


def draw_fields(row: SubFigure, found: Found, title: str, names: tuple[str, ...]) -> None:
    """Draw the fields behind the specimen."""
    row.suptitle(f"{title}\n", x=0.01, ha="left", fontsize=10.5, color=INK)
    panels = row.subplots(1, 3)
    for k, axes in enumerate(panels):
        image = draw_map(axes, found.fields[k], "cividis", Normalize(0, 1))
        axes.set_title(names[k], fontsize=9, color=INK)
        for first, side, _ in found.zooms:
            m = len(found.maps)
            box = Rectangle((first[0] / m, first[1] / m), side / m, side / m)
            box.set(facecolor="none", edgecolor=FRAME, linewidth=1.4)
            axes.add_patch(box)
    row.colorbar(image, ax=panels, shrink=0.9, pad=0.01)


def draw_zooms(row: SubFigure, found: Found, title: str) -> None:
    """Draw pixels of some cells."""
    row.suptitle(title, x=0.01, ha="left", fontsize=10.5, color=INK)
    for axes, (first, side, labels) in zip(row.subplots(1, 3), found.zooms, strict=True):
        ends = (first[0], first[0] + side, first[1], first[1] + side)
        axes.imshow(
            labels.T, cmap=MATERIALS, vmin=0, vmax=2, origin="lower", extent=ends,
            interpolation="nearest",
        )  # fmt: skip
        axes.set(xlabel="cell along axis 0", ylabel="cell along axis 1")
        for spine in axes.spines.values():
            spine.set(color=FRAME, linewidth=1.4)
        axes.xaxis.get_major_locator().set_params(integer=True, nbins=6)
        axes.yaxis.get_major_locator().set_params(integer=True, nbins=6)
    handles = [
        Patch(color=MATERIALS(k), label=f"material {k + 1}, {a:g} W/(m K)")
        for k, a in enumerate(CONDUCTIVITY)
    ]
    row.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False, fontsize=9)


def draw_map(axes: Axes, values: Array, cmap: str, norm: Normalize | None) -> AxesImage:
    """Draw values of the cells, with axis 0 to the right and axis 1 upwards."""
    image = axes.imshow(
        values.T, cmap=cmap, norm=norm, origin="lower", extent=(0, 1, 0, 1), interpolation="nearest"
    )
    axes.set(xlabel="x₁ / side", ylabel="x₂ / side", xticks=[0, 0.5, 1], yticks=[0, 0.5, 1])
    return image


def main() -> None:
    """Generate, homogenize, print and draw both specimens."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", default="specimens", help="how the figures' names begin")
    parser.add_argument("--cells", type=int, default=100, help="along a side of the specimen")
    parser.add_argument("--size", type=int, default=64, help="pixels along a side of a cell")
    parser.add_argument("--sites", type=int, default=100, help="grains in a cell of the second one")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    found = periodic(options.cells, options.size, options.seed)
    show("locally periodic", found, options.size)
    names = tuple(f"seed of material {k}" for k in (1, 2, 3))
    title = "Seeds of the cells: coordinate along axis 0, in sides of the cell"
    zoom = "Cells, with the seeds that each point has"
    draw(f"{options.output}_periodic.png", found, (title, names), zoom)
    found = stationary(options.cells, options.size, options.sites, options.seed)
    show("locally stationary", found, options.size)
    names = tuple(f"v{'₁₂₃'[k]}, material {k + 1}" for k in range(3))
    title = f"Fractions of the materials, Dirichlet{tuple(int(a) for a in ALPHA)} at each point"
    zoom = f"Cells of {options.sites} grains, where v₁, v₂ and v₃ are largest"
    draw(f"{options.output}_stationary.png", found, (title, names), zoom)


if __name__ == "__main__":
    main()
