"""What the models share: the random stream of one image, and the checks of their arguments."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from pearlite._arrays import as_numpy
from pearlite._arrays import check_integer as check_integer  # for the models
from pearlite._arrays import check_number as check_number
from pearlite._arrays import check_positive as check_positive
from pearlite._errors import brief

Floats: TypeAlias = npt.NDArray[np.float64]
Model: TypeAlias = Literal[
    "voronoi",
    "discs",
    "noise",
    "spheres",
    "level set",
    "cells",
    "mosaic",
    "field",
    "seed fields",
    "fraction fields",
    "specimen",
]

# Each model draws from its own stream, so that images of two models under one seed are independent.
_STREAM: dict[Model, int] = {
    "voronoi": 1,
    "discs": 2,
    "noise": 3,
    "spheres": 4,
    "level set": 5,
    "cells": 6,
    "mosaic": 7,
    "field": 8,
    "seed fields": 9,
    "fraction fields": 10,
    "specimen": 11,
}
_WORDS = 4  # of 64 bits, that one counter of Philox gives
_MAX_LABELS = 256  # labels are uint8
_MAX_PIXELS = 2**40  # of a batch: a terabyte
MANY = 2**31  # more of anything in one image overflows what is computed from it


def generator(seed: int, sample: int, model: Model) -> np.random.Generator:
    """Open the random stream of image `sample`: counter-based, keyed by (seed, sample) alone."""
    key = np.array([seed, sample], dtype=np.uint64)
    counter = np.array([0, 0, 0, _STREAM[model]], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=key, counter=counter))


def uniforms(seed: int, samples: range, size: int, model: Model) -> Floats:
    """Draw (len(samples), size) numbers, uniform in the open interval (0, 1).

    One stream holds those of all samples, a whole number of counters each, so that a batch is drawn
    at once. Streams of different sizes have no counter in common.
    """
    counters = -(-size // _WORDS)
    start = samples.start * counters
    counter = np.array([start % 2**64, start >> 64, size, _STREAM[model]], dtype=np.uint64)
    stream = np.random.Philox(key=np.array([seed, 0], dtype=np.uint64), counter=counter)
    words = stream.random_raw(len(samples) * counters * _WORDS).reshape(len(samples), -1)
    # The midpoints of 2^52 intervals are exact; with one bit more the last would round to 1.
    numbers: Floats = (words[:, :size] >> np.uint64(12)).astype(np.float64)
    numbers += 0.5
    numbers *= 2.0**-52
    return numbers


def normals(seed: int, samples: range, shape: tuple[int, ...], model: Model) -> Floats:
    """Draw (len(samples), *shape) standard normal numbers."""
    return np.stack([generator(seed, k, model).standard_normal(shape) for k in samples])


def check_batch(count: int, seed: int, sample: int, shape: tuple[int, ...]) -> range:
    """Check a batch and number its images: `count` from `sample` on."""
    count = check_integer("count", count, 1, _MAX_PIXELS // math.prod(shape))
    check_integer("seed", seed, 0, 2**64 - 1)
    sample = check_integer("sample", sample, 0, 2**63)
    return range(sample, sample + count)


def check_shape(
    shape: Sequence[int], dims: tuple[int, ...] = (2, 3), least: int = 2
) -> tuple[int, ...]:
    """`shape` as a tuple of pixel counts, each at least `least`."""
    listed = isinstance(shape, Sequence | np.ndarray) and not isinstance(shape, str | bytes)
    if not listed or getattr(shape, "ndim", 1) != 1 or len(shape) not in dims:
        numbers = " or ".join(str(d) for d in dims)
        raise ValueError(f"shape is {brief(shape)}; expected {numbers} integers")
    sizes = tuple(check_integer("shape", n, least) for n in shape)
    if math.prod(sizes) > _MAX_PIXELS:
        raise ValueError(f"shape is {brief(shape)}; expected at most 2^40 pixels")
    return sizes


def check_pair(name: str, values: Sequence[int], low: int, highs: Sequence[int]) -> tuple[int, int]:
    """`values` as two ints, each from `low` to its own of `highs`."""
    listed = isinstance(values, Sequence | np.ndarray)
    if not listed or getattr(values, "ndim", 1) != 1 or len(values) != 2:
        raise ValueError(f"{name} is {brief(values)}; expected 2 integers")
    first, second = (check_integer(name, v, low, h) for v, h in zip(values, highs, strict=True))
    return first, second


def check_kind(name: str, value: object, kind: type) -> None:
    """Raise unless `value` is an instance of `kind`."""
    if not isinstance(value, kind):
        raise TypeError(f"{name} is a {type(value).__name__}; expected a {kind.__name__}")


def check_phases(phases: int) -> int:
    """`phases` as an int, 1 to 256."""
    return check_integer("phases", phases, 1, _MAX_LABELS)


def check_fractions(fractions: Sequence[float]) -> Floats:
    """Volume fractions (P,), or an error unless they are positive and sum to one."""
    expected = "expected numbers > 0 that sum to 1"
    try:
        given = np.asarray(fractions)
    except ValueError:  # rows of different lengths
        raise ValueError(f"fractions is {brief(fractions)}; {expected}") from None
    if given.dtype.kind not in "iuf":
        raise TypeError(f"fractions is {brief(fractions)}; {expected}")
    valid = given.ndim == 1 and 1 <= given.size <= _MAX_LABELS
    if not (valid and np.all((given > 0) & (given <= 1))):
        raise ValueError(f"fractions is {brief(fractions)}; {expected}")
    values: Floats = given.astype(np.float64)
    if not abs(values.sum() - 1) <= 1e-9:
        raise ValueError(f"fractions is {brief(fractions)}; {expected}")
    return values


def check_array(name: str, value: npt.ArrayLike, *ends: tuple[int | None, ...]) -> Floats:
    """`value` as finite float64 numbers whose last axes are one of `ends`; None stands for any."""
    array = as_numpy(name, value)
    if array.dtype.kind not in "iuf" or array.dtype == np.longdouble:
        raise TypeError(f"{name} has dtype {array.dtype}; expected numbers, float64")
    if not any(_ends_in(array.shape, end) for end in ends):
        listed = " or ".join(
            f"(..., {', '.join('any' if n is None else str(n) for n in end)})" for end in ends
        )
        raise ValueError(f"{name} has shape {array.shape}; expected {listed}")
    numbers: Floats = array.astype(np.float64, copy=False)
    if not np.isfinite(numbers).all():
        raise ValueError(f"{name} has entries that are not finite; expected finite numbers")
    return numbers


def _ends_in(shape: tuple[int, ...], end: tuple[int | None, ...]) -> bool:
    """Tell whether the last axes have these sizes, where one is prescribed."""
    last = shape[len(shape) - len(end) :]
    return len(last) == len(end) and all(b in (None, a) for a, b in zip(last, end, strict=True))
