"""NRRD, `.nrrd` and `.nhdr`: a header of fields, and numbers behind it or in a file beside it.

Source: *Definition of NRRD File Format*, teem.sourceforge.net/nrrd/format.html.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pearlite._errors import brief
from pearlite.io import flat
from pearlite.io.errors import FileError
from pearlite.io.grids import Grid, positive, unit_text

_TYPES = {
    "i1": ("signed char", "int8", "int8_t"),
    "u1": ("uchar", "unsigned char", "uint8", "uint8_t"),
    "i2": ("short", "short int", "signed short", "signed short int", "int16", "int16_t"),
    "u2": ("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"),
    "i4": ("int", "signed int", "int32", "int32_t"),
    "u4": ("uint", "unsigned int", "uint32", "uint32_t"),
    "i8": (
        "longlong", "long long", "long long int", "signed long long", "signed long long int",
        "int64", "int64_t",
    ),
    "u8": (
        "ulonglong", "unsigned long long", "unsigned long long int", "uint64", "uint64_t",
    ),
    "f4": ("float",),
    "f8": ("double",),
}  # fmt: skip
_CODES = {name: code for code, names in _TYPES.items() for name in names}
_PACKED = {"gz": "zlib", "gzip": "zlib", "bz2": "bzip2", "bzip2": "bzip2"}
_LONGEST = 1 << 16  # bytes of a header
_VECTOR = re.compile(r"none|\([^()]*\)")


def read(path: Path, _name: str | None) -> Grid:
    """Read a NRRD: the axis that counts fastest in the file is axis 0."""
    fields, offset = _header(path)
    shape = tuple(_integers(fields, "sizes"))
    if [len(shape)] != _integers(fields, "dimension"):
        raise FileError(f"has dimension {fields['dimension']}, but sizes {fields['sizes']}")
    code = _CODES.get(fields.get("type", ""))
    if code is None:
        raise FileError(f"has type {brief(fields.get('type'))}; expected integers or real numbers")
    endian = fields.get("endian", "little")
    if endian not in ("little", "big"):
        raise FileError(f"has endian {brief(endian)}; expected little or big")
    dtype = np.dtype(code).newbyteorder("<" if endian == "little" else ">")
    images = _numbers(path, fields, offset, dtype, shape)
    dim = len(shape) if len(shape) in (2, 3) else None
    sizes, unit = _axes(fields)
    return Grid(images, dim, positive(sizes, dim), unit)


def _header(path: Path) -> tuple[dict[str, str], int]:
    """Return the fields, and where the header ends: at an empty line, or with a detached file."""
    with path.open("rb") as file:
        head = file.read(_LONGEST)
    if not re.match(rb"NRRD000\d\r?\n", head):
        raise FileError("not a readable nrrd file (it does not begin as one)")
    blank = re.search(rb"\n\r?\n", head)
    end = blank.end() if blank else len(head)
    fields: dict[str, str] = {}
    for line in head[:end].decode("utf-8", "replace").splitlines()[1:]:
        key, sign, value = line.partition(":")
        if sign and not line.startswith("#") and not value.startswith("="):
            fields[key.strip().lower().replace("datafile", "data file")] = value.strip()
    if blank is None and "data file" not in fields:
        raise FileError("not a readable nrrd file (its header does not end)")
    return fields, end


def _numbers(
    path: Path, fields: dict[str, str], offset: int, dtype: np.dtype[Any], shape: tuple[int, ...]
) -> npt.NDArray[Any]:
    """Map the numbers into memory, or unpack them."""
    if "data file" in fields:
        name = fields["data file"]
        if name.split()[:1] == ["LIST"] or "%" in name:
            raise FileError("has its numbers in many files; expected one")
        path, offset = flat.beside(path, name), 0
    skipped = 0
    for key in ("byte skip", "byteskip"):
        skipped = _integers(fields, key)[0] if key in fields else skipped
    if fields.get("line skip", fields.get("lineskip", "0")) != "0":
        raise FileError("has a line skip; expected a byte skip")
    encoding = fields.get("encoding", "")
    if encoding == "raw":
        if skipped == -1:  # the numbers are the end of the file
            offset = path.stat().st_size - flat.count_of(shape) * dtype.itemsize
            skipped = 0
        if skipped < 0 or offset < 0:
            raise FileError("has a byte skip that leads out of the file")
        return flat.mapped(path, dtype, shape, offset=offset + skipped, first_fastest=True)
    if encoding not in _PACKED or skipped:
        raise FileError(f"has the encoding {brief(encoding)}; expected raw, gzip or bzip2")
    with path.open("rb") as file:
        file.seek(offset)
        return flat.unpacked(file.read(), _PACKED[encoding], dtype, shape)


def _axes(fields: dict[str, str]) -> tuple[list[Any], str]:
    """Return the sizes of a voxel and their unit, in either of the two ways of the format."""
    directions = _VECTOR.findall(fields.get("space directions", ""))
    vectors = [text.strip("()").split(",") for text in directions if text != "none"]
    sizes: list[Any] = [np.hypot.reduce([float(x) for x in vector]) for vector in vectors]
    if not sizes:
        sizes = fields.get("spacings", "").split()
    texts = re.findall(r'"([^"]*)"', fields.get("space units", fields.get("units", "")))
    units = {unit_text(text) for text in texts if text.strip()}
    return sizes, units.pop() if len(units) == 1 else ""


def _integers(fields: dict[str, str], key: str) -> list[int]:
    try:
        numbers = [int(word) for word in fields[key].split()]
    except (KeyError, ValueError):
        numbers = []
    if not numbers:
        raise FileError(f"has {key} {fields.get(key)}; expected integers")
    return numbers


def write(path: Path, labels: npt.NDArray[Any], sizes: Sequence[float], unit: str) -> None:
    """Write a NRRD in one file, as it is in memory but with axis 0 counting fastest."""
    units = " ".join([f'"{unit}"'] * labels.ndim)
    lines = [
        "NRRD0004",
        f"type: {_TYPES[labels.dtype.str[1:]][-1]}",
        f"dimension: {labels.ndim}",
        f"sizes: {' '.join(map(str, labels.shape))}",
        f"spacings: {' '.join(repr(float(h)) for h in sizes)}",
        *([f"units: {units}"] if unit else []),
        "endian: little",
        "encoding: raw",
    ]
    with path.open("wb") as file:
        file.write(("\n".join(lines) + "\n\n").encode())
        np.ascontiguousarray(labels.T, labels.dtype.newbyteorder("<")).tofile(file)
