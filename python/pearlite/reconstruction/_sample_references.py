"""What `sample` is given: references, checked, as planes of patches and as labels."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pearlite._errors import brief
from pearlite.microstructures._draw import check_shape
from pearlite.reconstruction._overlap import labels

Labels: TypeAlias = NDArray[np.uint8]
# One image, several, or those of the planes normal to each axis.
Given: TypeAlias = ArrayLike | Sequence[ArrayLike] | Mapping[int, ArrayLike | Sequence[ArrayLike]]

SIDE = 7  # of patches, in pixels
_SMALLEST = 2 * SIDE + 2  # a level below it, patches still fit
_LARGEST = 2**31  # pixels, which exchanges draw by 32 bits


@dataclass(frozen=True)
class References:
    """Images that a sample is made from.

    Attributes
    ----------
    sections : tuple of lists of (m0, m1[, m2]) uint8 arrays
        By axis of the sample: the images of planes normal to it. Images of the sample's own number
        of axes stand under each of its axes.
    values : (P,) array
        The caller's labels of phases 0 … P − 1.
    shape : tuple of int
        That of the sample.
    """

    sections: tuple[list[Labels], ...]
    values: NDArray[Any]
    shape: tuple[int, ...]

    @property
    def phases(self) -> int:
        """Their number."""
        return len(self.values)

    @property
    def dim(self) -> int:
        """The sample's number of axes."""
        return len(self.shape)

    @property
    def solid(self) -> bool:
        """Whether the references have as many axes as the sample."""
        return self.sections[0][0].ndim == self.dim

    @property
    def images(self) -> list[Labels]:
        """Each image once."""
        found: list[Labels] = []
        for section in self.sections:
            found += [image for image in section if not any(image is other for other in found)]
        return found

    @property
    def smallest(self) -> int:
        """The least number of pixels along an axis, of the sample and of its references."""
        sizes: list[int] = [*self.shape]
        for image in self.images:
            sizes += image.shape
        return min(sizes)

    def fractions(self) -> NDArray[np.float64]:
        """Return the phases' shares of all pixels (P,)."""
        counts = sum(np.bincount(image.ravel(), minlength=self.phases) for image in self.images)
        return np.asarray(counts / np.sum(counts), np.float64)

    def digest(self) -> dict[str, Any]:
        """Return what tells these references from others, for checkpoints."""
        parts: dict[str, Any] = {"shape": self.shape, "values": self.values}
        for axis, section in enumerate(self.sections):
            parts |= {f"{axis} {k}": image for k, image in enumerate(section)}
        return parts


def check(references: Given, shape: Sequence[int] | None) -> References:
    """Return the references, checked, with labels 0 … P − 1."""
    given = _by_axis(references)
    ndim = next(iter(given.values()))[0][1].ndim
    for name, image in (pair for images in given.values() for pair in images):
        if image.ndim != ndim:
            raise ValueError(f"{name} has {image.ndim} axes; expected {ndim}, as the first one has")
        if min(image.shape) < _SMALLEST:
            raise ValueError(
                f"{name} has shape {image.shape}; expected at least {_SMALLEST} pixels an axis"
            )
    first = next(iter(given.values()))[0][1]
    size = _check_shape(shape, first.shape)
    images = [image for pairs in given.values() for _, image in pairs]
    values = np.unique(np.concatenate([np.unique(image) for image in images]))
    if len(values) < 2:
        raise ValueError(f"references have the label {values[0]} only; expected two phases or more")
    # An image stays one object under each axis that it serves.
    once = {id(image): np.searchsorted(values, image).astype(np.uint8) for image in images}
    sections = {axis: [once[id(image)] for _, image in pairs] for axis, pairs in given.items()}
    if -1 in sections:
        sections = dict.fromkeys(range(len(size)), sections[-1])
    elif sorted(sections) != list(range(len(size))) or ndim != len(size) - 1:
        raise ValueError(
            f"references are images of {ndim} axes for axes {sorted(sections)}; expected images of "
            f"2 axes for 0, 1 and 2, and a shape of 3 axes (it is {size})"
        )
    if ndim not in (len(size), len(size) - 1):
        raise ValueError(f"shape is {size}; expected {ndim} axes, those of the references, or 3")
    return References(tuple(sections[axis] for axis in range(len(size))), values, size)


def _by_axis(references: Given) -> dict[int, list[tuple[str, Labels]]]:
    """Return named images by axis; under −1 those that serve all axes."""
    if isinstance(references, Mapping):
        if not references:
            raise ValueError("references is an empty mapping; expected images for axes 0, 1 and 2")
        for axis in references:
            if isinstance(axis, bool) or axis not in (0, 1, 2):
                raise ValueError(f"references has the key {brief(axis)}; expected axes 0, 1 and 2")
        return {
            int(axis): _listed(f"references[{axis}]", images) for axis, images in references.items()
        }
    return {-1: _listed("references", references)}


def _listed(name: str, images: Any) -> list[tuple[str, Labels]]:
    """Return one image or several, with their names."""
    # A list of arrays is several images; one of numbers or lists is an image written out.
    if isinstance(images, list | tuple) and images and getattr(images[0], "ndim", 0) >= 2:
        return [(f"{name}[{k}]", labels(f"{name}[{k}]", image)) for k, image in enumerate(images)]
    return [(name, labels(name, images))]


def _check_shape(shape: Sequence[int] | None, default: tuple[int, ...]) -> tuple[int, ...]:
    if shape is None:
        return default
    sizes = check_shape(shape)
    if min(sizes) < _SMALLEST:
        raise ValueError(f"shape is {sizes}; expected at least {_SMALLEST} pixels along each axis")
    if math.prod(sizes) > _LARGEST:
        raise ValueError(f"shape is {sizes}; expected at most 2^31 pixels")
    return sizes
