"""Samples projected and sorted once, to be compared with many others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pearlite import _arrays, _core, _threads
from pearlite._arrays import Array
from pearlite.inversion._directions import Method, unit_directions

_FLOATS = (np.dtype(np.float32), np.dtype(np.float64))
_LARGEST = 1e150  # whose square still is a number
_MOST_SAMPLES = 2**31 - 1
_MOST_PARAMETERS = 10_000
DIRECTIONS = 100


@dataclass(frozen=True)
class GaussNewton:
    """What a Gauss–Newton or Levenberg–Marquardt step on SW₂² needs.

    SW₂² is |r|² up to a constant, with residuals r of all samples and directions. With J their
    Jacobian in the parameters, the gradient of SW₂² is 2 Jᵀr and a step is −(JᵀJ + λD)⁻¹ Jᵀr.

    Attributes
    ----------
    value : float
        SW₂².
    product : (P,) array
        Jᵀr.
    matrix : (P, P) array
        JᵀJ.
    """

    value: float
    product: NDArray[np.float64]
    matrix: NDArray[np.float64]


class SortedProjections:
    """Samples y, projected on directions and sorted.

    Use it in the place of y in `sliced_wasserstein`, when one y is compared with many x.

    Parameters
    ----------
    y : (M, d) or (M,) array
        Samples of d components, float32 or float64.
    directions : int or (L, d) array
        The number of directions, or the unit vectors themselves. Of one component there is one.
    weights : (M,) array, optional
        Weights of the samples, at least 0; only their ratios count. Equal if None.
    method : {"quasi", "random"}
        Directions that cover the sphere evenly, or independent ones.
    seed : int, optional
        Seed of the directions. Quasi-random ones need none; with one they are turned at random.
    threads : int, optional
        Number of threads; all cores that this process may use if None.

    Attributes
    ----------
    directions : (L, d) array of float64
        The unit vectors.
    sorted : (L, M) array of float64
        The projections, ascending for each direction.

    Raises
    ------
    TypeError, ValueError
        If an argument has no meaning; the message names it.

    Notes
    -----
    It takes 8 L M bytes, twice that with weights, and 8 L N more once it has met N samples x of a
    number N other than M. Projections, sums and sorting are in float64 for float32 samples as well.

    Quasi-random directions are equal angles on the half circle for d = 2, a Fibonacci lattice on
    the half sphere for d = 3, and for more normalized normal quantiles of a shifted Sobol sequence;
    the last two are moved a little so that the mean of θθᵀ is I/d, as it is on the sphere.

    Examples
    --------
    >>> import numpy as np
    >>> import pearlite as pl
    >>> y = np.random.default_rng(0).standard_normal((1000, 3))
    >>> data = pl.inversion.SortedProjections(y, directions=50)
    >>> round(data.distance(y + [3, 0, 0]), 6)  # 3²/3
    3.0
    """

    def __init__(
        self,
        y: ArrayLike,
        *,
        directions: int | ArrayLike = DIRECTIONS,
        weights: ArrayLike | None = None,
        method: Method = "quasi",
        seed: int | None = None,
        threads: int | None = None,
    ) -> None:
        samples = check_samples("y", y)
        number = _threads.count(threads)
        shares = None if weights is None else check_weights("weights", weights, len(samples))
        self.directions = unit_directions(directions, samples.shape[1], method, seed)
        self.dtype = samples.dtype
        self.sorted, self._levels = _core.sort_projections(
            columns(samples), shares, self.directions, number
        )
        self._ranked: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None

    @property
    def dim(self) -> int:
        """The number d of components."""
        return int(self.directions.shape[1])

    def __len__(self) -> int:
        return int(self.sorted.shape[1])

    def __repr__(self) -> str:
        count, dim = self.directions.shape
        return f"SortedProjections({len(self)} samples of {dim} components, {count} directions)"

    def distance(
        self, x: ArrayLike, *, weights: ArrayLike | None = None, threads: int | None = None
    ) -> float:
        """Return SW₂² between samples x (N, d), with `weights` (N,), and these."""
        samples = check_samples("x", x, self)
        shares = None if weights is None else check_weights("weights", weights, len(samples))
        return compare(self, samples, shares, 2, False, _threads.count(threads))[0]

    def gauss_newton(
        self,
        x: ArrayLike,
        jacobian: ArrayLike,
        *,
        weights: ArrayLike | None = None,
        bins: int | None = None,
        threads: int | None = None,
    ) -> GaussNewton:
        """Return SW₂² of samples x with Jᵀr and JᵀJ in the parameters that x depends on.

        Parameters
        ----------
        x : (N, d) or (N,) array
            Samples, of the dtype of y.
        jacobian : (N, d, P) or, for x (N,), (N, P) array
            Derivatives of the samples in P parameters.
        weights : (N,) array, optional
            Weights of the samples, which do not depend on the parameters.
        bins : int, optional
            In each direction the Jacobian of the projections is averaged over this many bins of
            samples of neighbouring rank; the square root of N if None. N bins do not average.
        threads : int, optional
            Number of threads; all cores that this process may use if None.

        Returns
        -------
        GaussNewton

        Raises
        ------
        TypeError, ValueError
            If an argument has no meaning; the message names it.

        Notes
        -----
        With weights w (of sum 1) and targets t, residuals are r_li = √(w_i/L) (θ_l·x_i − t_li); see
        `sliced_wasserstein`. Jᵀr is exact. The quantile of θ·x at a level s moves by the *mean* of
        θ·∂x over the samples that have this projection, E[θ·∂x | θ·x = Q(s)], since samples
        that move apart exchange their ranks. This is what the curvature of SW₂² knows of; the
        scatter of ∂x about it does not count, and would make steps too short. The bins estimate
        the mean; what is left of the scatter is one part in N / bins. Steps smaller than the
        spacing of the samples exchange no ranks, and the scatter counts: there undamped steps can
        overshoot.

        Source: for the derivative of a quantile, L. J. Hong, *Operations Research* 57, 118 (2009),
        theorem 2.

        Examples
        --------
        A shift and a scale of the samples are found in one step:

        >>> import numpy as np
        >>> import pearlite as pl
        >>> z = np.random.default_rng(0).standard_normal(1000)
        >>> data = pl.inversion.SortedProjections(3 + 2 * z)
        >>> found = data.gauss_newton(z, np.stack([np.ones(1000), z], axis=1), bins=1000)
        >>> -np.linalg.solve(found.matrix, found.product)
        array([3., 1.])
        """
        samples = check_samples("x", x, self)
        number = _threads.count(threads)
        shares = None if weights is None else check_weights("weights", weights, len(samples))
        slopes = _check_jacobian(jacobian, np.ndim(x), samples)
        most = len(samples)
        count = round(most**0.5) if bins is None else _arrays.check_integer("bins", bins, 1, most)
        value, gradient, normal = compare(
            self, samples, shares, 2, True, number, np.ascontiguousarray(slopes), count
        )
        product = np.tensordot(gradient, slopes, ((0, 1), (1, 0))) / 2
        return GaussNewton(value, product, normal.mean(axis=0))

    def ranked(self, count: int, threads: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return targets by rank (L, count) of `count` equal weights, and the spread (L,).

        The target of a rank is the mean of the quantiles of y over its levels, the spread the sum
        of their variances within the levels.
        """
        if count == len(self) and self._levels is None:
            return self.sorted, np.zeros(len(self.sorted))
        kept = self._ranked
        if kept is None or kept[0].shape[1] != count:
            kept = _core.rank_targets(self.sorted, self._levels, count, threads)
            self._ranked = kept
        return kept


