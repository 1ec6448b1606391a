"""Newton's method for the weights of cells with prescribed volumes, on one image."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array, diags_array
from scipy.sparse.linalg import cg
from scipy.spatial import cKDTree
from scipy.special import softmax

from pearlite.laguerre import _faces
from pearlite.laguerre._pixels import Pixels

Doubles = NDArray[np.float64]

_COARSEST = 20  # pixels of the smallest cell, at least, for a coarser grid to be of use
_CLOSE = 8.0  # root mean square error, in pixels, from which on the grid's steps count
_SHORTEST_STEP = 1 / 64
_SAMPLES = 16  # for each cell, of the points that are shared out
_MOST_SHARES = 2**22  # points times seeds near each


@dataclass(frozen=True)
class Problem:
    """What is to be fitted: one image."""

    sites: Doubles  # (K, d), in [0, 1) if periodic
    fractions: Doubles  # (K,), which sum to 1
    pixels: Pixels
    dtype: np.dtype[Any]  # to which weights are rounded

    @property
    def shape(self) -> tuple[int, ...]:
        """Pixels along each axis."""
        return self.pixels.shape

    @property
    def targets(self) -> Doubles:
        """Volumes in pixels."""
        return self.fractions * np.prod(self.shape)


@dataclass(frozen=True)
class State:
    """Weights, and what they make of the pixels."""

    weights: Doubles  # (K,)
    labels: Any  # (1, *shape), of cupy if the pixels are on a card
    volumes: Doubles  # (K,), in pixels
    error: Doubles  # (K,): prescribed less actual volumes, in pixels

    @property
    def largest(self) -> float:
        """The largest error of a cell, in pixels."""
        return float(np.abs(self.error).max())

    @property
    def mean_square(self) -> float:
        """The root mean square error of the cells, in pixels."""
        return float(np.sqrt(np.mean(self.error**2)))


@dataclass(frozen=True)
class Edges:
    """How fast pixels go over from one cell to another with the difference of their weights."""

    codes: NDArray[np.int64]  # (M,), increasing: first · K + second of each pair of cells
    slopes: Doubles  # (M,), of the plane faces
    rates: Doubles  # (M,), those or what was seen
    count: int  # K

    @property
    def pairs(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The cells of each pair, first < second."""
        return self.codes // self.count, self.codes % self.count

    def scaled(self, factor: float) -> "Edges":
        """Return the edges on a grid of so many times the pixels."""
        return replace(self, slopes=self.slopes * factor, rates=self.slopes * factor)

    def step(self, error: Doubles) -> Doubles:
        """Return the change of the weights, of zero mean, that mends the error to first order."""
        first, second = self.pairs
        places = np.concatenate([first, second]), np.concatenate([second, first])
        both = np.concatenate([self.rates, self.rates])
        matrix = coo_array((both, places), shape=(self.count, self.count)).tocsr()
        diagonal = matrix.sum(axis=0)
        diagonal[diagonal == 0] = 1  # of a cell without neighbours
        laplacian = csr_array(diags_array(diagonal) - matrix)
        step, _ = cg(laplacian, error, rtol=1e-2, maxiter=2000, M=diags_array(1 / diagonal))
        return np.asarray(step - step.mean())

    def corrected(self, before: State, after: State, pixels: Pixels) -> "Edges":
        """Return the edges with faster rates where more pixels went over than was expected.

        A face almost parallel to the grid sweeps over a whole layer of pixels at once, and over
        none between two layers. With its mean rate the iteration would jump to and fro across the
        layer; with the rate that was seen, other faces make up for the error.
        """
        lost, won = pixels.changes(before.labels, after.labels)
        codes = np.minimum(lost, won) * self.count + np.maximum(lost, won)
        place = np.minimum(np.searchsorted(self.codes, codes), len(self.codes) - 1)
        known = self.codes[place] == codes
        signs = np.where(won < lost, 1.0, -1.0)  # to the first of the pair, or from it
        seen = np.abs(np.bincount(place[known], signs[known], minlength=len(self.codes)))
        first, second = self.pairs
        change = after.weights - before.weights
        difference = np.abs(change[first] - change[second])
        surprising = (seen > 2) & (seen > 2 * self.rates * difference)
        secants = seen / np.maximum(difference, 1e-300)
        rates = np.where(surprising, secants, np.maximum(self.slopes, 0.8 * self.rates))
        return replace(self, rates=rates)


def solve(problem: Problem, tolerance: float, steps: int, start: Doubles | None = None) -> State:
    """Return the best state found, from the weights `start` if they leave no small cell."""
    return _solve(problem, tolerance, steps, start)[0]


def _solve(
    problem: Problem, tolerance: float | None, steps: int, start: Doubles | None
) -> tuple[State, Edges | None]:
    """Return the best state and the edges that led there; without a tolerance, a close state."""
    state, edges = _start(problem, steps, start)
    best, inherited = state, edges is not None
    softened, damped = False, 0
    for _ in range(steps):
        close = state.mean_square <= _CLOSE
        if best.largest <= tolerance if tolerance is not None else close:
            break
        # Close to the solution the areas hardly change, and on a coarser grid they are much alike.
        if edges is None or not (close or inherited):
            edges, inherited = _edges(problem, state), False
        # Ever shorter steps average over the pixels.
        damped += close
        length = max(0.05, 1 / (1 + damped / 2)) if close else 1.0
        after = _advance(problem, state, edges, length)
        if after is None and softened:
            break
        if after is None:
            after, softened, edges = _softened(problem, state), True, None
        elif close:
            edges = edges.corrected(state, after, problem.pixels)
        inherited = inherited and after.mean_square < state.mean_square / 2
        state = after
        best = _better(best, state)
    return best, edges


