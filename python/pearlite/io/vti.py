"""VTK image data, `.vti`: what ParaView opens."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import numpy as np
import numpy.typing as npt

_TYPES = {
    "int8": "Int8",
    "int16": "Int16",
    "int32": "Int32",
    "int64": "Int64",
    "uint8": "UInt8",
    "uint16": "UInt16",
    "uint32": "UInt32",
    "uint64": "UInt64",
    "float32": "Float32",
    "float64": "Float64",
}
_TOGETHER = 1 << 22  # pixels that are made and written at once


@dataclass(frozen=True)
class Field:
    """Pixel values that are made while they are written, so that they are never held whole.

    Attributes
    ----------
    part : function of a slice of the last axis
        Returns the values (n0, ..., k) of k of its indices, or (n0, ..., k, components).
    dtype : dtype
        Type of the values.
    components : int
        1, or the number of components of a vector.
    """

    part: Callable[[slice], npt.NDArray[Any]]
    dtype: npt.DTypeLike
    components: int = 1


def write_vti(path: Path, arrays: Mapping[str, npt.NDArray[Any]], spacing: Sequence[float]) -> None:
    """Write pixel values as cell data: raw bytes behind a header in XML.

    Parameters
    ----------
    path : Path
        The file; it is overwritten.
    arrays : mapping of names to (n0, n1) or (n0, n1, n2) arrays
        Values of pixels, all of one shape; axis 0 becomes x, axis 1 y and axis 2 z.
    spacing : sequence of floats
        Size of a pixel along each axis.

    Raises
    ------
    OSError
        If the file cannot be written.

    Notes
    -----
    Source: *VTK File Formats*, docs.vtk.org, "XML file formats": `ImageData` with appended data.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "cells.vti")
    ...     write_vti(file, {"label": np.zeros((4, 3), np.uint8)}, (0.25, 0.25))
    ...     file.read_bytes()[:21]
    b'<?xml version="1.0"?>'
    """
    shape = next(iter(arrays.values())).shape
    fields = {name: Field(_part_of(array), array.dtype) for name, array in arrays.items()}
    write_fields(path, shape, fields, spacing)


def _part_of(array: npt.NDArray[Any]) -> Callable[[slice], npt.NDArray[Any]]:
    return lambda part: array[..., part]


def write_fields(
    path: Path,
    shape: tuple[int, ...],
    fields: Mapping[str, Field],
    spacing: Sequence[float],
    advance: Callable[[int], None] = lambda pixels: None,
) -> None:
    """Write fields as cell data, a few layers along the last axis at a time.

    Parameters
    ----------
    path : Path
        The file; it is overwritten.
    shape : tuple of int
        (n0, n1) or (n0, n1, n2).
    fields : mapping of names to Field
        In the order of the file; vectors of two components get a third, 0.
    spacing : sequence of floats
        Size of a pixel along each axis.
    advance : callable, optional
        Told how many pixels of a field have been written each time.
    """
    with path.open("wb") as file:
        file.write(_header(shape, fields, spacing).encode())
        layers = max(1, _TOGETHER // math.prod(shape[:-1]))
        for field in fields.values():
            file.write(np.uint64(_bytes(shape, field)).tobytes())
            for start in range(0, shape[-1], layers):
                part = slice(start, min(start + layers, shape[-1]))
                file.write(_block(field, part, len(shape)))
                advance(math.prod(shape[:-1]) * (part.stop - part.start))
        file.write(b"\n  </AppendedData>\n</VTKFile>\n")


def _block(field: Field, part: slice, dim: int) -> bytes:
    """Return the values of some layers in VTK's order: components fastest, then x."""
    values = field.part(part).astype(field.dtype, copy=False)
    if field.components == 1:
        return values.T.tobytes()
    if field.components == 2:
        values = np.concatenate([values, np.zeros_like(values[..., :1])], axis=-1)
    return values.transpose(*range(dim)[::-1], dim).tobytes()


def _components(field: Field) -> int:
    return 3 if field.components == 2 else field.components


def _bytes(shape: tuple[int, ...], field: Field) -> int:
    return math.prod(shape) * _components(field) * np.dtype(field.dtype).itemsize


def _header(shape: tuple[int, ...], fields: Mapping[str, Field], spacing: Sequence[float]) -> str:
    flat = len(shape) == 2  # pixels are then faces in the plane z = 0
    extent = " ".join(f"0 {n}" for n in shape) + (" 0 0" if flat else "")
    sizes = " ".join(repr(float(h)) for h in [*spacing, *([1.0] if flat else [])])
    entries, offset = "", 0
    for name, field in fields.items():
        components = _components(field)
        entries += (
            f"        <DataArray type={quoteattr(_TYPES[np.dtype(field.dtype).name])} "
            f"Name={quoteattr(name)} "
            + (f'NumberOfComponents="{components}" ' if components > 1 else "")
            + f'format="appended" offset="{offset}"/>\n'
        )
        offset += 8 + _bytes(shape, field)
    first = {1: "Scalars", 3: "Vectors"}
    active = "".join(
        f" {kind}={quoteattr(name)}"
        for count, kind in first.items()
        for name in [n for n, field in fields.items() if _components(field) == count][:1]
    )
    return f"""<?xml version="1.0"?>
<VTKFile type="ImageData" version="1.0" byte_order="{sys.byteorder.capitalize()}Endian" \
header_type="UInt64">
  <ImageData WholeExtent="{extent}" Origin="0 0 0" Spacing="{sizes}">
    <Piece Extent="{extent}">
      <CellData{active}>
{entries}      </CellData>
    </Piece>
  </ImageData>
  <AppendedData encoding="raw">
_"""