def compare(
    target: SortedProjections,
    samples: Array,  # (N, d)
    weights: NDArray[np.float64] | None,  # (N,), of sum 1
    order: int,
    gradient: bool,
    threads: int,
    jacobian: Array | None = None,  # (N, d, P)
    bins: int = 1,
) -> tuple[float, Any, Any]:
    """Return SW_p^p, its gradient (d, N), and JᵀJ of each direction (L, P, P)."""
    ranked, spread = None, 0.0
    if weights is None and order == 2:
        ranked, spreads = target.ranked(len(samples), threads)
        spread = float(spreads.mean())
    return compare_sorted(
        samples, weights, target.directions, target.sorted, target._levels, ranked, spread, order,
        gradient, threads, jacobian, bins,
    )  # fmt: skip


def compare_sorted(
    samples: Array,  # (N, d)
    weights: NDArray[np.float64] | None,  # (N,), of sum 1
    theta: NDArray[np.float64],  # (L, d)
    ascending: NDArray[np.float64],  # (L, M)
    levels: NDArray[np.float64] | None,  # (L, M)
    ranked: NDArray[np.float64] | None,  # (L, N)
    spread: float,
    order: int,
    gradient: bool,
    threads: int,
    jacobian: Array | None = None,  # (N, d, P)
    bins: int = 1,
) -> tuple[float, Any, Any]:
    """Return what `compare` does, from what a SortedProjections holds."""
    values, slope, normal = _core.sliced_distance(
        columns(samples), weights, theta, ascending, levels, ranked, order, gradient, jacobian,
        bins, threads,
    )  # fmt: skip
    return float(values.mean() + spread), slope, normal


