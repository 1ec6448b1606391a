"""Draws cells with their fields, and histograms of tensors; see `pearlite.plot.save`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pearlite.plot import COLOURS, SUBSCRIPTS, Cell, Fields

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colorbar import Colorbar
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

_STRUCTURE, _GRADIENT, _FLUX = "cividis", "magma", "viridis"
_LINES = 16


def draw(cells: Sequence[Cell], populations: Sequence[tuple[str, Fields]], unit: str) -> Figure:
    """Draw cells, a row each, and the histogram of A11 of populations of tensors below."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    heights = [3.3] * len(cells) + [2.6] * bool(populations)
    layout = ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.08, hspace=0.04, wspace=0.03)
    figure = Figure(figsize=(11, sum(heights)), layout=layout, facecolor="white")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(len(heights), 3, height_ratios=heights)
    for row, cell in enumerate(cells):
        axes = [figure.add_subplot(grid[row, column]) for column in range(3)]
        _draw_structure(axes[0], cell, unit)
        _draw_gradient(axes[1], cell)
        _draw_flux(axes[2], cell, unit)
    if populations:
        _draw_histogram(figure.add_subplot(grid[len(cells), :]), populations, unit)
    return figure


def _draw_structure(axes: Axes, cell: Cell, unit: str) -> None:
    from matplotlib import colormaps
    from matplotlib.colors import BoundaryNorm, ListedColormap

    shown = cell.conductivity
    label = "conductivity"
    if shown.ndim == 4:
        shown = np.trace(shown, axis1=-2, axis2=-1) / shown.shape[-1]
        label = "mean conductivity"
    label += f" ({unit})" if unit else ""
    levels = np.unique(shown)
    if len(levels) > 12:
        image = axes.imshow(shown, cmap=_STRUCTURE, extent=_extent(cell), interpolation="nearest")
        _bar(axes, image, label)
    else:
        colours = ListedColormap(colormaps[_STRUCTURE](np.linspace(0.08, 0.95, len(levels))))
        norm = BoundaryNorm(np.arange(len(levels) + 1) - 0.5, len(levels))
        index = np.searchsorted(levels, shown)
        image = axes.imshow(
            index, cmap=colours, norm=norm, extent=_extent(cell), interpolation="nearest"
        )
        bar = _bar(axes, image, label, ticks=range(len(levels)))
        bar.ax.set_yticklabels([f"{level:g}" for level in levels])
        bar.ax.tick_params(length=0)
    axes.set_title(cell.title)
    _label_axes(axes, cell)


def _draw_gradient(axes: Axes, cell: Cell) -> None:
    size = np.hypot.reduce(cell.gradient)
    # The few pixels at sharp corners would darken all the rest.
    top = float(np.quantile(size, 0.995))
    image = axes.imshow(
        size, cmap=_GRADIENT, vmin=0, vmax=top, extent=_extent(cell), interpolation="nearest"
    )
    _bar(axes, image, "|e₁ + ∇χ₁|", extend="max")
    axes.set_title("temperature gradient, mean e₁" + _direction(cell))
    _label_axes(axes, cell)


def _draw_flux(axes: Axes, cell: Cell, unit: str) -> None:
    size = np.hypot.reduce(cell.flux)
    known = size[np.isfinite(size)]  # in perfect conductors it is not
    top = float(np.quantile(known, 0.995)) if known.size else 1.0
    image = axes.imshow(
        size, cmap=_FLUX, vmin=0, vmax=top, extent=_extent(cell), interpolation="nearest"
    )
    label = "|A (e₁ + ∇χ₁)|" + (f" ({unit})" if unit else "")
    _bar(axes, image, label, extend="max")
    if len(cell.flux) == 2:
        _draw_flux_lines(axes, cell)
        axes.set_title("heat flux, lines of equal shares")
    else:
        axes.set_title("heat flux, mean gradient e₁" + _direction(cell))
    _label_axes(axes, cell)


def _draw_flux_lines(axes: Axes, cell: Cell) -> None:
    """Draw lines of flux between which equal amounts of heat flow."""
    h0, h1 = cell.spacing or (1.0, 1.0)
    _, n0, n1 = cell.flux.shape
    x0, x1 = (np.arange(n0) + 0.5) * h0, (np.arange(n1) + 0.5) * h1
    middle = n0 // 2
    carried = np.cumsum(np.maximum(cell.flux[0, middle], 0))
    shares = (np.arange(_LINES) + 0.5) / _LINES * carried[-1]
    starts = np.clip(np.interp(shares, carried, x1 + 0.5 * h1), x1[0], x1[-1])
    axes.streamplot(
        x1,
        x0,
        -cell.flux[1],  # heat flows against the gradient
        -cell.flux[0],
        start_points=np.column_stack([starts, np.full(_LINES, x0[middle])]),
        density=8,
        color="white",
        linewidth=0.8,
        arrowsize=0.8,
        broken_streamlines=False,
    )
    axes.set_xlim(0, n1 * h1)
    axes.set_ylim(n0 * h0, 0)


def _bar(axes: Axes, image: AxesImage, label: str, **options: Any) -> Colorbar:
    """Set a colour bar beside the axes, of their height."""
    place = axes.inset_axes((1.04, 0, 0.05, 1))
    bar: Colorbar = axes.figure.colorbar(image, cax=place, label=label, **options)
    return bar


def _draw_histogram(axes: Axes, populations: Sequence[tuple[str, Fields]], unit: str) -> None:
    from matplotlib.ticker import MaxNLocator

    values = [(name, _finite(tensors[..., 0, 0].ravel())) for name, tensors in populations]
    everything = np.concatenate([a11 for _, a11 in values])
    edges = np.histogram_bin_edges(
        everything, bins=min(50, max(10, len(everything) // 12))
    ).tolist()
    for (name, a11), colour in zip(values, COLOURS, strict=False):
        axes.hist(a11, bins=edges, color=colour, alpha=0.35)
        axes.hist(
            a11,
            bins=edges,
            histtype="step",
            color=colour,
            label=f"{name}: {a11.mean():.3f} ± {a11.std():.3f} (mean ± std of {len(a11):,})",
        )
    axes.set_title("effective conductivity")
    axes.set_xlabel("A₁₁" + (f" ({unit})" if unit else ""))
    axes.set_ylabel("cells")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)


def _finite(values: Fields) -> Fields:
    return values[np.isfinite(values)]


def _extent(cell: Cell) -> tuple[float, float, float, float]:
    n0, n1 = cell.conductivity.shape[:2]
    h0, h1 = cell.spacing or (1.0, 1.0)
    return 0, n1 * h1, n0 * h0, 0


def _direction(cell: Cell) -> str:
    """Show where the first axis points in a picture."""
    return {0: " ↓", 1: " →"}[cell.axes.index(0)] if 0 in cell.axes else ", into the page"


def _label_axes(axes: Axes, cell: Cell) -> None:
    what = "pixels" if cell.spacing is None else cell.unit or "length"
    down, right = (SUBSCRIPTS[axis] for axis in cell.axes)
    axes.set_xlabel(f"x{right} ({what})")
    if axes.get_subplotspec().is_first_col():  # type: ignore[union-attr]  # it is in a grid
        axes.set_ylabel(f"x{down} ({what})")
