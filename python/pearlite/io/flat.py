"""Files of bare numbers: `.raw`, and the parts of other formats that are such."""

from __future__ import annotations

import bz2
import lzma
import math
import os
import re
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pearlite._errors import brief
from pearlite.io.errors import FileError, shown
from pearlite.io.grids import Grid

_RAW = re.compile(r"(?P<shape>\d+(?:[x,]\d+)+):(?P<dtype>[<>|=]?[A-Za-z]+\d*)(?::(?P<offset>\d+))?")
_LARGEST = 2**48  # numbers in a file; a damaged header has more
_AXES = 5


def read_raw(path: Path, name: str | None) -> Grid:
    """Map `file.raw:512x512x512:uint8`, in C order, into memory; bytes to skip may follow.

    Two or three sizes are those of an image or a volume.
    """
    expected = (
        "a .raw file says nothing of itself: add its shape and type of number, the last axis "
        "counting fastest, such as :512x512x512:uint8 or :64x64x64:>u2"
    )
    found = _RAW.fullmatch(name or "")
    if found is None:
        raise FileError(expected if name is None else f"':{name}' is not a shape; {expected}")
    shape = tuple(int(n) for n in re.split("[x,]", found["shape"]))
    offset = int(found["offset"] or 0)
    images = mapped(path, number_type(found["dtype"]), shape, offset=offset, exact=True)
    return Grid(images, len(shape) if len(shape) in (2, 3) else None)


def number_type(name: str) -> np.dtype[Any]:
    """Return the dtype of a name such as `uint8` or `>u2`, of integers or real numbers."""
    try:
        dtype = np.dtype(name)
    except (TypeError, ValueError):
        raise FileError(
            f"{brief(name)} is no type of number, such as uint8, >u2 or float32"
        ) from None
    if dtype.kind not in "biuf" or dtype.itemsize > 8:
        raise FileError(f"{brief(name)} is no type of number, such as uint8, >u2 or float32")
    return dtype


def count_of(shape: Sequence[int]) -> int:
    """Return the number of pixels of a shape that a header gives, if it is one."""
    if not 1 <= len(shape) <= _AXES or min(shape) < 1 or math.prod(shape) > _LARGEST:
        raise FileError(f"has the sizes {list(shape)}; expected 1 to {_AXES} of them, from 1")
    return math.prod(shape)


def mapped(
    path: Path,
    dtype: np.dtype[Any],
    shape: tuple[int, ...],
    *,
    offset: int = 0,
    exact: bool = False,
    first_fastest: bool = False,
) -> npt.NDArray[Any]:
    """Map numbers that lie in a file as they are; `exact`: nothing may follow them."""
    expected = count_of(shape) * dtype.itemsize
    there = os.stat(path).st_size - offset
    if there < expected or (exact and there != expected):
        sizes = " × ".join(map(str, shape))
        raise FileError(
            f"{'' if there >= 0 else 'ends too early: '}holds {max(there, 0)} bytes of numbers"
            f"{f' from byte {offset} on' if offset else ''}; expected {expected}, "
            f"{sizes} of {dtype.name}"
        )
    order: Any = "F" if first_fastest else "C"
    return np.memmap(path, dtype, mode="r", offset=offset, shape=shape, order=order)


def unpacked(
    content: bytes | memoryview, kind: str, dtype: np.dtype[Any], shape: tuple[int, ...]
) -> npt.NDArray[Any]:
    """Return numbers whose first axis counts fastest from packed bytes; no more is unpacked."""
    expected = count_of(shape) * dtype.itemsize
    plain = _unpack(content, kind, expected)
    if len(plain) != expected:
        raise FileError(f"holds {len(plain)} bytes of numbers, unpacked; expected {expected}")
    return np.frombuffer(plain, dtype).reshape(shape, order="F")


def _unpack(content: bytes | memoryview, kind: str, expected: int) -> bytes:
    if kind == "zlib":
        return zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(content, expected)  # or gzip
    if kind == "bzip2":
        return bz2.BZ2Decompressor().decompress(content, expected)
    if kind == "lzma":
        return lzma.LZMADecompressor().decompress(bytes(content), expected)
    raise FileError(f"is packed by {brief(kind)}; expected zlib, gzip, bzip2 or lzma")


def beside(header: Path, name: str) -> Path:
    """Return the file of numbers that a header names: in its own folder, or below."""
    place = Path(name)
    if place.is_absolute() or ".." in place.parts or "\0" in name:
        raise FileError(f"has its numbers in {shown(name)}; expected a file in the same folder")
    target = header.parent / place
    if not target.is_file():
        raise FileError(f"has its numbers in {shown(name)}, and there is no such file beside it")
    return target