def _start(problem: Problem, steps: int, start: Doubles | None) -> tuple[State, Edges | None]:
    """Return a state to begin with, and if it is that of a coarser grid its edges."""
    state = None if start is None else _evaluate(problem, start)
    if state is not None and state.mean_square <= _CLOSE:
        return state, None
    coarse = _coarser(problem)
    if coarse is not None:
        guess, edges = _solve(coarse, None, min(steps, 30), start)
        fine = _evaluate(problem, guess.weights)
        if fine.volumes.min() > 0 and edges is not None:
            return fine, edges.scaled(float(np.prod(problem.shape) / np.prod(coarse.shape)))
    if state is not None and np.all(state.volumes >= problem.targets / 4):
        return state, None
    return _evaluate(problem, np.zeros(len(problem.sites))), None


def _evaluate(problem: Problem, weights: Doubles) -> State:
    """Label the pixels and measure the cells."""
    # What is returned is what was tried, after rounding.
    rounded = weights.astype(problem.dtype).astype(np.float64)
    labels = problem.pixels.assign(problem.sites[np.newaxis], rounded[np.newaxis])
    volumes = problem.pixels.volumes(labels, len(weights))[0].astype(np.float64)
    return State(rounded, labels, volumes, problem.targets - volumes)


def _better(one: State, other: State) -> State:
    """Return the state whose largest error is smaller."""
    return other if other.largest < one.largest else one


def _coarser(problem: Problem) -> Problem | None:
    """Return the problem on half as many pixels along each axis, if these tell the cells apart."""
    shape = tuple((n + 1) // 2 for n in problem.shape)
    if problem.targets.min() * np.prod(shape) / np.prod(problem.shape) < _COARSEST:
        return None
    return replace(problem, pixels=replace(problem.pixels, shape=shape))


def _edges(problem: Problem, state: State) -> Edges:
    """Return the derivatives of the volumes, in pixels, with respect to the weights.

    The faces are planes of known normal d/|d|, so that N_a pixel faces normal to axis a make up the
    area Σ_a N_a s_a |d_a|/|d|, s_a the area of one, which is n_a times the volume of a pixel.
    """
    shape, count = np.asarray(problem.shape, np.float64), len(problem.sites)
    sites = problem.sites[np.newaxis]
    found = problem.pixels.contacts(state.labels, sites * shape - 0.5)
    vectors = np.abs(_faces.face_normals(found, sites))
    slopes = np.sum(found.faces * vectors * shape, axis=1) / (2 * np.sum(vectors**2, axis=1))
    codes = found.pairs.astype(np.int64) @ np.array([count, 1])
    # Cells that meet in several places have an entry for each.
    codes, place = np.unique(codes, return_inverse=True)
    sums: Doubles = np.bincount(place, slopes, minlength=len(codes)).astype(np.float64)
    return Edges(codes, sums, sums, count)


def _advance(problem: Problem, state: State, edges: Edges, length: float) -> State | None:
    """Go along Newton's step as far as no cell becomes too small and the error does not grow.

    None if this is no way at all, or there is none, since cells are empty.
    """
    floor = 0.5 * min(state.volumes.min(), problem.targets.min())
    if floor == 0:
        return None
    step = edges.step(state.error)
    while length >= _SHORTEST_STEP:
        trial = _evaluate(problem, state.weights + length * step)
        grown = trial.mean_square > max((1 - length / 2) * state.mean_square, _CLOSE)
        if trial.volumes.min() >= floor and not grown:
            return trial
        length /= 2
    return None


def _softened(problem: Problem, state: State) -> State:
    """Return a state without empty cells, as crowded sites may leave them on pixels.

    Sample points are shared out among the seeds near them in proportion to exp((w − |x − c|²)/ε),
    and weights moved until the shares are as prescribed; then ε is lowered, until no cell of pixels
    is empty. This is R. Sinkhorn's iteration, Am. Math. Monthly 74, 402 (1967).
    """
    count, dimension = problem.sites.shape
    side = max(2, round((_SAMPLES * count) ** (1 / dimension)))
    axes = [(np.arange(side) + 0.5) / side] * dimension
    samples = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, dimension)
    near = min(count, max(2, _MOST_SHARES // len(samples)))
    tree = cKDTree(problem.sites, boxsize=1.0 if problem.pixels.periodic else None)
    distances, seeds = tree.query(samples, k=[*range(1, near + 1)])  # (samples, near)
    squares, weights = distances**2, np.zeros(count)
    for halving in range(24):
        epsilon = 0.25 * 0.5**halving
        for _ in range(10):
            parts = softmax((weights[seeds] - squares) / epsilon, axis=1)
            shares = np.bincount(seeds.ravel(), parts.ravel(), minlength=count) / len(samples)
            weights += epsilon * np.log(problem.fractions / np.maximum(shares, 1e-300))
        soft = _evaluate(problem, weights - weights.mean())
        if soft.volumes.min() > 0:
            return soft
    return state
