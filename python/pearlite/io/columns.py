"""Tables of any columns: what the command line writes about cells."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from pearlite.io import writing
from pearlite.io.errors import EndingError, file_name, shown


def column_format(path: str | os.PathLike[str]) -> str:
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
    >>> column_format("cells.CSV")
    '.csv'
    """
    name = file_name(path)
    if name.lower().endswith(".npy"):
        raise EndingError(f"{shown(name)}: unknown ending '.npy'; expected .csv, .parquet, .json")
    return writing.table_format(path)


def write_columns(
    path: str | os.PathLike[str],
    columns: Mapping[str, Sequence[Any]],
    about: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    """Write columns as a table in the format of the file's ending.

    Parameters
    ----------
    path : str or path
        `.csv`: lists within a field are separated by spaces, NaN is empty. `.parquet`. `.json`: an
        object with `about` and a list of `cells`, where NaN is null.
    columns : mapping of names to sequences
        All of the same length: numbers, texts, or lists of numbers.
    about : mapping, optional
        What stands beside the list of cells in a JSON file.

    Raises
    ------
    FileError
        If the ending is unknown or the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "cells.csv")
    ...     write_columns(file, {"cell": [0, 1], "neighbours": [[1], [0]]})
    ...     print(file.read_text())
    cell,neighbours
    0,1
    1,0
    <BLANKLINE>
    """
    ending = column_format(path)
    with writing.replacing(path) as temporary, writing.unwritable(ending):
        if ending == ".csv":
            flat = {name: [_field(value) for value in column] for name, column in columns.items()}
            writing.write_csv(temporary, [flat])
        elif ending == ".parquet":
            writing.write_parquet(temporary, [columns])
        else:
            text = json.dumps(writing.table_object(columns, about), indent=1, allow_nan=False)
            temporary.write_text(text + "\n", encoding="utf-8")


def _field(value: Any) -> Any:
    """Return a list as one field of CSV."""
    return " ".join(map(str, value)) if isinstance(value, list) else value
