"""What the models share: the random stream of one image, and the checks of their arguments."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from numbers import Real
from typing import Literal, SupportsIndex, TypeAlias

import numpy as np
import numpy.typing as npt

Model: TypeAlias = Literal["voronoi", "discs", "noise"]

# Each model draws from its own stream, so that images of two models under one seed are independent.
_STREAM: dict[Model, int] = {"voronoi": 1, "discs": 2, "noise": 3}
_MAX_LABELS = 256  # labels are uint8
_MAX_PIXELS = 2**40  # of a batch: a terabyte
MANY = 2**31  # more of anything in one image overflows what is computed from it


def generator(seed: int, sample: int, model: Model) -> np.random.Generator:
    """Open the random stream of image `sample`: counter-based, keyed by (seed, sample) alone."""
    key = np.array([seed, sample], dtype=np.uint64)
    counter = np.array([0, 0, 0, _STREAM[model]], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=key, counter=counter))


def check_integer(name: str, value: SupportsIndex, low: int, high: int | None = None) -> int:
    """`value` as an int, or an error that names the argument."""
    expected = f"an integer >= {low}" if high is None else f"an integer from {low} to {high}"
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} is {value!r}; expected {expected}") from None
    if isinstance(value, bool):
        raise TypeError(f"{name} is {value!r}; expected {expected}")
    if number < low or (high is not None and number > high):
        raise ValueError(f"{name} is {number}; expected {expected}")
    return number


def check_number(name: str, value: float) -> float:
    """`value` as a float, or an error that names the argument."""
    given: object = value
    if not isinstance(given, Real):
        raise TypeError(f"{name} is {value!r}; expected a number")
    try:
        return float(value)
    except OverflowError:
        return math.inf


def check_batch(count: int, seed: int, sample: int, shape: tuple[int, ...]) -> range:
    """Check a batch and number its images: `count` from `sample` on."""
    count = check_integer("count", count, 1, _MAX_PIXELS // math.prod(shape))
    check_integer("seed", seed, 0, 2**64 - 1)
    sample = check_integer("sample", sample, 0, 2**63)
    return range(sample, sample + count)


def check_shape(shape: Sequence[int], dims: tuple[int, ...] = (2, 3)) -> tuple[int, ...]:
    """`shape` as a tuple of pixel counts, each at least 2."""
    listed = isinstance(shape, Sequence | np.ndarray) and not isinstance(shape, str | bytes)
    if not listed or getattr(shape, "ndim", 1) != 1 or len(shape) not in dims:
        numbers = " or ".join(str(d) for d in dims)
        raise ValueError(f"shape is {shape!r}; expected {numbers} integers")
    sizes = tuple(check_integer("shape", n, 2) for n in shape)
    if math.prod(sizes) > _MAX_PIXELS:
        raise ValueError(f"shape is {shape!r}; expected at most 2^40 pixels")
    return sizes


def check_phases(phases: int) -> int:
    """`phases` as an int, 1 to 256."""
    return check_integer("phases", phases, 1, _MAX_LABELS)


def check_fractions(fractions: Sequence[float]) -> npt.NDArray[np.float64]:
    """Volume fractions (P,), or an error unless they are positive and sum to one."""
    expected = "expected numbers > 0 that sum to 1"
    try:
        given = np.asarray(fractions)
    except ValueError:  # rows of different lengths
        raise ValueError(f"fractions is {fractions!r}; {expected}") from None
    if given.dtype.kind not in "iuf":
        raise TypeError(f"fractions is {fractions!r}; {expected}")
    valid = given.ndim == 1 and 1 <= given.size <= _MAX_LABELS
    if not (valid and np.all((given > 0) & (given <= 1))):
        raise ValueError(f"fractions is {fractions!r}; {expected}")
    values: npt.NDArray[np.float64] = given.astype(np.float64)
    if not abs(values.sum() - 1) <= 1e-9:
        raise ValueError(f"fractions is {fractions!r}; {expected}")
    return values
