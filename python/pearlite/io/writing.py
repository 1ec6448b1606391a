"""Write tables of effective conductivities; a file appears whole or not at all."""

from __future__ import annotations

import csv
import json
import math
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pearlite._errors import brief
from pearlite.io.errors import FileError, file_name, known_ending, one_line, optional, shown

FORMATS = (".csv", ".parquet", ".npy", ".json")


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary name beside `path`, which takes its place once the block has succeeded.

    After an error or Ctrl-C the temporary file is removed and what stood at `path` stays.

    Parameters
    ----------
    path : str or path
        The file that is to be written.

    Yields
    ------
    Path
        What to write to instead.

    Raises
    ------
    FileError
        If `path` cannot name a file, or nothing can be written there.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     target = Path(folder, "notes.txt")
    ...     with replacing(target) as temporary:
    ...         _ = temporary.write_text("whole")
    ...     target.read_text(), os.listdir(folder)
    ('whole', ['notes.txt'])
    """
    name = file_name(path)
    try:
        target = Path(os.path.realpath(name))  # a link keeps pointing where it did
        temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
    except ValueError as error:  # the root folder, or a zero byte in the name
        raise FileError(f"{shown(name)}: not the name of a file ({one_line(error)})") from error
    try:
        yield temporary
        os.replace(temporary, target)
    except OSError as error:
        raise FileError(f"{shown(name)}: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def table_format(path: str | os.PathLike[str]) -> str:
    """Tell the format of a table by its ending, and that it can be written, before any work.

    Parameters
    ----------
    path : str or path
        Name of the file; nothing is written.

    Returns
    -------
    str
        The ending, in lower case.

    Raises
    ------
    EndingError
        If the ending is unknown; the message has those that are known.
    MissingPackageError
        If the package that writes it is not installed.

    Examples
    --------
    >>> table_format("tensors.json")
    '.json'
    """
    ending = known_ending(path, FORMATS)
    if ending == ".parquet":
        optional("pyarrow.parquet", "batch", "writing Parquet")
    return ending


def write_table(
    path: str | os.PathLike[str],
    effective: npt.NDArray[np.floating[Any]],
    columns: Mapping[str, Sequence[Any]] | None = None,
    about: Mapping[str, Any] | None = None,
    half_width: npt.NDArray[np.floating[Any]] | None = None,
) -> None:
    """Write effective conductivities, a row each, in the format of the file's ending.

    Parameters
    ----------
    path : str or path
        `.csv`, `.parquet`: the given columns, then A11, A22, A12 and anisotropy, or A11, A22, A33,
        A12, A13, A23 and anisotropy. `.json`: the same as an object with a list of cells. `.npy`:
        the tensors alone, in their shape.
    effective : (..., 2, 2) or (..., 3, 3)
        Effective conductivities; NaN, an empty field in CSV and null in JSON, where there is none.
    columns : mapping, optional
        What comes before the tensor in each row, such as file and index: a value for each tensor,
        in C order.
    about : mapping, optional
        What stands beside the list of cells in a JSON file.
    half_width : (..., d, d), optional
        Guaranteed errors of the entries: more columns behind, such as A11_half_width. `.npy` then
        holds (2, ..., d, d), the tensors and these.

    Raises
    ------
    FileError
        If the ending is unknown or the file cannot be written.
    TypeError, ValueError
        If another argument has no meaning; the message names it.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "tensors.csv")
    ...     write_table(file, np.diag([1.5, 2.0])[None], {"cell": [0]})
    ...     print(file.read_text())
    cell,A11,A22,A12,anisotropy
    0,1.5,2.0,0.0,1.3333333333333333
    <BLANKLINE>
    """
    ending = table_format(path)
    _check_table(effective, columns, about, half_width)
    table = {**(columns or {}), **tensor_columns(effective, half_width)}
    with replacing(path) as temporary, unwritable(ending):
        if ending == ".csv":
            write_csv(temporary, [table])
        elif ending == ".parquet":
            write_parquet(temporary, [table])
        elif ending == ".npy":
            with temporary.open("wb") as file:
                np.save(file, effective if half_width is None else [effective, half_width])
        else:
            text = json.dumps(table_object(table, about or {}), indent=1, allow_nan=False)
            temporary.write_text(text + "\n", encoding="utf-8")


@contextmanager
def unwritable(ending: str) -> Iterator[None]:
    """Turn what a writer raises for values that its format does not know into one error."""
    try:
        yield
    except FileError:
        raise
    except (TypeError, ValueError, ArithmeticError, NotImplementedError, RecursionError) as error:
        raise ValueError(
            f"columns or about hold what a {ending} file cannot: {one_line(error)}"
        ) from error


def _check_table(effective: object, columns: object, about: object, half_width: object) -> None:
    """Raise unless the arguments of `write_table` fit each other."""
    shape = _shape_of_tensors("effective", effective)
    if half_width is not None and _shape_of_tensors("half_width", half_width) != shape:
        raise ValueError(f"half_width has another shape than effective, {shape}")
    for name, mapping in (("columns", columns), ("about", about)):
        if mapping is not None and not isinstance(mapping, Mapping):
            raise TypeError(f"{name} is a {type(mapping).__name__}; expected a mapping")
    count = math.prod(shape[:-2])
    for key, column in columns.items() if isinstance(columns, Mapping) else ():
        if not isinstance(column, Sequence | np.ndarray) or np.shape(column)[:1] != (count,):
            raise ValueError(
                f"columns[{brief(key)}] is not a sequence of {count}, one for each tensor"
            )


def _shape_of_tensors(name: str, tensors: object) -> tuple[int, ...]:
    if not isinstance(tensors, np.ndarray) or tensors.dtype.kind not in "iuf":
        raise TypeError(f"{name} is a {type(tensors).__name__}; expected an array of real numbers")
    if tensors.shape[-2:] not in ((2, 2), (3, 3)):
        raise ValueError(f"{name} has shape {tensors.shape}; expected (..., 2, 2) or (..., 3, 3)")
    shape: tuple[int, ...] = tensors.shape
    return shape


def tensor_columns(
    effective: npt.NDArray[np.floating[Any]],
    half_width: npt.NDArray[np.floating[Any]] | None = None,
) -> dict[str, list[float]]:
    """Spread symmetric tensors (..., d, d) into columns; anisotropy: the ratio of eigenvalues."""
    tensors = _listed(effective)
    # 0/0 and inf/inf, of cells that do not conduct at all or do so perfectly, are no ratio.
    with np.errstate(all="ignore"):
        low, high = principal_values(tensors)
        columns = {**_entries(tensors), "anisotropy": (high / low).tolist()}
    if half_width is not None:
        errors = _entries(_listed(half_width))
        columns |= {f"{name}_half_width": column for name, column in errors.items()}
    return columns


def _listed(tensors: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float64]:
    return np.asarray(tensors, np.float64).reshape(-1, *tensors.shape[-2:])


def entry_names(dim: int) -> dict[str, tuple[int, int]]:
    """Return the entries of a symmetric tensor by name: the diagonal, then what is above it.

    Examples
    --------
    >>> list(entry_names(3))
    ['A11', 'A22', 'A33', 'A12', 'A13', 'A23']
    """
    pairs = sorted(((i, j) for i in range(dim) for j in range(i, dim)), key=lambda p: p[0] != p[1])
    return {f"A{i + 1}{j + 1}": (i, j) for i, j in pairs}


def _entries(tensors: npt.NDArray[np.float64]) -> dict[str, list[float]]:
    return {
        # Halved before they are added: the infinite have no mean otherwise.
        name: (0.5 * tensors[:, i, j] + 0.5 * tensors[:, j, i]).tolist()
        for name, (i, j) in entry_names(tensors.shape[-1]).items()
    }


def principal_values(
    tensors: npt.NDArray[np.float64],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Smallest and largest eigenvalue of symmetric tensors (N, d, d); NaN where a tensor is."""
    limits = np.asarray(np.isinf(tensors).any(axis=(1, 2)), np.bool_)
    if limits.any():
        low, high = principal_values(np.where(limits[:, None, None], 0.0, tensors))
        low[limits] = [_finite_low(tensor) for tensor in tensors[limits]]
        return low, np.where(limits, np.inf, high)
    if tensors.shape[-1] > 2:
        sound = np.asarray(np.isfinite(tensors).all(axis=(1, 2)), np.bool_)
        values = np.linalg.eigvalsh(np.where(sound[:, None, None], tensors, 0.0))
        values[~sound] = np.nan
        return values[:, 0], values[:, -1]
    mean = 0.5 * (tensors[:, 0, 0] + tensors[:, 1, 1])
    radius = np.hypot(0.5 * (tensors[:, 0, 0] - tensors[:, 1, 1]), tensors[:, 0, 1])
    return mean - radius, mean + radius


