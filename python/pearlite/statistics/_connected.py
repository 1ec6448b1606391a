"""Connected components of a phase, percolation, and the two-point cluster function."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import fft

from pearlite import _arrays, _core, _threads
from pearlite.statistics._labels import phase_mask

Connectivity = Literal["faces", "edges", "corners"]

# Pairs of pixels that are counted in the time that a pixel takes in a Fourier transform.
_PAIRS_PER_PIXEL = 12


class Components(NamedTuple):
    """Connected components of a phase.

    Attributes
    ----------
    labels : (..., *shape) int32 array
        Numbers of the components from 1, in the order of their first pixels; 0 elsewhere.
    counts : (...) int64 array
        How many there are in each image.
    """

    labels: NDArray[np.int32]
    counts: NDArray[np.int64]


def percolates(
    labels: ArrayLike,
    phase: int | None = None,
    *,
    connectivity: Connectivity = "corners",
    periodic: bool = True,
    dim: int = 2,
    threads: int | None = None,
) -> NDArray[np.bool_]:
    """Tell whether a phase of a microstructure connects opposite sides of the cell.

    A phase of a periodic cell percolates along an axis if one of its connected components, repeated
    periodically, reaches from a cell to the next one along that axis. Where everything else is a
    void, these are the axes along which the cell conducts; where the phase is a perfect conductor,
    those along which the cell does so perfectly. Without periodicity a component has to contain
    pixels of the first and of the last layer.

    Parameters
    ----------
    labels : (..., n0, n1) or (..., n0, n1, n2) array
        Labels of phases; or booleans, and then `phase` is not needed. At least 2 along each axis.
    phase : int, optional
        The label asked for.
    connectivity : {"corners", "edges", "faces"}
        Whether pixels that touch at a corner only are connected. In the finite elements of
        `pearlite.homogenize` they are (they share a node), and conduct there at any resolution;
        in the continuum a single point does not conduct. "faces": voxels that share a face, which
        in two dimensions is the same as "edges".
    periodic : bool
        Whether the image repeats.
    dim : {2, 3}
        Number of axes of an image.
    threads : int, optional
        Threads for the images of a batch; by default all cores that this process may use.

    Returns
    -------
    (..., dim) array of bool
        For each axis.

    Raises
    ------
    TypeError, ValueError
        If an argument has no meaning; the message names it.

    Notes
    -----
    Union-find over the pixels of the torus, in which each pixel knows how often its path to the
    root crosses the edges of the cell: J. Machta et al., Phys. Rev. E 54, 1332 (1996).

    Examples
    --------
    A layer normal to axis 0 percolates along axis 1 only, and a diagonal of single pixels along
    both, if corners count.

    >>> import numpy as np
    >>> import pearlite as pl
    >>> layer = np.zeros((4, 4), dtype=np.uint8)
    >>> layer[1] = 1
    >>> pl.statistics.percolates(layer, 1)
    array([False,  True])
    >>> pl.statistics.percolates(np.eye(4, dtype=bool))
    array([ True,  True])
    >>> pl.statistics.percolates(np.eye(4, dtype=bool), connectivity="edges")
    array([False, False])
    """
    dim = _arrays.check_dimension(dim)
    mask = phase_mask(labels, phase, dim)
    reach = _reach(connectivity, dim)
    batch = mask.shape[: mask.ndim - dim]
    if not _arrays.flag("periodic", periodic):
        found = components(
            labels, phase, connectivity=connectivity, periodic=False, dim=dim, threads=threads
        )
        return _spans(found, dim).reshape(*batch, dim)
    around: NDArray[np.bool_] = _core.windings(_images(mask, dim), reach, _threads.count(threads))
    return around.reshape(*batch, dim)


def components(
    labels: ArrayLike,
    phase: int | None = None,
    *,
    connectivity: Connectivity = "faces",
    periodic: bool = True,
    dim: int = 2,
    threads: int | None = None,
) -> Components:
    """Label the connected components of a phase.

    Parameters
    ----------
    labels, phase, dim, threads
        As for `percolates`.
    connectivity : {"faces", "edges", "corners"}
        What pixels have to share to be connected: a face (an edge in 2D), at least an edge, or at
        least a corner. That is 4 or 8 neighbours in 2D, and 6, 18 or 26 in 3D.
    periodic : bool
        Whether the last pixel along an axis is a neighbour of the first.

    Returns
    -------
    Components
        `labels` (..., *shape) and `counts` (...); it unpacks as ``labels, counts = ...``.

    Raises
    ------
    TypeError, ValueError
        If an argument has no meaning; the message names it.

    Examples
    --------
    >>> import numpy as np
    >>> import pearlite as pl
    >>> image = np.array([[1, 0, 0, 1], [0, 0, 1, 0], [0, 0, 1, 0], [0, 0, 0, 0]])
    >>> found = pl.statistics.components(image, 1)
    >>> found.labels
    array([[1, 0, 0, 1],
           [0, 0, 2, 0],
           [0, 0, 2, 0],
           [0, 0, 0, 0]], dtype=int32)
    >>> int(pl.statistics.components(image, 1, periodic=False).counts)
    3
    """
    dim = _arrays.check_dimension(dim)
    mask = phase_mask(labels, phase, dim)
    found, counts = _core.components(
        _images(mask, dim),
        _reach(connectivity, dim),
        _arrays.flag("periodic", periodic),
        _threads.count(threads),
    )
    batch = mask.shape[: mask.ndim - dim]
    return Components(found.reshape(mask.shape), counts.reshape(batch))


def two_point_cluster(
    labels: ArrayLike,
    phase: int | None = None,
    *,
    connectivity: Connectivity = "faces",
    periodic: bool = True,
    dim: int = 2,
    threads: int | None = None,
) -> NDArray[np.float64]:
    """Return the two-point cluster function C2(r): both ends in one component of the phase.

    .. math:: C_2(r) = ⟨Σ_c I_c(x) I_c(x + r)⟩,

    the mean over all x for which x + r is in the image, where I_c is the indicator of component c.
    C2(0) is the volume fraction, and C2 ≤ S2, the two-point correlation of the phase.

    Parameters
    ----------
    labels, phase, connectivity, periodic, dim, threads
        As for `components`.

    Returns
    -------
    (..., *map) float64 array
        In the layout of `pearlite.correlation.two_point`: periodic, the shape of the image with r=0
        at index 0; otherwise 2n−1 along each axis with r=0 at index n−1. Each entry is an
        integer count over the number of x.

    Raises
    ------
    TypeError, ValueError
        If an argument has no meaning; the message names it.

    Notes
    -----
    S. Torquato, J. D. Beasley and Y. C. Chiew, J. Chem. Phys. 88, 6540 (1988). Pairs of small
    components are counted one by one; the power spectra of large ones are added up.

    Examples
    --------
    Two single pixels are two clusters, so that only r = 0 counts:

    >>> import numpy as np
    >>> import pearlite as pl
    >>> image = np.zeros((4, 4), dtype=bool)
    >>> image[0, 0] = image[2, 2] = True
    >>> c2 = pl.statistics.two_point_cluster(image)
    >>> float(c2[0, 0]), float(c2.sum())
    (0.125, 0.125)
    """
    dim = _arrays.check_dimension(dim)
    found = components(
        labels, phase, connectivity=connectivity, periodic=periodic, dim=dim, threads=threads
    )
    shape = found.labels.shape[found.labels.ndim - dim :]
    images = found.labels.reshape(found.counts.size, *shape)
    most = int(found.counts.max(initial=0))
    largest = math.isqrt(_PAIRS_PER_PIXEL * math.prod(shape))
    workers = _threads.count(threads)
    counts = _core.cluster_pairs(images, most, largest, periodic, workers)
    for image, count in zip(images, counts, strict=True):
        _add_large_clusters(image, largest, periodic, workers, count)
    result: NDArray[np.float64] = counts / valid_pairs(shape, periodic)
    return result.reshape(*found.counts.shape, *counts.shape[1:])


def valid_pairs(shape: tuple[int, ...], periodic: bool) -> NDArray[np.float64]:
    """Return how many x there are for each vector r of a map: (*map), or a number if periodic."""
    if periodic:
        return np.float64(math.prod(shape))  # type: ignore[return-value]  # it divides as well
    ranges = [n - np.abs(np.arange(1 - n, n, dtype=np.float64)) for n in shape]
    product: NDArray[np.float64] = np.asarray(math.prod(np.ix_(*ranges)))
    return product


def _add_large_clusters(
    image: NDArray[np.int32],  # (*shape), numbers of clusters
    largest: int,
    periodic: bool,
    workers: int,
    counts: NDArray[np.int64],  # (*map), added to
) -> None:
    """Add the pairs of clusters of more than `largest` pixels, by one inverse transform for all."""
    sizes = np.bincount(image.ravel())
    numbers = np.flatnonzero(sizes > largest)
    numbers = numbers[numbers > 0]
    if not len(numbers):
        return
    shape = image.shape
    full = shape if periodic else tuple(fft.next_fast_len(2 * n - 1, real=True) for n in shape)
    power: NDArray[np.float64] | float = 0.0
    for number in numbers:
        spectrum = fft.rfftn((image == number).astype(np.float64), full, workers=workers)
        power = power + spectrum.real**2 + spectrum.imag**2
    pairs = np.rint(fft.irfftn(power, full, workers=workers)).astype(np.int64)
    if not periodic:  # from r = 0 at index 0 to the middle
        pairs = pairs[np.ix_(*(np.arange(1 - n, n) % m for n, m in zip(shape, full, strict=True)))]
    counts += pairs


def _spans(found: Components, dim: int) -> NDArray[np.bool_]:
    """Tell for each image (count,) and axis whether a component is in the first and last layer."""
    shape = found.labels.shape[found.labels.ndim - dim :]
    images = found.labels.reshape(-1, *shape) if found.labels.size else np.empty((0, *shape))
    spans = np.zeros((len(images), dim), np.bool_)
    for image, span in zip(images, spans, strict=True):
        for axis in range(dim):
            first, last = image.take(0, axis), image.take(-1, axis)
            common = np.intersect1d(first, last)
            span[axis] = bool((common > 0).any())
    return spans


def _images(mask: NDArray[np.bool_], dim: int) -> NDArray[np.uint8]:
    count = math.prod(mask.shape[: mask.ndim - dim])
    images: NDArray[np.uint8] = _arrays.packed(
        mask.view(np.uint8), (count, *mask.shape[mask.ndim - dim :])
    )
    return images


def _reach(connectivity: Connectivity, dim: int) -> int:
    """Return how many indices of neighbours may differ."""
    reaches = {"faces": 1, "edges": dim - 1, "corners": dim}
    return reaches[_arrays.check_choice("connectivity", connectivity, reaches)]
