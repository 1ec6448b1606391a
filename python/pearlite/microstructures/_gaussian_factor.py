"""Factors of spectra: Hermitian square roots, what is no covariance, and its projection."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import fft

from pearlite.microstructures import _gaussian_spectrum as spectra
from pearlite.microstructures._draw import Floats
from pearlite.microstructures._gaussian_spectrum import Numbers

_CHUNK = 1 << 16  # frequencies whose matrices are decomposed at a time


@dataclass(frozen=True)
class Change:
    """How far given statistics were from those of any field, and what projecting them changed.

    Attributes
    ----------
    negative : float
        The most negative eigenvalue of the spectrum, over the largest one; 0 if none is.
    largest : float
        Largest absolute change of a two-point value of phases 1 … N − 1.
    rms : float
        Root mean square change, over all shifts and pairs of phases.
    """

    negative: float = 0.0
    largest: float = 0.0
    rms: float = 0.0


def factorize(
    name: str, spectrum: Numbers, shape: tuple[int, ...], project: bool, tolerance: float
) -> tuple[Numbers, Change]:
    """Factor (R, M, *half) of a spectrum (M, M, *half), or an error that names the argument.

    Eigenvalues down to −tolerance times the largest one are rounding, and set to zero; what lies
    below is refused, or set to zero as well.
    """
    values, vectors = eigen(spectrum)
    top = float(values.max(initial=0.0))
    lowest = float(values.min(initial=0.0))
    relative = lowest / top if top > 0 else (0.0 if lowest == 0 else -np.inf)
    beyond = relative < -tolerance
    if beyond and not project:
        raise ValueError(
            f"{name} is no covariance: its spectrum goes down to {relative:.2g} of its largest "
            f"value; expected at least {-tolerance:g}, or project=True for the nearest that is one"
        )
    values = np.maximum(values, 0.0)
    factor = _root(values, vectors, spectrum.shape)
    if not beyond:
        return factor, Change()
    moved = covariance(spectra.factor_spectrum(factor) - spectrum, shape)
    return factor, Change(relative, float(np.abs(moved).max()), float(np.sqrt((moved**2).mean())))


def mean_factor(parts: Iterable[Numbers], count: int) -> Numbers:
    """Factor of the mean spectrum of `count` factors (R, M, *half), with at most M rows."""
    weight = 1 / count
    total: Any = 0.0
    rows: list[Numbers] = []
    for part in parts:
        columns = part.shape[1]
        if columns > 1 and count * len(part) <= columns:
            rows.append(math.sqrt(weight) * part)
        elif columns > 1:
            total = total + weight * spectra.factor_spectrum(part)
        else:  # real, from which one number less is read for each frequency
            total = total + weight * (np.abs(part) ** 2).sum(axis=0, keepdims=True)
    if rows:
        return np.concatenate(rows)
    values, vectors = eigen(total)
    return _root(np.maximum(values, 0.0), vectors, total.shape)


def covariance(spectrum: Numbers, shape: tuple[int, ...]) -> Floats:
    """Covariances (M, M, *shape) of a spectrum (M, M, *half)."""
    axes = range(spectrum.ndim - len(shape), spectrum.ndim)
    values: Floats = fft.irfftn(spectrum, s=shape, axes=axes)
    return values


def eigen(spectrum: Numbers) -> tuple[Floats, npt.NDArray[Any]]:
    """Eigenvalues (K, M) and eigenvectors (K, M, M) of a spectrum (M, M, *half), K frequencies."""
    count = spectrum.shape[0]
    matrices = np.moveaxis(spectrum.reshape(count, count, -1), -1, 0)  # (K, M, M)
    if count == 1:
        return matrices[:, 0].real.astype(np.float64), np.ones(matrices.shape)
    if count == 2:
        return _eigen_of_two(*spectrum.reshape(4, -1)[[0, 1, 3]])
    values = np.empty(matrices.shape[:2])
    vectors = np.empty(matrices.shape, np.complex128)
    for start in range(0, len(matrices), _CHUNK):
        part = slice(start, start + _CHUNK)
        values[part], vectors[part] = np.linalg.eigh(matrices[part])
    return values, vectors


def _eigen_of_two(a: Numbers, b: Numbers, d: Numbers) -> tuple[Floats, npt.NDArray[Any]]:
    """Eigenvalues (K, 2) and eigenvectors (K, 2, 2) of Hermitian matrices [[a, b], [b̄, d]]."""
    middle, half = (a.real + d.real) / 2, (a.real - d.real) / 2
    radius = np.hypot(half, np.abs(b))
    long = np.abs(half) + radius  # of (long, b̄) or (b, long) neither entry cancels
    single = np.where(long > 0, long, 1.0)
    upper = np.where(half >= 0, [single, b.conj()], [b, single])  # (2, K), to the larger eigenvalue
    upper = upper / np.sqrt((np.abs(upper) ** 2).sum(axis=0))
    lower = np.stack([-upper[1].conj(), upper[0].conj()])
    values = np.stack([middle - radius, middle + radius], axis=1)
    return values, np.moveaxis(np.stack([lower, upper], axis=1), -1, 0)


def _root(values: Floats, vectors: npt.NDArray[Any], shape: tuple[int, ...]) -> Numbers:
    """Return one row where every matrix has one eigenvalue, else the Hermitian roots."""
    largest = values.max(initial=0.0)
    if values.shape[1] > 1 and not (values[:, :-1] > 1e-13 * largest).any():
        last = vectors[:, :, -1]  # (K, M), so that Λ = λ v v†
        pivot = np.abs(last).argmax(axis=1)[:, np.newaxis]
        entry = np.take_along_axis(last, pivot, axis=1)
        rows = np.sqrt(values[:, -1:]) * last.conj() * (entry / np.abs(entry))
        single: Numbers = np.moveaxis(rows, 0, -1).reshape(1, *shape[1:])
        return single
    roots = np.sqrt(values)
    matrices = np.einsum("kim,km,kjm->ijk", vectors, roots, vectors.conj())
    factor: Numbers = matrices.reshape(shape)
    return factor.real.copy() if shape[0] == 1 else factor
