"""What the functions of this package check of their arguments alike."""

import math
import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pearlite import _arrays
from pearlite._errors import brief

Metric = Literal["power", "additive"]
Array = NDArray[Any]

_FLOATS = (np.dtype(np.float32), np.dtype(np.float64))
_MOST_SEEDS = 2**27  # with their images they are counted in int32
_MOST_PIXELS = 2**46
_LONGEST_AXIS = 2**30


@dataclass(frozen=True)
class Seeds:
    """Seeds as the kernels take them: contiguous float64 with one batch axis."""

    sites: NDArray[np.float64]  # (batch, K, d), in [0, 1) if periodic
    weights: NDArray[np.float64]  # (batch, K)
    batch: tuple[int, ...]  # the caller's batch axes, common to sites and weights
    sites_batch: tuple[int, ...]  # those of each alone, which broadcast to `batch`
    weights_batch: tuple[int, ...]
    dtype: np.dtype[Any]  # the caller's: float32 or float64

    @property
    def dimension(self) -> int:
        """The number d of spatial axes."""
        return int(self.sites.shape[-1])

    @property
    def count(self) -> int:
        """The number K of seeds of a cell."""
        return int(self.sites.shape[-2])


def seeds(sites: ArrayLike, weights: ArrayLike | None, periodic: bool) -> Seeds:
    """Return sites (..., K, d) and weights (..., K) checked, the latter 0 if they are None."""
    points = floats("sites", sites)
    check_sites_shape(points.shape)
    count, dimension = points.shape[-2:]
    check_finite("sites", points)
    values = np.zeros(count, points.dtype)
    if weights is not None:
        values = floats("weights", weights)
        check_row("weights", values.shape, count)
        check_same_dtype(sites, points, weights, values)
        check_finite("weights", values)
    own, other = points.shape[:-2], values.shape[:-1]
    batch = broadcast_batch("weights", other, "sites", own)
    wide = points.astype(np.float64)
    if periodic:
        wide -= np.floor(wide)
        wide[wide >= 1] = 0  # a tiny negative number, rounded up
    dtype = points.dtype if isinstance(sites, np.ndarray) else values.dtype
    return Seeds(
        sites=_packed(wide, batch, (count, dimension)),
        weights=_packed(values.astype(np.float64), batch, (count,)),
        batch=batch,
        sites_batch=own,
        weights_batch=other,
        dtype=dtype,
    )


def check_sites_shape(shape: tuple[int, ...]) -> None:
    """Raise unless sites have the shape (..., K, d)."""
    if len(shape) < 2 or shape[-1] not in (2, 3) or shape[-2] == 0:
        raise ValueError(
            f"sites has shape {shape}; expected (..., K, d) with K at least 1 and d 2 or 3"
        )
    if shape[-2] > _MOST_SEEDS:
        raise ValueError(f"sites has {shape[-2]} seeds a cell; expected at most {_MOST_SEEDS}")


def check_row(name: str, shape: tuple[int, ...], count: int) -> None:
    """Raise unless there is one number for each seed."""
    if shape[-1:] != (count,):
        raise ValueError(
            f"{name} has shape {shape}; expected (..., {count}), one for each of sites"
        )


def floats(name: str, value: ArrayLike) -> Array:
    """Return a float32 or float64 array in native byte order; lists may hold integers."""
    array = _arrays.as_numpy(name, value)
    if array.dtype.kind in "iu" and not isinstance(value, np.ndarray | np.generic):
        return array.astype(np.float64)
    dtype = array.dtype.newbyteorder("=")
    if dtype not in _FLOATS:
        raise TypeError(f"{name} has dtype {dtype}; expected float32 or float64")
    return array.astype(dtype, copy=False)


def check_same_dtype(sites: object, points: Array, other: object, values: Array) -> None:
    """Raise if two arrays, not lists, have different dtypes."""
    arrays = isinstance(sites, np.ndarray) and isinstance(other, np.ndarray)
    if arrays and points.dtype != values.dtype:
        raise TypeError(f"weights has dtype {values.dtype}; expected {points.dtype}, as sites")


def check_finite(name: str, array: Array) -> None:
    """Raise on the first entry that is NaN or infinite, or whose square overflows."""
    with np.errstate(invalid="ignore"):
        bad = ~(np.abs(array) <= 1e150) if array.dtype == np.float64 else ~np.isfinite(array)
    if bad.any():
        index = _arrays.unravel(int(bad.argmax()), array.shape)
        where = f"{name}[{', '.join(map(str, index))}]"
        raise ValueError(f"{where} is {array[index]}; expected a finite number, at most 1e150")


def broadcast_batch(
    name: str, own: tuple[int, ...], other_name: str, other: tuple[int, ...]
) -> tuple[int, ...]:
    """Return the batch axes that those of two arguments broadcast to."""
    try:
        return np.broadcast_shapes(own, other)
    except ValueError:
        raise ValueError(
            f"{name} has batch axes {own}; expected axes that broadcast with {other}, "
            f"those of {other_name}"
        ) from None


def grid_shape(shape: Sequence[int], dimension: int) -> tuple[int, ...]:
    """Return the pixels along each axis as integers, checked."""
    expected = f"{dimension} integers, each at least 2"
    try:
        sizes = tuple(operator.index(n) for n in shape)
    except TypeError:
        raise TypeError(f"shape is {brief(shape)}; expected {expected}") from None
    if len(sizes) != dimension or any(isinstance(n, bool) for n in shape) or min(sizes) < 2:
        raise ValueError(
            f"shape is {brief(shape)}; expected {expected}, since sites are {dimension}-D"
        )
    if max(sizes) > _LONGEST_AXIS or math.prod(sizes) > _MOST_PIXELS:
        raise ValueError(
            f"shape is {brief(shape)}; expected at most 2^46 pixels, 2^30 along an axis"
        )
    return sizes


def metric_name(metric: str) -> Metric:
    """Return `metric`, checked."""
    return cast(Metric, _arrays.check_choice("metric", metric, get_args(Metric)))


def _packed(array: Array, batch: tuple[int, ...], core: tuple[int, ...]) -> Array:
    """Return `array` (..., *core) with one batch axis, contiguous."""
    return _arrays.packed(np.broadcast_to(array, batch + core), (math.prod(batch), *core))
