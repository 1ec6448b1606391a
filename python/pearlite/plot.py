"""Pictures of microstructures, their fields and their effective conductivities.

matplotlib is imported by the functions that draw, and only its Agg canvas: no window, no state.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pearlite import _fields
from pearlite._fields import fluxes as fluxes  # public here
from pearlite._fields import gradients as gradients
from pearlite.io.errors import known_ending, optional
from pearlite.io.writing import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colorbar import Colorbar
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

__all__ = [
    "COLOURS",
    "Cell",
    "fluxes",
    "gradients",
    "picture_format",
    "save",
    "sections",
    "solved_cell",
    "surface",
]

Fields = npt.NDArray[np.floating[Any]]

FORMATS = (".png", ".pdf", ".svg")
# Okabe and Ito's palette, told apart by colour-blind eyes; fields use perceptually even maps.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
_STRUCTURE, _GRADIENT, _FLUX = "cividis", "magma", "viridis"
_INK = "#333333"
_SUBSCRIPTS = "₁₂₃"
_LINES = 16
STYLE = {
    "font.size": 9.0,
    "axes.titlesize": 10.0,
    "axes.titlelocation": "left",
    "axes.edgecolor": _INK,
    "axes.labelcolor": _INK,
    "axes.linewidth": 0.6,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "text.color": _INK,
    "svg.fonttype": "none",
}


@dataclass(frozen=True)
class Cell:
    """What is drawn of one cell, or of a section through a volume, under one mean gradient.

    Attributes
    ----------
    title : str
        Name of the cell.
    conductivity : (n0, n1) or (n0, n1, d, d)
        Conductivity of the pixels.
    gradient, flux : (d, n0, n1)
        e_1 + ∇χ_1 and A (e_1 + ∇χ_1) at the pixel centres; d is 2, or 3 in a section.
    spacing : (h0, h1), optional
        Pixel sizes for the axes, which otherwise count pixels.
    unit : str
        Unit of length of the spacing.
    axes : (int, int)
        The axes of the array that are drawn downwards and to the right.
    """

    title: str
    conductivity: Fields
    gradient: Fields
    flux: Fields
    spacing: tuple[float, ...] | None = None
    unit: str = ""
    axes: tuple[int, int] = (0, 1)


def solved_cell(
    title: str,
    image: npt.NDArray[Any],
    phases: Fields | None = None,
    spacing: tuple[float, ...] | None = None,
    unit: str = "",
) -> Cell:
    """Solve one image (conductivities, or labels with phases) for the fields to draw."""
    from pearlite.corrector import solve_correctors

    tensor = phases is not None and phases.ndim == 3
    solution = solve_correctors(image, phases=phases, tensor=tensor, spacing=spacing or 1.0)
    gradient = gradients(solution.correctors, spacing or (1.0, 1.0))[0]
    conductivity = image if phases is None else phases[image]
    return Cell(title, conductivity, gradient, fluxes(conductivity, gradient), spacing, unit)


def sections(
    title: str,
    volume: npt.NDArray[Any],
    corrector: Fields,
    phases: Fields | None = None,
    spacing: tuple[float, ...] | None = None,
    unit: str = "",
) -> list[Cell]:
    """Cut a volume through its middle normal to each axis, with the fields under mean gradient e₁.

    Parameters
    ----------
    title : str
        Name of the volume.
    volume : (n0, n1, n2)
        Conductivities, or labels with phases.
    corrector : (n0, n1, n2)
        χ_1 at the corners of voxels, as `solve_correctors` gives it.
    phases : (P,) or (P, 3, 3), optional
        Conductivity of each label.
    spacing : 3 floats, optional
        Size of a voxel, in the corrector's unit of length; without it the corrector's is that of a
        cell whose longest side is 1, as the solver's default is.
    unit : str
        Unit of length of the spacing.

    Returns
    -------
    cells : list of three Cell
        Normal to axes 2, 1 and 0.
    """
    sizes = spacing or (1 / max(volume.shape),) * 3
    cells = []
    for normal in (2, 1, 0):
        order = [axis for axis in range(3) if axis != normal] + [normal]
        middle = volume.shape[normal] // 2
        layer = _fields.gradient_layers(
            corrector.transpose(order), [sizes[axis] for axis in order], order.index(0),
            slice(middle, middle + 1),
        )[..., 0]  # fmt: skip
        gradient = layer[[order.index(axis) for axis in range(3)]]
        section = volume.take(middle, axis=normal)
        conductivity = section if phases is None else phases[section]
        flux = fluxes(conductivity, gradient)
        shown = None if spacing is None else (spacing[order[0]], spacing[order[1]])
        name = f"{title}, middle of x{_SUBSCRIPTS[normal]}"
        cells.append(Cell(name, conductivity, gradient, flux, shown, unit, (order[0], order[1])))
    return cells


def surface(
    path: str | os.PathLike[str],
    labels: npt.NDArray[Any],
    phase: int,
    *,
    spacing: float | Sequence[float] | None = None,
    smoothing: int = 20,
) -> None:
    """Draw the surface of one phase of a volume, closed at the faces, without a window.

    Parameters
    ----------
    path : str or path
        `.png`.
    labels : (n0, n1, n2) array of integers or booleans
    phase : int
        The label whose surface is drawn.
    spacing : float or 3 floats, optional
        Size of a voxel; cubes by default.
    smoothing : int
        Steps of G. Taubin's filter (SIGGRAPH 1995), which keeps the volume; 0 shows the voxels'
        own isosurface.

    Raises
    ------
    FileError
        If the file cannot be written, or pyvista is missing.
    TypeError, ValueError
        If an argument has no meaning; the message names it.
    """
    from pearlite import _surface_picture

    _surface_picture.surface(path, labels, phase, spacing=spacing, smoothing=smoothing)


def save(
    path: str | os.PathLike[str],
    cells: Sequence[Cell],
    populations: Sequence[tuple[str, Fields]] = (),
    *,
    unit: str = "",
) -> None:
    """Draw cells, a row each, and the histogram of A11 of populations of tensors below.

    Parameters
    ----------
    path : str or path
        `.png`, `.pdf` or `.svg`.
    cells : sequence of Cell
        One row each: microstructure, size of the gradient, size of the flux and, of a cell of two
        axes, its lines.
    populations : sequence of (name, (N, 2, 2)), optional
        Effective conductivities whose A11 are counted.
    unit : str
        Unit of the conductivities, for the labels.

    Raises
    ------
    FileError
        If the file cannot be written, or matplotlib is missing.
    """
    ending = picture_format(path)
    matplotlib = optional("matplotlib", "plot", "drawing")
    optional("matplotlib.figure", "plot", "drawing")
    with matplotlib.rc_context(STYLE):
        figure = _draw(cells, populations, unit)
        with replacing(path) as temporary:
            figure.savefig(temporary, format=ending[1:], dpi=160)


def picture_format(path: str | os.PathLike[str]) -> str:
    """Tell the format of a picture by its ending, and that it can be drawn, before any work."""
    ending = known_ending(path, FORMATS)
    optional("matplotlib", "plot", "drawing")
    return ending


def _draw(cells: Sequence[Cell], populations: Sequence[tuple[str, Fields]], unit: str) -> Figure:
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
    down, right = (_SUBSCRIPTS[axis] for axis in cell.axes)
    axes.set_xlabel(f"x{right} ({what})")
    if axes.get_subplotspec().is_first_col():  # type: ignore[union-attr]  # it is in a grid
        axes.set_ylabel(f"x{down} ({what})")
