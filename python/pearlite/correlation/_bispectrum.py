"""The bispectrum, the Fourier transform of all three-point correlations, and distances of it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import fft

from pearlite import _arrays, _core, _cuda, _threads
from pearlite._arrays import Array

_MOST_ENTRIES = 2**31  # of a bispectrum
_FLOATS = (np.dtype(np.float32), np.dtype(np.float64))


def bispectrum(field: ArrayLike, *, threads: int | None = None) -> Any:
    r"""Return the bispectrum of a periodic field.

    .. math:: B(k_1, k_2) = U(k_1) U(k_2) \overline{U(k_1 + k_2)} / N,

    U the discrete Fourier transform of the field of N pixels: B is that of its three-point
    correlations T(r, s) = ⟨u(x) u(x + r) u(x + s)⟩ in r and s, over all N² pairs of vectors.

    Parameters
    ----------
    field : (n0, n1) or (n0, n1, n2) float32 or float64 array
        u, of any unit. An array of cupy or a torch tensor as well, on its device.
    threads : int, optional
        By default all the cores that this process may use.

    Returns
    -------
    (n0, m, n // 2 + 1, 2, n0, m, n) array
        Of the field's kind and dtype: real and imaginary parts, for the k1 whose last component is
        at most n // 2; the others follow by conjugation. m is n1, or 1 in two dimensions.

    Raises
    ------
    TypeError, ValueError
        If an argument has no meaning; the message names it.

    Notes
    -----
    Sources: J. I. Yellott and G. J. Iverson, J. Opt. Soc. Am. A 9, 388 (1992), that it determines
    an image up to a translation.

    Examples
    --------
    >>> import numpy as np
    >>> import pearlite as pl
    >>> field = np.random.default_rng(0).random((4, 6))
    >>> moved = np.roll(field, (1, 2), (0, 1))
    >>> np.allclose(pl.correlation.bispectrum(field), pl.correlation.bispectrum(moved))
    True
    """
    count = _threads.count(threads)
    if _arrays.is_torch(field):
        from pearlite import _bispectrum_operators

        return _bispectrum_operators.bispectrum(field, threads)
    if _cuda.is_array(field):
        from pearlite.correlation import _bispectrum_card

        return _bispectrum_card.bispectrum(field)
    array = _field(field)
    return _core.bispectrum(doubled_transform(array).astype(array.dtype), count)


def bispectrum_loss(field: ArrayLike, target: ArrayLike, *, threads: int | None = None) -> Any:
    r"""Return the squared distance of all three-point correlations of a field from given ones.

    .. math:: L = Σ_{r, s} (T(r, s) - T^*(r, s))^2 = N^{-2} Σ_{k_1, k_2} |B - B^*|^2.

    Parameters
    ----------
    field : (n0, n1) or (n0, n1, n2) float32 or float64 array
        u. An array of cupy or a torch tensor as well, on its device.
    target : (n0, m, n // 2 + 1, 2, n0, m, n) array
        B*, as `bispectrum` returns it: of the field's kind, dtype and device.
    threads : int, optional
        By default all the cores that this process may use.

    Returns
    -------
    float, or an array or tensor of no axes
        The loss in float64, of the field's kind; for a tensor it can be differentiated in the
        field, once.

    Raises
    ------
    TypeError, ValueError
        If an argument has no meaning; the message names it.

    See Also
    --------
    bispectrum_loss_with_gradient : the gradient of arrays.
    kernel_loss : the same where references are images, in much less time.

    Examples
    --------
    >>> import numpy as np
    >>> import pearlite as pl
    >>> target = pl.correlation.bispectrum(np.eye(6))
    >>> bool(pl.correlation.bispectrum_loss(np.eye(6)[::-1], target) > 1e-3)
    True
    >>> bool(pl.correlation.bispectrum_loss(np.roll(np.eye(6), 1, 0), target) < 1e-25)
    True
    """
    if _arrays.is_torch(field, target):
        from pearlite import _bispectrum_operators

        return _bispectrum_operators.bispectrum_loss(field, target, threads)
    return bispectrum_loss_with_gradient(field, target, threads=threads)[0]


def bispectrum_loss_with_gradient(
    field: ArrayLike, target: ArrayLike, *, threads: int | None = None
) -> tuple[Any, Any]:
    """Return the loss of `bispectrum_loss` and its gradient in the field.

    Parameters
    ----------
    field, target, threads
        As for `bispectrum_loss`, but arrays of numpy or cupy only.

    Returns
    -------
    loss : float, or an array of cupy of no axes
    gradient : array
        Like `field`.

    Raises
    ------
    TypeError, ValueError
        If an argument has no meaning; the message names it.

    Examples
    --------
    >>> import numpy as np
    >>> import pearlite as pl
    >>> rng = np.random.default_rng(0)
    >>> field, target = rng.random((4, 5)), pl.correlation.bispectrum(rng.random((4, 5)))
    >>> loss, gradient = pl.correlation.bispectrum_loss_with_gradient(field, target)
    >>> step = 1e-6 * gradient
    >>> change = pl.correlation.bispectrum_loss(field + step, target) - loss
    >>> bool(np.isclose(change, np.sum(gradient * step), rtol=1e-3))
    True
    """
    count = _threads.count(threads)
    if _cuda.is_array(field, target):
        from pearlite.correlation import _bispectrum_card

        return _bispectrum_card.loss(field, target)
    array, goal = _field(field), _arrays.as_numpy("target", target)
    check_target(goal.shape, goal.dtype.newbyteorder("="), array.shape, array.dtype)
    goal = np.ascontiguousarray(goal, array.dtype)
    doubled = doubled_transform(array).astype(array.dtype)
    loss, parts = _core.bispectrum_loss(doubled, goal, count)
    gamma = (parts[0] + 1j * parts[1]).reshape(array.shape)
    return loss, pulled_back(gamma).astype(array.dtype)


def pulled_back(gamma: NDArray[np.complex128]) -> NDArray[np.float64]:
    """Return the gradient in u of a loss with dL = 2 Re Σ conj(Γ) dU, U = Σ u exp(−ikx)."""
    gradient: NDArray[np.float64] = 2 * fft.fftn(np.conj(gamma)).real
    return gradient


def doubled_transform(field: NDArray[Any]) -> NDArray[Any]:
    """Return the transform (2, n0, m, 2 n) as the kernels take it: the last axis twice in a row."""
    return doubled(fft.fftn(field))


def doubled(transform: NDArray[Any]) -> NDArray[Any]:
    """Return a transform as the kernels take it."""
    flat = transform.reshape(transform.shape[0], -1, transform.shape[-1])
    twice = np.concatenate([flat, flat], axis=-1)
    return np.stack([twice.real, twice.imag])


# Arguments ---------------------------------------------------------------------------------------


def _field(field: ArrayLike) -> Array:
    array = _arrays.as_numpy("field", field)
    dtype = array.dtype.newbyteorder("=")
    check_field(array.shape, dtype)
    array = np.ascontiguousarray(array, dtype)
    if not np.isfinite(array).all():
        raise ValueError("field has values that are not finite")
    return array


def check_field(shape: tuple[int, ...], dtype: Any) -> None:
    """Raise unless a bispectrum can be had of a field."""
    if dtype not in _FLOATS:
        raise TypeError(f"field has dtype {dtype}; expected float32 or float64")
    if len(shape) not in (2, 3) or 0 in shape:
        raise ValueError(f"field has shape {tuple(shape)}; expected (n0, n1) or (n0, n1, n2)")
    check_pixels("field", math.prod(shape))


def check_pixels(name: str, pixels: int) -> None:
    """Raise if the bispectrum of so many pixels is too large."""
    if pixels**2 > _MOST_ENTRIES:
        raise ValueError(
            f"{name} has {pixels} pixels; expected at most {math.isqrt(_MOST_ENTRIES)} for a "
            "bispectrum, which has the square of that"
        )


def target_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape of the bispectrum of a field."""
    n0, *middle, n = shape
    m = math.prod(middle)
    return n0, m, n // 2 + 1, 2, n0, m, n


def check_target(shape: Any, dtype: Any, field: tuple[int, ...], expected: Any) -> None:
    """Raise unless a bispectrum is like that of a field."""
    if dtype != expected:
        raise TypeError(f"target has dtype {dtype}; expected {expected} as field has")
    if tuple(shape) != target_shape(field):
        raise ValueError(f"target has shape {tuple(shape)}; expected {target_shape(field)}")
