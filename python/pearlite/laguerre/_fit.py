"""Weights of power tessellations whose cells have prescribed volumes."""

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import coo_array, csr_array, diags_array
from scipy.sparse.linalg import cg
from scipy.spatial import cKDTree
from scipy.special import softmax

from pearlite import _arrays, _core, _threads
from pearlite._errors import ConvergenceError
from pearlite.laguerre import _check, _faces

OnFailure = Literal["raise", "nan"]
Floats = NDArray[np.float32] | NDArray[np.float64]
Doubles = NDArray[np.float64]

_COARSEST = 20  # pixels of the smallest cell, at least, for a coarser grid to be of use
_CLOSE = 8.0  # root mean square error, in pixels, from which on the grid's steps count
_ALIKE = 1e-10  # a distance at which weights lose the digits that place the face
_SHORTEST_STEP = 1 / 64
_SAMPLES = 16  # for each cell, of the points that are shared out
_MOST_SHARES = 2**22  # points times seeds near each


@dataclass(frozen=True)
class Problem:
    """What is to be fitted: one image."""

    sites: Doubles  # (K, d), in [0, 1) if periodic
    fractions: Doubles  # (K,), which sum to 1
    shape: tuple[int, ...]
    periodic: bool
    threads: int
    dtype: np.dtype[Any]  # to which weights are rounded

    @property
    def targets(self) -> Doubles:
        """Volumes in pixels."""
        return self.fractions * np.prod(self.shape)


@dataclass(frozen=True)
class State:
    """Weights, and what they make of the pixels."""

    weights: Doubles  # (K,)
    labels: Any  # (1, *shape)
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


def fit_volumes(
    sites: ArrayLike,
    volumes: ArrayLike,
    *,
    shape: Sequence[int],
    periodic: bool = True,
    tolerance: float = 4.0,
    max_iterations: int = 200,
    on_failure: OnFailure = "raise",
    threads: int | None = None,
) -> Floats:
    """Return the weights with which the cells of a power tessellation have given volumes.

    The weights are those of the greatest value of a concave function whose gradient is the error of
    the volumes. With A_ij the area of the face between two cells, Newton's method solves

    .. math:: Σ_j A_{ij} / (2 |c_i − c_j|) (δ_i − δ_j) = ν_i − V_i

    for the changes δ of the weights, ν and V the prescribed and the actual volumes.

    Parameters
    ----------
    sites : (..., K, d) array
        Sites of K seeds, as for `assign`; no two alike. The leading axes are a batch.
    volumes : (..., K) array
        Volumes of the cells as fractions of the whole, which sum to 1; each is at least a pixel.
        Leading axes broadcast with those of `sites`.
    shape : sequence of d integers
        Pixels along each axis, as for `assign`: volumes are those of the pixels.
    periodic : bool
        Whether distances are to the nearest image on the unit torus, else in the unit cube.
    tolerance : float
        The largest error of a cell's volume, in pixels.
    max_iterations : int
        Newton steps at most, those on coarser grids not counted.
    on_failure : {"raise", "nan"}
        What to do about images that do not reach `tolerance`: raise, or return NaN for them.
    threads : int, optional
        By default all the cores that this process may use. Weights do not depend on it.

    Returns
    -------
    (..., K) array
        Weights, squares of lengths, for ``metric="power"``, with mean 0; of the dtype of `sites`.

    Raises
    ------
    TypeError, ValueError
        If an argument has no meaning; the message names it.
    ConvergenceError
        If an image does not reach `tolerance`; `residual` is its largest error, in pixels.

    See Also
    --------
    lloyd : sites in the centroids of cells with prescribed volumes.

    Notes
    -----
    Volumes of pixels change in steps, by several pixels at once where a face is almost parallel to
    the grid. Close to the solution the steps of the iteration are shortened, which averages over
    them. Random sites then reach a root mean square error below 1 pixel; sites on a lattice, whose
    faces move by whole layers of pixels, may not come close at all.

    Sources: F. Aurenhammer, F. Hoffmann and B. Aronov, Algorithmica 20, 61 (1998), for the concave
    function; J. Kitagawa, Q. Mérigot and B. Thibert, J. Eur. Math. Soc. 21, 2603 (2019), for the
    damping, which leaves no cell empty.

    Examples
    --------
    >>> import numpy as np
    >>> import pearlite as pl
    >>> sites = np.random.default_rng(1).random((4, 2))
    >>> weights = pl.laguerre.fit_volumes(sites, [0.1, 0.2, 0.3, 0.4], shape=(256, 256))
    >>> labels = pl.laguerre.assign(sites, weights, shape=(256, 256))
    >>> pl.laguerre.volumes(labels).round(3)
    array([0.1, 0.2, 0.3, 0.4])
    """
    periodic = _arrays.flag("periodic", periodic)
    seeds = _check.seeds(sites, None, periodic)
    sizes = _check.grid_shape(shape, seeds.dimension)
    batch, points, fractions = checked_fractions(seeds, volumes, sizes, periodic)
    limit = check_tolerance(tolerance)
    steps = check_steps("max_iterations", max_iterations)
    if not isinstance(on_failure, str) or on_failure not in ("raise", "nan"):
        raise ValueError(f"on_failure is {on_failure!r}; expected 'raise' or 'nan'")
    number = _threads.count(threads)
    weights = np.empty(fractions.shape)
    for image in range(len(points)):
        problem = Problem(points[image], fractions[image], sizes, periodic, number, seeds.dtype)
        state = solve(problem, limit, steps)
        weights[image] = state.weights
        if state.largest > limit:
            if on_failure == "raise":
                raise failure(state, limit, _arrays.unravel(image, batch))
            weights[image] = np.nan
    return weights.astype(seeds.dtype).reshape(*batch, seeds.count)


