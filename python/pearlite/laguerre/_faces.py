"""Faces between the cells of labelled images, and neighbours."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array

from pearlite import _arrays, _core, _cuda, _threads
from pearlite._errors import brief
from pearlite.laguerre import _cells, _check, _images, _tensors
from pearlite.laguerre._images import Images, Labels

Estimate = Literal["plane", "pixels"]


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
        The pairs of image b, in C order, are those from ``starts[b]`` to ``starts[b + 1]``. It is
        of numpy, while `pairs` and `areas` are arrays or tensors as the labels were.
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
            raise ValueError(f"index is {brief(index)}; {expected}") from None
        if len(index) != len(self.batch):
            raise ValueError(f"index is {brief(index)}; {expected}")
        part = slice(self.starts[flat], self.starts[flat + 1])
        pairs, areas = self.pairs[part], self.areas[part]
        return replace(
            self, pairs=pairs, areas=areas, batch=(), starts=np.array([0, len(pairs)], np.int64)
        )

    def matrix(self) -> csr_array:
        """Return the areas of one image as a symmetric sparse (K, K) array of scipy."""
        if self.batch:
            raise ValueError(f"faces has batch axes {self.batch}; expected none, use of_image")
        i, j = _cuda.to_host(self.pairs).T
        areas = _cuda.to_host(self.areas)
        entries = np.concatenate([areas, areas])
        places = np.concatenate([i, j]), np.concatenate([j, i])
        return csr_array((entries, places), shape=(self.count, self.count))

    def neighbours(self) -> Any:
        """Return what `pearlite.laguerre.neighbours` does."""
        return self._of_pairs(lambda pairs: _nested(self._each(pairs, self._lists), self.batch))

    def degrees(self) -> NDArray[np.int64]:
        """Return the number of neighbours of each cell, (..., K)."""
        found: NDArray[np.int64] = self._of_pairs(self._numbers)
        return found

    def _of_pairs(self, function: Callable[[Any], Any]) -> Any:
        """Call a function of pairs that are arrays; of tensors return tensors."""
        if _arrays.is_torch(self.pairs):
            return _tensors.through_arrays(function, {"pairs": self.pairs})
        return function(self.pairs)

    def _each(self, pairs: Any, function: Callable[[Any, Any], Any]) -> list[Any]:
        """Call a function of numpy or cupy, and of each image's pairs."""
        with _cuda.place_of(pairs) as library:
            bounds = zip(self.starts[:-1].tolist(), self.starts[1:].tolist(), strict=True)
            return [function(library, pairs[a:b]) for a, b in bounds]

    def _numbers(self, pairs: Any) -> Any:
        count = self.count
        each = self._each(pairs, lambda library, own: library.bincount(own.ravel(), None, count))
        with _cuda.place_of(pairs) as library:
            stacked = library.stack(each) if each else library.zeros((0, count))
            return stacked.reshape(*self.batch, count).astype(np.int64)

    def _lists(self, library: Any, pairs: Any) -> list[Any]:
        i, j = pairs.T
        both = library.concatenate([j, i]), library.concatenate([i, j])
        others = both[1]
        if len(others) > 0:
            others = others[library.lexsort(library.stack(both[::-1]))]
        numbers = library.bincount(both[0], None, self.count)
        ends = np.cumsum(_cuda.to_host(numbers)).tolist()
        return [others[a:b] for a, b in zip([0, *ends[:-1]], ends, strict=True)]


