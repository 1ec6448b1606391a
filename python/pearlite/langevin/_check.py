"""What the functions of this package ask of their arguments."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pearlite import _arrays
from pearlite._errors import brief

FLOATS = (np.dtype(np.float32), np.dtype(np.float64))
MOST_NUMBERS = 2**34  # of a sample: what its counters tell apart
SEEDS, SAMPLES, STEPS = 2**64 - 1, 2**48 - 1, 2**32 - 1


class Images(NamedTuple):
    pixels: NDArray[Any]  # (B, C, *shape + 2 padding)
    padding: list[int]


def images(x: Any, padding: Any) -> Images:
    """Return x, whatever its strides, and how wide its padding is along each axis."""
    pixels = _arrays.as_numpy("x", x)
    return Images(pixels, around(pixels, padding))


def around(pixels: Any, padding: Any) -> list[int]:
    """Return how wide the padding is along each axis of images, an array on any device."""
    expected = "(B, C, n0, n1) or (B, C, n0, n1, n2)"
    if pixels.ndim not in (4, 5):
        raise ValueError(f"x has shape {pixels.shape}; expected {expected}")
    if pixels.dtype not in FLOATS or not pixels.dtype.isnative:
        raise TypeError(f"x has dtype {pixels.dtype}; expected float32 or float64 in native order")
    found = widths(padding, pixels.ndim - 2)
    shape = [n - 2 * p for n, p in zip(pixels.shape[2:], found, strict=True)]
    if pixels.shape[1] < 1 or min(shape) < 1:
        raise ValueError(
            f"x has shape {pixels.shape} and padding is {found}; expected {expected} with at "
            "least one channel, and along each axis at least one pixel between the padding"
        )
    if math.prod(shape) * pixels.shape[1] > MOST_NUMBERS:
        raise ValueError(f"x has shape {pixels.shape}; expected at most 2^34 numbers in an image")
    return found


def widths(padding: Any, dim: int) -> list[int]:
    """Return the width of the padding along each of `dim` axes."""
    many = (
        padding.ndim > 0 if isinstance(padding, np.ndarray) else isinstance(padding, list | tuple)
    )
    if not many:
        value = padding.item() if isinstance(padding, np.ndarray) else padding
        return [_arrays.check_integer("padding", value, 0, 2**31)] * dim
    found = [_arrays.check_integer("padding", p, 0, 2**31) for p in padding]
    if len(found) != dim:
        raise ValueError(f"padding has {len(found)} entries; expected one, or {dim} as x has axes")
    return found


def check_writable(pixels: NDArray[Any]) -> None:
    """Raise unless a kernel can change each pixel in place, once."""
    if not pixels.flags.writeable:
        raise ValueError("x is read-only; expected an array that can be changed in place")
    if regular(pixels) is not pixels:
        raise ValueError("x is not aligned; expected strides and an address of whole numbers")
    check_places(pixels)


def check_places(pixels: Any) -> None:
    """Raise unless each pixel has a place of its own; `pixels`: an array on any device."""
    reach = 1
    axes = zip(pixels.strides, pixels.shape, strict=True)
    for stride, count in sorted((abs(s) // pixels.itemsize, n) for s, n in axes if n > 1):
        if stride < reach and pixels.size:
            raise ValueError(
                f"x has strides {pixels.strides}, which repeat memory; expected a place for each "
                "pixel"
            )
        reach = stride * (count - 1) + reach


def regular(pixels: NDArray[Any]) -> NDArray[Any]:
    """Return an array whose strides count whole numbers: itself if they do."""
    whole = all(stride % pixels.itemsize == 0 for stride in pixels.strides)
    return pixels if pixels.flags.aligned and whole else pixels.copy()


def like(score: Any, x: NDArray[Any]) -> NDArray[Any]:
    """Return the score as a kernel takes it, with memory of its own."""
    array = _arrays.as_numpy("score", score)
    same_kind(array, x)
    return array.copy() if np.may_share_memory(array, x) else regular(array)


def same_kind(score: Any, x: Any) -> None:
    """Raise unless the score has the shape and dtype of x; arrays on any device."""
    if score.shape != x.shape:
        raise ValueError(f"score has shape {score.shape}; expected {x.shape}, that of x")
    if score.dtype != x.dtype:
        raise TypeError(f"score has dtype {score.dtype}; expected {x.dtype}, that of x")


class Each(NamedTuple):
    """What each image has of its own."""

    step_size: NDArray[np.float64]  # (B,)
    fractions: NDArray[np.float64] | None  # (B, C)
    sigma: NDArray[np.float64]  # (B,)
    sample: NDArray[np.uint64]  # (B,)
    channels: int


def each_image(
    x: Any, step_size: Any, volume_fraction: Any, sigma_volume: Any, sample: Any
) -> Each:
    """Check what may be given for each image of x, an array on any device."""
    batch, channels = x.shape[:2]
    wanted = fractions(volume_fraction, batch, channels)
    if (wanted is None) != (sigma_volume is None):
        names = "volume_fraction", "sigma_volume"
        missing, given = names if wanted is None else names[::-1]
        raise ValueError(f"{missing} is None; expected a value, as {given} has one")
    sigma = each("sigma_volume", 1.0 if sigma_volume is None else sigma_volume, batch)
    if not (sigma > 0).all():
        raise ValueError(f"sigma_volume is {brief(sigma_volume)}; expected values > 0")
    sizes = each("step_size", step_size, batch)
    return Each(sizes, wanted, sigma, batch_samples(sample, batch), channels)


def _numbers(name: str, value: Any, expected: str) -> NDArray[np.float64]:
    array = _arrays.as_numpy(name, value)
    if array.dtype.kind not in "iuf" or array.dtype == np.longdouble:
        raise TypeError(f"{name} is {brief(value)}; expected {expected}")
    return array.astype(np.float64)


def each(name: str, value: Any, batch: int) -> NDArray[np.float64]:
    """Return a finite number >= 0 of each image, (B,)."""
    if type(value) is float and 0 <= value < math.inf:
        return np.full(batch, value)  # no more than this in the loop of a sampler
    expected = f"a number >= 0, or one for each of {batch} images"
    numbers = _numbers(name, value, expected)
    if numbers.shape not in ((), (batch,)):
        raise ValueError(f"{name} has shape {numbers.shape}; expected {expected}")
    if not (np.isfinite(numbers).all() and (numbers >= 0).all()):
        raise ValueError(f"{name} is {brief(value)}; expected finite values >= 0")
    return np.ascontiguousarray(np.broadcast_to(numbers, batch))


def fractions(value: Any, batch: int, channels: int) -> NDArray[np.float64] | None:
    """Return volume fractions (B, C), or None."""
    if value is None:
        return None
    expected = "(), (B,) or (B, 1)" if channels == 1 else "(C,) or (B, C)"
    numbers = _numbers("volume_fraction", value, f"numbers of shape {expected}")
    if channels == 1 and numbers.shape == (batch,):
        numbers = numbers[:, np.newaxis]
    shapes = [(batch, channels), () if channels == 1 else (channels,)]
    if numbers.shape not in shapes:
        raise ValueError(
            f"volume_fraction has shape {numbers.shape}; expected {expected} with B = {batch} and "
            f"C = {channels}"
        )
    if not ((numbers >= 0) & (numbers <= 1)).all():
        raise ValueError(f"volume_fraction is {brief(value)}; expected values in [0, 1]")
    return np.ascontiguousarray(np.broadcast_to(numbers, (batch, channels)))


def number(name: str, value: Any, low: float) -> float:
    """Return a finite number that is not below `low`."""
    result = _arrays.check_number(name, value)
    if not (math.isfinite(result) and result >= low):
        raise ValueError(f"{name} is {brief(value)}; expected a finite number >= {low}")
    return result


def limits(clamp: Any) -> tuple[float, float]:
    """Return the lowest and the highest value that a clamp leaves."""
    if clamp is None:
        return -math.inf, math.inf
    if type(clamp) is float and clamp > 0:
        return -clamp, clamp
    expected = "a number > 0, or a pair of a lower and a higher one"
    numbers = _numbers("clamp", clamp, expected)
    if numbers.shape == ():
        numbers = np.array([-numbers, numbers])
    if numbers.shape != (2,) or not numbers[0] < numbers[1]:
        raise ValueError(f"clamp is {brief(clamp)}; expected {expected}")
    return float(numbers[0]), float(numbers[1])


def sample_numbers(sample: Any) -> NDArray[np.uint64]:
    """Return numbers of samples, of any shape."""
    expected = "an integer from 0 to 2^48 - 1, or an array of them"
    array = _arrays.as_numpy("sample", sample)
    if array.dtype.kind not in "iu" and array.size:
        raise TypeError(f"sample is {brief(sample)}; expected {expected}")
    if array.size and (int(array.min()) < 0 or int(array.max()) > SAMPLES):
        raise ValueError(f"sample is {brief(sample)}; expected {expected}")
    return array.astype(np.uint64)


def batch_samples(sample: Any, batch: int) -> NDArray[np.uint64]:
    """Return the number of each image's sample, (B,)."""
    numbers = sample_numbers(sample)
    if numbers.shape == ():
        first = int(numbers)
        if first + batch > SAMPLES + 1:
            raise ValueError(f"sample is {first}; expected at most 2^48 - {batch}")
        return np.arange(first, first + batch, dtype=np.uint64)
    if numbers.shape != (batch,):
        raise ValueError(f"sample has shape {numbers.shape}; expected () or {(batch,)}")
    return np.ascontiguousarray(numbers)


def sizes(shape: Any) -> tuple[int, ...]:
    """Return a shape as a tuple of sizes >= 0."""
    if isinstance(shape, list | tuple):
        return tuple(_arrays.check_integer("shape", n, 0) for n in shape)
    return (_arrays.check_integer("shape", shape, 0),)


def float_type(dtype: Any) -> np.dtype[Any]:
    """Return float32 or float64 as a dtype."""
    if dtype is not None:
        try:
            return FLOATS[FLOATS.index(np.dtype(dtype))]
        except (TypeError, ValueError):
            pass
    raise TypeError(f"dtype is {brief(dtype)}; expected float32 or float64")
