"""`pearlite homogenize --fields`: one cell's gradient and flux as VTK image data."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pearlite import _fields, corrector, io, plot
from pearlite.cli import terminal
from pearlite.io import vti

if TYPE_CHECKING:
    from pearlite.cli.homogenize import Order, Source

_FLOAT32_RTOL = 1e-6  # from here on float32, with 6e-8, holds all that is asked for


def solve(source: Source, order: Order) -> corrector.Correctors:
    """Solve the only image of a source: its tensor and correctors, in float32 if that will do."""
    from pearlite.cli.homogenize import solver_options

    options = solver_options(source, order)
    image = source.images
    narrow = order.rtol >= _FLOAT32_RTOL
    if order.phases is not None:
        image = order.phases.labels(image)
        if narrow:
            options["phases"] = options["phases"].astype(np.float32)
    elif narrow:
        image = np.asarray(image, np.float32)
    try:
        found = corrector.solve_correctors(image, **options)
    except ValueError as error:
        raise io.FileError(f"{source.name}: {error}") from error
    shape = (*source.batch, source.dim, source.dim)
    return corrector.Correctors(
        found.effective.reshape(shape),
        found.correctors[0],
        found.iterations,
        found.residual,
        found.converged,
    )


def cells(
    name: str, source: Source, index: int, order: Order, found: corrector.Correctors | None
) -> list[plot.Cell]:
    """Return what is drawn of one image: the cell, or sections through a volume."""
    from pearlite.cli.homogenize import spacing_of

    image, phases = np.asarray(source.images[index]), None
    if order.phases is not None:
        image, phases = order.phases.labels(image), order.phases.conductivities
    sizes = spacing_of(source, order)
    if source.dim == 2:
        return [plot.solved_cell(name, image, phases, sizes, source.unit)]
    if found is None:
        found = solve(replace(source, images=source.images[index : index + 1], batch=()), order)
    return plot.sections(name, image, found.correctors[0], phases, sizes, source.unit)


def write(
    path: Path, source: Source, order: Order, found: corrector.Correctors, progress: bool
) -> None:
    """Write the structure, and both fields under the unit mean gradient along the load's axis."""
    from pearlite.cli.homogenize import spacing_of

    if not found.converged.all():
        raise io.FileError(f"{path}: not written, the cell did not reach --rtol {order.rtol:g}")
    image, shape = source.images[0], source.shape
    # Those that the solver takes where none are given.
    sizes = spacing_of(source, order) or (1 / max(shape),) * source.dim
    chi = found.correctors[order.load]

    def conductivity(part: slice) -> npt.NDArray[Any]:
        layers: npt.NDArray[Any] = image[..., part]
        if order.phases is None:
            return layers
        values: npt.NDArray[Any] = order.phases.conductivities[order.phases.labels(layers)]
        return values

    def gradient(part: slice) -> npt.NDArray[Any]:
        slopes: npt.NDArray[Any] = _fields.gradient_layers(chi, sizes, order.load, part)
        return np.moveaxis(slopes, 0, -1)

    def flux(part: slice) -> npt.NDArray[Any]:
        slopes = _fields.gradient_layers(chi, sizes, order.load, part)
        carried: npt.NDArray[Any] = _fields.fluxes(conductivity(part), slopes)
        return np.moveaxis(carried, 0, -1)

    structure = vti.Field(lambda part: image[..., part], image.dtype)
    fields = {
        "conductivity" if order.phases is None else "label": structure,
        "gradient": vti.Field(gradient, np.float32, source.dim),
        "flux": vti.Field(flux, np.float32, source.dim),
    }
    done, total = 0, len(fields) * image.size
    with (
        terminal.steps("writing fields", path.name, progress) as bar,
        io.replacing(path) as temporary,
    ):

        def advance(pixels: int) -> None:
            nonlocal done
            done += pixels
            if bar is not None:
                bar(done, total)

        vti.write_fields(temporary, shape, fields, sizes, advance)