@dataclass(frozen=True)
class Contacts:
    """Pixel faces between cells, an entry for each pair and each image through which it meets."""

    starts: NDArray[np.int64]  # (images + 1,)
    pairs: NDArray[np.int32]  # (M, 2), first < second
    offsets: NDArray[np.int64]  # (M, d), periods from the second centre to its image that is meant
    faces: NDArray[np.int64]  # (M, d), pixel faces normal to each axis
    balance: NDArray[np.int64]  # (M, d), those that face upwards from the first less the others


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
        image, the neighbours of each cell, their number, and a sparse matrix. Of torch tensors, and
        of arrays of cupy, pairs and areas are such ones on the same device.

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
    if _arrays.is_torch(labels, sites):
        chosen = functools.partial(
            face_areas, count=count, dim=dim, periodic=periodic, spacing=spacing, estimate=estimate,
            threads=threads,
        )  # fmt: skip
        tensors: Faces = _tensors.through_arrays(chosen, {"labels": labels, "sites": sites})
        return tensors
    if _cuda.is_array(labels, sites):
        given = {"labels": labels} if sites is None else {"labels": labels, "sites": sites}
        _cuda.same_device(**given)
    with _cuda.place_of(labels):
        images = _images.images(labels, count, dim)
        periodic = _arrays.flag("periodic", periodic)
        sizes = _images.pixel_sizes(spacing, images.shape)
        _arrays.check_choice("estimate", estimate, get_args(Estimate))
        seeds = None if sites is None else _sites(sites, images, periodic)
        number = _threads.count(threads)
        measured = _areas_on_card if _cuda.is_array(labels) else _areas
        return measured(images, seeds, periodic, sizes, estimate, number)


def _areas(
    images: Images,
    seeds: NDArray[np.float64] | None,
    periodic: bool,
    sizes: NDArray[np.float64],
    estimate: Estimate,
    threads: int,
) -> Faces:
    found = contacts(images.labels, _centres(images, seeds, periodic, threads), periodic, threads)
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


def _areas_on_card(
    images: Images,
    seeds: Any,
    periodic: bool,
    sizes: NDArray[np.float64],
    estimate: Estimate,
    threads: int,
) -> Faces:
    from pearlite.laguerre import _faces_card

    centres = _centres(images, seeds, periodic, threads) if periodic else None
    found = _faces_card.contacts(images, centres, periodic)
    kind = 0 if estimate == "pixels" else 1 if seeds is None else 2
    pairs, areas, starts = _faces_card.face_areas(images, found, kind, sizes, seeds)
    return Faces(pairs, areas, images.count, images.batch, starts)


def _centres(images: Images, seeds: Any, periodic: bool, threads: int) -> Any:  # (images, K, d)
    """Return points in pixels that tell the images of cells on the torus apart."""
    if seeds is None:
        return _cells.positions(images, periodic, threads)
    with _cuda.place_of(seeds) as library:
        return seeds * library.asarray(np.array(images.shape)) - 0.5


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
        nested in lists as its axes are. Of torch tensors, and of arrays of cupy, such ones on the
        same device.

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
    vectors: NDArray[np.float64] = sites[image, second] - sites[image, first] + found.offsets
    return vectors


def _sites(sites: Any, images: Images, periodic: bool) -> Any:  # (images, K, d)
    """Return sites checked against the images."""
    if _cuda.is_array(sites):
        from pearlite.laguerre import _card

        own, batch = _card.float64_sites(sites, periodic), sites.shape[:-2]
    else:
        seeds = _check.seeds(sites, None, periodic)
        batch = seeds.batch
        own = seeds.sites.reshape(*batch, *seeds.sites.shape[1:])
    if own.shape[-2:] != (images.count, images.dimension):
        raise ValueError(
            f"sites has shape {own.shape}; expected (..., {images.count}, "
            f"{images.dimension}), a site for each cell"
        )
    if batch not in ((), images.batch):
        raise ValueError(
            f"sites has batch axes {batch}; expected {images.batch}, those of labels, or none"
        )
    total = len(images.labels)
    with _cuda.place_of(own) as library:
        full = library.broadcast_to(own, (*images.batch, *own.shape[-2:]))
        return library.ascontiguousarray(full).reshape(total, *own.shape[-2:])


def _face_sizes(sizes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the areas of a pixel's faces normal to each axis."""
    return np.asarray([np.prod(np.delete(sizes, a)) for a in range(len(sizes))])


def _joined(found: Contacts, areas: NDArray[np.float64], images: Images) -> Faces:
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
