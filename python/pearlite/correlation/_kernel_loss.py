"""The distance of all p-point correlations of a field and of references."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pearlite import _arrays, _cuda, _threads
from pearlite._errors import brief
from pearlite.correlation._kernel_target import KernelTarget

Array: TypeAlias = NDArray[Any]


def kernel_loss(
    field: ArrayLike,
    reference: KernelTarget | ArrayLike | Sequence[ArrayLike],
    *,
    orders: Sequence[int] | None = None,
    weights: Sequence[float] | None = None,
    threads: int | None = None,
) -> Any:
    """Return the distance of *all* periodic p-point correlations of fields from references'.

    With T(r₂, …, r_p) = (1/N) Σ_x u(x) u(x+r₂) ⋯ u(x+r_p) over all N^(p−1) tuples of vectors, the
    squared distance of those of u from those of references v₁ … v_R, averaged, is

    .. math:: ‖T_u − T_*‖² = N^{-2} (Σ C_{uu}^p − 2 Σ C_{u*}^p + Σ C_{**}^p),

    with C_uv(δ) = Σ_x u(x) v(x+δ), Σ C_u*^p = (1/R) Σ_j Σ_δ C_{u v_j}(δ)^p and so on: a few Fourier
    transforms instead of N^(p−1) correlations. The loss is

    .. math:: L = Σ_p w_p (Σ C_{uu}^p − 2 Σ C_{u*}^p + Σ C_{**}^p) / Σ |C_{**}|^p,

    where all fields have been centred by the mean of the references. For several phases C is the
    sum of those of the phases' own, C = Σ_i C_ii, whose powers are the correlations of all p-tuples
    of phases.

    Parameters
    ----------
    field : (..., n0, n1[, n2]) float32 or float64 array
        Real-valued fields, such as 0 … 1 for the indicator of label 1; for more than two phases
        (..., P, n0, n1[, n2]), one for each. The leading axes are a batch.
    reference : KernelTarget, image, or sequence of images
        See `KernelTarget`, which is worth its preparation where there is more than one call.
    orders, weights : sequences, optional
        As for `KernelTarget`, (2, 3) and (.5, .5) by default; not with a KernelTarget, which has
        its own.
    threads : int, optional
        By default all the cores that this process may use.

    Returns
    -------
    (...) float64 array, or a float
        The losses: 0 for equal correlations, at most the sum of weights for a constant field. A
        torch tensor if `field` is one, which can be differentiated once. Of cupy arrays, or of
        tensors on a card, an array there.

    Raises
    ------
    TypeError, ValueError
        If an argument has no meaning; the message names it.

    See Also
    --------
    kernel_loss_with_gradient : the gradient of numpy arrays.

    Notes
    -----
    The identity follows by writing the product of two T as sums over x and y and setting δ = y − x:
    the sum over each r_i is C(δ). A constant added to all the fields changes no zero of the
    distance, but without centring (·)^p is ruled by the mean, and minimization stalls.

    p = 2 cannot tell an image from its reflection at a point or from others with the same |FFT|,
    p = 3 vanishes for fields that are symmetric in the phases, such as checkerboards, and p = 4
    cannot tell u from −u: mixtures determine an image up to translation.

    In float32 losses are good to about 1e-6.

    Sources: J. I. Yellott and G. J. Iverson, J. Opt. Soc. Am. A 9, 388 (1992), that an image is
    determined by its triple correlation.

    Examples
    --------
    >>> import numpy as np
    >>> import pearlite as pl
    >>> image = pl.microstructures.voronoi(1, (32, 32), sites=9, phases=2, seed=1)[0]
    >>> pl.correlation.kernel_loss(np.roll(image, (5, 7), (0, 1)) * 1.0, image) < 1e-12
    True
    >>> round(pl.correlation.kernel_loss(np.full((32, 32), image.mean()), image), 3)
    0.626
    """
    if _arrays.is_torch(field, reference):
        from pearlite import _correlation_operators

        return _correlation_operators.kernel_loss(field, reference, orders, weights, threads)
    if _on_card(field, reference):
        from pearlite.correlation import _kernel_card

        return _kernel_card.loss(field, reference, orders, weights, gradient=False)[0]
    fields, target, batch, count = _checked(field, reference, orders, weights, threads)
    losses = np.array([target.evaluate(u, count, gradient=False).loss for u in fields])
    return _shaped(losses, batch)


def kernel_loss_with_gradient(
    field: ArrayLike,
    reference: KernelTarget | ArrayLike | Sequence[ArrayLike],
    *,
    orders: Sequence[int] | None = None,
    weights: Sequence[float] | None = None,
    threads: int | None = None,
) -> tuple[Any, Array]:
    """Return the losses of `kernel_loss` and their gradients in the fields.

    The gradient of Σ C_uv^p at x is p Σ_δ C_uv(δ)^(p−1) v(x+δ), a correlation, and that of Σ C_uu^p
    twice the same.

    Parameters
    ----------
    field, reference, orders, weights, threads
        As for `kernel_loss`, but arrays of numpy or cupy only.

    Returns
    -------
    loss : (...) float64 array, or a float
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
    >>> image = pl.microstructures.checkerboard((8, 8), tiles=2)
    >>> target = pl.correlation.KernelTarget(image, dtype=np.float64)
    >>> field = np.random.default_rng(0).random((8, 8))
    >>> loss, gradient = pl.correlation.kernel_loss_with_gradient(field, target)
    >>> step = 1e-6 * gradient
    >>> change = pl.correlation.kernel_loss(field + step, target) - loss
    >>> bool(np.isclose(change, np.sum(gradient * step), rtol=1e-3))
    True
    """
    if _on_card(field, reference):
        from pearlite.correlation import _kernel_card

        return _kernel_card.loss(field, reference, orders, weights, gradient=True)
    fields, target, batch, count = _checked(field, reference, orders, weights, threads)
    gradients = np.empty_like(fields)
    losses = np.empty(len(fields))
    for k, u in enumerate(fields):
        losses[k], gradients[k], _ = target.evaluate(u, count)
    return _shaped(losses, batch), gradients.reshape(*batch, *target.field_shape)


def _on_card(field: Any, reference: Any) -> bool:
    several = reference if isinstance(reference, list | tuple) else (reference,)
    return _cuda.is_array(field, *several)


def _shaped(losses: Array, batch: tuple[int, ...]) -> Any:
    return losses.reshape(batch) if batch else float(losses[0])


def _checked(
    field: ArrayLike,
    reference: Any,
    orders: Sequence[int] | None,
    weights: Sequence[float] | None,
    threads: int | None,
) -> tuple[Array, KernelTarget, tuple[int, ...], int]:
    """Return fields (B, C, *shape), the target, the batch axes, and the threads."""
    count = _threads.count(threads)
    array = _arrays.as_numpy("field", field)
    dtype = array.dtype.newbyteorder("=")
    if dtype not in (np.float32, np.float64):
        raise TypeError(f"field has dtype {dtype}; expected float32 or float64")
    target = as_target(reference, orders, weights, dtype)
    batch = check_field(array.shape, dtype, target)
    fields = _arrays.packed(array.astype(dtype, copy=False), (-1, target.channels, *target.shape))
    return fields, target, batch, count


def as_target(
    reference: Any, orders: Sequence[int] | None, weights: Sequence[float] | None, dtype: Any
) -> KernelTarget:
    """Return a prepared target as it is, or prepare images."""
    if not isinstance(reference, KernelTarget):
        return KernelTarget(
            reference, orders=(2, 3) if orders is None else orders, weights=weights, dtype=dtype
        )
    for name, value in (("orders", orders), ("weights", weights)):
        if value is not None:
            raise ValueError(
                f"{name} is {brief(value)}; expected None, since the KernelTarget has its own"
            )
    return reference


def check_field(shape: tuple[int, ...], dtype: Any, target: KernelTarget) -> tuple[int, ...]:
    """Return the batch axes of a field."""
    if dtype != target.dtype:
        raise TypeError(f"field has dtype {dtype}; expected {target.dtype}, that of the target")
    own = target.field_shape
    if shape[-len(own) :] != own or 0 in shape:
        raise ValueError(f"field has shape {shape}; expected (..., {', '.join(map(str, own))})")
    return shape[: len(shape) - len(own)]
