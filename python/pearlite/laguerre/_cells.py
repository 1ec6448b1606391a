"""Volumes and centroids of the cells of labelled images."""

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pearlite import _arrays, _core, _cuda, _threads
from pearlite.laguerre import _images, _tensors
from pearlite.laguerre._images import Images


def volumes(
    labels: ArrayLike,
    count: int | None = None,
    *,
    dim: int = 2,
    spacing: float | Sequence[float] | None = None,
    threads: int | None = None,
) -> NDArray[np.float64]:
    """Return the volume of each cell: its pixels times the volume of a pixel.

    Parameters
    ----------
    labels : (..., n0, n1) or, with dim=3, (..., n0, n1, n2) array
        For each pixel the index of its cell, an integer from 0. The leading axes are a batch.
    count : int, optional
        The number K of cells of an image, by default one more than the largest label.
    dim : {2, 3}
        The number of spatial axes.
    spacing : float or sequence of floats, optional
        Size of a pixel, or its sizes along the axes, in a unit of length. By default the image is
        the unit cell, its pixels 1/n long.
    threads : int, optional
        By default all the cores that this process may use.

    Returns
    -------
    (..., K) float64 array
        In units of `spacing` to the power of `dim`; by default they sum to 1. The volume of an
        empty cell is 0. Of torch tensors, and of arrays of cupy, such ones on the same device.

    Raises
    ------
    TypeError, ValueError
        If an argument has no meaning; the message names it, and the first bad pixel.

    Examples
    --------
    >>> import pearlite as pl
    >>> labels = [[0, 0, 1, 1], [0, 2, 2, 0]]
    >>> pl.laguerre.volumes(labels)
    array([0.5 , 0.25, 0.25])
    >>> pl.laguerre.volumes(labels, 4, spacing=(2, 1))
    array([8., 4., 4., 0.])
    """
    if _arrays.is_torch(labels):
        chosen = functools.partial(volumes, count=count, dim=dim, spacing=spacing, threads=threads)
        tensor: NDArray[np.float64] = _tensors.through_arrays(chosen, {"labels": labels})
        return tensor
    with _cuda.place_of(labels):
        images = _images.images(labels, count, dim)
        sizes = _images.pixel_sizes(spacing, images.shape)
        pixels = _pixels(images, _threads.count(threads))
        found: NDArray[np.float64] = pixels * float(np.prod(sizes))
        return found.reshape(*images.batch, images.count)


def _pixels(images: Images, threads: int) -> Any:  # (images, K) int64
    """Return how many pixels each cell has."""
    if _cuda.is_array(images.labels):
        from pearlite.laguerre import _cells_card

        return _cells_card.volumes(images)
    return _core.cell_volumes(images.labels, images.count, threads)


def centroids(
    labels: ArrayLike,
    count: int | None = None,
    *,
    dim: int = 2,
    periodic: bool = True,
    spacing: float | Sequence[float] | None = None,
    threads: int | None = None,
) -> NDArray[np.float64]:
    """Return the centroid of each cell, on the torus or in the box.

    On the torus the centroid along an axis is the point m of the circle that is closest to the
    pixels of the cell, at x by the shorter way round,

    .. math:: argmin_m Σ_x min_k (x − m + k)².

    It does not depend on where the image is cut open. For a cell that reaches over less than half
    the torus it is the mean of the pixels, put together across the border.

    Parameters
    ----------
    labels, count, dim, spacing, threads
        As for `volumes`.
    periodic : bool
        Whether the image is a torus; else the centroid is the mean of the pixels.

    Returns
    -------
    (..., K, d) float64 array
        By default in units of the image's sides, in [0, 1) on the torus; with `spacing` in its
        unit. The centre of pixel i lies at i + ½ pixels. NaN for an empty cell. Of torch tensors,
        and of arrays of cupy, such ones on the same device.

    Raises
    ------
    TypeError, ValueError
        If an argument has no meaning; the message names it, and the first bad pixel.

    Notes
    -----
    Where several points m are equally close, as for a cell that goes around the torus, the result
    is the one that belongs to cutting it open at the lowest index.

    Sources: T. Hotz and S. Huckemann, Ann. Inst. Stat. Math. 67, 177 (2015), for means on circles.

    Examples
    --------
    A cell of two rows, the last and the first, whose mean lies on the border:

    >>> import pearlite as pl
    >>> labels = [[0, 0], [1, 1], [1, 1], [0, 0]]
    >>> pl.laguerre.centroids(labels)
    array([[0. , 0.5],
           [0.5, 0.5]])
    """
    if _arrays.is_torch(labels):
        chosen = functools.partial(
            centroids, count=count, dim=dim, periodic=periodic, spacing=spacing, threads=threads
        )
        tensor: NDArray[np.float64] = _tensors.through_arrays(chosen, {"labels": labels})
        return tensor
    with _cuda.place_of(labels) as library:
        images = _images.images(labels, count, dim)
        periodic = _arrays.flag("periodic", periodic)
        sizes = library.asarray(_images.pixel_sizes(spacing, images.shape))
        centres = positions(images, periodic, _threads.count(threads)) + 0.5
        if periodic:
            sides = library.asarray(np.array(images.shape))
            centres = library.where(centres >= sides, centres - sides, centres)
        found: NDArray[np.float64] = centres * sizes
        return found.reshape(*images.batch, images.count, images.dimension)


def positions(images: Images, periodic: bool, threads: int) -> Any:  # (images, K, d)
    """Return the centroids in pixels, the centre of pixel i at i."""
    if _cuda.is_array(images.labels):
        from pearlite.laguerre import _cells_card

        return _cells_card.moments(images, periodic).centroids
    return _core.cell_moments(images.labels, images.count, periodic, threads)[1]