def solve(problem: Problem, tolerance: float, steps: int, start: Doubles | None = None) -> State:
    """Return the best state found, from the weights `start` if they leave no small cell."""
    return _solve(problem, tolerance, steps, start)[0]


def _solve(
    problem: Problem, tolerance: float | None, steps: int, start: Doubles | None
) -> tuple[State, csr_array | None]:
    """Return the best state, and the derivative that led there; without a tolerance a close one."""
    state, laplacian = _start(problem, steps, start)
    best, inherited = state, laplacian is not None
    softened, damped = False, 0
    for _ in range(steps):
        close = state.mean_square <= _CLOSE
        if best.largest <= tolerance if tolerance is not None else close:
            break
        # Close to the solution the areas hardly change, and on a coarser grid they are much alike.
        if laplacian is None or not (close or inherited):
            laplacian = _laplacian(problem, state)
        inherited = False
        # Ever shorter steps average over the pixels.
        damped += close
        length = max(0.05, 1 / (1 + damped / 4)) if close else 1.0
        after = _advance(problem, state, laplacian, length)
        if after is None and softened:
            break
        if after is None:
            after, softened, laplacian = _softened(problem, state), True, None
        state = after
        best = _better(best, state)
    return best, laplacian


def _start(problem: Problem, steps: int, start: Doubles | None) -> tuple[State, csr_array | None]:
    """Return a state to begin with, and if it is that of a coarser grid its derivative."""
    state = _evaluate(problem, np.zeros(len(problem.sites)))
    if start is not None:
        warm = _evaluate(problem, start)
        if np.all(warm.volumes >= problem.targets / 4):
            state = warm
    coarse = _coarser(problem)
    if state.mean_square <= _CLOSE or coarse is None:
        return state, None
    guess, laplacian = _solve(coarse, None, min(steps, 30), start)
    fine = _evaluate(problem, guess.weights)
    if fine.largest > state.largest or laplacian is None:
        return state, None
    return fine, laplacian * (np.prod(problem.shape) / np.prod(coarse.shape))


def checked_fractions(
    seeds: _check.Seeds, volumes: ArrayLike, shape: tuple[int, ...], periodic: bool
) -> tuple[tuple[int, ...], Doubles, Doubles]:
    """Return the batch axes, sites (images, K, d) and volumes (images, K) that sum to 1."""
    values = _check.floats("volumes", volumes)
    if values.shape[-1:] != (seeds.count,):
        raise ValueError(
            f"volumes has shape {values.shape}; expected (..., {seeds.count}), one for each site"
        )
    least = 1 / np.prod(shape)
    with np.errstate(invalid="ignore"):
        bad = ~(values >= least * (1 - 1e-6))
    if bad.any():
        index = _arrays.unravel(int(bad.argmax()), values.shape)
        where = f"volumes[{', '.join(map(str, index))}]"
        raise ValueError(
            f"{where} is {values[index]}; expected fractions > 0, of at least a pixel, {least:.3g}"
        )
    sums = values.sum(axis=-1, dtype=np.float64)
    slack = 1e-6 if values.dtype == np.float64 else 1e-4
    if np.any(wrong := ~(np.abs(sums - 1) <= slack)):
        raise ValueError(f"volumes sum to {sums[wrong][0]:.9g}; expected 1, they are fractions")
    _check_distinct(seeds, periodic)
    batch = _check.broadcast_batch("volumes", values.shape[:-1], "sites", seeds.batch)
    fractions = values.astype(np.float64) / sums[..., np.newaxis]
    points = seeds.sites.reshape(*seeds.batch, seeds.count, seeds.dimension)
    full = np.broadcast_to(points, (*batch, *points.shape[-2:]))
    return (
        batch,
        full.reshape(-1, *points.shape[-2:]),
        np.broadcast_to(fractions, (*batch, seeds.count)).reshape(-1, seeds.count),
    )


def _check_distinct(seeds: _check.Seeds, periodic: bool) -> None:
    """Raise if two sites of an image are the same point: no weights part their cells as asked."""
    for image, sites in enumerate(seeds.sites):
        tree = cKDTree(sites, boxsize=1.0 if periodic else None)
        alike = tree.query_pairs(_ALIKE, output_type="ndarray")
        if len(alike):
            first, second = min(map(tuple, np.sort(alike, axis=1).tolist()))
            where = [*_arrays.unravel(image, seeds.batch)]
            raise ValueError(
                f"sites{[*where, second]} is the same point as sites{[*where, first]}; "
                "expected distinct sites"
            )


