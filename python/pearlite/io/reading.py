"""Read images and volumes from files."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pearlite.io import arrays, flat, metaimage, nrrd, pictures, vti_reading
from pearlite.io.errors import FileError, file_name, one_line, shown
from pearlite.io.grids import Grid

Reader = Callable[[Path, str | None], npt.NDArray[Any] | Grid]

_READERS: dict[str, Reader] = {
    ".png": pictures.read_png,
    ".tif": pictures.read_tiff,
    ".tiff": pictures.read_tiff,
    ".npy": arrays.read_npy,
    ".npz": arrays.read_npz,
    ".h5": arrays.read_hdf5,
    ".hdf5": arrays.read_hdf5,
    ".zarr": arrays.read_zarr,
    ".vti": vti_reading.read,
    ".mha": metaimage.read,
    ".mhd": metaimage.read,
    ".nrrd": nrrd.read,
    ".nhdr": nrrd.read,
    ".raw": flat.read_raw,
}
_INSIDE = re.compile(r"(?P<path>.+\.(?:npz|h5|hdf5|zarr|vti|raw))/?:(?P<name>.+)", re.IGNORECASE)


def read_images(path: str | os.PathLike[str]) -> npt.NDArray[Any]:
    """Read one image, volume or a batch of them; the last axes are those of an image.

    Parameters
    ----------
    path : str or path
        What the ending says it is:

        - `.png`: grey values as they are, 8 or 16 bits (fewer bits are spread over 0…255; 1 bit
          gives 0 and 1); a palette image gives its indices; colour is accepted only if the three
          channels are equal and nothing is transparent.
        - `.tif`, `.tiff`: the same, and a stack of pages is a batch, or axis 0 of a volume.
        - `.npy`: mapped into memory, not loaded.
        - `.npz`, `file.npz:name`; `.h5`, `.hdf5`, `file.h5:/dataset`; `store.zarr`,
          `store.zarr:/array`; `.vti`, `file.vti:name` (VTK): the name may be left out where there
          is only one array.
        - `.mha`, `.mhd` (MetaImage), `.nrrd`, `.nhdr`: mapped into memory unless packed.
        - `file.raw:512x512x512:uint8`: bare numbers in C order, mapped into memory; `:>u2` are
          two bytes with the higher one first, and `:uint8:1024` begin behind 1024 bytes.

        Axis 0 is x, which counts fastest, in VTK, MetaImage and NRRD files, and the pages of a
        TIFF.

    Returns
    -------
    images : (..., n0, n1) uint8 … int64, float32 or float64
        In the machine's byte order; booleans become uint8, float16 becomes float32.

    Raises
    ------
    FileError
        If the file is missing, damaged, or holds no images; the message is one line.

    See Also
    --------
    read_grid : tells the size of a pixel too.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.save(f"{folder}/cells.npy", np.zeros((5, 8, 8), np.uint8))
    ...     read_images(f"{folder}/cells.npy").shape
    (5, 8, 8)
    """
    return read_grid(path).images


def read_grid(path: str | os.PathLike[str]) -> Grid:
    """Read images with what their file says of the axes: how many, and the size of a pixel.

    Parameters
    ----------
    path : str or path
        As for `read_images`.

    Returns
    -------
    Grid
        `dim`, `spacing` and `unit` come from ImageJ's, OME's and this package's TIFF, from
        `spacing` and `unit` (or `element_size_um`) of an HDF5 dataset, from VTK, MetaImage and
        NRRD files; otherwise they are None and empty.

    Raises
    ------
    FileError
        If the file is missing, damaged, or holds no images; the message is one line.

    Examples
    --------
    >>> import tempfile
    >>> from pearlite.io import write_image
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     scan = np.zeros((5, 8, 8), np.uint8)
    ...     write_image(f"{folder}/scan.nrrd", scan, spacing=2.5, unit="µm")
    ...     grid = read_grid(f"{folder}/scan.nrrd")
    >>> grid.dim, grid.spacing, grid.unit
    (3, (2.5, 2.5, 2.5), 'µm')
    """
    return _read(path, native)


def stored_grid(path: str | os.PathLike[str]) -> Grid:
    """Read as `read_grid` does, but leave numbers as the file has them, for `native` to convert.

    What can be mapped into memory is then a map, whatever its type of number.
    """
    return _read(path, lambda images: images)


def _read(
    path: str | os.PathLike[str], convert: Callable[[npt.NDArray[Any]], npt.NDArray[Any]]
) -> Grid:
    text = file_name(path)
    label = shown(text)
    file, name = split(text)
    reader = _READERS.get(file.suffix.lower())
    _check_exists(text, file)
    if reader is None:
        endings = ", ".join(_READERS)
        raise FileError(f"{label}: unknown ending {file.suffix!r}; expected one of {endings}")
    try:
        found = reader(file, name)
        grid = found if isinstance(found, Grid) else Grid(found)
        _check_images(grid.images)
        return replace(grid, images=convert(grid.images))
    except FileError as error:
        raise FileError(f"{label}: {error}") from error
    except MemoryError:
        raise FileError(f"{label}: does not fit in memory") from None
    except Exception as error:
        # Decoders raise whatever they like on damaged files (zlib.error, struct.error, KeyError …);
        # to the caller it is all the same.
        kind = file.suffix.lstrip(".").lower()
        raise FileError(f"{label}: not a readable {kind} file ({one_line(error)})") from error


def split(text: str) -> tuple[Path, str | None]:
    """Split `file.h5:/dataset` into the file and the name of the array inside."""
    inside = _INSIDE.fullmatch(text)
    if inside is None or os.path.exists(text):
        return Path(text), None
    return Path(inside["path"]), inside["name"].strip("/")


def _check_exists(text: str, file: Path) -> None:
    """Tell a missing file, a folder and an empty file apart before a decoder guesses."""
    if not os.path.lexists(file):
        raise FileError(f"{shown(text)}: no such file")
    is_zarr = file.suffix.lower() == ".zarr"
    if file.is_dir() != is_zarr:
        raise FileError(
            f"{shown(text)}: {'not a folder' if is_zarr else 'is a folder, not a file'}"
        )
    try:
        if not is_zarr and file.stat().st_size == 0:
            raise FileError(f"{shown(text)}: the file is empty")
    except OSError as error:
        raise FileError(f"{shown(text)}: {error.strerror or error}") from error


def _check_images(images: npt.NDArray[Any]) -> None:
    """Raise unless an array holds images of numbers."""
    if images.ndim < 2:
        raise FileError(f"shape {images.shape} is not an image; expected (..., n0, n1)")
    if images.size == 0:
        raise FileError(f"holds no pixels: its shape is {images.shape}")
    if images.dtype.kind not in "biuf":
        raise FileError(f"holds {images.dtype} values; expected integers or real numbers")


def native(images: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Bring images to a native number type; a memory map that needs nothing stays one."""
    kind, size = images.dtype.kind, images.dtype.itemsize
    if kind == "b":
        return images.astype(np.uint8)
    if kind == "f" and size not in (4, 8):
        return images.astype(np.float32 if size == 2 else np.float64)
    return images.astype(images.dtype.newbyteorder("="), copy=False)
