"""Statistics and effective conductivities as scikit-learn transformers.

A row of X is one image, flattened in C order; `shape` says how many pixels it has along each axis.

>>> import numpy as np
>>> from sklearn.decomposition import PCA
>>> from sklearn.linear_model import LinearRegression
>>> from sklearn.pipeline import make_pipeline
>>> import pearlite as pl
>>> images = np.random.default_rng(0).integers(2, size=(60, 16, 16))
>>> stiff = pl.homogenize(images, phases=[1, 5])[:, 0, 0]
>>> model = make_pipeline(pl.sklearn.TwoPointStatistics(), PCA(8), LinearRegression())
>>> model.fit(images.reshape(60, -1), stiff).predict(images.reshape(60, -1)).shape
(60,)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from pearlite import _arrays, corrector, correlation
from pearlite._errors import brief

__all__ = ["EffectiveConductivity", "TwoPointStatistics"]

Floats = npt.NDArray[np.floating[Any]]


class _Images(TransformerMixin, BaseEstimator):
    """What both transformers share: they learn nothing but the shape of an image."""

    shape: Sequence[int] | None

    def fit(self, X: npt.ArrayLike, y: object = None) -> _Images:  # noqa: N803
        """Learn the shape of an image.

        Parameters
        ----------
        X : (N, pixels) array
            Images.
        y : ignored

        Returns
        -------
        self
        """
        rows = validate_data(self, X, dtype=[np.float64, np.float32])
        self.shape_ = self._image_shape(rows.shape[1])
        return self

    def _rows(self, X: npt.ArrayLike) -> Floats:  # noqa: N803
        """Check images and give them their shape."""
        check_is_fitted(self)
        rows = validate_data(self, X, reset=False, dtype=[np.float64, np.float32])
        images: Floats = np.ascontiguousarray(rows).reshape(len(rows), *self.shape_)
        return images

    def _image_shape(self, pixels: int) -> tuple[int, ...]:
        if self.shape is not None:
            sizes = tuple(_arrays.check_integer("shape", n, 1) for n in self.shape)
            if len(sizes) not in (2, 3) or math.prod(sizes) != pixels:
                raise ValueError(
                    f"shape is {brief(self.shape)}; expected 2 or 3 sizes of {pixels} pixels"
                )
            return sizes
        side = math.isqrt(pixels)
        return (side, side) if side * side == pixels else (1, pixels)


class TwoPointStatistics(_Images):
    """Two-point correlations of each image, as features.

    Parameters
    ----------
    shape : sequence of int, optional
        Pixels along each axis; by default images are squares.
    cut : int, optional
        Shifts of at most so many pixels along each axis are kept; by default all.
    periodic : bool
        Whether images repeat. If not, all shifts of n − 1 and less along each axis are there.

    Attributes
    ----------
    shape_ : tuple of int
        Pixels of an image along each axis.

    See Also
    --------
    pearlite.correlation.two_point : what is computed, of the values of the pixels.

    Examples
    --------
    >>> import numpy as np
    >>> import pearlite as pl
    >>> stripes = np.array([[1, 1, 0, 0] * 4])
    >>> pl.sklearn.TwoPointStatistics(cut=1).fit_transform(stripes).reshape(3, 3)[1]
    array([0.25, 0.5 , 0.25])
    """

    def __init__(
        self,
        shape: Sequence[int] | None = None,
        *,
        cut: int | None = None,
        periodic: bool = True,
    ) -> None:
        self.shape = shape
        self.cut = cut
        self.periodic = periodic

    def transform(self, X: npt.ArrayLike) -> Floats:  # noqa: N803
        """Return the correlations of each image.

        Parameters
        ----------
        X : (N, pixels) array
            Images.

        Returns
        -------
        (N, shifts) array
            With the shift of zero in the middle, in C order.
        """
        images = self._rows(X)
        axes = tuple(range(1, images.ndim))
        maps = correlation.two_point(images, dim=images.ndim - 1, periodic=self.periodic)
        if self.periodic:
            maps = np.fft.fftshift(maps, axes=axes)
        if self.cut is not None:
            cut = _arrays.check_integer("cut", self.cut, 0)
            middle = [n // 2 if self.periodic else n - 1 for n in self.shape_]
            window = [slice(max(0, m - cut), m + cut + 1) for m in middle]
            maps = maps[(slice(None), *window)]
        return np.ascontiguousarray(maps.reshape(len(maps), -1))

    def get_feature_names_out(self, input_features: object = None) -> npt.NDArray[np.object_]:
        """Return the names `s0`, `s1` and so on."""
        check_is_fitted(self)
        empty = np.zeros((1, math.prod(self.shape_)))
        count = self.transform(empty).shape[1]
        return np.array([f"s{k}" for k in range(count)], dtype=object)


class EffectiveConductivity(_Images):
    """Entries of the effective tensor of each image, as features.

    Parameters
    ----------
    shape : sequence of int, optional
        Pixels along each axis; by default images are squares.
    contrast : float
        An image of values from 0 to 1 conducts ``contrast ** value``, so that 0 conducts 1.
    rtol : float
        Relative error of a tensor.

    Attributes
    ----------
    shape_ : tuple of int
        Pixels of an image along each axis.

    Examples
    --------
    >>> import numpy as np
    >>> import pearlite as pl
    >>> layers = np.array([[0, 0, 0, 0, 1, 1, 1, 1] * 2])
    >>> pl.sklearn.EffectiveConductivity(contrast=10).fit_transform(layers).round(4) + 0.0
    array([[1.8182, 5.5   , 0.    ]])
    """

    def __init__(
        self,
        shape: Sequence[int] | None = None,
        *,
        contrast: float = 10.0,
        rtol: float = 1e-6,
    ) -> None:
        self.shape = shape
        self.contrast = contrast
        self.rtol = rtol

    def transform(self, X: npt.ArrayLike) -> Floats:  # noqa: N803
        """Return the entries of each tensor.

        Parameters
        ----------
        X : (N, pixels) array
            Images.

        Returns
        -------
        (N, 3) or (N, 6) array
            A11, A22, A12; of volumes A11, A22, A33, A12, A13, A23.
        """
        images = self._rows(X)
        contrast = _arrays.check_positive("contrast", self.contrast)
        # An axis of one pixel is homogeneous along it: two are the same.
        shape = tuple(max(n, 2) for n in self.shape_)
        images = np.broadcast_to(images, (len(images), *shape)) if shape != self.shape_ else images
        dim = len(shape)
        tensors = corrector.homogenize(contrast**images, dim=dim, rtol=self.rtol)
        first, second = self._entries(dim)
        return np.ascontiguousarray(tensors[:, first, second])

    def get_feature_names_out(self, input_features: object = None) -> npt.NDArray[np.object_]:
        """Return the names `A11` and so on."""
        check_is_fitted(self)
        names = [f"A{i + 1}{j + 1}" for i, j in zip(*self._entries(len(self.shape_)), strict=True)]
        return np.array(names, dtype=object)

    @staticmethod
    def _entries(dim: int) -> tuple[list[int], list[int]]:
        pairs = [(i, i) for i in range(dim)]
        pairs += [(i, j) for i in range(dim) for j in range(i + 1, dim)]
        return [i for i, _ in pairs], [j for _, j in pairs]
