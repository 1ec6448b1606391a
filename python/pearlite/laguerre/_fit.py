"""Weights of power tessellations whose cells have prescribed volumes."""

from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from pearlite import _arrays, _threads
from pearlite._errors import ConvergenceError
from pearlite.laguerre import _check
from pearlite.laguerre._newton import Problem, State, solve
from pearlite.laguerre._pixels import Pixels, wherever

OnFailure = Literal["raise", "nan"]
Floats = NDArray[np.float32] | NDArray[np.float64]
Doubles = NDArray[np.float64]

MOST_STEPS = 10**6
_ALIKE = 1e-10  # a distance at which weights lose the digits that place the face


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
        Of torch tensors, and of arrays of cupy, such ones on the same device.

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
    them, and such faces are held. Random sites then reach a root mean square error below 1 pixel;
    sites on a lattice, whose faces move by whole layers of pixels, may not come close at all.

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
    given: dict[str, Any] = {"sites": sites, "volumes": volumes}
    options: dict[str, Any] = {
        "shape": shape, "periodic": periodic, "tolerance": tolerance, "on_failure": on_failure,
        "max_iterations": max_iterations, "threads": threads,
    }  # fmt: skip
    weights: Floats = wherever(fit_volumes, _fit, given, options)
    return weights


def _fit(
    kind: type[Pixels],
    *,
    sites: Any,
    volumes: Any,
    shape: Any,
    periodic: Any,
    tolerance: Any,
    max_iterations: Any,
    on_failure: Any,
    threads: Any,
) -> Floats:
    """Return weights of arrays of numpy, by pixels that are elsewhere perhaps."""
    periodic = _arrays.flag("periodic", periodic)
    seeds = _check.seeds(sites, None, periodic)
    sizes = _check.grid_shape(shape, seeds.dimension)
    batch, points, fractions = checked_fractions(seeds, volumes, sizes, periodic)
    limit = _arrays.check_positive("tolerance", tolerance)
    steps = _arrays.check_integer("max_iterations", max_iterations, 0, MOST_STEPS)
    _arrays.check_choice("on_failure", on_failure, get_args(OnFailure))
    pixels = kind(sizes, periodic, _threads.count(threads))
    weights = np.empty(fractions.shape)
    for image in range(len(points)):
        state = solve(Problem(points[image], fractions[image], pixels, seeds.dtype), limit, steps)
        weights[image] = state.weights
        if state.largest > limit:
            if on_failure == "raise":
                raise failure(state, limit, _arrays.unravel(image, batch))
            weights[image] = np.nan
    return weights.astype(seeds.dtype).reshape(*batch, seeds.count)


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