def check_tolerance(tolerance: object) -> float:
    """Return a number of pixels > 0 as a float."""
    expected = "expected a number of pixels > 0"
    if isinstance(tolerance, bool) or not isinstance(tolerance, Real):
        raise TypeError(f"tolerance is {tolerance!r}; {expected}")
    try:
        number = float(tolerance)
    except OverflowError:  # of an integer
        number = float("inf")
    if not number > 0:
        raise ValueError(f"tolerance is {tolerance!r}; {expected}")
    return number


def check_steps(name: str, steps: int) -> int:
    """Return a number of iterations, checked."""
    expected = "expected an integer from 0 to 10^6"
    if not isinstance(steps, int | np.integer) or isinstance(steps, bool):
        raise TypeError(f"{name} is {steps!r}; {expected}")
    if not 0 <= steps <= 10**6:
        raise ValueError(f"{name} is {steps}; {expected}")
    return int(steps)


def failure(state: State, tolerance: float, index: tuple[int, ...]) -> ConvergenceError:
    """Return the error of an image whose cells do not have the prescribed volumes."""
    worst = int(np.abs(state.error).argmax())
    message = (
        f"image {list(index)} did not reach tolerance={tolerance:g} pixels: cell {worst} has "
        f"{state.volumes[worst]:g} pixels, {-state.error[worst]:+.3g} to what volumes prescribe "
        f"(root mean square {state.mean_square:.3g}). Pass a larger tolerance or a finer shape, or "
        "on_failure='nan' to get NaN for such images."
    )
    return ConvergenceError(message, index, state.largest)


def _evaluate(problem: Problem, weights: Doubles) -> State:
    """Label the pixels and measure the cells."""
    # What is returned is what was tried, after rounding.
    rounded = weights.astype(problem.dtype).astype(np.float64)
    count = len(weights)
    size = 1 if count <= 2**8 else 2 if count <= 2**16 else 4
    labels = _core.assign(
        np.ascontiguousarray(problem.sites[np.newaxis]),
        rounded[np.newaxis],
        problem.shape,
        False,
        problem.periodic,
        size,
        problem.threads,
    )
    volumes = _core.cell_volumes(labels, count, problem.threads)[0].astype(np.float64)
    return State(rounded, labels, volumes, problem.targets - volumes)


def _better(one: State, other: State) -> State:
    """Return the state whose largest error is smaller."""
    return other if other.largest < one.largest else one


def _coarser(problem: Problem) -> Problem | None:
    """Return the problem on half as many pixels along each axis, if these tell the cells apart."""
    shape = tuple((n + 1) // 2 for n in problem.shape)
    if problem.targets.min() * np.prod(shape) / np.prod(problem.shape) < _COARSEST:
        return None
    return Problem(
        problem.sites, problem.fractions, shape, problem.periodic, problem.threads, problem.dtype
    )


def _laplacian(problem: Problem, state: State) -> csr_array:
    """Return the derivative (K, K) of the volumes, in pixels, with respect to the weights.

    The faces are planes of known normal d/|d|, so that N_a pixel faces normal to axis a make up the
    area Σ_a N_a s_a |d_a|/|d|, s_a the area of one, which is n_a times the volume of a pixel.
    """
    shape = np.asarray(problem.shape, np.float64)
    sites = problem.sites[np.newaxis]
    found = _faces.contacts(state.labels, sites * shape - 0.5, problem.periodic, problem.threads)
    vectors = np.abs(_faces.face_normals(found, sites))
    rates = np.sum(found.faces * vectors * shape, axis=1) / (2 * np.sum(vectors**2, axis=1))
    i, j = found.pairs.T
    count = len(problem.sites)
    places = np.concatenate([i, j]), np.concatenate([j, i])
    rates = coo_array((np.concatenate([rates, rates]), places), shape=(count, count)).tocsr()
    return csr_array(diags_array(rates.sum(axis=0)) - rates)


def _newton_step(laplacian: csr_array, error: Doubles) -> Doubles:
    """Return the change of the weights, of zero mean, that mends the error to first order."""
    diagonal = laplacian.diagonal()
    diagonal[diagonal == 0] = 1  # of a cell without neighbours
    step, _ = cg(laplacian, error, rtol=1e-2, maxiter=2000, M=diags_array(1 / diagonal))
    return np.asarray(step - step.mean())


def _advance(problem: Problem, state: State, laplacian: csr_array, length: float) -> State | None:
    """Go along Newton's step as far as no cell becomes too small and the error does not grow.

    None if this is no way at all, or there is none, since cells are empty.
    """
    floor = 0.5 * min(state.volumes.min(), problem.targets.min())
    if floor == 0:
        return None
    step = _newton_step(laplacian, state.error)
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
    tree = cKDTree(problem.sites, boxsize=1.0 if problem.periodic else None)
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