def _finite_low(tensor: npt.NDArray[np.float64]) -> float:
    """Return the smallest eigenvalue of a tensor that is infinite along some of the axes."""
    finite = np.flatnonzero(np.isfinite(tensor.diagonal()))
    if len(finite) == 0:
        return np.inf
    return float(np.linalg.eigvalsh(tensor[np.ix_(finite, finite)])[0])


def table_object(table: Mapping[str, Sequence[Any]], about: Mapping[str, Any]) -> dict[str, Any]:
    """Turn columns into the object that a JSON file or `--json` shows.

    JSON has no numbers for them: NaN becomes null, and the infinities "inf" and "-inf".
    """
    names = list(table)
    cells = [
        {name: _json_value(value) for name, value in zip(names, row, strict=True)}
        for row in zip(*table.values(), strict=True)
    ]
    return {**about, "cells": cells}


def _json_value(value: Any) -> Any:
    if value != value:
        return None
    return str(value) if value in (np.inf, -np.inf) else value


def write_csv(path: Path, blocks: Iterable[Mapping[str, Sequence[Any]]]) -> None:
    """Write blocks of the same columns to a file, with empty fields for NaN."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        for number, table in enumerate(blocks):
            if number == 0:
                writer.writerow(table)
            for row in zip(*table.values(), strict=True):
                writer.writerow("" if value != value else value for value in row)


def write_parquet(
    path: Path,
    blocks: Iterable[Mapping[str, Sequence[Any]]],
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write blocks of the same columns to a file; the first tells their types."""
    parquet = optional("pyarrow.parquet", "batch", "writing Parquet")
    pyarrow = optional("pyarrow", "batch", "writing Parquet")
    writer = None
    try:
        for table in blocks:
            rows = pyarrow.table(dict(table))
            if writer is None:
                writer = parquet.ParquetWriter(path, rows.schema.with_metadata(metadata))
            writer.write_table(rows.cast(writer.schema))
    finally:
        if writer is not None:
            writer.close()
