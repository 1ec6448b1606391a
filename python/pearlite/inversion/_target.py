"""Data as a fit sees them: standardized, projected, sorted once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from pearlite._errors import ConvergenceError
from pearlite.inversion._parameters import Floats


def directions(components: int, count: int) -> Floats:
    """Return directions (count, components) that fill the half sphere evenly.

    One for a single component, equally spaced ones on the half circle, and the Fibonacci lattice on
    the half sphere: opposite directions give the same distance.

    Notes
    -----
    Source: R. Swinbank and R. J. Purser, Q. J. R. Meteorol. Soc. 132, 1769 (2006).
    """
    if components == 1:
        return np.ones((1, 1))
    middle = (np.arange(count) + 0.5) / count
    if components == 2:
        return np.stack([np.cos(np.pi * middle), np.sin(np.pi * middle)], axis=1)
    turn = np.pi * (3 - np.sqrt(5)) * np.arange(count)
    radius = np.sqrt(1 - middle**2)
    return np.stack([radius * np.cos(turn), radius * np.sin(turn), middle], axis=1)


@dataclass(frozen=True)
class View:
    """The rows of the data in which the same components were measured."""

    rows: npt.NDArray[np.int64]  # (n,)
    columns: npt.NDArray[np.int64]  # (c,)
    axes: Floats  # (L, c), directions over the scale of each component
    projections: Floats  # (L, n), in the order of the rows
    integral: Floats  # (L, n + 1), of the quantile function from 0 to k/n
    square: float  # mean of the squared projections
    share: float  # of the rows of the data

    def quantiles(self, count: int) -> Floats:
        """Mean quantiles (L, count): of the quantile function over each of `count` intervals."""
        n = self.integral.shape[1] - 1
        if count == n:
            return np.asarray(np.diff(self.integral) * n)
        ends = np.linspace(0, n, count + 1)
        cells = np.minimum(ends.astype(int), n - 1)
        steps = np.diff(self.integral)
        at = self.integral[:, cells] + (ends - cells) * steps[:, cells]
        return np.asarray(np.diff(at) * count)


@dataclass(frozen=True)
class Target:
    """Data (N, C) and what a fit needs of them.

    `scale` (C,) is the standard deviation of each component.
    """

    data: Floats
    scale: Floats
    views: tuple[View, ...]
    cache: dict[tuple[int, int], Floats] = field(default_factory=dict)

    def quantiles(self, view: int, count: int) -> Floats:
        """Mean quantiles (L, count) of a view."""
        key = view, count
        if key not in self.cache:
            self.cache[key] = self.views[view].quantiles(count)
        return self.cache[key]


def make_target(data: Floats, projections: int, scale: Floats | None = None) -> Target:
    """Project and sort data (N, C), which may have NaN where a component is missing."""
    if scale is None:
        scale = np.nanstd(data, axis=0)
    given = np.isfinite(data)
    patterns, which = np.unique(given, axis=0, return_inverse=True)
    views = []
    for number, pattern in enumerate(patterns):
        rows, columns = np.flatnonzero(which.ravel() == number), np.flatnonzero(pattern)
        if len(columns) == 0:
            continue
        axes = directions(len(columns), projections) / scale[columns]
        projected = axes @ data[np.ix_(rows, columns)].T
        ordered = np.sort(projected, axis=1)
        integral = np.concatenate([np.zeros((len(axes), 1)), np.cumsum(ordered, axis=1)], axis=1)
        views.append(
            View(
                rows,
                columns,
                axes,
                projected,
                integral / len(rows),
                float((ordered**2).mean()),
                len(rows) / len(data),
            )
        )
    return Target(data, scale, tuple(views))


@dataclass(frozen=True)
class Normal:
    """The squared distance of samples from data, and its derivatives in Q coordinates."""

    loss: float  # SW2², in units of the scales
    gradient: Floats  # (Q,), of half the loss
    matrix: Floats  # (Q, Q), its Gauss–Newton matrix


def normal_equations(target: Target, samples: Floats, jacobian: Floats | None) -> Normal:
    """Compare samples (M, C) with the data; their Jacobian is (M, C, Q)."""
    count = len(samples)
    size = 0 if jacobian is None else jacobian.shape[-1]
    loss, gradient, matrix = 0.0, np.zeros(size), np.zeros((size, size))
    for number, view in enumerate(target.views):
        projected = view.axes @ samples[:, view.columns].T  # (L, M)
        order = np.argsort(projected, axis=1)
        ordered = np.take_along_axis(projected, order, axis=1)
        quantiles = target.quantiles(number, count)
        rest = ordered - quantiles
        # What the means over the intervals leave of the data's own scatter is constant.
        constant = view.square - float((quantiles**2).mean())
        loss += view.share * (float((rest**2).mean()) + constant)
        if jacobian is None:
            continue
        slopes = sorted_slopes(view, order, jacobian)  # (L, M, Q)
        gradient += view.share * np.einsum("lm,lmq->q", rest, slopes) / rest.size
        means = binned(slopes)
        flat = means.reshape(-1, size)
        matrix += view.share * (flat.T @ flat) / len(flat)
    return Normal(loss, gradient, matrix)


def try_samples(
    target: Target, simulate: Callable[[], tuple[Floats, Floats | None]]
) -> Normal | None:
    """Compare what `simulate` gives, samples and their Jacobian; None where it gives no numbers.

    A search tries places where contrasts are beyond all measure, and no solver converges.
    """
    try:
        samples, jacobian = simulate()
    except ConvergenceError:
        return None
    if not all(np.isfinite(part).all() for part in (samples, jacobian) if part is not None):
        return None
    return normal_equations(target, samples, jacobian)


def sorted_slopes(view: View, order: npt.NDArray[np.int64], jacobian: Floats) -> Floats:
    """Differentiate the sorted projections: (L, M, Q), of the sample at each place."""
    slopes = np.empty((*order.shape, jacobian.shape[-1]))
    columns = jacobian[:, view.columns]  # (M, c, Q)
    for line, ranks, axis in zip(slopes, order, view.axes, strict=True):
        np.einsum("mcq,c->mq", columns[ranks], axis, out=line)
    return slopes


def binned(slopes: Floats) -> Floats:
    """Average derivatives (L, M, Q) over bins of neighbours, (L, B, Q).

    The quantile function moves with the mean E[∂x/∂θ | x], not with each sample. Single samples
    would add their scatter to the Gauss–Newton matrix, and steps would be too short.
    """
    ends = _bin_ends(slopes.shape[1])
    sums = np.add.reduceat(slopes, ends[:-1], axis=1)
    return np.asarray(sums / np.diff(ends)[:, None])


def mean_square_slopes(slopes: Floats) -> Floats:
    """Return the mean square (Q, Q) of E[∂x/∂z | x], from derivatives (L, M, Q), without bias.

    The scatter of a bin's mean adds to its square what the scatter within the bin tells. Where that
    leaves hardly anything the samples tell little, and a tenth is kept.
    """
    means = binned(slopes).reshape(-1, slopes.shape[-1])
    ends = _bin_ends(slopes.shape[1])
    sizes = np.tile(np.diff(ends), len(slopes))
    squares = means.T @ means / len(means)
    flat = slopes.reshape(-1, slopes.shape[-1])
    spread = flat - np.repeat(means, sizes, axis=0)
    shares = np.repeat(1 / (sizes * np.maximum(sizes - 1, 1)), sizes)
    noise = spread.T @ (spread * shares[:, None]) / len(means)
    # In the coordinates in which `squares` is the unit matrix
    values, vectors = np.linalg.eigh(squares)
    root = vectors * np.sqrt(np.maximum(values, 1e-12 * values[-1]))
    inverse = np.linalg.inv(root)
    left, turned = np.linalg.eigh(np.eye(len(values)) - inverse @ noise @ inverse.T)
    side = root @ turned
    return np.asarray((side * np.maximum(left, 0.1)) @ side.T)


def _bin_ends(count: int) -> npt.NDArray[np.int64]:
    size = max(1, round(0.5 * np.sqrt(count)))
    return np.linspace(0, count, max(1, count // size) + 1).astype(np.int64)
