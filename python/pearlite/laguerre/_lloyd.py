"""Centroidal tessellations by Lloyd's iteration."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pearlite import _arrays, _threads
from pearlite.laguerre import _check, _fit, _newton
from pearlite.laguerre._check import Metric
from pearlite.laguerre._pixels import Pixels, wherever

Doubles = NDArray[np.float64]

_LOOSE = 0.02  # of the smallest cell: how well volumes are fitted before the sites move on


@dataclass(frozen=True)
class Relaxation:
    """What `lloyd` returns; `...` stands for the batch axes.

    Attributes
    ----------
    sites : (..., K, d) array
        The sites after the last move, of the dtype of the input.
    weights : (..., K) array
        Their weights: those given, 0, or those that give the prescribed volumes.
    energy : (..., iterations) float64 array
        Before each move, the mean over the pixels of the squared distance to their cell's site.
    movement : (..., iterations) float64 array
        The longest way that a site went in each move.
    """

    sites: NDArray[Any]
    weights: NDArray[Any]
    energy: Doubles
    movement: Doubles


def lloyd(
    sites: ArrayLike,
    weights: ArrayLike | None = None,
    *,
    volumes: ArrayLike | None = None,
    shape: Sequence[int],
    iterations: int = 10,
    metric: Metric = "power",
    periodic: bool = True,
    tolerance: float = 4.0,
    threads: int | None = None,
) -> Relaxation:
    """Move sites to the centroids of their cells, again and again: cells become round and even.

    Parameters
    ----------
    sites : (..., K, d) array
        Sites of K seeds, as for `assign`. The leading axes are a batch.
    weights : (..., K) array, optional
        Weights, 0 by default; they stay as they are.
    volumes : (..., K) array, optional
        Volumes of the cells as fractions of the whole, as for `fit_volumes`, instead of weights:
        these are fitted anew after each move.
    shape : sequence of d integers
        Pixels along each axis.
    iterations : int
        Number of moves.
    metric : {"power", "additive"}
        What seeds compete by; with `volumes` it is "power".
    periodic : bool
        Whether distances are to the nearest image on the unit torus, else in the unit cube.
    tolerance : float
        With `volumes`, the largest error of a cell after the last move, in pixels.
    threads : int, optional
        By default all the cores that this process may use. Results do not depend on it.

    Returns
    -------
    Relaxation
        `sites`, `weights`, and the history: `energy` and `movement`. Of torch tensors, and of
        arrays of cupy, such ones on the same device.

    Raises
    ------
    TypeError, ValueError
        If an argument has no meaning; the message names it.
    ConvergenceError
        If the last weights do not give the prescribed volumes within `tolerance`.

    Notes
    -----
    With "power" neither step raises ∫ |x − c|² − w, the integrand being that of the pixel's cell;
    in the limit sites are the centroids of their cells. The site of an empty cell stays.

    Sources: S. P. Lloyd, IEEE Trans. Inf. Theory 28, 129 (1982); with prescribed volumes, D. P.
    Bourne, P. J. J. Kok, S. M. Roper and W. D. T. Spanjer, Phil. Mag. 100, 2677 (2020).

    Examples
    --------
    The spread of the volumes of 50 cells falls from .6 to .1 of their mean:

    >>> import numpy as np
    >>> import pearlite as pl
    >>> sites = np.random.default_rng(0).random((50, 2))
    >>> even = pl.laguerre.lloyd(sites, shape=(128, 128), iterations=50)
    >>> for points in (sites, even.sites):
    ...     labels = pl.laguerre.assign(points, shape=(128, 128))
    ...     print(f"{50 * pl.laguerre.volumes(labels).std():.1f}")
    0.6
    0.1
    """
    given: dict[str, Any] = {"sites": sites, "weights": weights, "volumes": volumes}
    options: dict[str, Any] = {
        "shape": shape, "iterations": iterations, "metric": metric, "periodic": periodic,
        "tolerance": tolerance, "threads": threads,
    }  # fmt: skip
    relaxation: Relaxation = wherever(lloyd, _lloyd, given, options)
    return relaxation


def _lloyd(
    kind: type[Pixels],
    *,
    sites: Any,
    weights: Any,
    volumes: Any,
    shape: Any,
    iterations: Any,
    metric: Any,
    periodic: Any,
    tolerance: Any,
    threads: Any,
) -> Relaxation:
    """Move sites that are arrays of numpy, by pixels that are elsewhere perhaps."""
    periodic = _arrays.flag("periodic", periodic)
    metric = _check.metric_name(metric)
    if volumes is not None and (weights is not None or metric != "power"):
        raise ValueError("volumes go without weights, and with metric='power'")
    seeds = _check.seeds(sites, weights, periodic)
    sizes = _check.grid_shape(shape, seeds.dimension)
    moves = _arrays.check_integer("iterations", iterations, 0, _fit.MOST_STEPS)
    limit = _arrays.check_positive("tolerance", tolerance)
    pixels = kind(sizes, periodic, _threads.count(threads))
    if volumes is None:
        points, final = seeds.sites, seeds.weights
        batch, weigh = seeds.batch, None
    else:
        batch, points, fractions = _fit.checked_fractions(seeds, volumes, sizes, periodic)
        fitted = _Fitted(fractions, pixels, seeds.dtype)
        final, weigh = np.zeros(fractions.shape), fitted
    cells = _Cells(pixels, metric == "additive", seeds.dtype)
    history = np.zeros((2, moves, len(points)))
    for move in range(moves):
        if weigh is not None:
            final = weigh.weights(points, final)
        points, history[0, move], history[1, move] = cells.moved(points, final)
    if weigh is not None:
        final = weigh.last(points, final, limit, batch)
    energy, movement = np.moveaxis(history, 1, -1).reshape(2, *batch, moves)
    return Relaxation(
        sites=points.astype(seeds.dtype).reshape(*batch, *points.shape[1:]),
        weights=final.astype(seeds.dtype).reshape(*batch, seeds.count),
        energy=energy,
        movement=movement,
    )


@dataclass(frozen=True)
class _Cells:
    """How cells are made of sites and weights, and sites moved."""

    pixels: Pixels
    additive: bool
    dtype: np.dtype[Any]

    def moved(self, sites: Doubles, weights: Doubles) -> tuple[Doubles, Doubles, Doubles]:
        """Return the centroids (images, K, d), and the energy and the longest way of each image."""
        sides = np.asarray(self.pixels.shape)
        labels = self.pixels.assign(sites, weights, self.additive)
        volumes, centres, inertias = self.pixels.moments(labels, sites.shape[1])
        ways = (centres + 0.5) / sides - sites
        if self.pixels.periodic:
            ways -= np.round(ways)
        ways[volumes == 0] = 0
        squares = np.sum(ways**2, axis=-1)  # (images, K)
        spread = np.sum(inertias / sides**2, axis=(1, 2)) + np.sum(volumes * squares, axis=1)
        after = (sites + ways).astype(self.dtype).astype(np.float64)
        if self.pixels.periodic:
            after -= np.floor(after)
            after[after >= 1] = 0
        return after, spread / sides.prod(), np.sqrt(squares.max(axis=1))


@dataclass(frozen=True)
class _Fitted:
    """Weights that give prescribed volumes."""

    fractions: Doubles  # (images, K)
    pixels: Pixels
    dtype: np.dtype[Any]

    def weights(self, sites: Doubles, before: Doubles) -> Doubles:
        """Return weights (images, K) good enough to move on, from those before the last move."""
        least = self.fractions.min() * np.prod(self.pixels.shape)
        states = self._solved(sites, before, max(_LOOSE * float(least), 3.0), 30)
        return np.stack([state.weights for state in states])

    def last(
        self, sites: Doubles, before: Doubles, tolerance: float, batch: tuple[int, ...]
    ) -> Doubles:
        """Return weights (images, K) that are as good as asked for, or raise."""
        states = self._solved(sites, before, tolerance, 200)
        for image, state in enumerate(states):
            if state.largest > tolerance:
                raise _fit.failure(state, tolerance, _arrays.unravel(image, batch))
        return np.stack([state.weights for state in states])

    def _solved(
        self, sites: Doubles, before: Doubles, tolerance: float, steps: int
    ) -> list[_newton.State]:
        return [
            _newton.solve(
                _newton.Problem(own, part, self.pixels, self.dtype),
                tolerance,
                steps,
                start,
            )
            for own, part, start in zip(sites, self.fractions, before, strict=True)
        ]
