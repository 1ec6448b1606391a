"""Columns of numbers out of CSV and Parquet files."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pearlite._errors import brief
from pearlite.io.errors import FileError, file_name, one_line, optional, shown

_MISSING = {"", "na", "n/a", "null", "none", "-"}
_UNIT = re.compile(r"(?P<name>[^\[(]+?)\s*(?:\[(?P<square>[^\]]*)\]|\((?P<round>.*)\))\s*")
_REMARK = re.compile(r"#\s*units?\s*[:=]\s*(?P<unit>.+)", re.IGNORECASE)


@dataclass(frozen=True)
class Columns:
    """A table: entries as texts or numbers, None where one is missing."""

    entries: dict[str, list[Any]]
    units: dict[str, str]
    unit: str | None = None  # of the whole table
    lines: list[int] = field(default_factory=list)  # of a text file, for each row

    def place(self, row: int) -> str:
        """Tell where a row is."""
        return f"line {self.lines[row]}" if self.lines else f"row {row}"


def read_columns(path: str | os.PathLike[str]) -> Columns:
    """Read a table by the ending of its name; a `FileError` says what is wrong with it."""
    name = file_name(path)
    label, file = shown(name), Path(name)
    ending = file.suffix.lower()
    if ending not in (".csv", ".parquet"):
        raise FileError(f"{label}: unknown ending {file.suffix!r}; expected .csv or .parquet")
    try:
        return _read_csv(file) if ending == ".csv" else _read_parquet(file)
    except FileError as error:
        raise FileError(f"{label}: {error}") from error
    except OSError as error:
        raise FileError(f"{label}: {error.strerror or one_line(error)}") from error
    except MemoryError:
        raise FileError(f"{label}: does not fit in memory") from None
    except Exception as error:  # decoders raise whatever they like on damaged files
        raise FileError(f"{label}: not a readable {ending[1:]} file ({one_line(error)})") from error


def _read_csv(path: Path) -> Columns:
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows, unit = _content(csv.reader(file))
    if not rows:
        raise FileError("holds no header; expected a first line such as A11,A22,A12")
    (_, header), *body = rows
    names, units = _header(header)
    if not body:
        raise FileError("holds no rows below its header")
    for line, row in body:
        if len(row) != len(names):
            raise FileError(f"line {line} has {len(row)} fields; expected {len(names)}")
    entries = {name: [_entry(row[place]) for _, row in body] for place, name in enumerate(names)}
    return Columns(entries, units, unit, [line for line, _ in body])


def _content(reader: Any) -> tuple[list[tuple[int, list[str]]], str | None]:
    """Return the rows with their lines, without empty ones and remarks, and a unit among these."""
    rows, unit = [], None
    for row in reader:
        remark = row[0].strip() if row else ""
        if remark.startswith("#"):
            found = _REMARK.match(",".join(row).strip())
            unit = found["unit"].strip() if found else unit
        elif any(field.strip() for field in row) or len(row) > 1:
            rows.append((reader.line_num, row))
    return rows, unit


def _entry(text: str) -> str | None:
    plain = text.strip()
    return None if plain.lower() in _MISSING else plain


def _header(fields: list[str]) -> tuple[list[str], dict[str, str]]:
    """Split names such as "A11 [W/(m K)]" into names and units."""
    names, units = [], {}
    for text in fields:
        found = _UNIT.fullmatch(text.strip())
        name = found["name"].strip() if found else text.strip()
        if name in names:
            raise FileError(f"has two columns {brief(name)}; expected one")
        names.append(name)
        unit = (found["square"] or found["round"] or "").strip() if found else ""
        if unit:
            units[name] = unit
    return names, units


def _read_parquet(path: Path) -> Columns:
    parquet = optional("pyarrow.parquet", "batch", "reading Parquet")
    table = parquet.read_table(path)
    names, units = _header(list(table.column_names))
    for name, stored in zip(names, table.schema, strict=True):
        unit = (stored.metadata or {}).get(b"unit")
        if unit:
            units.setdefault(name, unit.decode("utf-8"))
    whole = (table.schema.metadata or {}).get(b"unit")
    entries = {name: column.to_pylist() for name, column in zip(names, table.columns, strict=True)}
    if table.num_rows == 0:
        raise FileError("holds no rows")
    return Columns(entries, units, whole.decode("utf-8") if whole else None)


def numbers(table: Columns, name: str) -> NDArray[np.float64]:
    """Return a column as floats, NaN where an entry is missing; NaN in the file is refused."""
    values = np.empty(len(table.entries[name]))
    for row, entry in enumerate(table.entries[name]):
        values[row] = np.nan if entry is None else _number(table, name, row, entry)
    return values


def _number(table: Columns, name: str, row: int, entry: Any) -> float:
    try:
        value = float(entry) if not isinstance(entry, bool) else np.nan
    except (TypeError, ValueError):
        raise FileError(
            f"{table.place(row)}, column {name}: {brief(entry)} is not a number"
        ) from None
    if np.isnan(value):
        raise FileError(
            f"{table.place(row)}, column {name}: {entry} is no measurement; leave the field empty "
            "where a component was not measured"
        )
    if np.isinf(value):
        raise FileError(f"{table.place(row)}, column {name}: {entry} is not finite")
    return value


def labels(table: Columns, name: str) -> NDArray[np.int64]:
    """Return a column as numbers from 0 in the order of first appearance."""
    known: dict[str, int] = {}
    found = []
    for row, entry in enumerate(table.entries[name]):
        if entry is None:
            raise FileError(f"{table.place(row)}, column {name}: is empty; expected a specimen")
        found.append(known.setdefault(str(entry), len(known)))
    return np.array(found, np.int64)


def rows_with(condition: NDArray[np.bool_]) -> Iterator[int]:
    """Yield the numbers of the rows where a condition holds."""
    yield from (int(row) for row in np.flatnonzero(condition))
