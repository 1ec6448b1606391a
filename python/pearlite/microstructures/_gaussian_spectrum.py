"""Spectra of Gaussian fields, from images and from two-point statistics.

A spectrum is Λ_ij(k) = Σ_r C_ij(r) exp(−2πi k·r/n) for the phases i, j = 1 … N − 1, on the half
grid of `rfftn`; phase 0 is what the others leave. A factor B (R, N − 1, *half) has
Λ_ij = Σ_l B̄_li B_lj.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import fft

from pearlite.microstructures._draw import Floats

Numbers = npt.NDArray[Any]  # float64 or complex128
Image = npt.NDArray[Any]  # (*shape) labels


def image_factor(image: Image, phases: int) -> Numbers:
    """Factor (1, N − 1, *half) of the periodic statistics of one image: its own transform."""
    marks = indicators(image, phases)
    return _transform(marks, image.ndim)[np.newaxis] / math.sqrt(image.size)


def windowed_factor(image: Image, phases: int, shape: tuple[int, ...]) -> Numbers:
    """Factor (1, N − 1, *half) of an image that does not repeat, on a cell of any shape.

    The image less its means is faded to zero at its border by half a wave of a sine along each
    axis, whose autocorrelation is `window`; what does not fit the cell is folded into it, so that
    the transform is that of the image in an endless plane, at the cell's frequencies.
    """
    space = tuple(range(1, image.ndim + 1))
    fade = np.ones(image.shape)
    for axis, n in enumerate(image.shape):
        fade *= _along(_half_wave(n), axis, image.ndim)
    marks = indicators(image, phases)
    marks -= (marks * fade).sum(axis=space, keepdims=True) / fade.sum()
    marks *= fade
    for axis, n in zip(space, shape, strict=True):
        marks = folded(marks, axis, n, 0)
    return _transform(marks, image.ndim)[np.newaxis] / math.sqrt(float((fade**2).sum()))


def indicators(image: Image, phases: int) -> Floats:
    """Return where an image has phases 1 … N − 1, as 0 and 1 (N − 1, *shape)."""
    marks = [image == phase for phase in range(1, phases)]
    return np.array(marks, dtype=np.float64).reshape(phases - 1, *image.shape)


def covariance_spectrum(covariance: Floats, dim: int) -> Numbers:
    """Spectrum (M, M, *half), Hermitian, of covariances (M, M, *shape)."""
    spectrum = _transform(covariance, dim)
    return (spectrum + spectrum.swapaxes(0, 1).conj()) / 2


def factor_spectrum(factor: Numbers) -> Numbers:
    """Spectrum (M, M, *half) of a factor (R, M, *half)."""
    return np.asarray(np.einsum("ri...,rj...->ij...", factor.conj(), factor))


def _transform(fields: Floats, dim: int) -> Numbers:
    """Transform the last axes; drop frequency zero, which only moves the mean of a sample."""
    values: Numbers = fft.rfftn(fields, axes=range(fields.ndim - dim, fields.ndim))
    values.reshape(*values.shape[: values.ndim - dim], -1)[..., 0] = 0
    return values


# Cells of another shape --------------------------------------------------------------------------


def embedded(covariance: Floats, periodic: bool, shape: tuple[int, ...]) -> Floats:
    """Covariances (..., *n or *(2n − 1)) on a cell of another shape: windowed, then folded.

    A product of positive definite functions of all shifts is one, and so is, on a cell, the sum of
    such a function over the images of the cell.
    """
    for axis, size in enumerate(shape, covariance.ndim - len(shape)):
        n = covariance.shape[axis] if periodic else (covariance.shape[axis] + 1) // 2
        if periodic:
            covariance = covariance.take(np.arange(1 - n, n) % n, axis=axis)
        covariance = covariance * _along(window(n), axis, covariance.ndim)
        covariance = folded(covariance, axis, size, n - 1)
    return covariance


def window(n: int) -> Floats:
    """Weights (2n − 1) of the shifts 1 − n … n − 1: the autocorrelation of half a wave of a sine.

    Of the positive definite functions that vanish from n on it is the flattest at 0: A. Papoulis,
    IEEE Trans. Inf. Theory 19, 9 (1973).
    """
    wave = _half_wave(n)
    padded = fft.next_fast_len(2 * n, real=True)
    values: Floats = fft.irfft(np.abs(fft.rfft(wave, padded)) ** 2, padded)
    weights: Floats = np.concatenate([values[padded - n + 1 :], values[:n]]) / values[0]
    return weights


def _half_wave(n: int) -> Floats:
    return np.asarray(np.sin(np.pi * (np.arange(n) + 0.5) / n))


def _along(values: Floats, axis: int, dim: int) -> Floats:
    """Return numbers (n,) as an array of `dim` axes, along one of them."""
    return values.reshape([-1 if k == axis else 1 for k in range(dim)])


def folded(array: Floats, axis: int, size: int, origin: int) -> Floats:
    """Add up along an axis what is the same modulo `size`; entry `origin` becomes entry 0."""
    length = array.shape[axis]
    before = -origin % size
    blocks = -(-(before + length) // size)
    widths = [(0, 0)] * array.ndim
    widths[axis] = (before, blocks * size - before - length)
    split = (*array.shape[:axis], blocks, size, *array.shape[axis + 1 :])
    total: Floats = np.pad(array, widths).reshape(split).sum(axis=axis)
    return total


# The whole grid ----------------------------------------------------------------------------------


def whole_grid(half: Numbers, shape: tuple[int, ...]) -> Numbers:
    """Values (..., *shape) from those on the half grid, with B(−k) = B̄(k)."""
    dim = len(shape)
    last = shape[-1]
    whole = np.empty((*half.shape[: half.ndim - dim], *shape), half.dtype)
    whole[..., : last // 2 + 1] = half
    mirrored = half[..., 1 : (last + 1) // 2].conj()[..., ::-1]
    for axis in range(half.ndim - dim, half.ndim - 1):
        mirrored = np.roll(np.flip(mirrored, axis), 1, axis)
    whole[..., last // 2 + 1 :] = mirrored
    return whole
