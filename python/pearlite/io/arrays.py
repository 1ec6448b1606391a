"""Files of numbers: `.npy`, `.npz`, HDF5 and zarr."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pearlite._errors import brief
from pearlite.io.errors import FileError, optional
from pearlite.io.grids import Grid, positive, unit_text

_NAMES_SHOWN = 5


def read_npy(path: Path, _name: str | None) -> npt.NDArray[Any]:
    """Map a `.npy` file into memory."""
    with path.open("rb") as file:
        if file.read(6) != b"\x93NUMPY":
            raise FileError("not a readable npy file (it does not begin as one)")
    if (header := _header(path)).hasobject:
        raise FileError(f"holds {header} values; expected integers or real numbers")
    try:
        images: npt.NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except ValueError as error:
        if "mmap" in str(error):
            raise FileError("the file is shorter than its header says") from error
        raise
    return images


def _header(path: Path) -> np.dtype[Any]:
    """Read the dtype of a `.npy` file, which mapping an array of objects would not tell."""
    with path.open("rb") as file:
        version = np.lib.format.read_magic(file)
        if version == (1, 0):
            return np.lib.format.read_array_header_1_0(file)[2]
        return np.lib.format.read_array_header_2_0(file)[2]


def read_npz(path: Path, name: str | None) -> npt.NDArray[Any]:
    """Read one array of a `.npz` archive."""
    with path.open("rb") as file:
        if file.read(2) != b"PK":
            raise FileError("not a readable npz file (it does not begin as one)")
        file.seek(0)
        with np.load(file, allow_pickle=False) as archive:
            images: npt.NDArray[Any] = archive[choose(name, archive.files)]
    return images


def read_hdf5(path: Path, name: str | None) -> Grid:
    """Read one dataset of an HDF5 file, and what its attributes say of a voxel's size."""
    h5py = optional("h5py", "batch", "reading HDF5")
    with h5py.File(path, "r") as file:
        names: list[str] = []

        def visit(key: str, item: object) -> None:
            if isinstance(item, h5py.Dataset):
                names.append(key)

        file.visititems(visit)
        data = file[choose(name, names)]
        images = np.asarray(data[()])
        sizes, unit = data.attrs.get("spacing"), data.attrs.get("unit", "")
        if sizes is None and "element_size_um" in data.attrs:  # of ilastik and ImageJ
            sizes, unit = data.attrs["element_size_um"], "µm"
    spacing = None if sizes is None else positive(sizes)
    if spacing is None or len(spacing) not in (2, 3) or len(spacing) > images.ndim:
        return Grid(images)
    return Grid(images, len(spacing), spacing, unit_text(unit))


def read_zarr(path: Path, name: str | None) -> npt.NDArray[Any]:
    """Read a zarr array, or one array of a zarr group."""
    zarr = optional("zarr", "batch", "reading zarr")
    store = zarr.open(str(path), mode="r")
    if isinstance(store, zarr.Array):
        if name:
            raise FileError(f"is itself an array; it has none called {brief(name)}")
        return np.asarray(store[...])
    names = [key for key, item in store.members(max_depth=None) if isinstance(item, zarr.Array)]
    return np.asarray(store[choose(name, names)][...])


def choose(name: str | None, names: Iterable[str]) -> str:
    """Pick the named array, or the only one there is."""
    there = sorted(names)
    if name is not None and name in there:
        return name
    if name is None and len(there) == 1:
        return there[0]
    listed = ", ".join(there[:_NAMES_SHOWN]) + (", …" if len(there) > _NAMES_SHOWN else "")
    if not there:
        raise FileError("holds no array")
    if name is not None:
        raise FileError(f"holds no array {brief(name)}, but {listed}")
    raise FileError(f"holds {len(there)} arrays; add :NAME to choose one of {listed}")
