"""Images with what their file says of their axes, and the check of pixel sizes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Grid:
    """One image or a batch of images, with what their file says of the axes.

    Attributes
    ----------
    images : (..., n0, n1) or (..., n0, n1, n2) array
        Grey values, labels or conductivities, in the machine's byte order. Where the file tells
        the spatial axes apart, they come last; the others are a batch.
    dim : int or None
        The number of spatial axes, 2 or 3; None if the file does not tell: a `.npy` of three axes
        may be a batch of pictures or one volume.
    spacing : tuple of float or None
        Size of a pixel along each spatial axis, in `unit`; None if the file does not tell.
    unit : str
        Unit of length of `spacing`, as the file has it; empty if it does not tell.
    """

    images: npt.NDArray[Any]
    dim: int | None = None
    spacing: tuple[float, ...] | None = None
    unit: str = ""

    def spatial(self, dim: int | None = None) -> int:
        """Return the number of spatial axes: `dim` if given, else the file's, else 2."""
        return dim or self.dim or 2

    def sizes(self, dim: int) -> tuple[float, ...] | None:
        """Return the size of a pixel along the last `dim` axes, if the file tells."""
        if self.spacing is None or len(self.spacing) != dim:
            return None
        return self.spacing


def positive(values: Any, count: int | None = None) -> tuple[float, ...] | None:
    """Return sizes of pixels from a file, or None if these are none: files hold zeros and NaN."""
    try:
        sizes = np.atleast_1d(np.asarray(values, np.float64))
    except (TypeError, ValueError):
        return None
    fits = sizes.ndim == 1 and (count is None or len(sizes) == count)
    if not fits or not np.all((sizes > 0) & np.isfinite(sizes)):
        return None
    return tuple(sizes.tolist())


def unit_text(value: Any) -> str:
    r"""Return a unit of length as text; µ has many spellings, such as ImageJ's ``\u00B5m``."""
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    text = text.strip().strip('"').replace("\\u00B5", "µ").replace("μ", "µ")
    return "µm" if text in ("um", "micron", "microns", "micrometer", "micrometre") else text


def uniform(sizes: Iterable[float]) -> bool:
    """Tell whether pixels are squares or cubes, to rounding."""
    values: Sequence[float] = tuple(sizes)
    return max(values) <= min(values) * (1 + 1e-6)
