"""What all statistics check: labels, phases, vectors, spacings."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pearlite import _arrays
from pearlite._errors import brief
from pearlite.io.phases import distinct_values

_MOST_PHASES = 255
_LARGEST_IMAGE = np.iinfo(np.int32).max


@dataclass(frozen=True)
class Labelled:
    """Images as the kernels take them: bytes with one batch axis, and what they stand for."""

    images: NDArray[np.uint8]  # (count, *shape)
    places: NDArray[np.uint8]  # (256,): the number of a byte's phase, or P where it is none
    phases: tuple[int, ...]  # labels of the P phases
    batch: tuple[int, ...]
    shape: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.images)

    def numbered(self) -> NDArray[np.uint8]:
        """Return the images (count, *shape) with phases numbered from 0, P for none."""
        count = len(self.phases)
        if (self.places[:count] == np.arange(count)).all() and (self.places[count:] == count).all():
            return np.minimum(self.images, count, dtype=np.uint8)
        numbered: NDArray[np.uint8] = self.places[self.images]
        return numbered

    @property
    def dim(self) -> int:
        """Number of axes of an image."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Pixels of an image."""
        return math.prod(self.shape)


def labelled(
    labels: ArrayLike, phases: Sequence[int] | None, dim: int, name: str = "labels"
) -> Labelled:
    """Check labels (..., *shape) and number the phases asked for, or all that there are."""
    dim = _arrays.check_dimension(dim)
    array = integers(labels, dim, name)
    names = _phases(phases, array, name)
    images, places = _bytes(array, names)
    batch, shape = array.shape[: array.ndim - dim], array.shape[array.ndim - dim :]
    packed = _arrays.packed(images, (math.prod(batch), *shape))
    return Labelled(packed, places, names, batch, shape)


def integers(labels: ArrayLike, dim: int, name: str = "labels") -> NDArray[Any]:
    """Return an array of integers or booleans (..., *shape) with `dim` axes to each image."""
    _arrays.check_dimension(dim)
    array = _arrays.as_numpy(name, labels)
    if array.dtype.kind not in "biu":
        raise TypeError(f"{name} has dtype {array.dtype}; expected integers or booleans")
    check_shape(name, array, dim)
    return array


def check_shape(name: str, array: NDArray[Any], dim: int) -> None:
    """Raise unless an array is (..., *shape) with at least two pixels along each of `dim` axes."""
    expected = "(..., n0, n1)" if dim == 2 else "(..., n0, n1, n2)"
    shape = array.shape[max(array.ndim - dim, 0) :]
    if len(shape) < dim or min(shape) < 2:
        raise ValueError(
            f"{name} has shape {array.shape}; expected {expected} with at least 2 along each axis"
        )
    if math.prod(shape) > _LARGEST_IMAGE:
        raise ValueError(f"{name} has images of shape {shape}; expected at most 2^31 pixels")


def phase_mask(
    labels: ArrayLike, phase: int | None, dim: int, name: str = "labels"
) -> NDArray[np.bool_]:
    """Return where the phase is, as booleans (..., *shape)."""
    array = integers(labels, dim, name)
    if phase is None:
        if array.dtype.kind != "b":
            raise TypeError(
                f"phase is None; expected the label to look for, unless {name} are bool"
            )
        return array.astype(np.bool_, copy=False)
    if isinstance(phase, bool) or not isinstance(phase, int | np.integer):
        raise TypeError(f"phase is {brief(phase)}; expected an integer label")
    mask: NDArray[np.bool_] = np.asarray(array == phase)
    return mask


