"""Other distances between samples: energy distance and maximum mean discrepancy."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pearlite import _arrays, _core, _threads
from pearlite._arrays import Array
from pearlite._errors import brief
from pearlite.inversion._projections import check_samples, check_weights, columns
from pearlite.inversion._transport import check_same

Floats = NDArray[np.float64]
_POOLED = 2000  # samples whose distances give the default bandwidth


def energy_distance(
    x: ArrayLike,
    y: ArrayLike,
    *,
    weights: ArrayLike | None = None,
    y_weights: ArrayLike | None = None,
    gradient: bool = False,
    threads: int | None = None,
) -> Any:
    r"""Energy distance 2 E|X − Y| − E|X − X'| − E|Y − Y'| of two weighted samples.

    Parameters
    ----------
    x : (N, d) or (N,) array
        Samples of d components, float32 or float64.
    y : (M, d) or (M,) array
        Samples of the same dtype.
    weights, y_weights : (N,) and (M,) array, optional
        Weights of the samples, at least 0; only their ratios count. Equal if None.
    gradient : bool
        Return the gradient in x as well. Samples that coincide do not push each other.
    threads : int, optional
        Number of threads; all cores that this process may use if None. They change nothing.

    Returns
    -------
    float, or (float, array like x) with `gradient`
        At least 0, and 0 for equal laws only.

    Raises
    ------
    TypeError, ValueError
        If an argument has no meaning; the message names it.

    Notes
    -----
    Exact: of one component by sorting, as 2 ∫ (F − G)², F and G the distribution functions; of more
    by all pairs, with N M + (N² + M²)/2 distances. E|X − X'| is over all pairs, equal ones too.

    Source: G. J. Székely, M. L. Rizzo, J. Stat. Plan. Inference 143, 1249 (2013).

    Examples
    --------
    >>> import pearlite as pl
    >>> pl.inversion.energy_distance([0.0, 2.0], [1.0, 5.0])
    2.0
    >>> pl.inversion.energy_distance([[0.0, 0.0]], [[3.0, 4.0]], gradient=True)
    (10.0, array([[-1.2, -1.6]]))
    """
    pair = _pair(x, y, weights, y_weights)
    wanted, number = _arrays.flag("gradient", gradient), _threads.count(threads)
    value, slope = _energy_line(*pair) if pair[0].shape[1] == 1 else _all_pairs(*pair, 0.0, number,
                                                                               wanted)  # fmt: skip
    return _result(value, slope, x, pair[0].dtype, wanted)


def mmd(
    x: ArrayLike,
    y: ArrayLike,
    *,
    bandwidth: float | None = None,
    weights: ArrayLike | None = None,
    y_weights: ArrayLike | None = None,
    unbiased: bool = False,
    gradient: bool = False,
    threads: int | None = None,
) -> Any:
    r"""Squared maximum mean discrepancy E k(X, X') + E k(Y, Y') − 2 E k(X, Y), k Gaussian.

    Parameters
    ----------
    x : (N, d) or (N,) array
        Samples of d components, float32 or float64.
    y : (M, d) or (M,) array
        Samples of the same dtype.
    bandwidth : float, optional
        h of k = exp(−|x − y|²/(2h²)), in the unit of the samples; the median distance between
        samples of y if None.
    weights, y_weights : (N,) and (M,) array, optional
        Weights of the samples, at least 0; only their ratios count. Equal if None.
    unbiased : bool
        Leave out the pairs of a sample with itself: the estimate may then be below 0.
    gradient : bool
        Return the gradient in x as well; the bandwidth is taken for a constant.
    threads : int, optional
        Number of threads; all cores that this process may use if None. They change nothing.

    Returns
    -------
    float, or (float, array like x) with `gradient`

    Raises
    ------
    TypeError, ValueError
        If an argument has no meaning; the message names it.

    Notes
    -----
    Exact, with all pairs.

    Source: A. Gretton, K. M. Borgwardt, M. J. Rasch, B. Schölkopf, A. Smola, J. Mach. Learn. Res.
    13, 723 (2012), equations (3) and (5), and section 8 for the median.

    Examples
    --------
    >>> import numpy as np
    >>> import pearlite as pl
    >>> x, y = np.random.default_rng(0).standard_normal((2, 500, 2))
    >>> far, near = (pl.inversion.mmd(x + shift, y) for shift in (1, 0))
    >>> bool(far > 50 * near)
    True
    """
    pair = _pair(x, y, weights, y_weights)
    wanted, number = _arrays.flag("gradient", gradient), _threads.count(threads)
    width = _median_distance(pair[1]) if bandwidth is None else _bandwidth(bandwidth)
    total, slope = _all_pairs(*pair, width, number, wanted)
    value = -total
    slope = None if slope is None else -slope
    if _arrays.flag("unbiased", unbiased):
        value, slope = _without_selves(value, slope, pair, width, number)
    return _result(value, slope, x, pair[0].dtype, wanted)


def _pair(x: Any, y: Any, weights: Any, y_weights: Any) -> tuple[Array, Array, Floats, Floats]:
    """Check the samples and return them with weights of sum 1."""
    first, second = check_samples("x", x), check_samples("y", y)
    check_same(first.dtype, first.shape[1], second.dtype, second.shape[1])
    shares = [
        np.full(len(samples), 1 / len(samples))
        if given is None
        else check_weights(name, given, len(samples))
        for name, given, samples in (("weights", weights, first), ("y_weights", y_weights, second))
    ]
    return first, second, shares[0], shares[1]


def _result(value: float, slope: Any, x: Any, dtype: np.dtype[Any], gradient: bool) -> Any:
    if not gradient:
        return float(value)
    return float(value), np.ascontiguousarray(slope.T, dtype).reshape(np.shape(x))


def _energy_line(x: Array, y: Array, u: Floats, v: Floats) -> tuple[float, Floats]:
    """Return 2 ∫ (F − G)², and its gradient (1, N), of one component."""
    points = np.concatenate([x[:, 0], y[:, 0]]).astype(np.float64)
    masses = np.concatenate([u, -v])
    rank = np.argsort(points, kind="stable")
    steps = np.cumsum(masses[rank])  # F − G behind each point
    value = 2 * np.sum(np.diff(points[rank]) * steps[:-1] ** 2)
    # Halfway up the step at a sample, and at all that coincide with it, F − G is what pushes.
    ascending = points[rank]
    below = np.append(0.0, steps)[np.searchsorted(ascending, x[:, 0], side="left")]
    above = np.append(0.0, steps)[np.searchsorted(ascending, x[:, 0], side="right")]
    return float(value), (-2 * u * (below + above))[np.newaxis]


def _all_pairs(
    x: Array, y: Array, u: Floats, v: Floats, bandwidth: float, threads: int, gradient: bool
) -> tuple[float, Any]:
    """Return 2 Σ uᵢvⱼk − Σ uᵢuⱼk − Σ vᵢvⱼk over all pairs, and its gradient (d, N)."""
    first, second = columns(x), columns(y)
    cross, push = _core.pair_sums(first, second, v, bandwidth, False, gradient, threads)
    own, pull = _core.pair_sums(first, first, u, bandwidth, not gradient, gradient, threads)
    other, _ = _core.pair_sums(second, second, v, bandwidth, True, False, threads)
    of_self = 1.0 if bandwidth > 0 else 0.0  # k(0)
    within = u @ own if gradient else 2 * (u @ own) + of_self * (u @ u)
    value = float(2 * (u @ cross) - within - (2 * (v @ other) + of_self * (v @ v)))
    if not gradient:
        return value, None
    assert push is not None
    assert pull is not None  # both were asked for
    return value, 2 * u * (push - pull)


def _without_selves(
    value: float, slope: Any, pair: tuple[Array, Array, Floats, Floats], width: float, threads: int
) -> tuple[float, Any]:
    """Take the pairs of samples with themselves out of the means, which then weigh more."""
    for name, samples, shares in (("x", pair[0], pair[2]), ("y", pair[1], pair[3])):
        selves = float(shares @ shares)
        if not selves < 1:
            raise ValueError(
                f"{name} has one sample that counts; with unbiased=True expected at least two"
            )
        points = columns(samples)
        sums, pushes = _core.pair_sums(points, points, shares, width, False, name == "x", threads)
        within = float(shares @ sums)
        value += (within - selves) / (1 - selves) - within
        if name == "x" and slope is not None:
            assert pushes is not None
            slope = slope + 2 * shares * pushes * (1 / (1 - selves) - 1)
    return value, slope


def _bandwidth(bandwidth: float) -> float:
    good = isinstance(bandwidth, int | float | np.integer | np.floating)
    if not good or isinstance(bandwidth, bool):
        raise TypeError(f"bandwidth is {brief(bandwidth)}; expected a number > 0")
    if not 1e-150 < bandwidth < 1e150:
        raise ValueError(f"bandwidth is {brief(bandwidth)}; expected a number > 0")
    return float(bandwidth)


def _median_distance(y: Array) -> float:
    """Return the median distance between samples, of at most `_POOLED` of them."""
    from scipy.spatial.distance import pdist

    some = y[:: -(-len(y) // _POOLED)].astype(np.float64)
    distance = float(np.median(pdist(some))) if len(some) > 1 else 0.0
    if not distance > 0:
        raise ValueError("bandwidth is None, and the median distance between samples of y is 0; "
                         "expected a number > 0")  # fmt: skip
    return distance
