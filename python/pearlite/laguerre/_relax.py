"""Relaxed tessellations: the softmax of what seeds compete by, and its gradient."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pearlite import _arrays, _core, _cuda, _threads
from pearlite.laguerre import _check
from pearlite.laguerre._check import Metric

Floats = NDArray[np.float32] | NDArray[np.float64]
Doubles = NDArray[np.float64]

# The kernels' logits stay finite if no distance is longer than so many times epsilon.
_LONGEST = {np.dtype(np.float32): 1e30, np.dtype(np.float64): 1e280}
_FARTHEST = {np.dtype(np.float32): 1e15, np.dtype(np.float64): 1e150}


class RelaxGradient(NamedTuple):
    """Gradients in the arguments of `relax`, each of its argument's shape.

    Attributes
    ----------
    sites : (..., K, d) array
    weights : (..., K) array
    values : (..., K) array
    epsilon : (...) array
    """

    sites: Floats
    weights: Floats
    values: Floats
    epsilon: Floats


def relax(
    sites: ArrayLike,
    weights: ArrayLike | None,
    values: ArrayLike,
    *,
    shape: Sequence[int],
    epsilon: ArrayLike,
    metric: Metric = "power",
    periodic: bool = True,
    threads: int | None = None,
) -> Floats:
    r"""Return fields that go smoothly from each seed's value to its neighbours'.

    With c_k the sites, w_k the weights and v_k the values, the field at the centre x of a pixel is

    .. math:: A(x) = Σ_k p_k(x) v_k, \quad p_k = \frac{e^{-s_k/ε}}{Σ_j e^{-s_j/ε}},

    where s_k = |x − c_k|² − w_k in the metric "power" and |x − c_k| − w_k in "additive". For
    ε → 0 it is v_k on the cell that `assign` gives to seed k; faces are about ε / |∇(s_k − s_j)|
    wide.

    Parameters
    ----------
    sites : (..., K, d) array
        Sites of K seeds in 2 or 3 dimensions, in units of the cell's sides, float32 or float64. The
        leading axes are a batch of cells. On the torus sites may lie anywhere.
    weights : (..., K) array or None
        Weights; a larger one makes a larger cell. They are squares of lengths for "power", lengths
        for "additive". None stands for zeros. The arrays have the same dtype, and leading axes that
        broadcast.
    values : (..., K) array
        The value of each seed, in any unit.
    shape : sequence of d integers
        Pixels along each axis, at least 2.
    epsilon : float or (...) array
        Width ε > 0 of the faces, one for all cells or one for each: a squared length for "power", a
        length for "additive". Distances are at most 1e30 ε (float64: 1e280 ε).
    metric : {"power", "additive"}
        What seeds compete by.
    periodic : bool
        Whether distances are those on the unit torus, else in the unit cube.
    threads : int, optional
        By default all the cores that this process may use. The result does not depend on it.

    Returns
    -------
    (..., *shape) array
        The field, in the dtype of the arguments. A torch tensor if an argument is one; it can be
        differentiated in `sites`, `weights`, `values` and `epsilon`. Arrays of cupy, and tensors on
        a card, give such ones there; what they hold is not checked.

    Raises
    ------
    TypeError, ValueError
        If an argument has no meaning; the message names it.

    See Also
    --------
    assign : labels instead of fields.
    relax_with_gradient : gradients of numpy arrays.

    Notes
    -----
    On the torus the distance is that to the nearest image, which is the nearest one along each
    axis: a seed counts once, and not through all its images. Where two images are equally near, and
    in the metric "additive" at the seed itself, the distance has a kink; gradients then take the
    slope towards one of the two images, and zero.

    Weights p_k below 1e-12 (float64: 1e-17) of the largest may be left out, in gradients too: far
    from all faces the field is a seed's value, and depends on nothing else.

    Sources: the distance on the torus and the relaxation by a softmax are eqs. 26, 28 and 29 of
    *Distributional inverse homogenization*.

    Examples
    --------
    Two seeds on a torus: halfway between them the field is the mean of their values.

    >>> import pearlite as pl
    >>> sites = [[0.25, 0.5], [0.75, 0.5]]
    >>> field = pl.laguerre.relax(sites, None, [1, 3], shape=(9, 3), epsilon=0.02)
    >>> field[:, 1].round(3)
    array([1.117, 1.   , 1.   , 1.008, 2.   , 2.992, 3.   , 3.   , 2.883])
    """
    if _arrays.is_torch(sites, weights, values, epsilon):
        from pearlite import _laguerre_autograd

        options = shape, metric, periodic, threads
        result: Floats = _laguerre_autograd.relax(sites, weights, values, epsilon, *options)
        return result
    if _cuda.is_array(sites, weights, values, epsilon):
        from pearlite.laguerre import _card

        given = {"sites": sites, "weights": weights, "values": values, "epsilon": epsilon}
        _cuda.same_device(**{k: v for k, v in given.items() if k in ("sites", "values")})
        _threads.count(threads)
        on_card: Floats = _card.relax(given, shape, metric, periodic)
        return on_card
    cells = prepare(sites, weights, values, epsilon, shape, metric, periodic, threads)
    return field_of(cells)


def relax_with_gradient(
    sites: ArrayLike,
    weights: ArrayLike | None,
    values: ArrayLike,
    cotangent: ArrayLike,
    *,
    shape: Sequence[int],
    epsilon: ArrayLike,
    metric: Metric = "power",
    periodic: bool = True,
    threads: int | None = None,
) -> tuple[Floats, RelaxGradient]:
    r"""Return relaxed fields and the gradient of a function of them.

    With the cotangent g(x) = ∂f/∂A(x) of each pixel, it is the vector-Jacobian product

    .. math:: \frac{∂f}{∂v_k} = Σ_x g p_k, \quad \frac{∂f}{∂s_k(x)} = -g p_k (v_k − A)/ε

    carried on to sites and weights, of which s_k is a function; and to ε.

    Parameters
    ----------
    sites, weights, values, shape, epsilon, metric, periodic, threads
        As for `relax`.
    cotangent : (..., *shape) array
        g, in the dtype of the other arguments; it broadcasts to the shape of the field.

    Returns
    -------
    field : (..., *shape) array
        As from `relax`.
    gradient : RelaxGradient
        `sites`, `weights`, `values` and `epsilon`, of the shapes of these arguments (of weights
        that are None: one for each seed and cell). Arguments that cells share take the sum over
        them.

    Raises
    ------
    TypeError, ValueError
        If an argument has no meaning; the message names it.

    See Also
    --------
    relax : takes torch tensors, which know their gradients themselves.

    Notes
    -----
    Sums over pixels run in a fixed order, whatever the number of threads. Field and gradient come
    from the same pass over the pixels.

    Examples
    --------
    The mean of a field of two values grows with the first one's share, and with its weight if its
    value is the larger one:

    >>> import numpy as np
    >>> import pearlite as pl
    >>> sites = [[0.25, 0.5], [0.75, 0.5]]
    >>> mean = np.full((64, 64), 1 / 64**2)
    >>> field, gradient = pl.laguerre.relax_with_gradient(
    ...     sites, [0, 0], [3, 1], mean, shape=(64, 64), epsilon=0.01
    ... )
    >>> gradient.values.round(6)
    array([0.5, 0.5])
    >>> gradient.weights.round(2)  # both faces of length 1 move by w / (2 · ½): 2 (3 − 1) / 2
    array([ 4., -4.])
    """
    if _cuda.is_array(sites, weights, values, epsilon, cotangent):
        from pearlite.laguerre import _card

        given = {"sites": sites, "weights": weights, "values": values, "epsilon": epsilon}
        _cuda.same_device(**{k: v for k, v in given.items() if k in ("sites", "values")})
        _threads.count(threads)
        return _card.relax_gradient(given, cotangent, shape, metric, periodic)
    cells = prepare(sites, weights, values, epsilon, shape, metric, periodic, threads)
    field, *parts = _core.relax_gradient(
        *cells.arrays,
        cotangent_of(cotangent, cells),
        cells.shape,
        cells.additive,
        cells.periodic,
        True,
        cells.threads,
    )
    return field.reshape(*cells.batch, *cells.shape), gradients(parts, cells)


@dataclass(frozen=True)
class Relaxation:
    """The arguments of `relax` as the kernels take them."""

    # sites (batch, K, d), weights (batch, K), values (batch, K), epsilon (batch,)
    arrays: tuple[Doubles, Doubles, Doubles, Doubles]
    batches: tuple[tuple[int, ...], ...]  # the batch axes of each, which broadcast to `batch`
    batch: tuple[int, ...]
    shape: tuple[int, ...]
    additive: bool
    periodic: bool
    threads: int
    dtype: np.dtype[Any]  # of the results


def prepare(
    sites: ArrayLike,
    weights: ArrayLike | None,
    values: ArrayLike,
    epsilon: ArrayLike,
    shape: Sequence[int],
    metric: str,
    periodic: bool,
    threads: int | None,
) -> Relaxation:
    """Check and convert the arguments of `relax`."""
    periodic = _arrays.flag("periodic", periodic)
    additive = _check.metric_name(metric) == "additive"
    seeds = _check.seeds(sites, weights, periodic)
    sizes = _check.grid_shape(shape, seeds.dimension)
    given = {"sites": sites, "weights": weights, "values": values, "epsilon": epsilon}
    dtype = common_dtype(given)
    numbers = _values(values, seeds.count)
    widths = check_epsilon(epsilon)
    _check_extent(seeds, widths, additive, periodic, dtype)
    batches = seeds.sites_batch, seeds.weights_batch, numbers.shape[:-1], widths.shape
    batch = seeds.batch
    for name, own in (("values", batches[2]), ("epsilon", batches[3])):
        batch = _check.broadcast_batch(name, own, "sites and weights", batch)
    places = seeds.sites.reshape(*seeds.batch, *seeds.sites.shape[1:])
    leads = seeds.weights.reshape(*seeds.batch, seeds.count)
    packed = (
        _packed(places, batch, places.shape[-2:]),
        _packed(leads, batch, (seeds.count,)),
        _packed(numbers, batch, (seeds.count,)),
        _packed(widths, batch, ()),
    )
    count = _threads.count(threads)
    return Relaxation(packed, batches, batch, sizes, additive, periodic, count, dtype)


def common_dtype(arguments: dict[str, Any]) -> np.dtype[Any]:
    """Return the dtype that all arrays among the arguments share; lists and numbers have none."""
    found: dict[str, np.dtype[Any]] = {}
    for name, value in arguments.items():
        if isinstance(value, np.ndarray):
            found[name] = value.dtype.newbyteorder("=")
    for name, dtype in found.items():
        first = next(iter(found))
        if dtype != found[first]:
            raise TypeError(f"{name} has dtype {dtype}; expected {found[first]}, as {first}")
    return next(iter(found.values()), np.dtype(np.float64))


def field_of(cells: Relaxation) -> Floats:
    """Return the fields (..., *shape)."""
    flat = _core.relax(
        *cells.arrays,
        cells.shape,
        cells.additive,
        cells.periodic,
        cells.dtype == np.float64,
        cells.threads,
    )
    return flat.reshape(*cells.batch, *cells.shape)


def gradients(parts: Sequence[Doubles], cells: Relaxation) -> RelaxGradient:
    """Return gradients (batch, ...) in the arguments' shapes, summed where cells share one."""
    return sum_shared(parts, cells.batch, cells.batches, cells.dtype)


