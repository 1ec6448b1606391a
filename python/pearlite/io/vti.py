"""VTK image data, `.vti`: what ParaView opens."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
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
    flat = len(shape) == 2  # pixels are then faces in the plane z = 0
    extent = " ".join(f"0 {n}" for n in shape) + (" 0 0" if flat else "")
    sizes = " ".join(repr(float(h)) for h in [*spacing, *([1.0] if flat else [])])
    # VTK counts x fastest.
    blocks = [np.ascontiguousarray(array.T) for array in arrays.values()]
    offsets = np.cumsum([0, *(8 + block.nbytes for block in blocks)])
    entries = "".join(
        f"        <DataArray type={quoteattr(_TYPES[block.dtype.name])} Name={quoteattr(name)} "
        f'format="appended" offset="{offset}"/>\n'
        for name, block, offset in zip(arrays, blocks, offsets[:-1].tolist(), strict=True)
    )
    header = f"""<?xml version="1.0"?>
<VTKFile type="ImageData" version="1.0" byte_order="{sys.byteorder.capitalize()}Endian" \
header_type="UInt64">
  <ImageData WholeExtent="{extent}" Origin="0 0 0" Spacing="{sizes}">
    <Piece Extent="{extent}">
      <CellData Scalars={quoteattr(next(iter(arrays)))}>
{entries}      </CellData>
    </Piece>
  </ImageData>
  <AppendedData encoding="raw">
_"""
    with path.open("wb") as file:
        file.write(header.encode())
        for block in blocks:
            file.write(np.uint64(block.nbytes).tobytes())
            file.write(block.tobytes())
        file.write(b"\n  </AppendedData>\n</VTKFile>\n")
