"""What the solvers on a card are launched with, and the launch of one block a cell."""

from __future__ import annotations

import functools
import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pearlite import _arrays, _card_cells, _core, _cuda, corrector

HEAD = 4608  # bytes of a block's shared memory beside a cell's fields
MOST_WORKSPACE = 2**32  # bytes
_SMALL = 48 * 48  # pixels of a cell that a block of few threads solves
_FLOAT32_ITERATIONS = {2: 20, 3: 30}  # by the dimension


class Wanted(NamedTuple):
    """What a solve is asked for."""

    rtol: float
    corrector_rtol: float
    loads: Any = None  # (batch, 2, n0, n1) instead of unit mean gradients


class Problem(NamedTuple):
    """Some of the cells, to be solved in one precision of conjugate gradients."""

    checked: _arrays.Cells
    wanted: Wanted
    found: _card_cells.Found
    members: NDArray[np.intp]
    real: Any
    results: tuple[Any, ...]  # effective, residual, iterations, converged, correctors or None

    @property
    def planar(self) -> bool:
        """Whether pixels are tensors to the kernels."""
        return self.checked.tensor or self.checked.spacing[0] != self.checked.spacing[1]

    @property
    def width(self) -> int:
        """Bytes of a number."""
        return int(np.dtype(self.real).itemsize)

    @property
    def size(self) -> int:
        """Pixels of a cell."""
        return math.prod(self.checked.shape)

    @property
    def most(self) -> int:
        """Iterations, at most."""
        if self.real is np.float64:
            return corrector._MAX_ITERATIONS
        return _FLOAT32_ITERATIONS[len(self.checked.shape)]

    @property
    def stop(self) -> float:
        """What rtol is to the stopping rule: very small ones leave half of it to rounding."""
        rtol = self.wanted.rtol
        return 0.5 * rtol if rtol < 1e-8 else rtol

    def arguments(self) -> tuple[Any, ...]:
        """Return the structures that the kernels call Pixels, Wanted and Results."""
        rtol, corrector_rtol, loads = self.wanted
        asked = _cuda.packed(self.stop, corrector_rtol, self.most, int(loads is not None), rtol)
        pointers = [0 if a is None else a.data.ptr for a in (*self.results, loads)]
        wide = int(self.checked.dtype == np.float64)
        spacing = [float(size) for size in self.checked.spacing]
        return _card_cells.pixels(self.checked), asked, _cuda.packed(pointers, wide, spacing)


def one_block(problem: Problem) -> None:
    """Solve with one block for each cell, in its shared memory where the cell's fields fit."""
    cupy, members = _cuda.library(), problem.members
    table, floats = levels(*problem.checked.shape)
    field = memory_bytes(problem.size, floats, problem.width, 4 if problem.planar else 1)
    shared, workspace, blocks = HEAD + field, None, members.size
    properties = _cuda.properties()
    if shared > properties.shared:
        shared = HEAD
        at_once = min(2 * properties.multiprocessors, max(1, MOST_WORKSPACE // field))
        blocks = min(members.size, at_once)
        workspace = cupy.empty((blocks, field), np.uint8)
    _cuda.launch(
        "corrector", "solve",
        (*problem.arguments(), cupy.asarray(table), np.int32(len(table)), problem.found.known,
         cupy.asarray(members.astype(np.int64)), np.int32(members.size),
         cupy.zeros((1,), np.int32), workspace, np.int64(field)),
        grid=(min(blocks, 2**31 - 1),), block=256 if problem.size <= _SMALL else 512,
        shared=shared, dtype=problem.real, TENSOR=int(problem.planar),
    )  # fmt: skip


def memory_bytes(size: int, floats: int, width: int, pieces: int) -> int:
    """Return the bytes of a cell's fields, which the kernel's Memory hands out."""
    fields = size * (3 * 2 * width + 2 * 4 + (2 * width if width == 8 else 0))
    even = size + size % 2
    couplings = even * (pieces * width + 4)
    return -(-(fields + couplings + 4 * floats) // 16) * 16


@functools.lru_cache(maxsize=64)
def levels(n0: int, n1: int, tiled: int = 1) -> tuple[NDArray[np.int32], int]:
    """Return the grids of a cell as the kernel's Level has them, and the floats they take.

    The first `tiled` ones are shared by several blocks, which need another field on the way up.
    """
    grids = _core.coarse_grids(n0, n1)  # (rows, cols, gap0, gap1) each
    found, place = [], 0

    def take(count: int) -> int:
        nonlocal place
        begin = place
        place += count + count % 2  # pairs are aligned
        return begin

    for number, (rows, cols, gap0, gap1) in enumerate(grids):
        size = rows * cols
        own = [take(5 * size), take(2 * size), take(2 * size)] if number else [0, 0, 0]
        own.append(take(2 * size) if 0 < number < tiled else own[-1])
        last = number + 1 == len(grids)
        weights = 0 if last else take(2 * math.prod(grids[number + 1][:2]))
        found.append([rows, cols, gap0, gap1, weights, *own])
    table = np.array(found, np.int32)
    table.flags.writeable = False
    return table, place