def sum_shared(
    parts: Sequence[Any],
    batch: tuple[int, ...],
    batches: Sequence[tuple[int, ...]],
    dtype: np.dtype[Any],
) -> RelaxGradient:
    """Do what `gradients` does, to arrays on any device; `batches`: the batch axes of each."""
    results = []
    for part, own in zip(parts, batches, strict=True):
        full = part.reshape(batch + part.shape[1:])
        padded = (1,) * (len(batch) - len(own)) + own
        shared = tuple(
            axis
            for axis, (size, count) in enumerate(zip(padded, batch, strict=True))
            if size == 1 and count != 1
        )
        total = full.sum(axis=shared, keepdims=True).reshape(own + part.shape[1:])
        results.append(total.astype(dtype, copy=False))
    return RelaxGradient(*results)


def _values(value: ArrayLike, count: int) -> Doubles:
    array = _check.floats("values", value)
    _check.check_row("values", array.shape, count)
    _check.check_finite("values", array)
    return array.astype(np.float64)


def check_epsilon(value: ArrayLike) -> Doubles:
    """Return widths as float64."""
    array = _arrays.as_numpy("epsilon", value)
    if array.dtype.kind not in "iuf" or array.dtype in (np.float16, np.longdouble):
        raise TypeError(f"epsilon has dtype {array.dtype}; expected float32 or float64")
    wide = array.astype(np.float64)
    bad = ~((wide > 0) & np.isfinite(wide))
    if bad.any():
        worst = array[np.unravel_index(int(bad.argmax()), array.shape)]
        raise ValueError(f"epsilon is {worst}; expected finite numbers > 0")
    return wide


