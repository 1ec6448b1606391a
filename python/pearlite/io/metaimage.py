"""MetaImage, `.mha` and `.mhd`: a header of lines, and numbers behind it or in a file beside it.

Source: the format's description in the documentation of ITK, *MetaIO*.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pearlite._errors import brief
from pearlite.io import flat
from pearlite.io.errors import FileError
from pearlite.io.grids import Grid, positive, unit_text
from pearlite.io.writing import replacing

_TYPES = {
    "MET_CHAR": "i1",
    "MET_UCHAR": "u1",
    "MET_SHORT": "i2",
    "MET_USHORT": "u2",
    "MET_INT": "i4",
    "MET_UINT": "u4",
    "MET_LONG": "i4",  # 32 bits in files, whatever a C compiler thinks
    "MET_ULONG": "u4",
    "MET_LONG_LONG": "i8",
    "MET_ULONG_LONG": "u8",
    "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}
_NAMES = {np.dtype(code).name: name for name, code in _TYPES.items() if "LONG" not in name}
_LONGEST = 1 << 16  # bytes of a header


def read(path: Path, _name: str | None) -> Grid:
    """Read a MetaImage: x, which counts fastest in the file, is axis 0."""
    fields, offset = _header(path)
    shape = tuple(_integers(fields, "DimSize"))
    if len(shape) != _integer(fields, "NDims", len(shape)):
        raise FileError(f"has NDims = {fields['NDims']}, but DimSize = {fields['DimSize']}")
    if _integer(fields, "ElementNumberOfChannels", 1) != 1:
        raise FileError("has several channels; expected one number for each voxel")
    kind = fields.get("ElementType", "")
    if kind not in _TYPES:
        raise FileError(f"has ElementType = {brief(kind)}; expected one of {', '.join(_TYPES)}")
    big = any(_flag(fields, key) for key in ("BinaryDataByteOrderMSB", "ElementByteOrderMSB"))
    dtype = np.dtype(_TYPES[kind]).newbyteorder(">" if big else "<")
    images = _numbers(path, fields, offset, dtype, shape)
    sizes = fields.get("ElementSpacing", fields.get("ElementSize", "")).split()
    dim = len(shape) if len(shape) in (2, 3) else None
    return Grid(images, dim, positive(sizes, dim), unit_text(fields.get("Units", "")))


def _header(path: Path) -> tuple[dict[str, str], int]:
    """Return the fields, and where the header ends."""
    with path.open("rb") as file:
        head = file.read(_LONGEST)
    fields: dict[str, str] = {}
    position = 0
    while position < len(head):
        end = head.find(b"\n", position)
        line = head[position : end if end >= 0 else len(head)].decode("utf-8", "replace")
        key, sign, value = line.partition("=")
        if not sign:
            raise FileError("not a readable MetaImage (a line of the header is not KEY = VALUE)")
        fields[key.strip()] = value.strip()
        position = end + 1 if end >= 0 else len(head)
        if key.strip() == "ElementDataFile":
            return fields, position
    raise FileError("not a readable MetaImage (there is no ElementDataFile)")


def _numbers(
    path: Path, fields: dict[str, str], offset: int, dtype: np.dtype[Any], shape: tuple[int, ...]
) -> npt.NDArray[Any]:
    """Map the numbers into memory, or unpack them."""
    if not _flag(fields, "BinaryData", True):
        raise FileError("has its numbers as text; expected BinaryData = True")
    place = fields["ElementDataFile"]
    if place.split()[:1] == ["LIST"] or "%" in place:
        raise FileError("has its numbers in many files; expected one")
    if place.upper() != "LOCAL":
        path, offset = flat.beside(path, place), 0
    skipped = _integer(fields, "HeaderSize", 0)
    if skipped == -1:  # the numbers are the end of the file
        offset = path.stat().st_size - flat.count_of(shape) * dtype.itemsize
        skipped = 0
    if skipped < 0 or offset < 0:
        raise FileError(f"has HeaderSize = {fields.get('HeaderSize')}; expected 0 or more, or -1")
    if _flag(fields, "CompressedData"):
        with path.open("rb") as file:
            file.seek(offset + skipped)
            return flat.unpacked(file.read(), "zlib", dtype, shape)
    return flat.mapped(path, dtype, shape, offset=offset + skipped, first_fastest=True)


def _integers(fields: dict[str, str], key: str) -> list[int]:
    try:
        return [int(word) for word in fields[key].split()]
    except (KeyError, ValueError):
        raise FileError(f"has {key} = {fields.get(key)}; expected integers") from None


def _integer(fields: dict[str, str], key: str, default: int) -> int:
    numbers = _integers(fields, key) if key in fields else [default]
    if len(numbers) != 1:
        raise FileError(f"has {key} = {fields[key]}; expected an integer")
    return numbers[0]


def _flag(fields: dict[str, str], key: str, default: bool = False) -> bool:
    return fields.get(key, str(default)).lower() in ("true", "1", "yes")


def write(
    path: Path, name: str, labels: npt.NDArray[Any], sizes: Sequence[float], unit: str
) -> None:
    """Write a MetaImage at `path`, whose name will be `name`; of `.mhd` the numbers go beside it.

    They lie there before the header does, so that no header tells of numbers that are not there.
    """
    alone = name.lower().endswith(".mha")
    data = "LOCAL" if alone else f"{Path(name).stem}.raw"
    little = np.ascontiguousarray(labels.T, labels.dtype.newbyteorder("<"))
    lines = [
        "ObjectType = Image",
        f"NDims = {labels.ndim}",
        f"DimSize = {' '.join(map(str, labels.shape))}",
        f"ElementType = {_NAMES[labels.dtype.name]}",
        f"ElementSpacing = {' '.join(repr(float(h)) for h in sizes)}",
        *([f"Units = {unit}"] if unit else []),
        "BinaryData = True",
        "BinaryDataByteOrderMSB = False",
        f"ElementDataFile = {data}",
    ]
    head = ("\n".join(lines) + "\n").encode()
    if not alone:
        with replacing(path.with_name(data)) as temporary:
            little.tofile(temporary)
        path.write_bytes(head)
        return
    with path.open("wb") as file:
        file.write(head)
        little.tofile(file)
