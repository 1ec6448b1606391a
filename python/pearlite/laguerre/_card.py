"""Tessellations on a card: what their functions do with arrays of cupy.

What arrays hold is not looked at, since that would wait for the card: sites, weights, values and
epsilons that are not finite give labels and fields without meaning.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from pearlite import _arrays, _cuda
from pearlite.laguerre import _check, _relax

_BLOCK = 256
_LIST = 512  # seeds that a block holds
_LARGER = 8  # times as long along each axis are the tiles that are sifted first
_SIDES = {"laguerre": {2: (8, 32), 3: (4, 4, 16)}, "relax": {2: (16, 32), 3: (8, 4, 16)}}
_FEW_SEEDS = 256  # that a block looks at in one go
_KEPT = 2**25  # seeds that all larger tiles may keep together
_TRUNCATION = {4: 27.631021, 8: 39.143947}  # nats: 1e-12 and 1e-17


class Cells(NamedTuple):
    """Arguments as the kernels take them."""

    sites: Any  # (B, K, d), contiguous
    weights: Any  # (B, K), or None
    batch: tuple[int, ...]
    seeds: int  # K of each
    shape: tuple[int, ...]
    additive: bool
    periodic: bool

    @property
    def dimension(self) -> int:
        """The number d of spatial axes."""
        return len(self.shape)

    @property
    def total(self) -> int:
        """How many cells there are."""
        return math.prod(self.batch)

    def packed(self) -> Any:
        """Return the structure that the kernels call Cells."""
        shape = [*self.shape, *[1] * (3 - self.dimension)]
        single = self.sites.dtype == np.float32
        return _cuda.packed(
            self.total, self.seeds, shape, int(self.additive), int(self.periodic), int(single)
        )

    def tiles(self, family: str, times: int) -> int:
        """Return the tiles of all cells, `times` as long as the smallest ones."""
        sides = _SIDES[family][self.dimension]
        each = [-(-n // (times * side)) for n, side in zip(self.shape, sides, strict=True)]
        tiles = self.total * math.prod(each)
        if tiles >= 2**31:
            raise ValueError(f"shape is {self.shape}; expected fewer than 2^31 blocks of pixels")
        return tiles


def assign(
    sites: Any, weights: Any, shape: Sequence[int], metric: str, periodic: bool, dtype: Any
) -> Any:  # (..., *shape)
    """Return labels of cells; see `pearlite.laguerre.assign`."""
    cells = _cells(sites, weights, shape, metric, periodic)
    with _cuda.device_of(sites) as cupy:
        return labels(_materialized(cupy, cells), dtype)


def labels(cells: Cells, dtype: Any) -> Any:  # (..., *shape)
    """Return labels of cells whose sites and weights are in memory, of the current device."""
    from pearlite.laguerre._assign import _label_dtype

    kind, cupy = _label_dtype(dtype, cells.seeds), _cuda.library()
    out = cupy.empty((cells.total, *cells.shape), kind)
    _launch(
        "laguerre", "assign", cells, (out, np.int32(kind.itemsize), *_seeds(cells)),
        _sifted(cupy, "laguerre", cells, 0.0, None),
    )  # fmt: skip
    return out.reshape(*cells.batch, *cells.shape)


def float64_sites(sites: Any, periodic: bool) -> Any:
    """Return sites in double precision, on the torus in [0, 1), their shape checked."""
    _check_dtype("sites", sites)
    _check.check_sites_shape(sites.shape)
    with _cuda.device_of(sites) as cupy:
        wide = sites.astype(np.float64)
        if not periodic:
            return wide
        wide = wide - cupy.floor(wide)
        return cupy.where(wide >= 1, 0.0, wide)  # a tiny negative number, rounded up


class Relaxed(NamedTuple):
    """The arguments of `relax` as the kernel takes them."""

    cells: Cells
    values: Any  # (B, K)
    epsilon: Any  # (B,), float64
    own: tuple[tuple[int, ...], ...]  # the batch axes of sites, weights, values and epsilon


def relax(
    arguments: dict[str, Any], shape: Sequence[int], metric: str, periodic: bool
) -> Any:  # (..., *shape)
    """Return fields; `arguments` are sites, weights, values and epsilon by name."""
    with _cuda.device_of(arguments["sites"]) as cupy:
        return _relax_cells(cupy, _relaxed(cupy, arguments, shape, metric, periodic), None)[0]


def relax_gradient(
    arguments: dict[str, Any], cotangent: Any, shape: Sequence[int], metric: str, periodic: bool
) -> tuple[Any, _relax.RelaxGradient]:
    """Return fields and the gradient of the sum of cotangent times field."""
    with _cuda.device_of(arguments["sites"]) as cupy:
        _cuda.same_device(sites=arguments["sites"], cotangent=cotangent)
        relaxed = _relaxed(cupy, arguments, shape, metric, periodic)
        field, gradient = _relax_cells(cupy, relaxed, cotangent)
        return field, gradient


def _relax_cells(cupy: Any, relaxed: Relaxed, cotangent: Any) -> Any:
    cells = relaxed.cells
    dtype = cells.sites.dtype
    full = cells.total, *cells.shape
    field = cupy.empty(full, dtype)
    g, parts = None, (None,) * 4
    if cotangent is not None:
        g = _cotangent(cupy, cotangent, cells)
        sizes = (cells.seeds, cells.dimension), (cells.seeds,), (cells.seeds,), ()
        parts = tuple(cupy.zeros((cells.total, *size), np.float64) for size in sizes)
    sifted = _sifted(cupy, "relax", cells, _TRUNCATION[dtype.itemsize], relaxed.epsilon)
    pointers = [0 if p is None else p.data.ptr for p in parts]
    arguments = field, g, *_seeds(cells)[:2], relaxed.values, relaxed.epsilon, cells.packed()
    _launch("relax", "relax", cells, arguments, sifted, dtype=dtype, more=_cuda.packed(pointers))
    result = field.reshape(*cells.batch, *cells.shape)
    if cotangent is None:
        return result, None
    return result, _relax.sum_shared(parts, cells.batch, relaxed.own, dtype)


def _seeds(cells: Cells) -> tuple[Any, ...]:
    return cells.sites, cells.weights, cells.packed()


def _sifted(cupy: Any, family: str, cells: Cells, extra: float, epsilon: Any) -> tuple[Any, ...]:
    """Return what the larger tiles keep, how much, and the room there is, if that is worth it."""
    tiles = cells.tiles(family, _LARGER)
    if cells.seeds <= _FEW_SEEDS or tiles == 0:
        return None, None, np.int64(0)
    room = min(cells.seeds, max(_FEW_SEEDS, _KEPT // tiles))
    kept, counts = cupy.empty((tiles, room), np.int32), cupy.empty((tiles,), np.int32)
    more: dict[str, Any] = {"dtype": cells.sites.dtype} if family == "relax" else {}
    _cuda.launch(
        family, "sift",
        (kept, counts, *_seeds(cells), np.int64(room), np.float64(extra), epsilon),
        grid=(tiles,), block=_BLOCK, shared=_shared(cells.dimension), DIM=cells.dimension, **more,
    )  # fmt: skip
    return kept, counts, np.int64(room)


def _launch(
    family: str, kernel: str, cells: Cells, arguments: Any, sifted: Any, *, dtype: Any = None,
    more: Any = None,
) -> None:  # fmt: skip
    rest = () if more is None else (more,)
    _cuda.launch(
        family, kernel, (*arguments, *sifted, *rest), grid=(cells.tiles(family, 1),), block=_BLOCK,
        shared=_shared(cells.dimension), dtype=dtype, DIM=cells.dimension,
    )  # fmt: skip


def _shared(dimension: int) -> int:
    """Return the bytes of a block's list of seeds, and of what its warps find."""
    return _LIST * (8 * (dimension + 1) + 4) + _BLOCK // 32 * 16


