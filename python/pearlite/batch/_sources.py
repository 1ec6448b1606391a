"""Where a stream of images comes from: arrays in files and in memory, and folders of images."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from pearlite import io
from pearlite.io import arrays, reading
from pearlite.io.errors import FileError, file_name, one_line, optional, shown

Images: TypeAlias = npt.NDArray[Any]

_FOLDER_ENDINGS = (".png", ".tif", ".tiff", ".npy", ".vti", ".mha", ".mhd", ".nrrd")


class Source(Protocol):
    """A batch of images that is read in pieces."""

    @property
    def name(self) -> str:
        """What messages call it."""

    @property
    def count(self) -> int:
        """Number of images."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Pixels of an image along each axis."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of a pixel."""

    @property
    def grain(self) -> int:
        """Number of images that the file keeps together."""

    @property
    def attributes(self) -> Mapping[str, Any]:
        """What the file says of the whole batch."""

    def read(self, start: int, stop: int) -> Images:
        """Images (stop − start, *shape)."""

    def columns(self, start: int, stop: int) -> dict[str, npt.NDArray[Any]]:
        """Return what the source says of each image, beside its number."""

    def fingerprint(self) -> dict[str, Any]:
        """Tell this source from another, for JSON."""


def open_source(source: object, dim: int) -> Source:
    """Open what the caller gave: an array, or the name of a file or folder."""
    if isinstance(source, np.ndarray):
        return InMemory(_batched("source", source, dim))
    if not isinstance(source, str | os.PathLike):
        raise TypeError(
            f"source is a {type(source).__name__}; expected a file, a folder or a numpy array"
        )
    path = file_name(source)
    if os.path.isdir(path) and not path.rstrip("/").endswith(".zarr"):
        return Folder.of(Path(path), dim)
    file, inside = reading.split(path)
    if file.suffix.lower() in (".zarr", ".h5", ".hdf5"):
        return Stored.of(file, inside, dim)
    return Mapped.of(path, file, dim)


def _batched(name: str, images: Images, dim: int) -> Images:
    """View images with one batch axis."""
    if images.dtype.kind not in "biuf":
        raise TypeError(f"{name} has dtype {images.dtype}; expected integers or real numbers")
    if images.ndim < dim or images.size == 0:
        raise ValueError(f"{name} has shape {images.shape}; expected (..., {_axes(dim)}) pixels")
    return images.reshape(-1, *images.shape[images.ndim - dim :])


def _axes(dim: int) -> str:
    return ", ".join(f"n{k}" for k in range(dim))


Stamp: TypeAlias = tuple[int, int]


def _stamp(path: Path) -> Stamp:
    """Size and time of a file, which change with what it holds."""
    found = path.stat()
    return found.st_size, found.st_mtime_ns


class _Plain:
    """Images that their file keeps apart, with nothing beside them."""

    grain = 1
    attributes: ClassVar[Mapping[str, Any]] = MappingProxyType({})

    def columns(self, start: int, stop: int) -> dict[str, npt.NDArray[Any]]:
        """Nothing is known of an image but its number."""
        return {}


@dataclass(frozen=True)
class InMemory(_Plain):
    """An array; no other process can go on with it."""

    images: Images  # (N, *shape)
    name: str = "an array"

    @property
    def count(self) -> int:
        """Number of images."""
        return len(self.images)

    @property
    def shape(self) -> tuple[int, ...]:
        """Pixels of an image along each axis."""
        return self.images.shape[1:]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of a pixel."""
        return self.images.dtype

    def read(self, start: int, stop: int) -> Images:
        """Images (stop − start, *shape)."""
        return self.images[start:stop]

    def fingerprint(self) -> dict[str, Any]:
        """Sample the pixels: an array has neither name nor time."""
        import zlib

        sample = np.ascontiguousarray(self.images[:: max(1, self.count // 64)])
        return {
            "shape": [self.count, *self.shape],
            "dtype": str(self.dtype),
            "sample": zlib.crc32(sample.tobytes()),
        }


@dataclass(frozen=True)
class Mapped(_Plain):
    """A file that `read_images` reads; `.npy`, MetaImage and NRRD stay on disk."""

    name: str
    file: Path
    stamp: Stamp
    dim: int
    count: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @classmethod
    def of(cls, name: str, file: Path, dim: int) -> Mapped:
        """Look at a file; where it cannot be mapped, what was read is kept."""
        stamp = _stamp(file) if file.exists() else (0, 0)  # reading says that it is not there
        images = _mapped(name, dim, stamp)
        return cls(name, file, stamp, dim, len(images), images.shape[1:], images.dtype)

    def read(self, start: int, stop: int) -> Images:
        """Images (stop − start, *shape)."""
        return np.array(_mapped(self.name, self.dim, self.stamp)[start:stop])

    def fingerprint(self) -> dict[str, Any]:
        """Name, size and time of the file."""
        return {
            "file": str(self.file.resolve()),
            "stamp": list(self.stamp),
            "shape": list(self.shape),
        }


@lru_cache(maxsize=4)
def _mapped(name: str, dim: int, _stamp: Stamp) -> Images:
    """Read a file once in each process, and again when it has changed."""
    return _batched(name, io.read_images(name), dim)


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
            stamp = _stamp(_root(file))
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
                f"expected (..., {_axes(dim)}) integers or real numbers"
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
            "stamp": list(_stamp(_root(self.file, self.inside))),
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
            raise FileError(f"is itself an array; it has none called {name!r}")
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


def release() -> None:
    """Close the files that this process holds open."""
    _mapped.cache_clear()
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


@dataclass(frozen=True)
class Folder(_Plain):
    """Image files of one shape, in the order of their names."""

    path: Path
    files: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @classmethod
    def of(cls, path: Path, dim: int) -> Folder:
        """List the images of a folder; the first tells the shape of all."""
        files = sorted(f for f in os.listdir(path) if f.lower().endswith(_FOLDER_ENDINGS))
        if not files:
            endings = ", ".join(_FOLDER_ENDINGS)
            raise FileError(f"{shown(str(path))}: holds no images; expected {endings}")
        first = io.read_images(path / files[0])
        if first.ndim != dim:
            raise FileError(
                f"{shown(str(path / files[0]))}: shape {first.shape}; expected ({_axes(dim)})"
            )
        return cls(path, tuple(files), first.shape, first.dtype)

    @property
    def name(self) -> str:
        """What messages call it."""
        return str(self.path)

    @property
    def count(self) -> int:
        """Number of images."""
        return len(self.files)

    def read(self, start: int, stop: int) -> Images:
        """Images (stop − start, *shape)."""
        images = [io.read_images(self.path / file) for file in self.files[start:stop]]
        for file, image in zip(self.files[start:stop], images, strict=True):
            if image.shape != self.shape:
                where = shown(str(self.path / file))
                raise FileError(f"{where}: shape {image.shape}; expected {self.shape}")
        return np.stack(images)

    def columns(self, start: int, stop: int) -> dict[str, npt.NDArray[Any]]:
        """Return the names of the files."""
        return {"file": np.array(self.files[start:stop])}

    def fingerprint(self) -> dict[str, Any]:
        """Names of the files, and the shape of an image."""
        return {"folder": str(self.path.resolve()), "files": list(self.files)}
