"""Hard labels of tessellations."""

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from pearlite import _arrays, _core, _cuda, _threads
from pearlite._errors import brief
from pearlite.laguerre import _check, _tensors
from pearlite.laguerre._check import Metric

Labels = NDArray[np.uint8] | NDArray[np.uint16] | NDArray[np.int32]

_LABELS = (np.dtype(np.uint8), np.dtype(np.uint16), np.dtype(np.int32))


def assign(
    sites: ArrayLike,
    weights: ArrayLike | None = None,
    *,
    shape: Sequence[int],
    metric: Metric = "power",
    periodic: bool = True,
    dtype: DTypeLike | None = None,
    threads: int | None = None,
) -> Labels:
    """Return for each pixel the index of the seed of least score.

    With c_k the sites and w_k the weights, the label of a pixel with its centre at x is

    .. math:: argmin_k |x − c_k|² − w_k  or  argmin_k |x − c_k| − w_k,

    in the metrics "power" and "additive".

    Parameters
    ----------
    sites : (..., K, d) array
        Sites of K seeds in 2 or 3 dimensions, in units of the cell's sides, float32 or float64. The
        leading axes are a batch of cells. With ``periodic=True`` sites may lie anywhere, and are
        moved to their image in [0, 1).
    weights : (..., K) array, optional
        Weights, of the dtype of `sites`, 0 by default; a larger one makes a larger cell. They are
        squares of lengths for "power", lengths for "additive". Leading axes broadcast with those of
        `sites`.
    shape : sequence of d integers
        Pixels along each axis, at least 2.
    metric : {"power", "additive"}
        What seeds compete by.
    periodic : bool
        Whether distances are to the nearest image on the unit torus, else in the unit cube.
    dtype : {uint8, uint16, int32}, optional
        Of the labels; by default the smallest that holds K − 1.
    threads : int, optional
        By default all the cores that this process may use. Labels do not depend on it.

    Returns
    -------
    (..., *shape) array
        Labels from 0 to K − 1. A seed whose cell is empty has none. A torch tensor, without
        gradient, if `sites` or `weights` is one. Arrays of cupy, and tensors on a card, give such
        ones there; what they hold is not checked.

    Raises
    ------
    TypeError, ValueError
        If an argument has no meaning; the message names it.

    Notes
    -----
    Labels are those of the formula evaluated in float64, for every pixel; where several seeds have
    the same score the first has the pixel.

    Sources: F. Aurenhammer, SIAM J. Comput. 16, 78 (1987), for power diagrams.

    Examples
    --------
    Two seeds on a torus; the first one's weight moves the faces by w / (2 |c_1 − c_0|) = 0.125:

    >>> import pearlite as pl
    >>> sites = [[0.25, 0.5], [0.75, 0.5]]
    >>> pl.laguerre.assign(sites, shape=(8, 2))[:, 0]
    array([0, 0, 0, 0, 1, 1, 1, 1], dtype=uint8)
    >>> pl.laguerre.assign(sites, [0.125, 0], shape=(8, 2))[:, 0]
    array([0, 0, 0, 0, 0, 1, 1, 0], dtype=uint8)
    """
    if _arrays.is_torch(sites, weights):
        tensor: Labels = _assign_torch(sites, weights, shape, metric, periodic, dtype, threads)
        return tensor
    if _cuda.is_array(sites, weights):
        from pearlite.laguerre import _card

        _threads.count(threads)
        on_card: Labels = _card.assign(sites, weights, shape, metric, periodic, dtype)
        return on_card
    periodic = _arrays.flag("periodic", periodic)
    metric = _check.metric_name(metric)
    seeds = _check.seeds(sites, weights, periodic)
    sizes = _check.grid_shape(shape, seeds.dimension)
    labels = _label_dtype(dtype, seeds.count)
    count = _threads.count(threads)
    flat = _core.assign(
        seeds.sites, seeds.weights, sizes, metric == "additive", periodic, labels.itemsize, count
    )
    return flat.reshape(*seeds.batch, *sizes)


def _label_dtype(dtype: DTypeLike | None, count: int) -> np.dtype[Any]:
    """Return the dtype of labels of so many seeds, checked or the smallest that fits."""
    if dtype is None:
        return next(each for each in _LABELS if count - 1 <= np.iinfo(each).max)
    try:
        chosen = np.dtype(dtype)
    except TypeError:
        raise TypeError(f"dtype is {brief(dtype)}; expected uint8, uint16 or int32") from None
    if chosen not in _LABELS:
        raise TypeError(f"dtype is {chosen}; expected uint8, uint16 or int32")
    if count - 1 > np.iinfo(chosen).max:
        raise ValueError(f"dtype is {chosen}; expected one that holds labels up to {count - 1}")
    return chosen.newbyteorder("=")


def _assign_torch(
    sites: Any,
    weights: Any,
    shape: Sequence[int],
    metric: Metric,
    periodic: bool,
    dtype: Any,
    threads: int | None,
) -> Any:
    """Return `assign` of torch tensors, as a tensor."""
    import torch

    if isinstance(dtype, torch.dtype):
        dtype = str(dtype).removeprefix("torch.")
    given: dict[str, Any] = {"sites": sites, "weights": weights}
    chosen = functools.partial(
        assign, shape=shape, metric=metric, periodic=periodic, dtype=dtype, threads=threads
    )
    return _tensors.through_arrays(chosen, given)
