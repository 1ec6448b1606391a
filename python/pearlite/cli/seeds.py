"""Seeds of tessellations: at random, or from a table."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pearlite.io.errors import FileError, one_line, shown

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Seeds:
    """Sites (K, d) in [0, 1), and weights (K,) or prescribed volumes (K,), or neither."""

    sites: Doubles
    weights: Doubles | None
    volumes: Doubles | None


def random_seeds(count: int, dimension: int, seed: int, sigma: float | None) -> Seeds:
    """Draw uniform sites, and with `sigma` volumes whose logarithms have that deviation."""
    random = np.random.Generator(np.random.Philox(key=np.array([seed, 0], np.uint64)))
    sites = random.random((count, dimension))
    volumes = None
    if sigma is not None:
        volumes = np.exp(sigma * random.standard_normal(count))
        volumes /= volumes.sum()
    return Seeds(sites, None, volumes)


def read_seeds(path: Path, dimension: int) -> Seeds:
    """Read a table with a header: columns x, y[, z], and weight (or w) or volume; others are left.

    Volumes are in any unit. A table that `pearlite tessellate --table` wrote gives its cells again.
    """
    name = shown(str(path))
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            columns = _columns(csv.reader(file))
    except OSError as error:
        raise FileError(f"{name}: {error.strerror or error}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise FileError(f"{name}: not a readable csv file ({one_line(error)})") from error
    except FileError as error:
        raise FileError(f"{name}: {error}") from error
    axes = "xyz"[:dimension]
    missing = [axis for axis in axes if axis not in columns]
    if missing:
        raise FileError(
            f"{name}: no column {missing[0]!r}; expected {', '.join(axes)}, as --shape has "
            f"{dimension} axes, and weight or volume if seeds have one"
        )
    if dimension == 2 and "z" in columns:
        raise FileError(f"{name}: has a column 'z'; expected a --shape of three axes")
    sites = np.stack([columns[axis] for axis in axes], axis=-1)
    weights = columns.get("weight", columns.get("w"))
    volumes = columns.get("volume") if weights is None else None
    if volumes is not None:
        if not np.all(volumes > 0):
            row = int((~(volumes > 0)).argmax())
            raise FileError(f"{name}: volume of seed {row} is {volumes[row]:g}; expected > 0")
        volumes = volumes / volumes.sum()
    return Seeds(sites, weights, volumes)


_KNOWN = ("x", "y", "z", "w", "weight", "volume")


def _columns(rows: Iterator[list[str]]) -> dict[str, Doubles]:
    """Read the columns that mean something here."""
    header = [field.strip().lower() for field in next(rows, [])]
    places = {field: place for place, field in enumerate(header) if field in _KNOWN}
    if not places:
        raise FileError("its first line names no column x; expected a header such as x,y,weight")
    values: dict[str, list[float]] = {field: [] for field in places}
    for line, row in enumerate(rows, 2):
        if not any(field.strip() for field in row):
            continue
        for field, place in places.items():
            values[field].append(_number(row[place] if place < len(row) else "", field, line))
    if not values[next(iter(places))]:
        raise FileError("holds no seed below its header")
    return {field: np.array(column) for field, column in values.items()}


def _number(text: str, field: str, line: int) -> float:
    try:
        number = float(text)
    except ValueError:
        number = np.nan
    if not np.isfinite(number):
        raise FileError(f"line {line}: {field} is {text!r}; expected a finite number")
    return number