def _cells(sites: Any, weights: Any, shape: Any, metric: str, periodic: bool) -> Cells:
    """Check what both kinds of tessellations take."""
    periodic = _arrays.flag("periodic", periodic)
    additive = _check.metric_name(metric) == "additive"
    given = {"sites": sites} if weights is None else {"sites": sites, "weights": weights}
    _cuda.same_device(**given)
    for name, array in given.items():
        _check_dtype(name, array)
    _check.check_sites_shape(sites.shape)
    count, dimension = sites.shape[-2:]
    batch: tuple[int, ...] = sites.shape[:-2]
    if weights is not None:
        _check.check_row("weights", weights.shape, count)
        if weights.dtype != sites.dtype:
            raise TypeError(f"weights has dtype {weights.dtype}; expected {sites.dtype}, as sites")
        batch = _check.broadcast_batch("weights", weights.shape[:-1], "sites", batch)
    sizes = _check.grid_shape(shape, dimension)
    return Cells(sites, weights, batch, count, sizes, additive, periodic)


def _check_dtype(name: str, array: Any) -> None:
    if array.dtype not in _check._FLOATS:
        raise TypeError(f"{name} has dtype {array.dtype}; expected float32 or float64")


def _relaxed(cupy: Any, arguments: dict[str, Any], shape: Any, metric: str, periodic: bool) -> Any:
    sites, weights, values, epsilon = arguments.values()
    cells = _cells(sites, weights, shape, metric, periodic)
    _cuda.same_device(sites=sites, values=values)
    _check.check_row("values", values.shape, cells.seeds)
    if values.dtype != sites.dtype:
        raise TypeError(f"values has dtype {values.dtype}; expected {sites.dtype}, as sites")
    if _cuda.is_array(epsilon):
        _cuda.same_device(sites=sites, epsilon=epsilon)
    else:
        epsilon = cupy.asarray(_relax.check_epsilon(epsilon))
    leads = () if weights is None else weights.shape[:-1]
    own = sites.shape[:-2], leads, values.shape[:-1], epsilon.shape
    batch = cells.batch
    for name, axes in (("values", own[2]), ("epsilon", own[3])):
        batch = _check.broadcast_batch(name, axes, "sites and weights", batch)
    cells = _materialized(cupy, cells._replace(batch=batch))
    packed = _packed(cupy, values, batch, (cells.seeds,))
    widths = _packed(cupy, epsilon.astype(np.float64), batch, ())
    return Relaxed(cells, packed, widths, own)


def _materialized(cupy: Any, cells: Cells) -> Cells:
    """Return the same cells, with sites and weights of each in memory."""
    sites = _packed(cupy, cells.sites, cells.batch, (cells.seeds, cells.dimension))
    weights = cells.weights
    if weights is not None:
        weights = _packed(cupy, weights, cells.batch, (cells.seeds,))
    return cells._replace(sites=sites, weights=weights)


def _packed(cupy: Any, array: Any, batch: tuple[int, ...], core: tuple[int, ...]) -> Any:
    full = cupy.broadcast_to(array, batch + core)
    return cupy.ascontiguousarray(full).reshape(math.prod(batch), *core)


def _cotangent(cupy: Any, cotangent: Any, cells: Cells) -> Any:
    if cotangent.dtype != cells.sites.dtype:
        dtype = cells.sites.dtype
        raise TypeError(f"cotangent has dtype {cotangent.dtype}; expected {dtype}, as the field")
    try:
        return _packed(cupy, cotangent, cells.batch, cells.shape)
    except ValueError:
        full = cells.batch + cells.shape
        raise ValueError(f"cotangent has shape {cotangent.shape}; expected {full}") from None