def _phases(phases: Sequence[int] | None, array: NDArray[Any], name: str) -> tuple[int, ...]:
    if phases is None:
        if array.dtype.kind == "b":
            return 0, 1
        found = distinct_values([array]) if array.size else array.ravel()
        if len(found) > _MOST_PHASES:
            raise ValueError(
                f"{name} has {len(found)} distinct values; expected at most {_MOST_PHASES}, "
                "or phases=[...] to say which matter"
            )
        return tuple(found.tolist())
    names = _arrays.as_numpy("phases", phases)
    expected = f"expected 1 to {_MOST_PHASES} different integer labels"
    if names.dtype.kind not in "iu":
        raise TypeError(f"phases has dtype {names.dtype}; {expected}")
    if names.ndim != 1 or not 1 <= names.size <= _MOST_PHASES:
        raise ValueError(f"phases has shape {names.shape}; {expected}")
    if len(np.unique(names)) < len(names):
        raise ValueError(f"phases is {brief(names)}; {expected}")
    return tuple(names.tolist())


def _bytes(
    array: NDArray[Any], phases: tuple[int, ...]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return an image of bytes, and the place among the phases (256,) of each byte."""
    count = len(phases)
    places = np.full(256, count, np.uint8)
    if array.dtype == np.bool_:
        array = array.view(np.uint8)
    if array.dtype == np.uint8:  # as they are: the kernels look up places as they need them
        for place, phase in enumerate(phases):
            if 0 <= phase < 256:
                places[phase] = place
        return array, places
    places[:count] = np.arange(count)
    numbered = np.full(array.shape, count, np.uint8)
    for place, phase in enumerate(phases):
        numbered[array == phase] = place
    return numbered, places


def integer_vectors(name: str, vectors: ArrayLike, dim: int) -> NDArray[np.int64]:
    """Return vectors (..., dim) of integers."""
    array = _arrays.as_numpy(name, vectors)
    if array.dtype.kind not in "iu":
        raise TypeError(f"{name} has dtype {array.dtype}; expected integers")
    if array.ndim < 1 or array.shape[-1] != dim or array.size == 0:
        raise ValueError(f"{name} has shape {array.shape}; expected (..., {dim})")
    if np.abs(array.astype(np.float64)).max() > _LARGEST_IMAGE:
        raise ValueError(f"{name} has an entry beyond 2^31")
    return array.astype(np.int64)


def line_directions(directions: ArrayLike | None, dim: int) -> NDArray[np.int64]:
    """Return the steps (D, dim) of lines of pixels: by default one along each axis."""
    if directions is None:
        return np.eye(dim, dtype=np.int64)
    steps = np.atleast_2d(integer_vectors("directions", directions, dim))
    if steps.ndim != 2 or not steps.any(axis=1).all():
        raise ValueError(f"directions is {brief(steps)}; expected vectors (D, {dim}), none zero")
    return np.ascontiguousarray(steps)


def pixel_sizes(spacing: float | Sequence[float] | None, dim: int) -> NDArray[np.float64]:
    """Return the physical size of a pixel along each axis (dim,); without one, lengths are pixels.

    Unlike for conductivity, which has no length, there is no other unit to measure in.
    """
    expected = f"expected a number from 1e-100 to 1e100, or {dim} of them"
    sizes = _arrays.as_numpy("spacing", 1.0 if spacing is None else spacing)
    if sizes.dtype.kind not in "iuf" or sizes.dtype == np.longdouble:
        raise TypeError(f"spacing has dtype {sizes.dtype}; {expected}")
    if sizes.shape not in ((), (dim,)):
        raise ValueError(f"spacing has shape {sizes.shape}; {expected}")
    sizes = sizes.astype(np.float64)
    if not ((sizes >= 1e-100) & (sizes <= 1e100)).all():  # or volumes were no normal numbers
        raise ValueError(f"spacing is {brief(sizes)}; {expected}")
    return np.broadcast_to(sizes, dim).copy()


def real_numbers(name: str, values: ArrayLike) -> NDArray[np.float64]:
    """Return an array of real numbers in double precision."""
    array: NDArray[Any] = _arrays.as_numpy(name, values)
    if array.dtype.kind not in "biuf" or array.dtype == np.longdouble:
        raise TypeError(f"{name} has dtype {array.dtype}; expected real numbers")
    doubles: NDArray[np.float64] = array.astype(np.float64, copy=False)
    return doubles
