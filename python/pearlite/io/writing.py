"""Write tables of effective conductivities; a file appears whole or not at all."""

from __future__ import annotations

import csv
import json
import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pearlite.io.errors import EndingError, FileError, optional

FORMATS = (".csv", ".parquet", ".npy", ".json")


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary name beside `path`, which takes its place once the block has succeeded.

    After an error or Ctrl-C the temporary file is removed and what stood at `path` stays.

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
    target = Path(os.path.realpath(path))  # a link keeps pointing where it did
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
    try:
        yield temporary
        os.replace(temporary, target)
    except OSError as error:
        raise FileError(f"{os.fspath(path)}: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)


def table_format(path: str | os.PathLike[str]) -> str:
    """Tell the format of a table by its ending, and that it can be written, before any work."""
    ending = Path(path).suffix.lower()
    if ending not in FORMATS:
        raise EndingError(
            f"{os.fspath(path)}: unknown ending {ending!r}; expected one of {', '.join(FORMATS)}"
        )
    if ending == ".parquet":
        optional("pyarrow.parquet", "batch", "writing Parquet")
    return ending


def write_table(
    path: str | os.PathLike[str],
    effective: npt.NDArray[np.floating[Any]],
    columns: Mapping[str, Sequence[Any]] | None = None,
    about: Mapping[str, Any] | None = None,
) -> None:
    """Write effective conductivities, a row each, in the format of the file's ending.

    Parameters
    ----------
    path : str or path
        `.csv`, `.parquet`: the given columns, then A11, A22, A12 and anisotropy. `.json`: the same
        as an object with a list of cells. `.npy`: the tensors alone, in their shape.
    effective : (..., 2, 2)
        Effective conductivities; NaN, an empty field in CSV and null in JSON, where there is none.
    columns : mapping, optional
        What comes before the tensor in each row, such as file and index: a value for each tensor,
        in C order.
    about : mapping, optional
        What stands beside the list of cells in a JSON file.

    Raises
    ------
    FileError
        If the ending is unknown or the file cannot be written.
    """
    ending = table_format(path)
    table = {**(columns or {}), **tensor_columns(effective)}
    with replacing(path) as temporary:
        if ending == ".csv":
            _write_csv(temporary, table)
        elif ending == ".parquet":
            _write_parquet(temporary, table)
        elif ending == ".npy":
            with temporary.open("wb") as file:
                np.save(file, effective)
        else:
            text = json.dumps(table_object(table, about or {}), indent=1, allow_nan=False)
            temporary.write_text(text + "\n", encoding="utf-8")


def tensor_columns(effective: npt.NDArray[np.floating[Any]]) -> dict[str, list[float]]:
    """Spread symmetric tensors (..., 2, 2) into columns; anisotropy: the ratio of eigenvalues."""
    tensors = np.asarray(effective, np.float64).reshape(-1, 2, 2)
    low, high = principal_values(tensors)
    return {
        "A11": tensors[:, 0, 0].tolist(),
        "A22": tensors[:, 1, 1].tolist(),
        "A12": (0.5 * (tensors[:, 0, 1] + tensors[:, 1, 0])).tolist(),
        "anisotropy": (high / low).tolist(),
    }


def principal_values(
    tensors: npt.NDArray[np.float64],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Smaller and larger eigenvalue of symmetric tensors (N, 2, 2); NaN where a tensor is."""
    mean = 0.5 * (tensors[:, 0, 0] + tensors[:, 1, 1])
    radius = np.hypot(0.5 * (tensors[:, 0, 0] - tensors[:, 1, 1]), tensors[:, 0, 1])
    return mean - radius, mean + radius


def table_object(table: Mapping[str, Sequence[Any]], about: Mapping[str, Any]) -> dict[str, Any]:
    """Turn columns into the object that a JSON file or `--json` shows; NaN becomes null."""
    names = list(table)
    cells = [
        {name: None if value != value else value for name, value in zip(names, row, strict=True)}
        for row in zip(*table.values(), strict=True)
    ]
    return {**about, "cells": cells}


def _write_csv(path: Path, table: Mapping[str, Sequence[Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(table)
        for row in zip(*table.values(), strict=True):
            writer.writerow("" if value != value else value for value in row)


def _write_parquet(path: Path, table: Mapping[str, Sequence[Any]]) -> None:
    parquet = optional("pyarrow.parquet", "batch", "writing Parquet")
    pyarrow = optional("pyarrow", "batch", "writing Parquet")
    parquet.write_table(pyarrow.table(dict(table)), path)
