"""Many microstructures at once: mean, spread and principal components of their statistics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pearlite._arrays import check_integer
from pearlite.statistics._labels import real_numbers

Doubles = NDArray[np.float64]


class Ensemble(NamedTuple):
    """Mean and spread of a statistic over images.

    Attributes
    ----------
    mean : float64 array
        Mean of the images.
    deviation : float64 array
        Standard deviation of one image, with n − 1 in the denominator; NaN for a single one.
    error : float64 array
        Standard error of the mean, deviation/√n.
    images : int
        n, how many there are.
    """

    mean: Doubles
    deviation: Doubles
    error: Doubles
    images: int


def ensemble(values: ArrayLike, *, axis: int = 0) -> Ensemble:
    """Return mean and spread of a statistic over a batch of images.

    Parameters
    ----------
    values : array
        Real numbers, a statistic of each image, such as a map or a lineal path.
    axis : int
        The axis of the batch.

    Returns
    -------
    Ensemble
        It unpacks as ``mean, deviation, error, number = ...``.

    Raises
    ------
    TypeError, ValueError
        If an argument has no meaning; the message names it.

    Examples
    --------
    >>> import pearlite as pl
    >>> images = pl.microstructures.thresholded_noise(8, (32, 32), length=2, seed=1)
    >>> mean, deviation, error, number = pl.statistics.ensemble(pl.statistics.surface_area(images))
    >>> mean.shape, number, bool((error < deviation).all())
    ((2,), 8, True)
    """
    array = real_numbers("values", values)
    if array.ndim == 0:
        raise ValueError("values has shape (); expected an axis of images")
    axis = check_integer("axis", axis, -array.ndim, array.ndim - 1)
    if array.shape[axis] == 0:
        raise ValueError(f"values has shape {array.shape}; expected at least one image")
    count = array.shape[axis]
    with np.errstate(all="ignore"):  # what is not finite remains so
        mean: Doubles = np.asarray(array.mean(axis=axis))
        deviation: Doubles = np.full(mean.shape, np.nan)
        if count > 1:
            deviation = np.asarray(array.std(axis=axis, ddof=1))
    return Ensemble(mean, deviation, deviation / np.sqrt(count), count)


@dataclass(frozen=True)
class PrincipalComponents:
    """Principal components of an ensemble of statistics.

    Attributes
    ----------
    mean : (*shape) float64 array
        Mean of the statistics.
    components : (K, *shape) float64 array
        Orthonormal directions of decreasing variance. The entry of each that is largest in size,
        the first of them, is positive.
    scores : (n, K) float64 array
        Coordinates of each image along them; the mean has coordinates 0.
    explained_variance : (K,) float64 array
        Variance of the scores, with n − 1 in the denominator.
    explained_variance_ratio : (K,) float64 array
        Its share of the variance of all entries together.
    """

    mean: Doubles
    components: Doubles
    scores: Doubles
    explained_variance: Doubles
    explained_variance_ratio: Doubles

    def transform(self, values: ArrayLike) -> Doubles:
        """Return the scores (..., K) of statistics (..., *shape)."""
        array = real_numbers("values", values)
        axes = self.mean.ndim
        if array.shape[array.ndim - axes :] != self.mean.shape:
            raise ValueError(
                f"values has shape {array.shape}; expected it to end in {self.mean.shape}"
            )
        scores: Doubles = np.tensordot(
            array - self.mean,
            self.components,
            (tuple(range(-axes, 0)), tuple(range(1, axes + 1))),
        )
        return scores

    def reconstruct(self, scores: ArrayLike) -> Doubles:
        """Return statistics (..., *shape) with scores (..., k), of the first k components."""
        array = real_numbers("scores", scores)
        count = array.shape[-1] if array.ndim else 0
        if not 1 <= count <= len(self.components):
            raise ValueError(
                f"scores has shape {array.shape}; expected (..., k), k from 1 "
                f"to {len(self.components)}"
            )
        values: Doubles = self.mean + np.tensordot(array, self.components[:count], 1)
        return values


def principal_components(values: ArrayLike, *, count: int | None = None) -> PrincipalComponents:
    """Return principal components of an ensemble, such as two-point maps of many images.

    .. math:: S_k = S̄ + Σ_i s_{ki} V_i,   ⟨V_i, V_j⟩ = δ_ij,

    by a singular value decomposition of the centred statistics S_k − S̄.

    Parameters
    ----------
    values : (n, *shape) array
        A statistic of each of n ≥ 2 images.
    count : int, optional
        K, how many components; by default all, min(n − 1, number of entries).

    Returns
    -------
    PrincipalComponents

    Raises
    ------
    TypeError, ValueError
        If an argument has no meaning; the message names it.

    Notes
    -----
    S. R. Niezgoda, D. M. Turner, D. T. Fullwood and S. R. Kalidindi, Acta Mater. 58, 4432 (2010).

    Examples
    --------
    >>> import numpy as np
    >>> import pearlite as pl
    >>> found = pl.statistics.principal_components([[0.0, 0.0], [3.0, 4.0], [6.0, 8.0]], count=1)
    >>> found.components, found.scores[:, 0]
    (array([[0.6, 0.8]]), array([-5.,  0.,  5.]))
    """
    array = real_numbers("values", values)
    if array.ndim < 2 or len(array) < 2 or array.size == 0:
        raise ValueError(f"values has shape {array.shape}; expected (n, *shape) with n at least 2")
    if not (np.abs(array) < 1e150).all():  # or the squares overflow
        raise ValueError("values holds entries that are not finite, or beyond 1e150")
    flat = array.reshape(len(array), -1)
    most = min(len(array) - 1, flat.shape[1])
    kept = most if count is None else check_integer("count", count, 1, most)
    mean = flat.mean(axis=0)
    left, sizes, right = np.linalg.svd(flat - mean, full_matrices=False)
    largest = np.abs(right).argmax(axis=1)
    signs = np.where(right[np.arange(len(right)), largest] < 0, -1.0, 1.0)
    variance = sizes**2 / (len(array) - 1)
    total = variance.sum()
    return PrincipalComponents(
        mean=mean.reshape(array.shape[1:]),
        components=(right * signs[:, None])[:kept].reshape(kept, *array.shape[1:]),
        scores=(left * sizes * signs)[:, :kept],
        explained_variance=variance[:kept],
        explained_variance_ratio=variance[:kept] / (total if total > 0 else 1.0),
    )
