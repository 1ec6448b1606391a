"""Descriptors on a card: what their functions do with arrays of cupy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pearlite import _core, _cuda
from pearlite.correlation import _window
from pearlite.correlation._window import Form

_BLOCK = 256
_SIDE = {4: 128, 8: 64}  # of a tile of sums, by the bytes of a number
_DEPTH = 16  # of the panels that it is made of
_SLICE = 1024  # pixels that a block sums over
_WANTED = 864  # blocks: four for each processor of the largest cards
_MOST = 2**27  # numbers of a workspace
_WARP = 32
_FORMS = {"product": 0, "logistic": 1, "centred": 2}
_LARGEST_EXPONENT = 40.0  # beyond it the exponentials of single precision overflow


@dataclass(frozen=True)
class Prepared:
    """A field and its vectors as the kernels take them."""

    values: Any  # the field with margins as wide as the vectors reach
    vectors: Any  # (K, 3) int64, modulo the field's shape
    offsets: Any  # (K,) int64: of x + r from x
    window: Any  # the structure that the kernels call Window
    pixels: int

    @property
    def count(self) -> int:
        """The number of vectors."""
        return len(self.vectors)

    @property
    def side(self) -> int:
        """Of a tile."""
        return _SIDE[int(self.values.dtype.itemsize)]

    def launch(self, kernel: str, arguments: Any, grid: tuple[int, ...], shared: int) -> None:
        """Launch a kernel with this window as its last argument."""
        _cuda.launch(
            "descriptor", kernel, (*arguments, self.window), grid=grid, block=_BLOCK,
            shared=shared, dtype=self.values.dtype,
        )  # fmt: skip

    @property
    def panels(self) -> int:
        """The bytes of a pair of panels."""
        return 2 * _DEPTH * (self.side + 2) * int(self.values.dtype.itemsize)


def prepare(cupy: Any, field: Any, vectors: NDArray[np.int64], form: Form) -> Prepared:
    """Lay a field (n0, n1[, n2]) out for vectors (K, d)."""
    missing = 3 - field.ndim
    shape = (1,) * missing + field.shape
    three = np.pad(vectors, ((0, 0), (missing, 0)))
    low, high = -three.min(axis=0, initial=0), three.max(axis=0, initial=0)
    full = low + high + shape
    values = field.reshape(shape)
    if form == "logistic":
        exponent = values.astype(np.float64) * (-0.5 * _window.STEEPNESS)
        limited = cupy.clip(exponent, -_LARGEST_EXPONENT, _LARGEST_EXPONENT)
        values = cupy.exp(limited).astype(field.dtype)
    for axis, n in enumerate(shape):
        places = np.arange(-low[axis], n + high[axis]) % n
        values = cupy.take(values, cupy.asarray(places), axis=axis)
    strides = np.array([full[1] * full[2], full[2], 1])
    scale, shift = _core.descriptor_threshold(_window.STEEPNESS)
    threshold = _window.STEEPNESS, scale, shift, math.exp(0.75 * _window.STEEPNESS)
    pixels = math.prod(shape)
    window = _cuda.packed(
        shape, full, int(low @ strides), pixels, len(three), _FORMS[form], *threshold
    )
    return Prepared(
        cupy.ascontiguousarray(values), cupy.asarray(three % shape), cupy.asarray(three @ strides),
        window, pixels,
    )  # fmt: skip


def correlate(
    field: Any, vectors: NDArray[np.int64], form: Form
) -> tuple[Any, Any]:  # gram (K, K), s2 (K,)
    """Return the statistics of one level; the centred form takes a centred field."""
    with _cuda.device_of(field) as cupy:
        prepared = prepare(cupy, field, vectors, form)
        gram = _gram(cupy, prepared)
        if form == "logistic":
            return gram, _window.corrected_s2(gram)
        means = cupy.empty((prepared.count,), field.dtype)
        arguments = means, prepared.values, prepared.offsets
        prepared.launch("means", arguments, (prepared.count,), 8 * _BLOCK // _WARP)
        return gram, means


def _gram(cupy: Any, prepared: Prepared) -> Any:  # (K, K)
    count, side = prepared.count, prepared.side
    tiles = _cuda.blocks(count, side)
    parts = _cuda.blocks(prepared.pixels, _SLICE)
    wanted = _cuda.blocks(_WANTED, tiles * (tiles + 1) // 2)
    slices = max(1, min(wanted, parts, _MOST // count**2))
    partial = cupy.empty((slices, count, count), prepared.values.dtype)
    for first in range(0, parts, slices):
        arguments = partial, prepared.values, prepared.offsets, np.int64(first)
        prepared.launch("gram", arguments, (tiles, tiles, slices), prepared.panels)
    gram = cupy.empty((count, count), prepared.values.dtype)
    grid = (_cuda.blocks(count**2, _BLOCK),)
    prepared.launch("mirror", (gram, partial, np.int64(slices)), grid, 0)
    return gram


def pull_back(
    field: Any, vectors: NDArray[np.int64], form: Form, gram_cotangent: Any, s2_cotangent: Any
) -> Any:  # as the field
    """Return the gradient of Σ gram_cotangent G + Σ s2_cotangent S2 in the field of one level."""
    with _cuda.device_of(field) as cupy:
        _cuda.same_device(field=field, gram=gram_cotangent, s2=s2_cotangent)
        prepared = prepare(cupy, field, vectors, form)
        weights, linear = _window.cotangents(cupy, gram_cotangent, s2_cotangent, form)
        gradient = cupy.zeros(field.shape, field.dtype)
        count, side, pixels = prepared.count, prepared.side, prepared.pixels
        most = max(side, _MOST // pixels // side * side)
        sums = cupy.empty((min(most, count), pixels), field.dtype)
        for first in range(0, count, most):
            rows = np.int64(min(most, count - first))
            prepared.launch(
                "sums",
                (sums, prepared.values, prepared.offsets, weights, np.int64(first), rows),
                (_cuda.blocks(pixels, side), _cuda.blocks(int(rows), side)), prepared.panels,
            )  # fmt: skip
            prepared.launch(
                "pull",
                (gradient, sums, prepared.values, prepared.offsets, prepared.vectors, linear,
                 np.int64(first), rows),
                (_cuda.blocks(pixels, _WARP),), _BLOCK * field.dtype.itemsize,
            )  # fmt: skip
        return gradient


def as_field(field: Any) -> tuple[Any, NDArray[np.float64]]:
    """Return a float field, contiguous, and the fractions of its phases, which wait for the card.

    Values that are not finite show in their mean.
    """
    _window.check_shape(field.shape)
    with _cuda.device_of(field) as cupy:
        if field.dtype.kind == "f":
            if field.dtype not in (np.float32, np.float64):
                raise TypeError(
                    f"field has dtype {field.dtype}; expected float32, float64 or labels"
                )
            mean = float(field.mean(dtype=np.float64).get())
            if not math.isfinite(mean):
                raise ValueError("field has values that are not finite")
            return cupy.ascontiguousarray(field), np.array([1 - mean, mean])
        if field.dtype.kind not in "iub":
            raise TypeError(f"field has dtype {field.dtype}; expected float32, float64 or labels")
        labels = field.astype(np.int64)
        least, most = int(labels.min().get()), int(labels.max().get())
        phases = _window.phase_count(least, most)
        counts = cupy.bincount(labels.ravel(), minlength=phases).get()
        values = cupy.asarray(_window.phase_values(phases))
        return cupy.take(values, labels), counts / field.size


def descriptor(
    field: Any, radius: int | Sequence[int], levels: int | None, form: Form
) -> tuple[Any, ...]:
    """Return the parts of a descriptor; see `pearlite.correlation.descriptor`."""
    values, fractions = as_field(field)
    size = _window.window_radius(radius, values.shape)
    number = _window.level_count(levels, values.shape, size)
    vectors, shape = _window.half_window(size), values.shape
    with _cuda.device_of(field) as cupy:
        if form == "centred":
            values = values - values.mean(dtype=np.float64).astype(values.dtype)
        gram = cupy.empty((number, len(vectors), len(vectors)), values.dtype)
        s2 = cupy.empty((number, len(vectors)), values.dtype)
        for level in range(number):
            if level:
                values = _window.pool(values)
            gram[level], s2[level] = correlate(values, vectors, form)
    return vectors, s2, gram, fractions, size, form, shape
