"""Cells of voxels on a card: what `pearlite._corrector_card` needs in three dimensions.

A launch is one pass over a grid of all cells that are solved at a time. Coarse grids are one launch
for all of them, by a block for each load of a cell. The host learns every other iteration which
cells still go on. Cells of tensors go together if their grids are alike, which depend on the
axes along which they conduct, and their smoothers take as many steps.
"""

from __future__ import annotations

import functools
import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pearlite import _arrays, _card_cells, _core, _cuda
from pearlite._corrector_launch import Problem

_NODES, _COLUMNS, _LOADS, _SUMS = 256, 64, 3, 9  # as the kernels have them
_CONTROL = 744  # bytes of the kernels' Control
_STEPS = 4  # nodes that a thread takes where it sums
_MOST_WORKSPACE = 2**32  # bytes
_MOST_SHARED_NODES = 6000  # of the largest grid that one block takes
_FIRST_LOOK, _LOOKS = 4, 2  # iterations until the host looks at what goes on, and from then on

_NO_SCALARS = (0.0,) * 8  # what `_core.voxel_grids` knows of these

_LEVEL = np.dtype(
    [("n", np.int32, 3), ("largest", np.float32), ("c", np.float32, 8), ("places", np.int64, 5)],
    align=True,
)


class _Layout(NamedTuple):
    """Where everything lies in a cell's memory, in floats."""

    levels: NDArray[Any]  # (grids,) of _LEVEL
    couplings: NDArray[np.float64]  # (8,) of the finest grid, and their sum
    bottom: NDArray[np.float64]  # (8,) of the last grid
    fields: tuple[int, ...]  # u, r, p, q, a
    inverse: int
    size: int

    def sides(self, level: int) -> tuple[int, int, int]:
        """Return the sides of a grid."""
        n0, n1, n2 = self.levels[level]["n"].tolist()
        return n0, n1, n2

    def nodes(self, level: int) -> int:
        """Return the nodes of a grid."""
        return math.prod(self.sides(level))


class _Kind(NamedTuple):
    """What cells have to have in common."""

    grids: tuple[tuple[tuple[int, ...], tuple[float, ...]], ...]  # as `_core.voxel_grids` has them
    tensor: bool
    steps: int  # of the smoother


