"""Where a stream of images comes from: arrays in files and in memory, and folders of images."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from pearlite import io
from pearlite.batch._stored import Stamp, Stored, axis_names, close_stores, stamp_of
from pearlite.io import reading
from pearlite.io.errors import FileError, file_name, shown
from pearlite.io.grids import Grid

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
    if isinstance(source, Numbers):
        return source
    if isinstance(source, np.ndarray):
        return InMemory(_batched("source", source, dim))
    if not isinstance(source, str | os.PathLike):
        raise TypeError(
            f"source is a {type(source).__name__}; expected a file, a folder or a numpy array"
        )
    path = file_name(source, "source")
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
        raise ValueError(
            f"{name} has shape {images.shape}; expected (..., {axis_names(dim)}) pixels"
        )
    return images.reshape(-1, *images.shape[images.ndim - dim :])


class _Plain:
    """Images that their file keeps apart, with nothing beside them."""

    grain = 1
    attributes: ClassVar[Mapping[str, Any]] = MappingProxyType({})

    def columns(self, start: int, stop: int) -> dict[str, npt.NDArray[Any]]:
        """Nothing is known of an image but its number."""
        return {}


@dataclass(frozen=True)
class Numbers(_Plain):
    """No images, but the numbers of those that are to be made."""

    count: int
    shape: tuple[int, ...]  # of what is made, as far as it takes memory
    grain: int = 1
    name: str = "numbers"
    dtype: np.dtype[Any] = field(default_factory=lambda: np.dtype(np.int64))

    def read(self, start: int, stop: int) -> Images:
        """Numbers (stop − start,)."""
        return np.arange(start, stop)

    def fingerprint(self) -> dict[str, Any]:
        """Tell how many there are."""
        return {"count": self.count}


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
    """A file that `read_images` reads; `.npy`, bare numbers, MetaImage and NRRD stay on disk."""

    name: str
    file: Path
    stamp: Stamp
    dim: int
    count: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    attributes: Mapping[str, Any] = field(default_factory=dict)  # type: ignore[misc]

    @classmethod
    def of(cls, name: str, file: Path, dim: int) -> Mapped:
        """Look at a file; where it cannot be mapped, what was read is kept."""
        stamp = stamp_of(file) if file.exists() else (0, 0)  # reading says that it is not there
        grid = _held(name, stamp) or reading.stored_grid(name)
        images = _batched(name, grid.images, dim)
        told = grid.spacing is not None and len(grid.spacing) == dim
        attributes = {"spacing": list(grid.spacing or ()), "unit": grid.unit} if told else {}
        dtype = reading.native(images[:1]).dtype
        return cls(name, file, stamp, dim, len(images), images.shape[1:], dtype, attributes)

    def read(self, start: int, stop: int) -> Images:
        """Images (stop − start, *shape)."""
        # A map is made anew each time: the system counts the pages of one that stays as memory of
        # this process, up to the whole file.
        grid = _held(self.name, self.stamp) or reading.stored_grid(self.name)
        return reading.native(np.array(_batched(self.name, grid.images, self.dim)[start:stop]))

    def fingerprint(self) -> dict[str, Any]:
        """Name, size and time of the file."""
        return {
            "file": str(self.file.resolve()),
            "stamp": list(self.stamp),
            "shape": list(self.shape),
        }


@lru_cache(maxsize=4)
def _held(name: str, _stamp: Stamp) -> Grid | None:
    """Read a file once in each process, and again when it has changed; None if it can be mapped."""
    grid = reading.stored_grid(name)
    mapped = isinstance(grid.images, np.memmap) and grid.images.filename is not None
    return None if mapped else grid


def release() -> None:
    """Close the files that this process holds open."""
    _held.cache_clear()
    close_stores()


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
                f"{shown(str(path / files[0]))}: shape {first.shape}; expected ({axis_names(dim)})"
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
