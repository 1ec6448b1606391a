"""Which conductivity a grey value or label stands for."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pearlite._errors import brief
from pearlite.io.errors import FileError, one_line, shown

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
    conductivities : (P,), (P, 2, 2) or (P, 3, 3) float64
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
            values = present.astype(np.float64)
            if np.any(values[1:] == values[:-1]):  # integers beyond 2^53
                raise PhaseError(f"values too large to tell apart: {listing(present)}")
            return PhaseMap(self.conductivities, values)
        missing = present[~np.isin(present, self.values)]
        if len(missing):
            raise PhaseError(f"no conductivity for {listing(missing)}")
        return self

    def labels(self, image: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Turn an image whose values are all known into phase numbers 0 … P−1."""
        assert self.values is not None, "fitted() comes first"
        count = len(self.values)
        dtype = np.uint8 if count <= 256 else np.uint16 if count <= 65536 else np.int32
        in_table = self.values[0] >= 0 and self.values[-1] < _TABLE_SPAN
        if image.dtype.kind in "iu" and in_table:
            if image.dtype == dtype and np.array_equal(self.values, np.arange(count)):
                return image  # labels already
            whole = np.flatnonzero(self.values == np.floor(self.values))  # no pixel has another
            table = np.zeros(int(self.values[-1]) + 1, dtype)
            table[self.values[whole].astype(np.int64)] = whole
            labelled: npt.NDArray[Any] = table[image]
            return labelled
        return np.searchsorted(self.values, image).astype(dtype)


def parse_conductivity(text: str) -> PhaseMap:
    """Read `1,10`, `0=1,255=10`, or a `.json` file such as `{"0": 1, "255": [[10, 1], [1, 5]]}`.

    Parameters
    ----------
    text : str
        Conductivities of labels 0, 1, …; or of grey values; or the name of a JSON file that maps
        values to numbers or tensors.

    Returns
    -------
    PhaseMap

    Raises
    ------
    PhaseError
        If the text cannot be read so; the message shows it.
    TypeError
        If it is no text.

    Examples
    --------
    >>> parse_conductivity("0=1,255=10").values
    array([  0., 255.])
    >>> parse_conductivity("1,10").conductivities
    array([ 1., 10.])
    """
    if not isinstance(text, str):
        raise TypeError(f"text is a {type(text).__name__}; expected a str")
    if text.lower().endswith(".json"):
        entries = _read_json(text)
    else:
        parts = [part.strip() for part in text.split(",")]
        keyed = [part.partition("=") for part in parts]
        if all(sign for _, sign, _ in keyed):
            entries = {key: value for key, _, value in keyed}
            if len(entries) != len(keyed):
                raise PhaseError(f"a value stands twice in {brief(text)}")
        elif not any(sign for _, sign, _ in keyed):
            entries = parts
        else:
            raise PhaseError(f"expected 1,10 or 0=1,255=10, not a mixture: {brief(text)}")
    if isinstance(entries, list):
        return PhaseMap(_conductivities(entries))
    keys = np.array([_number(key) for key in entries])
    if not np.isfinite(keys).all():
        raise PhaseError(f"a value in {brief(text)} is not finite")
    order = np.argsort(keys)
    if len(np.unique(keys)) != len(keys):
        raise PhaseError(f"a value stands twice in {brief(text)}")
    return PhaseMap(_conductivities(list(entries.values()))[order], keys[order])


