"""Join the kept chunks to one file, which appears whole."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pearlite.batch._parts import Columns
from pearlite.batch._work import STATUS
from pearlite.inversion._model import COMPONENTS
from pearlite.io.errors import FileError, known_ending, optional, shown
from pearlite.io.writing import replacing, tensor_columns, write_csv, write_parquet

_HDF5_CHUNK = 1 << 19  # bytes: HDF5 keeps a chunk of at most twice that in memory
_MOST_COLUMNS = 256  # that an array spreads over; larger ones are lists

ENDINGS = (".parquet", ".csv", ".zarr", ".h5", ".hdf5", ".npy")
_HDF5 = (".h5", ".hdf5")


def target_format(path: str | os.PathLike[str]) -> str:
    """Tell the format of a target by its ending, and that it can be written, before any work."""
    ending = known_ending(path, ENDINGS, "target")
    if ending == ".parquet":
        optional("pyarrow.parquet", "batch", "writing Parquet")
    if ending == ".zarr":
        optional("zarr", "batch", "writing zarr")
    if ending in _HDF5:
        optional("h5py", "batch", "writing HDF5")
    return ending


def write(
    path: Path, blocks: Iterator[Columns], count: int, main: str, attributes: Mapping[str, Any]
) -> None:
    """Write the results of all images, block by block."""
    ending = target_format(path)
    if ending == ".zarr":
        with _replacing_folder(path) as folder:
            _write_zarr(folder, blocks, count, attributes)
        return
    with replacing(path) as temporary:
        if ending == ".parquet":
            about = {"pearlite": json.dumps(dict(attributes))}
            write_parquet(temporary, map(_table, blocks), about)
        elif ending == ".csv":
            write_csv(temporary, map(_table, blocks))
        elif ending in _HDF5:
            _write_hdf5(temporary, blocks, count, attributes)
        else:
            _write_npy(temporary, blocks, count, main)


def _table(block: Columns) -> dict[str, Sequence[Any]]:
    """Spread the results of a block into columns of numbers and texts."""
    table: dict[str, Sequence[Any]] = {}
    for name, values in block.items():
        if name == "effective":
            table |= tensor_columns(values)
        elif name == "samples":
            names = COMPONENTS[values.shape[1]]
            table |= {entry: values[:, k].tolist() for k, entry in enumerate(names)}
        elif name == "status":
            table[name] = [STATUS[k] for k in values]
        elif values.ndim == 1:
            table[name] = values.tolist()
        elif values[0].size <= _MOST_COLUMNS:
            for place in np.ndindex(values.shape[1:]):
                table["_".join([name, *map(str, place)])] = values[:, *place].tolist()
        else:
            table[name] = values.reshape(len(values), -1).tolist()
    return table


def _write_npy(path: Path, blocks: Iterator[Columns], count: int, main: str) -> None:
    """Write the main result alone, (N, ...)."""
    target: npt.NDArray[Any] | None = None
    start = 0
    for block in blocks:
        values = block[main]
        if target is None:
            shape = (count, *values.shape[1:])
            target = np.lib.format.open_memmap(path, "w+", values.dtype, shape)
        target[start : start + len(values)] = values
        start += len(values)
    if target is not None:
        target.flush()  # type: ignore[attr-defined]


def _write_zarr(
    folder: Path, blocks: Iterator[Columns], count: int, attributes: Mapping[str, Any]
) -> None:
    """Write an array for each result, with the attributes of the source on the group."""
    zarr = optional("zarr", "batch", "writing zarr")
    group = zarr.open_group(str(folder), mode="w")
    group.attrs.update(dict(attributes))

    def create(name: str, values: npt.NDArray[Any]) -> Any:
        shape, chunks = (count, *values.shape[1:]), values.shape
        dtype = str if values.dtype == object else values.dtype
        return group.create_array(name, shape=shape, chunks=chunks, dtype=dtype)

    _fill(blocks, create)


def _write_hdf5(
    path: Path, blocks: Iterator[Columns], count: int, attributes: Mapping[str, Any]
) -> None:
    """Write a dataset for each result, with the attributes of the source on the file."""
    h5py = optional("h5py", "batch", "writing HDF5")
    with h5py.File(path, "w") as file:
        for key, value in attributes.items():
            file.attrs[key] = json.dumps(value) if isinstance(value, dict | list) else value

        def create(name: str, values: npt.NDArray[Any]) -> Any:
            text = values.dtype == object
            row = values[:1].nbytes
            return file.create_dataset(
                name,
                shape=(count, *values.shape[1:]),
                chunks=(min(len(values), max(1, _HDF5_CHUNK // row)), *values.shape[1:]),
                dtype=h5py.string_dtype() if text else values.dtype,
                compression="gzip",
                compression_opts=1,
            )

        _fill(blocks, create)


def _fill(blocks: Iterator[Columns], create: Callable[[str, npt.NDArray[Any]], Any]) -> None:
    """Put blocks one behind the other into arrays that are created with the first."""
    arrays: dict[str, Any] = {}
    start = 0
    for block in blocks:
        for name, values in block.items():
            if values.dtype.kind in "US":
                values = values.astype(object)
            if name not in arrays:
                arrays[name] = create(name, values)
                if name == "status":
                    arrays[name].attrs["meaning"] = list(STATUS)
            arrays[name][start : start + len(values)] = values
        start += len(next(iter(block.values())))


@contextmanager
def _replacing_folder(path: Path) -> Iterator[Path]:
    """Give a temporary folder beside `path`, which takes its place once the block succeeded."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    old = path.with_name(f".{path.name}.{secrets.token_hex(4)}.old")
    try:
        yield temporary
        if path.exists():
            os.replace(path, old)
        os.replace(temporary, path)
    except OSError as error:
        raise FileError(f"{shown(str(path))}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
