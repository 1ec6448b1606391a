"""The surface of a phase of a volume, drawn without a window."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pearlite._errors import brief
from pearlite.io.errors import known_ending, optional
from pearlite.io.images import pixel_sizes
from pearlite.io.writing import replacing

_COLOUR = "#EBB26B"
_WINDOW = (1000, 1000)  # pixels


def surface(
    path: str | os.PathLike[str],
    labels: npt.NDArray[Any],
    phase: int,
    *,
    spacing: float | Sequence[float] | None = None,
    smoothing: int = 20,
) -> None:
    """Draw the surface of one phase of a volume; see `pearlite.plot.surface`."""
    known_ending(path, (".png",))
    mask, sizes = _checked(labels, phase, spacing)
    if isinstance(smoothing, bool) or not isinstance(smoothing, int) or smoothing < 0:
        raise ValueError(f"smoothing is {brief(smoothing)}; expected a number of steps from 0")
    pyvista = optional("pyvista", "vtk", "drawing a surface")
    # A layer of nothing around it closes the phase at the faces.
    grid = pyvista.ImageData(dimensions=np.array(mask.shape) + 2, spacing=sizes)
    grid.point_data["phase"] = np.pad(mask, 1).astype(np.float32).ravel(order="F")
    mesh = grid.contour([0.5], scalars="phase")
    if smoothing:  # steps between voxels are not there in the medium
        mesh = mesh.smooth_taubin(n_iter=smoothing, pass_band=0.1)
    plotter = pyvista.Plotter(off_screen=True, window_size=_WINDOW)
    try:
        plotter.set_background("white")
        plotter.add_mesh(mesh, color=_COLOUR, smooth_shading=True, ambient=0.25)
        plotter.add_mesh(grid.outline(), color="#333333", line_width=2)
        plotter.add_axes(xlabel="x1", ylabel="x2", zlabel="x3", color="#333333")
        plotter.view_isometric()
        plotter.camera.zoom(0.9)
        with replacing(path) as temporary:
            picture = plotter.screenshot(return_img=True)
            optional("PIL.Image", "images", "writing PNG").fromarray(picture).save(
                temporary, format="PNG"
            )
    finally:
        plotter.close()


def _checked(
    labels: npt.NDArray[Any], phase: int, spacing: float | Sequence[float] | None
) -> tuple[npt.NDArray[np.bool_], tuple[float, ...]]:
    if not isinstance(labels, np.ndarray) or labels.dtype.kind not in "biu":
        got = getattr(labels, "dtype", type(labels).__name__)
        raise TypeError(f"labels is {got}; expected an array of integers or booleans")
    if labels.ndim != 3 or labels.size == 0:
        raise ValueError(f"labels has shape {labels.shape}; expected (n0, n1, n2)")
    sizes = pixel_sizes(1.0 if spacing is None else spacing, labels.shape)
    mask: npt.NDArray[np.bool_] = np.asarray(labels == phase, np.bool_)
    if not mask.any():
        raise ValueError(f"phase is {brief(phase)}, which no voxel of labels is; expected a label")
    return mask, sizes
