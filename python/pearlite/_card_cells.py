"""Cells on a card: what they are checked for, and what is known of them before they are solved."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pearlite import _arrays, _core, _cuda

BLOCK = 256  # threads
_STEPS = 8  # pixels that a thread takes in one pass
_TYPES = {"float32": 0, "float64": 1, "uint8": 2, "uint16": 3, "int32": 4}
_VOIDS, _DEFECT, _EXTREME, _FAR = 1, 4, 3, 8  # bits of a cell's flags
UNIFORM, IRREGULAR, SINGLE, DOUBLE = 1, 2, 3, 4  # kinds of cells
FAR = 5  # what percolates winds around a cell more often than the card counts
_WORDS = 2**27  # pixels whose percolation is found at a time
_LEAST, _MOST, _ONE = 2**64 - 1, 0, int(np.float64(1).view(np.uint64))
_NOTHING = np.array([_LEAST, _MOST, _ONE], np.uint64)  # ranges of nothing
_KEYS = {2: np.array([_LEAST, _MOST], np.uint64), 3: np.array([_LEAST, _LEAST, _MOST], np.uint64)}


class Found(NamedTuple):
    """What is known of cells before they are solved, on the card."""

    ranges: Any  # (batch, 3) uint64
    flags: Any  # (batch,) uint32
    keys: Any  # (batch, 2, dim) uint64 of windings, or None
    known: Any  # (batch, 8 + dim) float64
    kinds: NDArray[np.float64]  # (batch,), on the host
    steps: NDArray[np.float64]  # (batch,), on the host: of the smoother, of tensors of voxels
    diagonals: NDArray[np.float64] | None  # (batch, 3), on the host: the mean diagonals of these


@contextmanager
def home(conductivity: Any) -> Iterator[Any]:
    """Make the device of conductivities the current one; gives cupy."""
    if not _cuda.is_array(conductivity):
        kind = type(conductivity).__name__
        raise TypeError(f"conductivity is a {kind}; expected a cupy array, as the others are")
    with _cuda.device_of(conductivity) as cupy:
        yield cupy


def cells(
    conductivity: Any,
    phases: Any,
    dim: int,
    tensor: bool,
    spacing: float | Sequence[float] | None,
) -> _arrays.Cells:
    """Check and convert what describes microstructures; as `_arrays.cells`, of arrays of cupy.

    Phases may be of numpy too, since they are few.
    """
    _arrays.check_dimension(dim)
    _arrays.check_axes_number("conductivity", conductivity)
    tensor = _arrays.flag("tensor", tensor)
    if _cuda.is_array(phases):
        _cuda.same_device(conductivity=conductivity, phases=phases)
        phases = phases.get()
    cupy = _cuda.library()
    table, dtype = None, conductivity.dtype
    own: tuple[int, ...] = ()
    pixels = conductivity if phases is None else _labels(cupy, conductivity)
    axes = _arrays.check_axes(pixels, tensor and phases is None, dim)
    batch = axes[:-dim]
    if phases is None:
        _check_numbers(dtype)
    else:
        values = _arrays.numbers("phases", phases)
        dtype = values.dtype
        own = _arrays.check_phases(values, batch, tensor, dim)
        batch = np.broadcast_shapes(batch, own)
        table = _arrays.phase_table(values, own, batch)
    core = pixels.shape[len(axes) - dim :]
    full = cupy.ascontiguousarray(cupy.broadcast_to(pixels, batch + core))
    checked = _arrays.Cells(
        pixels=full.reshape(math.prod(batch), *core),
        phases=table,
        tensor=tensor,
        shape=axes[-dim:],
        batch=batch,
        pixels_batch=axes[:-dim],
        phases_batch=own,
        spacing=_arrays.pixel_sizes(spacing, axes[-dim:]),
        dtype=np.dtype(dtype),
    )
    if table is not None:
        _check_phases(checked)
        checked = replace(checked, phases=cupy.asarray(table))
    return checked


def _check_numbers(dtype: np.dtype[Any]) -> None:
    """Raise unless conductivities have this type."""
    _arrays.numbers("conductivity", np.empty(0, dtype))


def _labels(cupy: Any, array: Any) -> Any:
    """Return labels as the kernels take them."""
    if array.dtype.kind in "iu" and array.size and not np.can_cast(array.dtype, np.int32):
        if array.dtype == np.uint16:
            return array
        extremes = np.array([int(array.min().get()), int(array.max().get())], array.dtype)
        _arrays.labels(extremes)  # which refuses what does not fit
        return array.astype(np.int32)
    like = _arrays.labels(np.empty(0, array.dtype)).dtype
    return array.astype(like) if array.dtype != like else array


def _check_phases(checked: _arrays.Cells) -> None:
    """Raise on the first conductivity in a table that has no meaning."""
    assert checked.phases is not None
    cells = math.prod(checked.batch) if checked.phases_batch else 1
    labels = np.zeros((cells, *(2,) * len(checked.shape)), np.uint8)
    if _core.inspect(labels, checked.phases, checked.tensor, 1) is not None:
        _arrays.raise_defect(replace(checked, pixels=labels), 1)


class Seen(NamedTuple):
    """What a look at all cells tells."""

    ranges: Any  # as `Found` has them
    flags: Any
    diagonals: Any  # (batch, 3) float64 of tensors of voxels, else None
    bits: NDArray[np.uint32]  # the flags on the host


def inspect(checked: _arrays.Cells) -> Seen:
    """Look at all cells, and raise on what has no meaning."""
    cupy = _cuda.library()
    batch, dim = len(checked.pixels), len(checked.shape)
    ranges = cupy.asarray(np.broadcast_to(_NOTHING, (batch, 3)).copy())
    flags = cupy.zeros((batch,), np.uint32)
    grid = _columns(checked), _cuda.rows(batch)
    arguments = pixels(checked), np.int64(batch), ranges, flags
    diagonals = None
    if checked.tensor and dim == 3:
        parts = cupy.empty((batch, 3, grid[0]), np.float64)
        _cuda.launch(
            "voxel_survey", "survey_tensors", (*arguments, parts), grid=grid, block=BLOCK,
            shared=BLOCK // 32 * 8,
        )  # fmt: skip
        diagonals = parts.sum(axis=-1) / math.prod(checked.shape)
    else:
        launch("survey", arguments, *grid, dim=dim)
    seen = flags.get()
    if (seen & _DEFECT).any():
        values: Any = checked.pixels
        table: Any = checked.phases
        host = replace(checked, pixels=values.get(), phases=None if table is None else table.get())
        _arrays.raise_defect(host, 1)
    return Seen(ranges, flags, diagonals, seen)


def range_of_tensors(checked: _arrays.Cells) -> tuple[float, float]:
    """Return bounds of the eigenvalues of all voxels."""
    seen = inspect(checked)
    if not seen.bits.size:
        return 1.0, 1.0
    least, most = seen.ranges.get()[:, :2].T.copy().view(np.float64)
    return 0.0 if (seen.bits & _VOIDS).any() else float(least.min()), float(most.max())


def find(checked: _arrays.Cells, rtol: float, corrector_rtol: float, loads: bool) -> Found:
    """Find out what is to be known of all cells, to solve them to these tolerances."""
    cupy = _cuda.library()
    batch, dim = len(checked.pixels), len(checked.shape)
    ranges, flags, diagonals, seen = inspect(checked)
    known = cupy.empty((batch, 8 + dim), np.float64)
    keys = None
    if (seen & _EXTREME).any():
        keys = cupy.asarray(np.broadcast_to(_KEYS[dim], (batch, 2, dim)).copy())
        for perfect in (0, 1):
            _percolate(cupy, checked, np.flatnonzero(seen & (1 << perfect)), perfect, keys, flags)
        seen = flags.get()
    launch(
        "classify",
        (pixels(checked), np.int64(batch), ranges, flags, keys, np.float64(rtol),
         np.float64(corrector_rtol), np.int32(loads), known),
        _cuda.blocks(batch, BLOCK), dim=dim,
    )  # fmt: skip
    kinds, steps = known[:, 6 + dim :].get().T
    kinds = np.where(seen & _FAR, FAR, kinds)
    return Found(
        ranges, flags, keys, known, kinds, steps, None if diagonals is None else diagonals.get()
    )


def _percolate(
    cupy: Any,
    checked: _arrays.Cells,
    members: NDArray[np.intp],
    perfect: int,
    keys: Any,
    flags: Any,
) -> None:
    """Find the ways in which some cells conduct, or conduct perfectly."""
    size, dim = math.prod(checked.shape), len(checked.shape)
    own = pixels(checked)
    at_once = max(1, _WORDS // size)
    for first in range(0, members.size, at_once):
        some = cupy.asarray(members[first : first + at_once].astype(np.int64))
        count = np.int64(some.size)
        words = cupy.empty((some.size, size), np.uint64)
        grid = _columns(checked), _cuda.rows(some.size)
        which = np.int32(perfect)
        launch("separate", (own, some, count, which, words), *grid, dim=dim)
        launch("join", (own, some, count, words, flags), *grid, dim=dim)
        for turn in range(1 if dim == 2 else 3):
            arguments = own, some, count, which, np.int32(turn), words, keys
            launch("wind", arguments, *grid, dim=dim)


def launch(kernel: str, arguments: tuple[Any, ...], *grid: int, dim: int) -> None:
    """Launch one of the kernels of `cells.cu`."""
    _cuda.launch("cells", kernel, arguments, grid=grid, block=BLOCK, DIM=dim)


def _columns(checked: _arrays.Cells) -> int:
    return _cuda.blocks(math.prod(checked.shape), BLOCK * _STEPS)


def pixels(checked: _arrays.Cells) -> Any:
    """Return the structure that the kernels call Pixels."""
    values: Any = checked.pixels
    phases: Any = checked.phases
    entry = 3 if checked.tensor else 1
    count = 0 if phases is None else phases.shape[-3 if checked.tensor else -1]
    per_cell = int(phases is not None and phases.ndim > entry)
    stretch = [size / max(checked.spacing) for size in checked.spacing]
    inverse = [1 / s if s > 0 else math.inf for s in stretch]  # where the quotient underflows
    return _cuda.packed(
        values.data.ptr, 0 if phases is None else phases.data.ptr, _TYPES[values.dtype.name],
        int(checked.tensor), count, per_cell, *checked.shape, stretch, inverse,
    )  # fmt: skip