def columns(samples: Array) -> NDArray[np.float64]:
    """Return samples (N, d) as the kernels take them, (d, N) in float64."""
    return np.ascontiguousarray(samples.T, np.float64)


def check_samples(name: str, value: ArrayLike, like: SortedProjections | None = None) -> Array:
    """Return samples (N, d) of float32 or float64, for (N,) with d = 1."""
    array = _arrays.as_numpy(name, value)
    if not isinstance(value, np.ndarray | np.generic) and array.dtype.kind in "iu":
        array = array.astype(np.float64)  # numbers in a list
    dtype = array.dtype.newbyteorder("=")
    if dtype not in _FLOATS:
        raise TypeError(f"{name} has dtype {dtype}; expected float32 or float64")
    if array.ndim not in (1, 2) or not 1 <= array.shape[0] <= _MOST_SAMPLES or not array.size:
        raise ValueError(f"{name} has shape {array.shape}; expected (N, d) or (N,), without zeros")
    samples = array.astype(dtype, copy=False).reshape(len(array), -1)
    if like is not None:
        check_like(name, samples.dtype, samples.shape[1], like)
    largest = float(np.abs(samples).max())
    if not np.isfinite(largest):
        raise ValueError(f"{name} has entries that are not finite")
    if largest > _LARGEST:
        raise ValueError(f"{name} has entries of {largest:g}; expected at most {_LARGEST:g}")
    return samples


def check_like(name: str, dtype: np.dtype[Any], dim: int, like: SortedProjections) -> None:
    """Raise unless samples have the dtype and the components of others."""
    if dim != like.dim:
        raise ValueError(f"{name} has {dim} components; expected {like.dim} as y has")
    if dtype != like.dtype:
        raise TypeError(f"{name} has dtype {dtype}; expected {like.dtype} as y has")


def check_weights(name: str, value: ArrayLike, count: int) -> NDArray[np.float64]:
    """Return weights (count,) of sum 1."""
    array = _arrays.as_numpy(name, value)
    if array.dtype.kind not in "iuf" or array.dtype == np.longdouble:
        raise TypeError(f"{name} has dtype {array.dtype}; expected numbers")
    if array.shape != (count,):
        raise ValueError(f"{name} has shape {array.shape}; expected ({count},)")
    weights = array.astype(np.float64)
    if not (np.isfinite(weights).all() and (weights >= 0).all() and weights.any()):
        raise ValueError(f"{name} has entries that are no weights; expected finite ones >= 0")
    weights /= weights.max()  # so that the sum is a number
    return np.asarray(weights / weights.sum())


def _check_jacobian(jacobian: ArrayLike, axes: int, samples: Array) -> NDArray[np.float64]:
    """Return derivatives (N, d, P) of samples that came with one or two axes."""
    array = _arrays.as_numpy("jacobian", jacobian)
    dtype = array.dtype.newbyteorder("=")
    if dtype not in _FLOATS:
        raise TypeError(f"jacobian has dtype {dtype}; expected float32 or float64")
    expected = samples.shape if axes == 2 else samples.shape[:1]
    if array.shape[:-1] != expected or not 1 <= array.shape[-1] <= _MOST_PARAMETERS:
        raise ValueError(
            f"jacobian has shape {array.shape}; expected ({', '.join(map(str, expected))}, P)"
        )
    if not np.isfinite(array).all() or np.abs(array).max() > _LARGEST:
        raise ValueError("jacobian has entries that are not finite, or beyond 1e150")
    return array.reshape(*samples.shape, -1).astype(np.float64)
