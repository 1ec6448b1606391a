"""Faces of cells on a card: contacts that kernels count, sorted by cupy, and areas of them."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pearlite import _cuda
from pearlite.laguerre import _cells_card, _faces
from pearlite.laguerre._images import Images

_SLOTS = 512  # of a block's table
_FACES = {2: 4, 3: 10}  # of a cell, about; half of them are counted from the other side
_MORE = 4  # times as large a table is tried next
_LEAST = 256  # places of a table
_MOST_PLACES = 2**25  # of the tables that are there at a time
# What keys hold, as shared/contacts.hpp packs them.
_FIRST, _SECOND, _CELL, _CODE = (np.uint64(n) for n in (36, 8, 2**28 - 1, 2**8 - 1))
_BASE = 5  # of an offset's digits


class Contacts(NamedTuple):
    """Pixel faces between cells, an entry for each pair and each image through which it meets."""

    keys: Any  # (M,) uint64, as shared/contacts.hpp packs them, sorted within an image
    numbers: Any  # (M, 2 d) int64: along each axis the faces that look down it, and up it
    images: Any  # (M,) int64
    starts: NDArray[np.int64]  # (images + 1,)


class Faces(NamedTuple):
    """What there is of the faces of all images."""

    pairs: Any  # (faces, 2) int32
    areas: Any  # (faces,) float64
    starts: NDArray[np.int64]  # (images + 1,)


def contacts(images: Images, centres: Any, periodic: bool) -> Contacts:
    """Return the contacts of cells whose centres (images, K, d), in pixels, tell their images."""
    cupy = _cuda.library()
    territories = None
    if periodic:
        territories = cupy.empty((*centres.shape, 2), np.int32)
        _cells_card.launch_each(
            "faces", "find_territories", images.dimension, centres.size, territories, centres,
            _cells_card.packed(images, periodic),
        )  # fmt: skip
    total = len(images.labels)
    wished = max(_LEAST, 2 * _FACES[images.dimension] * images.count)
    room = 2 ** math.ceil(math.log2(min(wished, max(_LEAST, 4 * 3 * math.prod(images.shape)))))
    parts, first = [], 0
    while first < total:
        some = slice(first, min(total, first + max(1, _MOST_PLACES // room)))
        own = None if territories is None else territories[some]
        found = _counted(images, some, own, periodic, room)
        if found is None:
            room *= _MORE
            continue
        parts.append(found._replace(images=found.images + first))
        first = some.stop
    if len(parts) == 1:
        return parts[0]
    if not parts:
        parts = [Contacts(*_none(images), np.zeros(1, np.int64))]
    keys, numbers, which = (cupy.concatenate([part[k] for part in parts]) for k in range(3))
    lengths = np.concatenate([np.diff(part.starts) for part in parts])
    return Contacts(keys, numbers, which, np.cumsum([0, *lengths.tolist()], dtype=np.int64))


def _none(images: Images) -> tuple[Any, Any, Any]:
    cupy, width = _cuda.library(), 2 * images.dimension
    return cupy.zeros(0, np.uint64), cupy.zeros((0, width), np.int64), cupy.zeros(0, np.int64)


def on_host(found: Contacts) -> _faces.Contacts:
    """Return contacts as the CPU has them."""
    keys, numbers = found.keys.get(), found.numbers.get()
    pairs = np.stack([keys >> _FIRST, keys >> _SECOND & _CELL], axis=1)
    codes = (keys & _CODE).astype(np.int64)[:, np.newaxis]
    digits = _BASE ** np.arange(numbers.shape[1] // 2)[::-1]
    offsets = codes // digits % _BASE - _BASE // 2
    down, up = numbers[:, ::2], numbers[:, 1::2]
    return _faces.Contacts(found.starts, pairs.astype(np.int32), offsets, up + down, up - down)


def _counted(
    images: Images, some: slice, territories: Any, periodic: bool, room: int
) -> Contacts | None:
    """Return the contacts of some images, or None if tables of `room` places are too small."""
    cupy, width = _cuda.library(), 2 * images.dimension
    own = Images(images.labels[some], images.batch, images.shape, images.count)
    total = len(own.labels)
    keys = cupy.zeros((total * room,), np.uint64)
    numbers = cupy.zeros((total * room, width), np.int64)
    used = cupy.zeros((total + 1,), np.int32)
    table = _cuda.packed([array.data.ptr for array in (keys, numbers, used)], room)
    _cells_card.launch_tiles(
        "faces", "add_contacts", own, table, territories, own.labels,
        _cells_card.packed(own, periodic), shared=_SLOTS * (8 + 4 * width),
    )  # fmt: skip
    *counts, short = used.get().tolist()
    if short:
        return None
    starts = np.cumsum([0, *counts], dtype=np.int64)
    places = cupy.flatnonzero(keys)
    if starts[-1] > 0:
        image = (places // room).astype(np.uint64)
        places = places[cupy.lexsort(cupy.stack([keys[places], image]))]
    return Contacts(keys[places], numbers[places], places // room, starts)


def face_areas(
    images: Images,
    found: Contacts,
    kind: int,  # as the kernel has it
    sizes: NDArray[np.float64],  # (d,), of a pixel
    sites: Any,  # (images, K, d) float64, for kind 2
) -> Faces:
    """Return faces and their areas, those of all places of contact of a pair added up."""
    cupy, total = _cuda.library(), len(found.keys)
    areas, begins = cupy.empty((total,), np.float64), cupy.empty((total,), np.uint8)
    rest = [1.0] * (3 - images.dimension)
    pixel = [float(np.prod(np.delete(sizes, a))) for a in range(images.dimension)]
    period = (sizes * images.shape).tolist()
    estimate = _cuda.packed(kind, [*pixel, *rest], [*period, *rest])
    _cells_card.launch_each(
        "faces", "measure_contacts", images.dimension, total, areas, begins, found.keys,
        found.numbers, found.images, sites, np.int64(images.count), estimate, np.int64(total),
    )  # fmt: skip
    first = cupy.flatnonzero(begins)
    pairs, sums = cupy.empty((len(first), 2), np.int32), cupy.empty((len(first),), np.float64)
    _cells_card.launch_each(
        "faces", "join_contacts", images.dimension, len(first), pairs, sums, first,
        np.int64(len(first)), found.keys, areas, np.int64(total),
    )  # fmt: skip
    starts = cupy.searchsorted(first, cupy.asarray(found.starts)).get()
    return Faces(pairs, sums, starts.astype(np.int64))
