"""What the measures of cells check of labelled images alike, of numpy and of cupy."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pearlite import _arrays, _cuda
from pearlite._errors import brief

Labels = NDArray[np.uint8] | NDArray[np.uint16] | NDArray[np.int32]

_DTYPES = (np.dtype(np.uint8), np.dtype(np.uint16), np.dtype(np.int32))
_MOST_CELLS = 2**27
_LONGEST_AXIS = 2**20  # sums of squares along an axis are integers


@dataclass(frozen=True)
class Images:
    """Labels as the kernels take them."""

    labels: Labels  # (images, *shape), contiguous; of cupy if they were given so
    batch: tuple[int, ...]
    shape: tuple[int, ...]
    count: int

    @property
    def dimension(self) -> int:
        return len(self.shape)


def images(labels: ArrayLike, count: int | None, dim: int) -> Images:
    """Check and convert labelled images."""
    dimension = _arrays.check_dimension(dim)
    pixels = _integers(labels)
    expected = "(..., n0, n1)" if dimension == 2 else "(..., n0, n1, n2)"
    shape, batch = pixels.shape[-dimension:], pixels.shape[:-dimension]
    if pixels.ndim < dimension or min(shape) < 1 or max(shape) > _LONGEST_AXIS:
        raise ValueError(
            f"labels has shape {pixels.shape}; expected {expected} with dim={dimension}, "
            "each from 1 to 2^20"
        )
    low = int(pixels.min()) if pixels.size and pixels.dtype.kind == "i" else 0
    high = int(pixels.max()) if pixels.size else -1
    if count is None:
        if pixels.size == 0:
            raise ValueError(f"labels has shape {pixels.shape}; expected pixels, or count=...")
        number = high + 1
        if number > _MOST_CELLS:
            raise ValueError(f"labels has a label {high}; expected labels below {_MOST_CELLS}")
    else:
        number = _arrays.check_integer("count", count, 1, _MOST_CELLS)
    if low < 0 or high >= number:
        flat = int(((pixels < 0) | (pixels >= number)).argmax())
        place = _arrays.unravel(flat, pixels.shape)
        where = f"labels[{', '.join(map(str, place))}] is {int(pixels[place])}"
        below = ", below count" if count is not None else ""
        raise ValueError(f"{where}; expected a label from 0 to {number - 1}{below}")
    return Images(
        labels=_packed(pixels, (int(np.prod(batch, dtype=np.int64)), *shape)),
        batch=batch,
        shape=shape,
        count=number,
    )


def _packed(pixels: Any, shape: tuple[int, ...]) -> Any:
    if _cuda.is_array(pixels):
        return _cuda.library().ascontiguousarray(pixels).reshape(shape)
    return _arrays.packed(pixels, shape)


def _integers(labels: Any) -> Any:
    """Return an uint8, uint16 or int32 array with the same values."""
    array = labels if _cuda.is_array(labels) else _arrays.as_numpy("labels", labels)
    dtype = array.dtype.newbyteorder("=")
    if dtype in _DTYPES:
        return array.astype(dtype, copy=False)
    if dtype.kind == "b":
        return array.view(np.uint8)
    if dtype.kind not in "iu":
        raise TypeError(f"labels has dtype {dtype}; expected uint8, uint16 or int32")
    limits = np.iinfo(np.int32)
    low, high = (int(array.min()), int(array.max())) if array.size else (0, 0)
    if low < limits.min or high > limits.max:
        raise ValueError(f"labels has values from {low} to {high}; expected int32")
    return array.astype(np.int32)


def pixel_sizes(
    spacing: float | Sequence[float] | None, shape: tuple[int, ...]
) -> NDArray[np.float64]:  # (d,)
    """Return the sizes of a pixel, those of a unit cell by default."""
    if spacing is None:
        return 1 / np.asarray(shape, np.float64)
    expected = f"expected a number from 1e-90 to 1e90 or {len(shape)} of them"
    try:
        sizes = np.asarray(spacing)
    except ValueError:  # rows of different lengths
        raise ValueError(f"spacing is {brief(spacing)}; {expected}") from None
    if sizes.dtype.kind not in "iuf" or sizes.dtype == np.longdouble:
        raise TypeError(f"spacing is {brief(spacing)}; {expected}")
    if sizes.shape not in ((), (len(shape),)):
        raise ValueError(f"spacing has shape {sizes.shape}; {expected}")
    sizes = sizes.astype(np.float64)
    if not ((sizes >= 1e-90) & (sizes <= 1e90)).all():  # else volumes are no normal numbers
        raise ValueError(f"spacing is {brief(spacing)}; {expected}")
    return np.broadcast_to(sizes, len(shape))
