"""Files of an ensemble."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pearlite.io import image_format, replacing, write_image
from pearlite.io.errors import file_name, known_ending, optional

if TYPE_CHECKING:
    from pearlite.generation._ensemble import Ensemble

ENDINGS = (".npy", ".h5", ".hdf5", ".tif", ".tiff", ".png", ".vti")
_EACH = (".png", ".vti")  # one image in a file


def check_ending(path: str | os.PathLike[str], dimension: int = 2) -> str:
    """Tell the format of a file by its ending, and that it can be written, before any work."""
    known_ending(path, ENDINGS)
    return image_format(path, dimension)


def files(path: str | os.PathLike[str], count: int) -> list[Path]:
    """Return the names of the files that `count` images are written to.

    Examples
    --------
    >>> [file.name for file in files("out.png", 2)]
    ['out_0000.png', 'out_0001.png']
    """
    target = Path(file_name(path))
    if count == 1 or target.suffix.lower() not in _EACH:
        return [target]
    digits = max(4, len(str(count - 1)))
    return [target.with_name(f"{target.stem}_{k:0{digits}}{target.suffix}") for k in range(count)]


def save(
    ensemble: Ensemble, path: str | os.PathLike[str], spacing: float | Sequence[float] | None
) -> list[Path]:
    """Write an ensemble; see `Ensemble.save`."""
    ending = check_ending(path, len(ensemble.shape))
    names = files(path, len(ensemble))
    if ending in _EACH:
        for name, image in zip(names, ensemble.images, strict=True):
            shade = _greys(image, ensemble.phases) if ending == ".png" else image
            write_image(name, shade, spacing=spacing)
        return names
    with replacing(names[0]) as temporary:
        if ending == ".npy":
            with temporary.open("wb") as file:
                np.save(file, ensemble.images)
        elif ending in (".tif", ".tiff"):
            _write_tiff(temporary, ensemble.images)
        else:
            _write_hdf5(temporary, ensemble, spacing)
    return names


def _greys(image: NDArray[np.uint8], phases: int) -> NDArray[np.uint8]:
    """Spread labels from black to white."""
    return (image.astype(np.uint16) * 255 // max(phases - 1, 1)).astype(np.uint8)


def _write_tiff(path: Path, images: NDArray[np.uint8]) -> None:
    tifffile = optional("tifffile", "images", "writing TIFF")
    pages = images.reshape(-1, *images.shape[-2:])
    tifffile.imwrite(path, pages, photometric="minisblack", compression="zlib")


def _write_hdf5(path: Path, ensemble: Ensemble, spacing: float | Sequence[float] | None) -> None:
    h5py = optional("h5py", "batch", "writing HDF5")
    options = {"compression": "gzip", "compression_opts": 1}
    sizes = [1 / n for n in ensemble.shape] if spacing is None else spacing
    with h5py.File(path, "w") as file:
        data = file.create_dataset(
            "images", data=ensemble.images, chunks=(1, *ensemble.shape), **options
        )
        if ensemble.fields is not None:
            file.create_dataset(
                "fields", data=ensemble.fields, chunks=(1, *ensemble.shape), **options
            )
        data.attrs["spacing"] = np.broadcast_to(np.asarray(sizes, np.float64), len(ensemble.shape))
        for key, value in ensemble.about().items():
            data.attrs[key] = value
        history = file.create_group("history")
        history["sigma"] = ensemble.history.sigma
        history["deviation"] = ensemble.history.deviation
