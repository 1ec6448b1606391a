"""Launches of several blocks for each cell, where there are few cells and they are large.

An iteration has two launches for each grid that has tiles, one for all coarser ones, one for the
next direction, and two small ones for the coefficients. The host looks only now and then which
cells go on: launches leave alone those that do not.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pearlite import _cuda
from pearlite._corrector_launch import HEAD, MOST_WORKSPACE, Problem, levels

# One block a cell takes some 40 ns a pixel, whatever the others do; the launches of several take
# .2 to .3 ms, and all processors share the pixels of all cells. So they win from this many pixels
# on, times the share of the processors that would have no cell.
_FEWEST_PIXELS = 2**13
_TILES = (16, 32), (8, 16)  # coarse cells; the first that leaves no processor idle, or the last
_THREADS, _TAIL_THREADS = 256, 256  # a thread for each entry of the last grid's inverse
_PIXELS = 8  # of a thread in a pass without tiles
_BETWEEN_LOOKS = 2  # iterations
_PARTS = 32 * 3 * 8  # bytes of shared memory that sums over a block take
_SUMS = 6  # doubles that a block leaves
_STATE = 2048  # bytes of a cell
_FIRST_STEPS = 4  # of the kernels' `prepare`
_SCALE, _BEGIN, _RESIDUAL, _PRODUCT, _REPORT = range(5)
_END, _ENERGIES, _WRITE = range(3)


def better(problem: Problem) -> bool:
    """Tell whether several blocks a cell are faster than one."""
    processors = _cuda.properties().multiprocessors
    idle = processors - problem.members.size
    return problem.size * idle >= _FEWEST_PIXELS * processors


def solve(problem: Problem) -> None:
    """Solve cells, as many at a time as there is memory for."""
    plan = _plan(problem)
    at_once = max(1, MOST_WORKSPACE // plan.bytes)
    for first in range(0, problem.members.size, at_once):
        part = problem._replace(members=problem.members[first : first + at_once])
        _Run(part, plan).solve()


class _Plan(NamedTuple):
    """How the grids of a cell are divided."""

    levels: NDArray[np.int32]  # (levels, 9)
    tiled: int  # of these levels
    tail: int  # where the memory of the others begins, in floats
    tail_floats: int
    bytes: int  # of all fields of a cell


def _plan(problem: Problem) -> _Plan:
    """Give tiles to as few grids as leave the others room in shared memory."""
    most = _cuda.properties().shared - HEAD
    tiled = 0
    while True:
        tiled += 1
        table, floats = levels(*problem.checked.shape, tiled)
        tail = int(table[tiled, 5])
        if 4 * (floats - tail) <= most or tiled + 2 > len(table):
            break
    even = problem.size + problem.size % 2
    couplings = even * ((4 if problem.planar else 1) * problem.width + 4)
    fields = problem.size * (6 * 2 * problem.width + 2 * 2 * 4) + couplings + 4 * floats
    return _Plan(table, tiled, tail, floats - tail, -(-fields // 16) * 16)


class _Tiling(NamedTuple):
    """Tiles of a grid, in coarse cells."""

    own: tuple[int, int]
    halo: tuple[int, int]
    blocks: int
    shared: int  # bytes of a block


def _halo(reach: int, count: int, gap: int) -> int:
    """Return how many coarse cells have as many nodes, wherever they begin."""
    if gap < 0:
        return -(-reach // 2)
    cells = 0
    while 2 * cells - -(-cells // count) < reach:  # each time around there is one of a single node
        cells += 1
    return cells


class _Run:
    """Some cells, and the memory to solve them in."""

    def __init__(self, problem: Problem, plan: _Plan) -> None:
        cupy = _cuda.library()
        self.problem, self.plan = problem, plan
        self.count = problem.members.size
        self.tilings = [self._tiling(level) for level in range(plan.tiled)]
        rows, cols = (2 * own for own in self.tilings[0].own)
        self.sides = rows, cols
        self.patches = math.prod(map(_cuda.blocks, problem.checked.shape, self.sides))
        self.passes = _cuda.blocks(problem.size, _PIXELS * _THREADS)
        most = max(self.patches, self.passes, self.tilings[0].blocks)
        coarse = plan.levels[plan.tiled :].copy()
        coarse[:, 4:] -= plan.tail
        self.running = cupy.ones((self.count,), np.int32)
        self.memory = (
            cupy.asarray(plan.levels), cupy.asarray(coarse), problem.found.known,
            cupy.asarray(problem.members.astype(np.int64)),
            cupy.empty((self.count, plan.bytes), np.uint8),
            cupy.zeros((self.count, _STATE), np.uint8),
            cupy.empty((self.count, most, _SUMS), np.float64), self.running,
        )  # fmt: skip
        pointers = [array.data.ptr for array in self.memory]
        job = _cuda.packed(
            pointers, plan.bytes, most, len(plan.levels), plan.tiled, plan.tail, plan.tail_floats
        )
        self.arguments = *problem.arguments(), job

    def _tiling(self, level: int) -> _Tiling:
        """Return the tiles of a level, with halos as wide as cuda/tiles.cuh says."""
        gaps = [int(gap) for gap in self.plan.levels[level, 2:4]]
        counts = [int(count) for count in self.plan.levels[level + 1, :2]]
        ranks = [2 if gap < 0 else 3 for gap in gaps]
        halo = tuple(map(_halo, (ranks[0], ranks[0] * ranks[1]), counts, gaps))
        processors = _cuda.properties().multiprocessors
        for own in _TILES:
            blocks = math.prod(map(_cuda.blocks, counts, own))
            if blocks * self.count >= processors:
                break
        around = [own[k] + 2 * halo[k] for k in range(2)]
        nodes = math.prod(2 * cells + 2 for cells in around)
        shared = _PARTS + 2 * 4 * sum(around) + 8 * nodes
        return _Tiling(own, (halo[0], halo[1]), blocks, shared)

    def solve(self) -> None:
        """Launch all that it takes."""
        cycle = self._cycle()
        for launch in (*self._preparations(), *cycle):
            launch()
        iterate, done = _cuda.Repeated([*self._advances(), *cycle]), 0
        while done < self.problem.most:
            for _ in range(_BETWEEN_LOOKS):
                iterate()
            done += _BETWEEN_LOOKS
            if not self.running.get().any():
                break
        for launch in self._results():
            launch()

    def _preparations(self) -> list[_cuda.Launch]:
        """Return the launches before the first cycle."""
        given = self.problem.wanted.loads is not None
        launches = []
        for step in range(_FIRST_STEPS):
            if step > 0 or given:
                launches.append(
                    self._launch("prepare", np.int32(step), blocks=self.passes, shared=_PARTS)
                )
            if step == 0:
                launches.append(self._settle(_SCALE, self.passes if given else 0))
            if step == 2:
                launches.append(self._settle(_BEGIN, self.passes))
        for level in range(self.plan.tiled):
            points = math.prod(map(int, self.plan.levels[level + 1, :2]))
            blocks = _cuda.blocks(points, _THREADS)
            launches += [
                self._launch("coarsen_grid", np.int32(level), np.int32(step), blocks=blocks)
                for step in range(4)
            ]
        shared = HEAD + 4 * self.plan.tail_floats
        tail = self._launch("prepare_tail", blocks=1, shared=shared, threads=_TAIL_THREADS)
        return [*launches, tail]

    def _cycle(self) -> list[_cuda.Launch]:
        """Return the launches that precondition residuals."""
        down = [self._in_tiles("descend_tiles", level) for level in range(self.plan.tiled)]
        up = [self._in_tiles("ascend_tiles", level) for level in range(self.plan.tiled)]
        shared = 4 * self.plan.tail_floats
        tail = self._launch("cycle_tail", blocks=1, shared=shared, threads=_TAIL_THREADS)
        return [*down, tail, *reversed(up), self._settle(_RESIDUAL, self.tilings[0].blocks)]

    def _advances(self) -> list[_cuda.Launch]:
        """Return the launches of a step of conjugate gradients, up to the next cycle."""
        rows, cols = self.sides
        shared = _PARTS + 2 * self.problem.width * (rows + 2) * (cols + 2)
        sides = np.int32(rows), np.int32(cols)
        step = self._launch("advance_tiles", *sides, blocks=self.patches, shared=shared)
        return [step, self._settle(_PRODUCT, self.patches)]

    def _results(self) -> list[_cuda.Launch]:
        """Return the launches after the last iteration."""
        steps = [_END]
        if self.problem.wanted.loads is None:
            steps.append(_ENERGIES)
        launches = [*map(self._finish, steps), self._settle(_REPORT, self.passes)]
        if self.problem.results[-1] is not None:
            launches.append(self._finish(_WRITE))
        return launches

    def _finish(self, step: int) -> _cuda.Launch:
        return self._launch("finish", np.int32(step), blocks=self.passes, shared=_PARTS)

    def _in_tiles(self, kernel: str, level: int) -> _cuda.Launch:
        tiling = self.tilings[level]
        sizes = _cuda.packed(tiling.own, tiling.halo)
        return self._launch(
            kernel, np.int32(level), sizes, blocks=tiling.blocks, shared=tiling.shared
        )

    def _settle(self, step: int, blocks: int) -> _cuda.Launch:
        """Make of the sums that blocks have left what follows from them, a block a cell."""
        return self._launch("settle", np.int32(step), np.int32(blocks), blocks=1, shared=_PARTS)

    def _launch(
        self, kernel: str, *more: Any, blocks: int, shared: int = 0, threads: int | None = None
    ) -> _cuda.Launch:
        return _cuda.prepared(
            "corrector_tiles", kernel, (*self.arguments, *more), grid=(blocks, self.count),
            block=threads or _THREADS, shared=shared, dtype=self.problem.real,
            TENSOR=int(self.problem.planar),
        )  # fmt: skip
