"""Coordinates of symmetric positive tensors in which mosaics of many grains scatter like normals.

A tensor is e^x (√(1 + q·q) I + q₁ diag(1, −1) + q₂ offdiag(1, 1)): e^{2x} is its determinant, and q
its anisotropy, whose mean vanishes for statistically isotropic microstructures. Turning all
conductivities into resistivities changes the sign of x.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from pearlite._arrays import as_numpy

Floats: TypeAlias = npt.NDArray[np.float64]


def coordinates(measurements: Floats) -> Floats:
    """Coordinates (N, 3) of tensors (N, 3): from (A11, A22, A12) to (x, q1, q2)."""
    first, second, off = measurements.T
    x = np.log(first * second - off**2) / 2
    scale = np.exp(-x)
    return np.stack([x, (first - second) / 2 * scale, off * scale], axis=1)


def tensors(coordinates: Floats) -> Floats:
    """Tensors (N, 3) of coordinates (N, 3): from (x, q1, q2) to (A11, A22, A12)."""
    x, along, off = coordinates.T
    scale, root = np.exp(x), np.sqrt(1 + along**2 + off**2)
    return np.stack([scale * (root + along), scale * (root - along), scale * off], axis=1)


def tensor_jacobian(coordinates: Floats) -> Floats:
    """Return the derivatives (N, 3, 3) of the components of `tensors` in the coordinates."""
    x, along, off = coordinates.T
    scale, root = np.exp(x), np.sqrt(1 + along**2 + off**2)
    rows = np.empty((len(x), 3, 3))
    rows[:, :, 0] = tensors(coordinates)
    rows[:, 0, 1], rows[:, 1, 1], rows[:, 2, 1] = along / root + 1, along / root - 1, 0
    rows[:, 0, 2], rows[:, 1, 2], rows[:, 2, 2] = off / root, off / root, 1
    rows[:, :, 1:] *= scale[:, None, None]
    return rows


def log_volume(coordinates: Floats) -> Floats:
    """Logarithm (N,) of |det| of `tensor_jacobian`, which is 2 e^{3x} / √(1 + q·q)."""
    x, along, off = coordinates.T
    return np.asarray(np.log(2) + 3 * x - np.log1p(along**2 + off**2) / 2)


def check_tensors(name: str, measurements: npt.ArrayLike) -> Floats:
    """Return measurements (N, 3) of positive definite tensors as float64, or raise."""
    given = as_numpy(name, measurements)
    if given.dtype.kind not in "iuf":
        raise TypeError(f"{name} has dtype {given.dtype}; expected numbers, float64")
    if given.ndim != 2 or given.shape[1] != 3 or len(given) == 0:
        raise ValueError(f"{name} has shape {given.shape}; expected (N, 3): A11, A22, A12")
    values: Floats = given.astype(np.float64)
    first, second, off = values.T
    with np.errstate(all="ignore"):
        positive = (first > 0) & (second > 0) & (first * second > off**2) & np.isfinite(first)
        positive &= np.isfinite(second)
    if not positive.all():
        row = int(positive.argmin())
        raise ValueError(
            f"{name} has in row {row} the components {values[row].tolist()}; expected A11, A22, "
            "A12 of a positive definite tensor"
        )
    return values
