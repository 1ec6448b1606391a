"""Patches of one image or of several: where they are cut, and what is kept apart for validation."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pearlite import _arrays
from pearlite.generation import _layout

Labels = NDArray[np.uint8]
_STREAMS = {"corners": 1, "order": 2, "batch": 3, "validation": 4, "samples": 5, "turns": 6}


def generator(seed: int, stream: str, number: int = 0) -> np.random.Generator:
    """Return the random numbers of a purpose and a step: no state to keep between steps."""
    key = np.array([seed, _STREAMS[stream] * 2**56 + number], np.uint64)
    return np.random.Generator(np.random.Philox(key=key))


def reference_images(reference: ArrayLike) -> Labels:
    """Check labels (n0, n1) or (m, n0, n1) of at least two phases; return (m, n0, n1)."""
    array = _arrays.as_numpy("reference", reference)
    if array.dtype.kind not in "biu":
        raise TypeError(f"reference has dtype {array.dtype}; expected integers or booleans")
    if array.ndim not in (2, 3) or array.size == 0:
        raise ValueError(
            f"reference has shape {array.shape}; expected (n0, n1) or (m, n0, n1) with pixels"
        )
    if array.min() < 0 or array.max() >= _layout.MOST_PHASES:
        raise ValueError(
            f"reference has labels from {array.min()} to {array.max()}; "
            f"expected 0 … N-1 with N at most {_layout.MOST_PHASES}"
        )
    counts = np.bincount(array.reshape(-1).astype(np.uint8))
    if len(counts) == 1:
        raise ValueError("reference has one phase only; expected at least two")
    if not counts.all():
        missing = int(np.argmin(counts))
        raise ValueError(
            f"reference has labels up to {len(counts) - 1} but none is {missing}; "
            "expected every label from 0 on"
        )
    images: Labels = np.ascontiguousarray(array, np.uint8).reshape(-1, *array.shape[-2:])
    return images


def fingerprint(images: Labels) -> str:
    """Return the SHA-256 of labels and their shape."""
    digest = hashlib.sha256(repr(images.shape).encode())
    digest.update(images.tobytes())
    return digest.hexdigest()


@dataclass(frozen=True)
class Split:
    """Two bands of an image without a common pixel, along its longer axis.

    Patches that merely have other corners overlap and would leak what they share; these cannot.
    """

    axis: int  # of the image
    training: tuple[int, int]  # first pixel, and the one behind the last
    validation: tuple[int, int]

    def corners(
        self, part: str, count: int, images: int, shape: tuple[int, int], patch: int, seed: int
    ) -> NDArray[np.int64]:
        """Draw corners (count, 3), image and pixel, by a Latin hypercube over one part.

        Each of the three coordinates has one corner in each of `count` equal strata.
        """
        low, high = self.training if part == "training" else self.validation
        sizes = np.array([images, *(n - patch + 1 for n in shape)])
        sizes[1 + self.axis] = high - low - patch + 1
        random = generator(seed, "corners" if part == "training" else "validation")
        strata = np.stack([random.permutation(count) for _ in sizes], axis=1)
        places = (strata + random.random(strata.shape)) / count * sizes
        found: NDArray[np.int64] = np.minimum(places.astype(np.int64), sizes - 1)
        found[:, 1 + self.axis] += low
        return found


def split_regions(shape: tuple[int, int], patch: int, share: float, seed: int) -> Split:
    """Give the first or the last rows (or columns, if there are more) to validation.

    They are the given share of the image, and at least as wide as a patch.
    """
    axis = int(shape[1] > shape[0])
    longer, shorter = max(shape), min(shape)
    if shorter < patch or longer < 2 * patch:
        raise ValueError(
            f"reference has images of {shape[0]} x {shape[1]} pixels; expected at least {patch} x "
            f"{2 * patch}, a patch of {patch} for training and one for validation: lower patch"
        )
    width = max(patch, math.ceil(share * longer))
    width = min(width, longer - patch)
    if generator(seed, "order").random() < 0.5:
        return Split(axis, (width, longer), (0, width))
    return Split(axis, (0, longer - width), (longer - width, longer))


def cut(images: Labels, corners: NDArray[np.int64], patch: int) -> Labels:
    """Return the patches (count, patch, patch) at corners (count, 3)."""
    windows = np.lib.stride_tricks.sliding_window_view(images, (patch, patch), axis=(1, 2))
    patches: Labels = windows[tuple(corners.T)]
    return patches


def turned(patches: Labels, turns: NDArray[np.int64]) -> Labels:
    """Turn and mirror each of the patches (count, patch, patch).

    Bits 0 and 1 of `turns` (count,) reverse the first and the second axis; bit 2 exchanges them.
    """
    first, second, exchanged = (turns[:, None, None] >> bit & 1 == 1 for bit in range(3))
    result = np.where(first, patches[:, ::-1], patches)
    result = np.where(second, result[:, :, ::-1], result)
    return np.where(exchanged, result.swapaxes(1, 2), result)


def indicators(labels: Labels, phases: int) -> NDArray[np.float32]:
    """Return images (count, inputs, n0, n1) of labels (count, n0, n1): see `Model.phases`."""
    if phases == 2:
        return labels[:, None].astype(np.float32)
    wanted = np.arange(phases, dtype=np.uint8)[:, None, None]
    found: NDArray[np.float32] = (labels[:, None] == wanted).astype(np.float32)
    return found
