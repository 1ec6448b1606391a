r"""Tables of measured tensors, and what is wrong with them.

>>> import tempfile
>>> import pearlite as pl
>>> with tempfile.TemporaryDirectory() as folder:
...     path = f"{folder}/plates.csv"
...     with open(path, "w") as file:
...         _ = file.write("A11 [W/(m K)],A22 [W/(m K)],A12 [W/(m K)]\n2,3,.1\n4,,.2\n3,5,\n")
...     table = pl.inversion.read_measurements(path)
>>> table.unit, table.components, len(table)
('W/(m K)', ('A11', 'A22', 'A12'), 3)
>>> table.missing
{'A22': 1, 'A12': 1}
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pearlite._arrays import check_integer
from pearlite._errors import brief
from pearlite.inversion._measurement_files import Columns, labels, numbers, read_columns, rows_with
from pearlite.io.errors import FileError, file_name, shown

Floats = NDArray[np.float64]
TENSOR = ("A11", "A22", "A12")
SCALAR = ("A",)
_SPECIMEN = ("specimen", "specimen_id", "specimen id", "sample", "id")
_SIGMA = ("sigma", "σ")


@dataclass(frozen=True, eq=False)
class Measurements:
    """Effective conductivities that were measured.

    Attributes
    ----------
    data : (N, C) array
        A row for each measurement, NaN where a component was not measured.
    components : tuple of C str
        ("A11", "A22", "A12") or ("A",).
    unit : str or None
        Unit of the data, if the file states it.
    sigma : (N, C) array or None
        Standard deviation of the error of each entry, in the unit of the data.
    specimen : (N,) array of int or None
        Number of the specimen that a row was measured on, from 0 in the order of the file.
    locations : (N, 2) array or None
        Where on its specimen, x and y.
    location_unit : str or None
        Unit of the locations, if the file states it.
    source : str
        Name of the file.

    Raises
    ------
    TypeError, ValueError
        If an array has no meaning; the message names it.

    Examples
    --------
    >>> import numpy as np
    >>> table = Measurements(np.array([[2.0], [3.0]]), ("A",), locations=np.zeros((2, 2)))
    >>> len(table), table.specimens
    (2, 1)
    """

    data: Floats
    components: tuple[str, ...]
    unit: str | None = None
    sigma: Floats | None = None
    specimen: NDArray[np.int64] | None = None
    locations: Floats | None = None
    location_unit: str | None = None
    source: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.components, tuple) or self.components not in (TENSOR, SCALAR):
            raise ValueError(
                f"components is {brief(self.components)}; expected {TENSOR} or {SCALAR}"
            )
        count = _check_array("data", self.data, "f", (None, len(self.components)))
        _check_array("sigma", self.sigma, "f", (count, len(self.components)))
        _check_array("specimen", self.specimen, "iu", (count,))
        _check_array("locations", self.locations, "f", (count, 2))
        if np.isinf(self.data).any():
            raise ValueError("data has entries that are infinite; expected numbers or NaN")
        if self.locations is not None and not np.isfinite(self.locations).all():
            raise ValueError("locations has entries that are not finite")
        if self.specimen is not None and self.specimen.min() < 0:
            raise ValueError(f"specimen has a number {self.specimen.min()}; expected them from 0")

    def __len__(self) -> int:
        return len(self.data)

    @property
    def missing(self) -> dict[str, int]:
        """How many entries of each component are missing, of those with any."""
        counts = np.isnan(self.data).sum(axis=0).tolist()
        return {n: k for n, k in zip(self.components, counts, strict=True) if k}

    @property
    def specimens(self) -> int:
        """The number of specimens."""
        return 1 if self.specimen is None else int(self.specimen.max()) + 1

    def rows(self, chosen: NDArray[Any]) -> Measurements:
        """Return the chosen rows, by their numbers or a mask."""

        def of(values: Any) -> Any:
            return None if values is None else values[chosen]

        return replace(self, data=self.data[chosen], sigma=of(self.sigma),
                       specimen=of(self.specimen), locations=of(self.locations))  # fmt: skip

    def check_number(self, parameters: int) -> None:
        """Raise unless there are more measured entries than parameters.

        Raises
        ------
        FileError
            If the table is too small for a fit of so many parameters.
        """
        check_integer("parameters", parameters, 0)
        if len(self) <= parameters:
            raise FileError(
                f"{self.source}: has {len(self)} measurements; a model of {parameters} parameters "
                f"needs more than {parameters}, and hundreds to tell them well"
            )


def _check_array(name: str, array: object, kinds: str, expected: tuple[int | None, ...]) -> int:
    """Raise unless an array, if there is one, has a dtype and a shape; return its length."""
    if array is None and name != "data":
        return 0
    if not isinstance(array, np.ndarray) or array.dtype.kind not in kinds:
        kind = f"dtype {array.dtype}" if isinstance(array, np.ndarray) else type(array).__name__
        raise TypeError(
            f"{name} is of {kind}; expected an array of {'floats' if kinds == 'f' else 'integers'}"
        )
    fits = array.ndim == len(expected) and all(
        n in (None, m) for n, m in zip(expected, array.shape, strict=True)
    )
    if not fits or len(array) == 0:
        shape = ", ".join("N" if n is None else str(n) for n in expected)
        raise ValueError(f"{name} has shape {array.shape}; expected ({shape})")
    return len(array)


def read_measurements(path: str | os.PathLike[str], *, unit: str | None = None) -> Measurements:
    r"""Read a table of measured conductivities.

    Parameters
    ----------
    path : str or path
        `.csv` or `.parquet`, with a row for each measurement and columns

        - A11, A22, A12 of tensors (A21 is taken for A12), or A of scalars; an empty field or null
          is a component that was not measured, and a whole column may be left out;
        - specimen, optional: any text or number;
        - sigma, or sigma_A11 and so on, optional: standard deviation of the measurement's error;
        - x and y, optional: where on the specimen.

        Units stand behind a name, `A11 [W/(m K)]`, in a remark `# unit: W/(m K)` above the header,
        or in a Parquet column's metadata. Other columns are left.
    unit : str, optional
        The unit of the data, where the file does not state it.

    Returns
    -------
    Measurements

    Raises
    ------
    FileError
        If the file cannot be read, or what it holds cannot be measurements: a tensor that is not
        positive, NaN, a column that is constant or a copy of another one, two columns of one name,
        a row without any component. The message names line and column.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "measured.csv")
    ...     rows = ("specimen,A11 [W/(m K)],A22 [W/(m K)]", "a,2.1,1.9", "a,2.3,", "b,2.0,1.7")
    ...     _ = file.write_text("\n".join(rows))
    ...     table = read_measurements(file)
    >>> table.data[1], table.unit, table.specimens
    (array([2.3, nan, nan]), 'W/(m K)', 2)
    """
    if unit is not None and not isinstance(unit, str):
        raise TypeError(f"unit is a {type(unit).__name__}; expected a str")
    table = read_columns(path)
    name = shown(file_name(path))
    try:
        return _measurements(table, unit, name)
    except FileError as error:
        raise FileError(f"{name}: {error}") from error


def _measurements(table: Columns, unit: str | None, source: str) -> Measurements:
    components, columns = _components(table)
    count = len(next(iter(table.entries.values())))
    data = np.full((count, len(components)), np.nan)
    for place, column in enumerate(columns):
        if column is not None:
            data[:, place] = numbers(table, column)
    _check_rows(table, components, data)
    _check_columns(components, data)
    specimen = next((s for s in _SPECIMEN if s in _lowered(table)), None)
    locations, location_unit = _locations(table)
    return Measurements(
        data,
        components,
        _unit(table, columns, unit),
        _sigma(table, components, count),
        None if specimen is None else labels(table, _lowered(table)[specimen]),
        locations,
        location_unit,
        source,
    )


def _lowered(table: Columns) -> dict[str, str]:
    """Column names by their lower case."""
    return {name.lower(): name for name in table.entries}


def _components(table: Columns) -> tuple[tuple[str, ...], list[str | None]]:
    """Return the components, and for each the name of its column, if there is one."""
    known = _lowered(table)
    if "a12" in known and "a21" in known:
        raise FileError("has columns A12 and A21; expected one of them, tensors are symmetric")
    found = [known.get("a11"), known.get("a22"), known.get("a12", known.get("a21"))]
    scalar = known.get("a")
    if scalar is not None and any(found):
        raise FileError("has a column A and columns of a tensor; expected one or the other")
    if scalar is not None:
        return SCALAR, [scalar]
    if not any(found):
        listed = ", ".join(list(table.entries)[:8])
        raise FileError(f"has no column A11, A22, A12 or A; its columns are {listed}")
    if not any(found[:2]):
        raise FileError("has A12 alone; expected a column A11 or A22 with it")
    return TENSOR, found


def _check_rows(table: Columns, components: tuple[str, ...], data: Floats) -> None:
    """Raise unless each row has a component, and is positive as far as that can be told."""
    for row in rows_with(np.asarray(np.isnan(data).all(axis=1))):
        raise FileError(f"{table.place(row)} has no component at all; leave the row out")
    for place, name in enumerate(components[:2]):
        for row in rows_with(data[:, place] <= 0):
            raise FileError(
                f"{table.place(row)}: {name} is {data[row, place]:g}; conductivities are > 0"
            )
    if components == TENSOR:
        determinant = data[:, 0] * data[:, 1] - data[:, 2] ** 2
        for row in rows_with(determinant <= 0):  # NaN where an entry is missing
            a11, a22, a12 = data[row]
            raise FileError(
                f"{table.place(row)}: the tensor A11={a11:g}, A22={a22:g}, A12={a12:g} is not "
                "positive; expected A11 A22 > A12²"
            )


def _check_columns(components: tuple[str, ...], data: Floats) -> None:
    """Raise for a column that does not vary, or is a copy of another one."""
    for place, name in enumerate(components):
        values = data[~np.isnan(data[:, place]), place]
        if len(values) > 1 and np.ptp(values) <= 1e-9 * np.abs(values).max():
            raise FileError(
                f"column {name} is constant ({values[0]:g}); a distribution has no scatter to "
                "learn from there, leave the column out"
            )
        for other in range(place):
            both = ~np.isnan(data[:, [other, place]]).any(axis=1)
            if both.sum() > 1 and np.array_equal(data[both, other], data[both, place]):
                raise FileError(f"column {name} is a copy of column {components[other]}")


def _unit(table: Columns, columns: list[str | None], unit: str | None) -> str | None:
    stated = {table.units[column] for column in columns if column in table.units}
    if len(stated) > 1:
        raise FileError(f"states several units, {', '.join(sorted(stated))}; expected one")
    own = stated.pop() if stated else table.unit
    if own is not None and unit is not None and own != unit:
        raise FileError(f"states the unit {own}, and {unit} is asked for")
    return unit if own is None else own


def _sigma(table: Columns, components: tuple[str, ...], count: int) -> Floats | None:
    """Return the errors (N, C), of one column for all components or of one for each."""
    known = _lowered(table)
    common = next((known[s] for s in _SIGMA if s in known), None)
    names = [
        next((known[f"{s}{j}{c.lower()}"] for s in _SIGMA for j in ("_", " ", "")
              if f"{s}{j}{c.lower()}" in known), common)
        for c in components
    ]  # fmt: skip
    if not any(names):
        return None
    sigma = np.zeros((count, len(components)))
    for place, name in enumerate(names):
        if name is not None:
            sigma[:, place] = numbers(table, name)
            for row in rows_with(~(sigma[:, place] >= 0)):
                raise FileError(
                    f"{table.place(row)}, column {name}: is {sigma[row, place]:g}; expected a "
                    "standard deviation >= 0"
                )
    return sigma


def _locations(table: Columns) -> tuple[Floats | None, str | None]:
    known = _lowered(table)
    if ("x" in known) != ("y" in known):
        raise FileError(f"has a column {'x' if 'x' in known else 'y'} alone; expected x and y")
    if "x" not in known:
        return None, None
    columns = [numbers(table, known[axis]) for axis in ("x", "y")]
    for axis, values in zip("xy", columns, strict=True):
        for row in rows_with(np.isnan(values)):
            raise FileError(f"{table.place(row)}, column {axis}: is empty; expected a number")
    units = {table.units[known[axis]] for axis in ("x", "y") if known[axis] in table.units}
    if len(units) > 1:
        raise FileError(f"states several units of x and y, {', '.join(sorted(units))}")
    return np.stack(columns, axis=1), units.pop() if units else None
