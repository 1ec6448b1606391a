"""Measures of the cells of labelled images: volumes, centroids, neighbours and faces."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array

from pearlite import _arrays, _core, _threads
from pearlite.laguerre import _check

Estimate = Literal["plane", "pixels"]
Labels = NDArray[np.uint8] | NDArray[np.uint16] | NDArray[np.int32]

_DTYPES = (np.dtype(np.uint8), np.dtype(np.uint16), np.dtype(np.int32))
_MOST_CELLS = 2**27
_LONGEST_AXIS = 2**20  # sums of squares along an axis are integers


@dataclass(frozen=True)
class Faces:
    """Faces between the cells of one image, or of a batch of images one after the other.

    Attributes
    ----------
    pairs : (M, 2) int32 array
        Cells i < j that touch, in lexicographic order.
    areas : (M,) float64 array
        The area of the face between them; in 2D its length. Cells that meet in several places, as
        they may on the torus, have one entry with the total.
    count : int
        The number K of cells of an image.
    batch : tuple of int
        The batch axes of the images.
    starts : (images + 1,) int64 array
        The pairs of image b, in C order, are those from ``starts[b]`` to ``starts[b + 1]``.
    """

    pairs: NDArray[np.int32]
    areas: NDArray[np.float64]
    count: int
    batch: tuple[int, ...]
    starts: NDArray[np.int64]

    def of_image(self, *index: int) -> "Faces":
        """Return the faces of one image of the batch, which `index` counts along its axes."""
        expected = f"expected {len(self.batch)} integers within {self.batch}"
        try:
            flat = int(np.ravel_multi_index(index, self.batch)) if index else 0
        except (TypeError, ValueError):
            raise ValueError(f"index is {index}; {expected}") from None
        if len(index) != len(self.batch):
            raise ValueError(f"index is {index}; {expected}")
        part = slice(self.starts[flat], self.starts[flat + 1])
        pairs, areas = self.pairs[part], self.areas[part]
        return replace(
            self, pairs=pairs, areas=areas, batch=(), starts=np.array([0, len(pairs)], np.int64)
        )

    def matrix(self) -> csr_array:
        """Return the areas of one image as a symmetric sparse (K, K) array."""
        if self.batch:
            raise ValueError(f"faces has batch axes {self.batch}; expected none, use of_image")
        i, j = self.pairs.T
        entries = np.concatenate([self.areas, self.areas])
        places = np.concatenate([i, j]), np.concatenate([j, i])
        return csr_array((entries, places), shape=(self.count, self.count))

    def neighbours(self) -> Any:
        """Return what `pearlite.laguerre.neighbours` does."""
        images = [self._neighbours_of(*bounds) for bounds in self._bounds()]
        return _nested(images, self.batch)

    def degrees(self) -> NDArray[np.int64]:
        """Return the number of neighbours of each cell, (..., K)."""
        numbers = [
            np.bincount(self.pairs[a:b].ravel(), minlength=self.count) for a, b in self._bounds()
        ]
        return np.reshape(numbers, (*self.batch, self.count)).astype(np.int64)

    def _bounds(self) -> list[tuple[int, int]]:
        return list(zip(self.starts[:-1].tolist(), self.starts[1:].tolist(), strict=True))

    def _neighbours_of(self, begin: int, end: int) -> list[NDArray[np.int32]]:
        i, j = self.pairs[begin:end].T
        cells, others = np.concatenate([j, i]), np.concatenate([i, j])
        order = np.lexsort((others, cells))
        ends = np.cumsum(np.bincount(cells, minlength=self.count))
        return np.split(others[order], ends[:-1])


@dataclass(frozen=True)
class Contacts:
    """Pixel faces between cells, an entry for each pair and each image through which it meets."""

    starts: NDArray[np.int64]  # (images + 1,)
    pairs: NDArray[np.int32]  # (M, 2), first < second
    offsets: NDArray[np.int64]  # (M, d), periods from the second centre to its image that is meant
    faces: NDArray[np.int64]  # (M, d), pixel faces normal to each axis
    balance: NDArray[np.int64]  # (M, d), those that face upwards from the first less the others


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
        empty cell is 0.

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
    images = _images(labels, count, dim)
    sizes = _spacing(spacing, images.shape)
    pixels = _core.cell_volumes(images.labels, images.count, _threads.count(threads))
    return (pixels * np.prod(sizes)).reshape(*images.batch, images.count)


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
        unit. The centre of pixel i lies at i + ½ pixels. NaN for an empty cell.

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
    images = _images(labels, count, dim)
    periodic = _arrays.flag("periodic", periodic)
    sizes = _spacing(spacing, images.shape)
    _, positions, _ = _core.cell_moments(
        images.labels, images.count, periodic, _threads.count(threads)
    )
    sides = np.asarray(images.shape)
    centres: NDArray[np.float64] = positions + 0.5
    if periodic:
        centres = np.where(centres >= sides, centres - sides, centres)
    return (centres * sizes).reshape(*images.batch, images.count, images.dimension)


def face_areas(
    labels: ArrayLike,
    count: int | None = None,
    *,
    sites: ArrayLike | None = None,
    dim: int = 2,
    periodic: bool = True,
    spacing: float | Sequence[float] | None = None,
    estimate: Estimate = "plane",
    threads: int | None = None,
) -> Faces:
    """Return the faces between cells and their areas; in 2D edges and their lengths.

    The pixel faces between two cells have the area vector S, whose component along axis a is the
    area of those that look up that axis from one cell to the other, less that of those that look
    down. A plane face of area A and unit normal ν has S = A ν, but for what the grid does to its
    rim: the estimate "plane" is

    .. math:: A = |S|  or  A = |S · ν|,

    the latter where `sites` tell the normal. Cells that meet in several places on the torus,
    through different images, have their areas added.

    Parameters
    ----------
    labels, count, dim, spacing, threads
        As for `volumes`.
    sites : (..., K, d) array, optional
        Sites of the seeds that made `labels` with ``metric="power"``, whose faces are planes normal
        to the lines between the sites. Their batch axes are those of `labels`, or none.
    periodic : bool
        Whether the image is a torus; else its border is no face.
    estimate : {"plane", "pixels"}
        The area of the plane, or that of the pixel faces: too large by a factor of up to √3 (√2 in
        2D), 3/2 (4/π) in the mean over directions.

    Returns
    -------
    Faces
        `pairs` (M, 2) and `areas` (M,), `count` and `batch`; with methods for the faces of one
        image, the neighbours of each cell, their number, and a sparse matrix.

    Raises
    ------
    TypeError, ValueError
        If an argument has no meaning; the message names it, and the first bad pixel.

    See Also
    --------
    neighbours : the cells that touch alone.

    Notes
    -----
    For curved faces, as those of the additive metric, "plane" is the area of their projection on
    the mean plane, which is less than theirs. Faces smaller than a pixel may be missing.

    Examples
    --------
    Two layers on the torus meet twice; in the box once:

    >>> import pearlite as pl
    >>> labels = [[0, 0, 0], [0, 0, 0], [1, 1, 1], [1, 1, 1]]
    >>> faces = pl.laguerre.face_areas(labels)
    >>> faces.pairs.tolist(), faces.areas.tolist()
    ([[0, 1]], [2.0])
    >>> pl.laguerre.face_areas(labels, periodic=False, spacing=0.1).areas.round(6).tolist()
    [0.3]

    The edge between two cells of a power tessellation, at an angle to the pixels:

    >>> sites = [[0.3, 0.4], [0.7, 0.6]]
    >>> labels = pl.laguerre.assign(sites, shape=(64, 64), periodic=False)
    >>> for estimate in ("pixels", "plane"):
    ...     areas = pl.laguerre.face_areas(labels, periodic=False, estimate=estimate).areas
    ...     print(areas.round(3))
    [1.5]
    [1.118]
    """
    images = _images(labels, count, dim)
    periodic = _arrays.flag("periodic", periodic)
    sizes = _spacing(spacing, images.shape)
    if estimate not in ("plane", "pixels"):
        raise ValueError(f"estimate is {estimate!r}; expected 'plane' or 'pixels'")
    seeds = None if sites is None else _sites(sites, images, periodic)
    number = _threads.count(threads)
    if seeds is None:
        _, centres, _ = _core.cell_moments(images.labels, images.count, periodic, number)
    else:
        centres = seeds * np.asarray(images.shape) - 0.5
    found = contacts(images.labels, centres, periodic, number)
    if estimate == "pixels":
        areas = found.faces @ _face_sizes(sizes)
    elif seeds is None:
        areas = np.linalg.norm(found.balance * _face_sizes(sizes), axis=1)
    else:
        normals = face_normals(found, seeds) / (sizes * images.shape)
        lengths = np.linalg.norm(normals, axis=1)
        lengths[lengths == 0] = 1  # of two seeds at one site, between which there is no plane
        areas = np.abs(np.sum(found.balance * _face_sizes(sizes) * normals, axis=1)) / lengths
    return _joined(found, areas, images)


def neighbours(
    labels: ArrayLike,
    count: int | None = None,
    *,
    dim: int = 2,
    periodic: bool = True,
    threads: int | None = None,
) -> Any:
    """Return for each cell those that it shares a pixel face with.

    Parameters
    ----------
    labels, count, dim, periodic, threads
        As for `face_areas`.

    Returns
    -------
    list of K int32 arrays
        The neighbours of each cell, in increasing order; those of an empty cell are none. Cell j is
        among those of i if i is among those of j, and none is its own. For a batch these lists are
        nested in lists as its axes are.

    Raises
    ------
    TypeError, ValueError
        If an argument has no meaning; the message names it, and the first bad pixel.

    See Also
    --------
    face_areas : also how large the faces are, as arrays.

    Examples
    --------
    >>> import pearlite as pl
    >>> labels = [[0, 0, 1, 2, 2, 3]] * 2
    >>> [cells.tolist() for cells in pl.laguerre.neighbours(labels)]
    [[1, 3], [0, 2], [1, 3], [0, 2]]
    """
    faces = face_areas(
        labels, count, dim=dim, periodic=periodic, estimate="pixels", threads=threads
    )
    return faces.neighbours()


def contacts(
    labels: Labels,  # (batch, *shape)
    centres: NDArray[np.float64],  # (batch, K, d), in pixels
    periodic: bool,
    threads: int,
) -> Contacts:
    """Return the pixel faces between cells; `centres` tell the images of a cell apart."""
    sides = np.asarray(labels.shape[1:])
    # A centre may lie within the half pixel below the first; an empty cell has none.
    inside = np.where(np.isfinite(centres), centres, 0)
    if periodic:
        inside = np.where(inside >= sides - 0.5, inside - sides, inside)
    return Contacts(*_core.cell_contacts(labels, np.ascontiguousarray(inside), periodic, threads))


def face_normals(
    found: Contacts,
    sites: NDArray[np.float64],  # (batch, K, d)
) -> NDArray[np.float64]:  # (M, d)
    """Return the vectors from the first site to the image of the second that a face is between."""
    image = np.repeat(np.arange(len(sites)), np.diff(found.starts))
    first, second = found.pairs.T
    return sites[image, second] - sites[image, first] + found.offsets


@dataclass(frozen=True)
class _Images:
    """Labels as the kernels take them."""

    labels: Labels  # (images, *shape), contiguous
    batch: tuple[int, ...]
    shape: tuple[int, ...]
    count: int

    @property
    def dimension(self) -> int:
        return len(self.shape)


def _images(labels: ArrayLike, count: int | None, dim: int) -> _Images:
    """Check and convert labelled images."""
    dimension = _dimension(dim)
    pixels = _integers(labels)
    expected = "(..., n0, n1)" if dimension == 2 else "(..., n0, n1, n2)"
    shape, batch = pixels.shape[-dimension:], pixels.shape[:-dimension]
    if pixels.ndim < dimension or min(shape) < 1 or max(shape) > _LONGEST_AXIS:
        raise ValueError(
            f"labels has shape {pixels.shape}; expected {expected} with dim={dimension}, "
            "each from 1 to 2^20"
        )
    low, high = (int(pixels.min()), int(pixels.max())) if pixels.size else (0, -1)
    if count is None:
        if pixels.size == 0:
            raise ValueError(f"labels has shape {pixels.shape}; expected pixels, or count=...")
        number = high + 1
        if number > _MOST_CELLS:
            raise ValueError(f"labels has a label {high}; expected labels below {_MOST_CELLS}")
    else:
        number = _count(count)
    if low < 0 or high >= number:
        flat = int(((pixels < 0) | (pixels >= number)).argmax())
        place = _arrays.unravel(flat, pixels.shape)
        raise ValueError(
            f"labels[{', '.join(map(str, place))}] is {pixels[place]}; expected a label from 0 to "
            f"{number - 1}" + (", below count" if count is not None else "")
        )
    return _Images(
        labels=_arrays.packed(pixels, (int(np.prod(batch, dtype=np.int64)), *shape)),
        batch=batch,
        shape=shape,
        count=number,
    )


def _integers(labels: ArrayLike) -> NDArray[Any]:
    """Return an uint8, uint16 or int32 array with the same values."""
    array = _arrays.as_numpy("labels", labels)
    dtype = array.dtype.newbyteorder("=")
    if dtype in _DTYPES:
        return array.astype(dtype, copy=False)
    if dtype.kind == "b":
        return array.view(np.uint8)
    if dtype.kind not in "iu":
        raise TypeError(f"labels has dtype {dtype}; expected uint8, uint16 or int32")
    limits = np.iinfo(np.int32)
    if array.size and (array.min() < limits.min or array.max() > limits.max):
        raise ValueError(f"labels has values from {array.min()} to {array.max()}; expected int32")
    return array.astype(np.int32)


def _dimension(dim: int) -> int:
    if not isinstance(dim, int | np.integer) or isinstance(dim, bool) or dim not in (2, 3):
        raise ValueError(f"dim is {dim!r}; expected 2 or 3")
    return int(dim)


def _count(count: int) -> int:
    expected = f"expected an integer from 1 to {_MOST_CELLS}"
    if not isinstance(count, int | np.integer) or isinstance(count, bool):
        raise TypeError(f"count is {count!r}; {expected}")
    if not 1 <= count <= _MOST_CELLS:
        raise ValueError(f"count is {count}; {expected}")
    return int(count)


def _spacing(
    spacing: float | Sequence[float] | None, shape: tuple[int, ...]
) -> NDArray[np.float64]:  # (d,)
    """Return the sizes of a pixel, those of a unit cell by default."""
    if spacing is None:
        return 1 / np.asarray(shape, np.float64)
    expected = f"expected a number > 0 or {len(shape)} of them"
    try:
        sizes = np.asarray(spacing)
    except ValueError:  # rows of different lengths
        raise ValueError(f"spacing is {spacing!r}; {expected}") from None
    if sizes.dtype.kind not in "iuf" or sizes.dtype == np.longdouble:
        raise TypeError(f"spacing is {spacing!r}; {expected}")
    if sizes.shape not in ((), (len(shape),)):
        raise ValueError(f"spacing has shape {sizes.shape}; {expected}")
    if not (np.isfinite(sizes).all() and (sizes > 0).all()):
        raise ValueError(f"spacing is {spacing!r}; {expected}")
    return np.broadcast_to(sizes, len(shape)).astype(np.float64)


def _sites(sites: ArrayLike, images: _Images, periodic: bool) -> NDArray[np.float64]:
    """Return sites (images, K, d), checked against the images."""
    seeds = _check.seeds(sites, None, periodic)
    if seeds.sites.shape[1:] != (images.count, images.dimension):
        raise ValueError(
            f"sites has shape {np.shape(sites)}; expected (..., {images.count}, "
            f"{images.dimension}), a site for each cell"
        )
    if seeds.batch not in ((), images.batch):
        raise ValueError(
            f"sites has batch axes {seeds.batch}; expected {images.batch}, those of labels, or none"
        )
    own = seeds.sites.reshape(*seeds.batch, *seeds.sites.shape[1:])
    full: NDArray[np.float64] = np.broadcast_to(own, (*images.batch, *own.shape[-2:]))
    return full.reshape(-1, *own.shape[-2:])


def _face_sizes(sizes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the areas of a pixel's faces normal to each axis."""
    return np.asarray([np.prod(np.delete(sizes, a)) for a in range(len(sizes))])


def _joined(found: Contacts, areas: NDArray[np.float64], images: _Images) -> Faces:
    """Add up the areas of each pair, of all its places of contact."""
    new = np.ones(len(found.pairs), bool)
    new[1:] = np.any(found.pairs[1:] != found.pairs[:-1], axis=1)
    new[found.starts[:-1][np.diff(found.starts) > 0]] = True
    first = np.flatnonzero(new)
    sums = np.add.reduceat(areas, first) if len(first) else areas
    return Faces(
        pairs=found.pairs[first],
        areas=sums,
        count=images.count,
        batch=images.batch,
        starts=np.searchsorted(first, found.starts).astype(np.int64),
    )


def _nested(items: list[Any], batch: tuple[int, ...]) -> Any:
    """Return a flat list nested in lists of the lengths of the axes of a batch."""
    if not batch:
        return items[0]
    step = int(np.prod(batch[1:], dtype=np.int64))
    return [_nested(items[k * step : (k + 1) * step], batch[1:]) for k in range(batch[0])]
