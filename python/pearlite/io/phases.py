"""Which conductivity a grey value or label stands for."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pearlite.io.errors import FileError, one_line

_SHOWN = 6
_FEW = 16  # values within this range are compared one by one, which is fastest
_TABLE_SPAN = 1 << 22  # and within this one looked up in a table
_BLOCK = 1 << 22  # pixels looked at together, so that a mapped file is never held whole


class PhaseError(ValueError):
    """Conductivities that are malformed, or do not fit the values of the images."""


@dataclass(frozen=True)
class PhaseMap:
    """Conductivities of the phases, with the grey values or labels they belong to.

    Attributes
    ----------
    conductivities : (P,) or (P, 2, 2) float64
        Scalars, or symmetric tensors.
    values : (P,) float64, increasing, or None
        The grey value or label of each; None stands for the sorted distinct values of the images.
    """

    conductivities: npt.NDArray[np.float64]
    values: npt.NDArray[np.float64] | None = None

    def fitted(self, present: npt.NDArray[Any]) -> PhaseMap:
        """Return this map with explicit values, checked against those `present` in the images."""
        if self.values is None:
            if len(present) != len(self.conductivities):
                given = _many(len(self.conductivities), "conductivity", "conductivities")
                found = _many(len(present), "distinct value", "distinct values")
                raise PhaseError(f"{given} for {found}: {listing(present)}")
            return PhaseMap(self.conductivities, present.astype(np.float64))
        missing = present[~np.isin(present, self.values)]
        if len(missing):
            raise PhaseError(f"no conductivity for {listing(missing)}")
        return self

    def labels(self, image: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Turn an image whose values are all known into phase numbers 0 … P−1."""
        assert self.values is not None, "fitted() comes first"
        count = len(self.values)
        dtype = np.uint8 if count <= 256 else np.uint16 if count <= 65536 else np.int32
        if image.dtype.kind in "iu" and self.values[0] >= 0 and self.values[-1] < _TABLE_SPAN:
            if image.dtype == dtype and self.values[-1] == count - 1:
                return image  # labels already
            table = np.zeros(int(self.values[-1]) + 1, dtype)
            table[self.values.astype(np.int64)] = np.arange(count)
            return table.take(image)
        return np.searchsorted(self.values, image).astype(dtype)


def parse_conductivity(text: str) -> PhaseMap:
    """Read `1,10`, `0=1,255=10`, or a `.json` file such as `{"0": 1, "255": [[10, 1], [1, 5]]}`.

    Examples
    --------
    >>> parse_conductivity("0=1,255=10").values
    array([  0., 255.])
    >>> parse_conductivity("1,10").conductivities
    array([ 1., 10.])
    """
    if text.lower().endswith(".json"):
        entries = _read_json(text)
    else:
        parts = [part.strip() for part in text.split(",")]
        keyed = [part.partition("=") for part in parts]
        if all(sign for _, sign, _ in keyed):
            entries = {key: value for key, _, value in keyed}
            if len(entries) != len(keyed):
                raise PhaseError(f"a value stands twice in {text!r}")
        elif not any(sign for _, sign, _ in keyed):
            entries = parts
        else:
            raise PhaseError(f"expected 1,10 or 0=1,255=10, not a mixture: {text!r}")
    if isinstance(entries, list):
        return PhaseMap(_conductivities(entries))
    keys = np.array([_number(key) for key in entries])
    order = np.argsort(keys)
    if len(np.unique(keys)) != len(keys):
        raise PhaseError(f"a value stands twice in {text!r}")
    return PhaseMap(_conductivities(list(entries.values()))[order], keys[order])


def _read_json(path: str) -> dict[str, Any] | list[Any]:
    """Read the object or list of a JSON file."""
    try:
        entries = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise FileError(f"{path}: {error.strerror or error}") from error
    except ValueError as error:
        raise FileError(f"{path}: not valid JSON ({one_line(error)})") from error
    if not isinstance(entries, dict | list) or not entries:
        raise FileError(f'{path}: expected an object such as {{"0": 1.0, "255": 10.0}}')
    return entries


def _number(text: object) -> float:
    """Read one finite number."""
    try:
        number = float(text)  # type: ignore[arg-type]  # whatever float takes
    except (TypeError, ValueError):
        raise PhaseError(f"{text!r} is not a number") from None
    if not np.isfinite(number):
        raise PhaseError(f"{text!r} is not finite")
    return number


def _conductivities(entries: list[Any]) -> npt.NDArray[np.float64]:
    """Gather scalars (P,), or scalars and tensors as tensors (P, 2, 2)."""
    tensors = any(isinstance(entry, list) for entry in entries)
    gathered = [_tensor(entry) if tensors else _number(entry) for entry in entries]
    values = np.array(gathered, dtype=np.float64)
    lowest = np.linalg.eigvalsh(values)[:, 0] if tensors else values
    if np.any(lowest <= 0):
        bad = entries[int(np.argmax(lowest <= 0))]
        raise PhaseError(f"conductivity {bad} is not {'positive definite' if tensors else '> 0'}")
    return values


def _tensor(entry: Any) -> npt.NDArray[np.float64]:
    """Read a scalar or a symmetric 2×2 matrix as a matrix."""
    if not isinstance(entry, list):
        return _number(entry) * np.eye(2)
    if len(entry) != 2 or any(not isinstance(row, list) or len(row) != 2 for row in entry):
        raise PhaseError(f"conductivity {entry} is not a number or a 2×2 matrix")
    matrix = np.array([[_number(x) for x in row] for row in entry])
    if matrix[0, 1] != matrix[1, 0]:
        raise PhaseError(f"conductivity {entry} is not symmetric")
    return matrix


def distinct_values(images: Iterable[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """Return the sorted distinct values of all the images.

    Examples
    --------
    >>> distinct_values([np.array([[3, 3], [7, 0]]), np.array([[3, 9]])])
    array([0, 3, 7, 9])
    """
    found = [_distinct(block) for image in images for block in _blocks(image)]
    return np.unique(np.concatenate(found))


def _blocks(image: npt.NDArray[Any]) -> Iterable[npt.NDArray[Any]]:
    """Cut an array along its first axis into blocks of limited size."""
    rows = max(1, _BLOCK // (image.size // len(image)))
    for start in range(0, len(image), rows):
        yield np.asarray(image[start : start + rows])


def _distinct(block: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Sorted distinct values of a block: counted where that is cheaper than sorting."""
    if block.dtype.kind == "f" and not np.all(np.isfinite(block)):
        raise FileError("holds values that are not finite")
    if block.dtype.kind in "iu":
        low, high = int(block.min()), int(block.max())
        if high - low < _FEW:
            present = [value for value in range(low, high + 1) if np.any(block == value)]
            return np.array(present, block.dtype)
        if high - low < min(_TABLE_SPAN, max(block.size, 1 << 16)):
            seen = np.zeros(high - low + 1, np.bool_)
            seen[block.astype(np.int64) - low] = True
            return (np.flatnonzero(seen) + low).astype(block.dtype)
    return np.unique(block)


def listing(values: npt.NDArray[Any]) -> str:
    """List a few numbers, as a person would."""
    shown = ", ".join(str(value) for value in values[:_SHOWN].tolist())
    more = len(values) - _SHOWN
    return f"{shown} and {more} more" if more > 0 else shown


def _many(count: int, singular: str, plural: str) -> str:
    """Count things in words."""
    return f"{count} {singular if count == 1 else plural}"