@functools.lru_cache(maxsize=64)
def _layout(kind: _Kind, width: int) -> _Layout:
    """Lay out the memory of a cell whose conjugate gradients have numbers of so many bytes."""
    grids, entries = kind.grids, 6 if kind.tensor else 1
    levels = np.zeros(len(grids), _LEVEL)
    size = 0

    def take(count: int) -> int:
        nonlocal size
        begin = size
        size += -(-count // 4) * 4
        return begin

    wide = width // 4
    nodes = math.prod(grids[0][0])
    u, r, p, q = (take(_LOADS * nodes * wide) for _ in range(4))
    a = take(entries * nodes * wide)
    for number, (sides, numbers) in enumerate(grids):
        nodes = math.prod(sides)
        own = a if number == 0 and width == 4 else take(entries * nodes), take(nodes)
        if number == 0:
            fields = r if width == 4 else take(_LOADS * nodes), take(_LOADS * nodes), q
        else:
            fields = take(_LOADS * nodes), take(_LOADS * nodes), take(_LOADS * nodes)
        levels[number] = sides, numbers[0], _stencil(numbers), (*own, *fields)
    first, last = _stencil(grids[0][1]), _stencil(grids[-1][1])
    levels.flags.writeable = False
    return _Layout(levels, first, last, (u, r, p, q, a), take(nodes**2), size)


def _stencil(numbers: tuple[float, ...]) -> NDArray[np.float64]:
    """Return couplings and their sum."""
    return np.array([*numbers[1:], sum(numbers[1:])])


def _structure(values: NDArray[np.float64], real: Any) -> Any:
    """Return numbers of one type as a structure, passed by value."""
    return np.array(tuple(values.astype(real).tolist()), [("", real)] * len(values))


class _Solver:
    """Some cells, and the launches that solve them."""

    def __init__(
        self,
        checked: _arrays.Cells,
        kind: _Kind,
        layout: _Layout,
        members: NDArray[np.intp],
        known: Any,
        real: Any,
    ) -> None:
        cupy = _cuda.library()
        self.kind, self.layout, self.real, self.count = kind, layout, real, members.size
        omegas = [_core.smoother_step(kind.steps, step) for step in range(kind.steps)]
        self.pixels = _card_cells.pixels(checked)
        self.sum_blocks = _cuda.blocks(layout.nodes(0), _NODES * _STEPS)
        self.room = max(self.sum_blocks, self.columns(0)[0])
        raw = np.frombuffer(layout.levels.tobytes(), np.uint8)
        self.levels = cupy.asarray(raw)
        self.running = cupy.zeros((members.size,), np.int32)
        # What the kernels find by their addresses stays here until they are done.
        self.kept = (
            cupy.empty((members.size * layout.size,), np.float32),
            cupy.empty((members.size, _CONTROL), np.uint8),
            cupy.asarray(members.astype(np.int64)),
            cupy.empty((members.size, _SUMS, self.room), np.float64),
        )
        memory, controls, cells, sums = (array.data.ptr for array in self.kept)
        self.batch = _cuda.packed(
            memory, layout.size, controls, known.data.ptr, cells, members.size, sums, self.room,
            self.running.data.ptr, *layout.fields, (*omegas, 0.0)[:2],
        )  # fmt: skip

    def columns(self, level: int) -> tuple[int, int]:
        """Return blocks of a pass along the columns of a grid, and the planes that each takes."""
        n0, n1, n2 = self.layout.sides(level)
        planes = min(n0, 4 if n0 * n1 * n2 <= 2**18 else 8)
        return _cuda.blocks(n1 * n2, _COLUMNS) * _cuda.blocks(n0, planes), planes

    def launch(
        self, kernel: str, blocks: int, block: int, *arguments: Any, shared: int = 0
    ) -> _cuda.Launch:
        """Make a launch ready, with a row of blocks for each cell."""
        family = "voxels" if kernel in _OUTER else "voxels_cycle"
        rows = 1 if kernel == "cycle" else _cuda.rows(self.count)
        return _cuda.prepared(
            family, kernel, (self.batch, *arguments), grid=(blocks, rows), block=block,
            shared=shared, dtype=self.real, TENSOR=int(self.kind.tensor),
        )  # fmt: skip

    def over_nodes(self, kernel: str, level: int, *arguments: Any) -> _cuda.Launch:
        """Make a pass ready whose threads have a node of a grid each."""
        return self.launch(
            kernel, _cuda.blocks(self.layout.nodes(level), _NODES), _NODES, *arguments
        )

    def sums(self, kernel: str) -> _cuda.Launch:
        """Make a pass ready that sums over the finest grid."""
        arguments = self.pixels, self.level(0)
        return self.launch(kernel, self.sum_blocks, _NODES, *arguments, shared=_NODES // 32 * 8)

    def along_columns(
        self,
        kernel: str,
        level: int,
        *before: Any,
        after: tuple[Any, ...] = (),
        turned: bool = False,
    ) -> _cuda.Launch:
        """Make a pass ready whose threads go along columns of a grid."""
        blocks, planes = self.columns(level)
        arguments = self.level(level, turned), *before, np.int32(planes), *after
        threads = _COLUMNS * _LOADS
        return self.launch(kernel, blocks, threads, *arguments, shared=threads // 32 * 8)

    def smooth(
        self, level: int, step: int, *, turned: bool = False, last: bool = False
    ) -> _cuda.Launch:
        """Make a step of the smoother ready, from z to t or, where it is turned, back."""
        after = np.int32(step), np.int32(last)
        return self.along_columns("smooth", level, after=after, turned=turned)

    def level(self, level: int, turned: bool = False) -> Any:
        """Return a grid as the kernels have it, or with z and t in each other's place."""
        found = self.layout.levels[level : level + 1].copy()
        if turned:
            found["places"][:, 3:] = found["places"][:, :2:-1]
        return found.reshape(())

    def control(self, kernel: str, *arguments: Any) -> _cuda.Launch:
        """Make a launch ready that decides about each cell, by a warp for each load."""
        return self.launch(kernel, 1, _LOADS * 32, *arguments)

    def preparations(self) -> list[_cuda.Launch]:
        """Return the launches before the first iteration."""
        layout, last = self.layout, len(self.layout.levels) - 1
        launches = [
            self.over_nodes("take", 0, self.pixels, self.level(0)),
            self.sums("load"),
            self.control("start", self.pixels, np.int64(self.sum_blocks)),
        ]
        for fine in range(last):
            pair = self.level(fine), self.level(fine + 1)
            launches.append(self.over_nodes("average", fine + 1, *pair))
            launches.append(self.over_nodes("diagonal", fine + 1, self.level(fine + 1)))
        nodes = layout.nodes(last)
        couplings = _cuda.packed(layout.bottom[:7].tolist(), 0)
        arguments = self.level(last), couplings, np.int64(layout.inverse)
        shared = 8 * (nodes**2 + 2 * nodes)
        launches.append(self.launch("invert", 1, _NODES, *arguments, shared=shared))
        return launches

    def down(self, fine: int, first: int) -> list[_cuda.Launch]:
        """Return the launches from a grid on which z is the smoother's first step to the next."""
        turned = self.kind.steps == 2
        pair = self.level(fine, turned), self.level(fine + 1)
        smoothing = np.int32(fine + 1 < first)
        return [
            *([self.smooth(fine, 1)] if turned else []),
            self.along_columns("residual", fine, turned=turned),
            self.over_nodes("restrict_to", fine + 1, *pair, smoothing),
        ]

    def up(self, fine: int) -> list[_cuda.Launch]:
        """Return the launches from the next grid to one."""
        turned = self.kind.steps == 2
        pair = self.level(fine, turned), self.level(fine + 1)
        return [
            self.over_nodes("prolong", fine, *pair),
            *([self.smooth(fine, 1, turned=True)] if turned else []),
            self.smooth(fine, 0, last=fine == 0),
        ]

    def iteration(self, asked: Any) -> list[_cuda.Launch]:
        """Return the launches of one iteration."""
        last = len(self.layout.levels) - 1
        first, floats = self.first_small()
        nodes = np.int64(self.layout.nodes(0))
        launches = [self.over_nodes("correct", 0, self.level(0), np.int32(first > 0))]
        for fine in range(first):
            launches += self.down(fine, first)
        small = self.levels, np.int32(first), np.int32(last), np.int64(self.layout.inverse)
        blocks, shared = _LOADS * self.count, 4 * floats
        launches.append(self.launch("cycle", blocks, _NODES, *small, shared=shared))
        for fine in range(first)[::-1]:
            launches += self.up(fine)
        parts = self.columns(0)[0]
        stencil = _structure(self.layout.couplings, self.real)
        judged = np.int64(parts if first > 0 else 1)
        return [
            *launches,
            self.control("judge", asked, judged, nodes),
            self.over_nodes("turn", 0, self.level(0)),
            self.along_columns("product", 0, stencil),
            self.control("measure", np.int64(parts), nodes),
        ]

    def first_small(self) -> tuple[int, int]:
        """Return the first grid that a block takes, and the floats that it has from there on."""
        most = min(_cuda.properties().shared // 4, 3 * _MOST_SHARED_NODES * 8 // 7)
        counts = [3 * self.layout.nodes(level) for level in range(len(self.layout.levels))]
        first = 0
        while first + 1 < len(counts) and sum(counts[first:]) > most:
            first += 1
        return first, max(sum(counts[first:]), 2 * _NODES // 32)

    def results(self, asked: Any, results: Any, fields: bool) -> list[_cuda.Launch]:
        """Return the launches after the last iteration."""
        blocks = np.int64(self.sum_blocks)
        threads = _SUMS * 32
        reported = self.pixels, asked, results, blocks
        launches = [
            self.sums("energies"),
            self.launch("report", 1, threads, *reported, shared=_SUMS * 8),
        ]
        if fields:
            launches.append(self.over_nodes("store", 0, results, self.level(0)))
        return launches

    def run(self, asked: Any, results: Any, fields: bool) -> None:
        """Solve."""
        for launch in self.preparations():
            launch()
        iterate, done = _cuda.Repeated(self.iteration(asked)), 0
        while True:
            iterate()
            done += 1
            if done < _FIRST_LOOK or (done - _FIRST_LOOK) % _LOOKS:
                continue
            if not self.running.get().any():
                break
        for launch in self.results(asked, results, fields):
            launch()


_OUTER = frozenset(
    ("take", "load", "start", "average", "diagonal", "invert", "energies", "report", "store")
)


def _weights(checked: _arrays.Cells) -> NDArray[np.float64]:
    """Return 1 / s² of the sizes s of a voxel over the largest one."""
    squares = [(size / max(checked.spacing)) ** 2 for size in checked.spacing]
    return np.array([1 / s if s > 0 else math.inf for s in squares])  # where they underflow


def _kinds(problem: Problem) -> dict[_Kind, list[int]]:
    """Return which cells go together."""
    checked, found = problem.checked, problem.found
    weights = _weights(checked)
    if found.diagonals is None:
        grids = _grids(checked.shape, tuple(weights.tolist()))
        return {_Kind(grids, False, 1): problem.members.tolist()}
    groups: dict[_Kind, list[int]] = {}
    for cell in problem.members.tolist():
        diagonal = found.diagonals[cell]
        grids = _grids(checked.shape, tuple((weights * diagonal / diagonal.max()).tolist()))
        alike = tuple((sides, _NO_SCALARS) for sides, _ in grids)
        groups.setdefault(_Kind(alike, True, int(found.steps[cell])), []).append(cell)
    return groups


@functools.lru_cache(maxsize=1024)
def _grids(shape: tuple[int, ...], g: tuple[float, ...]) -> Any:
    """Return the grids of a cell, as `_Kind` has them."""
    return tuple((tuple(n), tuple(numbers)) for n, numbers in _core.voxel_grids(shape, g))


def solve(problem: Problem) -> None:
    """Solve some of the cells in one precision of conjugate gradients."""
    checked = problem.checked
    pointers = [0 if array is None else array.data.ptr for array in problem.results]
    wide = int(checked.dtype == np.float64)
    spacing = [float(size) for size in checked.spacing]
    results = _cuda.packed(pointers, wide, spacing)
    asked = _cuda.packed(
        problem.stop, problem.wanted.corrector_rtol, problem.most, problem.wanted.rtol
    )
    for kind, cells in _kinds(problem).items():
        layout, members = _layout(kind, problem.width), np.array(cells, np.intp)
        at_once = max(1, _MOST_WORKSPACE // (4 * layout.size))
        for first in range(0, members.size, at_once):
            some = members[first : first + at_once]
            solver = _Solver(checked, kind, layout, some, problem.found.known, problem.real)
            solver.run(asked, results, problem.results[-1] is not None)
