"""Write images of labels, one in a file, in the format of its ending."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from pearlite._errors import brief
from pearlite.io import metaimage, nrrd
from pearlite.io.errors import (
    EndingError,
    FileError,
    file_name,
    known_ending,
    one_line,
    optional,
    shown,
)
from pearlite.io.vti import write_vti
from pearlite.io.writing import replacing

Labels = npt.NDArray[np.integer[Any]]
Spacing = tuple[float, ...]

_PER_LINE = 24  # numbers in a line of a Neper file


def image_format(path: str | os.PathLike[str], dimension: int = 2) -> str:
    """Tell the format of an image by its ending, and that it can be written, before any work.

    Parameters
    ----------
    path : str or path
        Name of the file; nothing is written.
    dimension : int
        Axes of the image, 2 or 3.

    Returns
    -------
    str
        The ending, in lower case.

    Raises
    ------
    EndingError
        If the ending is unknown; the message has those that are known.
    MissingPackageError
        If the package that writes it is not installed.

    Examples
    --------
    >>> image_format("grains.vti", 3)
    '.vti'
    """
    ending = known_ending(path, _WRITERS)
    if ending == ".png" and dimension != 2:
        raise EndingError(
            f"{shown(file_name(path))}: PNG holds two dimensions; expected .tif, a stack"
        )
    if ending in _NEEDS:
        optional(*_NEEDS[ending])
    return ending


def write_image(
    path: str | os.PathLike[str],
    labels: Labels,
    *,
    spacing: float | Sequence[float] | None = None,
    unit: str = "",
    about: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    """Write an image of labels in the format of the file's ending.

    Parameters
    ----------
    path : str or path
        - `.npy`: the array; `.h5`, `.hdf5`: the dataset `labels`, compressed, with `spacing`,
          `unit` and `about` as attributes; ``.raw``: bare numbers in C order.
        - `.png`: grey values of 8 or 16 bits, in two dimensions.
        - `.tif`, `.tiff`: grey values, compressed; in three dimensions a page for each index along
          axis 0.
        - `.vti`: VTK image data for ParaView, a `label` for each pixel; axes 0, 1, 2 are x, y, z.
        - `.mha`, `.mhd` with a ``.raw`` beside it: MetaImage; `.nrrd`. Axis 0 is x here too.
        - `.tesr`: a raster tessellation of Neper, with labels counted from 1.
    labels : (n0, n1) or (n0, n1, n2) uint8, uint16 or int32 array
        Labels ≥ 0.
    spacing : float or sequence of floats, optional
        Size of a pixel, or its sizes along the axes; by default pixels are squares and the longest
        side of the image is 1. PNG, `.npy` and ``.raw`` cannot tell it.
    unit : str
        Unit of `spacing`, such as "µm"; TIFF, HDF5, MetaImage and NRRD tell it.
    about : mapping, optional
        What stands beside the labels in an HDF5 file: numbers, texts and small arrays.

    Raises
    ------
    FileError
        If the ending is unknown, or the file cannot be written, or does not hold such labels.
    TypeError, ValueError
        If another argument has no meaning; the message names it.

    See Also
    --------
    read_images, read_grid : read all but Neper files.

    Examples
    --------
    >>> import tempfile
    >>> from pearlite.io import read_images
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_image(f"{folder}/cells.tif", np.zeros((5, 8, 8), np.uint8))
    ...     read_images(f"{folder}/cells.tif").shape
    (5, 8, 8)
    """
    _check_labels(labels)
    ending = image_format(path, labels.ndim)
    if not isinstance(unit, str) or not unit.isprintable() or '"' in unit:
        raise ValueError(f"unit is {brief(unit)}; expected a printable text, such as 'µm'")
    order = _Order(file_name(path), pixel_sizes(spacing, labels.shape), unit, about)
    with replacing(path) as temporary:
        try:
            _WRITERS[ending](temporary, labels, order)
        except FileError as error:
            raise FileError(f"{shown(file_name(path))}: {error}") from error
        except (TypeError, ValueError) as error:
            raise ValueError(f"about holds what {ending} cannot: {one_line(error)}") from error


def _check_labels(labels: Labels) -> None:
    """Raise unless labels are an image of small integers."""
    kinds = (np.dtype(np.uint8), np.dtype(np.uint16), np.dtype(np.int32))
    if not isinstance(labels, np.ndarray) or labels.dtype not in kinds:
        got = getattr(labels, "dtype", type(labels).__name__)
        raise TypeError(f"labels is {got}; expected an array of uint8, uint16 or int32")
    if labels.ndim not in (2, 3) or labels.size == 0:
        raise ValueError(f"labels has shape {labels.shape}; expected (n0, n1) or (n0, n1, n2)")
    if labels.min() < 0:
        raise ValueError(f"labels has a label {labels.min()}; expected labels >= 0")


def pixel_sizes(spacing: float | Sequence[float] | None, shape: tuple[int, ...]) -> Spacing:
    """Return the size of a pixel along each axis; squares, a longest side of 1, if None."""
    if spacing is None:
        return (1 / max(shape),) * len(shape)
    try:
        sizes = np.broadcast_to(np.asarray(spacing, np.float64), len(shape))
    except (TypeError, ValueError):
        sizes = np.zeros(1)
    if not np.all((sizes > 0) & np.isfinite(sizes)):
        raise ValueError(
            f"spacing is {brief(spacing)}; "
            f"expected a number > 0 or {len(shape)} of them, one per axis"
        )
    return tuple(sizes.tolist())


@dataclass(frozen=True)
class _Order:
    """What is written beside the labels."""

    name: str  # of the file in the end; it is written under another
    sizes: Spacing
    unit: str
    about: Mapping[str, Any]


def _write_npy(path: Path, labels: Labels, _order: _Order) -> None:
    with path.open("wb") as file:
        np.save(file, labels)


def _write_raw(path: Path, labels: Labels, _order: _Order) -> None:
    with path.open("wb") as file:
        np.ascontiguousarray(labels, labels.dtype.newbyteorder("<")).tofile(file)


def _write_png(path: Path, labels: Labels, _order: _Order) -> None:
    image_module = optional("PIL.Image", "images", "writing PNG")
    if labels.max() > 0xFFFF:
        raise FileError(f"PNG holds labels up to 65535, not {labels.max()}; expected .tif")
    narrow = labels.astype(np.uint8 if labels.max() <= 0xFF else np.uint16)
    image_module.fromarray(narrow).save(path, format="PNG")


def _write_tiff(path: Path, labels: Labels, order: _Order) -> None:
    tifffile = optional("tifffile", "images", "writing TIFF")
    axes = "YX" if labels.ndim == 2 else "ZYX"
    tifffile.imwrite(
        path,
        labels.astype(np.uint32) if labels.dtype == np.int32 else labels,
        photometric="minisblack",
        compression="zlib",
        metadata={"axes": axes, "spacing": order.sizes, "unit": order.unit},
    )


def _write_hdf5(path: Path, labels: Labels, order: _Order) -> None:
    h5py = optional("h5py", "batch", "writing HDF5")
    with h5py.File(path, "w") as file:
        data = file.create_dataset("labels", data=labels, compression="gzip", compression_opts=1)
        data.attrs["spacing"] = order.sizes
        if order.unit:
            data.attrs["unit"] = order.unit
        for key, value in order.about.items():
            data.attrs[key] = value


def _write_vti(path: Path, labels: Labels, order: _Order) -> None:
    write_vti(path, {"label": labels}, order.sizes)


def _write_metaimage(path: Path, labels: Labels, order: _Order) -> None:
    metaimage.write(path, order.name, labels, order.sizes, order.unit)


def _write_nrrd(path: Path, labels: Labels, order: _Order) -> None:
    nrrd.write(path, labels, order.sizes, order.unit)


def _write_tesr(path: Path, labels: Labels, order: _Order) -> None:
    """Write the format of Neper's manual, version 2.1: x counts fastest, label 0 is a void."""
    values = (labels.T.ravel().astype(np.int64) + 1).tolist()
    lines = [
        " ".join(map(str, values[i : i + _PER_LINE])) for i in range(0, len(values), _PER_LINE)
    ]
    head = [
        "***tesr",
        " **format",
        "   2.1",
        " **general",
        f"   {labels.ndim}",
        "   " + " ".join(str(n) for n in labels.shape),
        "   " + " ".join(f"{h:.15g}" for h in order.sizes),
        " **cell",
        f"   {int(labels.max()) + 1}",
        " **data",
        "   ascii",
    ]
    path.write_text("\n".join([*head, *lines, "***end", ""]), encoding="ascii")


_WRITERS: dict[str, Callable[[Path, Labels, _Order], None]] = {
    ".npy": _write_npy,
    ".png": _write_png,
    ".tif": _write_tiff,
    ".tiff": _write_tiff,
    ".vti": _write_vti,
    ".mha": _write_metaimage,
    ".mhd": _write_metaimage,
    ".nrrd": _write_nrrd,
    ".raw": _write_raw,
    ".tesr": _write_tesr,
    ".h5": _write_hdf5,
    ".hdf5": _write_hdf5,
}
_NEEDS = {
    ".png": ("PIL.Image", "images", "writing PNG"),
    ".tif": ("tifffile", "images", "writing TIFF"),
    ".tiff": ("tifffile", "images", "writing TIFF"),
    ".h5": ("h5py", "batch", "writing HDF5"),
    ".hdf5": ("h5py", "batch", "writing HDF5"),
}
