"""Checks of what Gaussian fields are made of."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pearlite import _arrays
from pearlite._errors import brief
from pearlite.microstructures._draw import Floats, check_array, check_number, check_shape

_MOST_NUMBERS = 2**29  # of a spectrum or factor: 8 GB
_SUM = 1e-6  # up to which fractions and rows of statistics add up to what they should


def images(labels: npt.ArrayLike, phases: int | None, dim: int) -> tuple[npt.NDArray[Any], int]:
    """Labels (images, *shape) of phases 0 … N − 1, and N."""
    dim = _arrays.check_dimension(dim)
    array = _arrays.as_numpy("labels", labels)
    if array.dtype.kind not in "biu":
        raise TypeError(f"labels has dtype {array.dtype}; expected integers or booleans")
    shape = array.shape[max(array.ndim - dim, 0) :]
    if array.ndim < dim or min(shape) < 2 or array.size == 0:
        raise ValueError(
            f"labels has shape {array.shape}; expected (..., n0, n1{', n2' if dim == 3 else ''})"
            " with at least one image and 2 pixels along each axis"
        )
    array = array.view(np.uint8) if array.dtype.kind == "b" else array
    low, high = int(array.min()), int(array.max())
    number = max(high + 1, 2) if phases is None else phases
    if phases is not None:
        number = _arrays.check_integer("phases", phases, 2, 256)
    if low < 0 or high >= min(number, 256):
        raise ValueError(
            f"labels has values from {low} to {high}; expected 0 to "
            f"{'255' if phases is None else f'phases - 1 = {number - 1}'}"
        )
    return array.reshape(-1, *shape), number


def check_size(name: str, rows: int, phases: int, shape: tuple[int, ...]) -> None:
    """Raise if a factor of so many rows would not fit the memory."""
    numbers = rows * (phases - 1) * math.prod(shape)
    if numbers > _MOST_NUMBERS:
        raise ValueError(
            f"{name} asks for {phases} phases and a shape of {shape}: {numbers} numbers; expected "
            f"at most {_MOST_NUMBERS}, that is fewer phases or pixels"
        )


def covariances(
    statistics: npt.ArrayLike, means: npt.ArrayLike | None, periodic: bool
) -> tuple[Floats, Floats, float]:
    """Covariances (M, M, *n) of phases 1 … M, means (M + 1,), and the tolerance of the dtype."""
    single = getattr(statistics, "dtype", None) in (np.dtype(np.float32), np.dtype(np.float16))
    values = check_array("statistics", statistics, ())
    if values.ndim not in (2, 3, 4, 5) or values.size == 0:
        raise ValueError(
            f"statistics has shape {values.shape}; expected (*n), the autocorrelation of phase 1 "
            "of 2, or (N, N, *n), those of all phases, with 2 or 3 axes of space"
        )
    dim = values.ndim if values.ndim < 4 else values.ndim - 2
    check_shape_of(values, dim, periodic)
    zero = [0] * dim if periodic else [n // 2 for n in values.shape[-dim:]]
    if values.ndim == dim:
        own = float(values[tuple(zero)])
        v = _means(means, np.array([1 - own, own]))
        return values[np.newaxis, np.newaxis] - v[1] ** 2, v, 1e-6 if single else 1e-11
    count = len(values)
    if count < 2 or values.shape[1] != count or count > 256:
        raise ValueError(f"statistics has shape {values.shape}; expected (N, N, *n), 2 <= N <= 256")
    v = _means(means, np.array([values[(i, i, *zero)] for i in range(count)]))
    _check_symmetry(values, dim, periodic)
    inner = values[1:, 1:]
    product = (v[1:, np.newaxis] * v[1:]).reshape(count - 1, count - 1, *[1] * dim)
    return inner - product, v, 1e-6 if single else 1e-11


def check_shape_of(values: Floats, dim: int, periodic: bool) -> None:
    """Raise unless the axes of space have two pixels, or odd numbers of shifts."""
    shape = values.shape[-dim:]
    if not periodic and (any(n % 2 == 0 for n in shape) or min(shape) < 3):
        raise ValueError(
            f"statistics has shape {values.shape}; with periodic=False expected 2 n - 1 shifts "
            "along each axis, n >= 2"
        )
    check_shape(shape)


def _means(means: npt.ArrayLike | None, own: Floats) -> Floats:
    """Means (N,), those given or those of the statistics."""
    name = "statistics" if means is None else "means"
    values = own if means is None else check_array("means", means, (len(own),))
    if values.ndim != 1:
        raise ValueError(f"means has shape {values.shape}; expected ({len(own)},)")
    if not (values >= -_SUM).all() or not abs(values.sum() - 1) <= _SUM:
        raise ValueError(
            f"{name} gives the phases fractions {brief(values)}; expected numbers >= 0 with sum 1"
        )
    values = np.clip(values, 0, 1)
    total: Floats = values / values.sum()
    return total


def _check_symmetry(values: Floats, dim: int, periodic: bool) -> None:
    """Raise unless S_ji(r) = S_ij(−r), and each row adds up to its mean over all phases."""
    space = tuple(range(values.ndim - dim, values.ndim))
    opposite = np.flip(values.swapaxes(0, 1), space)
    if periodic:
        opposite = np.roll(opposite, 1, space)
    if not np.abs(values - opposite).max() <= _SUM:
        raise ValueError(
            "statistics is not symmetric; expected S_ji(r) = S_ij(-r), as two_point returns them"
        )
    rows = values.sum(axis=1)  # (N, *n)
    if periodic and not np.ptp(rows, axis=tuple(range(1, rows.ndim))).max() <= _SUM:
        raise ValueError(
            "statistics has rows whose sum over all phases is not the same at every shift; "
            "expected the correlations of phases that fill space"
        )


def check_fractions(fractions: Sequence[float] | None, means: Floats) -> Floats:
    """Fractions (N,) of labels: those given, or the means."""
    if fractions is None:
        return means
    values = check_array("fractions", fractions, (len(means),))
    if values.ndim != 1 or not (values >= 0).all() or not abs(values.sum() - 1) <= _SUM:
        raise ValueError(
            f"fractions is {brief(fractions)}; expected {len(means)} numbers >= 0 with sum 1"
        )
    return values


def check_smoothing(smoothing: float) -> float:
    """`smoothing` as a finite float >= 0."""
    number = check_number("smoothing", smoothing)
    if not 0 <= number < math.inf:
        raise ValueError(f"smoothing is {brief(smoothing)}; expected a finite number >= 0")
    return number


def fields(values: npt.ArrayLike, channels: int, shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    """Continuous fields (count, C, *shape) in float32."""
    array = _arrays.as_numpy("fields", values)
    if array.dtype not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise TypeError(f"fields has dtype {array.dtype}; expected float32 or float64")
    if array.ndim != 2 + len(shape) or array.shape[1:] != (channels, *shape):
        raise ValueError(
            f"fields has shape {array.shape}; expected (count, {channels}, "
            f"{', '.join(map(str, shape))})"
        )
    if not np.isfinite(array).all():
        raise ValueError("fields has entries that are not finite; expected finite numbers")
    return array.astype(np.float32, copy=False)
