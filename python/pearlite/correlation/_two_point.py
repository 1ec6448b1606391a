"""Two-point correlations."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pearlite import _arrays, _core, _cuda, _threads
from pearlite._arrays import Array
from pearlite._errors import brief

_MOST_PHASES = 256
_LARGEST_FIELD = 2**31  # pixels, padded


def two_point(
    field: ArrayLike,
    other: ArrayLike | None = None,
    *,
    dim: int = 2,
    phases: Sequence[int] | None = None,
    periodic: bool = True,
    mask: ArrayLike | None = None,
    counts: bool = False,
    threads: int | None = None,
) -> Any:
    """Two-point correlations S(r) = ⟨M(x) M'(x + r)⟩, the mean over the valid x, for every shift r.

    Parameters
    ----------
    field : (..., n0, n1) or, with dim=3, (..., n0, n1, n2) array
        M: float32 or float64 values, or booleans; or integer labels, with `phases`. Sizes are at
        least 1, and any will do. Torch tensors are taken as well, with gradients for floats.
    other : array, optional
        M', of the same kind, in the place of the field itself: a cross-correlation.
    dim : {2, 3}
        The number of axes of space, which are the last ones.
    phases : sequence of P int, optional
        Labels, for the matrix of the correlations of all pairs of them: M is 1 where the field has
        the row's label and M' where it (or `other`) has the column's.
    periodic : bool
        Whether the field repeats. If not, x and x + r must both lie within it.
    mask : (..., n0, n1[, n2]) array of bool, optional
        The pixels that are known, of both fields: x and x + r must both be.
    counts : bool
        Return the sums over x instead of the means, as exact integers: of labels and booleans only.
    threads : int, optional
        Number of threads; all cores that this process may use if None.

    Returns
    -------
    (..., n0, n1[, n2]) or (..., P, P, n0, n1[, n2]) array
        The shift r is at index r modulo the sizes. If not periodic, the axes of space have 2 n − 1
        entries and the shift r is at index n − 1 + r. float32 for float32 fields, int64 for
        counts, else float64. NaN where no pair of pixels is known.

    Raises
    ------
    TypeError, ValueError
        If an argument has no meaning; the message names it.

    Notes
    -----
    By fast Fourier transforms, of the field padded with zeros to twice its size if it is not
    periodic. Errors are a few units in the last place of ⟨M²⟩. The definition is that of
    S. Torquato, *Random Heterogeneous Materials*, Springer 2002, section 2.1.

    Examples
    --------
    Stripes two pixels wide: at a shift of one pixel half of the stripes still overlap.

    >>> import numpy as np
    >>> import pearlite as pl
    >>> stripes = np.array([[1, 1, 0, 0]] * 4, dtype=bool)
    >>> pl.correlation.two_point(stripes)[0]
    array([0.5 , 0.25, 0.  , 0.25])
    >>> pl.correlation.two_point(stripes, counts=True)[0]
    array([8, 4, 0, 4])
    >>> pl.correlation.two_point(stripes.astype(np.uint8), phases=[0, 1])[0, 1, 0]
    array([0.  , 0.25, 0.5 , 0.25])
    """
    if _arrays.is_torch(field, other, mask):
        from pearlite import _two_point_operators

        return _two_point_operators.two_point(
            field, other, dim, phases, periodic, mask, counts, threads
        )
    if _cuda.is_array(field, other, mask):
        from pearlite.correlation import _card

        _threads.count(threads)
        return _card.two_point(field, other, dim, phases, periodic, mask, counts)
    problem = _problem(field, other, dim, phases, mask, counts)
    periodic = _arrays.flag("periodic", periodic)
    number = _threads.count(threads)
    known = None if mask is None else _mask(mask, problem)
    if known is None and not counts:
        return _shaped(_correlate(problem, periodic, True, number), problem)
    sums = _correlate(
        problem if known is None else _masked(problem, known), periodic, False, number
    )
    if counts:
        return _shaped(np.rint(sums).astype(np.int64), problem)
    overlaps = _overlaps(known, problem, periodic, number)[:, np.newaxis]
    means = np.full(sums.shape, np.nan)
    np.divide(sums, overlaps, out=means, where=overlaps > 0)
    return _shaped(means.astype(problem.dtype, copy=False), problem)


@dataclass(frozen=True)
class _Problem:
    """Fields as the kernel takes them, and which of them are correlated."""

    fields: list[Array]  # each (items, n0, m, n); m = 1 in two dimensions
    labels: list[int]  # of each field, if these are integers
    pairs: list[tuple[int, int]]
    batch: tuple[int, ...]
    shape: tuple[int, ...]
    matrix: tuple[int, ...]  # (P, P) or ()
    dtype: np.dtype[Any]  # of means


def _problem(
    field: ArrayLike,
    other: ArrayLike | None,
    dim: int,
    phases: Sequence[int] | None,
    mask: ArrayLike | None,
    counts: bool,
) -> _Problem:
    """Check the arguments that describe what is correlated."""
    _arrays.check_dimension(dim)
    labels = None if phases is None else _phases(phases)
    arrays = [_field("field", field, labels is not None)]
    if other is not None:
        arrays.append(_field("other", other, labels is not None))
    if _arrays.flag("counts", counts) and arrays[0].dtype.kind == "f":
        raise TypeError(
            f"field has dtype {arrays[0].dtype}; with counts=True expected labels or bool"
        )
    shape = check_same(arrays, dim)
    batch = np.broadcast_shapes(*(array.shape[:-dim] for array in arrays))
    if mask is not None:
        batch = np.broadcast_shapes(batch, np.shape(mask)[: max(np.ndim(mask) - dim, 0)])
    if math.prod(shape) == 0 or math.prod(shape) * 2**dim > _LARGEST_FIELD:
        raise ValueError(f"field has shape {arrays[0].shape}; expected 1 to 2^29 pixels")
    items = (math.prod(batch), shape[0], math.prod(shape[1:-1]), shape[-1])
    packed = [_arrays.packed(np.broadcast_to(a, batch + shape), items) for a in arrays]
    dtype = packed[0].dtype if packed[0].dtype.kind == "f" else np.dtype(np.float64)
    if labels is None:
        marks = [] if packed[0].dtype.kind == "f" else [1] * len(packed)
        return _Problem(packed, marks, [(0, len(packed) - 1)], batch, shape, (), dtype)
    count = len(labels)
    fields = [array for array in packed for _ in labels]
    columns = count * (len(packed) - 1)
    pairs = [(i, columns + j) for i, j in itertools.product(range(count), repeat=2)]
    return _Problem(fields, labels * len(packed), pairs, batch, shape, (count, count), dtype)


def _field(name: str, value: ArrayLike, labelled: bool) -> Array:
    """Return floats, or labels of a type that the kernel knows."""
    array = _arrays.as_numpy(name, value)
    dtype = array.dtype.newbyteorder("=")
    if labelled and dtype.kind not in "iub":
        raise TypeError(f"{name} has dtype {dtype}; with phases=... expected integer labels")
    if not labelled and dtype.kind in "iu":
        raise TypeError(
            f"{name} has dtype {dtype}; labels need phases=..., else expected floats or bool"
        )
    if dtype.kind == "b":
        return array.view(np.uint8)
    if dtype.kind in "iu":
        known = (np.uint8, np.uint16, np.int32)
        if dtype in known:
            return array.astype(dtype, copy=False)
        if array.size and not (array.min() >= -(2**31) and array.max() < 2**31):
            raise ValueError(f"{name} has labels that do not fit int32")
        return array.astype(np.int32)
    if dtype not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise TypeError(f"{name} has dtype {dtype}; expected float32, float64, bool or labels")
    array = array.astype(dtype, copy=False)
    if not np.isfinite(array).all():
        raise ValueError(f"{name} has entries that are not finite")
    return array


def check_same(arrays: Sequence[Any], dim: int) -> tuple[int, ...]:
    """Return the common sizes along the axes of space, of arrays or tensors of one dtype."""
    if arrays[-1].dtype != arrays[0].dtype:
        raise TypeError(
            f"other has dtype {arrays[-1].dtype}; expected {arrays[0].dtype} as field has"
        )
    for name, array in zip(("field", "other"), arrays, strict=False):
        if array.ndim < dim:
            raise ValueError(f"{name} has shape {array.shape}; expected at least {dim} axes")
        if array.shape[-dim:] != arrays[0].shape[-dim:]:
            raise ValueError(
                f"{name} has shape {array.shape}; expected (..., "
                f"{', '.join(map(str, arrays[0].shape[-dim:]))}) as field has"
            )
    try:
        np.broadcast_shapes(*(array.shape[:-dim] for array in arrays))
    except ValueError:
        raise ValueError(
            f"other has shape {arrays[1].shape}; expected leading axes that broadcast with "
            f"{arrays[0].shape[:-dim]}"
        ) from None
    return tuple(arrays[0].shape[-dim:])


def _phases(phases: Sequence[int]) -> list[int]:
    labels = np.asarray(phases)
    if labels.ndim != 1 or labels.dtype.kind not in "iu" or not 1 <= labels.size <= _MOST_PHASES:
        raise ValueError(f"phases is {brief(phases)}; expected 1 to {_MOST_PHASES} integer labels")
    listed: list[int] = labels.tolist()
    if len(set(listed)) < len(listed):
        raise ValueError(f"phases is {brief(phases)}; expected labels that differ")
    return listed


def _mask(mask: ArrayLike, problem: _Problem) -> Array:
    """Return what is known, as 0 and 1 (items, n0, m, n)."""
    array = _arrays.as_numpy("mask", mask)
    if array.dtype.kind != "b":
        raise TypeError(f"mask has dtype {array.dtype}; expected bool")
    try:
        array = np.broadcast_to(array, problem.batch + problem.shape)
    except ValueError:
        expected = problem.batch + problem.shape
        raise ValueError(f"mask has shape {array.shape}; expected {expected}") from None
    return np.ascontiguousarray(array).view(np.uint8).reshape(problem.fields[0].shape)


def _masked(problem: _Problem, known: Array) -> _Problem:
    """Replace what is not known by 0, or by a label that is not asked for."""
    if not problem.labels:
        fields = [field * known for field in problem.fields]
        return _Problem(fields, [], problem.pairs, problem.batch, problem.shape, (), problem.dtype)
    nothing = next(k for k in itertools.count() if k not in problem.labels)
    masked: dict[int, Array] = {}
    for field in problem.fields:  # the same array stands for several labels
        if id(field) not in masked:
            wide = field if nothing <= np.iinfo(field.dtype).max else field.astype(np.int32)
            masked[id(field)] = np.where(known, wide, wide.dtype.type(nothing))
    fields = [masked[id(field)] for field in problem.fields]
    return _Problem(
        fields, problem.labels, problem.pairs, problem.batch, problem.shape, problem.matrix,
        problem.dtype,
    )  # fmt: skip


def _overlaps(known: Array | None, problem: _Problem, periodic: bool, threads: int) -> Array:
    """Return for each item and shift how many x are in the mean."""
    assert known is not None  # else the kernel has divided
    float64 = np.dtype(np.float64)  # in which they come out as whole numbers
    one = _Problem([known], [1], [(0, 0)], problem.batch, problem.shape, (), float64)
    return cast("Array", np.rint(_correlate(one, periodic, False, threads)[:, 0]))


def _correlate(problem: _Problem, periodic: bool, means: bool, threads: int) -> NDArray[Any]:
    """Return sums or means (items, pairs, *shape); only what no symmetry gives is transformed."""
    shape = problem.fields[0].shape[1:]
    padded = shape if periodic else tuple(_core.good_size(2 * n - 1) if n > 1 else 1 for n in shape)
    scale = 1 / math.prod(shape) if means and periodic else 1.0
    count = len(problem.fields)
    own = problem.fields[-1] is problem.fields[0] and len(problem.pairs) > 1
    complete = own and periodic and _everything(problem)
    if complete:
        count -= 1
    pairs = [(i, j) for i, j in problem.pairs if i <= j and j < count] if own else problem.pairs
    found: NDArray[Any] = _core.two_point(
        problem.fields[:count], problem.labels[:count], pairs, padded, means, scale,
        problem.dtype == np.float64, threads,
    )  # fmt: skip
    if not own:
        return found
    maps = dict(zip(pairs, np.moveaxis(found, 1, 0), strict=True))
    for i, j in pairs:  # S_ji(r) = S_ij(−r)
        if i != j:
            maps[j, i] = _opposite(maps[i, j], periodic)
    if complete:
        _complete(maps, count, scale * math.prod(shape))
    return np.stack([maps[pair] for pair in problem.pairs], axis=1)


def _everything(problem: _Problem) -> bool:
    """Tell whether each pixel of each item has one of the labels."""
    field = problem.fields[0]
    return sum(int(np.count_nonzero(field == label)) for label in problem.labels) == field.size


def _complete(maps: dict[tuple[int, int], NDArray[Any]], last: int, whole: float) -> None:
    """Fill in the last phase, from what all phases add up to: Σ_j S_ij(r) = S_ii(0)."""
    zero = (slice(None), *[slice(1)] * 3)
    for i in range(last):
        total = maps[i, i][zero] - sum(maps[i, j] for j in range(last))
        maps[i, last], maps[last, i] = total, _opposite(total, True)
    fraction: Any = whole - sum(maps[i, i][zero] for i in range(last))
    maps[last, last] = fraction - sum(maps[last, i] for i in range(last))


def _opposite(maps: NDArray[Any], periodic: bool) -> NDArray[Any]:
    """Return maps (items, *shape) at −r."""
    axes = tuple(range(1, maps.ndim))
    flipped = np.flip(maps, axes)
    return np.roll(flipped, 1, axes) if periodic else flipped


def _shaped(maps: NDArray[Any], problem: _Problem) -> NDArray[Any]:
    """Return maps (items, pairs, n0, m, n) as (..., [P, P,] *shape)."""
    space = maps.shape[2:] if len(problem.shape) == 3 else (maps.shape[2], maps.shape[4])
    return maps.reshape(*problem.batch, *problem.matrix, *space)
