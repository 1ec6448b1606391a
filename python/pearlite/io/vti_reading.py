"""Read VTK image data, `.vti`, in every encoding that ParaView and VTK write.

Source: *VTK File Formats*, docs.vtk.org, "XML file formats": `ImageData`, inline and appended data.
"""

from __future__ import annotations

import base64
import re
import xml.etree.ElementTree as Tree
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from pearlite._errors import brief
from pearlite.io import flat
from pearlite.io.arrays import choose
from pearlite.io.errors import FileError
from pearlite.io.grids import Grid, positive

_LONGEST = 1 << 20  # bytes of XML in front of appended numbers
_INLINE = 1 << 28  # and of a whole file that has its numbers within the XML
_PACKERS = {"vtkZLibDataCompressor": "zlib", "vtkLZMADataCompressor": "lzma"}
_HEADERS = {"UInt32": "u4", "UInt64": "u8"}


@dataclass(frozen=True)
class _File:
    """What a file says of all its arrays."""

    path: Path
    root: Tree.Element
    start: int  # of appended data, in bytes
    order: Literal["<", ">"]  # of bytes
    count: np.dtype[Any]  # of the numbers in front of a block
    packer: str | None
    encoding: str  # of appended data


def read(path: Path, name: str | None) -> Grid:
    """Read one array of a VTK image: x is axis 0; points count as voxels, as cells do."""
    file = _open(path)
    image = file.root.find("ImageData")
    pieces = [] if image is None else image.findall("Piece")
    if image is None or len(pieces) != 1:
        raise FileError(f"holds {len(pieces)} pieces of image data; expected one")
    bounds = _numbers(pieces[0], "Extent", 6, int)
    cells = [b - a for a, b in zip(bounds[::2], bounds[1::2], strict=True)]
    arrays: dict[str, tuple[Tree.Element, list[int]]] = {}
    for place, points in (("CellData", 0), ("PointData", 1)):
        for array in pieces[0].findall(f"{place}/DataArray"):
            arrays.setdefault(array.get("Name", ""), (array, [n + points for n in cells]))
    array, shape = arrays[choose(name, arrays)]
    if int(array.get("NumberOfComponents") or 1) != 1:
        raise FileError(
            f"array {brief(array.get('Name'))} holds vectors; expected one number a voxel"
        )
    # A plane has no cells along an axis, or one point.
    axes = [a for a in range(3) if shape[a] > 1] if 0 in shape or 1 in shape else [0, 1, 2]
    images = _values(file, array, tuple(shape[a] for a in axes))
    sizes = positive(_numbers(image, "Spacing", 3, float), 3)
    dim = len(axes) if len(axes) in (2, 3) else None
    return Grid(images, dim, None if sizes is None else tuple(sizes[a] for a in axes))


def _open(path: Path) -> _File:
    """Parse the XML, which ends where appended numbers begin."""
    with path.open("rb") as stream:
        head = stream.read(_LONGEST)
        found = re.search(rb'<AppendedData\s+encoding\s*=\s*"(raw|base64)"\s*>\s*_', head)
        if found is None:
            head += stream.read(_INLINE)
            text, start, encoding = head, 0, ""
        else:
            text = head[: found.start()] + b"</VTKFile>"
            start, encoding = found.end(), found[1].decode()
    if b"<!" in text.replace(b"<!--", b""):  # entities: none writes them, and they can explode
        raise FileError("not a readable vti file (it declares entities)")
    root = Tree.fromstring(text)
    if root.tag != "VTKFile" or root.get("type") != "ImageData":
        raise FileError(f"holds {root.get('type', root.tag)}; expected VTK ImageData")
    order: Literal["<", ">"] = (
        "<" if root.get("byte_order", "LittleEndian") == "LittleEndian" else ">"
    )
    header = _HEADERS.get(root.get("header_type", "UInt32"))
    packer = root.get("compressor")
    if header is None or (packer is not None and packer not in _PACKERS):
        unknown = packer if header is not None else root.get("header_type")
        raise FileError(f"needs {unknown}; expected UInt32 or UInt64 and {', '.join(_PACKERS)}")
    count = np.dtype(order + header)
    kind = None if packer is None else _PACKERS[packer]
    return _File(path, root, start, order, count, kind, encoding)


