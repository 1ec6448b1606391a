"""Images in zarr stores and HDF5 files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from pearlite._errors import brief
from pearlite.io import arrays
from pearlite.io.errors import FileError, one_line, optional, shown

Images: TypeAlias = npt.NDArray[Any]
Stamp: TypeAlias = tuple[int, int]


def stamp_of(path: Path) -> Stamp:
    """Size and time of a file, which change with what it holds."""
    found = path.stat()
    return found.st_size, found.st_mtime_ns


def axis_names(dim: int) -> str:
    return ", ".join(f"n{k}" for k in range(dim))


@dataclass(frozen=True)
class Stored:
    """An array of a zarr store or an HDF5 file, and the columns of numbers beside it."""

    file: Path
    inside: str  # path of the array in the file; "" for a zarr array of its own
    batch: tuple[int, ...]
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    rows: int  # along axis 0 that are kept together
    beside: tuple[str, ...]  # names of arrays with a number or text for each image
    attributes: Mapping[str, Any]
    stamp: Stamp

    @classmethod
    def of(cls, file: Path, name: str | None, dim: int) -> Stored:
        """Look at a file without reading pixels."""
        if not file.exists():
            raise FileError(f"{shown(str(file))}: no such file")
        try:
            stamp = stamp_of(_root(file))
            group, inside = _located(_opened(file, stamp), name)
            array = _handle(file, inside, stamp)
            shape, batch = tuple(array.shape[-dim:]), tuple(array.shape[:-dim])
            dtype = np.dtype(array.dtype)
            chunks = getattr(array, "chunks", None)
            beside = tuple(
                key
                for key, item in group.items()
                if batch and getattr(item, "shape", None) == batch[:1] and len(batch) == 1
            )
            attributes = {key: _plain(value) for key, value in dict(array.attrs).items()}
        except FileError as error:
            raise FileError(f"{shown(str(file))}: {error}") from error
        except Exception as error:  # the decoders raise whatever they like
            kind = file.suffix.lstrip(".")
            message = f"not a readable {kind} file ({one_line(error)})"
            raise FileError(f"{shown(str(file))}: {message}") from error
        if dtype.kind not in "biuf" or len(shape) < dim or 0 in (*batch, *shape):
            raise FileError(
                f"{shown(str(file))}: {(*batch, *shape)} of {dtype}; "
                f"expected (..., {axis_names(dim)}) integers or real numbers"
            )
        rows = chunks[0] if batch and chunks else 1
        return cls(file, inside, batch, shape, dtype, rows, beside, attributes, stamp)

    @property
    def name(self) -> str:
        """What messages call it."""
        return str(self.file) + (f":/{self.inside}" if self.inside else "")

    @property
    def count(self) -> int:
        """Number of images."""
        return int(np.prod(self.batch))

    @property
    def grain(self) -> int:
        """Number of images that the file keeps together."""
        return max(1, self.rows * self._per_row)

    @property
    def _per_row(self) -> int:
        return int(np.prod(self.batch[1:]))

    def read(self, start: int, stop: int) -> Images:
        """Images (stop − start, *shape); whole rows of axis 0 are read."""
        try:
            array = self._array(self.inside)
            if not self.batch:
                return np.asarray(array[...])[np.newaxis]
            first, last = start // self._per_row, -(-stop // self._per_row)
            found = np.asarray(array[first:last]).reshape(-1, *self.shape)
        except Exception as error:
            what = f"images {start} to {stop - 1} cannot be read ({one_line(error)})"
            raise FileError(f"{shown(self.name)}: {what}") from error
        return found[start - first * self._per_row : stop - first * self._per_row]

    def columns(self, start: int, stop: int) -> dict[str, npt.NDArray[Any]]:
        """Return the numbers that stand beside the images, such as labels or parameters."""
        return {key: np.asarray(self._array(self._sibling(key))[start:stop]) for key in self.beside}

    def _array(self, inside: str) -> Any:
        return _handle(self.file, inside, self.stamp)

    def _sibling(self, key: str) -> str:
        return f"{self.inside.rpartition('/')[0]}/{key}".strip("/")

    def fingerprint(self) -> dict[str, Any]:
        """Name and shape, and the time of the file or of the description of a zarr array."""
        return {
            "file": str(self.file.resolve()),
            "array": self.inside,
            "shape": [*self.batch, *self.shape],
            "stamp": list(stamp_of(_root(self.file, self.inside))),
        }


def _root(file: Path, inside: str = "") -> Path:
    """Return the file that is rewritten with an HDF5 file, or with an array or group of zarr."""
    folder = file / inside if file.is_dir() else file
    names = ("zarr.json", ".zarray", ".zgroup")
    return next((folder / name for name in names if (folder / name).exists()), file)


def _located(top: Any, name: str | None) -> tuple[Mapping[str, Any], str]:
    """Return what stands beside an array of a store, and the path of the array."""
    if hasattr(top, "shape"):
        if name:
            raise FileError(f"is itself an array; it has none called {brief(name)}")
        return {}, ""
    members: dict[str, Any] = {}
    if hasattr(top, "members"):  # of zarr
        members |= top.members(max_depth=None)
    else:
        top.visititems(members.__setitem__)
    images = [key for key, item in members.items() if len(getattr(item, "shape", ())) >= 2]
    inside = arrays.choose(name, images)
    folder = inside.rpartition("/")[0]
    beside = {
        key.rpartition("/")[2]: item
        for key, item in members.items()
        if key.rpartition("/")[0] == folder and getattr(item, "dtype", None) is not None
    }
    return beside, inside


@lru_cache(maxsize=8)
def _opened(file: Path, _stamp: Stamp) -> Any:
    """Open a store once in each process, and again when it was written anew."""
    if file.suffix.lower() == ".zarr":
        return optional("zarr", "batch", "reading zarr").open(str(file), mode="r")
    return optional("h5py", "batch", "reading HDF5").File(file, "r")


def _handle(file: Path, inside: str, stamp: Stamp) -> Any:
    top = _opened(file, stamp)
    return top[inside] if inside else top


def close_stores() -> None:
    """Close the stores that this process holds open."""
    _opened.cache_clear()


def _plain(value: object) -> Any:
    """Return an attribute as JSON can hold it."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_plain(item) for item in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)
