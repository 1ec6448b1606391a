"""Sliced Wasserstein distances."""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pearlite import _arrays, _threads
from pearlite._errors import brief
from pearlite.inversion._directions import Method, unit_directions
from pearlite.inversion._projections import (
    DIRECTIONS,
    SortedProjections,
    check_samples,
    check_weights,
    compare,
)

_BLOCK = 2**22  # projections that are kept of a y that is not sorted before


def sliced_wasserstein(
    x: ArrayLike,
    y: ArrayLike | SortedProjections,
    *,
    directions: int | ArrayLike | None = None,
    weights: ArrayLike | None = None,
    y_weights: ArrayLike | None = None,
    method: Method = "quasi",
    seed: int | None = None,
    order: Literal[1, 2] = 2,
    root: bool = False,
    gradient: bool = False,
    threads: int | None = None,
) -> Any:
    r"""Sliced Wasserstein distance of two weighted samples, by default SW₂², the square.

    .. math:: SW_p^p = \frac1L \sum_l \int_0^1 |Q_{θ_l·x}(s) - Q_{θ_l·y}(s)|^p \, ds

    Q is the quantile function of a projection: a step function, exact for samples of any sizes. In
    one component it is the plain Wasserstein distance.

    Parameters
    ----------
    x : (N, d) or (N,) array
        Samples of d components, float32 or float64. Torch tensors are taken as well, with gradients
        in x and y.
    y : (M, d) or (M,) array, or SortedProjections
        Samples of the same dtype; or those, with directions, prepared once for many x.
    directions : int or (L, d) array, optional
        The number L of directions, 100 if None, or the unit vectors θ themselves.
    weights, y_weights : (N,) and (M,) array, optional
        Weights of the samples, at least 0; only their ratios count. Equal if None.
    method : {"quasi", "random"}
        Directions that cover the sphere evenly, or independent ones; see `SortedProjections`.
    seed : int, optional
        Seed of the directions; "random" needs one.
    order : {1, 2}
        p.
    root : bool
        Return SW_p instead of its p-th power.
    gradient : bool
        Return the gradient in x as well. At SW_p = 0 that of the root does not exist, and is 0.
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
    With w_i the weight of x_i, I_i the levels that x_i has in direction l and t_li the mean of
    Q_{θ_l·y} over I_i, the gradient of SW₂² in x_i is 2 w_i/L Σ_l θ_l (θ_l·x_i − t_li). For
    equal numbers of samples without weights t_li is the projection of y of the same rank. All is
    computed in float64.

    Sources: arXiv:2604.14083, equations (14) and (15), which defines SW₂; N. Bonneel, J. Rabin, G.
    Peyré, H. Pfister, J. Math. Imaging Vis. 51, 22 (2015).

    Examples
    --------
    >>> import numpy as np
    >>> import pearlite as pl
    >>> pl.inversion.sliced_wasserstein([0.0, 2.0], [1.0, 5.0])  # (1² + 3²) / 2
    5.0
    >>> pl.inversion.sliced_wasserstein([0.0, 2.0], [1.0, 5.0], order=1, gradient=True)
    (2.0, array([-0.5, -0.5]))
    >>> x = np.random.default_rng(0).standard_normal((1000, 2))
    >>> value = pl.inversion.sliced_wasserstein(x, x + [2.0, 0.0], root=True)  # 2 / √2
    >>> round(value, 6)
    1.414214
    """
    if _arrays.is_torch(x, y, weights, y_weights):
        from pearlite.inversion import _transport_operators

        return _transport_operators.sliced_wasserstein(
            x, y, directions, weights, y_weights, method, seed, order, root, gradient, threads
        )
    check_options(order, root, gradient)
    number = _threads.count(threads)
    if isinstance(y, SortedProjections):
        check_prepared(directions, y_weights, method, seed)
        samples = check_samples("x", x, y)
        shares = None if weights is None else check_weights("weights", weights, len(samples))
        value, slope, _ = compare(y, samples, shares, order, gradient, number)
    else:
        others = check_samples("y", y)
        samples = check_samples("x", x)
        check_same(samples.dtype, samples.shape[1], others.dtype, others.shape[1])
        shares = None if weights is None else check_weights("weights", weights, len(samples))
        other = None if y_weights is None else check_weights("y_weights", y_weights, len(others))
        theta = unit_directions(
            DIRECTIONS if directions is None else directions, samples.shape[1], method, seed
        )
        value, slope = _in_blocks(samples, others, theta, shares, other, order, gradient, number)
    value, factor = rooted(value, order) if root else (value, 1.0)
    if not gradient:
        return value
    found = np.asarray((factor * slope).T, samples.dtype)
    return value, np.ascontiguousarray(found).reshape(np.shape(x))


def _in_blocks(
    x: NDArray[Any],
    y: NDArray[Any],
    theta: NDArray[np.float64],
    weights: NDArray[np.float64] | None,
    y_weights: NDArray[np.float64] | None,
    order: int,
    gradient: bool,
    threads: int,
) -> tuple[float, Any]:
    """Return SW_p^p and its gradient (d, N), for as many directions at a time as memory is for."""
    block = max(16, _BLOCK // max(len(x), len(y)))
    total, slopes = 0.0, np.zeros(x.T.shape)
    for first in range(0, len(theta), block):
        part = theta[first : first + block]
        target = SortedProjections(y, directions=part, weights=y_weights, threads=threads)
        value, slope, _ = compare(target, x, weights, order, gradient, threads)
        share = len(part) / len(theta)
        total += share * value
        if gradient:
            slopes += share * slope
    return total, slopes


def rooted(value: float, order: int) -> tuple[float, float]:
    """Return the p-th root of a value, and the factor between the gradients of both."""
    if order == 1:
        return value, 1.0
    distance = value**0.5
    return distance, 0.5 / distance if distance > 0 else 0.0


def check_options(order: int, root: bool, gradient: bool) -> None:
    """Raise unless the options have a meaning."""
    if isinstance(order, bool) or not isinstance(order, int | np.integer) or order not in (1, 2):
        raise ValueError(f"order is {brief(order)}; expected 1 or 2")
    _arrays.flag("root", root)
    _arrays.flag("gradient", gradient)


def check_prepared(directions: Any, y_weights: Any, method: Any, seed: Any) -> None:
    """Raise if what a SortedProjections has is given once more."""
    given = {"directions": directions, "y_weights": y_weights, "seed": seed}
    for name, value in given.items():
        if value is not None:
            raise ValueError(f"{name} is given; expected None, since y has its own")
    _arrays.check_choice("method", method, get_args(Method))


def check_same(dtype: Any, dim: int, other_dtype: Any, other_dim: int) -> None:
    """Raise unless x and y have the same components and dtype."""
    if dim != other_dim:
        raise ValueError(f"x has {dim} components; expected {other_dim} as y has")
    if dtype != other_dtype:
        raise TypeError(f"x has dtype {dtype}; expected {other_dtype} as y has")
