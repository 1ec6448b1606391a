"""Phases from Gaussian fields: smoothing, and the largest pixels for each phase in its turn."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import fft, ndimage

from pearlite import _core
from pearlite.microstructures._draw import Floats

_CUT = 0.3  # of the variance: where the central lobe of an autocovariance ends
_REACH = 0.15  # of the shortest side, which it does not leave


@dataclass(frozen=True)
class Turns:
    """Who takes how many pixels, in the order of ascending fractions."""

    order: list[int]  # phases
    numbers: list[int]  # of pixels, of each of these

    @classmethod
    def of(cls, fractions: Floats, shape: tuple[int, ...]) -> Turns:
        """Settle the turns of phases of given fractions."""
        sizes = counts(fractions, math.prod(shape))
        order = [int(k) for k in np.argsort(fractions, kind="stable")]
        return cls(order, [sizes[k] for k in order])

    @property
    def choosing(self) -> list[int]:
        """The phases that choose their pixels: all but the last."""
        return self.order[:-1]

    def taken(self, fields: npt.NDArray[np.float32], threads: int) -> npt.NDArray[np.uint8]:
        """Labels (count, S) from fields (count, N − 1, ...) of the phases that choose."""
        flat = fields.reshape(len(fields), len(self.choosing), -1)
        order = np.array(self.order, np.uint8)
        numbers = np.array(self.numbers[:-1], np.int64)
        return _core.largest(flat, order, numbers, threads)


def counts(fractions: Floats, size: int) -> list[int]:
    """Pixels of each phase: fractions times `size`, rounded by largest remainders to that sum."""
    ideal = fractions * size
    whole = np.floor(ideal + 1e-6).astype(np.int64)
    order = np.argsort(whole - ideal, kind="stable")  # the largest remainder first
    missing = size - int(whole.sum())
    for k in range(abs(missing)):
        whole[order[k] if missing > 0 else order[-1 - k]] += 1 if missing > 0 else -1
    listed: list[int] = whole.tolist()
    return listed


def smoothing(covariance: Floats, fraction: float, size: float) -> Floats:
    """Multiplier (*half) of the smoothing of one phase, from its autocovariance (*shape).

    The lobe is what lies around shift zero, connected, above `_CUT` of the variance and within
    `_REACH` of the shortest side. It is scaled to `size` mean chord lengths, the radius of a disc
    or ball as large as it is.
    """
    shape = covariance.shape
    origin = (0,) * covariance.ndim
    variance = float(covariance[origin])
    if variance <= 0 or not 0 < fraction < 1 or size == 0:
        return np.ones((*shape[:-1], shape[-1] // 2 + 1))
    lobe = _lobe(covariance / variance)
    steps = [covariance[tuple(int(k == a) for k in range(len(shape)))] for a in range(len(shape))]
    chord = fraction / max(variance - float(np.mean(steps)), 1e-300)  # v / ⟨S(0) − S(e)⟩
    kernel = _scaled(lobe, min(size * chord, _REACH * min(shape)), max(shape))
    padded = np.zeros(shape)
    places = np.meshgrid(
        *[np.arange(-(n // 2), n // 2 + 1) % s for n, s in zip(kernel.shape, shape, strict=True)],
        indexing="ij",
    )
    np.add.at(padded, tuple(places), kernel / kernel.sum())
    return np.asarray(fft.rfftn(padded).real)  # of an even function


def _lobe(correlation: Floats) -> Floats:
    """Central lobe of a correlation (*shape), in the middle of a box of odd sides around it."""
    shape = correlation.shape
    dim = len(shape)
    reach = max(int(_REACH * min(shape)), 1)
    offsets = np.arange(-reach, reach + 1)
    values = correlation[np.ix_(*[offsets % n for n in shape])]
    squares = sum(g.astype(np.float64) ** 2 for g in np.ix_(*[offsets] * dim))
    above = (values > _CUT) & (squares <= reach**2)
    parts = ndimage.label(above)[0]
    inside = parts == parts[(reach,) * dim]
    lobe = np.where(inside, values, 0.0)
    lobe = (lobe + np.flip(lobe)) / 2  # even but for rounding, as a covariance is
    least = min(int(place.min()) for place in np.nonzero(lobe))
    tight = slice(least, 2 * reach + 1 - least)
    return np.pad(lobe[(tight,) * dim], 1)


def _scaled(lobe: Floats, radius: float, longest: int) -> Floats:
    """Return the lobe scaled to a radius, in a box of odd sides, at most twice the longest one."""
    dim = lobe.ndim
    centre = len(lobe) // 2
    unit = math.pi if dim == 2 else 4 * math.pi / 3
    zoom = max(radius / (np.count_nonzero(lobe) / unit) ** (1 / dim), 1e-9)
    side = min(math.ceil(centre * zoom), longest)
    grid = np.meshgrid(*[np.arange(-side, side + 1) / zoom + centre] * dim, indexing="ij")
    kernel: Floats = ndimage.map_coordinates(lobe, grid, order=1, mode="constant")
    return kernel


def box(shape: tuple[int, ...]) -> Floats:
    """Multiplier (*half) of the periodic sum over 3 × 3 (× 3) pixels."""
    product = np.ones(1)
    for axis, n in enumerate(shape):
        frequencies = fft.fftfreq(n) if axis < len(shape) - 1 else fft.rfftfreq(n)
        factor = 1 + 2 * np.cos(2 * np.pi * frequencies)
        product = product[..., np.newaxis] * factor
    multiplier: Floats = product[0]
    return multiplier
