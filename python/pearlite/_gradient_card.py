"""Derivatives of effective conductivities on a card, as `pearlite._gradient` has them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from pearlite import _arrays, _card_cells, _corrector_card, _cuda, _gradient, corrector

_BLOCK = 256
_MOST_BLOCKS = 2**16  # of a pass whose threads take several pixels
_SLICE = 2**15  # pixels of a cell whose sums a block makes
_MOST_SLICES = 64
_ROOM = _BLOCK // 32 * 4 * 8  # bytes of a block's sums


def homogenize_with_gradient(
    conductivity: Any,
    cotangent: Any,
    phases: Any,
    dim: int,
    tensor: bool,
    spacing: float | Sequence[float] | None,
    options: corrector._Options,
) -> tuple[Any, Any]:
    """Return effective tensors and a gradient; see `pearlite.homogenize_with_gradient`."""
    with _card_cells.home(conductivity) as cupy:
        cells = _card_cells.cells(conductivity, phases, dim, tensor, spacing)
        weights = _cotangent(cupy, conductivity, cotangent, cells.batch, dim)
        solution = _corrector_card.solve(cells, options, fields=True, gradients=True)
        fields = solution.correctors.reshape(-1, dim, *cells.shape)
        if dim == 3:
            gradient = pull_back_voxels(fields, weights, cells.tensor, cells.spacing)
        else:
            gradient = pull_back(fields, None, weights, cells.tensor, cells.spacing)
        if cells.phases is None:
            return solution.effective, gradient.reshape(*cells.batch, *gradient.shape[1:])
        return solution.effective, phase_sums(cells, gradient)


def _cotangent(cupy: Any, home: Any, cotangent: Any, batch: tuple[int, ...], dim: int) -> Any:
    """Return a cotangent (cells, dim, dim) in double precision."""
    if not _cuda.is_array(cotangent):
        return cupy.asarray(_gradient._cotangent(cotangent, batch, dim))
    _cuda.same_device(conductivity=home, cotangent=cotangent)
    # The shape and the type are checked as numpy's are.
    like = np.broadcast_to(np.zeros((), cotangent.dtype), cotangent.shape)
    _gradient._cotangent(like, batch, dim)
    full = cupy.broadcast_to(cotangent.astype(np.float64), (*batch, dim, dim))
    return cupy.ascontiguousarray(full).reshape(-1, dim, dim)


def pull_back(
    correctors: Any,  # (cells, 2, n0, n1)
    change: Any,  # like correctors, or None
    cotangent: Any,  # (cells, 2, 2), float64
    tensor: bool,
    spacing: Sequence[float],
) -> Any:  # (cells, n0, n1[, 2, 2])
    """Return the gradient of Σ G_ij A*_ij in the pixels, or its change with the correctors."""
    cupy = _cuda.library()
    shape = correctors.shape[:1] + correctors.shape[2:]
    out = cupy.empty((*shape, 2, 2) if tensor else shape, correctors.dtype)
    arguments = correctors, change, cotangent, out, _shape(correctors, tensor, spacing)
    _launch("pull_back", arguments, correctors, _blocks(math.prod(shape)))
    return out


def pull_back_voxels(
    correctors: Any,  # (cells, 3, n0, n1, n2)
    cotangent: Any,  # (cells, 3, 3), float64
    tensor: bool,
    spacing: Sequence[float],
) -> Any:  # (cells, n0, n1, n2[, 3, 3])
    """Return the gradient of Σ G_ij A*_ij in the voxels."""
    shape = correctors.shape[:1] + correctors.shape[2:]
    out = _cuda.library().empty((*shape, 3, 3) if tensor else shape, correctors.dtype)
    own = _cuda.packed(*shape, [float(size) for size in spacing])
    _cuda.launch(
        "voxels_gradient", "pull_back", (correctors, cotangent, out, own),
        grid=(_blocks(math.prod(shape)), 1), block=_BLOCK, dtype=correctors.dtype,
        TENSOR=int(tensor),
    )  # fmt: skip
    return out


def push_forward(correctors: Any, direction: Any, tensor: bool, spacing: Sequence[float]) -> Any:
    """Return the derivative (cells, 2, 2) of A* along a direction (cells, n0, n1[, 2, 2])."""
    slices = _slices(correctors.shape[-2:])
    out = _cuda.library().empty((len(correctors), slices, 2, 2), np.float64)
    arguments = correctors, direction, out, _shape(correctors, tensor, spacing)
    rows = _cuda.rows(len(correctors))
    _launch("push_forward", arguments, correctors, slices, _ROOM, rows)
    return out.sum(axis=1)


def direction_loads(correctors: Any, direction: Any, tensor: bool, spacing: Sequence[float]) -> Any:
    """Return the loads (cells, 2, n0, n1) whose solution is the change of the correctors."""
    out = _cuda.library().empty(correctors.shape, correctors.dtype)
    arguments = correctors, direction, out, _shape(correctors, tensor, spacing)
    _launch("direction_loads", arguments, correctors, _blocks(math.prod(correctors.shape)))
    return out


def phase_sums(cells: _arrays.Cells, gradient: Any) -> Any:
    """Sum a gradient in the pixels (cells, *shape[, d, d]) over each entry of phases."""
    assert cells.phases is not None
    dim = len(cells.shape)
    entry = (dim, dim) if cells.tensor else ()
    count = cells.phases.shape[-1 - len(entry)]
    slices = _slices(cells.shape)
    sums = _cuda.library().empty((len(gradient), slices, count, *entry), np.float64)
    labels = cells.pixels
    flat = math.prod(cells.shape[:-1]), cells.shape[-1]
    shape = _shape(gradient, cells.tensor, cells.spacing[-2:], flat)
    width = math.prod(entry)
    for first in range(0, width, 4):  # as many entries as the kernel takes
        arguments = (
            gradient.reshape(-1)[first:], labels, np.int32(labels.dtype.itemsize), np.int64(count),
            sums.reshape(-1)[first:], shape, np.int32(width), np.int32(min(4, width - first)),
        )  # fmt: skip
        _launch("phase_sums", arguments, gradient, slices * count, _ROOM, _cuda.rows(len(gradient)))
    return _gradient.shared_sums(cells, sums.sum(axis=1)).astype(cells.dtype, copy=False)


def _shape(
    fields: Any, tensor: bool, spacing: Sequence[float], shape: tuple[int, ...] | None = None
) -> Any:
    """Return the structure that the kernels call Shape."""
    sizes = [float(size) for size in spacing]
    return _cuda.packed(len(fields), *(shape or fields.shape[-2:]), int(tensor), sizes)


def _slices(shape: Sequence[int]) -> int:
    """Return how many blocks share the sums over a cell's pixels."""
    return min(_cuda.blocks(math.prod(shape), _SLICE), _MOST_SLICES)


def _blocks(count: int) -> int:
    return min(_cuda.blocks(count, _BLOCK), _MOST_BLOCKS)


def _launch(
    kernel: str, arguments: tuple[Any, ...], like: Any, blocks: int, shared: int = 0, rows: int = 1
) -> None:
    _cuda.launch(
        "corrector_gradient", kernel, arguments, grid=(blocks, rows), block=_BLOCK, shared=shared,
        dtype=like.dtype,
    )  # fmt: skip
