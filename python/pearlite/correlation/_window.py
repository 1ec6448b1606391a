"""Statistics of one level on a window of vectors, and what such a window and its field may be."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pearlite import _arrays, _core
from pearlite._arrays import Array
from pearlite._errors import brief

Form: TypeAlias = Literal["centred", "product", "logistic"]

STEEPNESS = 10.0  # of the logistic threshold, as in the paper
_MOST_VECTORS = 16384  # whose Gram matrix takes 2 GiB
_MOST_PHASES = 256


def correlate(
    values: Array,  # (n0, n1[, n2]) float32 or float64
    vectors: NDArray[np.int64],  # (K, d)
    form: Form,
    threads: int,
    gram: Array | None = None,  # (K, K), written if given
) -> tuple[Array, Array]:  # gram (K, K), s2 (K,)
    """Return the statistics of one level; the centred form takes a centred field."""
    if gram is None:
        gram = np.empty((len(vectors),) * 2, values.dtype)
    means = _core.descriptor(*_as_volume(values, vectors), form, STEEPNESS, gram, threads)
    return gram, corrected_s2(gram) if form == "logistic" else means


def pull_back(
    values: Array,  # (n0, n1[, n2])
    vectors: NDArray[np.int64],  # (K, d)
    form: Form,
    gram_cotangent: Array,  # (K, K)
    s2_cotangent: Array,  # (K,)
    threads: int,
) -> Array:  # as values
    """Return the gradient of Σ gram_cotangent G + Σ s2_cotangent S2 in the field of one level."""
    weights, linear = cotangents(np, gram_cotangent, s2_cotangent, form)
    gradient = _core.descriptor_gradient(*_as_volume(values, vectors), form, STEEPNESS, weights,
                                         linear, threads)  # fmt: skip
    return gradient.reshape(values.shape)


def cotangents(
    library: Any,  # numpy or cupy
    gram_cotangent: Any,  # (K, K)
    s2_cotangent: Any,  # (K,)
    form: Form,
) -> tuple[Any, Any]:  # (K, K), (K,)
    """Return the cotangents of what the kernels find: a symmetric one, and that of the means."""
    weights = library.ascontiguousarray((gram_cotangent + gram_cotangent.T) / 2)
    linear = library.ascontiguousarray(s2_cotangent)
    if form == "logistic":  # S2 is a combination of the Gram matrix's diagonal
        square = weights.dtype.type(2 * half_value() ** 2)
        slopes = linear / (1 - square)
        slopes[0] = linear[0] - square * slopes[1:].sum()
        diagonal = weights.reshape(-1)[:: len(weights) + 1]  # a view
        diagonal[:] = diagonal + slopes
        linear = library.zeros_like(linear)
    return weights, linear


def _as_volume(values: Array, vectors: NDArray[np.int64]) -> tuple[Array, NDArray[np.int64]]:
    """Return both as the kernel takes them: in three dimensions."""
    missing = 3 - values.ndim
    volume = _arrays.packed(values, (1,) * missing + values.shape)
    return volume, np.ascontiguousarray(np.pad(vectors, ((0, 0), (missing, 0))))


def pool(values: Any) -> Any:
    """Return means over 2×2(×2) pixels, of numpy, cupy or torch."""
    halved = values.reshape([k for n in values.shape for k in (n // 2, 2)])
    return halved.mean(tuple(range(1, 2 * values.ndim, 2)))


# The threshold -----------------------------------------------------------------------------------


def half_value() -> float:
    """Return f(1/2), what the threshold makes of a vector with one end in phase 1."""
    scale, shift = _core.descriptor_threshold(STEEPNESS)
    return float(scale / (1 + np.exp(0.25 * STEEPNESS)) + shift)


def corrected_s2(gram: Any) -> Any:  # (K, K) -> (K,)
    """Return S2 by eq. (29), of numpy or cupy; vector 0 is zero."""
    square = gram.dtype.type(2 * half_value() ** 2)
    s2 = gram.diagonal().copy()
    s2[1:] = (s2[1:] - square * s2[0]) / (1 - square)
    return s2


def without_threshold(gram: Array, s2: Array, apart: Array) -> Array:
    """Return S3 by eq. (31), of S2 and S2(r − s)."""
    f = half_value()
    sums = s2[:, None] + s2[None, :]
    s3: Array = (gram - f * sums - f**2 * (s2[0] - sums + apart)) / (1 - 2 * f)
    s3[0], s3[:, 0] = s2, s2
    np.fill_diagonal(s3, s2)
    return s3


# Arguments ---------------------------------------------------------------------------------------


def phase_values(phases: int) -> NDArray[np.float64]:
    """Return what each phase counts."""
    return np.arange(phases) / (phases - 1)


def as_field(field: ArrayLike) -> tuple[Array, NDArray[np.float64]]:
    """Return a float field, contiguous, and the fractions of its phases."""
    array = _arrays.as_numpy("field", field)
    check_shape(array.shape)
    if array.dtype.kind == "f":
        dtype = array.dtype.newbyteorder("=")
        if dtype not in (np.float32, np.float64):
            raise TypeError(f"field has dtype {dtype}; expected float32, float64 or labels")
        array = np.ascontiguousarray(array, dtype)
        if not np.isfinite(array).all():
            raise ValueError("field has values that are not finite")
        mean = float(array.mean(dtype=np.float64))
        return array, np.array([1 - mean, mean])
    if array.dtype.kind not in "iub":
        raise TypeError(f"field has dtype {array.dtype}; expected float32, float64 or labels")
    phases = phase_count(int(array.min()), int(array.max()))
    fractions = np.bincount(array.ravel().astype(np.int64), minlength=phases) / array.size
    return phase_values(phases)[array.astype(np.int64)], fractions


def phase_count(least: int, most: int) -> int:
    """Return the number of phases of labels from the least to the most."""
    if least < 0 or most >= _MOST_PHASES:
        raise ValueError(
            f"field has labels from {least} to {most}; expected 0 to {_MOST_PHASES - 1}"
        )
    return max(2, most + 1)


def check_shape(shape: tuple[int, ...]) -> None:
    """Raise unless it is that of one field."""
    if len(shape) not in (2, 3) or 0 in shape:
        raise ValueError(f"field has shape {tuple(shape)}; expected (n0, n1) or (n0, n1, n2)")


def window_radius(radius: int | Sequence[int], shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the radius along each axis."""
    expected = f"expected an integer from 0 or {len(shape)} of them, not all zero"
    try:
        given = np.asarray(radius)
    except ValueError:
        raise ValueError(f"radius is {brief(radius)}; {expected}") from None
    if given.dtype.kind not in "iu" or given.shape not in ((), (len(shape),)):
        raise (ValueError if given.dtype.kind in "iu" else TypeError)(
            f"radius is {brief(radius)}; {expected}"
        )
    size = tuple(int(r) for r in np.broadcast_to(given, len(shape)))
    if min(size) < 0 or max(size) == 0:
        raise ValueError(f"radius is {brief(radius)}; {expected}")
    vectors = (int(np.prod([2.0 * r + 1 for r in size])) + 1) // 2
    if vectors > _MOST_VECTORS:
        raise ValueError(
            f"radius is {brief(radius)}, which gives {vectors} vectors; "
            f"expected at most {_MOST_VECTORS}"
        )
    return size


def level_count(levels: int | None, shape: tuple[int, ...], radius: tuple[int, ...]) -> int:
    """Return the number of levels, checked or by default."""
    possible = 1
    sizes = tuple(shape)
    while all(n % 2 == 0 and n > 2 for n in sizes):
        sizes = tuple(n // 2 for n in sizes)
        possible += 1
    if levels is None:
        wide = [max(n / (2 * r + 2) for n, r in zip(shape, radius, strict=True) if r or n > 1)]
        return min(possible, 1 + max(0, int(np.ceil(np.log2(wide[0])))))
    if not isinstance(levels, int | np.integer) or isinstance(levels, bool):
        raise TypeError(f"levels is {brief(levels)}; expected an integer from 1 or None")
    if not 1 <= levels <= possible:
        raise ValueError(
            f"levels is {levels}; expected 1 to {possible} for a field of shape {tuple(shape)}"
        )
    return int(levels)


def half_window(radius: tuple[int, ...]) -> NDArray[np.int64]:  # (K, d)
    """Return zero and the vectors of the window whose first nonzero component is positive."""
    zero = (0,) * len(radius)
    box = itertools.product(*(range(-r, r + 1) for r in radius))
    return np.array([vector for vector in box if vector >= zero], np.int64)
