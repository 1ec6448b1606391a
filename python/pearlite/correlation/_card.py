"""Two-point correlations on a card: transforms by cuFFT, and the passes between them.

What arrays hold is not looked at, since that would wait for the card: where a field is not finite,
its correlations are not either.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.fft import next_fast_len

from pearlite import _arrays, _cuda
from pearlite.correlation import _two_point

_BLOCK = 256
_MOST_BLOCKS = 2**16  # of a pass whose threads take several numbers
_AT_ONCE = 2**28  # numbers of all padded fields and maps of the items done at a time
_TYPES = {"float32": 0, "float64": 1, "uint8": 2, "uint16": 3, "int32": 4, "int64": 5}


class Problem(NamedTuple):
    """Fields with one batch axis, and what is asked of them."""

    fields: list[Any]  # each (items, *shape), contiguous
    known: Any  # (items, *shape) uint8, or None
    labels: list[int]  # of each field, or none
    maps: list[tuple[int, int]]  # pairs of spectra
    shape: tuple[int, ...]
    periodic: bool
    dtype: np.dtype[Any]  # of means

    @property
    def padded(self) -> tuple[int, ...]:
        """The sizes of transforms."""
        if self.periodic:
            return self.shape
        return tuple(next_fast_len(2 * n - 1, real=True) if n > 1 else 1 for n in self.shape)

    @property
    def wide(self) -> tuple[int, ...]:
        """The sizes of maps."""
        return self.shape if self.periodic else tuple(2 * n - 1 for n in self.shape)

    @property
    def spectra(self) -> int:
        """How many fields are transformed."""
        return len(self.fields) * max(1, len(self.labels))


def two_point(
    field: Any,
    other: Any,
    dim: int,
    phases: Sequence[int] | None,
    periodic: bool,
    mask: Any,
    counts: bool,
) -> Any:
    """Return what `pearlite.correlation.two_point` does, of arrays of cupy."""
    _arrays.check_dimension(dim)
    given = {"field": field, "other": other, "mask": mask}
    present = {name: array for name, array in given.items() if array is not None}
    _cuda.same_device(**present)
    labels = None if phases is None else _two_point._phases(phases)
    periodic = _arrays.flag("periodic", periodic)
    counts = _arrays.flag("counts", counts)
    arrays = [array for array in (field, other) if array is not None]
    for name, array in zip(("field", "other"), arrays, strict=False):
        _check_type(name, array.dtype, labels is not None, counts)
    shape = _two_point.check_same(arrays, dim)
    batch = np.broadcast_shapes(*(array.shape[:-dim] for array in arrays))
    if math.prod(shape) == 0 or math.prod(shape) * 2**dim > _two_point._LARGEST_FIELD:
        raise ValueError(f"field has shape {arrays[0].shape}; expected 1 to 2^29 pixels")
    if mask is not None:
        batch = _masked_batch(mask, batch, shape)
    with _cuda.device_of(field) as cupy:
        found = _correlate(
            cupy, _problem(cupy, arrays, mask, labels, batch, shape, periodic), counts
        )
        matrix = () if labels is None else (len(labels),) * 2
        return found.reshape(*batch, *matrix, *found.shape[2:])


def _check_type(name: str, dtype: np.dtype[Any], labelled: bool, counts: bool) -> None:
    if labelled and dtype.kind not in "iub":
        raise TypeError(f"{name} has dtype {dtype}; with phases=... expected integer labels")
    if not labelled and dtype.kind in "iu":
        raise TypeError(
            f"{name} has dtype {dtype}; labels need phases=..., else expected floats or bool"
        )
    if counts and dtype.kind == "f":
        raise TypeError(f"{name} has dtype {dtype}; with counts=True expected labels or bool")
    if dtype.kind not in "iub" and dtype not in (np.float32, np.float64):
        raise TypeError(f"{name} has dtype {dtype}; expected float32, float64, bool or labels")


def _masked_batch(mask: Any, batch: tuple[int, ...], shape: tuple[int, ...]) -> tuple[int, ...]:
    if mask.dtype != np.bool_:
        raise TypeError(f"mask has dtype {mask.dtype}; expected bool")
    try:
        full = np.broadcast_shapes(batch + shape, mask.shape)
    except ValueError:
        full = ()
    if full[len(full) - len(shape) :] != shape:
        raise ValueError(f"mask has shape {mask.shape}; expected {batch + shape}")
    return full[: len(full) - len(shape)]


def _problem(
    cupy: Any, arrays: list[Any], mask: Any, labels: list[int] | None, batch: tuple[int, ...],
    shape: tuple[int, ...], periodic: bool,
) -> Problem:  # fmt: skip
    items = math.prod(batch)

    def packed(array: Any) -> Any:
        full = cupy.broadcast_to(array, batch + shape)
        return cupy.ascontiguousarray(full).reshape(items, *shape)

    fields = [packed(array) for array in arrays]
    fields = [f.view(np.uint8) if f.dtype == np.bool_ else f for f in fields]
    fields = [f if f.dtype.name in _TYPES else f.astype(np.int64) for f in fields]
    known = None if mask is None else packed(mask).view(np.uint8)
    dtype = fields[0].dtype if fields[0].dtype.kind == "f" else np.dtype(np.float64)
    if labels is None:
        marks = [] if fields[0].dtype.kind == "f" else [1]
        return Problem(fields, known, marks, [(0, len(fields) - 1)], shape, periodic, dtype)
    count, last = len(labels), len(labels) * (len(fields) - 1)
    maps = [(i, last + j) for i, j in itertools.product(range(count), repeat=2)]
    return Problem(fields, known, labels, maps, shape, periodic, dtype)


def _correlate(cupy: Any, problem: Problem, counts: bool) -> Any:  # (items, maps, *wide)
    overlaps = None
    if problem.known is not None and not counts:
        ones = Problem([problem.known], None, [1], [(0, 0)], problem.shape, problem.periodic,
                       np.dtype(np.float64))  # fmt: skip
        overlaps = _correlate(cupy, ones, True)
    items = len(problem.fields[0])
    kind = np.dtype(np.int64) if counts else problem.dtype
    out = cupy.empty((items, len(problem.maps), *problem.wide), kind)
    each = (problem.spectra + len(problem.maps)) * math.prod(problem.padded)
    step = max(1, _AT_ONCE // each)
    for first in range(0, items, step):
        part = slice(first, min(first + step, items))
        over = None if overlaps is None else overlaps[part]
        _some(cupy, problem, part, over, out[part])
    return out


def _some(cupy: Any, problem: Problem, part: slice, overlaps: Any, out: Any) -> None:
    """Correlate some items."""
    items, dtype = part.stop - part.start, problem.dtype
    own = len(problem.fields) == 1
    pairs = [(i, j) for i, j in problem.maps if i <= j or not own]
    source = [
        (pairs.index((i, j)), 0) if (i, j) in pairs else (pairs.index((j, i)), 1)
        for i, j in problem.maps
    ]
    shapes = _shapes(problem, items, len(pairs), overlaps is None and out.dtype.kind == "f")
    axes = tuple(range(-len(problem.shape), 0))
    spread = _spread(cupy, problem, part, shapes)
    spectra = cupy.fft.rfftn(spread, axes=axes)
    half = math.prod(spectra.shape[2:])
    product = cupy.empty((items, len(pairs), *spectra.shape[2:]), spectra.dtype)
    table = cupy.asarray(np.array(pairs, np.int32))
    _launch("products", (product, spectra, table, np.int64(half), shapes), items * half, dtype)
    found = cupy.fft.irfftn(product, s=problem.padded, axes=axes).astype(dtype, copy=False)
    count, means = np.int32(out.dtype.kind == "i"), np.int32(overlaps is None)
    _launch(
        "arrange",
        (out, found, cupy.asarray(np.array(source, np.int32)), overlaps,
         np.int64(len(problem.maps)), count, means, shapes),
        out.size, dtype,
    )  # fmt: skip


def _spread(cupy: Any, problem: Problem, part: slice, shapes: Any) -> Any:
    """Return the fields to transform, (items, spectra, *padded)."""
    items, each = part.stop - part.start, max(1, len(problem.labels))
    spread = cupy.empty((items, problem.spectra, *problem.padded), problem.dtype)
    labels = cupy.asarray(np.array(problem.labels, np.int64)) if problem.labels else None
    known = None if problem.known is None else problem.known[part]
    for k, field in enumerate(problem.fields):
        _launch(
            "expand",
            (spread, field[part], np.int32(_TYPES[field.dtype.name]), known, labels,
             np.int64(k * each), np.int64(each), shapes),
            items * math.prod(problem.padded), problem.dtype,
        )  # fmt: skip
    return spread


def _shapes(problem: Problem, items: int, pairs: int, means: bool) -> Any:
    """Return the structure that the kernels call Shapes."""
    ones = [1] * (3 - len(problem.shape))
    scale = 1 / math.prod(problem.shape) if means and problem.periodic else 1.0
    return _cuda.packed(
        [*ones, *problem.shape], [*ones, *problem.padded], items,
        problem.spectra, pairs,
        int(not problem.periodic), scale,
    )  # fmt: skip


def _launch(kernel: str, arguments: Any, numbers: int, dtype: np.dtype[Any]) -> None:
    columns = min(_cuda.blocks(numbers, _BLOCK), _MOST_BLOCKS)
    _cuda.launch("correlation", kernel, arguments, grid=(columns,), block=_BLOCK, dtype=dtype)