def _numbers(element: Tree.Element, name: str, count: int, kind: type[Any]) -> list[Any]:
    text = element.get(name, "1 1 1" if name == "Spacing" else "")
    try:
        numbers = [kind(word) for word in text.split()]
    except ValueError:
        numbers = []
    if len(numbers) != count:
        raise FileError(f"has {name} {brief(text)}; expected {count} numbers")
    return numbers


def _values(file: _File, array: Tree.Element, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """Read the numbers of one array, x counting fastest."""
    dtype = flat.number_type(array.get("type", "").lower()).newbyteorder(file.order)
    expected = flat.count_of(shape) * dtype.itemsize
    form = array.get("format", "ascii")
    if form == "ascii":
        values = np.array((array.text or "").split(), dtype)
        if len(values) != flat.count_of(shape):
            raise FileError(f"holds {len(values)} numbers; expected {flat.count_of(shape)}")
        return values.reshape(shape, order="F")
    if form == "binary":
        return _block(file, (array.text or "").encode("ascii").strip(), "base64", dtype, shape)
    if form != "appended" or not file.encoding:
        raise FileError(
            f"has an array in the format {brief(form)}; expected ascii, binary or appended"
        )
    offset = file.start + int(array.get("offset", "0"))
    if file.encoding == "raw" and file.packer is None:
        with file.path.open("rb") as stream:
            stream.seek(offset)
            size = np.frombuffer(stream.read(file.count.itemsize), file.count)
        if size.tolist() != [expected]:
            raise FileError(f"holds {size.tolist()} bytes of numbers; expected {expected}")
        offset += file.count.itemsize
        return flat.mapped(file.path, dtype, shape, offset=offset, first_fastest=True)
    with file.path.open("rb") as stream:
        stream.seek(offset)
        return _block(file, stream.read(), file.encoding, dtype, shape)


def _block(
    file: _File, content: bytes, encoding: str, dtype: np.dtype[Any], shape: tuple[int, ...]
) -> npt.NDArray[Any]:
    """Read one array out of bytes, or of base64, that begin with their number."""
    expected = flat.count_of(shape) * dtype.itemsize
    wide = file.count.itemsize
    if file.packer is None:
        size = int(np.frombuffer(_plain(content, encoding, wide), file.count)[0])
        if size != expected:
            raise FileError(f"holds {size} bytes of numbers; expected {expected}")
        plain = _plain(content, encoding, wide + size)[wide:]
    else:
        plain = _unpacked(file, file.packer, content, encoding, expected)
    return np.frombuffer(plain, dtype).reshape(shape, order="F")


def _unpacked(file: _File, packer: str, content: bytes, encoding: str, expected: int) -> bytes:
    """Unpack blocks: their number, the size of each and of a last smaller one, packed sizes."""
    wide = file.count.itemsize
    parts = 3 + int(np.frombuffer(_plain(content, encoding, wide), file.count)[0])
    if parts * wide > len(content):
        raise FileError("the file is shorter than its header says")
    header = np.frombuffer(_plain(content, encoding, parts * wide), file.count).tolist()
    full, last, sizes = header[1], header[2], header[3:]
    lengths = [full] * len(sizes)
    if lengths and last:
        lengths[-1] = last
    if sum(lengths) != expected:
        raise FileError(f"holds {sum(lengths)} bytes of numbers; expected {expected}")
    packed = _plain(content[_length(encoding, parts * wide) :], encoding, sum(sizes))
    plain, position = bytearray(), 0
    for size, length in zip(sizes, lengths, strict=True):
        block = flat.unpacked(packed[position : position + size], packer, np.dtype("u1"), (length,))
        plain += block.tobytes()
        position += size
    return bytes(plain)


def _length(encoding: str, size: int) -> int:
    """Return how many bytes stand for `size` of them."""
    return size if encoding == "raw" else 4 * -(-size // 3)


def _plain(content: bytes, encoding: str, size: int) -> bytes:
    """Return the first `size` bytes that a part stands for."""
    if size < 0:
        raise FileError("not a readable vti file (a negative size)")
    part = content[: _length(encoding, size)]
    plain = part if encoding == "raw" else base64.b64decode(part, validate=True)
    if len(plain) < size:
        raise FileError("the file is shorter than its header says")
    return plain[:size]