def _read_json(path: str) -> dict[str, Any] | list[Any]:
    """Read the object or list of a JSON file."""
    try:
        entries = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise FileError(f"{shown(path)}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise FileError(f"{shown(path)}: not valid JSON ({one_line(error)})") from error
    if not isinstance(entries, dict | list) or not entries:
        raise FileError(f'{shown(path)}: expected an object such as {{"0": 1.0, "255": 10.0}}')
    return entries


def _number(text: object) -> float:
    """Read one number."""
    try:
        number = float("nan" if isinstance(text, bool) else text)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        number = np.nan
    if np.isnan(number):
        raise PhaseError(f"{brief(text)} is not a number")
    return number


def _conductivities(entries: list[Any]) -> npt.NDArray[np.float64]:
    """Gather scalars (P,), or scalars and tensors as tensors (P, d, d)."""
    sizes = [len(entry) for entry in entries if isinstance(entry, list)]
    tensors = bool(sizes)
    gathered = [_tensor(entry, sizes[0]) if tensors else _number(entry) for entry in entries]
    values = np.array(gathered, dtype=np.float64)
    bad: npt.NDArray[np.bool_] = _not_definite(values) if tensors else np.less(values, 0)
    if np.any(bad):
        kind = "finite and positive definite" if tensors else "> 0, 0 (a void) or inf"
        first = entries[int(np.argmax(bad))]
        told = first if isinstance(first, str) else brief(first)  # as on the command line
        raise PhaseError(f"conductivity {told} is not {kind}")
    return values


def _not_definite(values: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Tell which tensors (P, d, d) are neither positive definite nor zero."""
    bad = np.asarray(~np.isfinite(values).all(axis=(1, 2)), np.bool_)
    lowest = np.linalg.eigvalsh(np.where(bad[:, None, None], 0, values))[:, 0]
    result: npt.NDArray[np.bool_] = bad | ((lowest <= 0) & (values != 0).any(axis=(1, 2)))
    return result


def _tensor(entry: Any, size: int) -> npt.NDArray[np.float64]:
    """Read a scalar or a symmetric matrix, 2×2 or 3×3 as the others are, as a matrix."""
    size = size if size in (2, 3) else 2
    if not isinstance(entry, list):
        return np.diag([_number(entry)] * size)
    if len(entry) != size or any(not isinstance(row, list) or len(row) != size for row in entry):
        raise PhaseError(f"conductivity {brief(entry)} is not a number or a {size}×{size} matrix")
    matrix = np.array([[_number(x) for x in row] for row in entry])
    if not np.array_equal(matrix, matrix.T, equal_nan=True):
        raise PhaseError(f"conductivity {brief(entry)} is not symmetric")
    return matrix


def distinct_values(images: Iterable[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """Return the sorted distinct values of all the images.

    Parameters
    ----------
    images : iterable of integer or floating arrays
        Any shapes; they are looked at one after the other.

    Returns
    -------
    values : (V,) array
        In ascending order, of the images' common type.

    Raises
    ------
    FileError
        If there is no image.
    TypeError, ValueError
        If one holds no numbers, or NaN.

    Examples
    --------
    >>> distinct_values([np.array([[3, 3], [7, 0]]), np.array([[3, 9]])])
    array([0, 3, 7, 9])
    """
    found = [_distinct(block) for image in _checked(images) for block in _blocks(image)]
    if not found:
        raise FileError("images: there is none, expected at least one")
    return np.unique(np.concatenate(found))


def _checked(images: Iterable[npt.NDArray[Any]]) -> Iterable[npt.NDArray[Any]]:
    """Go through the images, which have to be arrays of real numbers with pixels."""
    if not isinstance(images, Iterable) or isinstance(images, str | bytes | np.generic):
        raise TypeError(f"images is a {type(images).__name__}; expected a sequence of arrays")
    if isinstance(images, np.ndarray) and images.ndim == 0:
        raise TypeError("images has no axes; expected a sequence of arrays")
    for image in images:
        if not isinstance(image, np.ndarray) or image.dtype.kind not in "biuf":
            raise TypeError(
                f"images holds {brief(image)}; expected arrays of integers or real numbers"
            )
        if image.ndim == 0 or image.size == 0:
            raise FileError(f"images: one has shape {image.shape}, expected one with pixels")
        yield image


def _blocks(image: npt.NDArray[Any]) -> Iterable[npt.NDArray[Any]]:
    """Cut an array into blocks of limited size, along the axis that counts slowest if they are."""
    if image.flags.f_contiguous:
        image = image.T
    row = image.size // len(image)
    if row > _BLOCK:
        for part in image:
            yield from _blocks(part)
        return
    rows = _BLOCK // row
    for start in range(0, len(image), rows):
        yield np.asarray(image[start : start + rows])


def _distinct(block: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Sorted distinct values of a block: counted where that is cheaper than sorting."""
    if block.dtype.kind == "f" and not np.all(np.isfinite(block)):
        raise FileError("holds values that are not finite")
    if block.dtype.kind in "iu":
        low, high = int(block.min()), int(block.max())
        if high > np.iinfo(np.int64).max:
            return np.unique(block)
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
