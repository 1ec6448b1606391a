"""The picture of `pearlite tessellate --plot`: sections through the cells, and their volumes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pearlite import plot
from pearlite.io.errors import optional
from pearlite.io.writing import replacing

_INCH = 3.4  # of a panel
_LINE = 500  # points along a panel, one of which is a line between cells


def draw(
    path: Path,
    labels: npt.NDArray[Any],  # (n0, n1) or (n0, n1, n2)
    volumes: npt.NDArray[np.float64],  # (K,)
    spacing: Sequence[float],
) -> None:
    """Draw the cells, or three sections through the middle, and the histogram of their volumes."""
    figure_module = optional("matplotlib.figure", "plot", "drawing")
    backend = optional("matplotlib.backends.backend_agg", "plot", "drawing")
    style = optional("matplotlib", "plot", "drawing")
    with style.rc_context(plot.STYLE):
        panels = _sections(labels, spacing)
        rows, columns = (1, 2) if len(panels) == 1 else (2, 2)
        size = (_INCH * columns, _INCH * rows)
        figure = figure_module.Figure(figsize=size, layout="constrained")
        backend.FigureCanvasAgg(figure)
        axes = figure.subplots(rows, columns).ravel()
        for axis, (title, section, sides, names) in zip(axes, panels, strict=False):
            axis.imshow(_painted(section), origin="lower", extent=(0, sides[1], 0, sides[0]))
            axis.set(title=title, xlabel=names[1], ylabel=names[0])
        _histogram(axes[-1], volumes, labels.ndim)
        with replacing(path) as temporary:
            figure.savefig(temporary, format=path.suffix[1:].lower(), dpi=200)


def _sections(
    labels: npt.NDArray[Any], spacing: Sequence[float]
) -> list[tuple[str, npt.NDArray[Any], tuple[float, float], str]]:
    """Return (title, section, sides, names of its axes), vertical before horizontal."""
    sides = [n * h for n, h in zip(labels.shape, spacing, strict=True)]
    if labels.ndim == 2:
        return [("cells", labels.T, (sides[1], sides[0]), "yx")]
    return [
        (f"middle of {'xyz'[a]}", section.T, (sides[c], sides[b]), "xyz"[c] + "xyz"[b])
        for a, b, c in ((2, 0, 1), (1, 0, 2), (0, 1, 2))
        for section in [labels.take(labels.shape[a] // 2, axis=a)]
    ]


def _painted(section: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Return colours (n0, n1, 3): a muted one for each label, and dark lines between cells."""
    # Pixels are divided so that the lines are thin.
    section = np.kron(section, np.ones((max(1, _LINE // max(section.shape)),) * 2, section.dtype))
    # A label's colour does not depend on the others: the golden ratio spreads hues evenly.
    label = section.astype(np.float64)
    hue, light = (label * 0.6180339887498949) % 1, 0.72 + 0.2 * ((label * 0.7548776662466927) % 1)
    angle = 2 * np.pi * (hue[..., None] + np.array([0, 1 / 3, 2 / 3]))
    colours = light[..., None] * (1 + 0.22 * np.cos(angle)) / 1.22
    border = np.zeros(section.shape, bool)
    border[:-1] |= section[:-1] != section[1:]
    border[:, :-1] |= section[:, :-1] != section[:, 1:]
    colours[border] *= 0.35
    return np.asarray(colours)


def _histogram(axis: Any, volumes: npt.NDArray[np.float64], dimension: int) -> None:
    name = "area" if dimension == 2 else "volume"
    full = volumes[volumes > 0]
    axis.hist(
        full / full.mean(), bins=min(60, max(8, round(len(full) ** 0.5))), color=plot.COLOURS[0]
    )
    axis.set(title=f"{name}s of {len(full)} cells", xlabel=f"{name} / mean", ylabel="cells")
    axis.spines[["top", "right"]].set_visible(False)
