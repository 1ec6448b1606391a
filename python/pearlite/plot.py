"""Pictures of microstructures, their fields and their effective conductivities.

matplotlib is imported by the functions that draw, and only its Agg canvas: no window, no state.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pearlite import _fields
from pearlite._fields import fluxes as fluxes  # public here
from pearlite._fields import gradients as gradients
from pearlite.io.errors import known_ending, optional
from pearlite.io.writing import replacing

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
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#999933", "#444444")
INK = "#333333"
SUBSCRIPTS = "₁₂₃"
STYLE = {
    "font.size": 9.0,
    "axes.titlesize": 10.0,
    "axes.titlelocation": "left",
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.6,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "text.color": INK,
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
    """Solve one image (conductivities, or labels with phases) for the fields to draw.

    Parameters
    ----------
    title : str
        Its name.
    image : (n0, n1) array
        Conductivities, or labels with phases.
    phases : (P,) or (P, 2, 2) array, optional
        Conductivity of each label.
    spacing : 2 floats, optional
        Size of a pixel along each axis; by default pixels are squares and the longer side is 1.
    unit : str
        Unit of length of the spacing.

    Returns
    -------
    Cell

    Raises
    ------
    TypeError, ValueError
        As for `pearlite.solve_correctors`.

    Examples
    --------
    >>> cell = solved_cell("layers", np.array([[0, 1], [0, 1]]), np.array([1.0, 10.0]))
    >>> cell.conductivity
    array([[ 1., 10.],
           [ 1., 10.]])
    """
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

    Examples
    --------
    >>> import pearlite as pl
    >>> volume, phases = np.zeros((4, 6, 8), np.uint8), np.array([1.0, 10.0])
    >>> volume[1] = 1
    >>> found = pl.solve_correctors(volume, phases=phases, dim=3)
    >>> [cell.conductivity.shape for cell in sections("a", volume, found.correctors[0], phases)]
    [(4, 6), (4, 8), (6, 8)]
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
        name = f"{title}, middle of x{SUBSCRIPTS[normal]}"
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

    Examples
    --------
    >>> import pearlite as pl
    >>> balls = pl.microstructures.spheres(1, (48, 48, 48), number=12, fraction=0.3, seed=1)[0]
    >>> pl.plot.surface("balls.png", balls, 1)  # doctest: +SKIP
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

    Examples
    --------
    >>> import tempfile
    >>> cell = solved_cell("layers", np.array([[0, 1], [0, 1]]), np.array([1.0, 10.0]))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(f"{folder}/layers.png", [cell], unit="W/(m K)")
    ...     os.listdir(folder)
    ['layers.png']
    """
    ending = picture_format(path)
    matplotlib = optional("matplotlib", "plot", "drawing")
    optional("matplotlib.figure", "plot", "drawing")
    from pearlite import _cell_picture

    with matplotlib.rc_context(STYLE):
        figure = _cell_picture.draw(cells, populations, unit)
        with replacing(path) as temporary:
            figure.savefig(temporary, format=ending[1:], dpi=160)


def picture_format(path: str | os.PathLike[str]) -> str:
    """Tell the format of a picture by its ending, and that it can be drawn, before any work.

    Parameters
    ----------
    path : str or path
        Name of the file; nothing is written.

    Returns
    -------
    str
        The ending, in lower case.

    Raises
    ------
    FileError
        If the ending is unknown, or matplotlib is not installed.

    Examples
    --------
    >>> picture_format("cells.svg")
    '.svg'
    """
    ending = known_ending(path, FORMATS)
    optional("matplotlib", "plot", "drawing")
    return ending