def _check_extent(
    seeds: _check.Seeds,
    widths: Doubles,
    additive: bool,
    periodic: bool,
    dtype: np.dtype[Any],
) -> None:
    """Raise if exponents could overflow."""
    reach = 1.0 if periodic or not seeds.sites.size else float(np.abs(seeds.sites).max()) + 1
    if reach > _FARTHEST[dtype]:
        raise ValueError(f"sites reach to {reach:.1e}; expected at most {_FARTHEST[dtype]:.0e}")
    longest = math.sqrt(seeds.dimension) * reach
    least = (longest if additive else longest**2) / _LONGEST[dtype]
    if widths.size and widths.min() < least:
        raise ValueError(f"epsilon is {widths.min()}; expected at least {least:.1e}")


def _packed(array: Doubles, batch: tuple[int, ...], core: tuple[int, ...]) -> Doubles:
    """Return `array` (..., *core) with one batch axis, contiguous."""
    return _arrays.packed(np.broadcast_to(array, batch + core), (math.prod(batch), *core))


def cotangent_of(value: ArrayLike, cells: Relaxation) -> Floats:
    """Return a cotangent (batch, *shape) in the dtype of the field."""
    array = _check.floats("cotangent", value)
    if isinstance(value, np.ndarray) and array.dtype != cells.dtype:
        raise TypeError(f"cotangent has dtype {array.dtype}; expected {cells.dtype}, as the field")
    full = cells.batch + cells.shape
    try:
        fitting = np.broadcast_to(array, full)
    except ValueError:
        raise ValueError(f"cotangent has shape {array.shape}; expected {full}") from None
    return _arrays.packed(
        fitting.astype(cells.dtype, copy=False), (math.prod(cells.batch), *cells.shape)
    )
