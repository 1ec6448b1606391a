"""Langevin steps and normal numbers on a card."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pearlite import _cuda
from pearlite.langevin import _check

_BLOCK = 256  # threads
_TILE = 64  # normal numbers, of 16 threads
_MOST_COUNTERS = 4096  # phases whose counts fit into a block's shared memory with room to spare
_STEPS_OF_COUNT = 4  # pixels that a thread counts


def normal(
    samples: Any, wanted: tuple[int, ...], seed: int, step: int, kind: np.dtype[Any]
) -> Any:  # (*samples.shape, *wanted)
    """Return normal numbers of samples, an array of cupy, of which the values are checked."""
    count = math.prod(wanted)
    with _cuda.device_of(samples) as cupy:
        numbers = cupy.ascontiguousarray(samples).astype(np.uint64).reshape(-1)
        out = cupy.empty((numbers.size, count), kind)
        _cuda.launch(
            "langevin", "normals",
            (out, numbers, np.int64(numbers.size), np.int64(count), np.uint64(seed),
             np.uint32(step), np.uint32(0)),
            grid=(_tile_blocks(count), _cuda.rows(numbers.size)), block=_BLOCK, dtype=kind,
        )  # fmt: skip
        return out.reshape(samples.shape + wanted)


def phase_counts(x: Any, padding: list[int]) -> Any:  # (B, P)
    """Return the pixels of each phase of images that are checked."""
    with _cuda.device_of(x):
        return _count(x, padding, _layout(x, x, padding))


def step(
    x: Any,  # (B, C, *shape + 2 padding), changed in place
    score: Any,
    padding: list[int],
    each: _check.Each,
    seed: int,
    number: int,
    limits: tuple[float, float],
    noise: float,
) -> Any:  # (B, P)
    """Make a step of images whose arguments are checked; return counts of phases."""
    batch, channels = x.shape[:2]
    layout = _layout(x, score, padding)
    with _cuda.device_of(x) as cupy:
        own = cupy.asarray(_own(each, noise))
        shift = None
        if each.fractions is not None:
            before = _count(x, padding, layout)
            shift = cupy.empty((batch, channels), x.dtype)
            sizes = np.int64(batch), np.int64(channels), np.int64(_pixels(x, padding))
            _launch(x, "shifts", (shift, before, own, *sizes), _cuda.blocks(batch * channels, 256))
        dynamics = _cuda.packed(seed, number, float(noise), *limits)
        return _step(x, score, own, shift, padding, layout, dynamics)


def _step(
    x: Any, score: Any, own: Any, shift: Any, padding: list[int], layout: Any, dynamics: Any
) -> Any:
    batch, channels = x.shape[:2]
    pixels, phases = _pixels(x, padding), _phases(channels)
    if (channels > 1 and pixels % _TILE) or phases > _MOST_COUNTERS:
        grid = _tile_blocks(channels * pixels), _cuda.rows(batch)
        _launch(x, "step_mixed", (x, score, own, shift, layout, dynamics), *grid)
        return _count(x, padding, layout)
    counts = _cuda.library().zeros((batch, phases), np.int64)
    _launch(
        x, "step_whole", (x, score, own, shift, counts, layout, dynamics), _tile_blocks(pixels),
        _cuda.rows(batch), shared=4 * phases,
    )  # fmt: skip
    return counts


def _count(x: Any, padding: list[int], layout: Any) -> Any:
    batch, channels = x.shape[:2]
    phases = _phases(channels)
    counts = _cuda.library().zeros((batch, phases), np.int64)
    kept = phases <= _MOST_COUNTERS
    columns = _cuda.blocks(_pixels(x, padding), _BLOCK * _STEPS_OF_COUNT)
    _launch(
        x, "count", (x, counts, layout, np.int32(kept)), columns, _cuda.rows(batch),
        shared=4 * phases if kept else 0,
    )  # fmt: skip
    return counts


def _launch(x: Any, kernel: str, arguments: Any, *grid: int, shared: int = 0) -> None:
    _cuda.launch(
        "langevin", kernel, arguments, grid=grid, block=_BLOCK, shared=shared, dtype=x.dtype
    )


def _tile_blocks(numbers: int) -> int:
    """Return the blocks that make so many normal numbers, four a thread."""
    return _cuda.blocks(_cuda.blocks(numbers, _TILE) * (_TILE // 4), _BLOCK)


def _phases(channels: int) -> int:
    return 2 if channels == 1 else channels


def _pixels(x: Any, padding: list[int]) -> int:
    return math.prod(n - 2 * p for n, p in zip(x.shape[2:], padding, strict=True))


def _own(each: _check.Each, noise: float) -> NDArray[np.float64]:
    """Return what each image has of its own, (B, 4 + C), as the kernels read it."""
    batch = len(each.step_size)
    fractions = np.zeros((batch, each.channels)) if each.fractions is None else each.fractions
    samples = each.sample.view(np.float64)
    factor = noise * np.sqrt(2 * each.step_size)
    return np.column_stack([each.step_size, factor, each.sigma, samples, fractions])


def _layout(x: Any, score: Any, padding: list[int]) -> Any:
    """Return shapes and strides of images as the kernels take them, of three axes."""
    dim = len(padding)
    inner = [n - 2 * p for n, p in zip(x.shape[2:], padding, strict=True)]
    strides, others = ([s // a.itemsize for s in a.strides] for a in (x, score))
    axes = [[*inner], [*padding], strides[2:], others[2:]]
    shape, around, own, slopes = ([0] * (3 - dim) + values for values in axes)
    shape[: 3 - dim] = [1] * (3 - dim)
    if not any(around):
        shape, own, slopes = _merged(shape, own, slopes)
    return _cuda.packed(
        shape, around, strides[:2] + own, others[:2] + slopes, *x.shape[:2], math.prod(inner)
    )


def _merged(shape: list[int], own: list[int], slopes: list[int]) -> tuple[list[int], ...]:
    """Return the same axes as fewer, longer ones, so that places take no division."""
    shape, own, slopes = shape.copy(), own.copy(), slopes.copy()
    for a in (1, 0):
        n = shape[2]
        if shape[a] != 1 and not (own[a] == n * own[2] and slopes[a] == n * slopes[2]):
            break
        shape[2], shape[a] = n * shape[a], 1
    return shape, own, slopes


def like(score: Any, x: Any) -> Any:
    """Return the score as a kernel takes it, with memory of its own."""
    _cuda.same_device(x=x, score=score)
    _check.same_kind(score, x)
    with _cuda.device_of(x) as cupy:
        return score.copy() if cupy.may_share_memory(score, x) else score
