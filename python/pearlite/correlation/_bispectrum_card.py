"""Bispectra on a card: transforms by cuFFT, and the passes between them.

What arrays hold is not looked at, since that would wait for the card.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pearlite import _cuda
from pearlite.correlation import _bispectrum

_BLOCK = 256
_FIRSTS = 4  # k1 that a block has at a time
_MOST_BLOCKS = 432  # each with Γ of its own: four for each processor of an A100


def bispectrum(field: Any) -> Any:  # (n0, m, n // 2 + 1, 2, n0, m, n)
    """Return what `pearlite.correlation.bispectrum` does."""
    _check(field)
    with _cuda.device_of(field) as cupy:
        shape = _bispectrum.target_shape(field.shape)
        out = cupy.empty(shape, field.dtype)
        spectrum = _spectrum(cupy, field)
        grid = _cuda.blocks(field.size, _BLOCK), _cuda.rows(math.prod(shape[:3]))
        _launch("bispectrum", (out, spectrum, _grid(field)), grid, 0, field.dtype)
        return out


def loss(field: Any, target: Any) -> tuple[Any, Any]:
    """Return the loss, an array without axes, and its gradient."""
    _cuda.same_device(field=field, target=target)
    _check(field)
    _bispectrum.check_target(target.shape, target.dtype, field.shape, field.dtype)
    with _cuda.device_of(field) as cupy:
        lines, pixels = math.prod(field.shape[:-1]), field.size
        half = field.shape[-1] // 2 + 1
        blocks = min(_MOST_BLOCKS, lines * _cuda.blocks(half, _FIRSTS))
        partial = cupy.empty((blocks, pixels, 2), field.dtype)
        first = cupy.empty((lines, half, 2), np.float64)
        losses, total = cupy.empty((blocks,), np.float64), cupy.empty((), np.float64)
        goal, grid = cupy.ascontiguousarray(target), _grid(field)
        arguments = partial, first, losses, _spectrum(cupy, field), goal, grid
        _launch("distance", arguments, (blocks,), 8 * _BLOCK // 32, field.dtype)
        gamma = cupy.empty((*field.shape, 2), np.float64)
        found = gamma, total, partial, first, losses, np.int64(blocks), grid
        _launch("gather", found, (_cuda.blocks(pixels, _BLOCK),), 0, field.dtype)
        conjugate = gamma.view(np.complex128).reshape(field.shape).conj()
        return total, (2 * cupy.fft.fftn(conjugate).real).astype(field.dtype)


def _check(field: Any) -> None:
    _bispectrum.check_field(field.shape, field.dtype)


def _spectrum(cupy: Any, field: Any) -> Any:  # complex, as the field
    kind = np.complex64 if field.dtype == np.float32 else np.complex128
    # In double, as on the CPU: it takes no time beside the terms, and they multiply its errors.
    return cupy.fft.fftn(field.astype(np.float64)).astype(kind)


def _grid(field: Any) -> Any:
    """Return the structure that the kernels call Grid."""
    n0, *middle, n = field.shape
    return _cuda.packed([n0, math.prod(middle), n], n // 2 + 1, field.size)


def _launch(kernel: str, arguments: Any, grid: tuple[int, ...], shared: int, dtype: Any) -> None:
    _cuda.launch(
        "bispectrum", kernel, arguments, grid=grid, block=_BLOCK, shared=shared, dtype=dtype
    )
