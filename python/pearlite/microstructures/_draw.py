"""What the models share: the random stream of one image, and the checks of their arguments."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Literal, SupportsIndex, TypeAlias

import numpy as np
import numpy.typing as npt

Model: TypeAlias = Literal["voronoi", "discs", "noise"]

# Each model draws from its own stream, so that images of two models under one seed are independent.
_STREAM: dict[Model, int] = {"voronoi": 1, "discs": 2, "noise": 3}
_MAX_LABELS = 256  # labels are uint8


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
    if number < low or (high is not None and number > high):
        raise ValueError(f"{name} is {number}; expected {expected}")
    return number


def check_batch(count: int, seed: int, sample: int) -> range:
    """Check a batch and number its images: `count` from `sample` on."""
    count = check_integer("count", count, 1)
    check_integer("seed", seed, 0, 2**64 - 1)
    sample = check_integer("sample", sample, 0, 2**63)
    return range(sample, sample + count)


def check_shape(shape: Sequence[int], dims: tuple[int, ...] = (2, 3)) -> tuple[int, ...]:
    """`shape` as a tuple of pixel counts, each at least 2."""
    if not hasattr(shape, "__len__") or len(shape) not in dims:
        sizes = " or ".join(str(d) for d in dims)
        raise ValueError(f"shape is {shape!r}; expected {sizes} integers")
    return tuple(check_integer("shape", n, 2) for n in shape)


def check_phases(phases: int) -> int:
    """`phases` as an int, 1 to 256."""
    return check_integer("phases", phases, 1, _MAX_LABELS)


def check_fractions(fractions: Sequence[float]) -> npt.NDArray[np.float64]:
    """Volume fractions (P,), or an error unless they are positive and sum to one."""
    values = np.asarray(fractions, dtype=np.float64)
    valid = values.ndim == 1 and 1 <= values.size <= _MAX_LABELS
    if not (valid and np.all(values > 0) and abs(values.sum() - 1) <= 1e-9):
        raise ValueError(f"fractions is {fractions!r}; expected numbers > 0 that sum to 1")
    return values
