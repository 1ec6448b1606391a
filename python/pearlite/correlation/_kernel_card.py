"""The kernel loss on a card: transforms by cuFFT, and cupy's own passes between them.

What arrays hold is not looked at, since that would wait for the card.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from pearlite import _cuda
from pearlite.correlation import _kernel_loss
from pearlite.correlation._kernel_target import KernelTarget

_MOST_NUMBERS = 2**27  # of the correlations that are there at a time


class Spectra(NamedTuple):
    """What there is on a card of a target, in half spectra."""

    references: Any  # (R, C, *half), complex
    weights: Any  # (*half) of the filter, or None


class Numbers(NamedTuple):
    """What there is of it on the host."""

    mean: Sequence[float]  # (C)
    power: Sequence[float]  # (3): the factors of C², C³ and C⁴
    scale: float
    constant: float


def loss(
    field: Any, reference: Any, orders: Any, weights: Any, gradient: bool
) -> tuple[Any, Any]:  # (...), and like field or None
    """Return losses and gradients of arrays of cupy; see `pearlite.correlation.kernel_loss`."""
    if not _cuda.is_array(field):
        kind = type(field).__name__
        raise TypeError(f"field is a {kind}; expected a cupy array, as the references are")
    if field.dtype not in (np.float32, np.float64):
        raise TypeError(f"field has dtype {field.dtype}; expected float32 or float64")
    target = _kernel_loss.as_target(reference, orders, weights, field.dtype)
    batch = _kernel_loss.check_field(field.shape, field.dtype, target)
    with _cuda.device_of(field) as cupy:
        fields = cupy.ascontiguousarray(field).reshape(-1, target.channels, *target.shape)
        losses, slopes = evaluate(
            fields, spectra(target, field.device.id), numbers(target), gradient
        )
        return losses.reshape(batch), slopes.reshape(field.shape) if gradient else None


def spectra(target: KernelTarget, device: int) -> Spectra:
    """Return a target's spectra on the current device, where they stay."""
    if device not in target.on_card:
        cupy = _cuda.library()
        axes = tuple(range(-len(target.shape), 0))
        kind = _complex(target.dtype)
        weights = None
        if target._filter is not None:
            weights = cupy.fft.rfftn(cupy.asarray(target._filter), axes=axes).real
            weights = weights.astype(target.dtype)
        references = cupy.fft.rfftn(cupy.asarray(target._fields), axes=axes)
        references = references.astype(kind, copy=False)
        cupy.cuda.get_current_stream().synchronize()  # other streams may be the next to use them
        target.on_card[device] = Spectra(references, weights)
    found: Spectra = target.on_card[device]
    return found


def numbers(target: KernelTarget) -> Numbers:
    """Return the rest of it."""
    prepared = target.prepared
    return Numbers(prepared.mean, prepared.power, prepared.scale, prepared.constant)


def evaluate(
    fields: Any,  # (B, C, *shape)
    target: Spectra,
    numbers: Numbers,
    gradient: bool,
) -> tuple[Any, Any]:  # (B), float64, and like fields or None
    """Return the losses of fields, and their gradients."""
    cupy = _cuda.library()
    size = math.prod(fields.shape[2:]) * (1 + len(target.references))
    at_once = max(1, _MOST_NUMBERS // size)
    losses = cupy.empty((len(fields),), np.float64)
    slopes: Any = cupy.empty(fields.shape, fields.dtype) if gradient else None
    for first in range(0, len(fields), at_once):
        some = slice(first, first + at_once)
        losses[some], found = _some(cupy, fields[some], target, numbers, gradient)
        if gradient:
            slopes[some] = found
    return losses, slopes


# With u and v centred (see cpp/correlation/identity.hpp),
#   C(δ) = scale Σ_c Σ_x u_c(x) v_c(x + δ),   f(C) = Σ_p a_p C^p,
#   L    = Σ_δ f(C_uu) − (2/R) Σ_r Σ_δ f(C_ur)   (and a constant of the references),
#   ∂L/∂u_c(x) = 2 scale Σ_δ [f'(C_uu(δ)) u_c(x + δ) − (1/R) Σ_r f'(C_ur(δ)) v_rc(x + δ)].
def _some(
    cupy: Any, fields: Any, target: Spectra, numbers: Numbers, gradient: bool
) -> tuple[Any, Any]:
    """Return losses and gradients of as many fields as there is memory for."""
    shape = fields.shape[2:]
    axes = tuple(range(-len(shape), 0))
    kind, references = _complex(fields.dtype), target.references
    mean = cupy.asarray(np.asarray(numbers.mean, fields.dtype).reshape(-1, *(1,) * len(shape)))
    own = cupy.fft.rfftn(fields - mean, axes=axes).astype(kind, copy=False)  # (B, C, *half)
    if target.weights is not None:
        own = own * target.weights
    products = [(own.conj() * own).sum(axis=1)]
    products += [(own.conj() * reference).sum(axis=1) for reference in references]
    stacked = cupy.stack(products, axis=1)  # (B, 1 + R, *half)
    c = numbers.scale * cupy.fft.irfftn(stacked, s=shape, axes=axes)
    a, b, d = numbers.power
    sums = (c * c * (a + c * (b + d * c))).sum(axis=axes, dtype=np.float64)  # (B, 1 + R)
    losses = sums[:, 0] - 2 * sums[:, 1:].mean(axis=1) + numbers.constant
    if not gradient:
        return losses, None
    slope = cupy.fft.rfftn(c * (2 * a + c * (3 * b + 4 * d * c)), axes=axes).conj()
    change = slope[:, :1] * own
    for k, reference in enumerate(references):
        change = change - slope[:, k + 1 : k + 2] * reference / len(references)
    if target.weights is not None:
        change = change * target.weights
    found = 2 * numbers.scale * cupy.fft.irfftn(change.astype(kind, copy=False), s=shape, axes=axes)
    return losses, found.astype(fields.dtype, copy=False)


def _complex(dtype: Any) -> Any:
    return np.complex64 if dtype == np.float32 else np.complex128
